"""A server that ships, too: what programs have spooled comes to the store and to their destinations."""

import json

import pytest

from logpith.server.shipping import shippers_of, shipping
from logpith_emit.emitter import EmitSettings, Emitter
from logpith_emit.errors import BadArgument, NotFound
from logpith_emit.logger import Logger


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def test_what_programs_say_while_it_runs_comes_to_the_destinations(tmp_path):
    file, told = tmp_path / "emit.toml", []
    file.write_text(f"[destinations.file]\ntype = 'file'\npath = '{tmp_path / 'out.ndjson'}'\n")

    with shipping(shippers_of(file, told.append), told.append):
        emitter = Emitter(EmitSettings(service="shop"))
        Logger("", {}, emitter).info("said")
        emitter.close()

    (line,) = (tmp_path / "out.ndjson").read_bytes().splitlines()
    assert json.loads(line)["message"] == "said"
    assert told == ["what programs have spooled goes to file, too"]


def test_wrong_settings_are_told_at_the_start(tmp_path):
    file = tmp_path / "emit.toml"
    with pytest.raises(NotFound, match=r"emit\.toml"):
        shippers_of(file, print)
    file.write_text("level = 'info'\n")
    with pytest.raises(BadArgument, match="name no destinations"):
        shippers_of(file, print)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("overflow = 'spill'\n[destinations.a]\ntype = 'memory'\n", "a spill_folder go together"),
        ("[destinations.'no name']\ntype = 'memory'\n", "'no name' is no name"),
    ],
)
def test_what_no_spool_could_be_shipped_by_is_told_at_the_start_too(tmp_path, text, problem):
    file = tmp_path / "emit.toml"
    file.write_text(text)
    with pytest.raises(BadArgument, match=problem):
        shippers_of(file, print)
