"""Quota: the speech provider's credits run out, and from then on callers hear nothing.

All day the voice pipeline tells what is left, which nobody reads. Then the provider refuses. The pipeline says so
for some of the calls, as a warning among others, and goes on with silence; every other service sees calls that
are complete, only short.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from logpith.demo.incidents import Incident
from logpith.demo.kinds import CREDITS, HUNG_UP, VOICE, Kind, Line
from logpith.demo.traffic import CREDITS_IN_ALL, MS, Call, between

REFUSED = Kind(
    VOICE,
    "warning",
    "tts request failed: provider=speech-main status=402 code=quota_exceeded call={} after {} ms, sending silence",
    "voice_pipeline.tts",
)
_SHARE_OF_CALLS_TOLD = 0.2
_REPORTS = 24


class QuotaIncident(Incident):
    """Credits that reach zero at a moment."""

    CAUSE = "quota_exceeded"
    planted = (REFUSED,)
    symptoms = (HUNG_UP,)

    def scheduled(self, random: Random) -> Iterator[Line]:
        """What is left of the credits, about every hour."""
        step = (self.end_ns - self.start_ns) // _REPORTS
        for turn in range(_REPORTS):
            time_ns = self.start_ns + turn * step + between(random, 1000, 9000) * MS
            left = max(0, (self.since_ns - time_ns) * CREDITS_IN_ALL // (self.since_ns - self.start_ns) // 2)
            yield Line(time_ns, CREDITS, (left, CREDITS_IN_ALL))

    def change(self, call: Call) -> None:
        """The caller hears nothing; for some calls a line tells why."""
        call.speaks = False
        if call.random.random() < _SHARE_OF_CALLS_TOLD:
            time_ns = call.start_ns + between(call.random, 4000, 9000) * MS
            call.extra.append(Line(time_ns, REFUSED, (call.id, between(call.random, 20, 60))))
