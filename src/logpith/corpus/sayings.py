"""Sayings: what a record says beside its time, its severity and its service, as short as it can be said.

Of a JSON object that is its body and the attributes that no column holds, as `key=value`; of other text what stands
behind its header. What all records of an answer share, such as the id that was asked for, may be left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from logpith.corpus.bodies import bodies
from logpith.corpus.records import Corpus
from logpith.corpus.view import fields_of_record
from logpith.quote import decode
from logpith_emit.record import ID_KINDS, record_from_mapping

_NOBODY_ASKS = frozenset(
    {"pid", "hostname", "host", "v", "logger", "thread", "threadName", "process", "stream"}
)


def sayings(corpus: Corpus, records: Sequence[int], *, without: str = "") -> list[str]:
    """What each of some records says; log text, to be quoted before it is shown."""
    numbers = np.unique(np.array(records, np.int64))
    told = {record: decode(body) for record, body in bodies(corpus, numbers)}
    texts = dict(zip(numbers.tolist(), corpus.texts(numbers.tolist()), strict=True))
    return [
        _saying(corpus, record, told.get(record, ""), decode(texts[record]), without) for record in records
    ]


def _saying(corpus: Corpus, record: int, body: str, text: str, without: str) -> str:
    if not text.lstrip().startswith("{"):
        rest = text.partition("\n")[2].strip()
        return f"{body.strip() or text} {rest}".strip() if rest else body.strip() or text
    source = corpus.source_of(record)
    told = record_from_mapping(fields_of_record(text, source.own_formats, source.columns))
    columns = {kind: column for column, kind in ID_KINDS.items()}
    ids = {columns[kind]: value for kind, value in told.ids.items()}
    pairs = {**told.attributes, **ids}
    spelled = [
        f"{key}={_spelled(value)}"
        for key, value in pairs.items()
        if key not in _NOBODY_ASKS and value not in (None, "", without)
    ]
    return " ".join([told.body, *spelled]).strip() or text


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
