"""The guard: what stands before every route, WebSocket and all.

In this order, so that as little as possible is done for strangers: the name and the page that a request comes under
(`hosts.py`), whether there is room, who asks and whether they may, how long it takes. Only then a route sees it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from logpith.server.hosts import AllowedHosts
from logpith.server.replies import Wrong, reply_wrong
from logpith.server.tokens import ASKING, EVERYBODY, Principal, Tokens
from logpith.telemetry import Family, Metric, Sample

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from logpith.server.http import Door
    from logpith.server.running import Running

REQUESTS = Metric(name="logpith_http_requests_total", doc="Requests, by route, method and status.")
DURATION = "logpith_http_request_duration_seconds"

BUCKETS_S = (0.005, 0.025, 0.1, 0.5, 2.0, 10.0)
"""Upper bounds of the buckets of a request's duration."""

_MOST_PEERS = 10_000
_FAILURES_FORGIVEN = 20
_FAILURE_WINDOW_S = 60.0
_BUSY_RETRY_S = 1


@dataclass(frozen=True, kw_only=True)
class GuardSettings:
    """What a request may cost."""

    most_concurrent: int = 32
    """Requests that are worked on at once."""

    most_streams: int = 100
    """Streams that are open at once, beside those."""

    body_limit_s: float = 30.0
    """Seconds within which a body must have come."""

    request_limit_s: float = 60.0
    """Seconds after which a request is given up."""


@dataclass
class _Durations:
    buckets: list[int] = field(default_factory=lambda: [0] * len(BUCKETS_S))
    count: int = 0
    total_s: float = 0.0


class Guard:
    """An ASGI application around another."""

    def __init__(
        self,
        app: ASGIApp,
        running: Running,
        hosts: AllowedHosts,
        settings: GuardSettings,
        routes: Sequence[tuple[BaseRoute, Door]],
    ) -> None:
        self._app = app
        self._running = running
        self._hosts = hosts
        self._settings = settings
        self._routes = routes
        self._busy = 0
        self._streams = 0
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._durations: dict[str, _Durations] = {}
        running.telemetry.also(self._families)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        door, template, places = self._door_of(scope)
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._pass(scope, receive, noting, door, places)
        except Wrong as wrong:
            if status:
                raise
            await reply_wrong(wrong)(scope, receive, noting)
        finally:
            method = scope.get("method", "GET")
            method = method if method in ("GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS") else "other"
            self._running.telemetry.count(REQUESTS, route=template, method=method, status=str(status or 499))
            if door is None or not door.streams:
                self._took(template, time.monotonic() - begun)

    async def _pass(
        self, scope: Scope, receive: Receive, send: Send, door: Door | None, places: Mapping[str, str]
    ) -> None:
        hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
        if not self._hosts.allows_host(hosts):
            raise Wrong(
                status=421,
                code="bad_host",
                message="this server does not go by that name",
                hint="Ask it by its address, or add the name to allowed_hosts in [server]",
            )
        if not self._hosts.allows_origin(origins, hosts[0]):
            raise Wrong(
                status=403,
                code="bad_origin",
                message="pages of other places may not ask here",
                hint="Add the page's origin to allowed_origins in [server]",
            )
        is_open = door is not None and (
            door.role is None or (door.opens_itself is not None and door.opens_itself(places))
        )
        tokens = None if is_open else self._running.tokens
        principal = EVERYBODY if tokens is None else self._who_asks(scope, tokens)
        if door is not None and door.role is not None and not principal.may(door.role):
            raise Wrong(
                status=403,
                code="forbidden",
                message=f"this needs the role {door.role}",
                hint="Ask with another token",
            )
        asking = ASKING.set(principal)
        try:
            if door is not None and door.streams:
                await self._stream(scope, receive, send)
            else:
                await self._answer(scope, receive, send)
        finally:
            ASKING.reset(asking)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._busy >= self._settings.most_concurrent:
            raise _busy("too many requests are worked on")
        self._busy += 1
        try:
            async with asyncio.timeout(self._settings.request_limit_s):
                await self._app(scope, _Patient(receive, self._settings.body_limit_s), send)
        except TimeoutError as error:
            raise Wrong(
                status=503, code="too_slow", message="this took too long", hint="Ask for less at once"
            ) from error
        finally:
            self._busy -= 1

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams >= self._settings.most_streams:
            raise _busy("too many streams are open")
        self._streams += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._streams -= 1

    def _who_asks(self, scope: Scope, tokens: Tokens) -> Principal:
        """The bearer of the token.

        Raises:
            Wrong: there is none, or nobody's.
        """
        peer = str((scope.get("client") or ("",))[0])
        given = _headers(scope, b"authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        # Someone who guesses is slowed down, and only by address: whoever has a token gets in all the same.
        principal = tokens.bearer_of(token.strip()) if scheme.lower() == "bearer" else None
        if principal is not None:
            return principal
        if given and self._guesses_too_often(peer):
            raise Wrong(
                status=429,
                code="too_many_failures",
                message="too many wrong tokens came from this address",
                retry_after_s=int(_FAILURE_WINDOW_S),
            )
        raise Wrong(
            status=401,
            code="no_token",
            message="a token is needed" if not given else "this token is not known",
            hint="Send the header Authorization: Bearer TOKEN",
        )

    def _guesses_too_often(self, peer: str) -> bool:
        now = time.monotonic()
        since, count = self._failures.pop(peer, (now, 0))
        if now - since > _FAILURE_WINDOW_S:
            since, count = now, 0
        self._failures[peer] = (since, count + 1)
        while len(self._failures) > _MOST_PEERS:
            self._failures.popitem(last=False)
        return count >= _FAILURES_FORGIVEN

    def _door_of(self, scope: Scope) -> tuple[Door | None, str, Mapping[str, str]]:
        """The door that a request is at, how its path is told in numbers, and what stands in it."""
        partial: tuple[Door | None, str, Mapping[str, str]] = (None, "none", {})
        for route, door in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                return door, door.path, found.get("path_params", {})
            if match is Match.PARTIAL and partial[0] is None:
                partial = door, door.path, {}  # whoever may not pass shall not learn which methods there are
        return partial

    def _took(self, route: str, duration_s: float) -> None:
        durations = self._durations.setdefault(route, _Durations())
        durations.count += 1
        durations.total_s += duration_s
        for place, bound in enumerate(BUCKETS_S):
            durations.buckets[place] += duration_s <= bound

    def _families(self) -> Iterable[Family]:
        samples: list[Sample] = []
        for route, durations in sorted(self._durations.items()):
            of = ("route", route)
            bounds = [f"{bound:g}" for bound in BUCKETS_S] + ["+Inf"]
            for bound, count in zip(bounds, [*durations.buckets, durations.count], strict=True):
                samples.append(Sample(name=f"{DURATION}_bucket", labels=(of, ("le", bound)), value=count))
            samples.append(Sample(name=f"{DURATION}_sum", labels=(of,), value=durations.total_s))
            samples.append(Sample(name=f"{DURATION}_count", labels=(of,), value=durations.count))
        doc = "How long requests took; streams are left out."
        return [Family(name=DURATION, kind="histogram", doc=doc, samples=samples)] if samples else []


class _Patient:
    """`receive` with a limit on how long a body may take to come, all of it together."""

    def __init__(self, receive: Receive, limit_s: float) -> None:
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + limit_s
        self._has_all = False

    async def __call__(self) -> Message:
        if self._has_all:  # what is waited for now is that the client leaves
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            raise Wrong(
                status=408, code="slow_body", message="the body did not come in time", hint="Send it again"
            ) from error
        self._has_all = not message.get("more_body", False)
        return message


def _busy(why: str) -> Wrong:
    return Wrong(
        status=503, code="busy", message=why, hint="Ask again in a moment", retry_after_s=_BUSY_RETRY_S
    )


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
