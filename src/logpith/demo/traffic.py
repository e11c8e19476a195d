"""Traffic: groups of lines that belong together. A call touches five services under one id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from logpith.demo import kinds
from logpith.demo.kinds import Kind, Line
from logpith.demo.styles import access_time

MS = 10**6
SECOND = 10**9
LONGEST_CALL_NS = 170 * SECOND
CREDITS_IN_ALL = 5_000_000

_PERSONAS = ("concierge", "coach", "librarian", "host", "guide", "clerk")
_PAGES = (
    "/",
    "/pricing",
    "/login",
    "/app/calls",
    "/app/personas",
    "/static/app.js",
    "/static/app.css",
    "/api/v1/calls",
)
_SCANS = ("/wp-login.php", "/.env", "/admin/config.php", "/phpmyadmin/", "/.git/config", "/xmlrpc.php")
_BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
)
_SCANNERS = ("python-requests/2.31.0", "Go-http-client/1.1", "masscan/1.3")
_GUESSED_USERS = (
    "oracle",
    "test",
    "ubuntu",
    "git",
    "ftpuser",
    "postgres",
    "minecraft",
    "steam",
    "hadoop",
    "guest",
)
_WORKERS = ("orchestrator", "persona", "reports")


def hex_digits(random: Random, count: int) -> str:
    """`count` hex digits."""
    return f"{random.getrandbits(4 * count):0{count}x}"


def address(random: Random) -> str:
    """An address of a stranger, out of the three networks that are kept for examples (RFC 5737)."""
    network = ("192.0.2", "198.51.100", "203.0.113")[int(random.random() * 3)]
    return f"{network}.{1 + int(random.random() * 254)}"


def pick(random: Random, choices: tuple[str, ...]) -> str:
    """One of the choices."""
    return choices[int(random.random() * len(choices))]


def between(random: Random, low: int, high: int) -> int:
    """A number from `low` to `high`."""
    return low + int(random.random() * (high - low + 1))


@dataclass
class Call:
    """A call while it is made up; an incident may change what it will say."""

    start_ns: int
    random: Random
    id: str
    request: str
    speaks: bool = True
    """Whether the caller hears anything."""

    waits_ms: int = 0
    """How much longer than usual it rings."""

    failure: tuple[tuple[str, object], ...] = ()
    """What the orchestrator says of the step that ends it before it is answered; empty when none does."""

    extra: list[Line] = field(default_factory=list)
    """What an incident adds."""

    at_ns: int = 0
    """The moment that has been reached."""

    @property
    def camel_ids(self) -> tuple[tuple[str, object], ...]:
        """Its ids as the gateway writes them."""
        return (("callId", self.id), ("reqId", self.request))

    @property
    def snake_ids(self) -> tuple[tuple[str, object], ...]:
        """Its ids as the orchestrator writes them."""
        return (("call_id", self.id), ("request_id", self.request))

    def later(self, low_ms: int, high_ms: int) -> int:
        """Some time passes; the moment then."""
        self.at_ns += between(self.random, low_ms, high_ms) * MS
        return self.at_ns

    def say(
        self,
        kind: Kind,
        after_ms: tuple[int, int],
        *values: object,
        fields: tuple[tuple[str, object], ...] = (),
        trailing: tuple[str, ...] = (),
    ) -> None:
        """Adds a line of the incident's own, so long after the call began; a JSON service names the call in it."""
        time_ns = self.start_ns + between(self.random, *after_ms) * MS
        ids = {kinds.GATEWAY: self.camel_ids, kinds.ORCHESTRATOR: self.snake_ids}.get(kind.service, ())
        self.extra.append(Line(time_ns, kind, values, (*ids, *fields), trailing))


def new_call(random: Random, start_ns: int) -> Call:
    """A call that begins at `start_ns`."""
    return Call(
        start_ns, random, f"CA{hex_digits(random, 32)}", f"req-{hex_digits(random, 12)}", at_ns=start_ns
    )


def call_lines(call: Call) -> Iterator[Line]:
    """All that the services say about a call, each line with its time; not in order of time."""
    random = call.random
    ids, snake_ids = call.camel_ids, call.snake_ids
    yield Line(
        call.at_ns, kinds.INCOMING, fields=(*ids, ("from", f"+1555{between(random, 1000000, 9999999)}"))
    )
    yield Line(call.later(2, 9), kinds.STARTED, fields=(*snake_ids, ("persona", pick(random, _PERSONAS))))
    yield Line(call.later(1, 5), kinds.STATE, fields=(*snake_ids, ("state", "ringing")))
    if random.random() < 0.6:
        took = between(random, 3, 40)
        values = (pick(random, _PERSONAS), call.id, took)
        yield Line(call.later(took, took + 3), kinds.PERSONA_LOADED, values)
    else:
        yield Line(call.later(1, 3), kinds.PERSONA_CACHED, (pick(random, _PERSONAS),))
    client = between(random, 100, 999)
    yield Line(call.at_ns, kinds.QUERY_DONE, (client, between(random, 1, 30), between(random, 0, 40)))
    call.at_ns += call.waits_ms * MS
    if call.failure:
        yield Line(call.later(40, 900), kinds.CALL_FAILED, fields=(*snake_ids, *call.failure))
        yield Line(call.later(1, 9), kinds.CALL_REJECTED, fields=(*ids, ("status", 503)))
        yield from call.extra
        return
    answered_ns = call.later(40, 900)
    wait_ms = call.waits_ms + between(random, 200, 4000)
    yield Line(answered_ns, kinds.ANSWERED, fields=(*ids, ("waitMs", wait_ms)))
    yield Line(call.later(1, 20), kinds.STREAM_OPENED, (call.id, 48000))
    turns = between(random, 2, 6) if call.speaks else between(random, 1, 2)
    for turn in range(1, turns + 1):
        yield from _turn_lines(call, snake_ids, turn)
    if random.random() < 0.03:
        yield Line(call.at_ns, kinds.JITTER, (between(random, 80, 400), call.id))
    packets = between(random, 500, 9000)
    hung_up = random.random() < (0.12 if call.speaks else 0.9)
    if hung_up:
        fields = (*ids, ("afterMs", (call.at_ns - call.start_ns) // MS))
        yield Line(call.later(50, 900), kinds.HUNG_UP, fields=fields)
    yield Line(call.later(2, 20), kinds.STREAM_CLOSED, (call.id, packets))
    duration = (call.at_ns - call.start_ns) // MS
    sent = packets * between(random, 60, 160) if call.speaks else 0
    outcome = (("duration_ms", duration), ("audio_bytes", sent), ("turns", turns), ("status", "completed"))
    yield Line(call.later(1, 9), kinds.COMPLETED, fields=(*snake_ids, *outcome))
    yield from call.extra


def _turn_lines(call: Call, ids: tuple[tuple[str, object], ...], turn: int) -> Iterator[Line]:
    random = call.random
    took = between(random, 90, 700)
    yield Line(call.later(1500, 9000), kinds.HEARD, (call.id, between(random, 2, 40), took))
    chars = between(random, 20, 300)
    spoken_ms = chars * between(random, 50, 70) if call.speaks else 0
    took = between(random, 120, 900) if call.speaks else between(random, 20, 60)
    yield Line(call.later(took, took + 30), kinds.SPOKEN, (call.id, chars, spoken_ms, took))
    yield Line(
        call.later(1, 6), kinds.TURN, fields=(*ids, ("turn", turn), ("tokens", between(random, 40, 900)))
    )
    if random.random() < 0.02:
        yield Line(call.at_ns, kinds.STEP_RETRIED, fields=(*ids, ("step", "llm"), ("attempt", 2)))


def page_hit(random: Random, time_ns: int, *, agent: str = "") -> Iterator[Line]:
    """One line of the access log: a visitor, or a bot that scans."""
    scans = random.random() < 0.08
    page = pick(random, _SCANS if scans else _PAGES)
    status = 404 if scans else 200 if random.random() < 0.97 else 304
    shown = agent or pick(random, _SCANNERS if scans else _BROWSERS)
    size = 153 if scans else between(random, 300, 90_000)
    values = (address(random), access_time(time_ns // SECOND), "GET", page, status, size, "-", shown)
    yield Line(time_ns, kinds.PAGE_HIT, values)


def password_guess(random: Random, time_ns: int) -> Iterator[Line]:
    """Three lines of sshd: somebody tries a name."""
    user, source, port = pick(random, _GUESSED_USERS), address(random), between(random, 1024, 65535)
    yield Line(time_ns, kinds.INVALID_USER, (user, source, port))
    yield Line(time_ns + 2 * SECOND, kinds.FAILED_PASSWORD, (user, source, port))
    yield Line(time_ns + 3 * SECOND, kinds.DISCONNECTED, (user, source, port))


def login(random: Random, time_ns: int) -> Iterator[Line]:
    """A deployment logs in."""
    values = (address(random), between(random, 1024, 65535), hex_digits(random, 40))
    yield Line(time_ns, kinds.ACCEPTED, values)


def health_check(_random: Random, time_ns: int) -> Iterator[Line]:
    """The gateway is asked whether it is well."""
    yield Line(time_ns, kinds.GATEWAY_HEALTH)


def pool_report(random: Random, time_ns: int) -> Iterator[Line]:
    """The proxy tells how full its pool is."""
    yield Line(time_ns, kinds.POOL, (between(random, 2, 30), between(random, 5, 40), between(random, 0, 2)))


def slow_query(random: Random, time_ns: int) -> Iterator[Line]:
    """A slow query, told by the proxy and by the database with its statement."""
    took = between(random, 1000, 6000)
    yield Line(time_ns, kinds.SLOW_QUERY, (took,))
    account = between(random, 1, 900)
    statement = f"STATEMENT:  SELECT * FROM call_events WHERE account_id = {account} ORDER BY at"  # noqa: S608  log text
    yield Line(
        time_ns + MS,
        kinds.SLOW_STATEMENT,
        (f"{took}.{between(random, 100, 999)}",),
        trailing=(f"\t{statement}",),
    )


def connection(random: Random, time_ns: int) -> Iterator[Line]:
    """Somebody connects to the database."""
    yield Line(time_ns, kinds.CONNECTION, (pick(random, _WORKERS),))


def checkpoint(random: Random, time_ns: int) -> Iterator[Line]:
    """The database writes a checkpoint."""
    seconds = f"{between(random, 1, 30)}.{between(random, 0, 999):03d}"
    values = (between(random, 20, 9000), f"{random.random() * 9:.1f}", seconds, "0.004", seconds)
    yield Line(time_ns, kinds.CHECKPOINT, values)


def harmless_error(random: Random, time_ns: int) -> Iterator[Line]:
    """One of the errors that every day has, and that nobody need look at."""
    which = int(random.random() * 5)
    if which == 0:
        entries = between(random, 20, 60)
        trace = (
            "Traceback (most recent call last):",
            '  File "/srv/persona/persona_manager/cache.py", line 88, in refresh',
            "    rows = self._store.load_all(timeout=5)",
            '  File "/srv/persona/persona_manager/store.py", line 41, in load_all',
            "    return self._pool.run(query, timeout)",
            "TimeoutError: no answer within 5 s",
        )
        yield Line(time_ns, kinds.CACHE_KEPT, (5, entries), trailing=trace)
    elif which == 1:
        yield Line(time_ns, kinds.SOCKET_CLOSED, (between(random, 1, 3),))
    elif which == 2:
        yield Line(time_ns, kinds.SERVER_RESET, (between(random, 1, 64),))
    elif which == 3:
        detail = f"\tDETAIL:  Key (id)=({between(random, 10_000, 999_999)}) already exists."
        yield Line(time_ns, kinds.DUPLICATE, trailing=(detail,))
    else:
        yield Line(time_ns, kinds.UPSTREAM_TIMEOUT, (between(random, 5000, 9000),))


def slow_client(random: Random, time_ns: int) -> Iterator[Line]:
    """A client that does not keep up."""
    yield Line(time_ns, kinds.SLOW_CLIENT, (between(random, 10, 200),))


def deploy(
    random: Random, time_ns: int, stopping: Kind, starting: Kind, stop_value: int, version: tuple[object, ...]
) -> Iterator[Line]:
    """A service is stopped and started anew."""
    yield from login(random, time_ns - 20 * SECOND)
    yield Line(time_ns, stopping, (stop_value,))
    yield Line(time_ns + 4 * SECOND, starting, version)


Group = Callable[[Random, int], Iterator[Line]]

HOUSEKEEPING: tuple[tuple[float, Group], ...] = (
    (0.34, page_hit),
    (0.20, health_check),
    (0.14, pool_report),
    (0.09, password_guess),
    (0.08, connection),
    (0.06, slow_client),
    (0.05, checkpoint),
    (0.03, slow_query),
    (0.01, harmless_error),
)
"""What goes on beside calls, with its share."""
