"""What goes to a logpith server can be asked there."""

import json

import pytest

from delivering import OVER_HTTP, check_faults, delivering
from fault_proxy import CutRequest, fault_proxy
from http_door import READER, TOKENS, WRITER, opened
from logpith.server.running import store_folder
from logpith_emit.destinations.logpith import LogpithDestination
from logpith_emit.entry import entry_of
from logpith_emit.errors import Unavailable
from logpith_emit.secret import Secret
from logpith_emit.testing import check_destination, numbered
from services.ports import free_port
from stores import lines_in, snapshot_of


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
    port = free_port()
    destination = LogpithDestination(
        url=f"http://127.0.0.1:{port}", token=Secret(WRITER), first_retry_s=0.01, most_retry_s=0.05
    )
    with delivering(tmp_path / "spool", destination) as delivery:
        delivery.say(100)
        delivery.wait_for_failures()
        with opened(folder, port=port):
            delivery.wait()

            assert len(stored()) == 100


def test_whatever_goes_wrong_all_is_stored(folder, tmp_path, stored):
    def messages():
        return [json.loads(line)["message"] for line in stored()]

    with opened(folder) as door, fault_proxy(door.port, http=True) as proxy:
        destination = LogpithDestination(url=proxy.url, token=Secret(WRITER))
        check_faults(tmp_path, destination, proxy, [*OVER_HTTP, CutRequest(300)], messages)
