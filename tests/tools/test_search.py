"""search_logs: all that was said about something, folded, counted, in pages that stay."""

import re

import pytest

from logpith.answer import to_json, to_text, tokens
from logpith.app import ask
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.demo import Day, write_day
from logpith.server.mcp import definition
from logpith.timerange import parse_time
from logpith.tools import tools
from logpith_emit.errors import BadArgument, BadQuery, NotFound

END_NS = parse_time("2026-11-20T22:00:00Z", now_ns=0)

TEXT = (
    "".join(f"2026-11-20 13:00:{i:02d} INFO gateway: request {i} done in {i * 3} ms\n" for i in range(60))
    + "".join(
        f"2026-11-20 13:01:{i:02d} ERROR voice: quota_exceeded for u{i}: 2 credits left\n" for i in range(5)
    )
    + "2026-11-20 13:02:00 WARN db: pool nearly empty\n"
)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    return folder, write_day(Day(lines=20_000, end_ns=END_NS), folder)


def search(folder, desk=None, **arguments):
    return ask(
        build(tools()["search_logs"], {"sources": [str(folder / "*.log")], **arguments}), desk or Desk()
    )


def hits(told):
    return [item for item in told.items if item.get("kind") != "counts"]


def test_alike_lines_are_one_hit_with_their_count_and_newest_line(answer):
    told = answer("search_logs", TEXT, query="request OR pool")

    assert told.summary == "61 matches in 2 hits, newest first."
    assert [(hit["count"], hit["severity"]) for hit in hits(told)] == [(1, "warn"), (60, "info")]
    assert hits(told)[1]["last"] == "2026-11-20T13:00:59Z"
    assert "request 59 done" in hits(told)[1]["text"]


def test_counts_by_service_and_by_severity_add_up_to_all_matches(day):
    folder, truth = day

    told = search(folder, query="*")

    counts = told.items[0]
    assert sum(counts["services"].values()) == sum(counts["severities"].values()) == truth.records


def test_the_error_is_found_with_what_is_left(answer):
    told = answer("search_logs", TEXT, query="quota_exceeded")

    assert hits(told)[0]["count"] == 5
    assert hits(told)[0]["left"] == "2 left"


def test_a_level_means_that_and_worse(answer):
    told = answer("search_logs", TEXT, level="warn")

    assert {hit["severity"] for hit in hits(told)} == {"warn", "error"}


def test_spans_are_where_the_words_stand(answer):
    told = answer("search_logs", TEXT, query="QUOTA_exceeded OR /u[0-9]/", highlight=True)

    hit = hits(told)[0]
    assert [hit["text"][start:end] for start, end in hit["highlights"]] == ["quota_exceeded", "u4"]


def test_no_spans_are_told_unless_somebody_asks(answer):
    assert "highlights" not in hits(answer("search_logs", TEXT, query="quota_exceeded"))[0]


def test_a_long_line_is_shown_where_the_word_stands(answer):
    text = f"2026-11-20 13:00:00 INFO a: {'x ' * 300}needle {'y ' * 300}\n"

    told = answer("search_logs", text, query="needle", highlight=True)

    hit = hits(told)[0]
    assert "needle" in hit["text"]
    assert len(hit["text"]) < 250
    assert [hit["text"][start:end] for start, end in hit["highlights"]] == ["needle"]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_join_to_all_hits_and_none_comes_twice(day, limit):
    folder, _ = day
    desk = Desk()
    whole = search(folder, desk, query="error OR quota OR failed", budget=20_000)
    cursor, seen = "", []
    while True:
        page = search(
            folder, desk, query="error OR quota OR failed", limit=limit, cursor=cursor, budget=20_000
        )
        seen += [hit["ref"] for hit in hits(page)]
        assert page.summary.partition(",")[0] == whole.summary.partition(",")[0]
        if page.cursor is None:
            break
        cursor = page.cursor

    assert seen == [hit["ref"] for hit in hits(whole)]


def test_what_the_budget_cuts_off_is_on_the_next_page(day):
    folder, _ = day
    first = search(folder, query="error OR quota OR failed")
    second = search(folder, query="error OR quota OR failed", cursor=first.cursor, budget=20_000)

    whole = search(folder, query="error OR quota OR failed", budget=20_000)

    assert first.omitted.items
    assert [hit["ref"] for hit in [*hits(first), *hits(second)]] == [hit["ref"] for hit in hits(whole)]


def test_pages_go_on_in_a_budget_for_one_hit(day):
    folder, _ = day
    desk = Desk()
    whole = search(folder, desk, query="error OR quota OR failed", budget=20_000)
    cursor, seen = "", []
    for _ in range(30):
        page = search(folder, desk, query="error OR quota OR failed", cursor=cursor, budget=170)
        seen += [hit["ref"] for hit in hits(page)]
        cursor = page.cursor
        if cursor is None:
            break

    assert seen == [hit["ref"] for hit in hits(whole)]


def test_what_comes_in_meanwhile_is_not_on_later_pages(tmp_path):
    path = tmp_path / "app.log"
    path.write_text(TEXT)
    first = search(tmp_path, query="request OR pool OR quota*", limit=1)
    with path.open("a") as file:
        file.write("2026-11-20 13:03:00 ERROR late: request refused\n")

    rest = search(tmp_path, query="request OR pool OR quota*", cursor=first.cursor)

    assert [hit["count"] for hit in hits(rest)] == [5, 60]


@pytest.mark.parametrize("cursor", ["x", "offset=3", "cursor=o.o", "cursor=o.o.o.zzzzzzzzzzzz"])
def test_what_is_no_cursor_is_refused(answer, cursor):
    with pytest.raises(BadArgument, match="no cursor of search_logs"):
        answer("search_logs", TEXT, query="quota", cursor=cursor)


def test_a_group_stands_for_its_services(day):
    folder, _ = day
    desk = Desk(groups={"calls": ["gateway", "call_orchestrator"]})

    told = search(folder, desk, query="*", services=["calls"])

    assert set(told.items[0]["services"]) == {"gateway", "call-orchestrator"}


def test_who_is_not_here_is_told_who_is(day):
    folder, _ = day

    with pytest.raises(
        NotFound, match=r"no service named 'gatway'.*Did you mean 'gateway'\?.*voice-pipeline"
    ):
        search(folder, query="*", services=["gatway"])


def test_a_span_is_told_with_what_it_is_counted_back_from(answer):
    told = answer("search_logs", TEXT, query="*", since="1m")

    assert "since 2026-11-20T13:01:00Z (counted back from the last record)" in told.summary


def test_nothing_found_proposes_the_beginning_of_a_word(answer):
    told = answer("search_logs", TEXT, query="quota")

    assert not told.found
    assert told.next[0] == 'search_logs(query="quota*")'


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"query": "level>="}, BadQuery), ({"since": "soon"}, BadArgument), ({"level": "loud"}, BadArgument)],
)
def test_what_cannot_be_read_is_refused_before_a_file_is(arguments, error):
    with pytest.raises(error):
        ask(build(tools()["search_logs"], {"sources": ["/no/such/file"], **arguments}), Desk())


@pytest.mark.parametrize(
    "query", ["*", "quota*", "error OR quota OR failed", "level>=warn", "call", "nowhere"]
)
def test_an_answer_about_the_demo_takes_under_500_tokens(day, query):
    folder, _ = day

    assert tokens(search(folder, query=query)) <= 500


def test_three_hits_take_300_tokens_at_most(day):
    folder, truth = day
    query = f"{truth.cause} OR (upstream AND timed) OR (cache AND refresh)"

    told = search(folder, query=query)

    assert len(hits(told)) == 3
    assert tokens(told) <= 300


def test_a_search_by_meaning_ranks_the_cause_first(day):
    folder, truth = day

    told = search(folder, meaning="ran out of credits")

    assert truth.cause in hits(told)[0]["text"]
    total = int(re.match(r"([\d,]+) match", told.summary)[1].replace(",", ""))
    assert total == sum(told.items[0]["services"].values())


def test_a_meaning_without_words_is_refused(answer):
    with pytest.raises(BadArgument, match="no word"):
        answer("search_logs", TEXT, meaning="…")


def test_the_limits_that_count_when_nobody_says_one_stand_in_the_schema():
    defaults = {
        name: definition(tools()[name]).input_schema["properties"]["limit"]["default"]
        for name in ("search_logs", "get_call_logs")
    }

    assert defaults == {"search_logs": 20, "get_call_logs": 1000}


def test_more_hits_than_there_may_be_are_brought_down_to_the_most_and_the_answer_says_so(answer):
    told = answer("search_logs", TEXT, query="request OR pool", limit=5000)

    assert told.coverage.lowered == ("limit to 200",)
    assert "lowered limit to 200, the most there may be" in to_text(told)
    assert to_json(told)["coverage"]["lowered"] == ["limit to 200"]


def test_as_many_hits_as_there_may_be_are_no_reason_to_warn(answer):
    assert answer("search_logs", TEXT, query="request", limit=200).coverage.lowered == ()


def test_where_a_period_has_nothing_records_without_a_time_are_told(answer):
    told = answer(
        "search_logs", '{"level": "error", "msg": "mine"}\n' * 3, query="mine", since="2026-11-20T13:00"
    )

    assert told.summary.endswith(" 3 records say no time, so no period has them.")
    assert "no time" not in answer("search_logs", TEXT, query="mine").summary
