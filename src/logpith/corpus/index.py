"""The index of a file: its table, kept in the cache folder, so that no later question reads the file again.

An index belongs to a device and an inode, so it survives a rename. It is used while the file has the size and the
time of change that it had; when the file has grown, and begins and ends (where it ended) as it did, only what is
new is read. For that an index also keeps what was known at the last block border: the last block is read again,
because its last line may have been half written, and because more of the text may tell more about its format.

Everything in an index has a checksum. One that does not fit makes the index as good as none.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

import logpith
from logpith.corpus import cache as cache_folder
from logpith.corpus.cache import Draft
from logpith.corpus.columns import (
    CHUNK_KINDS,
    KINDS,
    ColumnStore,
    Growing,
    Shapes,
    Table,
    tally_of,
)
from logpith.files.archive import AnyText
from logpith.files.text import TextFile
from logpith.formats.own import formats_file, own_formats
from logpith.formats.recognise import Recognised, installed_formats
from logpith.scan.checksum import checksum
from logpith.scan.grams import SIGNATURE_BYTES
from logpith.scan.shape_index import ShapeIndex
from logpith.scan.tally import Tally, read_tally
from logpith.timerange import now_ns
from logpith_emit.errors import Refused

_KIND = "indexes"
_TABLE, _SEALED = "table", "sealed"
_PRINT_BYTES = 4096
# A file that is written to within the clock's grain after we looked keeps its time of change.
_GRAIN_NS = 2 * 10**9
_DIGEST_BYTES = 16
_READ_BY = ("scan", "formats", "files", "templates", "corpus")

LEAST_BYTES = 4 << 20
"""A smaller file is read as quickly as its index."""

LEAST_PACKED_BYTES = 256 << 10

# How much room is asked for before an index is written, as a share of the file. Short lines take more.
_SHARE = 0.4
_PACKED_SHARE = 4.0
_SIGNATURES = "signatures"


class _Prints(msgspec.Struct, frozen=True):
    """What tells a file from another one."""

    size_bytes: int
    changed_ns: int
    head: bytes
    tail: bytes


class _Sealed(msgspec.Struct, frozen=True):
    """What was known before the last block was read."""

    base: int
    read_to: int
    records: int
    chunks: int
    lines: int
    last_length: int
    kinds: dict[int, int]
    services: list[str]
    recognised: dict[str, Any]
    hashes: bytes
    counts: bytes
    samples: list[dict[int, bytes]]
    times: list[int]


class _Notes(msgspec.Struct, frozen=True):
    """All of an index but its arrays."""

    version: str
    prints: _Prints
    is_racy: bool
    """Whether the file changed so shortly before that it may have changed since without a trace."""

    records: int
    chunks: int
    checksums: dict[str, int]
    hashes: bytes
    counts: bytes
    samples: list[dict[int, bytes]]
    services: list[str]
    recognised: dict[str, Any]
    formats: list[tuple[str, str, int]]
    lines: int
    size_bytes: int
    times: list[int]
    tally: dict[str, bytes]
    slice_times: list[int]
    trouble: str
    sealed: str


@dataclass(frozen=True)
class Border:
    """A place between two blocks, and what was known there."""

    base: int
    read_to: int
    growing: Growing
    recognised: Mapping[str, Any]
    last_length: int
    """Of the last record before the border, which the block behind it may lengthen."""


@dataclass(frozen=True)
class Start:
    """Where reading begins: with what is known already, when an index could be used in part."""

    store: ColumnStore
    border: Border | None = None
    note: str = ""


def wants_index(text: TextFile) -> bool:
    """Whether a file is so large that it is worth an index."""
    least = LEAST_PACKED_BYTES if text.packing else LEAST_BYTES
    return text.identity.size_bytes >= least


def open_table(text: AnyText, *, may_keep: bool = True) -> Table | Start:
    """The table of a source whose index can be used as it is, or else where to begin reading."""
    if not isinstance(text, TextFile) or not may_keep or not wants_index(text):
        return Start(ColumnStore(None))
    note = ""
    for folder in cache_folder.versions(_KIND, _key(text)):
        try:
            notes = _read_notes(folder)
            if notes.version != version():
                continue
            table = _verified(folder, notes)
        except FileNotFoundError:
            continue  # another process has just put a newer one in its place
        except (OSError, ValueError, msgspec.MsgspecError):
            note = "its index was damaged and is made anew"
            cache_folder.forget(folder)
            continue
        try:
            is_same = _has_prints(text, notes.prints)
        except Refused:  # rotated or truncated since it was opened: who reads it tells that
            return Start(ColumnStore(None))
        if not is_same or text.identity.size_bytes < notes.prints.size_bytes:
            continue
        has_grown = text.identity.size_bytes > notes.prints.size_bytes
        if not has_grown and text.identity.changed_ns == notes.prints.changed_ns and not notes.is_racy:
            cache_folder.touch(folder)
            return table
        if (has_grown or notes.is_racy) and not text.packing:
            start = _start_behind(folder, notes, table, text)
            if start is not None:
                return start
    return Start(ColumnStore(_draft(text)), note=note)


def finish_table(
    text: AnyText,
    store: ColumnStore,
    growing: Growing,
    recognised: Recognised,
    border: Border | None,
    trouble: str,
    note: str,
) -> Table:
    """The table of a source that has been read to its end; its index is kept where that can be done."""
    store.finish()
    facts = _Facts(growing, recognised, trouble, note)
    if store.draft is not None and isinstance(text, TextFile):
        try:
            # A text with holes or other trouble is not gone on from: it is read anew when it has grown.
            return _publish(text, store.draft, facts, None if trouble else border)
        except Refused as error:
            store.fall_back(error.problem)
        except OSError as error:
            store.fall_back(error.strerror or str(error))
    if store.trouble:
        facts = replace(facts, note=f"no index was kept: {store.trouble}")
    columns = store.arrays(KINDS)
    return facts.table(columns, store.arrays(CHUNK_KINDS), store.signatures(), tally_of(columns, growing))


def table_so_far(store: ColumnStore, growing: Growing, recognised: Recognised) -> Table:
    """The table of a source that is still being read; what is read later does not change it."""
    columns = store.so_far(KINDS)
    chunks = store.so_far(CHUNK_KINDS)
    return _Facts(growing.copy(), recognised, "", "").table(columns, chunks, None, tally_of(columns, growing))


@dataclass(frozen=True)
class _Facts:
    """What a table tells beside its arrays."""

    growing: Growing
    recognised: Recognised
    trouble: str
    note: str

    @property
    def formats(self) -> Counter[tuple[str, str]]:
        """Records by format and name of the time layout."""
        formats: Counter[tuple[str, str]] = Counter()
        for kind, count in self.growing.kinds.items():
            formats[self.recognised.format_of(kind)] += count
        return formats

    def table(
        self,
        columns: Mapping[str, NDArray[Any]],
        chunks: Mapping[str, NDArray[Any]],
        signatures: NDArray[np.uint8] | None,
        tallied: tuple[Tally, NDArray[np.int64]],
    ) -> Table:
        return Table(
            columns=columns,
            chunks=chunks,
            signatures=signatures,
            shapes=self.growing.shape_list(),
            tally=tallied[0],
            slice_times=tallied[1],
            services=tuple(self.growing.services),
            formats=self.formats,
            recognised=self.recognised.state(),
            own_formats=self.recognised.wanted,
            lines=self.growing.lines,
            size_bytes=self.growing.size_bytes,
            times=self.growing.times,
            trouble=self.trouble,
            note=self.note,
        )


def _publish(text: TextFile, draft: Draft, facts: _Facts, border: Border | None) -> Table:
    growing = facts.growing
    if not text.packing and growing.size_bytes < text.identity.size_bytes:
        raise Refused("the file became shorter while it was read", remedy="Ask again")
    sealed = _spelled(_sealed(border)) if border is not None else b""
    draft.write(_SEALED, sealed)
    shapes = growing.shape_list()
    # Mapped before others can see it: they may remove it as soon as they do.
    columns = draft.so_far(KINDS)
    chunks = draft.so_far(CHUNK_KINDS)
    signatures = draft.so_far({_SIGNATURES: np.uint8})[_SIGNATURES].reshape(-1, SIGNATURE_BYTES)
    by_shape, slices = tally_of(columns, growing)
    notes = _Notes(
        version=version(),
        prints=_prints(text, text.identity.size_bytes),
        is_racy=now_ns() - text.identity.changed_ns < _GRAIN_NS,
        records=growing.records,
        chunks=growing.chunks,
        checksums=draft.checksums(),
        hashes=shapes.hashes.tobytes(),
        counts=shapes.counts.tobytes(),
        samples=[dict(samples) for samples in shapes.samples],
        services=list(growing.services),
        recognised=facts.recognised.state(),
        formats=[(*names, count) for names, count in facts.formats.items()],
        lines=growing.lines,
        size_bytes=growing.size_bytes,
        times=growing.times.tolist(),
        tally={name: array.tobytes() for name, array in vars(by_shape).items()},
        slice_times=slices.tolist(),
        trouble=facts.trouble,
        sealed=_digest(sealed),
    )
    draft.write(_TABLE, _spelled(notes))
    if draft.publish(_KIND, _key(text)) is None:
        raise OSError("the cache folder cannot be written")
    cache_folder.tidy(_KIND)
    return facts.table(columns, chunks, signatures, (by_shape, slices))


def _sealed(border: Border) -> _Sealed:
    growing = border.growing
    shapes = growing.shape_list()
    return _Sealed(
        base=border.base,
        read_to=border.read_to,
        records=growing.records,
        chunks=growing.chunks,
        lines=growing.lines,
        last_length=border.last_length,
        kinds=dict(growing.kinds),
        services=list(growing.services),
        recognised=dict(border.recognised),
        hashes=shapes.hashes.tobytes(),
        counts=shapes.counts.tobytes(),
        samples=[dict(samples) for samples in shapes.samples],
        times=growing.times.tolist(),
    )


def _table(folder: Path, notes: _Notes) -> Table:
    """The table of an index.

    Raises:
        OSError, ValueError: a file of it is missing or too short.
    """
    columns = {
        name: cache_folder.map_array(folder / name, kind, notes.records) for name, kind in KINDS.items()
    }
    chunks = {
        name: cache_folder.map_array(folder / name, kind, notes.chunks) for name, kind in CHUNK_KINDS.items()
    }
    signatures = cache_folder.map_array(folder / _SIGNATURES, np.uint8, notes.chunks * SIGNATURE_BYTES)
    return Table(
        columns=columns,
        chunks=chunks,
        signatures=signatures.reshape(-1, SIGNATURE_BYTES),
        shapes=Shapes(
            hashes=np.frombuffer(bytearray(notes.hashes), np.uint64),
            counts=np.frombuffer(bytearray(notes.counts), np.int64),
            samples=tuple(notes.samples),
        ),
        tally=read_tally(notes.tally, len(notes.samples)),
        slice_times=np.array(notes.slice_times, np.int64),
        services=tuple(notes.services),
        recognised=notes.recognised,
        own_formats=own_formats(),
        formats=Counter({(name, layout): count for name, layout, count in notes.formats}),
        lines=notes.lines,
        size_bytes=notes.size_bytes,
        times=np.array(notes.times, np.int64),
        trouble=notes.trouble,
    )


def _verified(folder: Path, notes: _Notes) -> Table:
    """The table of an index, when nothing of it was damaged.

    Raises:
        OSError, ValueError: something was.
    """
    table = _table(folder, notes)
    arrays = {**table.columns, **table.chunks, _SIGNATURES: table.signatures}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        sums = dict(zip(arrays, pool.map(checksum, arrays.values()), strict=True))
    if sums != notes.checksums:
        raise ValueError("a checksum differs")
    return table


def _start_behind(folder: Path, notes: _Notes, table: Table, text: TextFile) -> Start | None:
    """Where to go on reading a file that has grown; None when its index does not tell."""
    try:
        data = (folder / _SEALED).read_bytes()
        if not data or _digest(data) != notes.sealed:
            return None
        sealed = msgspec.msgpack.decode(data[_DIGEST_BYTES:], type=_Sealed)
    except (OSError, msgspec.MsgspecError):
        return None
    store = ColumnStore(_draft(text))
    last = sealed.records - 1
    for name in KINDS:
        column = table.columns[name][: sealed.records]
        store.copy(name, column[:last])
        store.last[name] = column[last:].copy()
    if last >= 0:
        store.last["length"][-1] = sealed.last_length
    for name in CHUNK_KINDS:
        store.copy(name, table.chunks[name][: sealed.chunks])
    if table.signatures is not None:
        store.copy(_SIGNATURES, table.signatures[: sealed.chunks])
    values = [list(samples) for samples in sealed.samples]
    growing = Growing(
        records=sealed.records,
        lines=sealed.lines,
        chunks=sealed.chunks,
        size_bytes=sealed.base,
        kinds=Counter(sealed.kinds),
        services={name: place for place, name in enumerate(sealed.services, 1)},
        shapes=ShapeIndex.restore(
            np.frombuffer(sealed.hashes, np.uint64), np.frombuffer(sealed.counts, np.int64), values
        ),
        samples=[dict(samples) for samples in sealed.samples],
        times=np.array(sealed.times, np.int64),
    )
    return Start(store, Border(sealed.base, sealed.read_to, growing, sealed.recognised, sealed.last_length))


def _read_notes(folder: Path) -> _Notes:
    data = (folder / _TABLE).read_bytes()
    body = data[_DIGEST_BYTES:]
    if hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() != data[:_DIGEST_BYTES]:
        raise ValueError("a checksum differs")
    return msgspec.msgpack.decode(body, type=_Notes)


def _spelled(notes: msgspec.Struct) -> bytes:
    body = msgspec.msgpack.encode(notes)
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() + body


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


def _draft(text: TextFile) -> Draft | None:
    share = _PACKED_SHARE if text.packing else _SHARE
    return Draft.begin(_KIND, int(text.identity.size_bytes * share))


def _key(text: TextFile) -> str:
    identity = text.identity
    name = f"{identity.device}:{identity.inode}"
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()


def _prints(text: TextFile, size_bytes: int) -> _Prints:
    """What tells the file by its first `size_bytes`."""
    head = text.raw(0, min(_PRINT_BYTES, size_bytes))
    tail = text.raw(max(0, size_bytes - _PRINT_BYTES), size_bytes)
    return _Prints(
        size_bytes,
        text.identity.changed_ns,
        hashlib.blake2b(head, digest_size=8).digest(),
        hashlib.blake2b(tail, digest_size=8).digest(),
    )


def _has_prints(text: TextFile, prints: _Prints) -> bool:
    """Whether the file begins, and stands at the size that it had, as it did."""
    now = _prints(text, prints.size_bytes)
    return (now.head, now.tail) == (prints.head, prints.tail)


def version() -> str:
    """Changes with everything that decides what an index says: our code, and the formats of this user."""
    own = formats_file()
    return _code_version() + (hashlib.blake2b(own.read_bytes(), digest_size=4).hexdigest() if own else "")


@cache
def _code_version() -> str:
    root = Path(logpith.__file__).parent
    digest = hashlib.blake2b(digest_size=8)
    for part in _READ_BY:
        for path in sorted((root / part).rglob("*.py")):
            digest.update(path.read_bytes())
    for entry in installed_formats():
        digest.update(f"{entry} {entry.dist.version if entry.dist else ''}".encode())
    return digest.hexdigest()
