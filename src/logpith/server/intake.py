"""Intake: the records in a body that somebody sent, each with its own fate.

Three ways to write them: NDJSON (an object a line), a JSON array of objects or texts, plain text. A record that
cannot be read is told by its place; its neighbours are taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import pyarrow as pa

from logpith.batch import MOST_RECORDS, SCHEMA, Batch, dated, extra_of
from logpith.pipeline import Passed
from logpith.server.replies import Wrong
from logpith.server.running import Position, Running, of_service
from logpith.sources.reading import LineReader

MOST_ERRORS_TOLD = 100

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
JSON = "application/json"
TEXT = "text/plain"
ARROW = "application/vnd.apache.arrow.stream"
"""Records that were read already: what `logpith ingest` sends."""

MOST_SEVERE = 24
MEDIA_TYPES = (*NDJSON, JSON, TEXT)

_MOST_DEPTH = 64

_Fields = dict[str, msgspec.Raw]


@dataclass(frozen=True, kw_only=True)
class BadRecord:
    """A record that was not taken."""

    index: int
    """Its place in the body, from 0."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What a body holds."""

    text: bytes
    """The records that can be read, as lines."""

    wrong: Sequence[BadRecord] = ()
    """The first of those that cannot."""

    rejected: int = 0
    ready: Sequence[Batch] = ()
    """Records that were read by who sent them, instead of text."""

    def batches(self, *, service: str, source: str, observed_ns: int) -> Iterator[Batch]:
        """The records, in batches as large as they may be; `service` is that of records that name none.

        A traceback in a text stays with the line that it belongs to.
        """
        yield from self.ready
        if self.ready:
            return
        found = LineReader(source, service=service).read_text(self.text, observed_ns)
        for batch, _ in found.parts(len(found)):
            yield dated(batch)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of records that were brought."""

    accepted: int = 0
    """Durable now."""

    duplicates: int = 0
    """Taken before under the same id, and not again."""

    dead: int = 0
    """Of the accepted ones those that no stage could work on."""

    dropped: Mapping[str, int] = field(default_factory=dict)
    """Reason → those of the accepted ones that stages have left out."""

    counters: Mapping[str, int] = field(default_factory=dict)
    """`stage.name` → what stages have counted besides."""


def bring(
    running: Running,
    brought: Brought,
    *,
    service: str,
    source: str,
    observed_ns: int,
    batch_id: str = "",
    is_bound: bool = False,
    position: Position | None = None,
) -> Outcome:
    """Keeps what was brought; `is_bound` says that all of it is of `service`, whatever it says itself. A `position` is
    kept with the last of it.

    Raises:
        Unavailable: not now. OSError of a full disk: not before there is room. What was kept until then stays,
        and is not kept twice when it comes again under the same id.
    """
    accepted = duplicates = dead = 0
    dropped, counters = Counter[str](), Counter[str]()

    def told(passed: Passed) -> None:
        nonlocal dead
        dead += passed.dead.num_rows
        dropped.update(passed.dropped)
        counters.update({f"{stage}.{name}": count for (stage, name), count in passed.counters.items()})

    batches = list(brought.batches(service=service, source=source, observed_ns=observed_ns))
    for number, batch in enumerate(batches, 1):
        bound = of_service(batch, service) if is_bound else batch
        is_new = running.take(
            bound,
            batch_id=f"{batch_id}/{number - 1}" if batch_id else "",
            position=position if number == len(batches) else None,
            told=told,
        )
        accepted += batch.num_rows if is_new else 0
        duplicates += 0 if is_new else batch.num_rows
    return Outcome(
        accepted=accepted, duplicates=duplicates, dead=dead, dropped=dict(dropped), counters=dict(counters)
    )


def read_records(body: bytes, media_type: str) -> Brought:
    """The records of a body.

    Raises:
        Wrong: none of them can be read, because of what the body is.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind == TEXT or not kind:
        return _text(body)
    if kind == JSON and body.lstrip(b" \t\r\n")[:1] == b"[":
        return _sorted_out(_array_records(body))
    if kind == JSON or kind in NDJSON:
        return _sorted_out(_line_records(body))
    raise Wrong(
        status=415,
        code="unsupported_type",
        message="records cannot be read of this content type",
        hint=f"Send {', '.join((NDJSON[0], JSON, TEXT))}",
    )


def read_ready(body: bytes) -> Brought:
    """Records that who sent them has read: a stream of Arrow batches, as `logpith ingest` sends it.

    Raises:
        Wrong: it is none, or not of records.
    """
    try:
        with pa.ipc.open_stream(pa.BufferReader(body)) as stream:
            is_ours = stream.schema.equals(SCHEMA)
            batches = [one for one in stream if one.num_rows] if is_ours else []
            for batch in batches:
                batch.validate(full=True)
                for extra in batch["extra"].dictionary_encode().dictionary.to_pylist():
                    extra_of(extra)
    except (pa.ArrowException, OSError, msgspec.DecodeError, RecursionError) as error:
        raise _no_batches() from error
    if not is_ours or any(_is_odd(batch) for batch in batches):
        raise _no_batches()
    return Brought(text=b"", ready=batches)


def _is_odd(batch: Batch) -> bool:
    """Whether a batch is larger than one may be, or lacks what no record lacks."""
    lacks = any(batch[field.name].null_count for field in SCHEMA if not field.nullable)
    severities = batch["severity_number"].to_numpy(zero_copy_only=False)
    return lacks or batch.num_rows > MOST_RECORDS or bool((severities > MOST_SEVERE).any())


def _no_batches() -> Wrong:
    return Wrong(
        status=400,
        code="bad_batches",
        message="the body is no Arrow stream of records",
        hint="Send NDJSON, unless you are logpith of the same version",
    )


_Read = bytes | str
"""A record, or why it is none."""


def _sorted_out(records: Iterator[_Read]) -> Brought:
    lines: list[bytes] = []
    wrong: list[BadRecord] = []
    rejected = 0
    for index, record in enumerate(records):
        if isinstance(record, bytes):
            lines.append(record)
            continue
        rejected += 1
        if len(wrong) < MOST_ERRORS_TOLD:
            wrong.append(BadRecord(index=index, code="bad_record", message=record))
    return Brought(text=b"\n".join(lines), wrong=wrong, rejected=rejected)


def _text(body: bytes) -> Brought:
    if b"\0" in body:
        raise Wrong(
            status=400, code="not_text", message="the body is binary, not text", hint="Send UTF-8 text"
        )
    return Brought(text=b"\n".join(line for line in body.splitlines() if line.strip()))


def _line_records(body: bytes) -> Iterator[_Read]:
    for line in body.split(b"\n"):
        if text := line.strip():
            yield _object_in(text)


def _array_records(body: bytes) -> Iterator[_Read]:
    try:
        elements = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Wrong(
            status=400,
            code="bad_json",
            message="the body is no JSON array",
            hint="Send NDJSON, where one broken record leaves the others whole",
        ) from error
    for element in elements:
        raw = bytes(element)
        if raw[:1] == b'"':
            yield msgspec.json.decode(raw, type=str).replace("\n", "\\n").encode()
        else:
            yield _object_in(raw)


def _object_in(text: bytes) -> _Read:
    """The object as one line of text, or why it is none."""
    if text[:1] != b"{":
        return "it is no JSON object"
    if _is_deep(text):
        return f"it is nested deeper than {_MOST_DEPTH} levels"
    try:
        fields = msgspec.json.decode(text, type=_Fields)
    except (msgspec.DecodeError, RecursionError):
        return "it is no valid JSON"
    if not fields:
        return "it is empty"
    return msgspec.json.encode(msgspec.json.decode(text)) if b"\n" in text else text


def _is_deep(text: bytes) -> bool:
    """Whether it may be nested too deep; only what has so many brackets is looked at closely."""
    if text.count(b"{") + text.count(b"[") <= _MOST_DEPTH:
        return False
    depth = 0
    in_text = escaped = False
    for byte in text:
        if in_text:
            in_text = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            in_text = True
        elif byte in b"{[":
            depth += 1
            if depth > _MOST_DEPTH:
                return True
        elif byte in b"}]":
            depth -= 1
    return False
