from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import pytest

from logpith.answer import Answer, Coverage, tokens
from logpith.app import ask
from logpith.batch import make_batch
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.server.lazy_desk import LazyDesk
from logpith.settings import SearchSettings, Settings, StoreSettings
from logpith.store import open_store
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


class TestSlowQuestions:
    """They are told in our own log, with what they looked at."""

    @pytest.fixture
    def desk(self, tmp_path):
        settings = Settings(
            store=StoreSettings(folder=tmp_path / "data" / "store"), search=SearchSettings(slow_query_ms=0)
        )
        lines = [b"call %d failed for user-%d" % (number, number % 7) for number in range(300)]
        with open_store(settings.store.folder) as store:
            store.add([make_batch(lines, observed_ns=10**18, source="app")], newest_ns=10**18)
        lazy = LazyDesk((str(tmp_path),), settings=settings)
        yield lazy.get()
        lazy.close()

    def ask(self, desk):
        ask(build(tools()["search_logs"], {"query": "user-3"}), desk)

    def test_from_slow_query_ms_on_a_question_is_logged_with_its_plan_and_the_bytes_read(self, desk, caplog):
        self.ask(desk)

        (told,) = [record.getMessage() for record in caplog.records if record.name == "logpith.app"]
        plan = re.fullmatch(
            r"search_logs took \d+ ms: 1 segment, 1 block read, ([\d.]+) kB from the disk",
            told,
        )
        assert plan
        assert float(plan[1]) > 0
        assert "user-3" not in told  # what is asked may be what nobody should find in a log

    def test_what_is_quicker_is_not(self, desk, caplog):
        desk.slow_s = 3600

        self.ask(desk)

        assert not [record for record in caplog.records if record.name == "logpith.app"]
