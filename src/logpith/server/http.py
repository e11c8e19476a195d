"""The HTTP door: every route stands once in `doors`, with who may pass, and all of it is made from that table.

Nothing reaches a route before the guard has looked at it (`guard.py`): name, page, token, size, time. What blocks runs
on a thread, across one crossing (`_in_thread`).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
import msgspec
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from logpith import __version__
from logpith.answer import to_json, to_text
from logpith.app import ask
from logpith.component import build, describe, json_schema, read_text
from logpith.ingest import POSITION
from logpith.sending import POSITION_HEADER
from logpith.server.bodies import BodyLimits, read_body, unpack
from logpith.server.calls import Call, call_named
from logpith.server.guard import Guard, GuardSettings
from logpith.server.hosts import AllowedHosts
from logpith.server.intake import ARROW, JSON, NDJSON, TEXT, bring, read_ready, read_records
from logpith.server.lazy_desk import LazyDesk
from logpith.server.live import Listener, Wanted
from logpith.server.mcp import make_server
from logpith.server.openapi import openapi
from logpith.server.replies import SAFE_HEADERS, Wrong, as_wrong, reply, reply_text, reply_wrong
from logpith.server.running import INGESTED_BYTES, INGESTED_RECORDS, Position, Running
from logpith.server.tokens import ADMIN, ASKING, READER, WRITER, Role
from logpith.server.waiting import CURRENT, NobodyWaits, Waiting
from logpith.telemetry import CONTENT_TYPE
from logpith.timerange import now_ns
from logpith.tools import Tool, tool_named
from logpith_emit.errors import BadArgument, LogpithError, NotFound, nearest

if TYPE_CHECKING:
    from logpith.corpus.desk import Desk

Result = TypeVar("Result")
Endpoint = Callable[[Request], Awaitable[Response]]

MOST_RELAYED_LINES = 10_000
HEARTBEAT_S = 15.0
MAX_BATCH_ID = 200

_CALL = {
    "type": "object",
    "required": ["tool"],
    "additionalProperties": False,
    "properties": {"tool": {"type": "string"}, "arguments": {"type": "object"}},
}
_FETCH = {
    "type": "object",
    "required": ["service"],
    "properties": {
        "service": {"type": "string"},
        "lines": {"type": "integer", "minimum": 1, "maximum": MOST_RELAYED_LINES, "default": 100},
    },
}


@dataclass(frozen=True, kw_only=True)
class Door:
    """One route."""

    path: str
    methods: tuple[str, ...]
    role: Role | None
    """Who may pass; None is everybody."""

    does: str
    """One sentence for the reference."""

    opens_itself: Callable[[Mapping[str, str]], bool] | None = None
    """Given what stands in the path, whether the route checks by itself who comes, so that no token is needed."""

    takes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Content type → JSON Schema of the body."""

    endpoint: Endpoint | None = None
    app: ASGIApp | None = None
    """An application that answers itself, instead of `endpoint`."""

    websocket: Callable[[WebSocket], Awaitable[None]] | None = None
    streams: bool = False
    """Whether its answer has no end, so that no time is set for it."""


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """How the door is."""

    hosts: AllowedHosts
    name: str = "logpith"
    """`POST /NAME` takes `{tool, arguments}`, too: the path of a server's own name."""

    bodies: BodyLimits = field(default_factory=BodyLimits)
    guard: GuardSettings = field(default_factory=GuardSettings)
    metrics_need_token: bool = True


def make_app(running: Running, offered: Mapping[str, type[Tool]], settings: HttpSettings) -> ASGIApp:
    """All routes, behind the guard."""
    manager = StreamableHTTPSessionManager(
        make_server(_ServedDesk(running), offered),
        json_response=False,
        stateless=True,
        security_settings=_transport_security(settings.hosts),
        max_request_body_size=settings.bodies.most_bytes,
    )
    table = doors(running, offered, settings, StreamableHTTPASGIApp(manager))

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    routes = [_route(door) for door in table]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={404: _not_here, 405: _not_so},
    )
    app.router.redirect_slashes = False
    return Guard(app, running, settings.hosts, settings.guard, list(zip(routes, table, strict=True)))


def doors(
    running: Running, offered: Mapping[str, type[Tool]], settings: HttpSettings, mcp: ASGIApp
) -> tuple[Door, ...]:
    """Every route, in the order of the reference."""
    routes = _Routes(running, offered, settings)
    own_name = f"/{settings.name.strip('/')}"
    table = (
        Door(
            path="/mcp",
            methods=("POST", "GET", "DELETE"),
            role=READER,
            does="MCP over streamable HTTP, both eras, without sessions.",
            app=mcp,
        ),
        Door(
            path="/tools",
            methods=("GET",),
            role=READER,
            does="The tools, each with the JSON Schema of its arguments.",
            endpoint=routes.list_tools,
        ),
        Door(
            path="/tools",
            methods=("POST",),
            role=READER,
            does='Asks a tool: `{"tool": …, "arguments": {…}}`; also `get_server_status` and `collect_metrics`.',
            takes={JSON: _CALL},
            endpoint=routes.call_tool,
        ),
        Door(
            path="/tools/{name}",
            methods=("GET", "POST"),
            role=READER,
            does="Asks a tool; arguments stand in the query, or as a JSON object in the body.",
            endpoint=routes.ask_tool,
        ),
        Door(
            path=own_name,
            methods=("POST",),
            role=READER,
            does="As `POST /tools`, at the path of the server's own name.",
            takes={JSON: _CALL},
            endpoint=routes.call_tool,
        ),
        Door(
            path="/api/v1/logs",
            methods=("POST",),
            role=WRITER,
            does="Takes records: NDJSON, a JSON array or text; answers when they are durable.",
            takes={NDJSON[0]: {}, JSON: {"type": "array"}, TEXT: {"type": "string"}},
            endpoint=routes.ingest,
        ),
        Door(
            path="/hooks/{source}",
            methods=("POST",),
            role=WRITER,
            does="Takes a call of somebody else's service; one that signs its calls needs no token.",
            opens_itself=routes.is_signed,
            endpoint=routes.hook,
        ),
        Door(
            path="/logs/fetch",
            methods=("POST",),
            role=READER,
            does="Gives the last lines of a service to a relay: `{service, lines}` to `{logs}`.",
            takes={JSON: _FETCH},
            endpoint=routes.fetch_logs,
        ),
        Door(
            path="/api/v1/tail",
            methods=(),
            role=READER,
            does="Tells records as they come, over WebSocket; `?query=`.",
            websocket=routes.tail_socket,
            streams=True,
        ),
        Door(
            path="/api/v1/tail/stream",
            methods=("GET",),
            role=READER,
            does="Tells records as they come, as server-sent events; `?query=`.",
            endpoint=routes.tail_events,
            streams=True,
        ),
        Door(
            path="/api/v1/status",
            methods=("GET",),
            role=ADMIN,
            does="What the server has done since it was started.",
            endpoint=routes.status,
        ),
        Door(
            path="/health",
            methods=("GET",),
            role=None,
            does="Whether the process answers.",
            endpoint=routes.health,
        ),
        Door(
            path="/ready",
            methods=("GET",),
            role=None,
            does="Whether it takes and finds records; 503 when not.",
            endpoint=routes.ready,
        ),
        Door(
            path="/metrics",
            methods=("GET",),
            role=READER if settings.metrics_need_token else None,
            does="Its counters, as Prometheus reads them.",
            endpoint=routes.metrics,
        ),
        Door(
            path="/openapi.json",
            methods=("GET",),
            role=READER,
            does="All of this for programs: OpenAPI 3.1.",
            endpoint=routes.describe,
        ),
    )
    routes.table = table
    return table


class _Routes:
    """What the routes do."""

    def __init__(self, running: Running, offered: Mapping[str, type[Tool]], settings: HttpSettings) -> None:
        self._running = running
        self._offered = offered
        self._settings = settings
        self.table: Sequence[Door] = ()

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────

    async def list_tools(self, _request: Request) -> Response:
        told = [
            {
                "name": tool.name,
                "description": " ".join((tool.__doc__ or "").split()),
                "arguments": json_schema(tool),
            }
            for tool in self._offered.values()
        ]
        return reply({"tools": told})

    async def ask_tool(self, request: Request) -> Response:
        name = request.path_params["name"]
        if call := call_named(name):
            given = await self._body(request) if request.method == "POST" else b""
            return await self._call(call, {**request.query_params, **_object(given or b"{}")})
        tool = self._tool(name)
        arguments: dict[str, object] = _typed(tool, request.query_params.multi_items())
        if request.method == "POST":
            arguments |= _object(await self._body(request) or b"{}")
        return await self._answer(request, tool, arguments)

    async def call_tool(self, request: Request) -> Response:
        call = _object(await self._body(request))
        unknown = set(call) - {"tool", "arguments"}
        name, arguments = call.get("tool"), call.get("arguments", {})
        if unknown or not isinstance(name, str) or not isinstance(arguments, dict):
            raise BadArgument(
                "a call is an object with `tool` and `arguments`",
                remedy='Send {"tool": "log_overview", "arguments": {}}',
            )
        if known := call_named(name):
            return await self._call(known, arguments)
        return await self._answer(request, self._tool(name), arguments)

    async def _call(self, call: Call, arguments: Mapping[str, object]) -> Response:
        if not ASKING.get().may(call.role):
            raise Wrong(
                status=403,
                code="forbidden",
                message=f"this needs the role {call.role}",
                hint="Ask with another token",
            )
        return reply(await _in_thread(lambda: call.run(self._running, arguments, now_ns())))

    def _tool(self, name: str) -> type[Tool]:
        """The tool of that name: as agents call it, with dashes instead, or as its command."""
        if tool := tool_named(name, self._offered):
            return tool
        hint = nearest(name.replace("-", "_"), self._offered).strip()
        remedy = " ".join(filter(None, [hint, f"The tools are {', '.join(self._offered)}"]))
        raise NotFound("there is no such tool", remedy=remedy)

    async def _answer(self, request: Request, tool: type[Tool], arguments: Mapping[str, object]) -> Response:
        try:
            question = build(tool, arguments)
            answer = await _in_thread(lambda: ask(question, self._running.desk()))
        except NobodyWaits as error:
            raise Wrong(status=503, code="cancelled", message="nobody waited for the answer") from error
        if "text/plain" in request.headers.get("accept", ""):
            return reply_text(to_text(answer) + "\n")
        return reply(to_json(answer))

    # ── Bringing ────────────────────────────────────────────────────────────────────────────────────────────

    async def ingest(self, request: Request) -> Response:
        query = request.query_params
        service = self._own_service(query.get("service", ""))
        batch_id = self._batch_id(request)
        position = _position(request)
        body = await self._body(request)
        encoding, media_type = (
            request.headers.get(name, "") for name in ("content-encoding", "content-type")
        )
        is_ready = media_type.partition(";")[0].strip().lower() == ARROW
        if is_ready or position:
            _require_admin()
        if not encoding and body[:2] == b"\x1f\x8b":
            encoding = "gzip"

        def take() -> dict[str, object]:
            unpacked = unpack(body, encoding, self._settings.bodies)
            self._running.telemetry.count(INGESTED_BYTES, len(unpacked))
            brought = read_ready(unpacked) if is_ready else read_records(unpacked, media_type)
            if brought.rejected:
                self._running.telemetry.count(INGESTED_RECORDS, brought.rejected, outcome="rejected")
            outcome = bring(
                self._running,
                brought,
                service=service,
                source=query.get("source", "") or "http",
                observed_ns=now_ns(),
                batch_id=batch_id,
                is_bound=ASKING.get().services is not None,
                position=position,
            )
            told: dict[str, object] = {
                "accepted": outcome.accepted,
                "rejected": brought.rejected,
                "duplicates": outcome.duplicates,
            }
            if is_ready:
                told |= {
                    "dead_letters": outcome.dead,
                    "dropped": outcome.dropped,
                    "counted": outcome.counters,
                }
            if brought.wrong:
                told["errors"] = [msgspec.to_builtins(wrong) for wrong in brought.wrong]
            return told

        told = await _in_thread(take)
        if told["rejected"] and not (told["accepted"] or told["duplicates"]):
            raise Wrong(
                status=400,
                code="nothing_accepted",
                message="none of the records could be read",
                hint="Send a JSON object a line, an array of them, or text with Content-Type: text/plain",
                more=told,
            )
        return reply(told)

    async def hook(self, request: Request) -> Response:
        name = request.path_params["source"]
        hook = self._running.hooks.get(name)
        if hook is None:
            raise NotFound("there is no such webhook", remedy="Name a source of type webhook in the settings")
        batch_id = self._batch_id(request)
        body = await self._body(request)
        encoding = request.headers.get("content-encoding", "")
        headers = {key.lower(): value for key, value in request.headers.items()}

        def take() -> int:
            batch = hook.deliver(unpack(body, encoding, self._settings.bodies), headers)
            self._running.take(batch, batch_id=batch_id)
            return int(batch.num_rows)

        return reply({"accepted": await _in_thread(take)})

    def is_signed(self, places: Mapping[str, str]) -> bool:
        """Whether the source that is called tells by a signature who calls."""
        hook = self._running.hooks.get(places.get("source", ""))
        return hook is not None and hook.is_signed

    def _own_service(self, named: str) -> str:
        """The service that records are of: the one that was named, or the only one that who asks may bring."""
        allowed = ASKING.get().services
        if allowed is None:
            return named
        if not named and len(allowed) == 1:
            return next(iter(allowed))
        if named not in allowed:
            raise Wrong(
                status=403,
                code="out_of_scope",
                message="this token may not bring records of that service",
                hint="Name one that it may bring with ?service=",
            )
        return named

    def _batch_id(self, request: Request) -> str:
        """What tells this batch from others of the same sender; empty when the sender does not say."""
        told = request.headers.get("x-batch-id") or request.headers.get("idempotency-key") or ""
        if len(told) > MAX_BATCH_ID or not told.isprintable():
            raise BadArgument(
                "a batch id has up to 200 printable characters",
                remedy="Send a UUID, the same for each attempt",
            )
        return f"{ASKING.get().name}:{told}" if told else ""

    # ── Relaying ────────────────────────────────────────────────────────────────────────────────────────────

    async def fetch_logs(self, request: Request) -> Response:
        if self._running.tokens is None:
            raise Wrong(
                status=403,
                code="relay_off",
                message="lines are relayed only by a server with tokens",
                hint="Start it without --no-token",
            )
        asked = _object(await self._body(request))
        service, lines = asked.get("service"), asked.get("lines", 100)
        if not isinstance(service, str) or not service:
            raise BadArgument("`service` must be a text", remedy='Send {"service": "gateway", "lines": 100}')
        if type(lines) is not int or not 1 <= lines <= MOST_RELAYED_LINES:
            raise BadArgument(
                f"`lines` must be a whole number from 1 to {MOST_RELAYED_LINES}", remedy='Send "lines": 100'
            )
        try:
            told = await _in_thread(lambda: self._running.newest_lines(service, lines))
        except NotFound as error:
            raise Wrong(
                status=400, code="unknown_service", message=error.problem, hint=error.remedy
            ) from error
        except LogpithError as error:
            raise Wrong(status=502, code="source_failed", message=error.problem, hint=error.remedy) from error
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise Wrong(
                status=502,
                code="source_failed",
                message=f"what was collected cannot be read: {why}",
                hint="See after the disk of this server, and ask again",
            ) from error
        return reply({"logs": "\n".join([*told, ""]) if told else ""})

    # ── Listening ───────────────────────────────────────────────────────────────────────────────────────────

    async def tail_events(self, request: Request) -> Response:
        listener = self._join(request.query_params)

        async def events() -> AsyncIterator[bytes]:
            try:
                yield b": listening\n\n"
                async for told in listener.heard(HEARTBEAT_S):
                    yield b"data: " + msgspec.json.encode(told) + b"\n\n" if told else b": still here\n\n"
            finally:
                self._running.live.leave(listener)

        headers = {**SAFE_HEADERS, "x-accel-buffering": "no"}
        return StreamingResponse(events(), headers=headers, media_type="text/event-stream")

    async def tail_socket(self, socket: WebSocket) -> None:
        try:
            listener = self._join(socket.query_params)
        except (LogpithError, Wrong) as error:
            await socket.send_denial_response(reply_wrong(as_wrong(error)))
            return
        await socket.accept()
        try:
            async with anyio.create_task_group() as both:

                async def until_it_leaves() -> None:
                    with contextlib.suppress(WebSocketDisconnect):
                        while True:  # nothing that it says changes anything
                            await socket.receive_text()
                    both.cancel_scope.cancel()

                both.start_soon(until_it_leaves)
                with contextlib.suppress(WebSocketDisconnect):
                    async for told in listener.heard(HEARTBEAT_S):
                        if told:
                            await socket.send_text(msgspec.json.encode(told).decode())
                    await socket.close(1001)
                both.cancel_scope.cancel()
        finally:
            self._running.live.leave(listener)

    def _join(self, query: Mapping[str, str]) -> Listener:
        unknown = set(query) - {"query"}
        if unknown:
            raise BadArgument("there is only one argument", remedy="Write ?query=level>=warn")
        return self._running.live.join(Wanted(query.get("query", ""), ASKING.get().services))

    # ── Watching ────────────────────────────────────────────────────────────────────────────────────────────

    async def status(self, _request: Request) -> Response:
        families = await _in_thread(self._running.telemetry.families)
        counters = {
            family.name: [{"labels": dict(sample.labels), "value": sample.value} for sample in family.samples]
            for family in families
            if family.kind != "histogram"
        }
        return reply({"version": __version__, "counters": counters})

    async def health(self, _request: Request) -> Response:
        return reply({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        if not await _in_thread(self._running.is_ready):
            raise Wrong(status=503, code="not_ready", message="not ready", retry_after_s=1)
        return reply({"status": "ready"})

    async def metrics(self, _request: Request) -> Response:
        return reply_text(await _in_thread(self._running.telemetry.render), CONTENT_TYPE)

    async def describe(self, _request: Request) -> Response:
        return reply(openapi(self.table, self._offered, __version__))

    async def _body(self, request: Request) -> bytes:
        declared = request.headers.get("content-length")
        return await read_body(request.stream(), self._settings.bodies, declared)


class _ServedDesk(LazyDesk):
    """What the MCP server asks for a desk: each call gets that of who asks."""

    def __init__(self, running: Running) -> None:
        self._running = running

    @property
    def is_stored(self) -> bool:
        return True

    def get(self) -> Desk:
        return self._running.desk()

    def warm_up(self, offered: Mapping[str, type[Tool]]) -> None:
        """Nothing: the server has warmed up when it was started."""


def _route(door: Door) -> BaseRoute:
    if door.websocket is not None:
        return WebSocketRoute(door.path, door.websocket)
    if door.app is not None:
        return Route(door.path, _Passing(door.app), methods=list(door.methods))
    if door.endpoint is None:
        raise TypeError(f"{door.path} leads nowhere")
    return Route(door.path, _answering(door.endpoint), methods=list(door.methods))


class _Passing:
    """An application that answers itself, but for what goes wrong before it does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Wrong as wrong:
            await reply_wrong(wrong)(scope, receive, send)


async def _not_here(_request: Request, _error: Exception) -> Response:
    return reply_wrong(
        Wrong(
            status=404, code="not_found", message="there is nothing here", hint="GET /openapi.json lists all"
        )
    )


async def _not_so(_request: Request, _error: Exception) -> Response:
    return reply_wrong(
        Wrong(status=405, code="bad_method", message="not by this method", hint="GET /openapi.json lists all")
    )


def _answering(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:  # noqa: BLE001 - told without its text, and logged: nothing may show a log
            return reply_wrong(as_wrong(error))

    return answer


async def _in_thread(work: Callable[[], Result]) -> Result:
    """The one crossing from the event loop to blocking code; what works for nobody ends at its next step."""
    waiting = Waiting()
    CURRENT.set(waiting)
    try:
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    finally:
        waiting.end()


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises:
        BadArgument: it is none.
        Wrong: it is no JSON.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.ValidationError as error:
        raise BadArgument("the body must be a JSON object", remedy='Send {"name": "value"}') from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise Wrong(
            status=400, code="bad_json", message="the body is no JSON", hint='Send {"name": "value"}'
        ) from error


def _position(request: Request) -> Position | None:
    """What `logpith ingest` calls a file, and how far it has read there; None when nothing is told.

    Raises:
        BadArgument: it is none.
    """
    told = request.headers.get(POSITION_HEADER)
    if told is None:
        return None
    try:
        name, place = msgspec.json.decode(told, type=tuple[str, str])
    except msgspec.DecodeError as error:
        raise BadArgument("a position is a JSON array of two texts", remedy="Leave it out") from error
    if not name.startswith(POSITION):
        raise BadArgument(f"the name of a position begins with {POSITION}", remedy="Leave it out")
    return name, place


def _require_admin() -> None:
    """Nothing, when who asks may bring records just as they want them stored.

    Raises:
        Wrong: they may not.
    """
    if not ASKING.get().may(ADMIN):
        raise Wrong(
            status=403,
            code="forbidden",
            message=f"this needs the role {ADMIN}",
            hint="Ask with another token",
        )


def _typed(tool: type[Tool], given: Sequence[tuple[str, str]]) -> dict[str, object]:
    """The arguments of a query string: all of it is text, and a list is a name that stands there several times."""
    known = {argument.name: argument for argument in describe(tool)}
    arguments: dict[str, object] = {}
    for name, text in given:
        argument = known.get(tool.aliases.get(name, name))
        if argument is None:
            arguments[name] = text
        elif argument.many:
            before = arguments.get(argument.name, ())
            arguments[argument.name] = [
                *(before if isinstance(before, list) else ()),
                read_text(argument, text),
            ]
        else:
            arguments[name] = read_text(argument, text)
    return arguments


def _transport_security(hosts: AllowedHosts) -> TransportSecuritySettings:
    """The SDK's own check beside ours, with the same names."""
    names = sorted(hosts.names)
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*names, *(f"{name}:*" for name in names)],
        allowed_origins=[
            *sorted(hosts.origins),
            *(
                f"{scheme}://{name}{port}"
                for scheme in ("http", "https")
                for name in names
                for port in ("", ":*")
            ),
        ],
    )
