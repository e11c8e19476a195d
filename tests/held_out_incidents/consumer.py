"""Consumer: what reads the queue of call events stops without a word of failure, and what it wrote is missing.

All day the persona manager says every twenty minutes how many events it has consumed. Its partitions are taken from it,
which it says once, at level info, and it waits for others that never come. From then on that line is missing; the
orchestrator's outbox fills, and personas are told with what was true at noon.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from logpith.demo.incidents import Incident
from logpith.demo.kinds import GATEWAY, ORCHESTRATOR, PERSONA, VOICE, Kind, Line
from logpith.demo.traffic import SECOND, Call, between

CONSUMED = Kind(PERSONA, "info", "consumed {} events of call-events, lag {}", "persona_manager.events")
REVOKED = Kind(
    PERSONA,
    "info",
    "partitions of call-events revoked: generation {}, waiting for assignment",
    "persona_manager.events",
)
OUTBOX = Kind(ORCHESTRATOR, "warning", "outbox is growing")
STALE = Kind(GATEWAY, "warn", "balance is stale, call allowed")
OLD_PERSONA = Kind(VOICE, "warning", "call={} speaks with a persona of {} min ago", "voice_pipeline.tts")

_EVERY_NS = 20 * 60 * SECOND


class ConsumerIncident(Incident):
    """A line that is no longer written."""

    CAUSE = "partitions of call-events revoked"
    planted = (REVOKED,)
    symptoms = (OUTBOX, STALE, OLD_PERSONA)

    def scheduled(self, random: Random) -> Iterator[Line]:
        """The consumer's reports until it stops, and what it says then."""
        for time_ns in range(self.start_ns + 5 * SECOND, self.since_ns, _EVERY_NS):
            yield Line(time_ns, CONSUMED, (between(random, 100, 900), between(random, 0, 9)))
        yield Line(self.since_ns + between(random, 1, 9) * SECOND, REVOKED, (between(random, 20, 90),))

    def change(self, call: Call) -> None:
        """The call goes on with old knowledge."""
        passed_s = (call.start_ns - self.since_ns) // SECOND
        waiting = (("queue", "call-events"), ("unread", passed_s // 3 + between(call.random, 0, 20)))
        call.say(OUTBOX, (3000, 20_000), fields=waiting)
        if call.random.random() < 0.5:
            call.say(STALE, (5, 20), fields=(("ageSeconds", passed_s),))
        if call.random.random() < 0.3:
            call.say(OLD_PERSONA, (1500, 4000), call.id, passed_s // 60)
