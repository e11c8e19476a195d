"""Fluent: records to Fluentd, Fluent Bit and whatever else takes their forward protocol, each batch acknowledged.

Follows https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1, in its mode PackedForward.

    connect ─► [HELO ─► PING ─► PONG, where there is a shared key] ─► [tag, entries, {chunk}] ─► {ack: chunk} ─► …
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import Destination, LiveDestination, Outgoing, Written, write_only
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.extras import library
from logpith_emit.http import tls_context
from logpith_emit.posting import key_of
from logpith_emit.secret import Secret, without_password

_MOST_ANSWER_BYTES = 1 << 16
_EVENT_TIME = 0
_OWN_TAG = re.compile(r"(?=.{1,64}\Z)[a-z0-9_-]+(\.[a-z0-9_-]+)*")


@dataclass(frozen=True, kw_only=True)
class FluentDestination(Destination):
    """Sends records by the forward protocol. Records that come again stand there twice, with the same `record_id`."""

    type: ClassVar[str] = "fluent"

    host: str = "localhost"
    """Where it is."""

    port: int = 24_224
    """Its port."""

    tag: str = "logpith"
    """By which it is said there where records go on to."""

    by_tag: bool = False
    """Whether a record that has a `tag` of its own goes under that, too: `logpith.audit`. Such tags are of small
    letters, digits, `_`, `-` and `.`; what has another one goes without."""

    tls: bool = False
    """Whether it is spoken to over TLS."""

    ca_file: Path | None = None
    """Certificates to trust besides those of the machine."""

    insecure: bool = False
    """Trusts any certificate. Who stands in between then reads and changes everything."""

    shared_key: Secret = Secret("")  # noqa: RUF009 - a value that nobody can change
    """What both sides must know, if the other side has a `<security>`."""

    username: str = ""
    """Who logs in, where the other side wants somebody to."""

    password: Secret = Secret("")  # noqa: RUF009 - a value that nobody can change
    """The user's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.host or set("/ @") & set(self.host) or not 0 < self.port < 1 << 16:
            raise BadArgument(
                f"{without_password('tcp://' + self.address).removeprefix('tcp://')!r} is no address",
                remedy="Write a host, and a port below 65536",
            )
        if (self.ca_file or self.insecure) and not self.tls:
            raise BadArgument("There are settings of TLS, but no TLS", remedy="Write tls = true")
        if self.username and not self.shared_key:
            raise BadArgument("There is a username, but no shared_key", remedy="Give it both")

    @property
    def address(self) -> str:
        """Where it is, as it may be told."""
        return f"{self.host}:{self.port}"

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        live = _Forward(self, library("msgpack", "fluent"))
        try:
            yield live
        finally:
            live.close()


class _OddAnswer(Exception):  # noqa: N818 - what was answered, where something else was expected
    """The other side says what cannot be."""


class _Connection:
    """Messages to and fro, each in time."""

    def __init__(self, sock: socket.socket, unpacker: Any) -> None:
        self._socket = sock
        self._answers = unpacker

    def say(self, message: bytes, until_ns: int) -> None:
        self._socket.settimeout(_left_s(until_ns))
        self._socket.sendall(message)

    def next(self, until_ns: int) -> object:
        """What the other side says next; one that gives a byte now and then is given up, too."""
        while True:
            for answer in self._answers:
                return answer
            self._socket.settimeout(_left_s(until_ns))
            piece = self._socket.recv(_MOST_ANSWER_BYTES // 4)
            if not piece:
                raise EOFError
            self._answers.feed(piece)

    def close(self) -> None:
        self._socket.close()


class _Forward:
    def __init__(self, settings: FluentDestination, msgpack: Any) -> None:
        self._settings = settings
        self._msgpack = msgpack
        self._tls = tls_context(settings.ca_file, insecure=settings.insecure) if settings.tls else None
        # What has no form there, such as whole numbers of more than 64 bits, comes as text.
        self._pack = msgpack.Packer(default=str, unicode_errors="replace").pack
        self._connection: _Connection | None = None

    def write(self, records: Sequence[Outgoing]) -> Written:
        until_ns = SYSTEM_CLOCK.monotonic_ns() + int(self._settings.timeout_s * 1e9)
        refused: dict[str, str] = {}
        by_tag: dict[str, list[tuple[Outgoing, bytes]]] = {}
        for record in records:
            try:
                entry = self._pack([self._time(record), {"record_id": record.id, **record.fields}])
                by_tag.setdefault(self._tag_of(record), []).append((record, entry))
            except Refused as error:
                refused[record.id] = error.problem
            except ValueError as error:  # where JSON may be nested deeper than this
                refused[record.id] = f"it cannot be packed: {error}"
        left = {record.id for entries in by_tag.values() for record, _ in entries}
        failure: Unavailable | None = None
        for number, (tag, entries) in enumerate(by_tag.items()):
            try:
                self._send_entries(tag, entries, until_ns)
            except Unavailable as error:
                if not number:
                    raise
                failure = error  # what was acknowledged before need not come again
                break
            left -= {record.id for record, _ in entries}
        return Written(refused=refused, again=frozenset(left), why_again=failure)

    query = write_only

    def _tag_of(self, record: Outgoing) -> str:
        own = record.fields.get("tag") if self._settings.by_tag else None
        # It becomes a part of names there, of files even: nothing else may be in it.
        is_plain = isinstance(own, str) and _OWN_TAG.fullmatch(own)
        return f"{self._settings.tag}.{own}" if is_plain else self._settings.tag

    def _send_entries(self, tag: str, entries: Sequence[tuple[Outgoing, bytes]], until_ns: int) -> None:
        # The same records have the same name whenever they come again.
        chunk = b64encode(bytes.fromhex(key_of([record for record, _ in entries]))).decode()
        option = {"chunk": chunk, "size": len(entries)}
        packed = b"".join(entry for _, entry in entries)
        self._send(self._pack([tag, packed, option]), chunk.encode(), until_ns)

    def _time(self, record: Outgoing) -> object:
        """Seconds and nanoseconds in an extension of its own, which ends in 2106; the record has its time, too."""
        seconds, nanoseconds = divmod(record.timestamp, 1_000_000_000)
        if not 0 <= seconds < 1 << 32:
            return 0
        return self._msgpack.ExtType(_EVENT_TIME, seconds.to_bytes(4, "big") + nanoseconds.to_bytes(4, "big"))

    def _send(self, message: bytes, chunk: bytes, until_ns: int) -> None:
        """Returns when a chunk is acknowledged."""
        was_kept = self._connection is not None
        try:
            with self._in_our_errors():
                try:
                    self._ask(message, chunk, until_ns)
                except (ConnectionError, EOFError):
                    self.close()
                    if not was_kept:
                        raise
                    self._ask(message, chunk, until_ns)  # it may have been ended meanwhile: then anew, once
        except BaseException:
            self.close()  # what was not answered may still be, to the next chunk
            raise

    def _ask(self, message: bytes, chunk: bytes, until_ns: int) -> None:
        if self._connection is None:
            self._connection = self._connect(until_ns)
            if self._settings.shared_key:
                self._shake_hands(self._connection, until_ns)
        self._connection.say(message, until_ns)
        answer = self._connection.next(until_ns)
        if isinstance(answer, list) and answer[:1] == [b"HELO"]:
            raise self._unavailable("wants a shared key", "Give it as shared_key")
        if not isinstance(answer, dict) or answer.get(b"ack") != chunk:
            raise _OddAnswer(f"{answer!r:.100}")

    def _connect(self, until_ns: int) -> _Connection:
        to = (self._settings.host, self._settings.port)
        sock = socket.create_connection(to, _left_s(until_ns))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock.settimeout(_left_s(until_ns))
                sock = self._tls.wrap_socket(sock, server_hostname=self._settings.host)
        except BaseException:
            sock.close()
            raise
        unpacker = self._msgpack.Unpacker(raw=True, strict_map_key=False, max_buffer_size=_MOST_ANSWER_BYTES)
        return _Connection(sock, unpacker)

    def _shake_hands(self, connection: _Connection, until_ns: int) -> None:
        """Both sides prove that they know the shared key, and the user the password."""
        helo = connection.next(until_ns)
        if not isinstance(helo, list) or len(helo) < 2 or helo[0] != b"HELO" or not isinstance(helo[1], dict):
            raise _OddAnswer(f"{helo!r:.100}")
        nonce, auth = (_bytes(helo[1].get(name) or b"") for name in (b"nonce", b"auth"))
        settings = self._settings
        key, own, salt = settings.shared_key.reveal(), socket.gethostname(), os.urandom(16)
        login = (settings.username, settings.password.reveal()) if auth else None
        ping = ["PING", own, salt, _digest(salt, own.encode(), nonce, key.encode())]
        ping += [login[0], _digest(auth, *(part.encode() for part in login))] if login else ["", ""]
        connection.say(self._pack(ping), until_ns)
        pong = connection.next(until_ns)
        if not isinstance(pong, list) or len(pong) < 5 or pong[0] != b"PONG":
            raise _OddAnswer(f"{pong!r:.100}")
        _, is_welcome, reason, name, proof = pong[:5]
        if not is_welcome:
            raise self._unavailable(
                f"refuses the login: {_bytes(reason).decode('utf-8', 'replace')[:300]}",
                "Mend the login; the records wait",
            )
        # Who sends back what it was sent knows nothing.
        if name == own.encode() or _bytes(proof) != _digest(salt, _bytes(name), nonce, key.encode()).encode():
            raise self._unavailable("does not know the shared key", "See who listens there")

    @contextmanager
    def _in_our_errors(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            what = f"did not acknowledge within {self._settings.timeout_s:g} s"
            raise self._unavailable(what) from error
        except ssl.SSLCertVerificationError as error:
            raise self._unavailable(
                f"shows a certificate that is not trusted: {error.verify_message}",
                "Name the certificates to trust as ca_file",
            ) from error
        except EOFError as error:
            raise self._unavailable("ended the connection") from error
        except OSError as error:
            raise self._unavailable(f"cannot be reached: {error.strerror or error}") from error
        except (_OddAnswer, ValueError, TypeError, self._msgpack.UnpackException) as error:
            raise self._unavailable(f"gives an answer that is none of this protocol: {error}") from error

    def _unavailable(self, what: str, remedy: str = "See to that server") -> Unavailable:
        return Unavailable(f"{self._settings.address} {what}", remedy=remedy)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _left_s(until_ns: int) -> float:
    left_s = (until_ns - SYSTEM_CLOCK.monotonic_ns()) / 1e9
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise _OddAnswer(f"{value!r:.100} is no text")
    return value


def _digest(*parts: bytes) -> str:
    return hashlib.sha512(b"".join(parts)).hexdigest()
