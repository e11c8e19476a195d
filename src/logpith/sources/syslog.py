"""Syslog: what programs and machines send by the syslog protocol, over UDP (RFC 5426) and TCP (RFC 6587).

A record's text is the message as it came, RFC 5424 or RFC 3164; host, program and facility are found in it. What comes
by TCP is durable before more is read from any connection, so a sender waits rather than that something is lost here;
what the system had to throw away of UDP is counted. A message that could not be stored is given again.
"""

from __future__ import annotations

import ipaddress
import re
import selectors
import socket
import struct
import zoneinfo
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import ClassVar, Literal

from logpith.batch import MOST_RECORDS, Batch, make_batch
from logpith.formats.severity_words import severity_in
from logpith.formats.times import times_of
from logpith.sources import Delivery, Source
from logpith.sources.framing import TOO_LONG, Framing
from logpith.sources.reading import attributes_of
from logpith.timerange import NS_PER_D, NS_PER_S
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.severity import SYSLOG

SOCKET_FULL = "socket_full"
STRANGER = "stranger"

_POSITION = "{}"
_PEER = "network.peer.address"
_MOST_DELIVERED_BYTES = 8 << 20
_MOST_ROUNDS = 16
"""Deliveries of one poll: a flood must not keep whoever waits for it."""

_READ_BYTES = 1 << 18
_MOST_DATAGRAMS = 4_096
"""What is read of one socket before the others have their turn."""

_DATAGRAM_BYTES = 1 << 16
_BUFFER_BYTES = 4 << 20
_MOST_KNOWN_PEERS = 4_096
_SO_RXQ_OVFL = 40  # Linux tells with each datagram how many had no room; Python has no name for it.
_ANCILLARY_BYTES = 64

_PRIORITY = re.compile(rb"<(\d{1,3})>")
_MOST_PRIORITY = 191
_HEAD = re.compile(
    rb"(?:<\d{1,3}>)?"
    rb"(?:1 (?P<time5>\S{1,64}) \S{1,255} (?P<app5>\S{1,255}) "
    rb"|(?P<time>[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?[\d:.]{8,20}|\d{4}-\d\d-\d\dT\S{1,40}) "
    rb"(?:[^\s:\[]{1,255} )?(?P<app>[^\s:\[]{1,255})(?:\[[^\]\s]{0,255}\])?:"
    rb"|(?P<time_alone>[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?[\d:.]{8,20}) )"
)
"""What is needed of a head at once: its time, and the program. Queries find the rest in the text."""


@dataclass(frozen=True, kw_only=True)
class SyslogSource(Source):
    """Records that programs and machines send by syslog, to a port of this machine."""

    type: ClassVar[str] = "syslog"
    listens: ClassVar[bool] = True

    address: str = "127.0.0.1:5514"
    """Address and port to listen at. Nobody has to prove who they are, so at first only this machine is listened to."""

    transports: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")
    """Over what: a message by TCP arrives or its sender knows; by UDP it may get lost on the way."""

    senders: tuple[str, ...] = ("127.0.0.0/8", "::1")
    """Addresses and networks that may send: `10.1.0.0/16`. What others send is not looked at, and counted."""

    most_bytes: int = field(default=65_536, metadata={"minimum": 480, "maximum": 1 << 20})
    """Bytes of a message; of a longer one the rest is left out, and counted."""

    most_connections: int = field(default=200, metadata={"minimum": 1, "maximum": 10_000})
    """Connections at once; further ones wait until one ends."""

    time_zone: str = "UTC"
    """Where senders are whose times name no zone, as those of RFC 3164 do: `Europe/Vienna`."""

    def __post_init__(self) -> None:
        host = _host_and_port(self.address)[0]
        if not self.transports:
            raise BadArgument("transports: it names none", remedy='Write transports = ["udp", "tcp"]')
        networks = _networks(self.senders)
        if not ipaddress.ip_address(host).is_loopback and all(one.is_loopback for one in networks):
            raise BadArgument(
                f"address: others reach {host}, and senders does not say who may send",
                remedy='Write senders = ["10.1.0.0/16"], or 127.0.0.1 as address',
            )
        _zone(self.time_zone)

    @contextmanager
    def open(self, name: str, position: str | None) -> Iterator[LiveSyslog]:
        """See `Source.open`.

        Raises:
            Unavailable: something else listens there.
            Refused: this user must not listen there.
        """
        with ExitStack() as opened:
            yield LiveSyslog(self, name, opened)


class LiveSyslog:
    """A port while it is listened to. `poll` and `wait` may run on two threads."""

    def __init__(self, source: SyslogSource, name: str, opened: ExitStack) -> None:
        self._source = source
        self._name = name
        self._attributes = attributes_of(source.attributes)
        self._zone = _zone(source.time_zone)
        self._senders = Senders(source.senders)
        self.losses: Counter[str] = Counter()
        """What was lost and is not told yet."""

        self._overflows: dict[socket.socket, int] = {}
        self._framings: dict[socket.socket, tuple[str, Framing]] = {}
        self._pending: deque[Delivery] = deque()
        """What was received, and is not known to be stored."""

        self._accepts_from_ns = 0
        self._is_closing = False
        self._selector = opened.enter_context(selectors.DefaultSelector())
        self._bell, bell_end = (opened.enter_context(end) for end in socket.socketpair())
        self._selector.register(bell_end, selectors.EVENT_READ)
        self._listener = opened.enter_context(_listener(source)) if "tcp" in source.transports else None
        if "udp" in source.transports:
            udp = opened.enter_context(_bound(source, socket.SOCK_DGRAM))
            self._selector.register(udp, selectors.EVENT_READ, self._read_datagrams)
        opened.callback(self._hang_up)
        self._accept_or_not(0)

    def poll(self, now_ns: int, *, at_once: bool = False) -> Iterator[Delivery]:
        """See `LiveSource.poll`: first again what could not be stored."""
        for _ in range(_MOST_ROUNDS):
            while self._pending:
                yield self._pending[0]
                self._pending.popleft()  # it is stored, since the next one is asked for
            self._accept_or_not(now_ns)
            messages = self._receive(now_ns)
            if not messages and (at_once or not self.losses):
                return  # what strangers send is no reason to write something each time
            losses, self.losses = +self.losses, Counter()
            for first in range(0, max(len(messages), 1), MOST_RECORDS):
                batch = self._batch(messages[first : first + MOST_RECORDS], now_ns)
                self._pending.append(Delivery(batch=batch, position=_POSITION, losses=losses))
                losses = Counter()

    def wait(self) -> bool:
        """See `ListeningSource.wait`."""
        self._selector.select()
        return not self._is_closing

    def stop_waiting(self) -> None:
        """See `ListeningSource.stop_waiting`."""
        self._is_closing = True
        self._bell.send(b"\0")

    def _receive(self, now_ns: int) -> list[tuple[str, bytes]]:
        """(sender, message): what there is now, as much as one delivery should hold."""
        messages: list[tuple[str, bytes]] = []
        size = 0
        while size < _MOST_DELIVERED_BYTES and len(messages) < MOST_RECORDS:
            before = len(messages)
            ready = [key for key, _ in self._selector.select(0) if key.data is not None]
            for key in ready:
                key.data(key.fileobj, messages, now_ns)
            if not ready:
                break
            size += sum(len(text) for _, text in messages[before:])
        return messages

    def _accept(self, listener: socket.socket, _messages: list[tuple[str, bytes]], now_ns: int) -> None:
        try:
            link, (peer, *_) = listener.accept()
        except (BlockingIOError, ConnectionError):  # it has gone again
            return
        except OSError:  # there is no room for another one in this process or system
            self._accepts_from_ns = now_ns + NS_PER_S
            self._accept_or_not(now_ns)
            return
        if not self._senders.may_send(peer):
            self.losses[STRANGER] += 1
            link.close()
            return
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._framings[link] = (_plain(peer), Framing(self._source.most_bytes))
        self._selector.register(link, selectors.EVENT_READ, self._read_stream)
        self._accept_or_not(now_ns)

    def _accept_or_not(self, now_ns: int) -> None:
        """Takes further connections as long as there is room for them."""
        if self._listener is None:
            return
        has_room = len(self._framings) < self._source.most_connections and now_ns >= self._accepts_from_ns
        accepts = self._listener in self._selector.get_map()
        if has_room and not accepts:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        elif accepts and not has_room:
            self._selector.unregister(self._listener)

    def _read_stream(self, link: socket.socket, messages: list[tuple[str, bytes]], now_ns: int) -> None:
        peer, framing = self._framings[link]
        try:
            data = link.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        found = framing.feed(data) if data else framing.end()
        messages += [(peer, text) for one in found if (text := one.rstrip(b"\r\n\0"))]
        self.losses += framing.losses
        framing.losses.clear()
        if not data:
            self._selector.unregister(link)
            del self._framings[link]
            link.close()
            self._accept_or_not(now_ns)

    def _read_datagrams(self, udp: socket.socket, messages: list[tuple[str, bytes]], _now_ns: int) -> None:
        # One by one: a datagram is a system call.
        for _ in range(_MOST_DATAGRAMS):
            try:
                data, ancillary, _, (peer, *_) = udp.recvmsg(_DATAGRAM_BYTES, _ANCILLARY_BYTES)
            except OSError:  # there are no more
                return
            for level, kind, told in ancillary:
                if level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL:
                    self._note_overflow(udp, struct.unpack("I", told[:4])[0])
            if not self._senders.may_send(peer):
                self.losses[STRANGER] += 1
                continue
            text = data.rstrip(b"\r\n\0")
            if len(text) > self._source.most_bytes:
                self.losses[TOO_LONG] += len(text) - self._source.most_bytes
            if text:
                messages.append((_plain(peer), text[: self._source.most_bytes]))

    def _note_overflow(self, udp: socket.socket, total: int) -> None:
        """Counts what the system has thrown away since the last time; it tells how much in all, in 32 bits."""
        new = (total - self._overflows.get(udp, 0)) & 0xFFFFFFFF
        self._overflows[udp] = total
        if new:
            self.losses[SOCKET_FULL] += new

    def _hang_up(self) -> None:
        for link in self._framings:
            link.close()

    def _batch(self, messages: Sequence[tuple[str, bytes]], now_ns: int) -> Batch:
        """Messages as records. They are looked at one by one, since one may have lines, and none is another's."""
        heads = [_HEAD.match(text) for _, text in messages]
        extras = {peer: {**self._attributes, _PEER: peer} for peer in {peer for peer, _ in messages}}
        return make_batch(
            [text for _, text in messages],
            observed_ns=now_ns,
            source=self._name,
            timestamps=self._times(heads, now_ns),
            severities=[_severity(text) for _, text in messages],
            services=[_program(head) or self._source.service for head in heads],
            extras=[extras[peer] for peer, _ in messages],
        )

    def _times(self, heads: Sequence[re.Match[bytes] | None], now_ns: int) -> list[int | None]:
        told = [
            (head["time5"] or head["time"] or head["time_alone"]).decode("ascii", "replace") if head else ""
            for head in heads
        ]
        # A sender's clock may be ahead of ours, and its zone is not known yet: that is no reason to take its time for
        # last year's.
        times = times_of(told, now_ns + 2 * NS_PER_D)
        return [
            time - _offset_ns(time, self._zone) if time is not None and "T" not in text else time
            for time, text in zip(times, told, strict=True)
        ]


class Senders:
    """Who may send."""

    def __init__(self, senders: Sequence[str]) -> None:
        self._networks = _networks(senders)
        self._known: dict[str, bool] = {}

    def may_send(self, peer: str) -> bool:
        known = self._known.get(peer)
        if known is None:
            address = ipaddress.ip_address(_plain(peer))
            known = any(address in network for network in self._networks)
            if len(self._known) >= _MOST_KNOWN_PEERS:
                self._known.clear()
            self._known[peer] = known
        return known


def _plain(peer: str) -> str:
    """An address without its scope, and one of IPv4 as such."""
    return peer.partition("%")[0].removeprefix("::ffff:")


def _listener(source: SyslogSource) -> socket.socket:
    listener = _bound(source, socket.SOCK_STREAM)
    listener.listen(128)
    return listener


def _bound(source: SyslogSource, kind: socket.SocketKind) -> socket.socket:
    host, port = _host_and_port(source.address)
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        bound.setblocking(False)
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            with suppress(OSError):
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            with suppress(OSError):  # only Linux counts
                bound.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        bound.bind((host, port))
    except PermissionError as error:
        bound.close()
        raise Refused(
            f"this user must not listen at {source.address}", remedy="Take a port above 1023, such as 5514"
        ) from error
    except OSError as error:
        bound.close()
        raise Unavailable(
            f"{source.address} cannot be listened at: {error.strerror}",
            remedy="End what listens there, or take another address",
        ) from error
    return bound


def _host_and_port(address: str) -> tuple[str, int]:
    """Raises:
    BadArgument: it is none.
    """
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
        if port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535:
            return host, int(port)
    except ValueError:
        pass
    raise BadArgument(f"address: {address[:60]!r} is none", remedy="Write 127.0.0.1:5514 or [::1]:5514")


def _networks(senders: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Raises:
    BadArgument: one of them is none.
    """
    networks = []
    for text in senders:
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise BadArgument(
                f"senders: {text[:60]!r} is no network", remedy="Write one like 10.1.0.0/16 or 10.1.2.3"
            ) from error
    return networks


def _zone(name: str) -> tzinfo:
    """Raises:
    BadArgument: there is none of that name.
    """
    if name == "UTC":
        return UTC  # known also where the system knows no zones
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise BadArgument(
            f"time_zone: there is no {name[:60]!r}", remedy="Write one like Europe/Vienna, or UTC"
        ) from error


def _offset_ns(time_ns: int, zone: tzinfo) -> int:
    """By how much a clock on a wall of that zone, which shows this time, is ahead of UTC."""
    shown = datetime.fromtimestamp(time_ns // NS_PER_S, UTC).replace(tzinfo=zone)
    offset = shown.utcoffset()
    return int(offset.total_seconds()) * NS_PER_S if offset else 0


def _severity(text: bytes) -> int:
    """As the message's priority says; without one as its words do."""
    told = _PRIORITY.match(text)
    if told and int(told[1]) <= _MOST_PRIORITY:
        return SYSLOG[int(told[1]) % len(SYSLOG)]
    return severity_in(text)


def _program(head: re.Match[bytes] | None) -> str:
    """The program that has written a message; empty when it does not say."""
    named = (head["app5"] or head["app"] or b"") if head else b""
    return "" if named == b"-" else named.decode("utf-8", "backslashreplace")
