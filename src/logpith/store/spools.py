"""What is durable in the spool and in no segment yet: batches as frames.

A frame's payload is the length of a head in four bytes, the head as MessagePack, and the batch as an Arrow IPC stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from logpith.batch import Batch
from logpith.store.disk import SPOOL
from logpith_emit.disk import Disk
from logpith_emit.spool import Damage, Segment, Spool

BATCH_KIND = 1
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class FrameHead(msgspec.Struct, frozen=True, array_like=True):
    """What a frame says besides its batch."""

    source: str = ""
    """Whose position follows; empty when there is none."""

    position: str = ""
    batch_id: str = ""
    void: tuple[int, ...] = ()
    """Frames before it that do not count: their senders were told that they are not stored."""


@dataclass(frozen=True)
class Stored:
    """A frame, read."""

    sequence: int
    head: FrameHead
    batch: Batch


def spool_of(folder: Path, disk: Disk, limit_bytes: int) -> Spool:
    """The spool of a store."""
    return Spool(folder=folder / SPOOL, limit_bytes=limit_bytes, overflow="block", disk=disk)


def pack_frame(head: FrameHead, batch: Batch) -> bytes:
    """The payload of a frame."""
    told = msgspec.msgpack.encode(head)
    out = pa.BufferOutputStream()
    out.write(len(told).to_bytes(4, "little") + told)
    with pa.ipc.new_stream(out, batch.schema, options=_OPTIONS) as writer:
        writer.write_batch(batch)
    return out.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow has no types


def unpack_frame(sequence: int, payload: bytes) -> Stored:
    """A frame's payload, read."""
    size = int.from_bytes(payload[:4], "little")
    head = msgspec.msgpack.decode(payload[4 : 4 + size], type=FrameHead)
    reader = pa.ipc.open_stream(pa.BufferReader(payload).read_buffer()[4 + size :])
    batches: list[Any] = list(reader)
    return Stored(sequence, head, batches[0])


def read_frames(spool: Spool, after: int, damage: Damage | None = None) -> list[Stored]:
    """The frames with a sequence above `after` that count, in order, each once."""
    return without_void(_read_all(spool, after, damage))


def without_void(frames: Iterable[Stored]) -> list[Stored]:
    """The frames that none of the others says do not count."""
    frames = list(frames)
    void = {sequence for frame in frames for sequence in frame.head.void}
    return [frame for frame in frames if frame.sequence not in void]


def _read_all(spool: Spool, after: int, damage: Damage | None) -> Iterator[Stored]:
    last = after
    for segment in in_order(spool):
        for frame in spool.read(segment, damage=damage):
            if frame.sequence > last and frame.kind == BATCH_KIND:
                yield unpack_frame(frame.sequence, bytes(frame.payload))
                last = frame.sequence


def in_order(spool: Spool) -> list[Segment]:
    """The files of a spool in the order of their frames."""
    first: list[tuple[int, str, int, Segment]] = []
    for segment in spool.segments():
        frame = next(iter(spool.read(segment)), None)
        first.append((frame.sequence if frame else 0, segment.writer, segment.number, segment))
    return [segment for *_, segment in sorted(first, key=lambda one: one[:3])]
