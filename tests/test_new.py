"""Projects are whole whatever is chosen, and what is private is in no file that is committed."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import tomllib
from contextlib import closing
from itertools import combinations
from pathlib import Path
from urllib.request import urlopen

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
from mcp_client import client

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


def test_the_tests_of_a_project_pass_where_it_is_made(tmp_path):
    project = make(tmp_path / "project")

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


# ── What is made installs, and says hello ───────────────────────────────────────────────────────────────────

HELLO = """

from logpith_emit import logged_tool  # noqa: E402


@logged_tool
def hello(name: str) -> str:
    return f"hello, {name}"


TOOLS = (*TOOLS, hello)
"""
"""A tool of one's own, written as its README says."""

NOBODY = {
    "kafka_bootstrap_servers": "127.0.0.1:9",
    "elasticsearch_hosts": "http://127.0.0.1:9",
    "postgres_dsn": "postgresql://127.0.0.1:9/logs",
    "convex_endpoint_url": "http://127.0.0.1:9/logs",
}
"""Addresses where nobody answers."""

CLIENTS = {"kafka": "confluent_kafka", "postgres": "psycopg"}
"""What a destination needs beside the standard library."""

KEPT = {"project_name": "My MCP Server", "include_admin_ui": "yes", "production_log_destination": "postgres"}
FORMS = {
    "cookiecutter.json": json.dumps(COOKIECUTTER),
    "replay.json": json.dumps({"cookiecutter": {**KEPT, "_template": "x"}}),
    "config.yaml": "default_context:\n" + "".join(f"  {name}: '{value}'\n" for name, value in KEPT.items()),
    "answers.json": json.dumps(KEPT),
    "answers.yaml": "".join(f"{name}: '{value}'\n" for name, value in KEPT.items()),
    "answers.toml": "".join(f"{name} = '{value}'\n" for name, value in KEPT.items()),
    ".answers.json": None,
}
"""Files of answers; the last is that of another project."""


def with_hello(folder, answers, **how):
    """A project with a tool more, whose production is nobody."""
    production = answers.get("production_log_destination", "none")
    nobody = {name: NOBODY[name] for name in PRIVATE.get(production, ()) if name in NOBODY}
    project = make(folder, {**answers, **nobody}, **how)
    with (project / "src" / "my_mcp_server" / "tools.py").open("a") as tools:
        tools.write(HELLO)
    return project


def installed(project, venv, *how, extras="test"):
    """The Python of a new environment that has the project."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", *how]
    subprocess.run([*pip, f"{project}[{extras}]"], check=True)
    return python


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """The options with which pip takes all that a project may need from a folder, where it was fetched once."""
    folder = tmp_path_factory.mktemp("wheels")
    wanted = ["hatchling>=1.27", "mcp>=2.3,<3", "pytest>=8.3", f"{ROOT / 'emit'}[all-destinations]"]
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", folder, *wanted]
    subprocess.run(command, check=True)
    # What asks for a newer Python than this is the same but for its asking.
    return ["--no-index", "--find-links", folder, "--ignore-requires-python"]


def check_installed(python, project, folder, monkeypatch):
    """Its tests pass; its server, started as a host does, says hello; and who looks for that call finds it."""
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        monkeypatch.delenv(name)
    folder.mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    monkeypatch.setenv("no_proxy", "*")
    answers = json.loads((project / ANSWERS_FILE).read_text())
    tests = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", folder / "tests"]

    done = subprocess.run(tests, cwd=project, capture_output=True, text=True, check=False)
    with client(folder, argv=[str(python.with_name("my-mcp-server")), "--folder", str(project)]) as host:
        told = host.call("hello", name="you")

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
    assert told["content"][0]["text"] == "hello, you"
    # What went well is information, which some have chosen not to keep.
    calls = [("hello", "ok")] if answers["log_level"] in ("INFO", "DEBUG") else []
    is_local = answers["local_log_destination"] == "sqlite"
    if is_local:
        assert calls_in(folder / "logpith" / "emit" / "logs.db") == calls
    if answers["production_log_destination"] != "none":
        assert bool(waiting(python)) == bool(calls)
    if answers["include_admin_ui"] == "yes":
        assert ("<td>hello<td>ok" in page_of(python, project)) == (is_local and bool(calls))


def calls_in(database):
    """The calls of tools that are kept there."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(database)) as kept:
        asked = "SELECT tool_name, status FROM unified_logs WHERE log_type = 'tool_execution'"
        return kept.execute(asked).fetchall()


def waiting(python):
    """How many records wait for the destination of production."""
    status = [python, "-m", "logpith_emit", "status", "--json"]
    told = json.loads(subprocess.run(status, capture_output=True, check=False).stdout)
    return sum(one["waiting"] for one in told if one["name"] == "production")


def page_of(python, project):
    """What its page shows."""
    admin = [python.with_name("my-mcp-server-admin"), "--folder", project, "--port", "0"]
    with subprocess.Popen(admin, stdout=subprocess.PIPE, text=True) as process:
        try:
            with urlopen(process.stdout.readline().strip(), timeout=60) as answer:
                page = answer.read().decode()
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    return page


def test_a_project_with_everything_installs_and_says_hello(tmp_path, monkeypatch):
    """In an environment that sees this one, so that nothing is fetched; `-m crash` installs every variant alone."""
    project = with_hello(tmp_path / "project", EVERYTHING)
    venv = tmp_path / "venv"
    seen = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    seen.mkdir(parents=True)
    (seen / "seen.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")

    python = installed(project, venv, "--no-deps", "--no-index", "--no-build-isolation")

    check_installed(python, project, tmp_path / "data", monkeypatch)


@pytest.mark.crash
@pytest.mark.timeout(900)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(variant[name] for name in CHOICES))
def test_every_variant_installs_alone_and_says_hello(variant, wheels, tmp_path, monkeypatch):
    project = with_hello(tmp_path / "project", variant)

    python = installed(project, tmp_path / "venv", *wheels)

    production = variant["production_log_destination"]
    assert clients_of(python) == ({CLIENTS[production]} if production in CLIENTS else set())
    check_installed(python, project, tmp_path / "data", monkeypatch)


@pytest.mark.crash
@pytest.mark.timeout(900)
@pytest.mark.parametrize("extra", [*PRIVATE, "all-destinations"])
def test_every_extra_brings_the_clients_of_its_destinations_alone(extra, wheels, tmp_path, monkeypatch):
    project = with_hello(tmp_path / "project", {"include_admin_ui": "yes"})

    python = installed(project, tmp_path / "venv", *wheels, extras=f"test,{extra}")

    wanted = CLIENTS.values() if extra == "all-destinations" else [CLIENTS[extra]] if extra in CLIENTS else ()
    assert clients_of(python) == {*wanted}
    check_installed(python, project, tmp_path / "data", monkeypatch)


def clients_of(python):
    asked = f"import importlib.util as u; print(*filter(u.find_spec, {[*CLIENTS.values()]}))"
    return {*subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.split()}


@pytest.mark.crash
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_answers_gives_a_project_that_installs_and_says_hello(
    name, wheels, tmp_path, monkeypatch
):
    file = tmp_path / name
    if name == ANSWERS_FILE:
        file = make(tmp_path / "another", EVERYTHING) / name
    else:
        file.write_text(FORMS[name])
    production = "kafka" if name in (ANSWERS_FILE, "cookiecutter.json") else "postgres"
    project = with_hello(tmp_path / "project", {"production_log_destination": production}, file=file)

    python = installed(project, tmp_path / "venv", *wheels)

    assert clients_of(python) == {CLIENTS[production]}
    check_installed(python, project, tmp_path / "data", monkeypatch)
