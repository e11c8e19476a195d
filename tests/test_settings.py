from pathlib import Path

import pytest

from logpith.settings import Settings, find_settings, parse_size
from logpith.timerange import NS_PER_D, NS_PER_MIN
from logpith_emit.errors import BadArgument, NotFound


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """No settings of whoever runs the tests."""
    monkeypatch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def found(tmp_path):
    """found(text, …): the settings of a logpith.toml."""
    folder = tmp_path / "here"
    folder.mkdir()

    def find(text=None, named=None, **environment):
        if text is not None:
            (folder / "logpith.toml").write_text(text, encoding="utf-8")
        return find_settings(named, environment=environment, folder=folder)

    find.folder = folder
    return find


def test_no_settings_at_all_is_a_good_setting(found, tmp_path):
    nothing = found()

    assert nothing.path is None
    assert nothing.settings == Settings()
    assert nothing.settings.store.folder == tmp_path / "data" / "store"
    assert nothing.settings.server.address == ("127.0.0.1", 8850)
    assert nothing.settings.store.retention_ns == 30 * NS_PER_D
    assert nothing.settings.collect.every_ns == NS_PER_MIN
    assert nothing.settings.redact


def test_everything_can_be_said(found):
    settings = found(
        """
        [store]
        folder = "data"
        retention = "7d"
        most_bytes = "50GB"
        least_free = "10%"
        [[store.classes]]
        name = "errors"
        query = "level>=error"
        retention = "90d"

        [sources.web]
        type = "file"
        paths = ["/var/log/web.log"]
        attributes = { "host.name" = "web-1" }

        [groups]
        raindrop = ["gateway", "auth"]

        [[stages]]
        type = "map"
        rename = { lvl = "log_level" }

        [server]
        listen = "[::1]:9000"
        [[server.tokens]]
        name = "ci"
        token = "${CI_TOKEN}"
        roles = ["log_writer"]
        services = ["raindrop"]

        [quality]
        required_fields = ["timestamp", "call_id"]
        """,
        CI_TOKEN="a secret of the tests",
    ).settings

    assert settings.store.folder == found.folder / "data"
    assert settings.store.classes[0].retention_ns == 90 * NS_PER_D
    assert settings.store.limit_bytes == 50 * 10**9
    assert settings.store.free_bytes(1000) == 100
    assert settings.sources["web"]["attributes"] == {"host.name": "web-1"}
    assert settings.stages[0]["rename"] == {"lvl": "log_level"}
    assert settings.server.address == ("::1", 9000)
    assert settings.server.tokens[0].token.reveal() == "a secret of the tests"
    assert "a secret" not in repr(settings)
    assert settings.quality.required_fields == ("timestamp", "call_id")
    assert settings.services_of(["raindrop", "web", "auth"]) == ("gateway", "auth", "web")


def test_the_first_file_that_is_there_is_read(found, tmp_path):
    for_user = tmp_path / "config" / "config.toml"
    for_user.parent.mkdir()
    project, here = found.folder / "pyproject.toml", found.folder / "logpith.toml"
    other = found.folder / "other.toml"
    for path, days in ((for_user, 1), (here, 3), (other, 4)):
        path.write_text(f'store.retention = "{days}d"')
    project.write_text('[tool.logpith]\nstore.retention = "2d"')

    def days(**given):
        return found(**given).settings.store.retention

    assert days(named="other.toml", LOGPITH_CONFIG=str(here)) == "4d"
    assert days(LOGPITH_CONFIG="other.toml") == "4d"
    assert days() == "3d"
    here.unlink()
    assert days() == "2d"
    project.write_text('[tool.somebody]\nstore.retention = "2d"')
    assert days() == "1d"
    for_user.unlink()
    assert days() == "30d"


def test_the_environment_outranks_the_file_and_origins_tell_which(found):
    settings = found(
        'store.retention = "7d"\nstore.folder = "x"',
        LOGPITH_STORE_RETENTION="9d",
        LOGPITH_DATA_DIR="/var/lib/logpith",
        LOGPITH_TOKEN="a token of the tests",
    )

    assert settings.settings.store.retention == "9d"
    assert settings.origins["store.retention"] == "LOGPITH_STORE_RETENTION"
    assert settings.settings.store.folder == Path("/var/lib/logpith/store")
    assert settings.origins["store.folder"] == "LOGPITH_DATA_DIR"
    (master,) = settings.settings.server.tokens
    assert (master.roles, master.token.reveal()) == (("log_admin",), "a token of the tests")
    assert settings.warnings == ()


def test_a_variable_that_sets_nothing_is_told_with_the_nearest(found):
    assert found(LOGPITH_STORE_RETENTON="1d").warnings == (
        "LOGPITH_STORE_RETENTON sets nothing. Did you mean 'LOGPITH_STORE_RETENTION'?",
    )


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[stroe]", "no setting named 'stroe'. Did you mean 'store'"),
        ('[store]\nretenton = "1d"', "store: no setting named 'retenton'. Did you mean 'retention'"),
        ('[store]\nretention = "soon"', "store: retention: 'soon' is no span of time"),
        ('[store]\nmost_bytes = "much"', "is no size"),
        ('[store]\nleast_free = "much"', "is no size"),
        ('[server]\nlisten = "8850"', "is no address"),
        ('[server]\nlisten = "x:99999"', "is no address"),
        ('[[server.tokens]]\nname = "a"\ntoken = "${NOT_THERE}"', "NOT_THERE is not set"),
        ('[[server.tokens]]\nname = "a"\ntoken = "b"\nroles = ["log_raeder"]', "log_reader"),
        (
            '[[server.tokens]]\nname="a"\ntoken="b"\n[[server.tokens]]\nname="a"\ntoken="c"',
            "two are named 'a'",
        ),
        ("[groups]\nraindrop = []", "names no service"),
        ("[quality]\nmost_line_bytes = ''", "is no size"),
        ("nonsense", "is no TOML"),
    ],
)
def test_a_mistake_is_refused_with_its_place_and_what_to_do(found, text, match):
    with pytest.raises(BadArgument, match=match):
        found(text)


def test_a_file_that_was_named_must_be_there(found):
    with pytest.raises(NotFound, match="--config"):
        found(named="gone.toml")
    with pytest.raises(NotFound, match="LOGPITH_CONFIG"):
        found(LOGPITH_CONFIG="gone.toml")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 1 << 20),
        ("1MiB", 1 << 20),
        ("1.5k", 1500),
        ("2 GB", 2 * 10**9),
        ("1t", 10**12),
        ("x", None),
    ],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_size(text) == size
