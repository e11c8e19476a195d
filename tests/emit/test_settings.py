from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith_emit.errors import BadArgument, NotFound
from logpith_emit.secret import Secret
from logpith_emit.settings import load_settings


@dataclass(frozen=True, kw_only=True)
class Server:
    host: str = "127.0.0.1"
    port: int = 7071
    token: Secret | None = None

    def __post_init__(self):
        if self.port > 65_535:
            raise BadArgument(f"there is no port {self.port}", remedy="Ports end at 65535")


@dataclass(frozen=True, kw_only=True)
class Destination:
    path: Path
    password: Secret | None = None
    timeout_s: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    name: str = "logpith"
    enabled: bool = True
    mode: Literal["fast", "safe", 3] = "safe"
    limit: int | None = None
    roots: tuple[str, ...] = ()
    window: tuple[int, int] = (0, 1)
    labels: Mapping[str, str] = field(default_factory=dict)
    server: Server = Server()
    archive: Server | None = None
    destinations: tuple[Destination, ...] = ()


def load(text, environment=(), *more, tmp_path):
    paths = []
    for number, content in enumerate((text, *more)):
        paths.append(tmp_path / f"{number}.toml")
        paths[-1].write_text(content, encoding="utf-8")
    return load_settings(Settings, paths, prefix="LOGPITH", environment=dict(environment))


def test_without_anything_the_defaults_stand():
    loaded = load_settings(Settings, [], prefix="LOGPITH", environment={})

    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}


def test_a_file_fills_fields_tables_and_arrays_of_tables(tmp_path):
    loaded = load(
        """
        name = "x"
        enabled = false
        mode = 3
        limit = 5
        roots = ["a", "b"]
        window = [2, 3]
        labels = { team = "a" }
        server = { port = 80 }
        [[destinations]]
        path = "~/logs.db"
        timeout_s = 2
        """,
        tmp_path=tmp_path,
    )

    assert loaded.settings == Settings(
        name="x",
        enabled=False,
        mode=3,
        limit=5,
        roots=("a", "b"),
        window=(2, 3),
        labels={"team": "a"},
        server=Server(port=80),
        destinations=(Destination(path=Path.home() / "logs.db", timeout_s=2.0),),
    )
    assert loaded.sources["server.port"] == loaded.sources["destinations[0].path"] == "0.toml"
    assert loaded.sources["server.host"] == loaded.sources["destinations[0].password"] == "default"


def test_the_environment_outranks_files_and_earlier_files_outrank_later_ones(tmp_path):
    loaded = load(
        'name = "first"\nserver.port = 1',
        {"LOGPITH_SERVER_PORT": "3"},
        'name = "second"\nlimit = 2\nserver = { port = 2, host = "h" }',
        tmp_path=tmp_path,
    )

    assert loaded.settings == Settings(name="first", limit=2, server=Server(host="h", port=3))
    assert {
        place: loaded.sources[place] for place in ("name", "limit", "server.port", "server.host", "mode")
    } == {
        "name": "0.toml",
        "limit": "1.toml",
        "server.port": "LOGPITH_SERVER_PORT",
        "server.host": "1.toml",
        "mode": "default",
    }


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("LOGPITH_NAME", "5", "name", "5"),
        ("LOGPITH_NAME", "${HOME}", "name", "${HOME}"),
        ("LOGPITH_ENABLED", "No", "enabled", False),
        ("LOGPITH_ENABLED", "1", "enabled", True),
        ("LOGPITH_MODE", "fast", "mode", "fast"),
        ("LOGPITH_MODE", "3", "mode", 3),
        ("LOGPITH_LIMIT", " 7 ", "limit", 7),
        ("LOGPITH_LIMIT", "", "limit", None),
        ("LOGPITH_ROOTS", "a, b,", "roots", ("a", "b")),
        ("LOGPITH_ROOTS", '["a,b", "c"]', "roots", ("a,b", "c")),
        ("LOGPITH_ROOTS", "", "roots", ()),
        ("LOGPITH_WINDOW", "4,5", "window", (4, 5)),
        ("LOGPITH_DESTINATIONS", '[{path="a"}]', "destinations", (Destination(path=Path("a")),)),
        ("LOGPITH_ARCHIVE_PORT", "9", "archive", Server(port=9)),
    ],
)
def test_a_variable_becomes_the_type_of_its_field(variable, text, name, value):
    loaded = load_settings(Settings, [], prefix="LOGPITH", environment={variable: text})

    assert getattr(loaded.settings, name) == value


def test_what_a_table_does_not_say_is_as_in_its_default():
    @dataclass(frozen=True)
    class Outer:
        server: Server = Server(host="special", port=9)

    # A class inside a function cannot be found by its name, which is how annotations are read.
    Outer.__annotations__["server"] = Server

    loaded = load_settings(Outer, [], prefix="X", environment={"X_SERVER_PORT": "10"})

    assert loaded.settings.server == Server(host="special", port=10)


def test_variables_in_a_file_are_filled_in(tmp_path):
    loaded = load(
        """
        name = "a${ONE}b${TWO:-two}$$${THREE:-}"
        limit = "${LIMIT}"
        roots = ["${ONE}", "x"]
        server.token = "${ONE}"
        """,
        {"ONE": "1", "LIMIT": "12"},
        tmp_path=tmp_path,
    )

    assert loaded.settings.name == "a1btwo$"
    assert loaded.settings.limit == 12
    assert loaded.settings.roots == ("1", "x")
    assert loaded.settings.server.token == Secret("1")
    assert loaded.sources["name"] == "0.toml, $ONE, $TWO, $THREE"


MISTAKES = [
    ('[[destinations]]\npth = "x"', "destinations[0]: no setting named 'pth'. Did you mean 'path'?"),
    ('nme = "x"', "0.toml: no setting named 'nme'. Did you mean 'name'?"),
    ("[server]\nzebra = 1", "server: no setting named 'zebra'. There are: host, port, token"),
    ("[[destinations]]\ntimeout_s = 1", "destinations[0]: 'path' is missing. Give it a path"),
    (
        "[[destinations]]\npath = 'x'\ntimeout_s = inf",
        "destinations[0].timeout_s must be a number, not inf. It stands in 0.toml",
    ),
    (
        "[[destinations]]\npath = '~nobody-of-that-name/x'",
        "destinations[0].path must be a path, not '~nobody-of-that-name/x'. It stands in 0.toml",
    ),
    ('limit = "5"', "limit must be a whole number, not '5'. It stands in 0.toml"),
    ("limit = true", "limit must be a whole number, not True. It stands in 0.toml"),
    ("enabled = 1", "enabled must be true or false, not 1. It stands in 0.toml"),
    ("name = 1", "name must be a text, not 1. It stands in 0.toml"),
    ('mode = "fats"', "mode must be one of 'fast', 'safe', 3, not 'fats'. Did you mean 'fast'?"),
    ("server = 5", "server must be a table, not 5. It stands in 0.toml"),
    ("[name]\nx = 1", "name is a table. Give it a text"),
    ("[destinations]\npath = 1", "destinations is a table. Give it a list"),
    ("[[name]]\nx = 1", "name is an array of tables. Give it a text"),
    ("roots = 'a'", "roots must be a list, not 'a'. It stands in 0.toml"),
    ("roots = ['a', 1]", "roots[1] must be a text, not 1. It stands in 0.toml"),
    (
        "limt = 1\n[server]\nhst = 1",
        "0.toml: no setting named 'limt'. Did you mean 'limit'?\n"
        "server: no setting named 'hst'. Did you mean 'host'?",
    ),
    ("window = [1]", "window must be a list, not [1]. It has 1 item, not 2"),
    ("server.port = 70000", "server: there is no port 70000. Ports end at 65535"),
    (
        'server.token = "${NOPE}"',
        "server.token: the environment variable NOPE is not set. Set it, or write ${NOPE:-default} in 0.toml",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_refused_with_its_place(text, message, tmp_path):
    with pytest.raises(BadArgument) as caught:
        load(text, tmp_path=tmp_path)

    assert str(caught.value) == message


def test_a_mistake_in_the_environment_names_the_variable():
    with pytest.raises(
        BadArgument, match=r"server\.port must be a whole number, not 'http'. It stands in LOGPITH_SE"
    ):
        load_settings(Settings, [], prefix="LOGPITH", environment={"LOGPITH_SERVER_PORT": "http"})


def test_an_error_shows_no_value_that_may_be_a_secret(tmp_path):
    for text in ('limit = "${KEY}"', 'mode = "${KEY}"', 'window = ["${KEY}", "1"]', "server.token = 12345"):
        with pytest.raises(BadArgument) as caught:
            load(text, {"KEY": "12345x"}, tmp_path=tmp_path)

        assert "12345" not in str(caught.value)


def test_a_loaded_secret_is_not_printed(tmp_path):
    loaded = load('server.token = "hunter2"', tmp_path=tmp_path)

    assert "hunter2" not in repr(loaded)
    assert loaded.settings.server.token.reveal() == "hunter2"


def test_a_variable_that_sets_nothing_is_reported_and_not_refused():
    environment = {
        "LOGPITH_SERVER_PROT": "1",
        "LOGPITH_SERVICE_HOST": "10.0.0.1",
        "LOGPITHX": "1",
        "PATH": "x",
    }

    loaded = load_settings(Settings, [], prefix="LOGPITH", environment=environment)

    assert (
        loaded.unknown_variables[0] == "LOGPITH_SERVER_PROT sets nothing. Did you mean 'LOGPITH_SERVER_PORT'?"
    )
    assert len(loaded.unknown_variables) == 2


def test_without_a_prefix_variables_are_named_as_the_fields():
    loaded = load_settings(
        Settings, [], prefix="", environment={"NAME": "x", "SERVER_PORT": "5", "HOME": "y"}
    )

    assert loaded.settings == Settings(name="x", server=Server(port=5))
    assert loaded.unknown_variables == ()


def test_a_pyproject_holds_the_settings_under_its_tool_table(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "other"\n[tool.logpith]\nname = "mine"\n')

    assert load_settings(Settings, [path], prefix="LOGPITH", environment={}).settings.name == "mine"


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFound, match=r"no.toml"):
        load_settings(Settings, [tmp_path / "no.toml"], prefix="X", environment={})


@pytest.mark.parametrize("content", [b"name = ", b"\xff", b"a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_refused(content, tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(content)

    with pytest.raises(BadArgument, match=r"x.toml is no TOML"):
        load_settings(Settings, [path], prefix="X", environment={})


@given(st.text(), st.text())
def test_every_text_of_the_environment_arrives_as_it_is(name, host):
    environment = {"LOGPITH_NAME": name, "LOGPITH_SERVER_HOST": host}

    loaded = load_settings(Settings, [], prefix="LOGPITH", environment=environment)

    assert (loaded.settings.name, loaded.settings.server.host) == (name, host)


def test_tables_of_anything_stay_as_they_stand(tmp_path):
    @dataclass(frozen=True, kw_only=True)
    class Open:
        sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
        stages: tuple[Mapping[str, Any], ...] = ()

    path = tmp_path / "open.toml"
    path.write_text(
        '[sources.web]\ntype = "file"\nkey = "${KEY}"\npaths = ["a"]\nnested = { a.b = [{ c = 1 }], d = 2 }\n'
        '[[stages]]\nrename = { lvl = "log_level" }\n'
    )

    loaded = load_settings(Open, [path], prefix="", environment={"KEY": "k"})

    assert loaded.settings.sources == {
        "web": {"type": "file", "key": "k", "paths": ["a"], "nested": {"a": {"b": ({"c": 1},)}, "d": 2}}
    }
    assert loaded.settings.stages == ({"rename": {"lvl": "log_level"}},)
    assert loaded.sources["sources.web.key"] == "open.toml, $KEY"
