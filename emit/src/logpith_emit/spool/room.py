"""How much room a spool has left, and where."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from logpith_emit.spool.segment import ASIDE

if TYPE_CHECKING:
    from logpith_emit.spool import Spool

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_SPILL_FOR, _SPILL_FOR_AT_MOST = 64, 65_536


class Room:
    """What a spool's files take, and the folder to write to."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._limits = dict(zip(spool.folders, (spool.limit_bytes, spool.spill_limit_bytes), strict=False))
        self._has_looked = False
        self._is_spilling = False
        self._spill_for = 0
        self._patience = _SPILL_FOR
        self.segment_bytes = max(min(spool.segment_bytes, spool.limit_bytes // 8), 1)
        self.used = dict.fromkeys(spool.folders, 0)

    @property
    def folder(self) -> Path:
        """Where to write."""
        return self._spool.folders[self._is_spilling]

    def is_there(self, size_bytes: int) -> bool:
        """Whether so much can be written to `folder`, as far as is known without looking."""
        if self._is_spilling:
            self._spill_for -= 1
            if self._spill_for < 0:
                return False  # time to see whether the first folder has room again
        return self._has_looked and self._fits(self.folder, size_bytes)

    def find(self, size_bytes: int) -> bool:
        """Looks for a folder to write so much to; whether there is one."""
        self.look()
        self._is_spilling = False
        return self._fits(self.folder, size_bytes) or (self.spill() and self._fits(self.folder, size_bytes))

    def spill(self) -> bool:
        """Turns to the spill folder for the next records, if there is one, and each time for longer: turning back
        costs a file."""
        if self._is_spilling or self._spool.spill_folder is None:
            return False
        self._is_spilling = True
        self._spill_for = self._patience
        self._patience = min(2 * self._patience, _SPILL_FOR_AT_MOST)
        return True

    def look(self) -> None:
        """Adds up what the files take."""
        disk = self._spool.disk
        for folder in self._spool.folders:
            used = 0
            for name in disk.names(folder):
                if name.endswith((".spool", ASIDE)):
                    with suppress(OSError):
                        used += disk.size_bytes(folder / name)
            self.used[folder] = used
        self._has_looked = True

    def _fits(self, folder: Path, size_bytes: int) -> bool:
        return self.used[folder] + size_bytes <= self._limits[folder]
