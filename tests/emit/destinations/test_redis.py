"""What goes to Redis stands in its stream once, whatever becomes of the way to it."""

import json
from contextlib import closing
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from delivering import ANYWHERE, check_faults, check_killed
from fault_proxy import CutRequest, CutResponse, Garbage, fault_proxy
from logpith_emit.destinations import ALL_WRITTEN, Outgoing, Wanted
from logpith_emit.destinations.redis import RedisDestination
from logpith_emit.entry import LogEntry, shown
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.secret import Secret
from logpith_emit.testing import check_destination, numbered
from services.certificates import certificate


@pytest.fixture
def stream():
    return uuid4().hex


@pytest.fixture
def asking(redis_server):
    """Another client."""
    with closing(redis.Redis(port=redis_server.port)) as client:
        yield client


@pytest.fixture
def read(asking, stream):
    """read(): all entries of the stream, in its order."""
    return lambda: [entry_in(fields) for _, fields in asking.xrange(stream)]


@pytest.fixture
def messages(read):
    """messages(): what they say."""
    return lambda: [entry.message for entry in read()]


def entry_in(fields):
    known = json.loads(fields[b"record"])
    return LogEntry(**{**known, "timestamp": datetime.fromisoformat(known["timestamp"])})


def test_it_keeps_its_promises(redis_server, stream, read):
    check_destination(RedisDestination(url=Secret(redis_server.url), stream=stream), read)


def test_it_logs_in_over_tls_whose_certificate_is_known(redis_server, stream, read):
    given = {
        "url": Secret(f"rediss://app:{redis_server.password}@localhost:{redis_server.secure_port}/0"),
        "stream": stream,
    }

    check_destination(RedisDestination(ca_file=certificate(redis_server.folder).cert, **given), read)
    with (
        RedisDestination(**given).open() as live,
        pytest.raises(Unavailable, match=r"certificate verify failed.*as ca_file") as error,
    ):
        live.write(numbered(1))
    assert redis_server.password not in str(error.value)


def test_a_wrong_password_is_unavailable_and_not_told(redis_server):
    wrong = RedisDestination(url=Secret(f"redis://app:wrong-horse@{redis_server.address}/0"))

    with wrong.open() as live, pytest.raises(Unavailable, match="Mend the login") as error:
        live.write(numbered(1))

    assert f"redis://app:***@{redis_server.address}/0" in str(error.value)
    assert "wrong-horse" not in str(error.value) + repr(wrong)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"url": Secret("http://user:horse@cache:6379")}, "'http://user:\\*\\*\\*@cache:6379' is no address"),
        ({"url": Secret("redis://cache:stable")}, "no address"),
        ({"url": Secret("rediss://cache?ssl_cert_reqs=none")}, "'ssl_cert_reqs' cannot be set in an address"),
        ({"ca_file": Path("ca.pem")}, "no TLS.*rediss://"),
        ({"stream": ""}, "No stream"),
        ({"remember_s": 0}, "remember_s"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given, problem):
    with pytest.raises(BadArgument, match=problem) as error:
        RedisDestination(**given)

    assert "horse" not in str(error.value)


def test_an_entry_has_the_record_and_its_id(redis_server, stream, asking):
    (record,) = numbered(1)
    with RedisDestination(url=Secret(redis_server.url), stream=stream).open() as live:
        live.write([record])

    ((_, fields),) = asking.xrange(stream)
    assert fields.keys() == {b"id", b"record"}
    assert fields[b"id"] == record.id.encode()
    assert json.loads(fields[b"record"]) == shown(record.entry)


def test_it_is_known_for_long_enough_what_is_there(redis_server, stream, asking):
    """Over the ends of its keys, of more records than go at once, of odd ids, and in another life."""
    destination = RedisDestination(url=Secret(redis_server.url), stream=stream, remember_s=1_000)
    records = numbered(1_200, first=65_000)
    records += [Outgoing(f"{records[0].id}-dropped", records[0].text), Outgoing("odd", records[0].text)]
    with destination.open() as live:
        live.write(records)
    with destination.open() as live:
        live.write(records[::-1])

    assert asking.xlen(stream) == len(records)
    keys = asking.keys(f"{stream}:seen:*")
    assert len(keys) == 4
    assert all(900 < asking.ttl(key) <= 1_000 for key in keys)
    assert sum(asking.memory_usage(key) for key in keys) < 50_000


def test_it_keeps_the_newest_entries(redis_server, stream, read):
    destination = RedisDestination(url=Secret(redis_server.url), stream=stream, most_entries=100)
    with destination.open() as live:
        live.write(numbered(1_000))

    assert 100 <= len(read()) < 300
    assert read()[-1].message == "record 1000"


def test_a_question_reads_all_pages_and_passes_by_what_is_not_ours(redis_server, stream, asking):
    destination = RedisDestination(url=Secret(redis_server.url), stream=stream)
    with destination.open() as live:
        live.write(numbered(2_500)[::-1])
        for fields in (
            {"record": "no JSON"},
            {"record": "[]"},
            {"other": "x"},
            {"record": '{"timestamp": 1}'},
        ):
            asking.xadd(stream, fields)

        newest = live.query(Wanted(limit=2))
        one = live.query(Wanted(equal={"message": "record 1"}))

    assert [entry.message for entry in newest] == ["record 2500", "record 2499"]
    assert [entry.message for entry in one] == ["record 1"]


def test_what_stands_in_the_way_can_be_mended(redis_server, stream, asking, read):
    asking.set(stream, "no stream")
    with RedisDestination(url=Secret(redis_server.url), stream=stream).open() as live:
        with pytest.raises(Unavailable, match="WRONGTYPE"):
            live.write(numbered(3))
        asking.delete(stream)

        assert live.write(numbered(3)) == ALL_WRITTEN

    assert len(read()) == 3


# ── What goes wrong on the way ──────────────────────────────────────────────────────────────────────────────


def test_whatever_goes_wrong_all_stands_there_once(redis_server, stream, messages, tmp_path):
    with fault_proxy(redis_server.port) as proxy:
        destination = RedisDestination(url=Secret(f"redis://{proxy.address}/0"), stream=stream)
        faults = [*ANYWHERE, CutRequest(50_000), CutResponse(2)]
        check_faults(tmp_path, destination, proxy, faults, messages, at_once=600)


def test_what_answers_something_else_has_taken_nothing(redis_server, stream, messages, tmp_path):
    """To few records, so that they are all on their way before the answer, which is then read."""
    said = (b"+OK", b":1", b":many", b"-OOM command not allowed when used memory > 'maxmemory'.")
    faults = [Garbage((line + b"\r\n") * 9) for line in said]
    with fault_proxy(redis_server.port) as proxy:
        destination = RedisDestination(url=Secret(f"redis://{proxy.address}/0"), stream=stream)
        check_faults(tmp_path, destination, proxy, faults, messages)


def test_a_server_that_is_killed_and_comes_again_has_all_once(redis_server, stream, messages, tmp_path):
    destination = RedisDestination(
        url=Secret(redis_server.url), stream=stream, timeout_s=5, first_retry_s=0.01, batch_records=100
    )
    check_killed(tmp_path, destination, redis_server, messages)
