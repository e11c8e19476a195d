"""Disk: the database's volume fills up, and what happens in calls is no longer kept.

All day the proxy passes on how full the volume of db-1 is, as a notice. Then postgres can extend no table and write no
temporary file, and says so when it tries, which is less often than others ask: they see statements that fail, and
end without a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from logpith.demo.incidents import Incident
from logpith.demo.kinds import DB_PROXY, ORCHESTRATOR, PERSONA, POSTGRES, Kind, Line
from logpith.demo.traffic import MS, Call, between

VOLUME = Kind(DB_PROXY, "notice", "volume /var/lib/postgresql of db-1 is {} % full")
EXTEND = Kind(POSTGRES, "ERROR", 'could not extend file "base/16385/{}": No space left on device')
TEMPORARY = Kind(
    POSTGRES,
    "LOG",
    'could not write temporary statistics file "pg_stat_tmp/db_16385.tmp": No space left on device',
)
STATEMENT_FAILED = Kind(DB_PROXY, "warn", "client {} statement failed on db-1 with sqlstate 53100")
EVENTS_NOT_KEPT = Kind(ORCHESTRATOR, "error", "call events not stored")
PERSONA_NOT_SAVED = Kind(
    PERSONA,
    "warning",
    "usage of persona not saved for call {}: db-1 refused the insert",
    "persona_manager.store",
)

_SHARE_TOLD = 0.08
_REPORTS = 24


class DiskIncident(Incident):
    """A volume that is full."""

    CAUSE = "No space left on device"
    planted = (EXTEND, TEMPORARY)
    symptoms = (STATEMENT_FAILED, EVENTS_NOT_KEPT, PERSONA_NOT_SAVED)

    def scheduled(self, random: Random) -> Iterator[Line]:
        """How full the volume is, about every hour; it grows by a tenth until the story begins."""
        step = (self.end_ns - self.start_ns) // _REPORTS
        for turn in range(_REPORTS):
            time_ns = self.start_ns + turn * step + between(random, 1000, 9000) * MS
            passed = min(time_ns - self.start_ns, self.since_ns - self.start_ns)
            yield Line(time_ns, VOLUME, (90 + passed * 10 // (self.since_ns - self.start_ns),))

    def change(self, call: Call) -> None:
        """Nothing of the call is kept; seldom the database itself says why."""
        if self.tells(call, _SHARE_TOLD):
            self._tell(call)
        elif call.random.random() < _SHARE_TOLD / 2:
            call.say(TEMPORARY, (1, 9000))
        call.say(STATEMENT_FAILED, (900, 1500), between(call.random, 100, 999))
        call.say(PERSONA_NOT_SAVED, (900, 1500), call.id)
        for _ in range(between(call.random, 1, 3)):
            kept = (("upstream", "db-1"), ("events", between(call.random, 1, 9)))
            call.say(EVENTS_NOT_KEPT, (2000, 15_000), fields=kept)

    def _tell(self, call: Call) -> None:
        trailing = (
            "\tHINT:  Check free disk space.",
            "\tSTATEMENT:  INSERT INTO call_events (account_id, at, kind, body) VALUES ($1, $2, $3, $4)",
        )
        call.say(EXTEND, (10, 800), 24_576 + between(call.random, 0, 9), trailing=trailing)
