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
    from logpith.settings import Settings

# Loading numba beside the answer to the first request would slow that answer down.
WARM_UP_AFTER_S = 0.3


class LazyDesk:
    """The desk, opened by the first question: an agent's host waits for the list of tools, not for numpy."""

    def __init__(
        self, roots: Sequence[str], *, time_limit_s: float | None = None, settings: Settings | None = None
    ) -> None:
        self._roots = Roots.of(roots)
        self._time_limit_s = time_limit_s
        self._settings = settings
        self._desk: Desk | None = None
        self._lock = threading.Lock()
        self._warming: threading.Timer | None = None

    @property
    def is_stored(self) -> bool:
        """Whether questions are about what was collected."""
        return self._settings is not None

    def get(self) -> Desk:
        """The one desk of this process."""
        with self._lock:
            if self._desk is None:
                from logpith.corpus.desk import Desk  # noqa: PLC0415 - brings numpy and numba

                files = Desk(self._roots, progress=note_progress, time_limit_s=self._time_limit_s)
                self._desk = files if self._settings is None else self._over_all(files, self._settings)
            return self._desk

    def _over_all(self, files: Desk, settings: Settings) -> Desk:
        """The desk of what was collected, and of files where those are named."""
        from logpith.collected import collected_desk  # noqa: PLC0415 - brings Arrow

        desk = collected_desk(settings, files=files, progress=note_progress)
        desk.time_limit_s = self._time_limit_s
        desk.slow_s = settings.search.slow_query_ms / 1000
        return desk

    def close(self) -> None:
        """Ends the programs that sources of it have started, before a process that ends without its farewells."""
        if self._settings is not None:
            from logpith.sources.running import end_all  # noqa: PLC0415 - only who collects needs it

            end_all()

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
        warm_up(offered, stored=self.is_stored)
