"""The story we must win: calls fall silent, and one answer names the cause, with the line as proof."""

import re

import pytest

from logpith.answer import to_compact_json, to_text, tokens
from logpith.app import ask
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.demo import Day, write_day
from logpith.timerange import parse_time
from logpith.tools import tools

END_NS = parse_time("2026-11-20T22:00:00Z", now_ns=0)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module", params=[(20_000, 7), (20_000, 1), (5_000, 3), (60_000, 11)], ids=str)
def day(request, tmp_path_factory):
    lines, seed = request.param
    folder = tmp_path_factory.mktemp("day")
    return folder, write_day(Day(lines=lines, seed=seed, end_ns=END_NS), folder)


def answer(folder, name, **arguments):
    return ask(build(tools()[name], {"sources": [str(folder / "*.log")], **arguments}), Desk())


def test_overview_alone_names_the_cause_in_300_tokens(day):
    folder, truth = day

    told = answer(folder, "log_overview", budget=300)

    assert tokens(told) <= 300
    assert truth.cause in str(told.items[0]["template"])
    assert truth.cause in told.evidence[0].text
    assert told.evidence[0].source.endswith(truth.planted[0].file)
    assert int(re.match(r"e(\d+)@", told.evidence[0].ref)[1]) == truth.planted[0].first_line
    assert str(truth.planted[0].count) == str(told.items[0]["count"])


def test_three_calls_cost_a_fifth_of_reading_the_lines_by_hand(day):
    """The story's reader took 200 lines; the calls that tell more take a fifth of their tokens at most."""
    folder, truth = day
    lines = (folder / truth.planted[0].file).read_text().splitlines()
    first = truth.planted[0].first_line
    by_hand = sum(len(line.encode()) for line in lines[max(0, first - 100) : first + 100]) / 4

    told = answer(folder, "log_overview", budget=300)

    assert tokens(told) <= by_hand / 5


def test_what_grep_counts_is_what_was_planted(day):
    folder, truth = day

    told = answer(folder, "log_grep", pattern=truth.cause)

    assert told.items[0]["matches"] == truth.planted[0].count
    assert told.found


def test_fetch_opens_exactly_the_line(day):
    folder, truth = day
    ref = answer(folder, "log_overview", budget=300).evidence[0].ref

    told = answer(folder, "log_fetch", refs=[ref], before=1, after=1)

    assert [item["line"] for item in told.items][1] == truth.planted[0].first_line


def test_clusters_and_other_add_up_to_all_records(day):
    folder, truth = day

    told = answer(folder, "log_cluster", budget=20_000)

    assert sum(int(item["count"]) for item in told.items) == truth.records
    assert told.coverage.lines == truth.lines


def test_coverage_tells_what_was_written(day):
    folder, truth = day

    told = answer(folder, "log_overview", budget=5000)

    assert (told.coverage.lines, told.coverage.records) == (truth.lines, truth.records)
    assert told.coverage.sources == len(truth.files)
    for item in told.items:
        if item.get("kind") == "source":
            file = truth.files[str(item["name"]).rpartition("/")[2]]
            assert item["lines"] == file.lines
            assert item["format"] == file.format


def test_no_answer_shows_a_secret_or_a_raw_escape(day):
    folder, truth = day

    shown = []
    for secret in truth.secrets:
        shown.append(answer(folder, "log_grep", pattern=secret, budget=5000))
    for text in truth.hostile:
        shown.append(answer(folder, "log_grep", pattern=text, budget=5000))

    assert all(told.found for told in shown)
    for told in shown:
        written = to_text(told) + to_compact_json(told)
        assert not any(secret in written for secret in truth.secrets)
        assert "\x1b" not in written
    assert all(told.coverage.redacted for told in shown[: len(truth.secrets)])
    assert any(told.coverage.flagged for told in shown[len(truth.secrets) :])


def test_the_same_question_has_the_same_answer(day):
    folder, _ = day

    first, second = (to_text(answer(folder, "log_cluster")) for _ in range(2))

    assert first == second
