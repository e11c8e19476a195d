"""Deploy: a new version of the persona manager cannot read what the old one stored, and callers meet the wrong voice.

The deployment itself looks like this morning's. From then on, loading some personas ends in a new exception, which the
service catches: it writes a warning with a traceback the first time that it meets a persona, and serves the default.
Others see calls with the default persona, a voice that is unknown, callers who leave. Nobody rolls back.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from logpith.demo.incidents import Incident
from logpith.demo.kinds import (
    GATEWAY,
    HUNG_UP,
    ORCHESTRATOR,
    PERSONA,
    PERSONA_STARTING,
    PERSONA_STOPPING,
    VOICE,
    Kind,
    Line,
)
from logpith.demo.traffic import Call, between, deploy

UNREADABLE = Kind(
    PERSONA,
    "warning",
    "persona {} not read, serving the default: KeyError: 'speaking_style'",
    "persona_manager.store",
)
WITHOUT_VOICE = Kind(
    VOICE, "warning", "persona of call={} names no voice, speaking as neutral-1", "voice_pipeline.tts"
)
DEFAULT_PERSONA = Kind(ORCHESTRATOR, "warning", "default persona used")
SCRIPT_FAILED = Kind(ORCHESTRATOR, "error", "script has no step")
LEFT_EARLY = Kind(GATEWAY, "warn", "caller left in the first {} s")

_VERSION = "2.15.0"
_SHARE_HIT = 0.6
_SHARE_TOLD = 0.1
_TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "/srv/persona/persona_manager/store.py", line 63, in load',
    "    return Persona.from_row(row)",
    '  File "/srv/persona/persona_manager/persona.py", line 29, in from_row',
    '    return cls(row["name"], Voice(row["voice"]), Style(row["speaking_style"]))',
    "KeyError: 'speaking_style'",
)


class DeployIncident(Incident):
    """A release that should not have been."""

    CAUSE = "KeyError: 'speaking_style'"
    planted = (UNREADABLE,)
    symptoms = (WITHOUT_VOICE, DEFAULT_PERSONA, SCRIPT_FAILED, LEFT_EARLY, HUNG_UP)

    def scheduled(self, random: Random) -> Iterator[Line]:
        """The deployment."""
        yield from deploy(random, self.since_ns, PERSONA_STOPPING, PERSONA_STARTING, 15, (_VERSION, 4))

    def change(self, call: Call) -> None:
        """The call is led by the default persona."""
        random = call.random
        if random.random() >= _SHARE_HIT and self._has_told:
            return
        if self.tells(call, _SHARE_TOLD):
            # Callers are led to the new workers a few seconds after those have started.
            call.say(UNREADABLE, (5000, 5200), f"p-{between(random, 100, 999)}", trailing=_TRACEBACK)
        told = (("service", "persona-manager"), ("version", _VERSION))
        call.say(DEFAULT_PERSONA, (5200, 5400), fields=told)
        call.say(WITHOUT_VOICE, (5500, 6500), call.id)
        if random.random() < 0.5:
            call.speaks = False
            call.say(LEFT_EARLY, (9000, 15_000), between(random, 9, 15))
        if random.random() < 0.3:
            call.say(SCRIPT_FAILED, (7000, 9000), fields=(*told, ("step", "greeting")))
