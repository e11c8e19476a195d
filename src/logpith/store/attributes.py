"""Attributes as columns: numbers that records name by a key, so that asking about them reads nothing else.

Which hole of a template holds the value of which key is a matter of its text, told once for all of its records. The
values stay where they are, too: a column is an addition that can be left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logpith.formats.fields import fields_of_record
from logpith.query.match import number_in
from logpith.quote import decode
from logpith.scan.slot_numbers import find_unreadable, read_numbers
from logpith.scan.split import Split, samples_of
from logpith.store.rows import Rows
from logpith_emit.record import record_from_mapping

MOST_COLUMNS = 16
_LEAST_SHARE = 0.01
_SPARE = 4  # some turn out to hold something else than numbers
_MOST_READ = 1_000
"""Templates of which a record is read to see whether it says what its template seems to; of others nothing is said."""

# Names with a digit may be values themselves to the splitter, and then templates do not show them.
_NAME = r"[A-Za-z_@][A-Za-z_.@/\-]{0,63}"
_PAIR = re.compile(rf'(?:^|[\s,;(\[{{])({_NAME})=(?:"(\x11)"|(\x11))(?=[\s,;)\]}}"]|$)')
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}\[\],:])|(\x11)|\x13.|[^"{}\[\],:\x11\x13]+', re.DOTALL)


@dataclass(frozen=True)
class Numbers:
    """Columns of numbers, and whose they are."""

    columns: Mapping[str, Any]
    """Arrow arrays by the name of the attribute; null where a row has none."""

    templates: dict[str, list[int]]
    """For each the templates whose rows it holds the values of."""


def number_columns(rows: Rows, split: Split, offsets: NDArray[np.int64]) -> Numbers:
    """The numeric attributes that a hundredth of the rows name, the most frequent ones."""
    counts = np.bincount(split.tids, minlength=len(split.text_ends)).tolist()
    texts = np.concatenate([[0], split.text_ends]).tolist()
    found: list[tuple[int, int, str]] = []
    rows_of = Counter[str]()
    for template, count in enumerate(counts):
        text = bytes(split.texts[texts[template] : texts[template + 1]]).decode("latin-1")
        holes = holes_of_keys(text)
        names = Counter(name for name, _ in holes)
        for name, hole in holes:
            if names[name] == 1:
                found.append((template, hole, name))
                rows_of[name] += count
    least = max(1, len(split.tids) * _LEAST_SHARE)
    chosen = [name for name, count in rows_of.most_common(MOST_COLUMNS + _SPARE) if count >= least]
    place = {name: at for at, name in enumerate(chosen)}
    wishes = sorted((template, hole, place[name]) for template, hole, name in found if name in place)
    if not wishes:
        return Numbers({}, {})
    numbers, unmet = read_numbers(split.values, offsets, split.tids, wishes, len(counts), len(chosen))
    is_unmet = np.zeros((len(chosen), len(counts)), np.bool_)
    is_unmet[:, _unreadable(split, offsets, texts, {template for template, _, _ in wishes})] = True
    for at in unmet:
        template, _, column = wishes[at]
        is_unmet[column, template] = True
    left = [wish for wish in wishes if not is_unmet[wish[2], wish[0]]]
    for template, name in _otherwise(rows, split, counts, numbers, chosen, left):
        is_unmet[place[name], template] = True
    for column in np.flatnonzero(is_unmet.any(axis=1)).tolist():
        numbers[column, is_unmet[column][split.tids]] = np.nan
    met = [wish for wish in wishes if not is_unmet[wish[2], wish[0]]]
    columns: dict[str, Any] = {}
    templates: dict[str, list[int]] = {}
    for name, column in place.items():
        known = ~np.isnan(numbers[column])
        if known.sum() < least or len(columns) >= MOST_COLUMNS:
            continue
        whole = numbers[column][known]
        is_whole = bool((whole == np.floor(whole)).all())
        values = np.where(known, numbers[column], 0.0)
        columns[name] = pa.array(values.astype(np.int64) if is_whole else values, mask=~known)
        templates[name] = sorted({template for template, _, at in met if at == column})
    return Numbers(columns, templates)


def _unreadable(
    split: Split, offsets: NDArray[np.int64], texts: list[int], templates: set[int]
) -> NDArray[np.int64]:
    """Those of some templates that look like JSON, of which a record may be none for what stands in its holes."""
    bare: list[tuple[int, ...]] = [()] * len(split.text_ends)
    for template in templates:
        text = bytes(split.texts[texts[template] : texts[template + 1]]).decode("latin-1")
        if text.startswith("{"):
            bare[template] = _bare_holes(text)
    return find_unreadable(split.values, offsets, split.tids, bare)


def _otherwise(
    rows: Rows,
    split: Split,
    counts: list[int],
    numbers: NDArray[np.float64],
    names: list[str],
    wishes: list[tuple[int, int, int]],
) -> Iterator[tuple[int, str]]:
    """(template, name) where the fields of a record, as a query reads them, are not what its template seems to say."""
    first = samples_of(split.tids, len(counts))[:, 0]
    columns_of: dict[int, list[int]] = {}
    for template, _, column in wishes:
        columns_of.setdefault(template, []).append(column)
    for rank, template in enumerate(sorted(columns_of, key=lambda template: -counts[template])):
        told: Mapping[str, object] = {}
        row = int(first[template])
        if rank < _MOST_READ:
            text = decode(bytes(rows.buf[rows.starts[row] : rows.ends[row]]), "surrogateescape")
            told = record_from_mapping(fields_of_record(text, (), ())).attributes
        for column in columns_of[template]:
            value = told.get(names[column])
            is_scalar = isinstance(value, int | float | str) and not isinstance(value, bool)
            if not is_scalar or number_in(str(value)) != numbers[column, row]:
                yield template, names[column]


@lru_cache(maxsize=20_000)
def _bare_holes(text: str) -> tuple[int, ...]:
    """Of each hole of a template that looks like JSON whether it stands outside of strings."""
    found: list[int] = []
    for match in _TOKEN.finditer(text):
        if match[1] is not None:
            found += [0] * match[1].count("\x11")
        elif match[3]:
            found.append(1)
    return tuple(found)


@lru_cache(maxsize=20_000)
def holes_of_keys(text: str) -> tuple[tuple[str, int], ...]:
    """(key, number of the hole) for each key of a template whose value is one hole."""
    return tuple(_in_json(text) if text.startswith("{") else _in_pairs(text))


def _in_pairs(text: str) -> Iterator[tuple[str, int]]:
    for match in _PAIR.finditer(text):
        yield match[1], text.count("\x11", 0, max(match.start(2), match.start(3)))


def _in_json(text: str) -> Iterator[tuple[str, int]]:
    depth = 0
    holes = 0
    key = ""
    before = last = ""
    for match in _TOKEN.finditer(text):
        if match[2]:
            sign = match[2]
            depth += (sign in "{[") - (sign in "}]")
            if sign == ":" and depth == 1:
                key = last
            if sign in ",}" and before == "hole" and key and depth == (1 if sign == "," else 0):
                yield key, holes - 1
            if sign in ",{}[]":
                key = ""
            before = sign
        elif match[1] is not None:
            held = match[1].count("\x11")
            is_hole = match[1] == "\x11"
            holes += held
            before = "hole" if is_hole and before == ":" else "text"
            last = match[1] if re.fullmatch(_NAME, match[1]) else ""
        elif match[3]:
            holes += 1
            before = "hole" if before == ":" else "text"
        elif match[0].strip() and not match[0].startswith("\x13"):
            before = "text"
