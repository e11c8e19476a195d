"""DNS: the name of the speech provider stops resolving, and callers wait for voices that do not come.

The voice pipeline's resolver answers SERVFAIL. The pipeline tells it when it asks anew, which is seldom, and lives on
the last address until the provider moves; then each request fails, is tried again, and falls back to the second
provider, which is slow.
"""

from __future__ import annotations

from logpith.demo.incidents import Incident
from logpith.demo.kinds import GATEWAY, ORCHESTRATOR, STEP_RETRIED, VOICE, Kind
from logpith.demo.traffic import Call, between

_HOST = "api.speech-main.example"

LOOKUP = Kind(
    VOICE,
    "warning",
    "lookup of {} type=A: resolver 10.0.0.2 answered SERVFAIL after {} ms, keeping the old address",
    "voice_pipeline.net",
)
CONNECT = Kind(
    VOICE, "error", "tts request failed call={}: cannot connect to {} within {} ms", "voice_pipeline.tts"
)
FELL_BACK = Kind(
    VOICE, "warning", "call={} uses provider speech-backup, speech-main is down", "voice_pipeline.tts"
)
TURN_LATE = Kind(ORCHESTRATOR, "warning", "turn is late")
NO_AUDIO = Kind(GATEWAY, "warn", "no audio from voice-pipeline for {} ms")

_SHARE_TOLD = 0.07


class DnsIncident(Incident):
    """A name without an address."""

    CAUSE = "SERVFAIL"
    planted = (LOOKUP,)
    symptoms = (CONNECT, FELL_BACK, TURN_LATE, NO_AUDIO, STEP_RETRIED)

    def change(self, call: Call) -> None:
        """The call is voiced by the other provider, late, or not at all."""
        if self.tells(call, _SHARE_TOLD):
            call.say(LOOKUP, (1, 30), _HOST, between(call.random, 2, 4900))
        call.say(CONNECT, (2500, 4000), call.id, _HOST, 2000)
        step = (("step", "tts"), ("provider", "speech-main"))
        call.say(STEP_RETRIED, (2600, 4100), fields=(*step, ("attempt", 2)))
        if call.random.random() < 0.4:
            call.speaks = False
            call.say(NO_AUDIO, (5000, 7000), between(call.random, 4000, 6500))
            return
        call.say(FELL_BACK, (4200, 4800), call.id)
        late = between(call.random, 2100, 5200)
        call.say(TURN_LATE, (5000, 7000), fields=(*step, ("late_ms", late)))
        if call.random.random() < 0.5:
            call.say(NO_AUDIO, (4900, 7000), late)
