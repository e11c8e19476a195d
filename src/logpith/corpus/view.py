"""One record as a query looks at it: its text, its columns, and the attributes that its text tells."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from logpith.formats import access, klog, logfmt, syslog, w3c, wrappers
from logpith.formats.own import fields_of as fields_of_own
from logpith.query import Value
from logpith.quote import decode
from logpith.scan.colours import without_colours
from logpith.scan.timestamps import NO_TIME
from logpith_emit.record import Record, record_from_mapping

if TYPE_CHECKING:
    from logpith.corpus.records import Corpus
    from logpith.scan.records import OwnFormat

# key=value and key="value with blanks", as logfmt and many plain logs write them.
_PAIR = re.compile(r'(?:^|[\s,;(\[{])([A-Za-z_@][\w.@/-]{0,63})=(?:"((?:[^"\\]|\\.)*)"|([^\s,;)\]}"]*))')


class CorpusRecordView:
    """A record of a corpus; what must be parsed for it is parsed when it is asked for."""

    def __init__(self, corpus: Corpus, record: int, raw: bytes) -> None:
        self._corpus = corpus
        self._record = record
        self.text = decode(raw, "surrogateescape")

    def column(self, name: str) -> Value:
        """A column that the corpus holds, or else what the text says."""
        columns = self._corpus.columns
        match name:
            case "timestamp":
                time = int(columns.time_ns[self._record])
                return None if time == NO_TIME else time
            case "severity_number":
                return int(self._corpus.severity[self._record])
            case "source":
                source: str = self._corpus.sources[columns.source[self._record]].name
                return source
            case "service":
                named: str = self._corpus.services[columns.service[self._record]]
                return named or self._parsed.service
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
        return record_from_mapping(fields_of_record(self.text, source.own_formats, source.columns))


def fields_of_record(text: str, own: tuple[OwnFormat, ...], columns: tuple[str, ...]) -> Mapping[str, object]:
    """The fields of a record of a source in which a user's formats were met, or columns named by a header line."""
    text = without_colours(text)
    fields = fields_of_own(text, own) if own else None
    if fields is None and columns:
        fields = w3c.fields_of_columns(text, columns)
    return fields_in(text) if fields is None else fields


def fields_in(text: str) -> Mapping[str, object]:
    """The fields that a record's text holds, by name: those of a wrapper too, the ones of the line inside first."""
    for unwrap in (wrappers.unwrap, syslog.unwrap):
        unwrapped = unwrap(text)
        if unwrapped is not None:
            outer, inner = unwrapped
            inside = _fields_alone(inner)
            # What names the program is the wrapper; its own name for it stays beside it.
            return {**outer, **{key: value for key, value in inside.items() if key not in outer}}
    return _fields_alone(text)


def _fields_alone(text: str) -> Mapping[str, object]:
    """The keys and values of a JSON object, of an access log, of pairs; or the text and the pairs within it."""
    if text.lstrip().startswith("{"):
        try:
            fields = json.loads(text.strip().removesuffix(","))
        except (ValueError, RecursionError):
            fields = None
        if isinstance(fields, dict):
            return _without_marks(fields) if "short_message" in fields else fields
    for fields_of in (access.fields_of, klog.fields_of, logfmt.fields_of):
        told = fields_of(text)
        if told is not None:
            return told
    pairs = {key: quoted or bare for key, quoted, bare in _PAIR.findall(text)}
    return {**pairs, "message": text}


def _without_marks(fields: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of GELF, where what a program adds begins with `_`."""
    plain = {key.removeprefix("_"): value for key, value in fields.items() if key.startswith("_")}
    return {**plain, **fields}
