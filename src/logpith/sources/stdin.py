"""Stdin: what is piped into this program."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import msgspec

from logpith.sources import Delivery, Source
from logpith.sources.reading import LineReader, as_block, attributes_of

_READ_BYTES = 1 << 20
_BLOCK_BYTES = 8 << 20
# A line longer than this is cut: a stream without newlines must fit in memory.
_MOST_RECORD_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class StdinSource(Source):
    """The lines that are piped into this program; they can be read once only, so a crash may lose the last of them."""

    type: ClassVar[str] = "stdin"

    flush_after_s: float = field(default=1.0, metadata={"minimum": 0.0, "maximum": 3600.0})
    """After so long without more the last record is whole: the rest of a stack trace may come until then."""

    @contextmanager
    def open(self, name: str, position: str | None) -> Iterator[LiveStdin]:
        """See `Source.open`."""
        reader = LineReader(name, service=self.service, extra=attributes_of(self.attributes))
        yield LiveStdin(sys.stdin.fileno(), reader, int(self.flush_after_s * 1e9))


class LiveStdin:
    """A pipe while it is read."""

    def __init__(self, descriptor: int, reader: LineReader, flush_after_ns: int) -> None:
        self._descriptor = descriptor
        self._reader = reader
        self._flush_after_ns = flush_after_ns
        self._waiting = bytearray()
        self._taken_bytes = 0
        self._changed_ns = 0
        self.has_ended = False
        """Whether nothing more will come."""

    def poll(self, now_ns: int, *, at_once: bool = False) -> Iterator[Delivery]:
        """See `LiveSource.poll`."""
        wanted = _BLOCK_BYTES
        while True:
            is_empty = self._fill(wanted, now_ns)
            settled = at_once or self.has_ended or now_ns - self._changed_ns >= self._flush_after_ns
            before = self._taken_bytes
            yield from self._take(now_ns, all_of_it=is_empty and settled)
            if is_empty:
                return
            wanted = _BLOCK_BYTES if self._taken_bytes > before else min(2 * wanted, _MOST_RECORD_BYTES)

    def _fill(self, wanted: int, now_ns: int) -> bool:
        """Reads what is there, up to so many bytes; whether that was all."""
        while len(self._waiting) < wanted and not self.has_ended:
            if not select.select([self._descriptor], [], [], 0)[0]:
                return True
            piece = os.read(self._descriptor, _READ_BYTES)
            self.has_ended = not piece
            self._waiting += piece
            self._changed_ns = now_ns
        return self.has_ended

    def _take(self, now_ns: int, *, all_of_it: bool) -> Iterator[Delivery]:
        waiting = bytes(self._waiting)
        is_full = len(waiting) >= _MOST_RECORD_BYTES
        whole = len(waiting) if self.has_ended else waiting.rfind(b"\n") + 1
        if not whole and is_full:
            whole = len(waiting)
        if not whole:
            return
        buf, end = as_block(waiting[:whole])
        found = self._reader.read(buf, 0, end, now_ns)
        done = 0
        for batch, behind in found.parts(len(found) - (not (all_of_it or is_full))):
            taken = min(behind, whole)  # a last line without an end was given one
            del self._waiting[: taken - done]
            self._taken_bytes += taken - done
            done = taken
            position = msgspec.json.encode({"bytes": self._taken_bytes}).decode()
            yield Delivery(batch=batch, position=position)
