"""A proxy in front of a real server that has the faults of networks and of servers, one at a time, changed as it runs.

    with fault_proxy(postgres.port) as proxy:
        proxy.fault = Hang()
        ...
        proxy.fault = None

A fault holds for what comes after it is set, on open connections too. With `http=True` the proxy reads whole requests,
so that it can count them, answer them itself, and have a fault for each (`in_turn`); without, it passes bytes.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from services.ports import free_port

HOST = "127.0.0.1"
PIECE_BYTES = 65_536
LOOK_S = 0.02
"""How long a thread waits for bytes before it looks whether its connection is over."""

PATIENCE_S = 60
RESET = struct.pack("ii", 1, 0)
"""Tells a socket to end with a reset when it is closed."""


class Fault:
    """Something that goes wrong."""


@dataclass(frozen=True)
class Refuse(Fault):
    """Nobody listens: connections are refused, and open ones are reset."""


@dataclass(frozen=True)
class BlackHole(Fault):
    """Connections are never answered, as behind a firewall that drops what comes; open ones say nothing more."""


@dataclass(frozen=True)
class Hang(Fault):
    """Connections are accepted, and then nothing is read and nothing said."""


@dataclass(frozen=True)
class Slow(Fault):
    """So many bytes a second in each direction."""

    bytes_per_s: int


@dataclass(frozen=True)
class CutRequest(Fault):
    """The server gets this many bytes of a request (without HTTP: of all that a connection sends from now on), and both
    sides are reset."""

    after_bytes: int


@dataclass(frozen=True)
class CutResponse(Fault):
    """The client gets this many bytes of a response (without HTTP: as above); the server has had the request."""

    after_bytes: int


@dataclass(frozen=True)
class Garbage(Fault):
    """Something that is no answer in any protocol, and the end; the server never hears of the request."""

    data: bytes = b"\xff\x00\x15\x80garbage\r\n\r\n"


@dataclass(frozen=True)
class Answer(Fault):
    """An answer over HTTP instead of the server's, which never hears of the request."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


@dataclass(frozen=True)
class BulkErrors(Fault):
    """Some items of a `_bulk` request fail, by position; the server is asked to do the others."""

    statuses: Mapping[int, int]


class OverError(Exception):
    """A connection ends here."""


@dataclass
class Request:
    """A request over HTTP, whole."""

    method: str
    path: str
    version: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each.lower() == name), "")

    def encoded(self) -> bytes:
        """As it is sent on, its length told."""
        headers = [*without(self.headers, *LENGTHS), ("Content-Length", str(len(self.body)))]
        return head(f"{self.method} {self.path} {self.version}", headers) + self.body


LENGTHS = ("content-length", "transfer-encoding")


class Connection:
    """A client's connection, and the server's that belongs to it."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.server: socket.socket | None = None
        self.over = threading.Event()
        self.is_reset = False

    def reset(self) -> None:
        self.is_reset = True
        self.over.set()

    def close(self) -> None:
        for each in (self.client, self.server):
            if each is None:
                continue
            if self.is_reset:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            each.close()


class FaultProxy:
    """Listens on `port` until it is closed; `fault` is what goes wrong now, None if nothing does."""

    def __init__(self, server_port: int, *, http: bool, port: int = 0) -> None:
        self.server_port = server_port
        self.port = port or free_port()
        self.connections = 0
        """Accepted so far."""
        self.requests = 0
        """Read to their ends so far, over HTTP."""
        self._is_http = http
        self._fault: Fault | None = None
        self._turns: deque[Fault | None] = deque()
        self._changed = threading.Condition()
        self._open: set[Connection] = set()
        self._threads: list[threading.Thread] = []
        self._fillers: list[socket.socket] = []
        self._listener = self._listen()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def fault(self) -> Fault | None:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        with self._changed:
            before, self._fault = self._fault, fault
            self._turns.clear()
            self._changed.notify_all()
        if isinstance(before, Refuse | BlackHole) or isinstance(fault, Refuse | BlackHole):
            self._unlisten()
            self._listener = self._listen()
        if isinstance(fault, Refuse):
            self.reset_connections()

    def in_turn(self, *faults: Fault | None) -> None:
        """The next requests over HTTP have one of these each; after the last nothing goes wrong."""
        if not self._is_http:
            raise ValueError("only over HTTP is it known what a request is")
        if any(isinstance(fault, Refuse | BlackHole) for fault in faults):
            raise ValueError("what is never accepted brings no request")
        self.fault = None
        with self._changed:
            self._turns.extend(faults)

    def wait_for(self, *, connections: int = 0, requests: int = 0, timeout_s: float = PATIENCE_S) -> None:
        """Returns as soon as there have been so many; TimeoutError if there are not."""
        with self._changed:
            if not self._changed.wait_for(
                lambda: self.connections >= connections and self.requests >= requests, timeout_s
            ):
                raise TimeoutError(f"{self.connections} connections and {self.requests} requests so far")

    def reset_connections(self) -> None:
        """Ends the open connections, with a reset on both sides."""
        with self._changed:
            for connection in self._open:
                connection.reset()
            self._changed.notify_all()

    def close(self) -> None:
        self._unlisten()
        self.reset_connections()
        for thread in list(self._threads):
            thread.join()

    # ── Listening ───────────────────────────────────────────────────────────────────────────────────────────

    def _listen(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Kept small, so that who writes soon feels that nobody reads.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE_BYTES)
        listener.bind((HOST, self.port))
        if isinstance(self._fault, Refuse):
            pass  # the port stays ours, and nobody listens
        elif isinstance(self._fault, BlackHole):
            self._fill(listener)
        else:
            listener.listen(128)
            self._start(self._accept, listener)
        return listener

    def _fill(self, listener: socket.socket) -> None:
        """Takes all the room that there is for connections not yet accepted; the system drops those that follow."""
        listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            # The first is there when the next comes, so that whoever comes after all of them finds no room.
            filler.setblocking(not self._fillers)
            filler.connect_ex((HOST, self.port))
            self._fillers.append(filler)

    def _unlisten(self) -> None:
        while self._fillers:
            self._fillers.pop().close()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts, which closing does not
        self._listener.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments)
        with self._changed:
            self._threads = [each for each in self._threads if each.is_alive()]
            thread.start()
            self._threads.append(thread)
        return thread

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # it no longer listens
            connection = Connection(client)
            with self._changed:
                self._open.add(connection)
                self.connections += 1
                self._changed.notify_all()
            self._start(self._serve, connection)

    def _serve(self, connection: Connection) -> None:
        try:
            if self._is_http:
                self._serve_requests(connection)
            else:
                self._serve_bytes(connection)
        except OverError:
            pass
        except (OSError, http.client.HTTPException):
            connection.reset()  # either side went away, or the server does not answer as one should
        finally:
            with self._changed:
                self._open.discard(connection)
                connection.close()

    # ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────

    def _serve_bytes(self, connection: Connection) -> None:
        self._wait_while_silent(connection)
        connection.server = server = self._connect()
        back = self._start(self._pump, connection, server, connection.client, CutResponse)
        self._pump(connection, connection.client, server, CutRequest)
        back.join()

    def _pump(
        self,
        connection: Connection,
        source: socket.socket,
        to: socket.socket,
        cut: type[CutRequest | CutResponse],
    ) -> None:
        """Passes on what comes from one side until that side ends."""
        cutting: CutRequest | CutResponse | None = None
        left_bytes = 0
        try:
            while piece := self._take(connection, source):
                fault = self._fault
                if isinstance(fault, Garbage) and source is connection.client:
                    self._give(connection, source, fault.data)
                    self._end(connection)
                if isinstance(fault, cut):
                    if fault is not cutting:
                        cutting, left_bytes = fault, fault.after_bytes
                    self._give(connection, to, piece[:left_bytes])
                    left_bytes -= len(piece)
                    if left_bytes <= 0:
                        self._cut(connection)
                else:
                    self._give(connection, to, piece)
            to.shutdown(socket.SHUT_WR)
        except OverError:
            pass
        except OSError:
            connection.reset()

    def _take(self, connection: Connection, source: socket.socket) -> bytes:
        """The next bytes, none at the end; waits as long as the fault says that nothing is read."""
        while True:
            self._wait_while_silent(connection)
            if select.select([source], [], [], LOOK_S)[0] and not self._is_silent():
                fault = self._fault  # which somebody may change meanwhile
                if isinstance(fault, Slow):
                    piece = source.recv(per_look(fault))
                    self._let_pass(connection, len(piece), fault)
                    return piece
                return source.recv(PIECE_BYTES)

    def _give(
        self, connection: Connection, to: socket.socket, data: bytes, fault: Fault | None = None
    ) -> None:
        """Sends all, as fast as the fault lets it."""
        rest = memoryview(data)
        while rest:
            self._wait_while_silent(connection)
            if not select.select([], [to], [], LOOK_S)[1]:
                continue
            slow = fault or self._fault
            if isinstance(slow, Slow):
                sent = to.send(rest[: per_look(slow)])
                self._let_pass(connection, sent, slow)
            else:
                sent = to.send(rest[:PIECE_BYTES])
            rest = rest[sent:]

    def _let_pass(self, connection: Connection, size_bytes: int, slow: Slow) -> None:
        """Takes the time that so many bytes take."""
        if connection.over.wait(size_bytes / slow.bytes_per_s):
            raise OverError

    def _is_silent(self) -> bool:
        return isinstance(self._fault, Hang | BlackHole)

    def _wait_while_silent(self, connection: Connection) -> None:
        with self._changed:
            self._changed.wait_for(lambda: connection.over.is_set() or not self._is_silent())
        if connection.over.is_set():
            raise OverError

    def _connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.server_port), timeout=PATIENCE_S)

    def _cut(self, connection: Connection) -> None:
        connection.reset()
        raise OverError

    def _end(self, connection: Connection) -> None:
        connection.over.set()
        raise OverError

    # ── Requests over HTTP ──────────────────────────────────────────────────────────────────────────────────

    def _serve_requests(self, connection: Connection) -> None:
        client = connection.client
        reading = Buffer(self._pieces(connection))
        while request := read_request(reading, lambda: self._give(connection, client, GO_ON)):
            fault = self._of_this_request()
            match fault:
                case Hang():
                    self._say_nothing(connection)
                case Garbage():
                    self._give(connection, client, fault.data)
                    self._end(connection)
                case CutRequest():
                    connection.server = self._connect()
                    connection.server.sendall(request.encoded()[: fault.after_bytes])
                    self._cut(connection)
                case Answer():
                    reason = http.client.responses.get(fault.status, "")
                    headers = [*fault.headers.items(), ("Content-Length", str(len(fault.body)))]
                    answer = head(f"HTTP/1.1 {fault.status} {reason}", headers) + fault.body
                    self._give(connection, client, answer)
                case BulkErrors() if request.path.partition("?")[0].endswith("/_bulk"):
                    self._give(connection, client, self._ask_for_some(request, fault))
                case CutResponse():
                    self._give(connection, client, self._ask(request)[: fault.after_bytes])
                    self._cut(connection)
                case _:
                    self._give(connection, client, self._ask(request), fault)
            if request.version == "HTTP/1.0" or request.header("connection").lower() == "close":
                return

    def _of_this_request(self) -> Fault | None:
        with self._changed:
            self.requests += 1
            self._changed.notify_all()
            return self._turns.popleft() if self._turns else self._fault

    def _say_nothing(self, connection: Connection) -> None:
        """Until the client goes, or the proxy is closed."""
        while not connection.over.wait(LOOK_S):
            if select.select([connection.client], [], [], 0)[0] and not connection.client.recv(PIECE_BYTES):
                break
        self._end(connection)

    def _pieces(self, connection: Connection) -> Iterator[bytes]:
        while piece := self._take(connection, connection.client):
            yield piece

    def _ask(self, request: Request) -> bytes:
        """The server's answer, its length told."""
        line, headers, body = self._answer(request)
        told = without(headers, "transfer-encoding", "connection", "keep-alive")
        if request.method != "HEAD":
            told = [*without(told, "content-length"), ("Content-Length", str(len(body)))]
        return head(line, told) + body

    def _answer(self, request: Request) -> tuple[str, list[tuple[str, str]], bytes]:
        server = http.client.HTTPConnection(HOST, self.server_port, timeout=PATIENCE_S)
        with contextlib.closing(server):
            server.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in without(request.headers, *LENGTHS, "expect"):
                server.putheader(name, value)
            server.putheader("Content-Length", str(len(request.body)))
            server.endheaders(request.body)
            answer = server.getresponse()
            return f"HTTP/1.1 {answer.status} {answer.reason}", answer.getheaders(), answer.read()

    def _ask_for_some(self, request: Request, errors: BulkErrors) -> bytes:
        """The answer to a `_bulk` request whose failing items the server never sees."""
        is_packed = request.header("content-encoding") == "gzip"
        actions = bulk_actions(gzip.decompress(request.body) if is_packed else request.body)
        failing = {place: status for place, status in errors.statuses.items() if place < len(actions)}
        kept = b"".join(lines for place, (_, lines) in enumerate(actions) if place not in failing)
        line, headers, done = (
            "HTTP/1.1 200 OK",
            [("Content-Type", "application/json")],
            {"took": 0, "items": []},
        )
        if kept:
            plain = without(request.headers, "content-encoding", "accept-encoding")
            some = Request(request.method, request.path, request.version, plain, kept)
            line, headers, body = self._answer(some)
            done = json.loads(body)
        items = iter(done["items"])
        done["items"] = [
            failed(action, failing[place]) if place in failing else next(items)
            for place, (action, _) in enumerate(actions)
        ]
        done["errors"] = bool(failing) or done.get("errors", False)
        body = json.dumps(done).encode()
        told = [*without(headers, *LENGTHS, "connection"), ("Content-Length", str(len(body)))]
        return head(line, told) + body


GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"

REASONS = {429: "es_rejected_execution_exception", 400: "document_parsing_exception"}


def per_look(slow: Slow) -> int:
    """So many bytes at a time that they take a twentieth of a second."""
    return max(slow.bytes_per_s // 20, 1)


def without(headers: list[tuple[str, str]], *names: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in names]


def head(first_line: str, headers: list[tuple[str, str]]) -> bytes:
    return "\r\n".join([first_line, *(f"{name}: {value}" for name, value in headers), "", ""]).encode(
        "latin-1"
    )


def read_request(buffer: Buffer, go_on: Callable[[], None]) -> Request | None:
    """The next request, none at the end; a client that waits to be told so is told by `go_on` to send the body."""
    lines = buffer.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
    if lines == [""]:
        return None
    method, path, version = lines[0].split(" ")
    headers = [
        (name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)
    ]
    request = Request(method, path, version, headers, b"")
    if request.header("expect"):
        go_on()
    if request.header("transfer-encoding").lower() == "chunked":
        while size_bytes := int(buffer.until(b"\r\n").partition(b";")[0], 16):
            request.body += buffer.take(size_bytes)
            buffer.until(b"\r\n")
        buffer.until(b"\r\n")
    else:
        request.body = buffer.take(int(request.header("content-length") or 0))
    return request


class Buffer:
    """Bytes that come in pieces of any size, taken as they are wanted."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()

    def until(self, end: bytes) -> bytes:
        """What comes before `end`, which is taken too; nothing if there is nothing more."""
        while (at := self._held.find(end)) < 0:
            if not self._more():
                if self._held:
                    raise OverError
                return b""
        found = bytes(self._held[:at])
        del self._held[: at + len(end)]
        return found

    def take(self, size_bytes: int) -> bytes:
        while len(self._held) < size_bytes:
            if not self._more():
                raise OverError
        found = bytes(self._held[:size_bytes])
        del self._held[:size_bytes]
        return found

    def _more(self) -> bool:
        piece = next(self._pieces, b"")
        self._held += piece
        return bool(piece)


def bulk_actions(body: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """Each action of a `_bulk` request, with its lines."""
    lines = iter(body.splitlines(keepends=True))
    return [
        (action := json.loads(line), line if "delete" in action else line + next(lines))
        for line in lines
        if line.strip()
    ]


def failed(action: dict[str, Any], status: int) -> dict[str, Any]:
    """The item of an answer that says that an action failed."""
    ((name, target),) = action.items()
    error = {"type": REASONS.get(status, "exception"), "reason": "as the test said"}
    return {
        name: {"_index": target.get("_index"), "_id": target.get("_id"), "status": status, "error": error}
    }


@contextmanager
def fault_proxy(server_port: int, *, http: bool = False, port: int = 0) -> Iterator[FaultProxy]:
    """One before a server; at a port of its own, or at this one, if its server sends its clients there."""
    with contextlib.closing(FaultProxy(server_port, http=http, port=port)) as proxy:
        yield proxy
