from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from logpith.answer import Answer, Coverage, tokens
from logpith.app import ask
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.tools import Tool, tools


@dataclass(frozen=True, kw_only=True)
class CountTool(Tool):
    """Count up."""

    name: ClassVar[str] = "log_count"

    def answer(self, desk: Desk) -> Answer:
        items = tuple({"number": number, "text": "x" * 50} for number in range(100))
        return Answer(summary="100 numbers.", items=items, coverage=Coverage(lines=0, records=0, sources=0))

    def cursor_after(self, shown: int) -> str:
        return f"number={shown}"


@pytest.mark.parametrize("budget", [100, 500, 1000])
def test_an_answer_is_cut_to_the_tools_budget_and_says_where_to_go_on(budget):
    answer = ask(CountTool(budget=budget), Desk())

    assert tokens(answer) <= budget
    assert answer.cursor == f"number={len(answer.items)}"
    assert answer.omitted is not None
    assert answer.omitted.items == 100 - len(answer.items)


def test_an_answer_that_fits_has_no_cursor():
    answer = ask(CountTool(budget=20_000), Desk())

    assert len(answer.items) == 100
    assert answer.cursor is None
    assert answer.omitted is None


def test_pages_that_the_budget_cuts_short_add_up_to_every_line(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("".join(f"line number {number} of a small log\n" for number in range(60)))
    desk, seen, offset = Desk(), [], 0

    while True:
        answer = ask(
            build(tools()["log_fetch"], {"sources": [str(path)], "offset": offset, "budget": 300}), desk
        )
        seen += [item["line"] for item in answer.items]
        if answer.cursor is None:
            break
        offset = int(answer.cursor.removeprefix("offset="))

    assert seen == list(range(1, 61))
