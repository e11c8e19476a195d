"""All spools of a user: which there are, what is told of them, and that each comes to the destinations."""

import json

import pytest

from logpith_emit import spools
from logpith_emit.clock import ManualClock
from logpith_emit.emitter import EmitSettings, Emitter
from logpith_emit.errors import BadArgument
from logpith_emit.logger import Logger
from logpith_emit.spools import Shippers, Warnings, spools_of

SOON_S = 60
"""A deadline, not a wait."""


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_EMIT_FOLDER", str(tmp_path / "emit"))


def say(service, *messages):
    emitter = Emitter(EmitSettings(service=service))
    for message in messages:
        Logger("", {}, emitter).info(message)
    emitter.close()


def to_file(path, **more):
    destinations = {"file": {"type": "file", "path": str(path)}}
    return EmitSettings(destinations=destinations, drain_s=SOON_S, **more)


def messages(path):
    return sorted(json.loads(line)["message"] for line in path.read_bytes().splitlines())


def test_the_spools_of_all_services_of_one_or_of_a_folder(tmp_path):
    say("shop", "x")
    say("a/b", "y")

    assert [spool.folder.name for spool in spools_of(EmitSettings())] == ["a%2Fb", "shop"]
    assert [spool.folder.name for spool in spools_of(EmitSettings(service="a/b"))] == ["a%2Fb"]
    assert [spool.folder for spool in spools_of(EmitSettings(folder=tmp_path / "other"))] == [
        tmp_path / "other"
    ]


def test_what_is_there_and_what_comes_goes_to_the_destinations(tmp_path):
    say("shop", "one")
    shippers = Shippers(to_file(tmp_path / "out.ndjson"), warn=print)
    shippers.look()
    say("till", "two")
    shippers.look()

    assert shippers.names == ("file",)
    assert shippers.close()
    assert messages(tmp_path / "out.ndjson") == ["one", "two"]


def test_other_settings_count_from_then_on_and_wrong_ones_change_nothing(tmp_path):
    shippers = Shippers(to_file(tmp_path / "old.ndjson"), warn=print)
    with pytest.raises(BadArgument, match="name no destinations"):
        shippers.use(EmitSettings())
    with pytest.raises(BadArgument, match="a spill_folder go together"):
        shippers.use(to_file(tmp_path / "new.ndjson", overflow="spill"))
    say("shop", "one")
    shippers.look()
    shippers.use(to_file(tmp_path / "new.ndjson"))
    say("shop", "two")

    assert shippers.close()
    assert "one" in messages(tmp_path / "old.ndjson")
    assert messages(tmp_path / "new.ndjson")[-1] == "two"


def test_the_same_problem_is_told_once_a_minute(monkeypatch):
    clock, told = ManualClock(), []
    monkeypatch.setattr(spools, "SYSTEM_CLOCK", clock)
    warn = Warnings(told.append)

    for problem in ("away", "away", "slow"):
        warn(problem, "See to it")
    clock.advance(59_000_000_000)
    warn("away", "See to it")
    assert len(told) == 2

    clock.advance(1_000_000_000)
    warn("away", "See to it")
    assert told[2:] == ["away. See to it"]


def test_problems_that_never_come_again_take_no_memory():
    told = []
    warn = Warnings(told.append)
    for number in range(2_500):
        warn(f"record {number} was refused", "See to it")

    assert len(told) == 2_500
    assert len(warn._told_ns) <= 1_000
