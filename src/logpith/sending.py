"""Sending: files into the store of a server that has it open, through its own door.

    read ──► Arrow batches ──► POST /api/v1/logs ──► the stages and the store of the server

Each batch carries the position behind it, which the server stores in one step with the records; where the next run
reads on is looked up in the store, which needs no lock. A batch that comes again, since an answer was lost, comes under
the same id. So each record is stored once, as if its file had been ingested without a server.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from logpith.batch import SCHEMA, Batch
from logpith.ingest import Files, Ingested, Read, Told
from logpith.sources.web import Request, check_url, fetch
from logpith.store.reader import read_moment
from logpith_emit.disk import Disk
from logpith_emit.errors import Refused, Unavailable
from logpith_emit.secret import Secret

POSITION_HEADER: Final = "X-Position"
CONTENT_TYPE: Final = "application/vnd.apache.arrow.stream"

BODY_BYTES = 4 << 20
TIMEOUT_S = 60.0
TRIES = 5
"""How often a batch is sent before it is given up for now."""

WAIT_S = 1.0
_MOST_ANSWER_BYTES = 1 << 20


class _Answer(msgspec.Struct):
    """What the server says of a batch."""

    accepted: int
    duplicates: int = 0
    dead_letters: int = 0
    dropped: dict[str, int] = {}
    counted: dict[str, int] = {}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server, as far as one must know it to bring records."""

    url: str
    """`http://127.0.0.1:8850`."""

    token: Secret
    """Empty where it wants none."""

    body_bytes: int = BODY_BYTES
    """The largest body to send."""


def send(
    server: Server,
    folder: Path,
    paths: Sequence[str],
    now_ns: int,
    *,
    service: str = "",
    told: Told | None = None,
) -> Ingested:
    """Has a server store what is new in files, folders and globs; all of it is durable when this returns. `folder` is
    that of its store.

    Raises:
        NotFound, Refused: a file that was named is not there or is no text; the server does not let us.
        Unavailable: it cannot be reached, or cannot store; what was stored until then stays, and is not stored twice.
    """
    check_url(server.url, server.token, insecure=False)
    fetch(_request(server, "/health"))  # who is not there is told of at once, and before anything is read
    done = Ingested()
    positions = _positions(folder)
    files = Files(paths, positions.get, now_ns, service, done)
    read_bytes = 0
    for read in files.read():
        _send_one(server, read, positions.get(read.key, ""), done)
        positions[read.key] = read.position
        read_bytes += read.read_bytes
        if told:
            told(min(read_bytes, files.size_bytes), files.size_bytes, done.records)
    return done


def _positions(folder: Path) -> dict[str, str]:
    """How far each file was read by what is durable at this moment."""
    manifest, frames = read_moment(folder, Disk())
    positions = dict(manifest.positions)
    for frame in frames:
        if frame.head.source and frame.sequence > manifest.placed.get(frame.head.source, 0):
            positions[frame.head.source] = frame.head.position
    return positions


def _send_one(server: Server, read: Read, before: str, done: Ingested) -> None:
    """Sends what was read in bodies of bounded size; the last of them carries the position."""
    parts = list(_parts(read.batch, server.body_bytes))
    for number, part in enumerate(parts):
        body = _spelled(part)
        told = f"{read.key}\n{before}\n{number}\n".encode("utf-8", "surrogateescape")
        headers = {
            "Content-Type": CONTENT_TYPE,
            "X-Batch-Id": f"ingest-{hashlib.blake2b(told + body, digest_size=16).hexdigest()}",
        }
        if number == len(parts) - 1:
            headers[POSITION_HEADER] = json.dumps([read.key, read.position])  # in ASCII
        answer = _post(server, body, headers)
        done.records += answer.accepted - sum(answer.dropped.values())
        done.dead += answer.dead_letters
        done.dropped.update(answer.dropped)
        done.counters.update(_by_stage(answer.counted))
    oldest_ns = pc.min(read.batch["timestamp"]).as_py()
    if oldest_ns is not None:
        done.oldest_ns = oldest_ns if done.oldest_ns is None else min(done.oldest_ns, oldest_ns)


def _parts(batch: Batch, most_bytes: int) -> Iterator[Batch]:
    """A batch in slices that are about as large as they may be."""
    rows = max(1, batch.num_rows * most_bytes // max(batch.nbytes, 1))
    for first in range(0, batch.num_rows, rows):
        yield batch.slice(first, rows)


def _spelled(batch: Batch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as stream:
        stream.write_batch(batch)
    octets: bytes = sink.getvalue().to_pybytes()
    return octets


def _by_stage(counted: dict[str, int]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for name, count in counted.items():
        stage, _, what = name.partition(".")
        found[stage, what] = count
    return found


def _post(server: Server, body: bytes, headers: dict[str, str]) -> _Answer:
    """What the server answers; asked again for a while when it cannot store just now, or its answer is lost."""
    request = _request(server, "/api/v1/logs", body, headers)
    for _ in range(TRIES - 1):
        try:
            return _read(fetch(request))
        except Unavailable:
            threading.Event().wait(WAIT_S)
    return _read(fetch(request))


def _request(
    server: Server, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Request:
    return Request(
        url=f"{server.url.rstrip('/')}{path}",
        token=server.token,
        body=body,
        headers=headers or {},
        timeout_s=TIMEOUT_S,
        most_bytes=_MOST_ANSWER_BYTES,
    )


def _read(answer: bytes) -> _Answer:
    try:
        return msgspec.json.decode(answer, type=_Answer)
    except msgspec.DecodeError as error:
        raise Refused("the server answers what no logpith does", remedy="Check its address") from error
