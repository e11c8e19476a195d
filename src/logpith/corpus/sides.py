"""Two sides of a corpus to compare: two periods, or two sets of sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.selection import Selection
from logpith.plural import counted
from logpith.scan.buckets import BEFORE, NOW, mark_sides
from logpith.timerange import TimeRange, format_ns, format_span, parse_range, parse_time
from logpith_emit.errors import BadArgument

PREVIOUS = "previous"
_LAST_SHARE = 10


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Which records are compared with which."""

    selection: Selection
    side: NDArray[np.uint8]
    """For each record of the selection the bits BEFORE and NOW."""

    told: str
    """What is compared with what, in words of ours."""

    lengths_ns: tuple[int, int] | None = None
    """How long both periods are; None when what is compared is not periods."""

    def counts(self) -> tuple[int, int]:
        """Records before and now."""
        return int(((self.side & BEFORE) > 0).sum()), int(((self.side & NOW) > 0).sum())


def names_period(text: str) -> bool:
    """Whether a baseline is a period, `A..B` of which one may be missing, and not the name of a source."""
    first, dots, last = text.partition("..")
    return bool(dots) and any(_is_time(half) for half in (first, last) if half.strip())


def _is_time(text: str) -> bool:
    try:
        parse_time(text, now_ns=0, end_ns=0)
    except BadArgument:
        return False
    return True


def read_period(text: str, *, now_ns: int, end_ns: int | None) -> TimeRange:
    """The period that `names_period` has found.

    Raises:
        BadArgument: one half cannot be read, or it ends before it begins.
    """
    first, _, last = text.partition("..")
    return parse_range(first, last, now_ns=now_ns, end_ns=end_ns)


def sides_in_time(selection: Selection, baseline: TimeRange | None, now: TimeRange) -> Sides:
    """A period against another one; None as baseline means as long a time just before.

    A `now` that names no beginning is what follows the baseline, or else the last tenth of the time, which is then
    compared with all before.

    Raises:
        BadArgument: one of both would be empty.
    """
    span = selection.corpus.span_ns
    if span is None:
        raise BadArgument(
            "no record has a time that could be read, so there are no periods",
            remedy="Compare with other files instead: give one as `baseline`",
        )
    first, end = span[0], span[1] + 1
    until = end if now.end_ns is None else min(now.end_ns, end)
    if baseline is not None:
        if now.start_ns is None:
            now = TimeRange(first if baseline.end_ns is None else baseline.end_ns, until)
        told = "the baseline"
    elif now.start_ns is None:
        since = until - max((until - first) // _LAST_SHARE, 1)
        baseline, now = TimeRange(first, since), TimeRange(since, until)
        told = "all before (the last tenth was chosen, since no `since` was given)"
    else:
        length = (until if now.end_ns is None else now.end_ns) - now.start_ns
        baseline = TimeRange(max(first, now.start_ns - length), now.start_ns)
        told = "as long before" if baseline.start_ns != first else "all before"
    start_b = first if baseline.start_ns is None else max(first, baseline.start_ns)
    end_b = end if baseline.end_ns is None else min(end, baseline.end_ns)
    start_n = first if now.start_ns is None else max(first, now.start_ns)
    for begin, finish, name in ((start_b, end_b, "baseline"), (start_n, until, "period")):
        if begin >= finish:
            raise BadArgument(
                f"nothing lies in the {name}: all records are from {format_ns(first)} to {format_ns(span[1])}",
                remedy="Give `since`, or `baseline` as a period such as end-4h..end-2h, within that time",
            )
    side = mark_sides(selection.time_ns, (start_b, end_b), (start_n, until))
    return Sides(
        selection=selection,
        side=side,
        told=f"{_period_text(start_n, until)} against {told}, {_period_text(start_b, end_b)}",
        lengths_ns=(end_b - start_b, until - start_n),
    )


def sides_by_source(selection: Selection, baseline: frozenset[str], now: frozenset[str]) -> Sides:
    """Some sources against others, by their names. What is in the baseline is not in `now`, unless nothing else is."""
    now = (now - baseline) or now
    names = selection.corpus.origins
    of_source = np.array([BEFORE * (name in baseline) | NOW * (name in now) for name in names], np.uint8)
    side = of_source[selection.origin]
    many = counted(len(now & set(names)), "source")
    return Sides(
        selection=selection, side=side, told=f"{many} against {counted(len(baseline & set(names)), 'source')}"
    )


def _period_text(start_ns: int, end_ns: int) -> str:
    return f"{format_span(end_ns - start_ns)} from {_to_seconds(start_ns)}"


def _to_seconds(moment_ns: int) -> str:
    return format_ns(moment_ns).partition(".")[0].removesuffix("Z") + "Z"
