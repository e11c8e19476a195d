"""A query asked of a segment: templates first, then the values, and the text only of what is left in doubt.

Each part of a query is asked in two steps. A **template** says for all of its records at once: yes, perhaps, or no;
for what can only stand among the values, the word signatures say which blocks may hold it. Then the **rows** of the
blocks that are left: what their templates say, or what is found among their values. Every record ends up as a match,
as none, or in doubt, and the lines of those in doubt are put together and asked as the lines of a file are. So the
meaning of a query is said in one place, and this one only saves work.

A hole of a template is a whole word with delimiters around it, so a word of a query stands in the static text or in
a value, never half in each. A text with delimiters inside may: its parts are looked for at the borders of holes.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.stored import SegmentColumns, SegmentText
from logpith.corpus.watch import Scanned
from logpith.corpus.windows import Window
from logpith.query import (
    And,
    ColumnPredicates,
    Comparison,
    Everything,
    Not,
    Or,
    Phrase,
    Query,
    Range,
    Substring,
    Word,
    required_literals,
    value_matcher,
)
from logpith.query.fields import SEVERITY, SOURCE, TIMESTAMP, column_named, column_spelled
from logpith.query.plan import ALL_SEVERITIES
from logpith.query.tree import FieldTest, TextTerm
from logpith.scan.search import Literal, mark_records
from logpith.scan.split import HOLE, TIME, WHOLE
from logpith.scan.timestamps import NO_TIME
from logpith.scan.word_bits import is_kept
from logpith.scan.words import BYTE_KIND
from logpith.store.segment import Segment, Values
from logpith_emit.record import flat, normalised

if TYPE_CHECKING:
    from logpith.corpus.records import Corpus, Source
    from logpith.timerange import TimeRange

Mask = NDArray[np.bool_]
AskLines = Callable[[Window, Query, Mask], Mask]
"""Which of a window's records match, told from their text."""

_BACKSLASH = 92
_MOST_TOGETHER = 8
"""Blocks of which only templates and numbers are read; of one block alone these take less than asking takes."""
_MOST_PIECES = 40
_LEAST_HALF = 3
_INSIDE = frozenset(b"./-_~%#&?=+:@$*!\\")
"""What may stand between the letters and digits of one word (`scan/words.py`)."""
_IN_TIMES = frozenset(b"0123456789-:.tz")
SERVICE_NAMES = ("service", "servicename")


@dataclass(frozen=True)
class _Rows:
    """The rows of a piece; what must be read of them is."""

    segment: Segment
    blocks: range
    template: NDArray[np.int32]
    alive: Mask
    """The templates of the rows that matter."""

    whole: SegmentColumns | None
    """The segment's columns, where most blocks are asked."""

    @cached_property
    def first(self) -> int:
        first: int = self.segment.rows_of(self.blocks[0]).start
        return first

    @cached_property
    def times(self) -> NDArray[np.int64]:
        return self.segment.times(self.blocks)

    def of(self, templates: Mask) -> Mask:
        """The rows of some templates; those of all or none are told without looking."""
        if templates.all():
            return np.ones(len(self.template), np.bool_)
        if not templates.any():
            return np.zeros(len(self.template), np.bool_)
        return templates.take(self.template)

    def are_in(self, blocks: Mask) -> bool:
        """Whether some of them are of these blocks."""
        return bool(blocks[self.blocks.start : self.blocks.stop].any())

    @cached_property
    def values(self) -> Values:
        return self.segment.values(self.blocks, self.template, self.alive)

    def values_of(self, rows: NDArray[np.int64]) -> Values:
        """At least the values of some rows."""
        if "values" in vars(self):
            return self.values
        wanted = np.zeros_like(self.alive)
        wanted[self.template[rows]] = True
        return self.segment.values(self.blocks, self.template, wanted)

    def numbers(self, name: str) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """(rows that columns of numbers tell of, what that of an attribute says of them)."""
        if self.whole is None:
            return self.segment.numbered(self.template), self.segment.numbers(name, self.blocks)
        rows = self.whole["numbered"]
        # Numbers of another kind would have all rows made into that kind first.
        edges = np.array([self.first, self.first + len(self.template)], rows.dtype)
        low, high = np.searchsorted(rows, edges).tolist()
        return rows[low:high] - self.first, self.whole[f"number:{name}"][low:high]

    @cached_property
    def has_backslash(self) -> Mask | None:
        """The rows with one among their values; None where there is none, which is told sooner than where."""
        return self.marked(Literal(b"\\")) if b"\\" in self.values.buf.tobytes() else None

    @cached_property
    def _marked(self) -> dict[Literal, Mask]:
        return {}

    def marked(self, literal: Literal) -> Mask:
        """The rows among whose values a literal stands."""
        if literal not in self._marked:
            values, marked = self.values, np.zeros(len(self.template), np.bool_)
            marked[values.rows] = mark_records(values.buf, values.offsets[:-1], values.offsets[1:], literal)
            self._marked[literal] = marked
        return self._marked[literal]


@dataclass(frozen=True)
class _Leaf:
    """A part of a query without parts."""

    sure: Mask
    """Templates whose records match, whatever their values are."""

    open: Mask
    """Templates whose records may match, whatever their values are."""

    blocks: Mask
    """Blocks among whose rows there may be other matches, told by `ask`."""

    ask: Callable[[_Rows], tuple[Mask, Mask]] | None
    """(matches, may match) of the rows of a block, told by their values, or by a column of numbers."""

    reads_values: bool = True
    """Whether it is values that tell."""


def is_within(segment: Segment, time: TimeRange) -> bool:
    """Whether all records of a segment are of a period."""
    head = segment.head
    if time.is_open:
        return True
    return (
        not head.undated
        and (time.start_ns is None or head.start_ns >= time.start_ns)
        and (time.end_ns is None or head.end_ns < time.end_ns)
    )


def is_prepared(source: Source) -> bool:
    """Whether the templates of a segment have been made ready to be searched."""
    text: Any = source.text
    return text.searchable is not None


class SegmentQuery:
    """A query about one segment."""

    def __init__(
        self, corpus: Corpus, source: Source, predicates: ColumnPredicates, rest: Query, ask_lines: AskLines
    ) -> None:
        text: Any = source.text
        self._text: SegmentText = text
        self.segment: Segment = text.segment
        self._corpus = corpus
        self._source = source
        self._rest = rest
        self._time = predicates.time
        self._ask_lines = ask_lines
        self._leaves: dict[int, _Leaf] = {}
        self._templates: NDArray[np.int32] | None = None  # of all rows, where most blocks are asked
        self._texts = _texts_of(self._text)
        self.scanned = Scanned(segments=1)
        self._alive = self._by_columns(predicates)
        if self._alive.any():
            self._prepare(rest)

    @property
    def is_everything(self) -> bool:
        """Whether every record of the segment matches."""
        return isinstance(self._rest, Everything) and bool(self._alive.all()) and self._is_within_time

    def blocks(self) -> list[int]:
        """The blocks that may hold a match, in order."""
        if not self._alive.any():
            return []
        possible = np.ones(self.segment.blocks, np.bool_)
        if not self._time.is_open:
            possible &= self._blocks_in_time()
        if possible.any():
            possible &= self._possible_blocks(self._rest, self._alive)
        return np.flatnonzero(possible).tolist()

    def pieces(self) -> list[range]:
        """The blocks that may hold a match, in order; behind each other those that are read together."""
        pieces: list[range] = []
        blocks = self.blocks()
        if len(blocks) * 2 > self.segment.blocks:
            self._templates = self.columns["template"]
        most = _MOST_TOGETHER if blocks and self._reads_few_values else 1
        for block in blocks:
            if pieces and pieces[-1].stop == block and len(pieces[-1]) < most:
                pieces[-1] = range(pieces[-1].start, block + 1)
            else:
                pieces.append(range(block, block + 1))
        return pieces

    def ask(self, blocks: range) -> NDArray[np.int64]:
        """The rows of a piece that match, by their numbers in the segment, in order."""
        self.scanned.blocks += len(blocks)
        first, end = self.segment.rows_of(blocks[0]).start, self.segment.rows_of(blocks[-1]).stop
        if self._templates is None:
            template = self.segment.column("template", blocks).to_numpy()
        else:
            template = self._templates[first:end]
        whole = self.columns if self._templates is not None else None
        rows = _Rows(self.segment, blocks, template, self._alive, whole)
        within = rows.of(self._alive)
        if not self._is_within_time:
            within &= _in_time(rows.times, self._time)
        if not within.any():
            return np.empty(0, np.int64)
        sure, possible = self._ask_rows(self._rest, rows)
        doubtful = np.flatnonzero(within & possible & ~sure)
        found = within & sure
        if len(doubtful):
            found[doubtful] = self._ask_text(rows, doubtful)
        matching: NDArray[np.int64] = np.flatnonzero(found) + first
        return matching

    def plan(self) -> tuple[int, int, int]:
        """(templates that match for certain, templates in doubt, blocks that must be read) of this segment."""
        if not self._alive.any():
            return 0, 0, 0
        sure, possible = self._told
        sure, possible = sure & self._alive, possible & self._alive
        if self._is_within_time and not (possible & ~sure).any():
            return int(sure.sum()), 0, 0
        return int(sure.sum()), int((possible & ~sure).sum()), len(self.blocks())

    @property
    def is_certain(self) -> bool:
        """Whether templates say of every record whether it matches."""
        return not self._alive.any() or (self._is_within_time and self._sure_by_template)

    @cached_property
    def certain(self) -> Mask:
        """The templates all of whose records match, whatever their values are, as long as times let them through."""
        if not self._alive.any():
            return self._alive
        return self._alive & self._told[0]

    @property
    def columns(self) -> SegmentColumns:
        """The segment's columns, as the corpus knows them."""
        return self._text.columns

    # ── Columns ─────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def severity_of_template(self) -> NDArray[np.uint8]:
        """The severity of each template's records."""
        own = self.segment.templates.severity
        shapes = self._corpus.shape_severity
        if not shapes.any():
            return own
        place = [source.first for source in self._corpus.sources].index(self._source.first)
        of_shape = shapes[self._corpus.codes.shapes[place]]
        codes = np.minimum(self._text.columns.shape_of_template, len(of_shape) - 1)
        return np.where(own > 0, own, of_shape[codes]).astype(np.uint8)

    def _by_columns(self, predicates: ColumnPredicates) -> Mask:
        """The templates whose records severity and source let through."""
        templates = self.segment.templates
        alive: Mask = np.ones(len(templates), np.bool_)
        if not self._time.is_open and not self._touches_time:
            return np.zeros_like(alive)
        low, high = predicates.severity
        if (low, high) != ALL_SEVERITIES:
            alive &= (self.severity_of_template >= low) & (self.severity_of_template <= high)
        for query in predicates.source:
            meets = value_matcher(query)
            alive &= np.array([meets(name) for name in templates.sources], np.bool_)[templates.source]
        return alive

    @cached_property
    def _touches_time(self) -> bool:
        head, time = self.segment.head, self._time
        if head.start_ns == NO_TIME:
            return False
        return (time.start_ns is None or head.end_ns >= time.start_ns) and (
            time.end_ns is None or head.start_ns < time.end_ns
        )

    @cached_property
    def _is_within_time(self) -> bool:
        return is_within(self.segment, self._time)

    def _blocks_in_time(self) -> Mask:
        """Blocks with records in the period, as far as their borders tell."""
        return self.segment.blocks_between(self._time.start_ns, self._time.end_ns)

    # ── Templates ───────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _sure_by_template(self) -> bool:
        """Whether no row need be looked at: its template says all."""
        sure, possible = self._told
        return not (possible & ~sure & self._alive).any()

    @cached_property
    def _told(self) -> tuple[Mask, Mask]:
        """(match, may match) of all records of each template."""
        return self._by_template(self._rest)

    @cached_property
    def _reads_few_values(self) -> bool:
        """Whether only of few records, if of any, values need be read."""
        leaves = self._leaves.values()
        if self._sure_by_template:
            return True
        if any(leaf.ask is not None and leaf.reads_values and leaf.blocks.any() for leaf in leaves):
            return False
        opened = _any([leaf.open for leaf in leaves]) & self._alive
        return int(self.segment.templates.records[opened].sum()) * _MOST_TOGETHER <= len(self.segment)

    def _prepare(self, query: Query) -> None:
        match query:
            case And() | Or():
                for operand in query.operands:
                    self._prepare(operand)
            case Not():
                self._prepare(query.operand)
            case Everything():
                pass
            case _:
                self._leaves[id(query)] = self._leaf(query)

    def _by_template(self, query: Query) -> tuple[Mask, Mask]:
        """(match, may match) of all records of each template, without reading a row."""
        match query:
            case And():
                parts = [self._by_template(operand) for operand in query.operands]
                return _all(part[0] for part in parts), _all(part[1] for part in parts)
            case Or():
                parts = [self._by_template(operand) for operand in query.operands]
                return _any(part[0] for part in parts), _any(part[1] for part in parts)
            case Not():
                sure, possible = self._by_template(query.operand)
                return ~possible, ~sure
            case Everything():
                everything = np.ones(len(self.segment.templates), np.bool_)
                return everything, everything
            case _:
                leaf = self._leaves[id(query)]
                if leaf.blocks.any():
                    return leaf.sure, np.ones_like(leaf.sure)
                return leaf.sure, leaf.sure | leaf.open

    def _possible_blocks(self, query: Query, among: Mask) -> Mask:
        """Blocks that may hold a match among the records of some templates, told by templates and signatures."""
        everywhere = np.ones(self.segment.blocks, np.bool_)
        match query:
            case And():
                return _all(self._possible_blocks(operand, among) for operand in query.operands)
            case Or():
                return _any(self._possible_blocks(operand, among) for operand in query.operands)
            case Not() | Everything():
                return everywhere
            case _:
                leaf = self._leaves[id(query)]
                if ((leaf.sure | leaf.open) & among).any():
                    return everywhere
                return leaf.blocks

    # ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────

    def _ask_rows(self, query: Query, rows: _Rows) -> tuple[Mask, Mask]:
        match query:
            case And():
                parts = [self._ask_rows(operand, rows) for operand in query.operands]
                return _all(part[0] for part in parts), _all(part[1] for part in parts)
            case Or():
                parts = [self._ask_rows(operand, rows) for operand in query.operands]
                return _any(part[0] for part in parts), _any(part[1] for part in parts)
            case Not():
                sure, possible = self._ask_rows(query.operand, rows)
                return ~possible, ~sure
            case Everything():
                everything = np.ones(len(rows.template), np.bool_)
                return everything, everything
            case _:
                leaf = self._leaves[id(query)]
                sure, possible = rows.of(leaf.sure), rows.of(leaf.sure | leaf.open)
                # What is not read does not matter: templates say all.
                if leaf.ask is not None and rows.are_in(leaf.blocks) and not self._sure_by_template:
                    by_value = leaf.ask(rows)
                    sure, possible = sure | by_value[0], possible | by_value[0] | by_value[1]
                return sure, possible

    def _ask_text(self, rows: _Rows, doubtful: NDArray[np.int64]) -> Mask:
        """Which of some rows match, told by their lines."""
        self.scanned.rows_rebuilt += len(doubtful)
        values = rows.values_of(doubtful)
        buf, starts, end = self.segment.lines(doubtful, rows.template, rows.times, values)
        ends = np.append(starts[1:], end) - 1
        records = doubtful + rows.first + self._source.first
        is_one_line = ~self._texts.may_have_lines[rows.template[doubtful]]
        window = Window(self._corpus, buf, int(records[0]), starts, ends, is_one_line, records)
        return self._ask_lines(window, self._rest, np.ones(len(doubtful), np.bool_))

    # ── Leaves ──────────────────────────────────────────────────────────────────────────────────────────────

    def _leaf(self, query: Query) -> _Leaf:
        none = np.zeros(len(self.segment.templates), np.bool_)
        if isinstance(query, TextTerm | FieldTest) and query.field is not None:
            return self._field_leaf(query, none)
        if isinstance(query, Word | Phrase) and query.text.isascii():
            return self._word_leaf(query.text.lower().encode())
        if isinstance(query, Substring) and query.text.isascii():
            text = query.text.lower() if query.ignore_case else query.text
            return self._substring_leaf(text.encode(), query.ignore_case)
        return self._literal_leaf(query, none)

    def _field_leaf(self, query: Any, none: Mask) -> _Leaf:
        templates = self.segment.templates
        column = column_named(query.field)
        if column == SOURCE:
            meets = value_matcher(query)
            told = np.array([meets(name) for name in templates.sources], np.bool_)[templates.source]
            return _Leaf(told, none, self._nowhere, None)
        if column in (SEVERITY, TIMESTAMP):
            return _Leaf(none, ~none, self._nowhere, None)
        if normalised(query.field) in SERVICE_NAMES:
            meets = value_matcher(query)
            told = np.array([bool(name) and meets(name) for name in templates.services], np.bool_)
            unnamed = np.array([not name for name in templates.services], np.bool_)
            return _Leaf(told[templates.service], unnamed[templates.service], self._nowhere, None)
        extras = self._text.columns.extras
        if any(may_name(extra, query.field) for extra in extras):
            return _Leaf(none, ~none, self._nowhere, None)
        return self._number_leaf(query, none) or self._literal_leaf(query, none)

    def _number_leaf(self, query: Any, none: Mask) -> _Leaf | None:
        """A comparison with a number, told by a column; None where there is no such column, or it may not tell all."""
        name = query.field
        told = self.segment.head.numbers.get(name)
        tests = _number_tests(query)
        if told is None or tests is None or column_spelled(name):
            return None
        if self._source.columns or self._source.own_formats:
            return None  # a header line, or the user, has named other fields
        by_column = none.copy()
        by_column[told] = True
        # Elsewhere it can only be where its name stands.
        opened = (self._texts.may_name(name) | self._texts.is_whole) & ~by_column

        def ask(rows: _Rows) -> tuple[Mask, Mask]:
            places, numbers = rows.numbers(name)
            meets = _all(test(numbers) for test in tests)
            found = np.zeros(len(rows.template), np.bool_)
            found[places[meets]] = True
            if isinstance(query, Word):  # is found within 1.5 and -5 too, where they are text
                possible = found.copy()
                possible[places[(numbers < 0) | (numbers % 1 > 0)]] = True
                return found, possible
            return found, found

        return _Leaf(none, opened, ~self._nowhere, ask, reads_values=False)

    def _literal_leaf(self, query: Query, none: Mask) -> _Leaf:
        """What only the text tells: records in doubt are those that hold a literal that any match must hold."""
        literals = required_literals(query)
        if literals is None:
            return _Leaf(none, ~none, self._nowhere, None)
        parts = [self._substring_leaf(literal, ignore_case=True) for literal in literals]
        blocks = _any([self._nowhere, *(part.blocks for part in parts)])

        def ask(rows: _Rows) -> tuple[Mask, Mask]:
            possible = np.zeros(len(rows.template), np.bool_)
            for part in parts:
                if part.ask is not None and rows.are_in(part.blocks):
                    sure, perhaps = part.ask(rows)
                    possible |= sure | perhaps
            return np.zeros_like(possible), possible

        return _Leaf(none, _any(part.sure | part.open for part in parts), blocks, ask)

    def _substring_leaf(self, text: bytes, ignore_case: bool) -> _Leaf:
        if not text:
            everything = np.ones(len(self.segment.templates), np.bool_)
            return _Leaf(everything, ~everything, self._nowhere, None)
        if b"\n" in text:
            return _Leaf(*self._in_doubt)
        sure = self._texts.hold(Literal(text, ignore_case))
        opened, halves = self._texts.may_straddle(text, ignore_case)
        opened |= self._texts.may_stand_in_time(text)
        literal = Literal(text, ignore_case)

        is_value = self._may_be_value(text)

        def ask(rows: _Rows) -> tuple[Mask, Mask]:
            found = rows.marked(literal) if is_value else np.zeros(len(rows.template), np.bool_)
            return found, found | _halved(rows, halves)

        return _Leaf(sure, opened, self._blocks_of(text, _inner_words(text), halves), ask)

    def _word_leaf(self, text: bytes) -> _Leaf:
        if b"\n" in text:
            return _Leaf(*self._in_doubt)
        whole = Literal(text, ignore_case=True, whole_words=True)
        part = Literal(text, ignore_case=True)
        sure = self._texts.hold(whole)
        # Where a backslash stands, the text may say the word behind an escape: `\nquota`.
        held = self._texts.hold(part)
        opened = (held & self._texts.has_backslash) | self._texts.has_escape_before_hole
        straddling, halves = self._texts.may_straddle(text, ignore_case=True)
        opened |= straddling | self._texts.may_stand_in_time(text)
        is_value = self._may_be_value(text)

        def ask(rows: _Rows) -> tuple[Mask, Mask]:
            halved = _halved(rows, halves)
            if not is_value:
                return np.zeros(len(rows.template), np.bool_), halved
            if rows.has_backslash is not None:
                halved = halved | (rows.marked(part) & rows.has_backslash)
            return rows.marked(whole), halved

        return _Leaf(sure, opened, self._blocks_of(text, _words_of(text), halves), ask)

    @cached_property
    def _nowhere(self) -> Mask:
        """No block."""
        return np.zeros(self.segment.blocks, np.bool_)

    def _blocks_of(self, text: bytes, words: tuple[bytes, ...], halves: Sequence[_Half]) -> Mask:
        """Blocks among whose values a text may stand, or a half of it that is not in static text."""
        blocks = self._nowhere.copy()
        if self._may_be_value(text):
            blocks = self.segment.may_hold_letters(text) if len(text) > 2 else ~blocks
            if words and blocks.any():
                blocks &= self.segment.may_hold_words(words)
        for half in halves:
            blocks |= _all(
                [~self._nowhere, *(self.segment.may_hold_letters(rest.text) for rest in half.rests)]
            )
        return blocks

    def _may_be_value(self, text: bytes) -> bool:
        """Whether a text may stand within a value: a single word, unless lines are kept whole."""
        return bool(self._texts.is_whole.any()) or all(BYTE_KIND[byte] or byte in _INSIDE for byte in text)

    @property
    def _in_doubt(self) -> tuple[Mask, Mask, Mask, None]:
        none = np.zeros(len(self.segment.templates), np.bool_)
        return none, ~none, self._nowhere, None


def _texts_of(text: SegmentText) -> _Texts:
    """The templates' texts of a segment, made ready once."""
    if text.searchable is None:
        text.searchable = _Texts(text.segment)
    return text.searchable  # type: ignore[no-any-return]  # only this module knows what it is


class _Texts:
    """The templates' texts, made ready to be searched: all marks are HOLE."""

    def __init__(self, segment: Segment) -> None:
        templates = segment.templates
        self.starts = templates.offsets[:-1]
        self.ends = templates.offsets[1:]
        texts = templates.texts.copy()
        times = np.flatnonzero(texts == TIME)
        texts[times] = HOLE
        texts[times + 1] = HOLE
        self.texts = texts
        self.times = times
        firsts = np.minimum(self.starts, max(len(texts) - 1, 0))
        self.is_whole = (self.ends - self.starts == 1) & (texts[firsts] == WHOLE)

    @cached_property
    def has_backslash(self) -> Mask:
        return self.hold(Literal(b"\\"))

    @cached_property
    def may_have_lines(self) -> Mask:
        """Templates whose records may have several lines: holes have none, unless they are all of a record."""
        found: Mask = self.hold(Literal(b"\n")) | self.is_whole
        return found

    @cached_property
    def has_escape_before_hole(self) -> Mask:
        """Templates in which the letter of an escape may stand in a hole."""
        return self.hold(Literal(bytes((_BACKSLASH, HOLE))))

    @cached_property
    def has_time(self) -> Mask:
        counts = np.zeros(len(self.starts) + 1, np.int64)
        np.add.at(counts, np.searchsorted(self.ends, self.times, side="right"), 1)
        return counts[:-1] > 0

    @cached_property
    def _folded(self) -> bytes:
        return self.texts.tobytes().lower()

    def hold(self, literal: Literal) -> Mask:
        """Templates whose static text holds a literal."""
        # Mostly none does, which is told sooner than where.
        if literal.text.lower() not in self._folded:
            return np.zeros(len(self.starts), np.bool_)
        return mark_records(self.texts, self.starts, self.ends, literal)

    def may_name(self, field: str) -> Mask:
        """Templates whose records may have a field: objects have its parts, each by itself."""
        return self.hold(Literal(field.rpartition(".")[2].encode()))

    def may_stand_in_time(self, text: bytes) -> Mask:
        """Templates whose own time may hold a literal."""
        if _fits_in_time(text.lower()):
            return self.has_time
        return np.zeros(len(self.starts), np.bool_)

    def may_straddle(self, text: bytes, ignore_case: bool) -> tuple[Mask, list[_Half]]:
        """Templates in which a literal may stand partly in static text and partly in holes; and those where it takes
        that a part of it stands in a hole."""
        inside = [place for place, byte in enumerate(text) if not BYTE_KIND[byte]]
        mark = bytes((HOLE,))
        # It ends in a hole, begins in one, or goes from one to the next.
        parts = [(text[: place + 1] + mark, [text[place + 1 :]]) for place in inside if place + 1 < len(text)]
        parts += [(mark + text[place:], [text[:place]]) for place in inside if place > 0]
        inner = [place for place in inside if 0 < place < len(text) - 1]
        pairs = list(itertools.combinations_with_replacement(inner, 2))
        if len(pairs) > _MOST_PIECES:
            parts += [(mark + text[place : place + 1], []) for place in inner]
        else:
            parts += [
                (mark + text[low : high + 1] + mark, [text[:low], text[high + 1 :]]) for low, high in pairs
            ]
        opened = np.zeros(len(self.starts), np.bool_)
        halves: list[_Half] = []
        for needle, rests in parts:
            templates = self.hold(Literal(needle, ignore_case))
            if not templates.any():
                continue
            # What is left may itself go over a border, where it has delimiters.
            told = [rest for rest in rests if len(rest) >= _LEAST_HALF and _is_one_value(rest)]
            if not told:
                opened |= templates
                continue
            halves.append(_Half(templates, tuple(Literal(rest, ignore_case) for rest in told)))
        return opened, halves


@dataclass(frozen=True)
class _Half:
    """Where a literal can stand only if parts of it stand among the values."""

    templates: Mask
    rests: tuple[Literal, ...]


_TIMES = tuple(
    b"0000-00-00t00:00:00" + (b"." + b"0" * digits if digits else b"") + b"z" for digits in range(10)
)
"""How `scan/split.py` writes times that it leaves out, in small letters, 0 for any digit; or a part of one."""


def _fits_in_time(text: bytes) -> bool:
    """Whether a literal in small letters may be a part of a time that is left out."""
    like = bytes(48 if 48 <= byte <= 57 else byte for byte in text)
    return any(like in time for time in _TIMES)


def _is_one_value(text: bytes) -> bool:
    """Whether a text can only stand in a hole that is a value: it is part of one word, and of no time."""
    return all(BYTE_KIND[byte] for byte in text) and not _IN_TIMES.issuperset(text.lower())


_CANONICAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{0,8}[1-9])?")
_COMPARED: Mapping[str, Callable[[Any, float], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _number_tests(query: Query) -> list[Callable[[NDArray[Any]], Mask]] | None:
    """What a query asks of a column of numbers; None when that is not all that it asks."""
    match query:
        case Comparison():
            comparisons: tuple[Comparison, ...] = (query,)
        case Range():
            comparisons = query.comparisons
        case Word(field=str(field), text=text) if text.isdigit():
            comparisons = (Comparison(field, "=", text),)
        case _:
            return None
    tests: list[Callable[[NDArray[Any]], Mask]] = []
    for comparison in comparisons:
        compare = _COMPARED.get(comparison.operator)
        # A text is compared with a number written in another way by its letters.
        if compare is None or not _CANONICAL.fullmatch(comparison.value):
            return None
        tests.append(partial(_compare, compare, float(comparison.value)))
    return tests


def _compare(compare: Callable[[Any, float], Any], wanted: float, numbers: NDArray[Any]) -> Mask:
    found: Mask = compare(numbers, wanted)
    return found


def _halved(rows: _Rows, halves: Sequence[_Half]) -> Mask:
    """The rows in which a literal may stand half in a hole."""
    found = np.zeros(len(rows.template), np.bool_)
    for half in halves:
        some = rows.of(half.templates)
        for rest in half.rests:
            if some.any():
                some &= rows.marked(rest)
        found |= some
    return found


def _words_of(text: bytes) -> tuple[bytes, ...]:
    """The words that stand among the values where all of a text does, as far as signatures know them."""
    return tuple(word for word in _runs(text) if is_kept(word))


def _inner_words(text: bytes) -> tuple[bytes, ...]:
    """The same of a text that may begin and end within a word."""
    runs = _runs(text)
    low = 1 if text and BYTE_KIND[text[0]] else 0
    high = len(runs) - 1 if text and BYTE_KIND[text[-1]] else len(runs)
    return tuple(word for word in runs[low:high] if is_kept(word))


def _runs(text: bytes) -> list[bytes]:
    return [word for word in bytes(byte if BYTE_KIND[byte] else 32 for byte in text).split(b" ") if word]


def numbers_of(
    source: Source, rows: NDArray[np.int64], field: str
) -> tuple[NDArray[np.float64], Mask] | None:
    """(numbers, rows that only their text tells of): a field of some rows of a segment as its column has it, NaN where
    there is none; None when no column tells, or the source is no segment."""
    if not source.is_segment:
        return None
    text: Any = source.text
    segment: Segment = text.segment
    told = segment.head.numbers.get(field)
    if told is None or column_named(field) or column_spelled(field):
        return None
    if any(may_name(extra, field) for extra in text.columns.extras):
        return None
    texts = _texts_of(text)
    elsewhere = texts.may_name(field) | texts.is_whole
    elsewhere[told] = False
    template: NDArray[np.int32] = text.columns["template"]
    undecided = elsewhere[template[rows]]
    numbered, numbers = text.columns["numbered"], text.columns[f"number:{field}"]
    found = np.full(len(rows), np.nan)
    wanted = rows.astype(numbered.dtype)
    places = np.minimum(np.searchsorted(numbered, wanted), len(numbered) - 1)
    has = numbered[places] == wanted
    found[has] = numbers[places[has]]
    return found, undecided


def may_name(extra: Mapping[str, object], field: str) -> bool:
    """Whether attributes that are not in the text may be meant by a field's name."""
    if not extra:
        return False
    column = column_named(field) or column_spelled(field)
    wanted = normalised(field.rpartition(".")[2])
    for key, _ in flat(extra):
        if column and column in (column_named(key), column_spelled(key)):
            return True
        if wanted in normalised(key):
            return True
    return False


def _in_time(times: NDArray[np.int64], time: TimeRange) -> Mask:
    within: Mask = times != NO_TIME
    if time.start_ns is not None:
        within &= times >= time.start_ns
    if time.end_ns is not None:
        within &= times < time.end_ns
    return within


def _all(masks: Iterator[Mask] | Sequence[Mask]) -> Mask:
    masks = list(masks)
    made: Mask = np.logical_and.reduce(masks)
    return made


def _any(masks: Iterator[Mask] | Sequence[Mask]) -> Mask:
    masks = list(masks)
    made: Mask = np.logical_or.reduce(masks)
    return made


__all__ = ["SegmentQuery", "may_name"]
