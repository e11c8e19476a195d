"""Dead letters: records that a destination will never take, kept beside the spool where somebody can look at them."""

from __future__ import annotations

import json
from collections.abc import Iterator
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

    def keep(self, record: Outgoing, reason: str, now_ns: int) -> bool:
        """Whether there was room for it; then it is synced."""
        try:
            said: object = record.fields
        except Refused:  # somebody else's, and no JSON
            said = record.text
        letter = {"id": record.id, "reason": reason, "refused_at": now_ns, "record": said}
        line = encode(letter) + b"\n"
        try:
            file = self._disk.append_to(self.path)
            try:
                if file.size_bytes + len(line) > MOST_BYTES:
                    return False
                file.write(line)
                file.sync()
            finally:
                file.close()
        except OSError:
            return False
        return True

    def read(self) -> Iterator[dict[str, Any]]:
        """Those that are kept, oldest first; a torn one at the end is passed over."""
        try:
            lines = self._disk.read(self.path).splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                continue
