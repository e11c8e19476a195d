"""Projects are whole whatever is chosen, and what is private is in no file that is committed."""

import json
import os
import re
import subprocess
import sys
import tomllib
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logpith.cli import main
from logpith.new.answers import read_answers
from logpith.new.project import ANSWERS_FILE, PRIVATE, _quoted, new_project
from logpith_emit.destinations import Wanted
from logpith_emit.destinations.postgres import PostgresDestination
from logpith_emit.errors import BadArgument, NotFound, Refused
from logpith_emit.secret import Secret
from logpith_emit.unified import ServerConfig, create_log_destination
from logpith_emit.unified.config import read_dotenv

pytest.importorskip("copier")

ROOT = Path(__file__).parents[1]
CHOICES = {
    "production_log_destination": ("none", "kafka", "elasticsearch", "postgres", "convex"),
    "python_version": ("3.11", "3.12", "3.13", "3.14"),
    "log_level": ("INFO", "DEBUG", "WARNING", "ERROR"),
    "include_admin_ui": ("no", "yes"),
    "include_example_tools": ("yes", "no"),
    "include_parallel_example": ("yes", "no"),
    "local_log_destination": ("sqlite", "none"),
}
EVERYTHING = {"include_admin_ui": "yes", "production_log_destination": "kafka"}
PASSWORD = "hunter2-correct-horse"  # made up here

# The form in which templates of such servers have asked before.
COOKIECUTTER = {
    "project_name": "My MCP Server",
    "project_slug": "{{ cookiecutter.project_name.lower().replace(' ', '_').replace('-', '_') }}",
    "description": "A Model Context Protocol server",
    "author_name": "Your Name",
    "author_email": "you@example.com",
    "python_version": ["3.12", "3.11"],
    "include_admin_ui": ["no", "yes"],
    "include_example_tools": ["yes", "no"],
    "include_parallel_example": ["yes", "no"],
    "log_level": ["INFO", "DEBUG", "WARNING", "ERROR"],
    "log_retention_days": "14",
    "local_log_destination": ["sqlite", "none"],
    "production_log_destination": ["kafka", "none", "elasticsearch", "postgres", "convex"],
    "log_retry_attempts": "2",
    "log_retry_delay_ms": "50",
    "kafka_bootstrap_servers": "broker-1:9092,broker-2:9092",
    "kafka_topic": "calls",
    "elasticsearch_hosts": "localhost:9200",
    "elasticsearch_index_prefix": "mcp-logs",
    "postgres_dsn": "postgresql://localhost/mcp_logs",
    "convex_endpoint_url": "https://your-app.convex.site/logs/ingest",
    "convex_api_key": "",
    "_extensions": ["jinja2_time.TimeExtension"],
}

# What a host does, in one process: it starts the server, calls a tool, and waits until that is told.
ONE_CALL = """
import asyncio
from mcp import Client
from my_mcp_server.server import create_mcp_server
from my_mcp_server.settings import load_settings
from logpith_emit.unified import create_log_destination

async def main():
    config = load_settings()
    destination = create_log_destination(config)
    async with Client(create_mcp_server(config, destination)) as client:
        await client.call_tool("count_words", {"text": "to be or not to be", "most": 1})
    assert await destination.flush(60)

asyncio.run(main())
"""


def pairwise(choices):
    """Few variants in which every two choices of different questions meet."""
    left = {
        frozenset(((one, this), (other, that)))
        for one, other in combinations(choices, 2)
        for this in choices[one]
        for that in choices[other]
    }
    variants = []
    while left:
        variant = dict(min(left, key=sorted))
        for name in choices:
            if name not in variant:
                told = list(variant.items())
                variant[name] = max(
                    choices[name],
                    key=lambda value: sum(frozenset((pair, (name, value))) in left for pair in told),
                )
        left -= {frozenset(pairs) for pairs in combinations(variant.items(), 2)}
        variants.append(variant)
    return variants


VARIANTS = pairwise(CHOICES)


def make(folder, answers=None, *, file=None, defaults=True):
    """A project in a folder, with these answers and defaults for the others."""
    told = [f"{name}={value}" for name, value in (answers or {}).items()]
    return new_project(folder, answers=file, told=told, defaults=defaults, is_terminal=False)


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """A project of each variant."""
    folder = tmp_path_factory.mktemp("projects")
    return [make(folder / f"project_{number}", variant) for number, variant in enumerate(VARIANTS)]


def test_every_variant_compiles_and_is_clean(projects, tmp_path):
    long = make(tmp_path / "long", {**EVERYTHING, "project_slug": "a" * 40})
    projects = [*projects, long]
    for project in projects:
        for path in project.rglob("*.py"):
            compile(path.read_text(), path, "exec")

    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *projects], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_every_variant_has_what_was_chosen_and_nothing_else(projects):
    for project, variant in zip(projects, VARIANTS, strict=True):
        package = project / "src" / "my_mcp_server"
        told = tomllib.loads((project / "pyproject.toml").read_text())["project"]

        assert (package / "admin.py").exists() == (variant["include_admin_ui"] == "yes")
        assert (package / "parallel.py").exists() == (variant["include_parallel_example"] == "yes")
        assert ("count_words" in (package / "tools.py").read_text()) == (
            variant["include_example_tools"] == "yes"
        )
        assert told["requires-python"] == f">={variant['python_version']}"
        assert set(told["optional-dependencies"]) >= {*PRIVATE, "all-destinations"}


def test_the_settings_of_every_variant_load_and_describe_its_destinations(projects, tmp_path):
    for project, variant in zip(projects, VARIANTS, strict=True):
        config = ServerConfig.from_environment(
            {}, file=project / "src" / "my_mcp_server" / "settings.toml", folder=project
        )
        destination = create_log_destination(config, folder=tmp_path)

        types = {name: one.type for name, one in getattr(destination, "destinations", {}).items()}
        local = {"local": "sqlite"} if variant["local_log_destination"] == "sqlite" else {}
        production = variant["production_log_destination"]
        assert types == {**local, **({} if production == "none" else {"production": production})}
        assert config.log_level == variant["log_level"]


@pytest.mark.parametrize("answers", [{}, EVERYTHING], ids=["by default", "with everything"])
def test_the_tests_of_a_project_pass(answers, tmp_path):
    project = make(tmp_path / "project", answers)

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-W",
            "error",
            "-p",
            "no:cacheprovider",
            "--basetemp",
            tmp_path / "t",
        ],
        cwd=project,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)


# ── What was answered ───────────────────────────────────────────────────────────────────────────────────────


def test_a_cookiecutter_json_gives_its_first_choices_and_its_package_is_named_as_before(tmp_path):
    file = tmp_path / "cookiecutter.json"
    file.write_text(json.dumps({**COOKIECUTTER, "project_name": "Call-Centre Tools"}))

    project = make(tmp_path / "made", file=file)

    told = tomllib.loads((project / "src" / "call_centre_tools" / "settings.toml").read_text())
    assert told["log_destination_type"] == "kafka"
    assert (told["kafka_topic"], told["log_retention_days"]) == ("calls", 14)
    assert "KAFKA_BOOTSTRAP_SERVERS=broker-1:9092,broker-2:9092" in (project / ".env").read_text()
    assert ">=3.12" in (project / "pyproject.toml").read_text()


def test_what_is_said_beside_a_file_counts_more(tmp_path):
    file = tmp_path / "answers.toml"
    file.write_text('project_slug = "calls"\nlog_level = "DEBUG"\ninclude_admin_ui = true\n')

    project = make(tmp_path / "made", {"log_level": "ERROR"}, file=file)

    assert (project / "src" / "calls" / "admin.py").exists()
    assert 'log_level = "ERROR"' in (project / "src" / "calls" / "settings.toml").read_text()


def test_the_answers_of_a_project_make_it_again(tmp_path):
    first = make(tmp_path / "first", {**EVERYTHING, "project_name": "Größe & Maß"})

    second = make(tmp_path / "second", file=first / ANSWERS_FILE)

    assert files_of(second) == files_of(first)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"project_slug": "9lives"}, "project_slug: up to 40 small letters"),
        ({"project_slug": "../up"}, "project_slug: up to 40 small letters"),
        ({"project_slug": "json"}, "another package has this name"),
        ({"log_retention_days": "-1"}, "log_retention_days: a whole number"),
        ({"production_log_destination": "kafak"}, "'kafak' is not in"),
        ({"kafka_topc": "x"}, "Did you mean 'kafka_topic'"),
        ({"description": "two\nlines"}, "description: there are characters"),
        ({"author_email": "nobody"}, "author_email: no address"),
    ],
)
def test_an_answer_that_is_none_is_refused_and_leaves_nothing(tmp_path, answers, told):
    with pytest.raises(BadArgument, match=re.escape(told)):
        make(tmp_path / "made", answers)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_has_no_answers_is_refused_and_not_quoted(tmp_path):
    (tmp_path / "bad.json").write_text(f'{{"convex_api_key": "{PASSWORD}')
    (tmp_path / "list.json").write_text("[]")

    with pytest.raises(BadArgument, match="not what its name says") as refused:
        read_answers(tmp_path / "bad.json", (), ("convex_api_key",))
    with pytest.raises(BadArgument, match="no table"):
        read_answers(tmp_path / "list.json", (), ())
    with pytest.raises(NotFound, match="no file"):
        read_answers(tmp_path / "none.json", (), ())
    assert PASSWORD not in str(refused.value)


def test_earlier_answers_of_cookiecutter_are_answers(tmp_path):
    file = tmp_path / "replay.json"
    file.write_text(json.dumps({"cookiecutter": {"project_name": "Shop", "_template": "x"}}))

    assert read_answers(file, (), ("project_name",)).given == {"project_name": "Shop"}


@settings(max_examples=8)
@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=60))
def test_whatever_words_are_answered_the_project_says_them(tmp_path_factory, words):
    answers = {"description": words, "author_name": words, "author_email": ""}

    project = make(tmp_path_factory.mktemp("words") / "made", answers)

    told = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert told["description"] == words.strip()
    assert told.get("authors", [{}])[0].get("name", "") == words.strip()


# ── What is private ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "private",
    [
        {"postgres": {"postgres_dsn": f"postgresql://logs:{PASSWORD}@db/logs"}},
        {"convex": {"convex_api_key": f"it's {PASSWORD} $HOME #1"}},
        {"elasticsearch": {"elasticsearch_hosts": f"https://logs:{PASSWORD}@es:9200"}},
        {"none": {"convex_api_key": PASSWORD}},
    ],
    ids=["dsn", "key", "hosts", "key of another"],
)
def test_what_is_private_is_in_env_alone_which_others_may_not_read(tmp_path, capfd, private):
    ((production, private),) = private.items()

    project = make(tmp_path / "made", {"production_log_destination": production, **private})

    env = project / ".env"
    holders = [path for path, content in files_of(project).items() if PASSWORD.encode() in content]
    assert holders == [Path(".env")]
    assert env.stat().st_mode & 0o777 == 0o600
    assert ".env" in (project / ".gitignore").read_text().splitlines()
    assert read_dotenv(env).items() >= {name.upper(): value for name, value in private.items()}.items()
    assert PASSWORD not in "".join(capfd.readouterr())


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp"))).map(str.strip))
def test_env_says_what_was_answered(tmp_path_factory, value):
    env = tmp_path_factory.mktemp("env") / ".env"
    env.touch(mode=0o600)

    try:
        env.write_text(f"KEY={_quoted('key', value)}\n", "utf-8")
    except BadArgument:
        assert "'" in value
        assert '"' in value
    else:
        assert read_dotenv(env) == {"KEY": value}


def test_a_call_stands_at_the_destination_that_was_chosen(postgres, tmp_path):
    dsn = postgres.new_database()
    answers = {"production_log_destination": "postgres", "local_log_destination": "none", "postgres_dsn": dsn}
    project = make(tmp_path / "project", answers)

    subprocess.run(
        [sys.executable, "-c", ONE_CALL],
        cwd=project,
        env={**os.environ, "PYTHONPATH": "src", "LOGPITH_EMIT_FOLDER": str(tmp_path / "spool")},
        check=True,
    )

    with PostgresDestination(dsn=Secret(dsn)).open() as live:
        (entry,) = live.query(Wanted(equal={"log_type": "tool_execution"}, limit=10))
    assert (entry.tool_name, entry.status, entry.input_args["most"]) == ("count_words", "ok", 1)


# ── The folder, and who is asked ────────────────────────────────────────────────────────────────────────────


def test_a_folder_that_has_something_is_left_as_it_is(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(BadArgument, match="not an empty folder"):
        make(tmp_path)
    with pytest.raises(BadArgument, match="not an empty folder"):
        make(tmp_path / "mine.txt")

    assert list(tmp_path.iterdir()) == [tmp_path / "mine.txt"]


def test_without_a_folder_it_is_called_as_the_package(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["new", "--defaults", "--set", "project_name=Billing"]) == 0

    assert (tmp_path / "billing" / "src" / "billing" / "server.py").exists()
    assert "cd billing" in capsys.readouterr().out


def test_where_nobody_can_be_asked_it_says_so(tmp_path):
    with pytest.raises(BadArgument, match="--defaults"):
        make(tmp_path / "made", defaults=False)


def test_somebody_at_a_terminal_is_asked(tmp_path):
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    given = [f"{name}={values[0]}" for name, values in CHOICES.items()]
    with create_pipe_input() as typed, create_app_session(input=typed, output=DummyOutput()):
        typed.send_text(" of Mine\n" + 20 * "\n")
        project = new_project(tmp_path / "made", answers=None, told=given, defaults=False, is_terminal=True)

    assert (project / "src" / "my_mcp_server_of_mine").is_dir()


def test_without_copier_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)

    with pytest.raises(Refused, match=re.escape("pip install 'logpith[new]'")):
        make(tmp_path / "made")


@pytest.mark.crash
@pytest.mark.timeout(900)
def test_a_project_installs_with_the_client_of_its_destination_alone_and_its_tests_pass(tmp_path):
    """Minutes of downloads, so on demand."""
    project = make(tmp_path / "project", {**EVERYTHING, "production_log_destination": "none"})
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", ROOT / "emit", f"{project}[test,kafka]"]
    subprocess.run(install, check=True)

    loaded = (
        "import confluent_kafka, importlib.util as u; raise SystemExit(u.find_spec('psycopg') is not None)"
    )
    assert subprocess.run([python, "-c", loaded], check=False).returncode == 0
    assert subprocess.run([python, "-m", "pytest", "-q"], cwd=project, check=False).returncode == 0
    for command in ("my-mcp-server", "my-mcp-server-admin"):
        subprocess.run([python.with_name(command), "--help"], check=True)
