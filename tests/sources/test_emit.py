"""What programs say by logpith-emit comes to the store once, however they and the store end."""

import json

import pytest

from logpith.sources.emit import Destinations, EmitSource
from logpith.testing.sources import Place, check_source
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.emitter import EmitSettings, Emitter
from logpith_emit.logger import Logger
from logpith_emit.spool import Spool

NOW = 1_795_000_000_000_000_000

SOON_S = 60
"""A deadline, not a wait."""


def said(folder, *messages):
    """Appends records to a spool by a process of its own."""
    texts = [json.dumps({"level": "info", "message": message}).encode() for message in messages]
    with Spool(folder=folder, segment_bytes=200).open() as writer:
        for text in texts:
            writer.append(text, 1)
    return texts


def test_it_keeps_its_promises(tmp_path):
    places = []
    names = [("shop", "a"), ("shop", "b"), ("desk", "c")]

    def make_place():
        base = tmp_path / str(len(places))
        places.append(base)
        steps = [
            lambda service=service, name=name: said(base / service, *(name * 3), name)
            for service, name in names
        ]
        return Place(source=EmitSource(folder=str(base)), steps=steps)

    expected = [
        json.dumps({"level": "info", "message": message}).encode()
        for _, name in names
        for message in (*name * 3, name)
    ]
    check_source(make_place, expected, now_ns=NOW)


def test_what_a_program_says_has_its_service_severity_and_time(tmp_path):
    emitter = Emitter(EmitSettings(service="shop", folder=tmp_path / "shop"))
    Logger("shop.pay", {}, emitter).error("quota_exceeded", call_id="CA16")

    with EmitSource(folder=str(tmp_path)).open("emit", None) as live:
        (delivery,) = live.poll(NOW)
    emitter.close()

    (row,) = delivery.batch.to_pylist()
    assert (row["service"], row["severity_number"], row["source"]) == ("shop", 17, "emit")
    assert row["timestamp"] == json.loads(row["line"])["timestamp"]


def test_files_go_once_they_are_stored_and_nobody_else_waits_for_them(tmp_path):
    spool = Spool(folder=tmp_path / "shop", segment_bytes=200)
    said(spool.folder, "one", "two", "three")
    with EmitSource(folder=str(tmp_path)).open("emit", None) as live:
        (delivery,) = live.poll(NOW)
        assert spool.segments() != []
        assert list(live.poll(NOW)) == []

    assert (delivery.batch.num_rows, spool.segments()) == (3, [])


def test_a_spool_that_is_no_folder_of_services_is_read_too(tmp_path):
    said(tmp_path, "one")

    with EmitSource(folder=str(tmp_path)).open("emit", None) as live:
        assert [delivery.batch.num_rows for delivery in live.poll(NOW)] == [1]


def test_where_nobody_has_said_anything_there_is_nothing(tmp_path):
    with EmitSource(folder=str(tmp_path / "none")).open("emit", None) as live:
        assert list(live.poll(NOW)) == []


@pytest.mark.parametrize("place", [30, 100])
def test_what_was_dropped_and_what_is_damaged_is_told_as_lost(tmp_path, place):
    spool = Spool(folder=tmp_path, limit_bytes=4_000, overflow="drop_newest")
    with spool.open() as writer:
        kept = [writer.append(b'{"message":"%d"}' % number, 1) for number in range(200)]
        writer.roll()
    first = spool.segments()[0]
    data = bytearray(first.path.read_bytes())
    data[place] ^= 1
    first.path.write_bytes(data)

    with EmitSource(folder=str(tmp_path)).open("emit", None) as live:
        losses = [delivery.losses for delivery in live.poll(NOW)]

    (lost,) = losses
    assert lost["spool_damaged_bytes"] > 0
    assert lost.get("drop_newest", 0) == kept.count(0)


def test_where_programs_bring_it_by_themselves_is_told_as_numbers(tmp_path):
    memory = MemoryDestination(max_age_s=0)
    settings = EmitSettings(service="shop", folder=tmp_path / "shop", destinations={"near": memory})
    emitter = Emitter(settings)
    Logger("shop", {}, emitter).info("one")
    assert emitter.shipper.flush(SOON_S)
    emitter.close()
    said(tmp_path / "shop", "two", "three")
    destinations = Destinations([EmitSource(folder=str(tmp_path))])

    def numbers():
        return {
            (
                family.name.removeprefix("logpith_emit_destination_"),
                *dict(sample.labels).values(),
            ): sample.value
            for family in destinations.families(NOW)
            for sample in family.samples
        }

    assert numbers()["sent_records_total", "near", "shop"] == 1
    assert numbers()["waiting_records", "near", "shop"] == 2
    said(tmp_path / "shop", "four")
    assert numbers()["waiting_records", "near", "shop"] == 3
    with EmitSource(folder=str(tmp_path)).open("emit", None) as live:
        for _ in range(2):
            list(live.poll(NOW))
    assert numbers()["waiting_records", "logpith", "shop"] == 0
    assert ("sent_records_total", "logpith", "shop") not in numbers(), "which is the store"
    assert Destinations([]).families(NOW) == []


@pytest.mark.parametrize("folder", ["shop", "."])
@pytest.mark.parametrize("was_there", [True, False])
def test_what_a_destination_has_got_first_comes_to_the_store_all_the_same(tmp_path, folder, was_there):
    memory = MemoryDestination()

    def say(message):
        settings = EmitSettings(service="shop", folder=tmp_path / folder, destinations={"memory": memory})
        emitter = Emitter(settings)
        Logger("shop", {}, emitter).info(message)
        assert emitter.shipper.flush(SOON_S)
        emitter.close()

    if was_there:
        say("before")
    with EmitSource(folder=str(tmp_path)).open("emit", None) as live:
        assert list(live.poll(NOW)) == []
        say("one")
        say("two")
        assert sum(delivery.batch.num_rows for delivery in live.poll(NOW)) == 2
        assert list(live.poll(NOW)) == []

    assert Spool(folder=tmp_path / folder).segments() == []
    assert [record.fields["message"] for record in memory.records.values()][-2:] == ["one", "two"]
