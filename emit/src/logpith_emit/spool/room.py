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
        self.is_spilling = False
        """Whether it is written to the spill folder, and time to see for the first one runs down."""
        self._spill_for = 0
        self._patience = _SPILL_FOR
        self.segment_bytes = max(min(spool.segment_bytes, spool.limit_bytes // 8), 1)
        self._used = dict.fromkeys(spool.folders, 0)
        self.left_bytes = -1
        """What can be written to `folder`, as far as is known; less than nothing before anybody has looked."""

    @property
    def folder(self) -> Path:
        """Where to write."""
        return self._spool.folders[self.is_spilling]

    def is_there(self, size_bytes: int) -> bool:
        """Whether so much can be written to `folder`, as far as is known without looking."""
        if self.is_spilling:
            self._spill_for -= 1
            if self._spill_for < 0:
                return False  # time to see whether the first folder has room again
        return size_bytes <= self.left_bytes

    def find(self, size_bytes: int) -> bool:
        """Looks for a folder to write so much to; whether there is one."""
        self.is_spilling = False
        self.look()
        return size_bytes <= self.left_bytes or (self.spill() and size_bytes <= self.left_bytes)

    def spill(self) -> bool:
        """Turns to the spill folder for the next records, if there is one, and each time for longer: turning back
        costs a file."""
        if self.is_spilling or self._spool.spill_folder is None:
            return False
        self.is_spilling = True
        self._spill_for = self._patience
        self._patience = min(2 * self._patience, _SPILL_FOR_AT_MOST)
        self._leave()
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
            self._used[folder] = used
        self._leave()

    def _leave(self) -> None:
        self.left_bytes = self._limits[self.folder] - self._used[self.folder]
