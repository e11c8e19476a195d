"""Where all doors meet: whoever asks, the answer is made here, and is the same."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from logpith.answer import Answer, fit
from logpith.component import bring_down
from logpith_emit.errors import Damaged

if TYPE_CHECKING:
    from logpith.corpus.desk import Desk
    from logpith.tools import Tool

log = logging.getLogger(__name__)

_MOST_DAMAGED = 64


def ask(tool: Tool, desk: Desk) -> Answer:
    """The tool's answer, within its budget.

    Raises:
        LogpithError: it cannot be answered; the remedy says what to change.
    """
    from logpith.corpus.watch import watching  # noqa: PLC0415 - what answers need is loaded by the first question

    tool, lowered = bring_down(tool)
    with watching(desk.time_limit_s) as watch:
        answer = _answer(_without_names(tool, desk), desk)
    trouble = (watch.trouble,) if watch.trouble else ()
    if trouble or lowered:
        skipped = (*trouble, *answer.coverage.skipped)
        answer = replace(answer, coverage=replace(answer.coverage, skipped=skipped, lowered=lowered))
    if desk.slow_s is not None and watch.elapsed_s >= desk.slow_s:
        # By its name and plan only: what is asked may hold what nobody should find in a log.
        log.warning("%s took %.0f ms: %s", tool.name, watch.elapsed_s * 1000, watch.in_words())
    return fit(answer, tool.budget, tool.cursor_after)


def _answer(tool: Tool, desk: Desk) -> Answer:
    """The answer, without what turns out to be damaged: asked again, that is left out, and `skipped` tells of it."""
    for _ in range(_MOST_DAMAGED):
        try:
            return tool.answer(desk)
        except Damaged as error:
            log.warning("%s. %s", error.problem, error.remedy)
    return tool.answer(desk)


def _without_names(tool: Tool, desk: Desk) -> Tool:
    """The same question with what its sources name said in other words, where those were collected.

    To filter the records of a store is quicker than to make a corpus of some of them, which is left for questions
    that cannot be said so.
    """
    from logpith.tools import FilteredTool  # noqa: PLC0415 - what answers need is loaded by the first question

    named = desk.collected(tool.sources) if tool.sources else None
    if named is None or getattr(tool, "baseline", None):
        return tool
    if named.groups and not named.sources and getattr(tool, "services", None) == ():
        return replace(tool, sources=(), services=named.groups)  # type: ignore[call-arg]  # of those that have it
    if named.groups or not isinstance(tool, FilteredTool):
        return tool
    from logpith.corpus.select import check_query  # noqa: PLC0415 - as above
    from logpith.query import Comparison, any_of  # noqa: PLC0415 - as above

    check_query(tool.query)  # what is wrong in it is told of what was written
    only = any_of(Comparison("source", "=", name) for name in named.sources)
    return replace(tool, sources=(), query=f"({tool.query}) AND ({only})" if tool.query else str(only))
