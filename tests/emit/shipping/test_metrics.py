"""How destinations are doing is told as Prometheus reads it."""

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from delivering import NAME, SOON_S, delivering
from logpith_emit.command import main
from logpith_emit.destinations import ALL_WRITTEN, Destination
from logpith_emit.errors import Refused
from logpith_emit.prometheus import to_prometheus
from logpith_emit.shipping import Status, status_of
from logpith_emit.shipping.metrics import families_of
from logpith_emit.shipping.shipped import Shipped, save_shipped
from logpith_emit.spool import Spool

LINE = re.compile(r'logpith_emit_destination_[a-z_]+\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+\} -?[0-9.e+-]+')


def numbers(text):
    """Name and labels of each sample → its number."""
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(map(LINE.fullmatch, samples)), samples
    assert len(samples) == len({line.rsplit(" ", 1)[0] for line in samples})
    return {
        name.removeprefix("logpith_emit_destination_"): float(value)
        for name, value in (line.rsplit(" ", 1) for line in samples)
    }


@dataclass(frozen=True, kw_only=True)
class Choosy(Destination):
    """Refuses one record, and hangs at another until it may go on."""

    type: ClassVar[str] = "choosy"

    hangs: threading.Event
    may_go_on: threading.Event
    batch_records: int = 1

    @contextmanager
    def open(self):
        yield self

    def write(self, records):
        if records[0].fields["message"] == "record 2":
            raise Refused("odd", remedy="mend it")
        if records[0].fields["message"] == "record 3":
            self.hangs.set()
            self.may_go_on.wait(SOON_S)
        return ALL_WRITTEN


def test_the_command_tells_the_numbers_of_each_destination_while_it_delivers(tmp_path, capsys):
    choosy = Choosy(hangs=threading.Event(), may_go_on=threading.Event(), loggers=("!nobody",))
    folder = tmp_path / "shop"

    def told():
        assert main(["status", "--metrics", "--folder", str(folder)]) == 0
        return numbers(capsys.readouterr().out)

    with delivering(folder, choosy) as one:
        one.say(5)
        assert choosy.hangs.wait(SOON_S)
        of = f'{{destination="{NAME}",spool="shop"}}'
        during = told()
        choosy.may_go_on.set()
        one.wait()
        after = told()

    assert (during["waiting_records" + of], during["in_flight_records" + of]) == (3, 1)
    assert (during["sent_records_total" + of], during["refused_records_total" + of]) == (1, 1)
    assert during["waiting_bytes" + of] > 0
    assert during["oldest_age_seconds" + of] > 0
    assert (after["waiting_records" + of], after["in_flight_records" + of]) == (0, 0)
    assert (after["sent_records_total" + of], after["oldest_age_seconds" + of]) == (4, 0)
    assert after["sent_bytes_total" + of] > 4 * len('{"message":"record 1"}')
    assert after[f'state{{destination="{NAME}",spool="shop",state="delivering"}}'] == 1


def test_what_was_dropped_is_told_by_reason_and_spools_of_one_name_by_their_folders(tmp_path):
    shipped = Shipped(type="memory", sent=3, retried=2, state="dead", last_sent_ns=1_500_000_000)
    shipped.dropped.update({"too_old": 4, 'odd "one"': 1})
    spools = [Spool(folder=tmp_path / base / "shop") for base in ("a", "b")]
    found = [
        (spool, Status(name="d", shipped=shipped, waiting=0, waiting_bytes=0, oldest_ns=0))
        for spool in [*spools, Spool(folder=tmp_path / "desk")]
    ]

    told = numbers(to_prometheus(families_of(found, 2_000_000_000)))

    of = 'destination="d",'
    assert told[f'dropped_records_total{{{of}reason="too_old",spool="desk"}}'] == 4
    assert told[f'dropped_records_total{{{of}reason="odd \\"one\\"",spool="desk"}}'] == 1
    assert told[f'retried_records_total{{{of}spool="{spools[0].folder}"}}'] == 2
    assert told[f'last_sent_timestamp_seconds{{{of}spool="{spools[1].folder}"}}'] == 1.5
    assert told[f'state{{{of}spool="desk",state="dead"}}'] == 1


def test_of_one_that_was_killed_nothing_is_in_flight(tmp_path):
    spool = Spool(folder=tmp_path / "shop")
    spool.wait_for("d")
    save_shipped(spool, "d", Shipped(type="memory", in_flight=3, state="delivering"))

    (status,) = status_of(spool)

    assert (status.shipped.in_flight, status.shipped.state) == (0, "ended")
