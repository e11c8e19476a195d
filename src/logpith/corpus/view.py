"""One record as a query looks at it: its text, its columns, and the attributes that its text tells."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, cast

from logpith.formats.fields import fields_in, fields_of_record
from logpith.query import Value
from logpith.quote import decode
from logpith.scan.timestamps import NO_TIME
from logpith_emit.record import Record, record_from_mapping

if TYPE_CHECKING:
    from logpith.corpus.records import Corpus

__all__ = ["CorpusRecordView", "fields_in", "fields_of_record"]


class CorpusRecordView:
    """A record of a corpus; what must be parsed for it is parsed when it is asked for."""

    def __init__(self, corpus: Corpus, record: int, raw: bytes) -> None:
        self._corpus = corpus
        self._record = record
        self.text = decode(raw, "surrogateescape")

    def column(self, name: str) -> Value:
        """A column that the corpus holds, or else what the text says."""
        match name:
            case "timestamp":
                source = self._corpus.source_of(self._record)
                time = int(source.table.columns["time_ns"][self._record - source.first])
                return None if time == NO_TIME else time
            case "severity_number":
                return int(self._corpus.severity_of(self._record))
            case "source":
                source = self._corpus.source_of(self._record)
                return source.origin_of(self._record - source.first)
            case "service":
                return self._corpus.service_of(self._record) or self._parsed.service
            case _:
                found = getattr(self._parsed, name, None)
                return None if found == "" else cast("Value", found)

    def attribute(self, path: str) -> Value:
        """The attribute at a dotted path; one of the ids is found by its own name too."""
        parsed = self._parsed
        if path in parsed.attributes:
            return cast("Value", parsed.attributes[path])
        return parsed.ids.get(path)

    @functools.cached_property
    def _parsed(self) -> Record:
        source = self._corpus.source_of(self._record)
        fields = fields_of_record(self.text, source.own_formats, source.columns)
        extra = source.extra_of(self._record - source.first)
        # What was added later does not outrank what the text says.
        return record_from_mapping({**extra, **fields} if extra else fields)
