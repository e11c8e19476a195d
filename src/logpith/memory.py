"""Memory: what a process holds and does not use is given back to the system.

What was freed stays with the allocators, Python's and Arrow's, until somebody asks for it: after a large question, or
segments put together, that would be hundreds of megabytes for as long as a server runs.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

LEAST_GROWN_BYTES = 8 << 20
"""By so much a process must have grown for it to be worth while."""

STEADY_BYTES = 1 << 20
"""Who grows by less from look to look rests."""

_STATM = Path("/proc/self/statm")


def share_one_allocator() -> None:
    """Lets Arrow take its memory where everything else does, unless the environment names another place; to be called
    before it is loaded. Its own allocator keeps tens of megabytes, and makes nothing here faster."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def give_back() -> None:
    """Gives back all that is free."""
    arrow: Any = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.default_memory_pool().release_unused()
    import ctypes  # noqa: PLC0415  short commands need none of it

    with contextlib.suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def own_bytes() -> int:
    """What this process has in memory that is no mapped file; 0 where the system does not tell."""
    try:
        _, resident, shared, *_ = map(int, _STATM.read_text().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


class Rest:
    """Notices when a process has grown and works no more, and gives back what it left behind."""

    def __init__(
        self, measure: Callable[[], int] = own_bytes, give_back: Callable[[], None] = give_back
    ) -> None:
        self._measure = measure
        self._give_back = give_back
        self._least = self._last = measure()

    def look(self) -> bool:
        """To be called every now and then; whether it was time to give back."""
        now = self._measure()
        works = now > self._last + STEADY_BYTES
        self._last = now
        self._least = min(self._least, now)
        if works or now < self._least + LEAST_GROWN_BYTES:
            return False
        self._give_back()
        self._least = self._last = self._measure()
        return True
