"""`logpith parse test FILE`: what is read of sample lines, and which of them fit no format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from logpith.corpus.view import fields_of_record
from logpith.files.roots import Roots
from logpith.files.text import Block, TextFile
from logpith.formats.body import body_of
from logpith.formats.own import own_formats
from logpith.formats.recognise import Recognised
from logpith.formats.severity_words import severity_in
from logpith.plural import are, counted
from logpith.quote import Quoter
from logpith.scan.records import PLAIN, Records, read_records
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import format_ns
from logpith_emit.severity import severity_name

MOST_SHOWN = 20
"""Records of each kind, matched and not, that are shown; all of the first block are counted."""

_WIDTH = 160


@dataclass(frozen=True)
class Sample:
    """The first block of a file, read."""

    block: Block
    recognised: Recognised
    records: Records

    @property
    def unmatched(self) -> list[int]:
        """The records that fit no format."""
        return [record for record, kind in enumerate(self.records.kind.tolist()) if kind == PLAIN]

    def text(self, record: int) -> bytes:
        """The record as it stands."""
        return bytes(self.block.buf[self.records.start[record] : self.records.end[record]])


def read_sample(path: Path) -> Sample | None:
    """The first block of a file as every tool would read it, with the formats of this user; None for an empty file.

    Raises:
        NotFound, Refused: it cannot be read as text.
        BadArgument: the file of formats is not what it should be.
    """
    text = TextFile.open(path, Roots())
    block = next(iter(text.blocks()), None)
    if block is None:
        return None
    recognised = Recognised(newest_ns=text.changed_ns, wanted=own_formats())
    reading = recognised.look_at(block.buf, 0, block.end)
    return Sample(block, recognised, read_records(block.buf, 0, block.end, reading))


def describe(sample: Sample, quoter: Quoter) -> Iterator[str]:
    """Lines for a person: the formats, then what was read of the first records, then those that fit none."""
    unmatched = sample.unmatched
    formats = Counter(sample.recognised.format_of(kind) for kind in sample.records.kind.tolist())
    lines = int(sample.records.lines.sum())
    yield (
        f"{counted(lines, 'line')} {are(lines)} {counted(len(sample.records), 'record')}, "
        f"of which {len(unmatched):,} {_fit(len(unmatched))} no format."
    )
    for (name, layout), count in formats.most_common():
        yield f"  {count:>7,}  {quoter.quote(name, _WIDTH)}{f', {layout}' if layout else ''}"
    without_format = set(unmatched)
    matched = [record for record in range(len(sample.records)) if record not in without_format]
    first_lines = (sample.records.lines.cumsum() - sample.records.lines + 1).tolist()
    for record in matched[:MOST_SHOWN]:
        yield f"\nline {first_lines[record]}: {quoter.quote(sample.text(record), _WIDTH)}"
        yield from _read_of(sample, record, quoter)
    if len(matched) > MOST_SHOWN:
        more = len(matched) - MOST_SHOWN
        yield f"\n… and {counted(more, 'more record')} that {_fit(more)} a format."
    if unmatched:
        yield "\nThese fit no format:"
    for record in unmatched[:MOST_SHOWN]:
        yield f"line {first_lines[record]}: {quoter.quote(sample.text(record), _WIDTH)}"
    if len(unmatched) > MOST_SHOWN:
        more = len(unmatched) - MOST_SHOWN
        yield f"… and {counted(more, 'more record')} that {_fit(more)} none."


def _fit(records: int) -> str:
    return "fits" if records == 1 else "fit"


def _read_of(sample: Sample, record: int, quoter: Quoter) -> Iterator[str]:
    """Time, level, service, body and fields of a record, those that it has."""
    records = sample.records
    body = body_of(sample.block.buf, records, record)
    time = int(records.time_ns[record])
    fields = fields_of_record(
        sample.text(record).decode("utf-8", "surrogateescape"),
        sample.recognised.own_formats,
        sample.recognised.columns,
    )
    told = {
        "format": sample.recognised.format_of(int(records.kind[record]))[0],
        "time": "" if time == NO_TIME else format_ns(time),
        "level": severity_name(int(records.severity[record]) or severity_in(body)),
        "service": records.services[records.service[record] - 1] if records.service[record] else "",
        "body": body,
    }
    for name, value in told.items():
        if value:
            yield f"  {name:<8} {quoter.quote(value, _WIDTH)}"
    for name, field in fields.items():
        if field != told["body"] and name != "message":
            shown = f"{name} = {field}".encode("utf-8", "surrogateescape")
            yield f"  field    {quoter.quote(shown, _WIDTH)}"
