"""Oom: the voice pipeline leaks memory, and every hour the kernel ends it.

Only the system's log says so, in a line without a level, among the names that strangers guess. The pipeline starts
anew and needs minutes to load its models; calls find nobody to speak. Before the next end it is slow, as its memory
is on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from logpith.demo.incidents import Incident
from logpith.demo.kinds import (
    CALL_FAILED,
    CALL_REJECTED,
    GATEWAY,
    JITTER,
    ORCHESTRATOR,
    SSHD,
    VOICE,
    Kind,
    Line,
)
from logpith.demo.traffic import SECOND, Call, between

KILLED = Kind(
    SSHD,
    "",
    "Out of memory: Killed process {} (voice-pipeline) total-vm:{}kB, anon-rss:{}kB, oom_score_adj:0",
    "kernel",
)
STARTING = Kind(VOICE, "info", "starting voice-pipeline {}, loading {} models", "voice_pipeline.main")
MEDIA_LOST = Kind(GATEWAY, "warn", "media connection to voice-pipeline lost")
TURN_SLOW = Kind(ORCHESTRATOR, "warning", "turn took too long")

_EVERY_NS = 55 * 60 * SECOND
_LOADS_NS = 9 * 60 * SECOND
_SLOW_AFTER_NS = 25 * 60 * SECOND


class OomIncident(Incident):
    """A leak that ends in the same way each hour."""

    CAUSE = "Out of memory: Killed process"
    planted = (KILLED,)
    symptoms = (STARTING, MEDIA_LOST, TURN_SLOW, JITTER, CALL_FAILED, CALL_REJECTED)

    def scheduled(self, random: Random) -> Iterator[Line]:
        """Each end, and the start after it."""
        for time_ns in range(self.since_ns, self.end_ns - 60 * SECOND, _EVERY_NS):
            used_kb = between(random, 15_800_000, 16_100_000)
            yield Line(time_ns, KILLED, (between(random, 4000, 30_000), used_kb + 900_000, used_kb))
            for lost in range(between(random, 2, 5)):
                fields = (("service", "voice-pipeline"), ("code", "ECONNRESET"), ("calls", lost + 1))
                yield Line(time_ns + (lost + 1) * SECOND // 9, MEDIA_LOST, fields=fields)
            yield Line(time_ns + 6 * SECOND, STARTING, ("7.4.2", 3))

    def change(self, call: Call) -> None:
        """While models are loaded the call fails; long after a start it is slow."""
        random = call.random
        passed_ns = (call.start_ns - self.since_ns) % _EVERY_NS
        if passed_ns < _LOADS_NS:
            call.say(MEDIA_LOST, (100, 300), fields=(("service", "voice-pipeline"), ("code", "ECONNREFUSED")))
            call.failure = (("step", "media"), ("service", "voice-pipeline"), ("status", "failed"))
        elif passed_ns > _SLOW_AFTER_NS:
            slow_ms = between(random, 2500, 9000)
            for _ in range(between(random, 1, 3)):
                took = (("service", "voice-pipeline"), ("took_ms", slow_ms))
                call.say(TURN_SLOW, (9000, 30_000), fields=took)
            call.say(JITTER, (9000, 30_000), between(random, 400, 900), call.id)
