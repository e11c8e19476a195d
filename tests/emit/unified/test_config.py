"""A server's settings: what each place says counts in its turn, that place is known, and no secret is shown."""

import dataclasses
import importlib.util
import json
import pickle
from pathlib import Path

import pytest

from logpith_emit.command import main
from logpith_emit.errors import BadArgument, NotFound
from logpith_emit.secret import Secret
from logpith_emit.unified import ServerConfig
from logpith_emit.unified.config import read_dotenv

needs_yaml = pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="needs logpith-emit[yaml]")

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "migrate.md"

DEFAULTS = {
    "name": "mcp-server",
    "version": "unknown",
    "enable_local_logging": True,
    "enable_production_logging": False,
    "log_destination_type": "sqlite",
    "log_level": "INFO",
    "log_retention_days": 30,
    "log_retry_attempts": 2,
    "log_retry_delay_ms": 50,
    "sqlite_path": None,
    "kafka_bootstrap_servers": None,
    "kafka_topic": "mcp-logs",
    "elasticsearch_hosts": None,
    "elasticsearch_index_prefix": "mcp-logs",
    "postgres_dsn": None,
    "postgres_table": "unified_logs",
    "postgres_pool_min_size": 2,
    "postgres_pool_max_size": 10,
    "postgres_timeout_seconds": 60.0,
    "convex_endpoint_url": None,
    "convex_api_key": None,
    "convex_timeout_seconds": 30.0,
}

SAID = {
    "ENABLE_LOCAL_LOGGING": ("false", False, "false"),
    "ENABLE_PRODUCTION_LOGGING": ("true", True, "true"),
    "LOG_DESTINATION_TYPE": ("kafka", "kafka", "kafka"),
    "LOG_LEVEL": ("debug", "DEBUG", "DEBUG"),
    "LOG_RETENTION_DAYS": ("7", 7, "7"),
    "LOG_RETRY_ATTEMPTS": ("3", 3, "3"),
    "LOG_RETRY_DELAY_MS": ("100", 100, "100"),
    "KAFKA_BOOTSTRAP_SERVERS": ("one:9092, two:9092", ("one:9092", "two:9092"), "one:9092, two:9092"),
    "KAFKA_TOPIC": ("calls", "calls", "calls"),
    "ELASTICSEARCH_HOSTS": (
        "https://es:pass@one:443,https://two:443",
        ("https://es:pass@one:443", "https://two:443"),
        "https://es:***@one:443, https://two:443",
    ),
    "ELASTICSEARCH_INDEX_PREFIX": ("calls", "calls", "calls"),
    "POSTGRES_DSN": ("postgresql://u:pass@db/logs", Secret("postgresql://u:pass@db/logs"), "***"),
    "POSTGRES_TABLE": ("app.logs", "app.logs", "app.logs"),
    "POSTGRES_POOL_MIN_SIZE": ("3", 3, "3"),
    "POSTGRES_POOL_MAX_SIZE": ("4", 4, "4"),
    "POSTGRES_TIMEOUT_SECONDS": ("2.5", 2.5, "2.5"),
    "CONVEX_ENDPOINT_URL": (
        "https://a.convex.site/in",
        "https://a.convex.site/in",
        "https://a.convex.site/in",
    ),
    "CONVEX_API_KEY": ("pass", Secret("pass"), "***"),
    "CONVEX_TIMEOUT_SECONDS": ("2.5", 2.5, "2.5"),
}
"""Variable → what it says, what that becomes, and how it is shown."""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working directory, and an environment that says nothing."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in SAID:
        monkeypatch.delenv(name, raising=False)
    return folder


def write(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_what_nobody_says_has_its_default():
    config = ServerConfig.from_environment({})

    assert {field: getattr(config, field) for field in DEFAULTS} == DEFAULTS
    assert [field.name for field in dataclasses.fields(config) if field.init] == list(DEFAULTS)
    assert set(config.sources.values()) == {"default"}
    assert ServerConfig() == config


@pytest.mark.parametrize("prefix", ["", "LOGPITH_"])
@pytest.mark.parametrize("variable", SAID)
def test_each_variable_is_taken_and_its_place_known(variable, prefix, capsys, monkeypatch):
    text, value, shown = SAID[variable]
    monkeypatch.setenv(f"{prefix}{variable}", text)

    config = ServerConfig.from_environment()

    name = variable.lower()
    assert getattr(config, name) == value
    assert config.sources[name] == f"{prefix}{variable}"
    assert {place for place, source in config.sources.items() if source != "default"} == {name}

    assert main(["config", "--sources"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{name} ")]
    assert line.split(None, 1)[1].split("  ")[0] == shown
    assert line.split()[-1] == f"{prefix}{variable}"


def test_the_name_with_the_prefix_counts_first():
    config = ServerConfig.from_environment({"KAFKA_TOPIC": "theirs", "LOGPITH_KAFKA_TOPIC": "ours"})

    assert (config.kafka_topic, config.sources["kafka_topic"]) == ("ours", "LOGPITH_KAFKA_TOPIC")


@pytest.mark.parametrize(("text", "level"), [("warn", "WARNING"), ("Error", "ERROR"), ("FATAL", "CRITICAL")])
def test_a_level_may_be_spelled_as_others_spell_it(text, level):
    assert ServerConfig.from_environment({"LOG_LEVEL": text}).log_level == level


def test_a_name_and_a_version_of_something_else_are_left_alone(here):
    write(here / ".env", "NAME=somebody\nVERSION=9\n")

    config = ServerConfig.from_environment({"NAME": "host", "VERSION": "3", "LOGPITH_NAME": "shop"})

    assert (config.name, config.version) == ("shop", "unknown")


# ── .env ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dotenv_says_what_the_environment_does_not(here):
    write(here / ".env", "KAFKA_TOPIC=beside\nLOG_RETRY_ATTEMPTS=5\n")

    config = ServerConfig.from_environment({"KAFKA_TOPIC": "real"})

    assert (config.kafka_topic, config.sources["kafka_topic"]) == ("real", "KAFKA_TOPIC")
    assert (config.log_retry_attempts, config.sources["log_retry_attempts"]) == (
        5,
        ".env: LOG_RETRY_ATTEMPTS",
    )


def test_the_environment_counts_more_than_a_dotenv_that_spells_the_prefix(here):
    write(here / ".env", "LOGPITH_KAFKA_TOPIC=beside\n")

    assert ServerConfig.from_environment({"KAFKA_TOPIC": "real"}).kafka_topic == "real"


def test_a_dotenv_of_another_folder_does_not_count(here, tmp_path):
    write(tmp_path / ".env", "KAFKA_TOPIC=above\n")
    (tmp_path / "profiles").mkdir()
    write(tmp_path / "profiles" / ".env", "KAFKA_TOPIC=beside the profile\n")
    profile = write(tmp_path / "profiles" / "production.toml", "log_retry_attempts = 4\n")

    assert ServerConfig.from_environment({}, file=profile).kafka_topic == "mcp-logs"


def test_a_dotenv_is_read_as_others_read_it(here):
    path = write(
        here / ".env",
        "\ufeff# settings\n\n  export A=1  \nB = two words # why\nC=\"# kept  \"\nD='single' # gone\nE=\nF=#gone\n"
        'KEY="-----BEGIN-----\nabc=\n-----END-----"\nG=a#b\n',
    )

    assert read_dotenv(path) == {
        "A": "1",
        "B": "two words",
        "C": "# kept  ",
        "D": "single",
        "E": "",
        "F": "",
        "KEY": "-----BEGIN-----\nabc=\n-----END-----",
        "G": "a#b",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [("A=1\nwhat\n", ".env:2 sets nothing"), ("A=1\n\nB='two\nC=3\n", ".env:3 has a ' that nothing ends")],
)
def test_a_line_of_a_dotenv_that_sets_nothing_is_refused_with_its_place(here, text, problem):
    write(here / ".env", text)

    with pytest.raises(BadArgument) as error:
        ServerConfig.from_environment({})

    assert error.value.problem == problem


@pytest.mark.parametrize(("mode", "is_said"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_dotenv_that_others_may_read_is_said(here, capsys, mode, is_said):
    write(here / ".env", "CONVEX_API_KEY=hunter2\n").chmod(mode)

    ServerConfig.from_environment({})

    told = capsys.readouterr().err
    assert ("chmod 600 .env" in told) == is_said
    assert "hunter2" not in told


# ── profiles ────────────────────────────────────────────────────────────────────────────────────────────────

DEVELOPMENT = """\
# Local SQLite only
enable_local_logging: true
enable_production_logging: false
log_level: DEBUG
"""
KAFKA = """\
enable_local_logging: true  # Keep for debugging
enable_production_logging: true
log_destination_type: kafka
kafka_bootstrap_servers: "broker1:9092,broker2:9092,broker3:9092"
kafka_topic: "mcp-logs-prod"
log_retry_attempts: 3
log_retry_delay_ms: 100
"""
CLOUD = """\
enable_local_logging: false
enable_production_logging: true
log_destination_type: elasticsearch
elasticsearch_hosts:
  - "https://es1.cloud.elastic.co:443"
  - "https://es2.cloud.elastic.co:443"
elasticsearch_index_prefix: "mcp-logs"
log_level: INFO
"""
EDGE = """\
enable_local_logging: true
enable_production_logging: true
log_destination_type: convex
convex_endpoint_url: "https://my-app.convex.site/logs/ingest"
convex_api_key: "${CONVEX_API_KEY}"
log_retry_attempts: 2
log_retry_delay_ms: 50
"""
PROFILES = {
    "development": (DEVELOPMENT, {"enable_production_logging": False, "log_level": "DEBUG"}),
    "kafka": (
        KAFKA,
        {
            "log_destination_type": "kafka",
            "kafka_bootstrap_servers": ("broker1:9092", "broker2:9092", "broker3:9092"),
            "kafka_topic": "mcp-logs-prod",
            "log_retry_attempts": 3,
            "log_retry_delay_ms": 100,
        },
    ),
    "cloud": (
        CLOUD,
        {
            "enable_local_logging": False,
            "log_destination_type": "elasticsearch",
            "elasticsearch_hosts": ("https://es1.cloud.elastic.co:443", "https://es2.cloud.elastic.co:443"),
        },
    ),
    "edge": (
        EDGE,
        {
            "log_destination_type": "convex",
            "convex_endpoint_url": "https://my-app.convex.site/logs/ingest",
            "convex_api_key": Secret("correct-horse"),
        },
    ),
}


def as_toml(yaml_text):
    """The same profile in the other language."""
    lines, items = [], None
    for line in yaml_text.splitlines():
        if line.startswith("  - "):
            items.append(line[4:])
            continue
        name, colon, value = line.partition(": ")
        if line.endswith(":"):
            items = []
            lines.append((line[:-1], items))
        elif colon:
            bare = value.partition("  #")[0]
            is_toml = bare in ("true", "false") or bare.isdigit() or bare.startswith('"')
            lines.append((name, bare if is_toml else f'"{bare}"'))
    return "".join(
        f"{name} = {value if isinstance(value, str) else '[' + ', '.join(value) + ']'}\n"
        for name, value in lines
    )


@pytest.mark.parametrize("language", [pytest.param("yaml", marks=needs_yaml), "toml"])
@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_says_what_it_says(here, profile, language):
    text, wanted = PROFILES[profile]
    path = write(here / f"profile.{language}", text if language == "yaml" else as_toml(text))

    config = ServerConfig.from_environment({"CONVEX_API_KEY": "correct-horse"}, file=path)

    assert {name: getattr(config, name) for name in wanted} == wanted
    if profile == "edge":
        assert config.sources["convex_api_key"] == "CONVEX_API_KEY"  # which is the variable's own name, too
    else:
        assert {config.sources[name] for name in wanted} == {f"profile.{language}"}


@needs_yaml
def test_the_environment_outranks_a_profile_and_fills_it_in(here, monkeypatch):
    path = write(
        here / "p.yaml",
        'kafka_topic: "${STAGE}-${TEAM:-core}"\npostgres_table: "logs_${TEAM:-core}"\npostgres_dsn: "pg://${DB}$$"\n',
    )
    write(here / ".env", "DB=beside\n")
    monkeypatch.setenv("STAGE", "prod")
    monkeypatch.setenv("POSTGRES_TABLE", "mine")

    config = ServerConfig.from_file(path)

    assert (config.kafka_topic, config.postgres_table) == ("prod-core", "mine")
    assert config.postgres_dsn == "pg://beside$"
    assert config.sources["kafka_topic"] == "p.yaml, $STAGE, $TEAM"
    assert config.sources["postgres_table"] == "POSTGRES_TABLE"


def test_name_and_version_of_the_environment_may_be_filled_in(here):
    path = write(here / "p.toml", 'name = "${NAME}"\n')

    assert ServerConfig.from_environment({"NAME": "shop"}, file=path).name == "shop"


MISTAKES = [
    (
        {},
        'convex_api_key = "${NOT_THERE}"',
        "convex_api_key: the environment variable NOT_THERE is not set",
        "p.toml",
    ),
    ({}, 'kafka_topc = "x"', "p.toml: no setting named 'kafka_topc'", "kafka_topic"),
    ({}, "log_retry_attempts = true", "log_retry_attempts must be a whole number, not True", "p.toml"),
    ({}, "postgres_dsn = 42", "postgres_dsn must be a text", "p.toml"),
    ({}, "log_retry_attempts = 0", "log_retry_attempts must be at least 1, not 0", ""),
    ({}, "log_retry_delay_ms = -1", "log_retry_delay_ms must be at least 0, not -1", ""),
    ({}, "convex_timeout_seconds = 0", "convex_timeout_seconds must be more than 0, not 0.0", ""),
    ({}, "postgres_timeout_seconds = -1", "postgres_timeout_seconds must be more than 0, not -1.0", ""),
    ({}, "postgres_pool_min_size = 0", "postgres_pool_min_size must be at least 1, not 0", ""),
    ({"LOG_RETENTION_DAYS": "-1"}, "", "log_retention_days must be at least 0, not -1", ""),
    ({"LOG_LEVEL": "LOUD"}, "", "log_level must be one of 'TRACE'", "LOG_LEVEL"),
    ({"LOG_DESTINATION_TYPE": "kafak"}, "", "log_destination_type must be one of 'sqlite'", "'kafka'"),
    (
        {"ENABLE_LOCAL_LOGGING": "maybe"},
        "",
        "enable_local_logging must be true or false, not 'maybe'",
        "LOCAL_LOGGING",
    ),
    (
        {"LOGPITH_LOG_RETRY_DELAY_MS": "x"},
        "",
        "log_retry_delay_ms must be a whole number",
        "LOGPITH_LOG_RETRY_DELAY_MS",
    ),
]


@pytest.mark.parametrize(("environment", "text", "problem", "remedy"), MISTAKES)
def test_what_cannot_be_used_is_refused_with_its_place(here, environment, text, problem, remedy):
    path = write(here / "p.toml", text)

    with pytest.raises(BadArgument) as error:
        ServerConfig.from_environment(environment, file=path)

    assert problem in error.value.problem
    assert remedy in error.value.remedy


def test_a_wrong_value_of_a_dotenv_is_told_with_that_place(here):
    write(here / ".env", "LOGPITH_LOG_RETRY_ATTEMPTS=many\n")

    with pytest.raises(BadArgument, match=r"It stands in \.env: LOGPITH_LOG_RETRY_ATTEMPTS"):
        ServerConfig.from_environment({})


def test_a_profile_that_is_not_there_is_said(here):
    with pytest.raises(NotFound, match=r"nowhere\.toml"):
        ServerConfig.from_file(here / "nowhere.toml")


def test_the_page_on_moving_shows_these_profiles_and_every_setting():
    page = PAGE.read_text(encoding="utf-8")

    assert all(f"```yaml\n{text}```" in page for text, _ in PROFILES.values())
    assert all(f"`{name}`" in page for name in SAID)
    assert all(f"`LOGPITH_{name}`" in page for name in ("NAME", "VERSION"))
    assert {"SQLITE_PATH", *SAID} == {name.upper() for name in DEFAULTS} - {"NAME", "VERSION"}


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_secret_is_shown_wherever_the_settings_go(capsys, monkeypatch):
    monkeypatch.setenv("POSTGRES_DSN", "postgresql://u:hunter2@db/logs")
    monkeypatch.setenv("CONVEX_API_KEY", "hunter2")
    monkeypatch.setenv("ELASTICSEARCH_HOSTS", "elastic:hunter2@one:9200,https://elastic:hunter2@two")
    monkeypatch.setenv("CONVEX_ENDPOINT_URL", "https://a.convex.site/in?token=hunter2")

    config = ServerConfig.from_environment()
    main(["config", "--sources"])
    main(["config", "--json"])

    printed = capsys.readouterr().out
    for shown in (repr(config), str(config), str(config.shown()), printed):
        assert "hunter2" not in shown
        assert "elastic:***@one:9200" in shown
    assert b"hunter2" not in pickle.dumps([config.postgres_dsn, config.convex_api_key])


def test_settings_made_in_code_are_as_careful():
    config = ServerConfig(
        postgres_dsn="postgresql://u:hunter2@db", kafka_bootstrap_servers="one:9092,two:9092"
    )
    config.convex_api_key = "hunter2"
    config.elasticsearch_hosts = ["one:9200"]

    assert "hunter2" not in repr(config)
    assert config.postgres_dsn.reveal() == "postgresql://u:hunter2@db"
    assert config.convex_api_key.reveal() == "hunter2"
    assert config.kafka_bootstrap_servers == ("one:9092", "two:9092")
    assert config.elasticsearch_hosts == ("one:9200",)


def test_the_command_tells_programs_too(here, capsys, monkeypatch):
    profile = write(here / "p.toml", "log_retry_attempts = 4\n")
    monkeypatch.setenv("KAFKA_TOPIC", "calls")

    assert main(["config", "--json", "--sources", "--file", str(profile)]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["settings"]["kafka_topic"], told["sources"]["kafka_topic"]) == ("calls", "KAFKA_TOPIC")
    assert (told["settings"]["log_retry_attempts"], told["sources"]["log_retry_attempts"]) == ("4", "p.toml")


def test_the_command_says_what_is_wrong(capsys, monkeypatch):
    monkeypatch.setenv("LOG_RETRY_ATTEMPTS", "two")

    assert main(["config"]) == 2

    assert "LOG_RETRY_ATTEMPTS" in capsys.readouterr().err
