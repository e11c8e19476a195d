"""What goes to a logpith server can be asked there."""

import json

import pytest

from delivering import delivering
from fault_proxy import (
    Answer,
    BlackHole,
    CutRequest,
    CutResponse,
    Garbage,
    Hang,
    Refuse,
    Slow,
    fault_proxy,
)
from http_door import READER, TOKENS, WRITER, opened
from logpith.server.running import store_folder
from logpith_emit.destinations.logpith import LogpithDestination
from logpith_emit.entry import entry_of
from logpith_emit.errors import Unavailable
from logpith_emit.secret import Secret
from logpith_emit.shipping import Shipper
from logpith_emit.spool import Spool
from logpith_emit.testing import check_destination, numbered
from stores import lines_in, snapshot_of

SOON_S = 30


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def stored(folder):
    """All lines of the store, as any other process sees them."""
    return lambda: lines_in(snapshot_of(store_folder(folder)).segments)


def test_it_keeps_its_promises(folder, stored):
    with opened(folder) as door:
        check_destination(
            LogpithDestination(url=door.url, token=Secret(WRITER)),
            lambda: [entry_of(json.loads(line)) for line in stored()],
        )


def test_what_was_said_can_be_asked(folder):
    with opened(folder) as door:
        with LogpithDestination(url=door.url + "/", token=Secret(WRITER)).open() as live:
            live.write(numbered(20))

        with door.as_(READER) as client:
            answer = client.get("/tools/log_count", params={"query": "record AND level:info"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["summary"] == "20 records."


def test_a_batch_that_comes_again_is_stored_once(folder, stored):
    with opened(folder) as door, LogpithDestination(url=door.url, token=Secret(WRITER)).open() as live:
        live.write(numbered(10))
        live.write(numbered(10))

        assert len(stored()) == 10


@pytest.mark.parametrize("token", ["", "nobody", READER])
def test_a_login_that_is_refused_can_be_mended(folder, token):
    with (
        opened(folder, tokens=TOKENS) as door,
        LogpithDestination(url=door.url, token=Secret(token)).open() as live,
        pytest.raises(Unavailable, match=r"says 40[13]") as error,
    ):
        live.write(numbered(1))

    assert "Mend the login" in error.value.remedy
    assert not token or token not in str(error.value)


def test_a_server_that_comes_later_gets_everything(folder, tmp_path, stored):
    with opened(folder) as door:
        port = door.port
    spool = Spool(folder=tmp_path / "spool")
    with spool.open() as writer:
        for record in numbered(100):
            writer.append(record.text, 1)
    destination = LogpithDestination(
        url=f"http://127.0.0.1:{port}",
        token=Secret(WRITER),
        first_retry_s=0.01,
        most_retry_s=0.05,
        max_age_s=0,
    )
    shipper = Shipper(spool, {"logpith": destination}, warn=lambda *_: None)
    shipper.start()
    while not shipper.shipped["logpith"].errors:
        shipper.flush(0.01)

    with opened(folder, port=port):
        assert shipper.flush(SOON_S)
        assert len(stored()) == 100
    assert shipper.close(SOON_S)


FAULTS = (
    Refuse(),
    Hang(),
    BlackHole(),
    Slow(20),
    CutRequest(0),
    CutRequest(300),
    CutResponse(0),
    CutResponse(12),
    Garbage(),
    Answer(401),
    Answer(429),
    Answer(500),
)


def test_whatever_goes_wrong_all_is_stored(folder, tmp_path, stored):
    with opened(folder) as door, fault_proxy(door.port, http=True) as proxy:
        destination = LogpithDestination(
            url=proxy.url, token=Secret(WRITER), timeout_s=0.5, first_retry_s=0.001, most_retry_s=0.002
        )
        with delivering(tmp_path, destination) as delivery:
            said = delivery.say(1)
            delivery.wait()
            for fault in FAULTS:
                proxy.fault = fault
                said += delivery.say(3)
                delivery.wait_for_failures(2)  # on a connection that was open, and on a new one
                proxy.fault = None
                delivery.wait()

                assert list(dict.fromkeys(json.loads(line)["message"] for line in stored())) == said, fault
