"""States: how each place is that records are collected from, as answers tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """How one source was when it was last read, or when that was tried."""

    name: str
    """What the settings call it."""

    type: str = ""
    problem: str = ""
    """Why it could not be read, and what to do; empty when all that there was is stored."""

    tried_ns: int = 0
    """When reading it last came to an end; 0 for never."""

    success_ns: int = 0
    """When all that there was had last been stored; 0 for never."""

    failures: int = 0
    """How often in a row it could not be read."""

    lost: Mapping[str, int] = field(default_factory=dict)
    """What was lost before it could be read, by reason, so far."""

    old: int = 0
    """Records that were older than is kept when they came, so far; they go."""

    @property
    def is_failing(self) -> bool:
        return bool(self.problem)
