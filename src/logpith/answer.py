"""What comes back from a tool: one shape for all of them, bounded, traceable, the same at every door.

An answer leaves as JSON or as text. Some hosts show their model only one of the two, so each says everything.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from logpith.bars import Bar
from logpith.quote import shorten

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""A value that JSON can say."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One record shown as proof; `text` is redacted and safe to print."""

    ref: str
    """`e12@3f9ac21b`: line 12 of the source whose key is 3f9a, whose text hashes to c21b."""

    time: str = ""
    """ISO 8601 in UTC; empty when the record has no time."""

    source: str
    severity: str = ""
    text: str
    flag: str = ""
    """`instruction-like` when the text reads as if it spoke to an agent."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What was looked at, so that "not found" is worth something."""

    lines: int
    records: int
    sources: int
    start: str = ""
    end: str = ""
    undated: float = 0.0
    """Share of records without a time, 0 to 1."""

    skipped: tuple[str, ...] = ()
    """`name: reason` of each source, or part of one, that could not be read."""

    redacted: int = 0
    flagged: int = 0
    lowered: tuple[str, ...] = ()
    """`limit to 200` for each argument that asked for more than there may be."""


@dataclass(frozen=True, kw_only=True)
class Omitted:
    """What was left out of an answer, and why."""

    items: int = 0
    evidence: int = 0
    texts: int = 0
    """Texts shown without their middle."""

    skipped: int = 0
    """Names that `coverage.skipped` lacks."""

    next: int = 0
    cursor: int = 0
    reason: str = "budget"

    @classmethod
    def beyond_limit(cls, items: int) -> Omitted | None:
        """That the rows of an answer are the first or worst ones only; None when there are no others."""
        return cls(items=items, reason="limit") if items else None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer. `summary` and `next` are made of counts, ids and known names: never of log text."""

    summary: str
    items: tuple[Mapping[str, Json], ...] = ()
    """Ranked rows; what they hold is told by each tool. An item names its evidence under `refs`.

    Rows of several kinds say theirs under `kind` and stand together.
    """

    evidence: tuple[Evidence, ...] = ()
    coverage: Coverage
    omitted: Omitted | None = None
    cursor: str | None = None
    """Hand it back to the same tool to go on."""

    next: tuple[str, ...] = ()
    """Calls worth making now, ready to copy."""

    cursors: tuple[str, ...] = field(default=(), kw_only=True)
    """Where to go on behind each item, for a tool whose cursor depends on what was found; not printed."""

    found: bool = field(default=True, kw_only=True)
    """Whether what was asked for is there; not part of the printed answer."""


TOKEN_BYTES = 4
"""Bytes of UTF-8 that count as one token."""

_RULED_LINES = str.maketrans({"\t": r"\t", "\n": r"\n", "\r": r"\r"})

_SHORTEST_TEXT = 32
_READABLE_TEXT = 80


def to_json(answer: Answer) -> dict[str, Any]:
    """The answer as JSON's values, without what is empty; always with `summary` and `coverage`."""
    coverage = answer.coverage
    spelled = {
        "summary": answer.summary,
        "items": [_without_empty(item) for item in answer.items],
        "evidence": [_without_empty(vars(evidence)) for evidence in answer.evidence],
        "coverage": {
            "lines": coverage.lines,
            "records": coverage.records,
            "sources": coverage.sources,
            **_without_zero(
                {
                    "from": coverage.start,
                    "to": coverage.end,
                    "undated": round(coverage.undated, 4),
                    "skipped": list(coverage.skipped),
                    "redacted": coverage.redacted,
                    "flagged": coverage.flagged,
                    "lowered": list(coverage.lowered),
                }
            ),
        },
        "omitted": _without_zero(vars(answer.omitted)) if answer.omitted else None,
        "cursor": answer.cursor,
        "next": list(answer.next),
    }
    return {name: value for name, value in spelled.items() if value or name == "summary"}


def to_compact_json(answer: Answer) -> str:
    """`to_json` as one line of text."""
    return json.dumps(to_json(answer), ensure_ascii=False, separators=(",", ":"))


def to_text(answer: Answer) -> str:
    """The whole answer as plain text: tables are lines of cells with tabs between them, under one header."""
    parts = [answer.summary.translate(_RULED_LINES)]
    parts += [_table(rows, title) for title, rows in by_kind(answer.items)]
    parts += [_table([vars(evidence) for evidence in answer.evidence], "evidence")] if answer.evidence else []
    closing = [f"coverage: {coverage_in_words(answer.coverage)}"]
    closing += [f"omitted: {omitted_in_words(answer.omitted)}"] if answer.omitted else []
    closing += [f"cursor: {answer.cursor}"] if answer.cursor else []
    closing += [f"next: {call}" for call in answer.next]
    return "\n\n".join([*parts, "\n".join(line.translate(_RULED_LINES) for line in closing)])


def by_kind(items: Iterable[Mapping[str, Json]]) -> list[tuple[str, list[Mapping[str, Json]]]]:
    """The rows of each kind, without their `kind`, in the order in which kinds first appear."""
    kinds: dict[str, list[Mapping[str, Json]]] = {}
    for item in items:
        rows = kinds.setdefault(cell(item.get("kind")), [])
        rows.append({name: value for name, value in item.items() if name != "kind"})
    return list(kinds.items())


def split_constants(rows: Sequence[Mapping[str, Json]]) -> tuple[list[str], dict[str, str]]:
    """The columns that tell rows apart, and the one value of each column that does not."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: list[str] = []
    constants: dict[str, str] = {}
    for name in names:
        values = {cell(row.get(name)) for row in rows}
        if len(values) == 1 and len(rows) > 1:
            constants[name] = values.pop()
        elif values != {""}:
            columns.append(name)
    return columns, {name: value for name, value in constants.items() if value}


def cell(value: Json) -> str:
    """One value on one line: lists with commas, mappings as `name=value`."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case str():
            return value.translate(_RULED_LINES)
        case Mapping():
            return " ".join(f"{name}={cell(inner)}" for name, inner in value.items())
        case Sequence():
            return ", ".join(cell(inner) for inner in value)
        case _:
            return str(value)


def coverage_in_words(coverage: Coverage) -> str:
    """What was looked at, on one line."""
    said = [_count(coverage.lines, "line")]
    said += [_count(coverage.records, "record")] if coverage.records != coverage.lines else []
    said += [_count(coverage.sources, "source")]
    said += [f"{coverage.start} to {coverage.end}"] if coverage.start or coverage.end else []
    said += [f"{coverage.undated:.2%} without a time"] if coverage.undated else []
    said += [f"{coverage.redacted:,} redacted"] if coverage.redacted else []
    said += [f"{coverage.flagged:,} flagged as instruction-like"] if coverage.flagged else []
    said += [f"lowered {', '.join(coverage.lowered)}, the most there may be"] if coverage.lowered else []
    said += [f"skipped: {'; '.join(coverage.skipped)}"] if coverage.skipped else []
    return ", ".join(said)


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


def omitted_in_words(omitted: Omitted) -> str:
    """What was left out and why, on one line."""
    counted = {
        "items": omitted.items,
        "evidence lines": omitted.evidence,
        "middles of long texts": omitted.texts,
        "skipped sources": omitted.skipped,
        "next calls": omitted.next,
        "cursor": omitted.cursor,
    }
    said = ", ".join(f"{count:,} {name}" for name, count in counted.items() if count)
    return f"{said} ({omitted.reason})" if said else omitted.reason


def tokens(answer: Answer) -> int:
    """What the answer costs its reader: the larger of its text and its JSON."""
    size_bytes = max(_size_bytes(to_text(answer)), _size_bytes(to_compact_json(answer)))
    return -(-size_bytes // TOKEN_BYTES)


def fit(
    answer: Answer, budget_tokens: int, cursor_after: Callable[[int], str | None] = lambda shown: None
) -> Answer:
    """The answer within a budget of at least 100 tokens; whatever goes is counted in `omitted`.

    Items go from the tail, each with the evidence that no other names; then evidence; where one row alone is
    too large, its long texts lose their middle. What stands around the rows gives way last. `cursor_after`
    names the cursor behind as many items as are left, where there is one.
    """
    if tokens(answer) <= budget_tokens:
        return answer
    framed = _with_small_frame(answer, budget_tokens * TOKEN_BYTES)

    def first(items: int, evidence: int) -> Answer:
        cut = _first(framed, items, evidence)
        if items >= len(framed.items):
            return cut
        behind = framed.cursors[items - 1] if 0 < items <= len(framed.cursors) else cursor_after(items)
        return replace(cut, cursor=behind or cut.cursor)

    item, line = min(1, len(answer.items)), min(1, len(answer.evidence))
    with_proof, proofless = first(item, line), first(item, line - item)
    longest = max(map(len, _texts(framed)), default=0)
    ladders: tuple[tuple[Callable[[int], Answer], int, int], ...] = (
        (lambda count: first(count, len(framed.evidence)), item, len(framed.items)),
        (lambda count: first(item, count), line, len(framed.evidence)),
        (lambda width: _with_short_texts(with_proof, width), _READABLE_TEXT, longest),
        (lambda width: _with_short_texts(proofless, width), _SHORTEST_TEXT, longest),
        (lambda _: first(0, 0), 0, 0),
        (lambda width: _with_bare_frame(first(0, 0), width), 0, len(framed.summary)),
    )
    for make, low, high in ladders:
        largest = _largest_that_fits(make, low, high, budget_tokens)
        if largest is not None:
            return largest
    return _with_bare_frame(first(0, 0), 0)


def _largest_that_fits(
    make: Callable[[int], Answer], low: int, high: int, budget_tokens: int
) -> Answer | None:
    """The answer for the largest number that fits, None when not even `low` does."""
    best = make(low)
    if tokens(best) > budget_tokens:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        candidate = make(middle)
        if tokens(candidate) <= budget_tokens:
            best, low = candidate, middle
        else:
            high = middle - 1
    return best


def _first(answer: Answer, items: int, evidence: int) -> Answer:
    """The first items, and of the evidence that they or no item at all name the first lines."""
    kept = answer.items[:items]
    unproven = _refs(answer.items) - _refs(kept)
    lines = tuple(line for line in answer.evidence if line.ref not in unproven)[: max(evidence, 0)]
    gone_items, gone_lines = len(answer.items) - len(kept), len(answer.evidence) - len(lines)
    return _omitting(replace(answer, items=kept, evidence=lines), items=gone_items, evidence=gone_lines)


def _refs(items: Iterable[Mapping[str, Json]]) -> set[Json]:
    named = (item.get("refs") for item in items)
    return {ref for refs in named if isinstance(refs, list | tuple) for ref in refs if isinstance(ref, str)}


def _texts(answer: Answer) -> list[str]:
    """Every text of the rows that may be shortened: a ref may not, half of one is none."""
    values: list[Json] = [value for item in answer.items for name, value in item.items() if name != "refs"]
    texts = [text for line in answer.evidence for text in (line.source, line.text)]
    while values:
        match values.pop():
            case str(text):
                texts.append(text)
            case Mapping() as inner:
                values.extend(inner.values())
            case Sequence() as inner:
                values.extend(inner)
    return texts


def _with_short_texts(answer: Answer, width: int) -> Answer:
    items = tuple(
        {
            name: value if name == "refs" else _shorter(value, width)
            for name, value in item.items()
            if name != "highlights"  # they point into a text that is another one now
        }
        for item in answer.items
    )
    evidence = tuple(
        replace(line, source=shorten(line.source, width), text=shorten(line.text, width))
        for line in answer.evidence
    )
    count = sum(len(text) > width for text in _texts(answer))
    return _omitting(replace(answer, items=items, evidence=evidence), texts=count)


def _shorter(value: Json, width: int) -> Json:
    match value:
        case str():
            return shorten(value, width)
        case Mapping():
            return {name: _shorter(inner, width) for name, inner in value.items()}
        case Sequence():
            return [_shorter(inner, width) for inner in value]
        case _:
            return value


def _with_small_frame(answer: Answer, budget_bytes: int) -> Answer:
    """The answer with no part around the rows taking more than its share, which parts rarely do."""
    coverage = answer.coverage
    skipped = _leading([shorten(name, _READABLE_TEXT) for name in coverage.skipped], budget_bytes // 4)
    calls = _leading(answer.next, budget_bytes // 4)
    cursor = answer.cursor if _size_bytes(answer.cursor or "") <= budget_bytes // 4 else None
    small = replace(
        answer,
        summary=shorten(answer.summary, budget_bytes // 2),
        coverage=replace(coverage, skipped=skipped),
        cursor=cursor,
        next=calls,
    )
    return _omitting(
        small,
        texts=int(small.summary != answer.summary),
        skipped=len(coverage.skipped) - len(skipped),
        next=len(answer.next) - len(calls),
        cursor=int(cursor != answer.cursor),
    )


def _with_bare_frame(answer: Answer, width: int) -> Answer:
    """The summary and the coverage alone."""
    bare = replace(
        answer,
        summary=shorten(answer.summary, width),
        coverage=replace(answer.coverage, skipped=()),
        cursor=None,
        next=(),
    )
    return _omitting(
        bare,
        texts=int(bare.summary != answer.summary),
        skipped=len(answer.coverage.skipped),
        next=len(answer.next),
        cursor=int(answer.cursor is not None),
    )


def _omitting(answer: Answer, **more: int) -> Answer:
    """The answer with `more` counted in its `omitted`."""
    if not any(more.values()):
        return answer
    before = answer.omitted or Omitted()
    reason = before.reason if "budget" in before.reason else f"{before.reason}, budget"
    counts = {name: getattr(before, name) + count for name, count in more.items()}
    return replace(answer, omitted=replace(before, reason=reason, **counts))


def _leading(texts: Sequence[str], most_bytes: int) -> tuple[str, ...]:
    """As many of the first texts as take at most so many bytes."""
    sizes = itertools.accumulate(_size_bytes(text) for text in texts)
    return tuple(text for text, size in zip(texts, sizes, strict=True) if size <= most_bytes)


def _size_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _table(rows: Sequence[Mapping[str, Json]], title: str) -> str:
    """A header and a line for each row; what is the same in all rows is said once, above."""
    columns, constants = split_constants(rows)
    lines = [f"{title}:"] if title else []
    if constants:
        lines.append("in all: " + "\t".join(f"{name}={value}" for name, value in constants.items()))
    lines.append("\t".join(columns))
    lines += ["\t".join(cell(row.get(name)) for name in columns).rstrip("\t") for row in rows]
    return "\n".join(lines)


def _without_empty(row: Mapping[str, Json]) -> dict[str, Json]:
    """The row without what says nothing; a zero or a no may say something, a drawing only repeats a number."""
    return {
        name: value
        for name, value in row.items()
        if value is not None and value not in ("", [], (), {}) and not isinstance(value, Bar)
    }


def _without_zero(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
