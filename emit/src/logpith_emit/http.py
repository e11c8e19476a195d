"""HTTP as destinations speak it: one connection that is kept, a limit on how long everything takes, and errors in our
two kinds. By the standard library; certificates are verified, and what verifies others is named, never switched off in
silence.
"""

from __future__ import annotations

import gzip
import re
import socket
import ssl
from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.secret import without_password

MOST_ANSWER_BYTES = 64 << 20
"""What an answer may have; nothing that takes records says more."""

_MAY_BE_MENDED = frozenset({401, 403, 404, 405, 407, 408, 409, 421, 423, 425, 429})
_TOLD_CHARACTERS = 300
_UNSENDABLE = re.compile(r"[\x00-\x20\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[ \t!-~]*")


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    """By names in lower case."""


class HttpClient:
    """Asks one server. For one thread at a time."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
        insecure: bool = False,
    ) -> None:
        """Connects when it first asks. `ca_file` has the certificates that are trusted besides those of the machine;
        `insecure` trusts anybody.

        Raises:
            BadArgument: the address is none of HTTP, a header cannot be sent, or the certificates cannot be read.
        """
        _check_headers(headers or {})
        self._address = address_of(url)
        self.shown = without_password(url)
        """The address, as it may be told."""

        self._timeout_s = timeout_s
        self._headers = dict(headers or {})
        self._tls = tls_context(ca_file, insecure=insecure) if self._address.scheme == "https" else None
        self._connection: HTTPConnection | None = None

    def post(
        self,
        body: bytes,
        path: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        compressed: bool = False,
    ) -> Answer:
        """What the server says to a body, posted below its address; 2xx only.

        Raises:
            Unavailable: it cannot be reached, takes too long, or says that it cannot now, which 401 and 404 are, too:
                both may be mended.
            Refused: it will never take this body, such as 400, 413 and 422.
        """
        if compressed:
            body = gzip.compress(body, 3, mtime=0)
            headers = {**(headers or {}), "Content-Encoding": "gzip"}
        return self.request("POST", path, body, headers)

    def request(
        self,
        method: str,
        path: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        also: Container[int] = (),
    ) -> Answer:
        """What the server says; as `post`. `also` has other statuses that are answers here."""
        answer = self._exchange(method, path, body, {**self._headers, **(headers or {})})
        if not 200 <= answer.status < 300 and answer.status not in also:
            raise _error(self.shown, answer)
        return answer

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None

    def _exchange(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One question and its answer. A connection that was kept may have been closed meanwhile: then a new one is
        tried, once."""
        until_ns = SYSTEM_CLOCK.monotonic_ns() + int(self._timeout_s * 1e9)
        was_kept = self._connection is not None
        try:
            try:
                return self._ask(method, path, body, headers, until_ns)
            except (ConnectionError, HTTPException):
                self.close()
                if not was_kept:
                    raise
                return self._ask(method, path, body, headers, until_ns)
        except TimeoutError as error:
            self.close()
            raise Unavailable(
                f"{self.shown} did not answer within {self._timeout_s:g} s", remedy="See to that server"
            ) from error
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise Unavailable(
                f"{self.shown} shows a certificate that is not trusted: {error.verify_message}",
                remedy="Name the certificates to trust as ca_file",
            ) from error
        except (OSError, HTTPException) as error:
            self.close()
            raise Unavailable(
                f"{self.shown} cannot be reached: {_told(error)}", remedy="See to that server"
            ) from error
        except BaseException:
            self.close()  # what was asked may still be answered, to the next question
            raise

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str], until_ns: int) -> Answer:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._connected(_left_s(until_ns))
            connection.connect()
        connection.sock.settimeout(_left_s(until_ns))
        connection.response_class = partial(_response, until_ns)  # type: ignore[assignment]  # it is called, and no more
        connection.request(method, self._target(path), body, dict(headers))
        said = bytearray()
        with connection.getresponse() as response:
            while piece := response.read1(1 << 16):
                said += piece
                if len(said) > MOST_ANSWER_BYTES:
                    raise HTTPException(f"an answer of more than {MOST_ANSWER_BYTES} bytes")
        if response.length:
            raise IncompleteRead(bytes(said), response.length)
        if response.will_close:
            self.close()
        return Answer(response.status, bytes(said), _lowered(response))

    def _connected(self, timeout_s: float) -> HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._tls is None:
            return HTTPConnection(host, port, timeout=timeout_s)
        return HTTPSConnection(host, port, timeout=timeout_s, context=self._tls)

    def _target(self, path: str) -> str:
        query = f"?{self._address.query}" if self._address.query else ""
        return (self._address.path.rstrip("/") + path or "/") + query


def _response(until_ns: int, sock: socket.socket, *given: Any, **named: Any) -> HTTPResponse:
    """The answer that a connection reads, which ends in time."""
    return HTTPResponse(_Timed(sock, until_ns), *given, **named)  # type: ignore[arg-type]  # asked for a file only


class _Timed(RawIOBase):
    """What a server sends until a moment. One that gives a byte now and then, be it of its headers, never runs into the
    socket's own limit."""

    def __init__(self, sock: socket.socket, until_ns: int) -> None:
        self._sock = sock
        self._until_ns = until_ns
        self._file = sock.makefile("rb", buffering=0)  # keeps the socket open as long as this is read

    def makefile(self, _mode: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # the type of buffers is known from Python 3.12 on
        self._sock.settimeout(_left_s(self._until_ns))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


def address_of(url: str) -> SplitResult:
    """An address in its parts.

    Raises:
        BadArgument: it is none of HTTP, or has a password in it.
    """
    try:
        address = urlsplit(url)
        is_one = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
        is_one = is_one and not _UNSENDABLE.search(url)
    except ValueError:
        is_one = False
    if not is_one:
        raise BadArgument(
            f"{without_password(url)!r} is no address of HTTP", remedy="Write https://host:port/path"
        )
    if address.username or address.password:
        raise BadArgument(
            f"{without_password(url)!r} has a password in it", remedy="Give it as a setting of its own"
        )
    return address


def _check_headers(headers: Mapping[str, str]) -> None:
    """Whether they can be sent; what would refuse them later tells their values, which may be secret."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadArgument(
                f"The header {name!r} holds what cannot be sent", remedy="Look for line breaks at its end"
            )


def tls_context(ca_file: Path | None, *, insecure: bool) -> ssl.SSLContext:
    """Trusts the certificates of the machine and those of a file; or, `insecure`, any.

    Raises:
        BadArgument: the file has no certificates.
    """
    context = ssl.create_default_context()
    try:
        if ca_file is not None:
            context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise BadArgument(f"{ca_file} has no certificates: {_told(error)}", remedy="Check ca_file") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _left_s(until_ns: int) -> float:
    left_s = (until_ns - SYSTEM_CLOCK.monotonic_ns()) / 1e9
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _lowered(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _told(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(
        error
    ).__name__


def _error(shown: str, answer: Answer) -> Refused | Unavailable:
    told = answer.body[:_TOLD_CHARACTERS].decode("utf-8", "replace")
    said = " ".join("".join(one if one.isprintable() else " " for one in told).split())
    problem = f"{shown} says {answer.status}{f': {said}' if said else ''}"
    if answer.status in (401, 403, 407):
        return Unavailable(problem, remedy="Mend the login; the records wait")
    if answer.status >= 500 or answer.status in _MAY_BE_MENDED or answer.status < 400:
        return Unavailable(
            problem,
            remedy="See to that server",
            retry_after_s=_retry_after_s(answer.headers.get("retry-after", "")),
        )
    return Refused(problem, remedy="Look at the dead letters")


def _retry_after_s(told: str) -> float:
    """How long a `Retry-After` wants one to wait: seconds or a date; an hour at most, 0 where it says nothing."""
    if told.strip().isdecimal():
        return min(float(told), 3_600.0)
    try:
        wait_s = parsedate_to_datetime(told).timestamp() - SYSTEM_CLOCK.now_ns() / 1e9
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(wait_s, 0.0), 3_600.0)
