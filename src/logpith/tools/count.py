"""log_count: how many records there are of each kind, and what their values come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from logpith.plural import counted
from logpith.tools import FilteredTool, none_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from logpith.answer import Answer, Json
    from logpith.corpus.counting import Groups
    from logpith.corpus.desk import Desk
    from logpith.corpus.fields import Field
    from logpith.corpus.records import Corpus
    from logpith.quote import Quoter

_TEXT_WIDTH = 160
_MOST_FIELDS = 4
_MOST_ECHOED = 60
_MOST_AGGREGATES = 8
_DEFAULT_TOP = 20


_ORDER = ("time", "severity", "source", "id", "text", "group", "template")


@dataclass(frozen=True)
class _Aggregate:
    what: str
    of: str

    @property
    def column(self) -> str:
        return f"{self.what} {self.of}"


@dataclass(frozen=True, kw_only=True)
class CountTool(FilteredTool):
    """Count records by fields: level, service, source, template, time:5m, any JSON path or key=value; reckon p95, sum
    or distinct of others. Exact; one row counts what is not shown. To find one text use log_grep."""

    name: ClassVar[str] = "log_count"
    command: ClassVar[str] = "count"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith count --by service app.log",
        "logpith count 'level>=error' --by service --by time:1h logs/",
        "logpith count --by http.route --agg p95:duration_ms --agg distinct:user_id api.log",
    )
    positional: ClassVar[tuple[str, ...]] = ("query", "sources")
    flags: ClassVar[Mapping[str, str]] = {"by": "b", "agg": "a"}

    query: str = ""
    """Only records that match."""

    by: tuple[str, ...] = ()
    """Fields to count by; several combine."""

    agg: tuple[str, ...] = ()
    """What to reckon in each group: min, max, sum, avg, p50, p95, p99, count or distinct, as p95:duration_ms."""

    top: int = field(default=_DEFAULT_TOP, metadata={"minimum": 1, "maximum": 1000})
    """Most groups to show."""

    budget: int = field(default=1200, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """Groups, largest first (slices of time alone in order), then the row for the others."""
        from logpith.answer import Answer
        from logpith.corpus.counting import group_records
        from logpith.corpus.fields import read_fields
        from logpith.corpus.rollups import roll
        from logpith.corpus.select import read_query, unknown_fields
        from logpith.corpus.selection import check_filter, period_of, select_records
        from logpith.query import Exists, all_of

        aggregates = self._checked()
        check_filter(self.query, self.since, self.until)
        corpus, now_ns, quoter = desk.open(self.sources), desk.now_ns(), desk.quoter()
        reading = read_query(corpus, self.query, now_ns)
        period = period_of(corpus, self.since, self.until, now_ns)
        rolled = None if aggregates else roll(corpus, reading.query, self.by, period)
        values: tuple[Field, ...] = ()
        if rolled is not None:
            matched, fields, weights = len(rolled), rolled.fields, rolled.weights
            notes = reading.notes if matched else (*reading.notes, *unknown_fields(corpus, reading.query))
            groups = group_records(len(weights), fields, weights)
        else:
            selection = select_records(corpus, self.query, self.since, self.until, now_ns)
            matched, notes, weights = len(selection), selection.notes, None
            read = read_fields(selection, [*self.by, *(aggregate.of for aggregate in aggregates)])
            fields, values = read[: len(self.by)], read[len(self.by) :]
            groups = group_records(matched, fields)
        if nowhere := [name for name, one in zip(self.by, fields, strict=True) if (one.codes < 0).all()]:
            notes = (*notes, *unknown_fields(corpus, all_of(map(Exists, nowhere))))
        items = _items(corpus, matched, fields, groups, aggregates, values, self.top, quoter, weights)
        summary = _summary(len(corpus), matched, self.by, fields, groups, self.top, weights)
        return Answer(
            summary=" ".join([summary, *notes]) + _not_numbers(aggregates, values),
            items=tuple(items),
            coverage=corpus.coverage(quoter),
            next=self._next_calls(len(groups.counts) - groups.begins_empty),
            found=matched > 0,
        )

    def _checked(self) -> tuple[_Aggregate, ...]:
        """The aggregates; refuses what cannot be counted before a large file is read."""
        from logpith.corpus.counting import OF_ANY, OF_NUMBERS
        from logpith.corpus.fields import check_field
        from logpith.quote import shorten
        from logpith_emit.errors import BadArgument, nearest

        if len(self.by) > _MOST_FIELDS or len(self.agg) > _MOST_AGGREGATES:
            raise BadArgument(
                "so many fields make no table that anybody reads",
                remedy=f"Give at most {_MOST_FIELDS} fields to count by and {_MOST_AGGREGATES} aggregates",
            )
        known = [*OF_NUMBERS, *OF_ANY]
        aggregates = []
        for spelled in dict.fromkeys(self.agg):
            what, _, of = spelled.partition(":")
            if what not in known or not of:
                raise BadArgument(
                    f"an aggregate is written as p95:duration_ms, not {shorten(spelled, _MOST_ECHOED)!r}",
                    remedy=f"Write one of {', '.join(known)}, a colon and a field.{nearest(what, known)}",
                )
            aggregates.append(_Aggregate(what, of))
        for name in (*self.by, *(aggregate.of for aggregate in aggregates)):
            check_field(name)
        if len(set(self.by)) < len(self.by):
            raise BadArgument("a field is given twice", remedy="Give each field to count by once")
        return tuple(aggregates)

    def _next_calls(self, groups: int) -> tuple[str, ...]:
        given = {name: list(value) for name, value in (("by", self.by), ("agg", self.agg)) if value}
        if not self.by:
            return (self.call("log_count", by=["level"]), self.call("log_count", by=["service"]))
        if groups > self.top:
            return (self.call("log_count", **given, top=min(groups, self.top * 5, 1000)),)
        return ()


def _items(
    corpus: Corpus,
    matched: int,
    fields: Sequence[Field],
    groups: Groups,
    aggregates: Sequence[_Aggregate],
    values: Sequence[Field],
    top: int,
    quoter: Quoter,
    weights: NDArray[np.int64] | None,
) -> list[dict[str, Json]]:
    import numpy as np

    from logpith.corpus.counting import reckon

    shown = min(top + groups.begins_empty, len(groups.counts))
    rows = shown + (len(groups.counts) > shown)
    # What is not shown is one group of its own, so that its aggregates are exact too.
    codes = np.minimum(groups.codes, shown)
    counts = np.bincount(codes, weights, rows).astype(np.int64)
    reckoned = [
        (aggregate.column, reckon(aggregate.what, value, codes, rows))
        for aggregate, value in zip(aggregates, values, strict=True)
    ]
    items: list[dict[str, Json]] = []
    for row in _in_order(fields, groups, shown):
        items.append(_group(corpus, fields, groups, row, quoter))
    items += [{"group": "other"}] * (rows - shown)
    return [
        _with_numbers(item, int(counts[row]), matched, {c: float(r[row]) for c, r in reckoned})
        for row, item in zip([*_in_order(fields, groups, shown), *range(shown, rows)], items, strict=True)
    ]


def _in_order(fields: Sequence[Field], groups: Groups, shown: int) -> list[int]:
    """The groups to show: slices of time in their order, else the largest first; those without any value last."""
    order = list(range(groups.begins_empty, shown))
    times = next(
        (codes for column, codes in zip(fields, groups.values, strict=True) if column.kind == "time"), None
    )
    if times is not None:
        order.sort(key=lambda group: (times[group] < 0, times[group]))
    return order + [0] * groups.begins_empty


def _with_numbers(
    group: Mapping[str, Json], count: int, total: int, reckoned: Mapping[str, float]
) -> dict[str, Json]:
    """A row: what its records have in common, their count, what their values come to; a template last."""
    template = {name: value for name, value in group.items() if name == "template"}
    named = {name: value for name, value in group.items() if name != "template"}
    numbers = {column: _number(value) for column, value in reckoned.items()}
    return {**named, "count": count, "share": round(count / total, 4), **numbers, **template}


def _group(
    corpus: Corpus, fields: Sequence[Field], groups: Groups, group: int, quoter: Quoter
) -> dict[str, Json]:
    """What the records of a group have in common. Values that are log text stand under `text`."""
    row: dict[str, Json] = {}
    texts: dict[str, Json] = {}
    without = []
    for column, codes in zip(fields, groups.values, strict=True):
        code = int(codes[group])
        if code < 0:
            without.append(column.name)
        elif column.kind == "template":
            row["id"] = corpus.templates.templates[code].id
            row["template"] = quoter.quote(column.texts[code], _TEXT_WIDTH)
        elif column.kind == "text":
            texts[column.name] = quoter.quote(column.texts[code], _TEXT_WIDTH)
        elif column.kind == "source":
            row["source"] = quoter.quote(column.texts[code], _TEXT_WIDTH)
        else:
            row[column.kind] = column.texts[code]
    if texts:
        alone = len([column for column in fields if column.kind == "text"]) == 1
        row["text"] = next(iter(texts.values())) if alone else texts
    if without:
        row["group"] = f"without {', '.join(without)}" if len(fields) > 1 else "without"
    return {name: row[name] for name in _ORDER if name in row}


def _number(value: float) -> Json:
    """A number as short as it is exact; None for no number."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  NaN alone is not itself
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _summary(
    total: int,
    matched: int,
    by: Sequence[str],
    fields: Sequence[Field],
    groups: Groups,
    top: int,
    weights: NDArray[np.int64] | None,
) -> str:
    if not total:
        return "There are no lines here."
    if not matched:
        return f"{none_of(total)}."
    share = f" of {total:,}" if matched < total else ""
    said = f"{matched:,}{share} record{'s' * (matched != 1)}"
    if not by:
        return f"{said}."
    missing = [
        f"{_total(column.codes < 0, weights):,} without {name}"
        for name, column in zip(by, fields, strict=True)
        if (column.codes < 0).any()
    ]
    hidden = len(groups.counts) - top - groups.begins_empty
    # Not by the name of their row, which may have no room.
    together = f"the {hidden:,} smallest counted together" if hidden > 1 else "the smallest not named"
    more = [together] if hidden > 0 else []
    count = len(groups.counts) - groups.begins_empty
    return "; ".join([f"{said} in {counted(count, 'group')} by {', '.join(by)}", *missing, *more]) + "."


def _total(chosen: NDArray[np.bool_], weights: NDArray[np.int64] | None) -> int:
    """How many records some entries stand for."""
    return int((chosen if weights is None else weights[chosen]).sum())


def _not_numbers(aggregates: Sequence[_Aggregate], values: Sequence[Field]) -> str:
    """A note for each aggregate of numbers whose field also holds what is none."""
    import numpy as np

    from logpith.corpus.counting import OF_NUMBERS

    notes = []
    for aggregate, value in zip(aggregates, values, strict=True):
        if aggregate.what in OF_NUMBERS:
            wrong = int((np.isnan(value.numbers()) & (value.codes >= 0)).sum())
            if wrong:
                are = "is no number and does" if wrong == 1 else "are no numbers and do"
                notes.append(f" {counted(wrong, 'value')} of {aggregate.of} {are} not count.")
    return "".join(dict.fromkeys(notes))
