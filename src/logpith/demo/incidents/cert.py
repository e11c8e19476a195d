"""Cert: the certificate of the media gateway expires, and audio finds no way to the caller.

For days its renewal has been put off, and the gateway has said so at level info. From the moment of expiry the voice
pipeline can open no new connection; those that are open live on, so only a share of the calls is hit, and only the
first of each worker's attempts tells the reason. The gateway sees clients that go away.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from logpith.demo.incidents import Incident
from logpith.demo.kinds import CALL_FAILED, CALL_REJECTED, GATEWAY, ORCHESTRATOR, VOICE, Kind, Line
from logpith.demo.traffic import SECOND, Call, between

_HOST = "media.voice.internal"

POSTPONED = Kind(GATEWAY, "info", "renewal postponed")
HANDSHAKE = Kind(
    VOICE,
    "warning",
    "stream to {}:7443 not opened: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
    "certificate has expired (_ssl.c:1006)",
    "voice_pipeline.stream",
)
NO_STREAM = Kind(
    VOICE, "error", "no audio stream for call={} after {} attempts, giving up", "voice_pipeline.stream"
)
CLIENT_LEFT = Kind(GATEWAY, "warn", "media client voice-pipeline closed the connection during handshake")
MEDIA_LATE = Kind(ORCHESTRATOR, "warning", "media not ready")

_SHARE_HIT = 0.6
_SHARE_TOLD = 0.12
_RENEWALS = 5


class CertIncident(Incident):
    """A certificate that has run out."""

    CAUSE = "certificate has expired"
    planted = (HANDSHAKE,)
    symptoms = (NO_STREAM, CLIENT_LEFT, MEDIA_LATE, CALL_FAILED, CALL_REJECTED)

    def scheduled(self, _random: Random) -> Iterator[Line]:
        """The renewals that did not come about, until it is too late."""
        step = (self.since_ns - self.start_ns) // (_RENEWALS + 1)
        for turn in range(1, _RENEWALS + 1):
            left_h = (self.since_ns - self.start_ns - turn * step) // (3600 * SECOND)
            reason = "order pending, challenge answered 404"
            fields = (("name", _HOST), ("hoursLeft", left_h), ("reason", reason))
            yield Line(self.start_ns + turn * step, POSTPONED, fields=fields)

    def change(self, call: Call) -> None:
        """A call that needs a new connection to the media gateway gets none."""
        if call.random.random() >= _SHARE_HIT and self._has_told:
            return
        if self.tells(call, _SHARE_TOLD):
            call.say(HANDSHAKE, (20, 90), _HOST)
        attempts = between(call.random, 2, 4)
        for _ in range(attempts):
            call.say(CLIENT_LEFT, (20, 3000), fields=(("host", _HOST), ("remote", "voice-pipeline")))
        call.say(MEDIA_LATE, (1000, 2000), fields=(("service", "voice-pipeline"), ("waited_ms", 1000)))
        call.say(NO_STREAM, (3000, 3900), call.id, attempts)
        call.waits_ms = 4000
        call.failure = (("step", "media"), ("service", "voice-pipeline"), ("status", "failed"))
