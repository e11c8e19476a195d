"""Dead letters: records that a destination will never take, kept beside the spool where somebody can look at them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from logpith_emit.destinations import Outgoing
from logpith_emit.encoding import encode
from logpith_emit.errors import Refused
from logpith_emit.spool import Spool

SUFFIX = ".dead.ndjson"
MOST_BYTES = 64 << 20
"""What those of one destination may take on the disk."""


class DeadLetters:
    """Those of one destination: `{"id": …, "reason": …, "refused_at": …, "record": …}`, a line each."""

    def __init__(self, spool: Spool, name: str) -> None:
        self.path: Path = spool.folder / f"{name}{SUFFIX}"
        self._disk = spool.disk

    def keep(self, refused: Sequence[tuple[Outgoing, str]], now_ns: int) -> int:
        """How many of them, each with its reason, there was room for; these are synced."""
        kept = 0
        try:
            file = self._disk.append_to(self.path)
            try:
                if not self._ends_a_line(file.size_bytes):
                    file.write(b"\n")
                for record, reason in refused:
                    line = _line(record, reason, now_ns)
                    if file.size_bytes + len(line) <= MOST_BYTES:
                        file.write(line)
                        kept += 1
                file.sync()
            finally:
                file.close()
        except OSError:
            # What of it stands there nobody knows: all counts as dropped, and a letter too many does no harm.
            return 0
        return kept

    def _ends_a_line(self, size_bytes: int) -> bool:
        """Whether what is there is whole; else a full disk, or the end of a process, has cut it."""
        if not size_bytes:
            return True
        file = self._disk.reading(self.path)
        try:
            return file.read(size_bytes - 1, 1) == b"\n"
        finally:
            file.close()

    def read(self) -> Iterator[dict[str, Any]]:
        """Those that are kept, oldest first, each once; a torn one is passed over."""
        try:
            lines = self._disk.read(self.path).splitlines()
        except FileNotFoundError:
            return
        seen: set[str] = set()
        for line in lines:
            with suppress(ValueError):
                letter = json.loads(line)
                # One whose process was killed before it was counted is kept again.
                if letter["id"] not in seen:
                    seen.add(letter["id"])
                    yield letter


def _line(record: Outgoing, reason: str, now_ns: int) -> bytes:
    try:
        said: object = record.fields
    except Refused:  # somebody else's, and no JSON
        said = record.text
    return encode({"id": record.id, "reason": reason, "refused_at": now_ns, "record": said}) + b"\n"
