"""The check of sources finds what sources do wrong."""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pytest

from logpith.batch import make_batch
from logpith.sources import Delivery, Source
from logpith.testing.sources import Place, check_source

NOW = 1_795_000_000_000_000_000
LINES = [b"%d" % number for number in range(6)]


@dataclass(frozen=True, kw_only=True)
class ListSource(Source):
    """A source of a list, two records a delivery, with one fault or none."""

    log: tuple = ()
    fault: str = ""

    @contextmanager
    def open(self, name, position):
        yield LiveList(self, name, json.loads(position or "0"))


class LiveList:
    def __init__(self, source, name, place):
        self.source, self.name, self.place = source, name, place

    def poll(self, now_ns, *, at_once=False):
        log, fault = self.source.log, self.source.fault
        while self.place < len(log):
            lines = list(log[self.place : self.place + 2])
            self.place += len(lines)
            told = self.place
            if fault == "position ahead":
                told += 1
            if fault == "position behind":
                told -= 1
            if fault == "loses" and b"3" in lines:
                lines.remove(b"3")
            if fault == "doubles" and b"3" in lines:
                lines.append(b"3")
            batch = make_batch(
                lines,
                observed_ns=now_ns + (fault == "other time"),
                source="" if fault == "no source" else self.name,
            )
            if fault == "other columns":
                batch = batch.select(["line"])
            yield Delivery(batch=batch, position=json.dumps(told))
        if fault == "never ends":
            self.place = 0


@dataclass(frozen=True, kw_only=True)
class ToldSource(ListSource):
    """The same, as a source that others send to: what it has given is nowhere else."""

    listens: ClassVar[bool] = True

    @contextmanager
    def open(self, name, position):
        yield LiveTold(self, name)


class LiveTold:
    def __init__(self, source, name):
        self.source, self.name = source, name
        self.pending = None

    def poll(self, now_ns, *, at_once=False):
        while self.source.log or self.pending:
            if self.pending is None:
                self.pending = self.source.log[:2]
                del self.source.log[:2]
            lines = list(self.pending)
            if self.source.fault == "forgets":
                self.pending = None
            yield Delivery(batch=make_batch(lines, observed_ns=now_ns, source=self.name), position="")
            self.pending = None


def told_place(fault):
    log = []
    steps = [lambda line=line: log.append(line) for line in LINES]
    return Place(source=ToldSource(log=log, fault=fault), steps=steps)


def test_of_a_source_that_listens_only_what_was_given_at_the_kill_is_lost():
    check_source(lambda: told_place(""), LINES, now_ns=NOW)


def test_a_source_that_listens_and_forgets_what_could_not_be_stored_is_found():
    with pytest.raises(AssertionError, match="when each delivery fails once, it stores 0 records"):
        check_source(lambda: told_place("forgets"), LINES, now_ns=NOW)


def place(fault):
    log = []
    steps = [lambda: log.extend(LINES[:3]), lambda: log.extend(LINES[3:])]
    return lambda: (log.clear(), Place(source=ListSource(log=log, fault=fault), steps=steps))[1]


def test_a_source_that_keeps_its_promises_passes():
    check_source(place(""), LINES, now_ns=NOW)


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("position ahead", "killed after delivery 0 was stored"),
        ("position behind", "killed after delivery 0 was stored"),
        ("loses", "an undisturbed run stores 5 records"),
        ("doubles", "an undisturbed run stores 7 records"),
        ("other time", "records were observed at"),
        ("no source", "does not tell its source"),
        ("other columns", "has the columns"),
        ("never ends", "still gives something new"),
    ],
)
def test_each_broken_promise_is_found(fault, found):
    with pytest.raises(AssertionError, match=found):
        check_source(place(fault), LINES, now_ns=NOW)
