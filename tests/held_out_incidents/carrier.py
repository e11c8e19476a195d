"""Carrier: a telephone carrier lets only so many calls a second through, and transfers do not come about.

The gateway is told so in an answer of the carrier's, keeps to it, and mentions it at level info. Who waits for the
transfer sees no more than that nobody answers.
"""

from __future__ import annotations

from logpith.demo.incidents import Incident
from logpith.demo.kinds import GATEWAY, HUNG_UP, ORCHESTRATOR, STEP_RETRIED, VOICE, Kind
from logpith.demo.traffic import Call, between

THROTTLED = Kind(GATEWAY, "info", "throttled by carrier tel-north, queueing for {} ms")
TRANSFER_FAILED = Kind(ORCHESTRATOR, "error", "transfer failed")
RINGING_LONG = Kind(ORCHESTRATOR, "warning", "still ringing")
SILENT_LEG = Kind(
    VOICE, "warning", "second leg of call={} has no audio after {} ms, playing music", "voice_pipeline.stream"
)

_SHARE_TRANSFERRED = 0.5
_SHARE_TOLD = 0.12


class CarrierIncident(Incident):
    """A carrier with a limit."""

    CAUSE = "throttled by carrier"
    planted = (THROTTLED,)
    symptoms = (TRANSFER_FAILED, RINGING_LONG, SILENT_LEG, STEP_RETRIED, HUNG_UP)

    def change(self, call: Call) -> None:
        """Every other call would be passed on to a person, and is not."""
        random = call.random
        if random.random() >= _SHARE_TRANSFERRED and self._has_told:
            return
        if self.tells(call, _SHARE_TOLD):
            fields = (("sip", 503), ("retryAfter", 20), ("limitPerSecond", 2))
            call.say(THROTTLED, (4000, 4100), between(random, 900, 20_000), fields=fields)
        leg = (("step", "transfer"), ("carrier", "tel-north"))
        for attempt in range(2, between(random, 2, 3) + 1):
            call.say(STEP_RETRIED, (9000, 20_000), fields=(*leg, ("attempt", attempt)))
        call.say(SILENT_LEG, (9000, 12_000), call.id, between(random, 4000, 6000))
        call.say(RINGING_LONG, (12_000, 16_000), fields=leg)
        if random.random() < 0.6:
            call.speaks = False
            call.say(TRANSFER_FAILED, (20_000, 30_000), fields=(*leg, ("status", 408)))
