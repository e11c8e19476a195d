"""Pool: a worker keeps its connections, until the proxy has none left and everybody waits.

From the moment on the pool's own report, one line among many at level info, shows ever more connections in use. When
none is idle the proxy says so in a notice, not at each client. Clients wait, first some tenths of a second, then until
they give up.
"""

from __future__ import annotations

from dataclasses import replace

from logpith.demo.incidents import Incident
from logpith.demo.kinds import (
    CALL_FAILED,
    CALL_REJECTED,
    DB_PROXY,
    ORCHESTRATOR,
    PERSONA,
    POOL,
    UPSTREAM_TIMEOUT,
    Kind,
    Line,
)
from logpith.demo.traffic import SECOND, Call, between

EXHAUSTED = Kind(
    DB_PROXY, "notice", "pool main is exhausted: {} of {} in use, longest held by reports for {} s"
)
CLIENT_WAITS = Kind(DB_PROXY, "warn", "client {} waited {} ms for a server connection")
LOAD_TIMEOUT = Kind(
    PERSONA,
    "error",
    "persona for call {} not loaded: db-proxy gave no connection within {} ms",
    "persona_manager.store",
)
DATABASE_SLOW = Kind(ORCHESTRATOR, "warning", "database is slow")

_SIZE = 40
_MOST_WAITING = 7
_LEAKED_AFTER_NS = 20 * 60 * SECOND
_LONGEST_WAIT_MS = 5000
_SHARE_TOLD = 0.08


class PoolIncident(Incident):
    """A pool that runs dry."""

    CAUSE = "pool main is exhausted"
    planted = (EXHAUSTED,)
    symptoms = (CLIENT_WAITS, LOAD_TIMEOUT, DATABASE_SLOW, CALL_FAILED, CALL_REJECTED, UPSTREAM_TIMEOUT)

    def change(self, call: Call) -> None:
        """The call waits for the database, the longer the more has leaked; at last in vain."""
        random = call.random
        leaked = self._leaked(call.start_ns)
        wait_ms = min(_LONGEST_WAIT_MS, int(_LONGEST_WAIT_MS * leaked) + between(random, 50, 700))
        call.waits_ms = wait_ms
        if leaked < 1:
            call.say(CLIENT_WAITS, (wait_ms, wait_ms + 20), between(random, 100, 999), wait_ms)
            return
        if self.tells(call, _SHARE_TOLD):
            held_s = (call.start_ns - self.since_ns) // SECOND
            call.say(EXHAUSTED, (1, 20), _SIZE, _SIZE, held_s)
        for _ in range(between(random, 1, 3)):
            call.say(CLIENT_WAITS, (wait_ms, wait_ms + 90), between(random, 100, 999), wait_ms)
        call.say(DATABASE_SLOW, (1000, 1100), fields=(("upstream", "db-proxy"), ("waited_ms", 1000)))
        if random.random() < 0.6:
            call.say(LOAD_TIMEOUT, (5000, 5100), call.id, _LONGEST_WAIT_MS)
            call.failure = (("step", "persona"), ("service", "persona-manager"), ("status", "failed"))
        elif random.random() < 0.3:
            call.say(UPSTREAM_TIMEOUT, (5000, 9000), between(random, 5000, 9000))

    def revise(self, line: Line) -> Line:
        """The pool's report tells what has leaked."""
        if line.kind is not POOL or line.time_ns < self.since_ns:
            return line
        leaked = self._leaked(line.time_ns)
        usual, _, usually_waiting = (int(str(value)) for value in line.values)
        in_use = usual + int((_SIZE - usual) * leaked)
        waiting = usually_waiting + int(_MOST_WAITING * leaked)
        return replace(line, values=(in_use, _SIZE - in_use, waiting))

    def _leaked(self, time_ns: int) -> float:
        """The share of the pool that is lost by then."""
        return min(1.0, (time_ns - self.since_ns) / _LEAKED_AFTER_NS)
