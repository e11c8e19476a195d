"""What goes by the forward protocol is acknowledged before it counts, by a real receiver and by a strict one."""

import hashlib
import json
import os
import socket
import ssl
import threading
from base64 import b64decode
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delivering import ANYWHERE, check_faults, delivering
from fault_proxy import CutRequest, CutResponse, Garbage, fault_proxy
from logpith_emit.destinations import ALL_WRITTEN, Outgoing
from logpith_emit.destinations.fluent import FluentDestination
from logpith_emit.entry import entry_of
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.secret import Secret
from logpith_emit.testing import check_destination, numbered
from services.certificates import certificate

KEY, USER, PASSWORD = "correct-horse", "app", "battery-staple"


@dataclass
class Receiver:
    """Takes what the protocol allows and nothing else, as one that is written down for servers does."""

    shared_key: str = ""
    password: str = ""
    acknowledges: bool = True
    unwelcome: set = field(default_factory=set)
    """Tags at which it ends the connection."""

    name: str = "receiver"
    tls: ssl.SSLContext | None = None
    chunks: list = field(default_factory=list)
    """Tag, entries and options of each message."""

    refused: list = field(default_factory=list)
    """Why connections were ended."""

    port: int = 0
    _CONNECTED: ClassVar[int] = 60

    def serve(self, connection):
        connection.settimeout(self._CONNECTED)
        unpacker = msgpack.Unpacker(raw=False, ext_hook=lambda code, data: (code, data), strict_map_key=True)

        def messages():
            while piece := connection.recv(65_536):
                unpacker.feed(piece)
                yield from unpacker

        coming = messages()
        if self.shared_key and not self._knows(connection, coming):
            return
        for tag, entries, option in coming:
            packed = msgpack.Unpacker(raw=False, ext_hook=lambda code, data: (code, data))
            assert isinstance(entries, bytes)
            packed.feed(entries)
            taken = list(packed)
            assert option["size"] == len(taken)
            assert len(b64decode(option["chunk"], validate=True)) == 16
            self.chunks.append((tag, taken, option))
            if tag in self.unwelcome:
                return
            if self.acknowledges:
                connection.sendall(msgpack.packb({"ack": option["chunk"]}))

    def _knows(self, connection, coming):
        nonce, auth = os.urandom(16), os.urandom(16) if self.password else b""
        connection.sendall(msgpack.packb(["HELO", {"nonce": nonce, "auth": auth, "keepalive": True}]))
        word, *ping = next(coming)
        if word != "PING":
            return False
        name, salt, digest, user, password = ping
        if digest != sha512(salt, name.encode(), nonce, self.shared_key.encode()):
            return self._refuse(connection, "shared_key mismatch")
        if not auth:
            assert user == password == ""
        elif (user, password) != (USER, sha512(auth, USER.encode(), self.password.encode())):
            return self._refuse(connection, "username/password mismatch")
        proof = sha512(salt, self.name.encode(), nonce, self.shared_key.encode())
        connection.sendall(msgpack.packb(["PONG", True, "", self.name, proof]))
        return True

    def _refuse(self, connection, reason):
        self.refused.append(reason)
        connection.sendall(msgpack.packb(["PONG", False, reason, "", ""]))
        return False

    @property
    def records(self):
        return [record for _, entries, _ in self.chunks for _, record in entries]

    @property
    def messages(self):
        return list(dict.fromkeys(record["message"] for record in self.records))


def sha512(*parts):
    return hashlib.sha512(b"".join(parts)).hexdigest()


@contextmanager
def receiving(receiver):
    """Lets it listen; what its connections raise is raised at the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    receiver.port = listener.getsockname()[1]
    threads, raised = [], []

    def serve(connection):
        with connection, suppress(ConnectionError, ssl.SSLError):
            try:
                if receiver.tls is not None:
                    connection = receiver.tls.wrap_socket(connection, server_side=True)
                with connection:
                    receiver.serve(connection)
            except AssertionError as error:
                raised.append(error)

    def accept():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=[connection]))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield receiver
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for thread in threads:
            thread.join()
        assert not raised, raised


@pytest.fixture
def receiver():
    with receiving(Receiver()) as receiver:
        yield receiver


def destination_to(port, **given):
    return FluentDestination(host="127.0.0.1", port=port, **given)


@pytest.fixture
def collector(otelcol):
    otelcol.forget()
    return otelcol


def entry_in(taken):
    """The entry that a record is which the collector has understood."""
    own = ("record_id", "fluent.tag")
    fields = {name: value for name, value in taken.attributes.items() if name not in own}
    return entry_of({**fields, "message": taken.body or ""})


def test_it_keeps_its_promises(receiver):
    check_destination(
        destination_to(receiver.port),
        lambda: [
            entry_of({name: value for name, value in record.items() if name != "record_id"})
            for record in receiver.records
        ],
    )


def test_a_batch_is_named_and_timed_to_the_nanosecond(receiver):
    records = [
        Outgoing("7f-1", b'{"timestamp":1773480413589793123,"message":"a"}'),
        Outgoing(
            "7f-2", b'{"message":"b","record_id":"its own","size":18446744073709551616,"text":"\\ud800"}'
        ),
        Outgoing("7f-3", b'{"timestamp":9999999999000000000,"message":"c"}'),
    ]
    with destination_to(receiver.port, tag="shop.calls").open() as live:
        assert live.write(records) == live.write(records) == ALL_WRITTEN
        live.write(records[:1])

    (tag, entries, option), (_, _, again), (_, _, other) = receiver.chunks
    assert tag == "shop.calls"
    assert entries == [
        [
            (0, (1_773_480_413).to_bytes(4, "big") + (589_793_123).to_bytes(4, "big")),
            {"record_id": "7f-1", "timestamp": 1_773_480_413_589_793_123, "message": "a"},
        ],
        [
            (0, bytes(8)),
            {"record_id": "its own", "message": "b", "size": "18446744073709551616", "text": "?"},
        ],
        [0, {"record_id": "7f-3", "timestamp": 9_999_999_999_000_000_000, "message": "c"}],
    ]
    assert option["chunk"] == again["chunk"] != other["chunk"]


def tagged(*tags):
    """Records with those tags, whose messages tell their numbers."""
    return [
        Outgoing(
            f"7f-{number}",
            json.dumps({"message": f"{number}"} | ({} if tag is None else {"tag": tag})).encode(),
        )
        for number, tag in enumerate(tags)
    ]


def test_a_record_goes_under_its_own_tag_where_that_is_wanted_and_plain(receiver):
    odd = ["Audit", "../../etc", "a b", "", ".", "a..b", "a\n", 7, ["a"], "x" * 65]
    records = tagged("audit.login", None, "audit.login", "x-1_y", *odd)
    with destination_to(receiver.port, by_tag=True).open() as live:
        assert live.write(records) == ALL_WRITTEN
    with destination_to(receiver.port).open() as live:
        assert live.write(records) == ALL_WRITTEN

    *by_tag, (tag, all_of_them, _) = receiver.chunks
    told = {tag: [record["message"] for _, record in entries] for tag, entries, _ in by_tag}
    assert told == {
        "logpith.audit.login": ["0", "2"],
        "logpith": ["1", *(str(4 + number) for number in range(len(odd)))],
        "logpith.x-1_y": ["3"],
    }
    assert (tag, len(all_of_them)) == ("logpith", len(records))


def test_what_one_tag_has_acknowledged_does_not_come_again_for_another(receiver):
    receiver.unwelcome.add("logpith.b")
    records = tagged("a", "b", "a", "c")
    with destination_to(receiver.port, by_tag=True).open() as live:
        written = live.write(records)
        assert written.again == {"7f-1", "7f-3"}
        assert "ended the connection" in str(written.why_again)
        with pytest.raises(Unavailable, match="ended the connection"):
            live.write([records[1], records[3]])
        receiver.unwelcome.clear()
        assert live.write([records[1], records[3]]) == ALL_WRITTEN

    assert [tag for tag, _, _ in receiver.chunks].count("logpith.a") == 1


def test_a_failure_at_a_later_tag_is_counted_and_told(receiver, tmp_path):
    receiver.unwelcome.add("logpith.b")
    destination = destination_to(receiver.port, by_tag=True, first_retry_s=0.001, most_retry_s=0.002)
    with delivering(tmp_path, destination) as delivery:
        with delivery.spool.open() as writer:
            for record in tagged("a", "b", "a"):
                writer.append(record.text, 1)
        delivery.wait_for_failures()
        (problem, _), *_ = delivery.warnings
        assert "ended the connection" in problem
        receiver.unwelcome.clear()
        delivery.wait()

        assert delivery.shipped.sent == 3
        # One record failed each time.
        assert delivery.shipped.errors == delivery.shipped.retried == len(delivery.warnings)
    assert [tag for tag, _, _ in receiver.chunks].count("logpith.a") == 1


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many=st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), min_size=1, max_size=8))
def test_whatever_json_says_is_understood(receiver, many):
    records = [
        Outgoing(f"7f-{at}", json.dumps({**fields, "timestamp": at}).encode())
        for at, fields in enumerate(many)
    ]
    with destination_to(receiver.port).open() as live:
        assert live.write(records) == ALL_WRITTEN

    assert receiver.records[-len(many) :] == [
        {"record_id": f"7f-{at}", **fields, "timestamp": at} for at, fields in enumerate(many)
    ]


def test_what_is_no_record_is_refused_and_its_neighbours_pass(receiver):
    one, two = numbered(2)
    with destination_to(receiver.port).open() as live:
        written = live.write([one, Outgoing("7f-9", b"no JSON"), two])
        alone = live.write([Outgoing("7f-9", b"no JSON")])

    assert written.refused == alone.refused == {"7f-9": "it is no JSON object"}
    assert receiver.messages == ["record 1", "record 2"]
    assert len(receiver.chunks) == 1


@dataclass(frozen=True, kw_only=True)
class Counted(FluentDestination):
    """Knows what went there: the collector acknowledges what it has understood before it hands that on."""

    sent: list = field(default_factory=list)

    @contextmanager
    def open(self):
        with super().open() as live:
            write = live.write

            def count(records):
                self.sent.extend(records)
                return write(records)

            live.write = count
            yield live


def test_opentelemetrys_receiver_understands_all(collector):
    destination = Counted(host="127.0.0.1", port=collector.fluent_port)

    check_destination(
        destination,
        lambda: [entry_in(taken) for taken in collector.taken(len(destination.sent), by="fluent")],
    )

    taken = collector.taken(0, by="fluent")[-1]
    (last,) = numbered(1, first=90_001)
    assert taken.record["timeUnixNano"] == str(last.timestamp)
    assert (taken.attributes["record_id"], taken.attributes["fluent.tag"]) == (last.id, "logpith")


# ── Who may ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_both_sides_prove_what_they_know(password):
    with receiving(Receiver(shared_key=KEY, password=password)) as receiver:
        login = {"shared_key": Secret(KEY), "username": USER, "password": Secret(PASSWORD)}
        with destination_to(receiver.port, **login).open() as live:
            assert live.write(numbered(3)) == live.write(numbered(3)) == ALL_WRITTEN

    assert len(receiver.records) == 6


@pytest.mark.parametrize(
    ("login", "problem"),
    [
        ({}, "wants a shared key.*as shared_key"),
        ({"shared_key": Secret("wrong-horse")}, "refuses the login: shared_key mismatch.*Mend the login"),
        ({"shared_key": Secret(KEY)}, "refuses the login: username/password mismatch"),
        (
            {"shared_key": Secret(KEY), "username": USER, "password": Secret("wrong-staple")},
            "refuses the login: username/password mismatch",
        ),
    ],
)
def test_a_login_that_is_refused_can_be_mended_and_is_not_told(login, problem):
    with receiving(Receiver(shared_key=KEY, password=PASSWORD)) as receiver:
        destination = destination_to(receiver.port, **login)
        with destination.open() as live, pytest.raises(Unavailable, match=problem) as error:
            live.write(numbered(1))

    assert not receiver.chunks
    for secret in ("horse", "staple"):
        assert secret not in str(error.value) + repr(destination)


class Pretender(Receiver):
    """Welcomes anybody, and knows nothing."""

    proof = ""

    def _knows(self, connection, coming):
        connection.sendall(msgpack.packb(["HELO", {"nonce": b"n", "auth": ""}]))
        ping = next(coming)
        name, proof = (ping[1], ping[3]) if self.proof == "echo" else ("other", self.proof)
        connection.sendall(msgpack.packb(["PONG", True, "", name, proof]))
        return True


@pytest.mark.parametrize("proof", ["", "0" * 128, "echo"])
def test_who_does_not_know_the_shared_key_gets_nothing(proof):
    receiver = Pretender(shared_key=KEY)
    receiver.proof = proof
    with (
        receiving(receiver),
        destination_to(receiver.port, shared_key=Secret(KEY)).open() as live,
        pytest.raises(Unavailable, match="does not know the shared key"),
    ):
        live.write(numbered(1))

    assert not receiver.chunks


def test_over_tls_it_trusts_the_authority_that_it_is_told(tmp_path):
    made = certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(made.both)
    with receiving(Receiver(tls=tls)) as receiver:
        with (
            destination_to(receiver.port, tls=True).open() as live,
            pytest.raises(Unavailable, match=r"not trusted.*as ca_file"),
        ):
            live.write(numbered(1))
        assert not receiver.chunks

        for given in ({"ca_file": made.cert}, {"insecure": True}):
            with destination_to(receiver.port, tls=True, **given).open() as live:
                assert live.write(numbered(1)) == ALL_WRITTEN


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"port": 0}, "'localhost:0' is no address"),
        ({"port": 65_536}, "no address"),
        ({"host": ""}, "no address"),
        ({"ca_file": Path("ca.pem")}, "no TLS"),
        ({"insecure": True}, "no TLS"),
        ({"username": "app"}, "no shared_key"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given, problem):
    with pytest.raises(BadArgument, match=problem):
        FluentDestination(**given)


# ── What goes wrong on the way ──────────────────────────────────────────────────────────────────────────────


def test_what_is_not_acknowledged_is_not_safe():
    with receiving(Receiver(acknowledges=False)) as receiver:
        destination = destination_to(receiver.port, timeout_s=0.5)  # in which the record must be there
        with destination.open() as live, pytest.raises(Unavailable, match=r"not acknowledge within 0\.5 s"):
            live.write(numbered(1))

    assert receiver.messages == ["record 1"]


@pytest.mark.parametrize(
    "answer",
    [
        msgpack.packb({"ack": "of another"}),
        msgpack.packb({}),
        msgpack.packb(7),
        msgpack.packb({(1, 2): 1}),
        b"\xc1",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xdb\xff\xff\xff\xff" + bytes(100_000),
    ],
)
def test_what_is_no_acknowledgement_is_unavailable(receiver, answer):
    receiver.acknowledges = False
    with (
        fault_proxy(receiver.port) as proxy,
        destination_to(proxy.port, timeout_s=30).open() as live,
    ):
        proxy.fault = Garbage(answer)
        with pytest.raises(Unavailable, match="none of this protocol"):
            live.write(numbered(1))
        proxy.fault = None
        receiver.acknowledges = True
        assert live.write(numbered(1)) == ALL_WRITTEN


def test_whatever_goes_wrong_all_comes(receiver, tmp_path):
    with fault_proxy(receiver.port) as proxy:
        destination = destination_to(proxy.port)
        faults = [*ANYWHERE, CutRequest(100), CutResponse(2)]
        check_faults(tmp_path, destination, proxy, faults, lambda: receiver.messages)


def test_a_connection_that_was_ended_meanwhile_is_replaced(receiver):
    with fault_proxy(receiver.port) as proxy, destination_to(proxy.port).open() as live:
        for number in range(1, 4):
            assert live.write(numbered(1, first=number)) == ALL_WRITTEN
            proxy.reset_connections()

    assert receiver.messages == ["record 1", "record 2", "record 3"]
    assert proxy.connections == 3


def test_a_collector_that_is_killed_and_comes_again_goes_on(collector, tmp_path):
    """What it had acknowledged and not yet handed on when it was killed is its own loss, so all is taken before."""
    destination = destination_to(collector.fluent_port, first_retry_s=0.001, most_retry_s=0.05)
    with delivering(tmp_path, destination) as delivery:
        said = delivery.say(10)
        delivery.wait()
        assert len(collector.taken(10, by="fluent")) == 10
        collector.kill()
        said += delivery.say(10)
        delivery.wait_for_failures()
        collector.start()
        delivery.wait()

    assert [one.body for one in collector.taken(20, by="fluent")] == said
