"""The six calls of a usual session, by an agent that knows only the founding document's names of arguments."""

import pytest

from logpith.answer import tokens
from logpith.app import ask
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.demo import Day, write_day
from logpith.timerange import parse_time
from logpith.tools import tools

MOST_TOKENS = 6_000
MANUAL_SHARE = 0.2


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def day(tmp_path):
    """One file with all that a day's services wrote, and what is true of it."""
    folder = tmp_path / "day"
    truth = write_day(Day(lines=20_000, end_ns=parse_time("2026-11-20T22:00:00Z", now_ns=0)), folder)
    path = tmp_path / "app.log"
    path.write_bytes(b"".join(part.read_bytes() for part in sorted(folder.glob("*.log"))))
    return path, truth


def test_six_calls_lead_from_a_file_to_the_lines_that_tell_the_cause(day):
    path, truth = day
    desk = Desk()
    answers = []

    def call(name, **arguments):
        answers.append(ask(build(tools()[name], {"file": str(path), **arguments}), desk))
        return answers[-1]

    overview = call("log_overview")
    clusters = call("log_cluster", max_clusters=8, threshold=0.4, filter="level>=warn")
    cause = next(item["id"] for item in overview.items if truth.cause in item["template"])
    timeline = call("log_timeline", cluster_id=cause)
    parts = call("log_cluster_drill", cluster_id=cause)
    matches = call("log_grep", pattern=truth.cause, max_examples=5)
    lines = call("log_fetch", filter=truth.cause, offset=0, limit=50)

    planted = truth.planted[0].count
    assert overview.coverage.lines == truth.lines
    bad = ask(
        build(tools()["log_grep"], {"file": str(path), "pattern": "level>=warn", "as_query": True}), desk
    )
    assert sum(item["count"] for item in clusters.items) == bad.items[0]["matches"]
    assert sum(bucket["count"] for bucket in timeline.items if "start" in bucket) == planted
    assert sum(part["count"] for part in parts.items if part.get("kind") == "parts") == planted
    assert str(planted) in matches.summary.replace(",", "")
    assert len(matches.evidence) == 5
    assert all(truth.cause in item["text"] for item in lines.items)
    assert f"{min(planted, 50)} of {planted}" in lines.summary
    assert sum(map(tokens, answers)) <= MOST_TOKENS


def test_a_session_costs_a_fraction_of_reading_the_lines_that_it_is_about(day):
    path, truth = day
    warnings = [line for line in path.read_text().splitlines() if "WARN" in line or '"warn' in line]

    told = ask(build(tools()["log_overview"], {"file": str(path)}), Desk())

    assert truth.cause in told.items[0]["template"]
    assert tokens(told) <= MANUAL_SHARE * len("\n".join(warnings).encode()) / 4


def test_pages_join_to_what_grep_counts(day):
    path, truth = day
    desk = Desk()
    seen = []
    offset = 0
    while True:
        page = ask(
            build(
                tools()["log_fetch"],
                {"file": str(path), "filter": truth.cause, "offset": offset, "limit": 20, "budget": 20_000},
            ),
            desk,
        )
        seen += [item["line"] for item in page.items]
        if page.cursor is None:
            break
        offset = int(page.cursor.removeprefix("offset="))

    raw = path.read_text().splitlines()
    assert seen == [number for number, line in enumerate(raw, 1) if truth.cause in line]
