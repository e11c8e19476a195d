"""Settings for a copy: the same ones, and no secret among them."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.settings import find_settings
from logpith.settings_copy import copy_settings, spell_toml

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
SCALARS = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.datetimes().map(lambda one: one.replace(microsecond=0)),
    st.dates(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_a_table_written_as_toml_and_read_again_is_the_same(table):
    assert tomllib.loads(spell_toml(table)) == table


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path / "own"))
    monkeypatch.delenv("LOGPITH_FORMATS", raising=False)
    return tmp_path / "logpith.toml"


FULL = """
# the old token was tok_comment_0123456789abcdef
redact = true

[store]
folder = "store"
retention = "30d"
classes = [{ name = "errors", query = "level>=error", retention = "90d" }]

[search]
embeddings_url = "https://user:s3cr3t-in-url@embed.example.org/v1"
embeddings_key = "key_0123456789abcdef"

[[server.tokens]]
name = "shipper"
token = "tok_0123456789abcdef"
roles = ["log_writer"]

[[server.tokens]]
name = "reader"
token = "${READER_TOKEN}"

[sources.app]
type = "file"
paths = ["/var/log/app/*.log"]
attributes = ["deployment.environment=production"]

[sources.cloud]
type = "command"
argv = ["fetch-logs", "--header", "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlMTIzNDU2"]

[groups]
raindrop = ["gateway", "auth"]
"""

SECRETS = (
    "tok_comment",
    "s3cr3t-in-url",
    "key_0123456789abcdef",
    "tok_0123456789abcdef",
    "c2lnbmF0dXJlMTIzNDU2",
)


def test_no_secret_goes_along_and_everything_else_does(path):
    path.write_text(FULL)

    copied = copy_settings(path)

    text = copied.files["logpith.toml"]
    assert not any(secret in text for secret in SECRETS)
    assert copied.left_out == (
        "search.embeddings_url",
        "search.embeddings_key",
        "server.tokens[0].token",
        "sources.cloud.argv[2]",
    )
    before, after = tomllib.loads(FULL), tomllib.loads(text)
    assert after["server"]["tokens"][0]["token"] == "${SERVER_TOKENS_0_TOKEN}"
    assert after["server"]["tokens"][1] == before["server"]["tokens"][1]
    assert (after["store"], after["groups"]) == (before["store"], before["groups"])
    assert after["sources"]["app"] == before["sources"]["app"]


def test_restored_settings_are_the_ones_that_were_copied_once_their_secrets_are_told(path, tmp_path):
    path.write_text(FULL)
    names = {
        "SEARCH_EMBEDDINGS_URL": "https://user:s3cr3t-in-url@embed.example.org/v1",
        "SEARCH_EMBEDDINGS_KEY": "key_0123456789abcdef",
        "SERVER_TOKENS_0_TOKEN": "tok_0123456789abcdef",
        "SOURCES_CLOUD_ARGV_2": tomllib.loads(FULL)["sources"]["cloud"]["argv"][2],
        "READER_TOKEN": "reader-0123456789abcdef",
    }
    before = find_settings(None, environment=names, folder=tmp_path).settings

    path.write_text(copy_settings(path).files["logpith.toml"])

    assert find_settings(None, environment=names, folder=tmp_path).settings == before


def test_own_formats_go_along_and_a_pyproject_gives_what_is_ours(path, tmp_path):
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "shop"\n\n[tool.logpith.store]\nretention = "7d"\n')
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "formats.toml").write_text('[[format]]\nname = "own"\nregex = "(?P<message>.*)"\n')

    copied = copy_settings(project)

    assert tomllib.loads(copied.files["logpith.toml"]) == {"store": {"retention": "7d"}}
    assert "own" in copied.files["formats.toml"]


def test_without_a_file_of_settings_there_is_nothing_to_copy(path):
    assert copy_settings(None).files == {}
