"""system_overview: what is wrong at the moment is on one small page, what is new first."""

import pytest

from logpith.answer import TOKEN_BYTES, tokens
from logpith.app import ask
from logpith.cli import main
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.corpus.states import SourceState
from logpith.demo import Day, write_day
from logpith.timerange import NS_PER_S, parse_time
from logpith.tools import tools

END_NS = parse_time("2026-11-20T22:00:00Z", now_ns=0)


class _CollectingDesk(Desk):
    """A desk whose records come from two sources, one of which cannot be read."""

    def now_ns(self):
        return END_NS

    def states(self):
        return (
            SourceState(name="gateway", type="file", success_ns=END_NS - 30 * NS_PER_S),
            SourceState(name="voice-1", type="ssh", problem="voice-1 does not answer. See to it", failures=3),
        )


def status(folder, desk=None, **arguments):
    return ask(build(tools()["system_overview"], {"sources": [str(folder)], **arguments}), desk or Desk())


def rows(told, kind):
    return [
        {name: value for name, value in item.items() if name != "kind"}
        for item in told.items
        if item["kind"] == kind
    ]


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    return folder, write_day(Day(lines=20_000, end_ns=END_NS), folder)


def test_a_day_with_trouble_and_sources_fits_300_tokens(day):
    folder, _ = day

    told = status(folder, _CollectingDesk(), since="9h")

    assert tokens(told) <= 300
    assert {item["kind"] for item in told.items} == {"broken", "errors", "sources"}


def test_what_broke_and_is_not_shown_is_counted(day):
    folder, _ = day

    told = status(folder, since="9h", budget=2000)

    assert f"{len(rows(told, 'broken')) + told.omitted.items} things broke" in told.summary
    assert (len(rows(told, "broken")), told.omitted.reason) == (3, "limit")


def test_the_command_shows_how_many_errors_the_worst_of_them_and_quotas_in_under_300_tokens(day, capsys):
    folder, _ = day
    search = {"sources": [str(folder)], "level": "error", "since": "9h", "limit": 1}
    by_service = ask(build(tools()["search_logs"], search), Desk()).items[0]["services"]

    assert main(["status", str(folder), "--since", "9h"]) == 0

    shown = capsys.readouterr().out
    assert len(shown.encode()) / TOKEN_BYTES < 300
    assert f"{sum(by_service.values())} errors of {len(by_service)} services" in shown
    assert all(f"{service}={count}" in shown for service, count in by_service.items())
    assert "tts request failed: provider=speech-main" in shown
    assert "upstream timed out after" in shown
    assert "0 of 5,000,000 left" in shown


def test_an_allowance_that_is_used_up_says_what_is_left(day):
    folder, _ = day

    told = status(folder, since="9h")

    (row,) = [row for row in rows(told, "broken") if "left" in row]
    assert (row["service"], row["left"]) == ("voice-pipeline", "0 of 5,000,000 left")


class _LosingDesk(_CollectingDesk):
    def states(self):
        return (
            SourceState(name="web", type="command", success_ns=END_NS, lost={"gap": 2}),
            SourceState(name="old", type="file", success_ns=END_NS, old=9762),
        )


def test_what_sources_lose_is_told_although_they_can_be_read(log):
    told = status(log(), _LosingDesk())

    assert [row["sources"] for row in rows(told, "losses")] == [["web: 2 gap"], ["old: 9,762 records"]]
    assert rows(told, "sources") == [{"ok": ["web", "old"]}]


@pytest.fixture
def log(tmp_path):
    """log(lines in the last ten minutes): the path of a log of a calm day with these at its end."""

    def write(*news):
        calm = [f"2026-11-20 {20 + i // 60:02}:{i % 60:02}:00 INFO api: call {i} answered" for i in range(90)]
        calm += [f"2026-11-20 20:{i:02}:30 WARN api: queue is long: {i}" for i in range(0, 60, 2)]
        path = tmp_path / "api.log"
        path.write_text("\n".join([*sorted(calm), *news]) + "\n")
        return path

    return write


def test_an_error_that_is_new_in_the_last_ten_minutes_comes_first(log):
    noise = [f"2026-11-20 21:58:{i:02} WARN api: queue is long: {i}" for i in range(20)]
    path = log(*noise, "2026-11-20 21:59:00 ERROR api: schema version 7 is unknown")

    told = status(path)

    assert told.items[0]["what"] == "new"
    assert "schema version 7 is unknown" in told.items[0]["text"]


def test_errors_are_counted_by_service_and_only_those_of_the_period(log):
    path = log(*(f"2026-11-20 21:59:0{i} ERROR {name}: no" for i, name in enumerate(("api", "db", "api"))))

    told = status(path)

    assert "3 errors of 2 services" in told.summary
    assert rows(told, "errors") == [{"services": {"api": 2, "db": 1}}]


def test_sources_that_cannot_be_read_are_told_first_and_counted(log):
    told = status(log(), _CollectingDesk())

    assert told.summary.endswith("2 sources, 1 of them failing.")
    assert rows(told, "sources") == [{"failing": ["voice-1"], "ok": ["gateway"]}]


def test_on_a_calm_day_nothing_is_said_to_be_wrong(log):
    told = status(log(), since="5m")

    assert told.items == ()
    assert " 0 errors." in told.summary


def test_times_are_given_as_elsewhere_and_its_older_name_works(log):
    path = log("2026-11-20 21:59:00 ERROR api: late")
    last_minute = build(tools()["system_overview"], {"sources": [str(path)], "time_range": "30s"})

    assert "1 error of 1 service" in ask(last_minute, Desk()).summary
