"""Classes of retention: which records are kept for a time of their own. Decided when they go into a segment.

A class has a query; of several classes the first whose query a record matches is its own. A query that asks for
nothing but service and severity, as nearly all do, is asked once for each pair of them that occurs; any other is asked
of each record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logpith.query import And, Everything, Not, Or, Query, Substring, Value, fields_of, matcher, parse
from logpith.query.fields import SEVERITY, column_named
from logpith.query.of_batch import Choose, which_match
from logpith.query.tree import leaves

DEFAULT = ""
"""The class of records that no query matches."""

_SEVERITIES = 25
_COLUMNS = frozenset({SEVERITY, "service"})

Classes = Sequence[tuple[str, str]]
"""The name and the query of each, in the order in which they are asked."""


def classify_by(classes: Classes) -> Callable[[Any], Mapping[str, Any]]:
    """What takes an Arrow table of records apart into tables by class; a class without records has none.

    Raises:
        BadQuery: the query of a class is none.
        BadArgument: it asks for a time that moves with the clock.
    """
    names = [name for name, _ in classes]
    queries = [_chooser(query) for _, query in classes]

    def classify(table: Any) -> Mapping[str, Any]:
        left = np.ones(table.num_rows, np.bool_)
        found: dict[str, Any] = {}
        for name, choose in zip(names, queries, strict=True):
            chosen = left & _ask(choose, table) if left.any() else left
            if chosen.any():
                some = table if chosen.all() else table.filter(pa.array(chosen))
                found[name] = pa.concat_tables([found[name], some]) if name in found else some
            left &= ~chosen
        if left.any():
            some = table if left.all() else table.filter(pa.array(left))
            found[DEFAULT] = pa.concat_tables([found[DEFAULT], some]) if DEFAULT in found else some
        return found

    return classify


def _ask(choose: Choose, table: Any) -> NDArray[np.bool_]:
    answers = [choose(batch) for batch in table.combine_chunks().to_batches()]
    return np.concatenate([np.empty(0, np.bool_), *answers])


def _chooser(text: str) -> Choose:
    query = parse(text)
    if not _asks_columns_only(query):
        return which_match(text)
    matches = matcher(query)

    def choose(batch: Any) -> NDArray[np.bool_]:
        coded = batch["service"].dictionary_encode()
        services = coded.dictionary.to_pylist()
        pairs = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64) * _SEVERITIES
        pairs += np.minimum(batch["severity_number"].to_numpy(zero_copy_only=False), _SEVERITIES - 1)
        occurs = np.flatnonzero(np.bincount(pairs, minlength=len(services) * _SEVERITIES))
        answers = np.zeros(len(services) * _SEVERITIES, np.bool_)
        answers[occurs] = [
            matches(_Pair(services[pair // _SEVERITIES], pair % _SEVERITIES)) for pair in occurs.tolist()
        ]
        chosen: NDArray[np.bool_] = answers[pairs]
        return chosen

    return choose


def _asks_columns_only(query: Query) -> bool:
    has_text = any(
        not isinstance(leaf, Everything | And | Or | Not)
        and (isinstance(leaf, Substring) or leaf.field is None)
        for leaf in leaves(query)
    )
    return not has_text and all(column_named(name) in _COLUMNS for name in fields_of(query))


class _Pair:
    """A record of which only service and severity are known, as a query looks at it."""

    text = ""

    def __init__(self, service: str, severity: int) -> None:
        self._columns: Mapping[str, Value] = {"service": service or None, SEVERITY: severity or None}

    def column(self, name: str) -> Value:
        """One of the two."""
        return self._columns.get(name)

    def attribute(self, path: str) -> Value:
        """None: it has none."""
