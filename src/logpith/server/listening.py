"""Listening: sockets, TLS, patience with clients, and an end that loses nothing.

Who opens connections and says nothing costs a descriptor each, and is cut off; who wants to read what was asked
slower than anybody would is, too. An end (SIGTERM, SIGINT) finishes what was begun: no new connections, streams told to
go, requests answered, and only then the store closed.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from logpith.server.live import Live
from logpith.settings import is_loopback, open_without_tls
from logpith_emit.errors import Refused, Unavailable

HEADER_LIMIT_S = 10
"""Seconds within which a connection must have sent all headers of a request."""

IDLE_LIMIT_S = 30
END_LIMIT_S = 20
MOST_CONNECTIONS = 5_000
"""Open at once; a further one is closed, since an idle one costs little and shall not keep out who has come."""

MOST_HEADER_BYTES = 32 << 10

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where and how a server listens."""

    host: str = "127.0.0.1"
    port: int = 8850
    certificate: Path | None = None
    """A PEM file with the certificate and what leads to it; with `key` it is served with TLS."""

    key: Path | None = None

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """The address as one types it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


def check_listening(listening: Listening, *, has_tokens: bool, insecure: bool) -> None:
    """Nothing, when it is safe to listen so, or somebody has said that they mean it.

    Raises:
        Refused: others could read along, or come in.
    """
    if not has_tokens and not listening.is_loopback:
        raise Refused(
            f"without tokens {listening.host} would be open to everybody",
            remedy="Leave --no-token out, or listen on 127.0.0.1",
        )
    if listening.is_loopback or insecure:
        return
    if listening.certificate is None or listening.key is None:
        raise open_without_tls(listening.host)


def open_socket(listening: Listening) -> socket.socket:
    """The socket, bound; a port of 0 becomes a free one.

    Raises:
        Unavailable: the port is taken.
        Refused: there is no such address here.
    """
    try:
        found = socket.getaddrinfo(listening.host, listening.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except socket.gaierror as error:
        raise Refused(
            f"there is no address {listening.host}", remedy="Try --listen 127.0.0.1:8850"
        ) from error
    except OSError as error:
        raise Unavailable(
            f"{listening.host}:{listening.port} cannot be listened on: {error.strerror}",
            remedy="End what listens there, or name another port with --listen",
        ) from error
    return bound


class Server(uvicorn.Server):
    """A server that tells its streams to go before it waits for them."""

    def __init__(self, app: ASGIApp, live: Live, listening: Listening) -> None:
        super().__init__(_config(app, listening))
        self._live = live
        self.has_started = threading.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends at the first signal, at once at the second. uvicorn would raise it anew when it has ended, and so
        end the process before the store is closed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_started.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._live.close()
        await super().shutdown(sockets)


@contextmanager
def serving(app: ASGIApp, live: Live, listening: Listening) -> Iterator[int]:
    """Serves on a thread while the block runs; gives the port."""
    bound = open_socket(listening)
    server = Server(app, live, listening)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="http")
    thread.start()
    try:
        while not server.has_started.wait(0.05):
            if not thread.is_alive():
                raise Unavailable("the server did not start", remedy="Its log tells why")
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def _config(app: ASGIApp, listening: Listening) -> uvicorn.Config:
    tls = tls_context(listening)
    return uvicorn.Config(
        app,
        host=listening.host,
        port=listening.port,
        http=_ImpatientProtocol,
        ws="websockets-sansio",
        ws_max_size=4 << 10,
        ws_per_message_deflate=False,
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=1024,
        timeout_keep_alive=IDLE_LIMIT_S,
        timeout_graceful_shutdown=END_LIMIT_S,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )


def tls_context(listening: Listening) -> ssl.SSLContext | None:
    """How TLS is spoken; None without.

    Raises:
        Refused: the certificate or its key cannot be read.
    """
    if listening.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(str(listening.certificate), str(listening.key))
    except OSError as error:
        raise Refused(
            "the certificate or its key cannot be read",
            remedy="Name PEM files that belong together with --tls-cert and --tls-key",
        ) from error
    return context


class _ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that gives a connection only so long to say what it wants: uvicorn would wait for ever."""

    _hurry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._hurry = self.loop.call_later(HEADER_LIMIT_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm_down()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        is_waiting = self.cycle is None or self.cycle.response_complete
        if self.cycle is not before or not is_waiting:
            self._calm_down()
        elif self._hurry is None:  # the first bytes of a further request
            self._hurry = self.loop.call_later(HEADER_LIMIT_S, self._give_up)

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._calm_down()
        super().handle_websocket_upgrade(event)

    def _give_up(self) -> None:
        self._hurry = None
        if not self.transport.is_closing():
            self.transport.abort()

    def _calm_down(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None
