"""A trial: does a destination take a record, with the settings that it has and from where this runs?

It gets one that says so. Whether a server only answers would say less: a login may do that, and may write nothing.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from logpith_emit.clock import Clock
from logpith_emit.destinations import Destination, Outgoing
from logpith_emit.encoding import encode
from logpith_emit.errors import LogpithError
from logpith_emit.redaction import Redactor
from logpith_emit.shipping.delivery import somebody_elses, told_of

SERVICE = "logpith-emit"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How it went."""

    problem: str = ""
    """Why it did not take the record; nothing where it did."""

    remedy: str = ""
    took_s: float = 0.0


def try_out(destination: Destination, clock: Clock) -> Trial:
    """Writes a record to a destination, also where it is not one of those that go there; it stays there."""
    record = Outgoing(
        # As of a writer of a spool, which no other one is.
        f"{os.getpid():x}-{secrets.token_hex(6)}-1",
        encode(
            {
                "timestamp": clock.now_ns(),
                "level": "info",
                "service": SERVICE,
                "logger": SERVICE,
                "message": f"Whether {destination.type} takes records was tried",
            }
        ),
    )
    since_ns = clock.monotonic_ns()
    try:
        with somebody_elses(), destination.open() as live:
            written = live.write([record])
            refused, again = list(written.refused.values()), bool(written.again)
            if again and written.why_again is not None:
                raise written.why_again
    except LogpithError as error:
        return _failed(error.problem, error.remedy)
    except Exception as error:  # noqa: BLE001 - whatever somebody's destination raises is what is asked for
        return _failed(told_of(error), "See to that destination")
    if refused:
        return _failed(f"it refuses the record: {refused[0]}", "Mend its settings")
    if again:
        return _failed("it does not take the record now", "Try again later")
    return Trial(took_s=(clock.monotonic_ns() - since_ns) / 1e9)


def _failed(problem: str, remedy: str) -> Trial:
    # Errors of other people's libraries show addresses with passwords.
    return Trial(problem=Redactor().redact(problem), remedy=remedy)
