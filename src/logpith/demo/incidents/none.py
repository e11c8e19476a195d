"""None: a day on which nothing goes wrong but what always does."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from logpith.demo.kinds import Kind, Line
from logpith.demo.traffic import Call


class Incident:
    """Nothing."""

    CAUSE = ""

    def __init__(self, start_ns: int, end_ns: int, since_ns: int) -> None:
        """No time matters."""

    @property
    def planted(self) -> tuple[Kind, ...]:
        """No proof of anything."""
        return ()

    def scheduled(self, _random: Random) -> Iterator[Line]:
        """No lines."""
        yield from ()

    def change(self, call: Call) -> None:
        """All calls are well."""
