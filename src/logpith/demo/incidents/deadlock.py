"""Deadlock: a new feature takes its locks in another order, and transactions wait for each other.

The orchestrator begins to bill by the turn, as it says once at level info. From then on, it locks the balance before
the call, and reports lock the call before the balance. Postgres ends one of two now and then, with a DETAIL that names
both; far more transactions only wait, and calls with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from logpith.demo.incidents import Incident
from logpith.demo.kinds import (
    DB_PROXY,
    GATEWAY,
    ORCHESTRATOR,
    PERSONA,
    POSTGRES,
    SLOW_QUERY,
    Kind,
    Line,
)
from logpith.demo.traffic import SECOND, Call, between

ENABLED = Kind(ORCHESTRATOR, "info", "feature enabled")
DEADLOCK = Kind(POSTGRES, "ERROR", "deadlock detected")
LOCK_WAIT = Kind(POSTGRES, "LOG", "process {} still waiting for ShareLock on transaction {} after {} ms")
CLIENT_WAITED = Kind(DB_PROXY, "warn", "client {} held its connection to db-1 for {} ms")
CHARGE_RETRIED = Kind(ORCHESTRATOR, "warning", "charge retried")
CHARGE_FAILED = Kind(ORCHESTRATOR, "error", "charge failed")
SETUP_SLOW = Kind(GATEWAY, "warn", "call setup took {} ms")
LOAD_SLOW = Kind(
    PERSONA, "warning", "loading persona for call {} took {} ms on db-1", "persona_manager.store"
)

_SHARE_TOLD = 0.06
_CHARGE = "UPDATE balances SET cents = cents - $1 WHERE account_id = $2"
_REPORT = "UPDATE calls SET reported = true WHERE account_id = $1"


class DeadlockIncident(Incident):
    """Two orders of locks."""

    CAUSE = "deadlock detected"
    planted = (DEADLOCK,)
    symptoms = (LOCK_WAIT, CLIENT_WAITED, CHARGE_RETRIED, CHARGE_FAILED, SETUP_SLOW, LOAD_SLOW, SLOW_QUERY)

    def scheduled(self, _random: Random) -> Iterator[Line]:
        """The change that nobody thinks of."""
        fields = (("feature", "billing.per_turn"), ("by", "settings"))
        yield Line(self.since_ns - 40 * SECOND, ENABLED, fields=fields)

    def change(self, call: Call) -> None:
        """The call waits for locks, and is charged late or never."""
        random = call.random
        waited_ms = between(random, 1000, 5000)
        call.waits_ms = waited_ms
        if self.tells(call, _SHARE_TOLD):
            self._tell(call)
            call.say(CHARGE_FAILED, (5200, 6000), fields=(("upstream", "db-1"), ("attempts", 3)))
        call.say(
            LOCK_WAIT, (1000, 1100), between(random, 900, 963), between(random, 70_000, 99_000), "1000.1"
        )
        call.say(CHARGE_RETRIED, (1500, 5000), fields=(("upstream", "db-1"), ("waited_ms", waited_ms)))
        call.say(SETUP_SLOW, (5000, 6000), waited_ms + between(random, 100, 300))
        if random.random() < 0.6:
            call.say(CLIENT_WAITED, (5000, 6000), between(random, 100, 999), waited_ms)
        if random.random() < 0.3:
            call.say(SLOW_QUERY, (5000, 6000), waited_ms)
            call.say(LOAD_SLOW, (5000, 6000), call.id, waited_ms)

    def _tell(self, call: Call) -> None:
        random = call.random
        one, other = between(random, 900, 930), between(random, 931, 963)
        first, second = between(random, 70_000, 84_000), between(random, 84_001, 99_000)
        page = between(random, 0, 90)
        trailing = (
            f"\tDETAIL:  Process {one} waits for ShareLock on transaction {second}; blocked by process {other}.",
            f"\tProcess {other} waits for ShareLock on transaction {first}; blocked by process {one}.",
            f"\tProcess {one}: {_CHARGE}",
            f"\tProcess {other}: {_REPORT}",
            "\tHINT:  See server log for query details.",
            f'\tCONTEXT:  while updating tuple ({page},{between(random, 1, 60)}) in relation "balances"',
        )
        call.say(DEADLOCK, (1000, 2000), trailing=trailing)
