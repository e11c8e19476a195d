"""Asking by HTTP: one request, no redirect, a bounded answer, a bounded time from beginning to end."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

import msgspec

from logpith_emit.errors import BadArgument, LogpithError, Refused, Unavailable
from logpith_emit.secret import Secret, without_password

_PIECE_BYTES = 1 << 16
_MOST_SHOWN = 300
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which asking again may work."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked, and how long and how much an answer may be."""

    url: str
    token: Secret
    timeout_s: float
    most_bytes: int
    body: bytes | None = None
    """With a body it is a POST, without one a GET."""

    headers: Mapping[str, str] = field(default_factory=dict)
    certificates: str = ""


class _Complaint(msgspec.Struct):
    code: str = ""
    message: str = ""
    hint: str = ""


class _Failed(msgspec.Struct):
    error: _Complaint | str = ""


def check_url(url: str, token: Secret, *, insecure: bool) -> None:
    """Nothing, when an address may be asked with a token.

    Raises:
        BadArgument: it is none, or others could read the token on its way.
    """
    parts = _parts_of(url)
    if token and parts.scheme == "http" and not insecure and not _is_loopback(parts.hostname or ""):
        raise BadArgument(
            f"url: {without_password(url)} would show the token to everybody on the way",
            remedy="Use https, or set insecure = true where the way is safe",
        )


def fetch(request: Request) -> bytes:
    """The body of the answer.

    Raises:
        Unavailable: it did not answer, or not in time, or asks to come again.
        Refused: it does not let us, or answers with what cannot be used.
    """
    parts = _parts_of(request.url)
    shown = without_password(request.url)
    connection = _connection(parts, request)
    expired = threading.Event()
    try:
        try:
            connection.connect()
            with _within(connection.sock, request.timeout_s, expired):
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                method = "GET" if request.body is None else "POST"
                connection.request(method, target, body=request.body, headers=_headers(request))
                with connection.getresponse() as response:
                    body = _read(response, request.most_bytes)
        except (OSError, HTTPException) as error:
            if expired.is_set():
                raise _too_slow(shown, request) from error
            raise _unreachable(shown, error) from error
        if expired.is_set():
            raise _too_slow(shown, request)
        if body is None:
            raise Refused(
                f"{shown} answers with more than {request.most_bytes:,} bytes",
                remedy="Ask for fewer lines, or raise most_bytes",
            )
        if response.status != 200:
            raise _complaint_of(response.status, body, shown)
        if response.getheader("Content-Encoding", "identity") != "identity":
            raise Refused(f"{shown} answers packed, which was not asked for", remedy="Let it answer as it is")
        return body
    finally:
        connection.close()


def _parts_of(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or any(letter.isspace() or not letter.isprintable() for letter in url):
        raise BadArgument(
            "url: it is no address of a web server", remedy="Write one like https://logs.example/fetch"
        )
    if parts.username is not None:
        raise BadArgument("url: it holds a password", remedy="Use the setting token")
    return parts


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _connection(parts: SplitResult, request: Request) -> HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port, timeout=request.timeout_s)
    try:
        context = ssl.create_default_context(cafile=request.certificates or None)
    except OSError as error:
        raise Refused(
            f"certificates: {request.certificates} cannot be read", remedy="Check the path"
        ) from error
    return HTTPSConnection(host, parts.port, timeout=request.timeout_s, context=context)


def _headers(request: Request) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity", "User-Agent": "logpith", **request.headers}
    if request.token:
        headers["Authorization"] = f"Bearer {request.token.reveal()}"
    return headers


class _within:  # noqa: N801  # reads as a word: `with _within(…)`
    """Ends a connection that takes too long as a whole: a socket's own limit begins anew with each byte."""

    def __init__(self, sock: socket.socket, limit_s: float, expired: threading.Event) -> None:
        self._timer = threading.Timer(limit_s, self._end)
        self._timer.daemon = True
        self._sock, self._expired = sock, expired

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self._expired.set()
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


def _read(response: HTTPResponse, most_bytes: int) -> bytes | None:
    """The whole body; None when it is larger than it may be."""
    parts: list[bytes] = []
    size = 0
    while piece := response.read(_PIECE_BYTES):
        size += len(piece)
        if size > most_bytes:
            return None
        parts.append(piece)
    return b"".join(parts)


def _too_slow(shown: str, request: Request) -> Unavailable:
    return Unavailable(f"{shown} did not answer within {request.timeout_s:g} s", remedy="Raise timeout_s")


def _unreachable(shown: str, error: Exception) -> LogpithError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(
            f"the certificate of {shown} is not to be trusted: {error.verify_message}",
            remedy="Name the file of the authority that signed it in certificates",
        )
    why = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return Unavailable(f"{shown} cannot be asked: {_printable(why)}", remedy="Check address and network")


def _complaint_of(status: int, body: bytes, shown: str) -> LogpithError:
    """What an answer that is no success says, in our own terms."""
    complaint = _Complaint()
    with suppress(msgspec.DecodeError):
        told = msgspec.json.decode(body, type=_Failed).error
        complaint = told if isinstance(told, _Complaint) else _Complaint(message=told)
    why = f": {_printable(complaint.message)}" if complaint.message else ""
    problem = f"{shown} answers {status}{why}"
    if status in _AGAIN:
        return Unavailable(problem, remedy=_printable(complaint.hint) or "It is asked again")
    if status in (401, 403):
        return Refused(problem, remedy=_printable(complaint.hint) or "Check the token")
    if 300 <= status < 400:
        return Refused(problem, remedy="Write the address that it leads to; redirects are not followed")
    return Refused(problem, remedy=_printable(complaint.hint) or "Check the address")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_MOST_SHOWN]
