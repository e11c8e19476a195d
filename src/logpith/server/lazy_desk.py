"""The desk of a server: opened by the first question, warmed up beside the first requests."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from logpith.files.roots import Roots
from logpith.server.waiting import note_progress
from logpith.tools import Tool

if TYPE_CHECKING:
    from logpith.corpus.desk import Desk

# Loading numba beside the answer to the first request would slow that answer down.
WARM_UP_AFTER_S = 0.3


class LazyDesk:
    """The desk, opened by the first question: an agent's host waits for the list of tools, not for numpy."""

    def __init__(self, roots: Sequence[str], *, time_limit_s: float | None = None) -> None:
        self._roots = Roots.of(roots)
        self._time_limit_s = time_limit_s
        self._desk: Desk | None = None
        self._lock = threading.Lock()
        self._warming: threading.Timer | None = None

    def get(self) -> Desk:
        """The one desk of this process."""
        with self._lock:
            if self._desk is None:
                from logpith.corpus.desk import Desk  # noqa: PLC0415 - brings numpy and numba

                self._desk = Desk(self._roots, progress=note_progress, time_limit_s=self._time_limit_s)
            return self._desk

    def warm_up(self, offered: Mapping[str, type[Tool]]) -> None:
        """Soon begins to load, beside the requests, what the first question needs."""
        if self._warming is None:
            self._warming = threading.Timer(WARM_UP_AFTER_S, self.load, [offered])
            self._warming.daemon = True
            self._warming.start()

    def load(self, offered: Mapping[str, type[Tool]]) -> None:
        """Loads what questions need, by asking each tool about a few lines."""
        from logpith.server.warm_up import warm_up  # noqa: PLC0415 - brings numpy and numba

        self.get()
        warm_up(offered)
