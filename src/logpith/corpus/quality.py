"""Quality: which fields that every record should have are missing, how often, in which source.

A text that is no object of fields is its own message; a JSON line has one when a key says so (`msg`, `message`…).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.fields import read_fields
from logpith.corpus.selection import Selection
from logpith.query.fields import column_named, column_spelled

REQUIRED = ("timestamp", "service", "severity", "message")


@dataclass(frozen=True, kw_only=True)
class Lack:
    """A field that some records of a source do not have."""

    source: str
    field: str
    missing: int
    records: int
    """Of the source, with the field and without."""

    first: int
    """The number of the first record that lacks it."""

    @property
    def share(self) -> float:
        return self.missing / self.records


def find_lacks(selection: Selection, fields: Sequence[str] = REQUIRED) -> list[Lack]:
    """What is missing, by source and field; where the most records lack it first.

    The pieces of a log that was rotated are one source.
    """
    names, source = _sources(selection)
    records = np.bincount(source, minlength=len(names))
    found = []
    for name, missing in _missing(selection, fields).items():
        lacking = np.bincount(source[missing], minlength=len(names))
        for place in np.flatnonzero(lacking).tolist():
            first = int(np.argmax(missing & (source == place)))
            found.append(
                Lack(
                    source=names[place],
                    field=name,
                    missing=int(lacking[place]),
                    records=int(records[place]),
                    first=selection.record(first),
                )
            )
    return sorted(found, key=lambda lack: (-lack.missing, lack.source, lack.field))


def _sources(selection: Selection) -> tuple[list[str], NDArray[np.int64]]:
    """The names of the logs, or of what a store has collected from, and the place of each record's among them."""
    corpus = selection.corpus
    if corpus.is_stored:
        return list(corpus.origins), selection.origin.astype(np.int64)
    streams = corpus.streams
    stream_of = {piece.name: place for place, pieces in enumerate(streams.values()) for piece in pieces}
    of_source = np.array([stream_of[source.name] for source in corpus.sources], np.int64)
    return list(streams), of_source[corpus.columns.source[selection.records]]


def _missing(selection: Selection, fields: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """For each field which records of the selection lack it."""
    named = list(dict.fromkeys(fields))
    of_texts = [name for name in named if not _is_message(name)]
    read = dict(zip(of_texts, read_fields(selection, of_texts), strict=True))
    return {name: read[name].codes < 0 if name in read else _without_message(selection) for name in named}


def _is_message(name: str) -> bool:
    return (column_named(name) or column_spelled(name)) == "body"


def _without_message(selection: Selection) -> NDArray[np.bool_]:
    """What has no words of its own: its body is empty, or the whole object."""
    samples = selection.corpus.shapes.samples
    none = [not some[0].strip() or some[0].startswith(b"{") for some in samples]
    of_shape = np.array([*none, False], np.bool_)  # what has no shape is taken to have a message
    missing: NDArray[np.bool_] = of_shape[selection.shape]
    return missing
