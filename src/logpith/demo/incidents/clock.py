"""Clock: the voice pipeline's host sets its clock forward by minutes, and nobody trusts its tokens any more.

One of its time servers is wrong, and the host follows it in one step. The pipeline's workers notice that their clock
has moved, restart their timers and go on, with stamps from the future; what they sign is not yet valid to others, who
name the pipeline. Lines of its file stand in the order in which they were written: at the step their stamps jump.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from logpith.demo.incidents import Incident
from logpith.demo.kinds import (
    CALL_FAILED,
    CALL_REJECTED,
    GATEWAY,
    ORCHESTRATOR,
    PERSONA,
    VOICE,
    Kind,
    Line,
)
from logpith.demo.traffic import MS, SECOND, Call, between

STEPPED = Kind(
    VOICE,
    "info",
    "worker {}: clock was stepped by {} s (ntp source 10.0.0.9), timers restarted",
    "voice_pipeline.clock",
)
NOT_YET_VALID = Kind(GATEWAY, "warn", "token not yet valid")
EARLY_EVENT = Kind(ORCHESTRATOR, "warning", "event is from the future")
TOKEN_REFUSED = Kind(
    PERSONA, "error", "token of voice-pipeline refused for call {}: nbf is {} s ahead", "persona_manager.api"
)

STEP_NS = 412 * SECOND
_WORKERS = 4
_SHARE_REFUSED = 0.4


class ClockIncident(Incident):
    """A clock that jumps."""

    CAUSE = "clock was stepped"
    planted = (STEPPED,)
    symptoms = (NOT_YET_VALID, EARLY_EVENT, TOKEN_REFUSED, CALL_FAILED, CALL_REJECTED)

    def scheduled(self, random: Random) -> Iterator[Line]:
        """Each worker notices it at its next heartbeat."""
        for worker in range(1, _WORKERS + 1):
            after_ns = between(random, 100, 9000) * MS
            yield Line(self.since_ns + after_ns, STEPPED, (worker, STEP_NS // SECOND))

    def change(self, call: Call) -> None:
        """What the pipeline says of the call is early, and may be refused."""
        random = call.random
        ahead = STEP_NS // SECOND - between(random, 0, 4)
        early = (("service", "voice-pipeline"), ("ahead_s", ahead))
        for _ in range(between(random, 1, 2)):
            call.say(EARLY_EVENT, (1500, 9000), fields=early)
        if random.random() < _SHARE_REFUSED:
            call.say(NOT_YET_VALID, (20, 40), fields=(("issuer", "voice-pipeline"), ("aheadSeconds", ahead)))
            call.say(TOKEN_REFUSED, (20, 40), call.id, ahead)
            call.failure = (("step", "media"), ("service", "voice-pipeline"), ("status", "failed"))

    def revise(self, line: Line) -> Line:
        """The pipeline's stamps are ahead."""
        is_ahead = line.kind.service == VOICE and line.time_ns >= self.since_ns
        return replace(line, skew_ns=STEP_NS) if is_ahead else line
