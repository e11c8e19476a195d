"""What goes to an address comes there, with a key that says what has come before."""

import gzip
import json
import threading
from contextlib import contextmanager

import pytest

from delivering import OVER_HTTP, check_faults, delivering
from fault_proxy import Answer, CutRequest, fault_proxy
from logpith_emit.destinations import ALL_WRITTEN
from logpith_emit.destinations.http import HttpDestination
from logpith_emit.entry import entry_of
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.secret import Secret
from logpith_emit.shipping.dead_letters import DeadLetters
from logpith_emit.testing import check_destination, numbered
from services.certificates import certificate
from web_stand_in import reply, web_server

TOKEN = "correct-horse"


class Intake:
    """Takes lines of JSON or an array, each key once, with a token."""

    def __init__(self, *, most_bytes=32 << 20, refuses=()):
        self.asked = []
        """The headers of each request that had a right token."""

        self.taken = {}
        """Key → the records that came under it."""

        self._most_bytes = most_bytes
        self._refuses = refuses
        self._lock = threading.Lock()

    def __call__(self, handler, body):
        with self._lock:
            status, said = self._take(handler.headers, body)
        reply(handler, said, status)

    def _take(self, headers, body):
        if headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, b"who are you?"
        self.asked.append(headers)
        if headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        if len(body) > self._most_bytes:
            return 413, b"too much"
        if headers["Content-Type"] == "application/x-ndjson":
            assert body.endswith(b"\n")
            records = [json.loads(line) for line in body.splitlines()]
        else:
            assert headers["Content-Type"] == "application/json"
            records = json.loads(body)
        if any(record["message"] in self._refuses for record in records):
            return 400, b"42 is no number"
        self.taken.setdefault(headers["Idempotency-Key"], records)
        return 204, b""

    @property
    def records(self):
        return [record for records in self.taken.values() for record in records]

    @property
    def messages(self):
        return [record["message"] for record in self.records]

    @property
    def entries(self):
        return [entry_of(record) for record in self.records]


@pytest.fixture
def intake():
    return Intake()


@contextmanager
def served(intake, **more):
    """The settings of a destination that brings records there."""
    with web_server(intake, keeps=True, **more) as url:
        yield {"url": f"{url}/ingest", "token": Secret(TOKEN)}


@pytest.mark.parametrize("form", ["ndjson", "json"])
@pytest.mark.parametrize("packed", [True, False])
def test_it_keeps_its_promises(intake, form, packed):
    with served(intake) as given:
        check_destination(HttpDestination(form=form, gzip=packed, **given), lambda: intake.entries)

    assert {headers["Content-Encoding"] for headers in intake.asked} == {"gzip" if packed else None}
    assert {headers["User-Agent"] for headers in intake.asked} == {"logpith-emit"}


def test_the_same_records_have_the_same_key_and_no_others(intake):
    with served(intake) as given:
        for records in (numbered(10), numbered(10), numbered(9), numbered(10, first=2)):
            with HttpDestination(**given).open() as live:
                assert live.write(records) == ALL_WRITTEN

    keys = [headers["Idempotency-Key"] for headers in intake.asked]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert len(intake.records) == 10 + 9 + 10


@pytest.mark.parametrize("token", ["", "wrong-horse"])
def test_a_login_that_is_refused_can_be_mended_and_is_not_told(intake, token):
    with served(intake) as given:
        destination = HttpDestination(**{**given, "token": Secret(token)})
        with destination.open() as live, pytest.raises(Unavailable, match="Mend the login") as error:
            live.write(numbered(1))

    assert "horse" not in str(error.value) + repr(destination)


def test_over_tls_it_trusts_the_authority_that_it_is_told(intake, tmp_path):
    tls = certificate(tmp_path)
    with served(intake, tls=tls) as given:
        with (
            HttpDestination(**given).open() as live,
            pytest.raises(Unavailable, match=r"not trusted.*as ca_file"),
        ):
            live.write(numbered(1))
        assert not intake.asked  # the token was told to nobody

        with HttpDestination(ca_file=tls.cert, **given).open() as live:
            assert live.write(numbered(1)) == ALL_WRITTEN


def test_what_is_no_address_is_refused_at_once():
    with pytest.raises(BadArgument, match="no address of HTTP"), HttpDestination(url="logs").open():
        pass


# ── What goes wrong on the way ──────────────────────────────────────────────────────────────────────────────


def test_a_record_that_is_refused_becomes_a_dead_letter_and_its_neighbours_pass(tmp_path):
    intake = Intake(refuses=["record 42"])
    with served(intake) as given, delivering(tmp_path, HttpDestination(**given)) as delivery:
        said = delivery.say(100)
        delivery.wait()

        (letter,) = DeadLetters(delivery.spool, "d").read()
    assert letter["record"]["message"] == "record 42"
    assert "says 400: 42 is no number" in letter["reason"]
    assert sorted(intake.messages) == sorted({*said} - {"record 42"})


def test_what_is_too_much_at_once_comes_in_parts(tmp_path):
    intake = Intake(most_bytes=1_000)
    with served(intake) as given, delivering(tmp_path, HttpDestination(**given)) as delivery:
        said = delivery.say(80)
        delivery.wait()

    assert intake.messages == said
    assert max(len(records) for records in intake.taken.values()) > 1


def test_it_comes_again_when_a_server_says_so(intake):
    with served(intake) as given, fault_proxy(port_of(given), http=True) as proxy:
        proxy.in_turn(Answer(429, {"Retry-After": "17"}))
        with HttpDestination(**{**given, "url": proxy.url}).open() as live:
            with pytest.raises(Unavailable, match="says 429") as error:
                live.write(numbered(3))
            assert live.write(numbered(3)) == ALL_WRITTEN

    assert error.value.retry_after_s == 17
    assert len(intake.records) == 3


def test_whatever_goes_wrong_all_comes(intake, tmp_path):
    elsewhere = Answer(307, {"Location": "http://127.0.0.1:9/"})
    with served(intake) as given, fault_proxy(port_of(given), http=True) as proxy:
        destination = HttpDestination(**{**given, "url": proxy.url})
        faults = [*OVER_HTTP, CutRequest(300), elsewhere]
        check_faults(tmp_path, destination, proxy, faults, lambda: intake.messages)


def port_of(given):
    return int(given["url"].rpartition(":")[2].partition("/")[0])
