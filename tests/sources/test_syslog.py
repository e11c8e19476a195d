"""Syslog, sent by real programs and by sockets: nothing of TCP is lost, what is lost of UDP is counted."""

import os
import socket
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from http_door import ADMIN, opened
from logpith.checking import check_settings
from logpith.pipeline import LOST, Pipeline
from logpith.settings import CollectSettings, Settings
from logpith.sources.framing import CUT_OFF, TOO_LONG
from logpith.sources.syslog import SOCKET_FULL, STRANGER, Senders, SyslogSource
from logpith.store import open_store
from logpith.testing.sources import Place, check_source
from logpith.timerange import NS_PER_MIN, NS_PER_S, format_ns
from logpith_emit.errors import BadArgument, Unavailable
from services import outside_program
from ssh_server import free_port

NOW = 1_795_176_000_000_000_000
"""2026-11-20, noon."""

LONG_S = 60.0
"""How long tests wait for what must come; they fail then."""

RFC_5424 = (
    b"<165>1 2026-11-20T11:14:15.003-01:00 mymachine.example.com evntslog 77 ID47 "
    b'[exampleSDID@32473 iut="3"] An application event'
)
RFC_3164 = b"<34>Nov 20 10:14:15 mymachine su[12]: 'su root' failed for lonvick on /dev/pts/8"


def source(**more):
    return SyslogSource(**{"address": f"127.0.0.1:{free_port()}", **more})


def place_of(given):
    host, _, port = given.address.rpartition(":")
    return host, int(port)


def send(given, *texts):
    """Sends datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        for text in texts:
            link.sendto(text, place_of(given))


def link_to(given):
    return socket.create_connection(place_of(given), timeout=LONG_S)


def stream(given, data):
    """Sends bytes by TCP, all of them before this returns."""
    with link_to(given) as link:
        link.sendall(data)


class Polled:
    """What a source gives until so many records have come; what is sent is on its way for a while."""

    def __init__(self, live):
        self.live = live
        self.deliveries = []

    def until(self, is_met):
        with pending_alarm(self.live):
            while not is_met():
                assert self.live.wait(), "it did not come"
                self.deliveries += self.live.poll(NOW, at_once=True)
        self.deliveries += self.live.poll(NOW)
        return self

    def records(self, count):
        return self.until(lambda: len(self.rows) >= count)

    @property
    def rows(self):
        return [row for delivery in self.deliveries for row in delivery.batch.to_pylist()]

    @property
    def texts(self):
        return [row["line"] for row in self.rows]

    def lost(self, reason):
        return sum(delivery.losses.get(reason, 0) for delivery in self.deliveries)


@contextmanager
def pending_alarm(live):
    """Ends a wait for what never comes."""
    timer = threading.Timer(LONG_S, live.stop_waiting)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def polled(given):
    with given.open("net", None) as live:
        yield Polled(live)


def read_one(text, **more):
    given = source(**more)
    with polled(given) as net:
        send(given, text)
        (row,) = net.records(1).rows
    return row


# ── What a message says ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "service", "severity", "time"),
    [
        (RFC_5424, "evntslog", 10, "2026-11-20T12:14:15.003Z"),
        (RFC_3164, "su", 21, "2026-11-20T10:14:15Z"),
        (b"<13>Nov 20 10:14:15 cron: no host", "cron", 10, "2026-11-20T10:14:15Z"),
        (b"<11>2026-11-20T10:14:15+02:00 web nginx: in ISO", "nginx", 17, "2026-11-20T08:14:15Z"),
        (b"<14>1 - - - - - - nothing but text", "", 9, None),
        (b"<14>1 2026-11-20T10:14:15Z host - - - - no program", "", 9, "2026-11-20T10:14:15Z"),
        (b"<15>free text", "", 5, None),
        (b"<999>ERROR no priority", "", 0, None),
        (b"ERROR no head at all", "", 17, None),
        (b"<34>Dec 31 23:59:59 host su: last year's", "su", 21, "2025-12-31T23:59:59Z"),
        (b"<34>Nov 20 23:00:00 host su: of a clock that is ahead", "su", 21, "2026-11-20T23:00:00Z"),
        (b"\xff\xfe<34>", "", 0, None),
    ],
)
def test_time_program_and_severity_are_read(text, service, severity, time):
    row = read_one(text)

    told = format_ns(row["timestamp"]) if row["timestamp"] is not None else None
    assert (row["line"], row["service"], row["severity_number"], told) == (text, service, severity, time)
    assert (row["source"], row["observed_timestamp"]) == ("net", NOW)


def test_a_record_tells_who_has_sent_it_and_what_the_settings_add():
    row = read_one(b"<15>free text", service="switch", attributes=("deployment.environment=lab",))

    assert row["service"] == "switch"
    assert row["extra"] == '{"deployment.environment":"lab","network.peer.address":"127.0.0.1"}'


def test_times_without_a_zone_are_of_the_zone_of_their_senders():
    summer = read_one(b"<34>Jul  1 12:00:00 host su: a", time_zone="Europe/Vienna")
    winter = read_one(b"<34>Nov  1 12:00:00 host su: a", time_zone="Europe/Vienna")
    told = read_one(RFC_5424, time_zone="Europe/Vienna")

    assert [format_ns(row["timestamp"]) for row in (summer, winter, told)] == [
        "2026-07-01T10:00:00Z",
        "2026-11-01T11:00:00Z",
        "2026-11-20T12:14:15.003Z",
    ]


def test_lines_of_a_message_stay_one_record_and_forge_no_other():
    text = b"<11>Nov 20 10:14:15 host app: boom\n  at a.py:1\n<34>Nov 20 10:14:15 host su: forged"

    assert read_one(text + b"\n\0")["line"] == text


# ── Both transports ─────────────────────────────────────────────────────────────────────────────────────────


def test_both_transports_and_framings_at_one_port():
    given = source()
    with polled(given) as net:
        send(given, b"<13>by udp", b"", b"\n")
        stream(given, b"12 <13>counted\n<13>a line\n<13>the last")
        net.records(4)

    assert sorted(net.texts) == [b"<13>a line", b"<13>by udp", b"<13>counted\n"[:-1], b"<13>the last"]


@dataclass(frozen=True, kw_only=True)
class Patient(SyslogSource):
    """A source whose polls wait for what was sent, which is on its way for a while."""

    sent: list = field(default_factory=list)

    @contextmanager
    def open(self, name, position):
        with super().open(name, position) as live:
            yield PatientLive(live, self.sent)


class PatientLive:
    def __init__(self, live, sent):
        self.live, self.sent = live, sent

    def poll(self, now_ns, *, at_once=False):
        with pending_alarm(self.live):
            while self.sent:
                assert self.live.wait()
                for delivery in self.live.poll(now_ns, at_once=at_once):
                    del self.sent[: delivery.batch.num_rows]
                    yield delivery
        yield from self.live.poll(now_ns, at_once=at_once)


def test_it_keeps_the_contract():
    def make_place():
        place = Patient(address=f"127.0.0.1:{free_port()}")

        def step(transport, *texts):
            def act():
                place.sent.extend(texts)
                if transport == "udp":
                    send(place, *texts)
                else:
                    stream(place, b"".join(text + b"\n" for text in texts))

            return act

        steps = [
            step("udp", RFC_3164),
            step("tcp", RFC_5424, b"<13>a"),
            step("udp", b"b"),
            step("tcp", b"<13>c"),
        ]
        return Place(source=place, steps=steps)

    check_source(make_place, [RFC_3164, RFC_5424, b"<13>a", b"b", b"<13>c"], now_ns=NOW)


def test_a_message_that_is_too_long_is_cut_and_what_went_is_counted():
    given = source(most_bytes=480)
    with polled(given) as net:
        send(given, b"<13>" + b"u" * 500)
        stream(given, b"<13>" + b"t" * 500 + b"\n504 <13>" + b"c" * 500 + b"20 <13>cut")
        net.records(4)

    assert sorted(map(len, net.texts)) == [7, 480, 480, 480]
    assert (net.lost(TOO_LONG), net.lost(CUT_OFF)) == (3 * 24, 13)


def test_what_found_no_room_is_counted():
    given = source(transports=("udp",))
    datagrams = 40_000
    with polled(given) as net:
        send(given, *(b"<13>%d" % number + b"x" * 1000 for number in range(datagrams)))
        net.records(1)
        send(given, b"<13>after")  # tells of those before it
        net.until(lambda: net.texts[-1] == b"<13>after")

    assert net.lost(SOCKET_FULL) > 0
    assert len(net.texts) - 1 + net.lost(SOCKET_FULL) == datagrams


def test_further_connections_wait_until_there_is_room():
    given = source(most_connections=2)
    with polled(given) as net, link_to(given) as first, link_to(given) as second, link_to(given) as third:
        third.sendall(b"<13>third\n")
        first.sendall(b"<13>first\n")
        second.sendall(b"<13>second\n")
        net.records(2)
        before = sorted(net.texts)
        second.close()
        net.records(3)

    assert before == [b"<13>first", b"<13>second"]
    assert net.texts[-1] == b"<13>third"


def test_many_connections_at_once_lose_nothing():
    given = source(transports=("tcp",))
    texts = [b"<13>%d of %d" % (number, link) for link in range(20) for number in range(200)]

    def write(link):
        stream(given, b"".join(b"%d %s" % (len(text), text) for text in texts[link * 200 : link * 200 + 200]))

    with polled(given) as net:
        writers = [threading.Thread(target=write, args=[link]) for link in range(20)]
        for writer in writers:
            writer.start()
        net.records(len(texts))
        for writer in writers:
            writer.join()

    assert sorted(net.texts) == sorted(texts)


# ── Who may send, and where it listens ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("peer", "may"),
    [
        ("127.0.0.1", False),
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("10.2.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::7", True),
    ],
)
def test_the_named_networks_may_send_and_nobody_else(peer, may):
    assert Senders(["10.1.0.0/16", "fd00::/8"]).may_send(peer) is may


def test_strangers_are_not_heard_and_counted():
    given = source(senders=("10.1.0.0/16",))
    with polled(given) as net:
        send(given, b"<13>by udp")
        stream(given, b"<13>by tcp\n")
        net.until(lambda: net.lost(STRANGER) + sum(net.live.losses.values()) == 2)

    assert net.rows == []
    assert net.lost(STRANGER) == 2


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"address": "0.0.0.0:5514"}, "senders does not say who may send"),
        ({"address": "[::]:5514"}, "senders does not say who may send"),
        ({"address": "localhost:5514"}, "is none"),
        ({"address": "127.0.0.1"}, "is none"),
        ({"address": "127.0.0.1:0"}, "is none"),
        ({"transports": ()}, "names none"),
        ({"senders": ("10.1.2.3/8",)}, "is no network"),
        ({"time_zone": "Mars/Olympus"}, "there is no 'Mars/Olympus'"),
        ({"time_zone": "../etc/passwd"}, "there is no"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, told):
    with pytest.raises(BadArgument, match=told):
        SyslogSource(**settings)


def test_it_listens_where_others_reach_it_once_it_is_said_who_may_send():
    assert SyslogSource(address="[::]:5514", senders=("fd00::/8",)).address == "[::]:5514"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_port_that_is_taken_is_told(transport):
    given = source(transports=(transport,))
    with (
        given.open("net", None),
        pytest.raises(Unavailable, match="take another address"),
        given.open("net", None),
    ):
        pass

    with given.open("net", None):
        pass  # free again


# ── In a pipeline ───────────────────────────────────────────────────────────────────────────────────────────


class Hindered:
    """A store whose disk is full now and then."""

    def __init__(self, store):
        self.store = store
        self.failures = 0

    def append(self, batch, **told):
        if self.failures:
            self.failures -= 1
            raise OSError(28, "No space left on device")
        return self.store.append(batch, **told)

    def position(self, name):
        return self.store.position(name)


class Clock:
    now_ns = NOW

    def __call__(self):
        return self.now_ns


def wait_for(pipeline, is_met):
    assert pipeline.wait_for("net", is_met, within_ns=int(LONG_S * NS_PER_S)), pipeline.status()


def texts_in(store):
    return [line for batch in store.hot() for line in batch["line"].to_pylist()]


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store") as store:
        yield store


@contextmanager
def piped(given, store, clock=None):
    pipeline = Pipeline({"net": given}, [], store, every_ns=NS_PER_MIN, clock=clock or Clock())
    with pipeline.running():
        wait_for(pipeline, lambda status: status.last_success_ns is not None)
        yield pipeline


def test_what_comes_is_stored_without_waiting_for_the_next_minute(store):
    given = source()
    with piped(given, store) as pipeline:  # whose clock stands still
        send(given, b"<13>one")
        wait_for(pipeline, lambda status: status.records == 1)
        stream(given, b"<13>two\n")
        wait_for(pipeline, lambda status: status.records == 2)

    assert texts_in(store) == [b"<13>one", b"<13>two"]


def test_what_could_not_be_stored_is_stored_later_and_connections_stay(store):
    given, clock, hindered = source(), Clock(), Hindered(store)
    with piped(given, hindered, clock) as pipeline, link_to(given) as link:
        hindered.failures = 1
        link.sendall(b"<13>one\n")
        wait_for(pipeline, lambda status: status.state == "failing")
        link.sendall(b"<13>two\n")
        send(given, b"<13>three")
        clock.now_ns += NS_PER_MIN
        pipeline.wake()
        wait_for(pipeline, lambda status: status.records == 3)

    assert texts_in(store)[0] == b"<13>one"
    assert sorted(texts_in(store)) == [b"<13>one", b"<13>three", b"<13>two"]


def waiting_bytes(given):
    """What the system holds of datagrams that nobody has read."""
    port = f":{place_of(given)[1]:04X}"
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[4].partition(":")[2], 16) for row in rows if row[1].endswith(port))


def test_what_has_come_before_the_end_is_stored(store):
    given = source(transports=("udp",))
    hindered = Hindered(store)
    with piped(given, hindered) as pipeline:
        hindered.failures = 1
        send(given, b"<13>one")
        wait_for(pipeline, lambda status: status.state == "failing")
        send(given, b"<13>two")
        while not waiting_bytes(given):  # the time limit of tests ends what never comes
            pass

    assert texts_in(store) == [b"<13>one", b"<13>two"]


def test_losses_are_counted_by_reason(store):
    given = source(most_bytes=480)
    with piped(given, store) as pipeline:
        send(given, b"<13>" + b"x" * 500)
        wait_for(pipeline, lambda status: status.records == 1)

    assert pipeline.telemetry.value(LOST, source="net", reason=TOO_LONG) == 24


def test_a_port_that_becomes_free_is_listened_at(store):
    given, clock = source(), Clock()
    pipeline = Pipeline({"net": given}, [], store, every_ns=NS_PER_MIN, clock=clock)
    with given.open("other", None), pipeline.running():
        wait_for(pipeline, lambda status: status.state == "failing")
        told = pipeline.status()[0].problem
    with piped(given, store) as pipeline:
        send(given, b"<13>one")
        wait_for(pipeline, lambda status: status.records == 1)

    assert given.address in told


# ── With real programs ──────────────────────────────────────────────────────────────────────────────────────


def settings_of(given):
    table = {"type": "syslog", "address": given.address}
    return Settings(sources={"net": table}, collect=CollectSettings(refresh_within="1m"))


@contextmanager
def serving(folder, given):
    collecting = settings_of(given)
    with opened(folder, collecting=collecting, toolsets="core,aggregate") as door, door.as_(ADMIN) as client:
        # The first question has the port opened; what is sent from then on is heard.
        client.get("/tools/tail_logs").raise_for_status()
        yield client


def found(client, query, count):
    """The texts of what a server finds, once so many records are there."""
    while True:  # the time limit of tests ends what never comes
        told = client.get("/tools/search_logs", params={"query": query, "limit": 50, "budget": 20_000}).json()
        items = [item for item in told.get("items", ()) if item.get("kind") != "counts"]
        if sum(item.get("count", 1) for item in items) >= count:
            return told, items


def test_the_program_logger_is_understood(tmp_path):
    logger = outside_program("logger", "apt-get install bsdutils")
    given = source()
    host, port = place_of(given)
    ways = [[way, form] for way in ("--udp", "--tcp") for form in ("--rfc3164", "--rfc5424")]
    ways += [["--tcp", "--octet-count", form] for form in ("--rfc3164", "--rfc5424")]
    with serving(tmp_path, given) as client:
        for number, way in enumerate(ways):
            command = [logger, "--server", host, "--port", str(port), "--tag", "billing", "--id=77"]
            subprocess.run([*command, "--priority", "auth.err", *way, "--", f"quota {number}"], check=True)
        machine = socket.gethostname()
        # The older form leaves the domain away.
        named = f'(host:"{machine}" OR host:"{machine.partition(".")[0]}")'
        query = f"facility:4 AND {named} AND app:billing AND pid:77 AND level=error AND service:billing"
        told, items = found(client, query, len(ways))

    assert told["summary"].startswith(f"{len(ways)} matches")
    assert all("quota" in item["text"] for item in items)


RSYSLOG = """
global(workDirectory="{folder}")
module(load="imfile" PollingInterval="1")
input(type="imfile" File="{folder}/app.log" Tag="billing:" Severity="error" Facility="local3")
action(type="omfwd" Target="127.0.0.1" Port="{port}" Protocol="tcp" TCP_Framing="octet-counted"
       Template="RSYSLOG_SyslogProtocol23Format")
action(type="omfwd" Target="127.0.0.1" Port="{port}" Protocol="udp" Template="RSYSLOG_TraditionalForwardFormat")
"""


@contextmanager
def rsyslog(folder, port):
    program = outside_program("rsyslogd", "apt-get install rsyslog")
    (folder / "rsyslog.conf").write_text(RSYSLOG.format(folder=folder, port=port))
    command = [program, "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "rsyslog.pid")]
    with subprocess.Popen(command) as running:
        try:
            yield
        finally:
            running.terminate()


def test_rsyslog_is_understood(tmp_path):
    given = source()
    (tmp_path / "app.log").write_text(
        "".join(f"quota of account {number} exceeded\n" for number in range(40))
    )
    with serving(tmp_path / "data", given) as client, rsyslog(tmp_path, place_of(given)[1]):
        told, _ = found(client, "facility:19 AND app:billing AND level=error AND quota", 80)

    assert told["summary"].startswith("80 matches")


# ── Beside everything else ──────────────────────────────────────────────────────────────────────────────────


def test_checking_the_settings_takes_nothing_from_it(tmp_path):
    given = source()
    (tmp_path / "logpith.toml").write_text(f'[sources.net]\ntype = "syslog"\naddress = "{given.address}"\n')

    def checked():
        findings = check_settings(None, environment=dict(os.environ), folder=tmp_path, now_ns=NOW)
        return next(finding for finding in findings if finding.place == "sources.net")

    assert checked().told == "syslog: can be listened at"
    with given.open("net", None):
        assert "cannot be listened at" in checked().problem
