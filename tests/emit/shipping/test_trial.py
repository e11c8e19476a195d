"""A trial tells whether a destination takes a record, and else why not, whatever it raises."""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pytest

from logpith_emit.clock import ManualClock
from logpith_emit.command import main
from logpith_emit.destinations import Destination, Wanted, Written
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.destinations.sqlite import SQLiteDestination
from logpith_emit.errors import Refused, Unavailable
from logpith_emit.shipping.trial import Trial, try_out

PASSWORD = "hunter2hunter2"


@dataclass(frozen=True, kw_only=True)
class Answering(Destination):
    """Answers with what it has, or raises it."""

    type: ClassVar[str] = "answering"

    answer: object

    @contextmanager
    def open(self):
        yield self

    def write(self, records):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer(records)


def test_a_destination_gets_a_record_even_one_that_it_does_not_want():
    memory = MemoryDestination(level="fatal", tags=("audit",))

    assert try_out(memory, ManualClock()) == Trial()

    (record,) = memory.records.values()
    assert record.fields["message"] == "Whether memory takes records was tried"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Unavailable("down", remedy="wait"), "down"),
        (Refused("no such table", remedy="make it"), "no such table"),
        (ValueError(f"postgresql://app:{PASSWORD}@db/logs"), "ValueError: postgresql://app:"),
        (SystemExit(3), "RuntimeError: SystemExit: 3"),
        (lambda records: Written(refused={records[0].id: "odd"}), "it refuses the record: odd"),
        (lambda records: Written(again=frozenset({records[0].id})), "it does not take the record now"),
        (
            lambda records: Written(
                again=frozenset({records[0].id}), why_again=Unavailable("it is full", remedy="make room")
            ),
            "it is full",
        ),
        (lambda _: None, "AttributeError"),
    ],
)
def test_why_it_does_not_take_one_is_told_without_secrets(answer, problem):
    trial = try_out(Answering(answer=answer), ManualClock())

    assert trial.problem.startswith(problem)
    assert trial.remedy
    assert PASSWORD not in trial.problem


def test_the_command_tries_all_and_tells_which_do_not_take_it(tmp_path, capsys):
    table = tmp_path / "emit.toml"
    good, bad = tmp_path / "logs.db", tmp_path / "none" / "x" / "logs.db"
    bad.parent.parent.write_text("no folder")
    both = "".join(
        f'[destinations.{name}]\ntype = "sqlite"\npath = "{path}"\n'
        for name, path in (("a", good), ("b", bad))
    )
    table.write_text(both)

    assert main(["check", "--settings", str(table)]) == 1

    first, second, remedy = capsys.readouterr().out.splitlines()
    assert first.startswith("a (sqlite)  took a record in ")
    assert second.startswith("b (sqlite)  ")
    assert str(bad) in second
    assert remedy.startswith("    ")
    with SQLiteDestination(path=good).open() as live:
        assert [entry.message for entry in live.query(Wanted())] == ["Whether sqlite takes records was tried"]


def test_where_all_take_it_the_command_ends_with_0(tmp_path, capsys):
    table = tmp_path / "emit.toml"
    table.write_text(f'[destinations.a]\ntype = "file"\npath = "{tmp_path / "out.ndjson"}"\n')

    assert main(["check", "--settings", str(table)]) == 0

    assert capsys.readouterr().out.startswith("a (file)  took a record in ")
    assert b"was tried" in (tmp_path / "out.ndjson").read_bytes()
