"""logpith config show: what counts here, where it was said, and no secret."""

import json
import tomllib

import pytest

from logpith import cli
from logpith.settings import find_settings
from logpith.settings_shown import as_toml, find_origins, origin_of, shown_settings

FULL = """\
# the first line says nothing
redact = false

[store]
retention = "7d"

classes = [
  { name = "errors", query = "level>=error", retention = "90d" },
]

[search]
embeddings_url = "https://user:s3cr3t-in-url@embed.example.org/v1"
embeddings_key = "${KEY}"

[[server.tokens]]
name = "shipper"
token = "tok_0123456789abcdef"

[sources.relay]
type = "relay"
url = "https://relay.example.org/logs/fetch"
services = ["gateway"]
token = "relay-0123456789abcdef"

[sources.cloud]
type = "command"
argv = ["fetch-logs", "--account", "${ACCOUNT}"]

[[stages]]
type = "map"
rename = { lvl = "log_level" }
"""

SECRETS = (
    "s3cr3t-in-url",
    "key_0123456789abcdef",
    "tok_0123456789abcdef",
    "relay-0123456789abcdef",
    "account-7",
    "master-0123456789abcdef",
)

ENVIRONMENT = {
    "KEY": "key_0123456789abcdef",
    "ACCOUNT": "account-7",
    "LOGPITH_TOKEN": "master-0123456789abcdef",
    "LOGPITH_COLLECT_EVERY": "5m",
    "LOGPITH_DATA_DIR": "/data",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))
    for name in ("LOGPITH_CONFIG", "LOGPITH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found_in(folder, text=FULL, environment=ENVIRONMENT):
    (folder / "logpith.toml").write_text(text)
    return find_settings(None, environment=environment, folder=folder)


@pytest.fixture
def show(capsys):
    """show(*options): what `logpith config show` prints."""

    def printed(*options):
        capsys.readouterr()
        assert cli.main(["config", "show", *options]) == 0
        return capsys.readouterr().out

    return printed


def test_every_setting_that_counts_is_shown_and_no_secret(folder):
    found = found_in(folder)

    text = as_toml(found, find_origins(found, {}))

    assert not any(secret in text for secret in SECRETS)
    shown = tomllib.loads(text)
    assert shown == shown_settings(found)
    assert (shown["redact"], shown["store"]["retention"], shown["collect"]["every"]) == (False, "7d", "5m")
    assert shown["store"]["classes"][0]["name"] == "errors"
    assert shown["collect"]["max_staleness"] == "10s"
    assert [token["token"] for token in shown["server"]["tokens"]] == ["***", "***"]
    assert shown["sources"]["relay"]["token"] == shown["search"]["embeddings_key"] == "***"
    assert shown["sources"]["relay"]["url"] == "https://relay.example.org/logs/fetch"
    assert shown["stages"][0]["rename"] == {"lvl": "log_level"}


@pytest.mark.parametrize(
    ("place", "origin"),
    [
        ("redact", "logpith.toml:2"),
        ("store.retention", "logpith.toml:5"),
        ("store.classes[0].query", "logpith.toml:7"),
        ("search.embeddings_key", "logpith.toml:13, $KEY"),
        ("server.tokens[0].token", "logpith.toml:17"),
        ("server.tokens[1].token", "LOGPITH_TOKEN"),
        ("sources.cloud.argv[2]", "logpith.toml:27, $ACCOUNT"),
        ("sources.relay.service", "default"),
        ("stages[0].rename.lvl", "logpith.toml:31"),
        ("collect.every", "LOGPITH_COLLECT_EVERY"),
        ("collect.max_staleness", "default"),
        ("quality.strict", "default"),
        ("store.folder", "LOGPITH_DATA_DIR"),
    ],
)
def test_where_a_setting_was_said_is_told_to_the_line(folder, place, origin):
    origins = find_origins(found_in(folder), {})

    assert origin_of(place, origins) == origin


def test_in_a_pyproject_the_lines_are_those_of_the_file(folder):
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "shop"\n\n[tool.logpith.store]\nretention = "7d"\n'
    )

    found = find_settings(None, environment={}, folder=folder)

    assert find_origins(found, {})["store.retention"] == "pyproject.toml:5"


def test_what_is_shown_means_the_same_when_it_is_read_again(folder, show):
    (folder / "logpith.toml").write_text(
        '[store]\nretention = "7d"\n[sources.app]\ntype = "file"\npaths = ["a.log"]\n'
    )
    once = show()

    (folder / "logpith.toml").write_text(once)

    assert show() == once


def test_an_option_is_told_as_the_place_of_what_it_sets(folder, show):
    out = show("--sources", "--data-dir", "elsewhere")

    assert f'folder = "{folder}/elsewhere/store"  # --data-dir' in out


def test_programs_get_it_as_json(folder, show):
    (folder / "logpith.toml").write_text('[store]\nretention = "7d"\n')

    told = json.loads(show("--format", "json", "--sources"))

    assert told["file"] == str(folder / "logpith.toml")
    assert told["settings"]["store"]["retention"] == "7d"
    assert told["sources"]["store.retention"] == "logpith.toml:2"
    assert "sources" not in json.loads(show("--json"))


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["config"], "logpith config --help tells more"),
        (["config", "shwo"], "logpith config wants one of: show"),
        (["config", "show", "--format", "yaml"], "Write --format toml or --format json"),
    ],
)
def test_what_is_typed_wrong_is_told_with_what_to_type(capsys, words, remedy):
    assert cli.main(words) == 2
    assert remedy in capsys.readouterr().err


def test_a_variable_that_sets_nothing_is_told_beside_what_is_shown(show, capsys, monkeypatch):
    monkeypatch.setenv("LOGPITH_STORE_RETENTOIN", "7d")

    assert cli.main(["config", "show"]) == 0

    assert "LOGPITH_STORE_RETENTOIN sets nothing. Did you mean" in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["", "LOGPITH_"])
def test_what_variables_say_of_servers_that_log_is_shown_below(show, monkeypatch, capsys, prefix):
    monkeypatch.setenv(f"{prefix}CONVEX_API_KEY", "hunter2")
    monkeypatch.setenv(f"{prefix}KAFKA_TOPIC", "calls")
    monkeypatch.setenv("LOGPITH_EMIT_LEVEL", "info")
    for of_tests in ("LOGPITH_REQUIRE_SERVICES", "LOGPITH_TEST_TOOLS", "LOGPITH_TEST_SERVICES"):
        monkeypatch.delenv(of_tests, raising=False)

    text = show("--sources")
    told = json.loads(show("--sources", "--json"))

    assert f'# convex_api_key = "***"  # {prefix}CONVEX_API_KEY\n' in text
    assert f'# kafka_topic = "calls"  # {prefix}KAFKA_TOPIC\n' in text
    assert told["servers"]["kafka_topic"] == {"value": "calls", "source": f"{prefix}KAFKA_TOPIC"}
    assert "hunter2" not in f"{text}{told}"
    assert "kafka_topic" not in show()
    assert tomllib.loads(text)
    cli.main(["config", "show"])
    assert capsys.readouterr().err == ""


def test_a_wrong_variable_of_a_server_stops_nothing(show, monkeypatch, capsys):
    monkeypatch.setenv("LOG_RETRY_ATTEMPTS", "two")

    assert cli.main(["config", "show", "--sources"]) == 0

    told = capsys.readouterr()
    assert "LOG_RETRY_ATTEMPTS" in told.err
    assert tomllib.loads(told.out)
