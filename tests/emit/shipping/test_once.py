"""Shipping once ends when all is delivered, or as soon as nobody takes anything; and it says what it waits for."""

import re
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pytest

from logpith_emit.clock import ManualClock
from logpith_emit.command import main
from logpith_emit.destinations import ALL_WRITTEN, Destination, Written
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.errors import Unavailable
from logpith_emit.shipping import Shipper, once, status_of
from logpith_emit.shipping.once import ship_once
from logpith_emit.spool import Spool
from logpith_emit.testing import numbered
from web_stand_in import reply, web_server

NEVER_S = 3_600.0


@dataclass(frozen=True, kw_only=True)
class Asked(Destination):
    """Writes what it gets by what it is told."""

    type: ClassVar[str] = "asked"

    write: Callable

    @contextmanager
    def open(self):
        yield self


def away(_records):
    raise Unavailable("nobody is there", remedy="See to it")


QUICK = {"first_retry_s": 0.001, "most_retry_s": 0.002, "max_age_s": 0}


@pytest.fixture
def spools(tmp_path):
    """Two spools, of 30 records each."""
    both = [Spool(folder=tmp_path / name) for name in ("shop", "desk")]
    for spool in both:
        with spool.open() as writer:
            for record in numbered(30):
                writer.append(record.text, 1)
    return both


def ship(spools, *, wait_s=0.2, timeout_s=NEVER_S, **destinations):
    """What is said, and how many records wait afterwards by destination."""
    said, warned = [], []
    ship_once(
        spools,
        destinations,
        timeout_s=timeout_s,
        wait_s=wait_s,
        warn=lambda problem, _: warned.append(problem),
        say=said.append,
    )
    waiting = {}
    for status in (status for spool in spools for status in status_of(spool)):
        waiting[status.name] = waiting.get(status.name, 0) + status.waiting
    return said, waiting


def test_what_is_taken_goes_and_nothing_is_said(spools):
    memory = MemoryDestination(max_age_s=0)

    said, waiting = ship(spools, wait_s=NEVER_S, near=memory)

    assert said == []
    assert waiting == {"near": 0}
    assert len(memory.records) == 60


def test_who_is_not_there_is_given_up_and_all_else_goes(spools):
    memory = MemoryDestination(max_age_s=0)

    said, waiting = ship(spools, near=memory, far=Asked(write=away, **QUICK))

    assert waiting == {"near": 0, "far": 60}
    assert len(memory.records) == 60
    assert re.fullmatch(
        r"far failed \d+ times?, and is tried again (now|in \d+\.\d s); 60 records wait", said[0]
    )
    assert said[-1].startswith("far is given up: 60 records wait, ")


def test_when_the_time_is_up_it_ends(spools):
    said, waiting = ship(spools, wait_s=NEVER_S, timeout_s=0.2, far=Asked(write=away, **QUICK))

    assert waiting == {"far": 60}
    assert said[-1].startswith("the 0.2 s of --timeout are over for far: 60 records wait, ")


def test_who_comes_back_in_time_gets_all(spools):
    tried = []

    def write(records):
        tried.append(len(records))
        if len(tried) < 10:
            away(records)
        return ALL_WRITTEN

    _, waiting = ship(spools, wait_s=NEVER_S, far=Asked(write=write, **QUICK))

    assert waiting == {"far": 0}


def test_who_takes_a_part_each_time_is_not_given_up(spools, monkeypatch):
    clock, looked = ManualClock(), threading.Event()
    look = once._Left.look

    def seen(left):
        look(left)
        looked.set()

    def takes_one(records):
        looked.clear()
        assert looked.wait(60)
        clock.advance(10_000_000_000)
        return Written(again=frozenset(record.id for record in records[1:]))

    monkeypatch.setattr(once, "SYSTEM_CLOCK", clock)
    monkeypatch.setattr(once._Left, "look", seen)
    _, waiting = ship(spools[:1], wait_s=60.0, far=Asked(write=takes_one, **QUICK))

    assert waiting == {"far": 0}


def test_what_another_process_delivers_is_waited_for(spools):
    memory = MemoryDestination(max_age_s=0)
    others = [Shipper(spool, {"near": memory}, warn=print) for spool in spools]
    for other in others:
        other.start()
        assert other.flush(60)

    said, waiting = ship(spools, wait_s=NEVER_S, near=memory)

    assert (said, waiting) == ([], {"near": 0})
    for other in others:
        other.close(0)


def test_what_another_process_has_delivered_may_be_taken_over_after_that(spools, monkeypatch):
    brought, taken_over = threading.Event(), threading.Event()
    spool = spools[0]
    for name in ("near", "far"):
        spool.wait_for(name)
    other = Shipper(spool, {"near": MemoryDestination(max_age_s=0)}, warn=print)
    other.start()
    assert other.flush(60)
    look = once._Left.look

    def seen(left):
        look(left)
        if left.is_brought_by_others:
            brought.set()

    class Ours(Asked):
        def open(self):
            taken_over.set()
            return super().open()

    def write(records):
        if not taken_over.is_set() and brought.wait(60):
            other.close(60)
            assert taken_over.wait(60)
        away(records)

    monkeypatch.setattr(once._Left, "look", seen)
    near = Ours(write=lambda _: ALL_WRITTEN, **QUICK)
    _, waiting = ship([spool], wait_s=1.0, near=near, far=Asked(write=write, **QUICK))

    assert waiting == {"near": 0, "far": 30}


def test_the_command_tells_what_it_waits_for_and_fails(tmp_path, spools, capsys):
    settings = tmp_path / "emit.toml"
    settings.write_text('[destinations.far]\ntype = "http"\nurl = "http://127.0.0.1:9/x"\nmax_age_s = 0\n')

    code = main(
        ["ship", "--once", "--wait", "0.2", "--settings", str(settings), "--folder", str(spools[0].folder)]
    )

    told = capsys.readouterr()
    assert code == 1
    assert "logpith-emit: far: http://127.0.0.1:9/x cannot be reached: " in told.err
    assert "logpith-emit: far is given up: 30 records wait, " in told.err
    assert "30 waiting" in told.out


def test_the_command_fails_once_where_records_are_refused(tmp_path, spools):
    settings = tmp_path / "emit.toml"
    with web_server(lambda handler, _: reply(handler, b"", 400)) as url:
        settings.write_text(f'[destinations.far]\ntype = "http"\nurl = "{url}"\nmax_age_s = 0\n')
        words = ["ship", "--once", "--settings", str(settings), "--folder", str(spools[0].folder)]

        assert [main(words), main(words)] == [1, 0]


@pytest.mark.parametrize("option", ["--timeout", "--wait"])
@pytest.mark.parametrize("seconds", ["nan", "-5", "soon"])
def test_a_time_that_is_none_is_refused(option, seconds, capsys):
    with pytest.raises(SystemExit):
        main(["ship", "--once", f"{option}={seconds}"])

    assert f"argument {option}: '{seconds}' is no number of seconds" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["inf", "1e12"])
def test_a_time_without_end_may_be_waited(tmp_path, spools, seconds):
    settings = tmp_path / "emit.toml"
    settings.write_text(f"[destinations.near]\ntype = 'file'\npath = '{tmp_path / 'out'}'\nmax_age_s = 0\n")

    words = ["--timeout", seconds, "--settings", str(settings), "--folder", str(spools[0].folder)]
    assert main(["ship", "--once", *words]) == 0
