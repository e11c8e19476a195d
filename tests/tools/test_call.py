"""get_call_logs: one call from end to end, whoever tells of it and however it is spelled."""

import re

import pytest

from logpith.app import ask
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.demo import Day, write_day
from logpith.timerange import parse_time
from logpith.tools import tools
from logpith_emit.errors import BadArgument

END_NS = parse_time("2026-11-20T22:00:00Z", now_ns=0)
CALL = "CA1678fb0732dac8edd1ea929e292743f2"

STORY = f"""\
{{"ts":"2026-11-20T10:00:00Z","service":"api","msg":"order placed","requestId":"req-8f31aa02bc","CallSid":"{CALL}"}}
{{"ts":"2026-11-20T10:00:01Z","service":"api","msg":"job queued","request_id":"req-8f31aa02bc","job_id":8841}}
{{"ts":"2026-11-20T10:00:03Z","service":"worker","msg":"job started","jobId":8841}}
2026-11-20T10:00:04Z INFO other: port 8841 opened
{{"level":"error","service":"worker","msg":"render failed","jobId":8841}}
{{"ts":"2026-11-20T10:09:00Z","service":"worker","msg":"retry","jobId":8841}}
"""


def timeline(told):
    return [item for item in told.items if item["kind"] == "timeline"]


def call(told):
    return next(item for item in told.items if item["kind"] == "call")


def follow(folder, call_id, **arguments):
    return ask(
        build(
            tools()["get_call_logs"], {"sources": [str(folder / "*.log")], "call_id": call_id, **arguments}
        ),
        Desk(),
    )


@pytest.fixture(scope="module", params=["quota", "clock"])
def day(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, write_day(Day(lines=20_000, end_ns=END_NS, incident=request.param), folder)


def last_call(folder, word):
    line = [line for line in (folder / "voice-pipeline.log").read_text().splitlines() if word in line][-1]
    return re.search(r"CA[0-9a-f]{32}", line)[0]


def test_a_call_is_told_from_end_to_end_through_all_services(day):
    incident, folder, _ = day
    call_id = last_call(folder, "call=CA")
    raw = [line for path in folder.glob("*.log") for line in path.read_text().splitlines() if call_id in line]

    told = follow(folder, call_id, budget=20_000)

    assert call(told)["total_logs"] == len(raw)
    assert sum(call(told)["services"].values()) == len(raw)
    assert sum(row.get("alike", 1) for row in timeline(told)) == len(raw)
    assert len(call(told)["services"]) >= 3
    times = [float(row["t"].removeprefix("+").removesuffix(" s")) for row in timeline(told)]
    assert times == sorted(times)
    assert ("clock" in call(told)) == (incident == "clock")


def test_the_first_failure_is_marked_and_proven(tmp_path):
    folder = tmp_path
    write_day(Day(lines=20_000, end_ns=END_NS), folder)
    call_id = last_call(folder, "quota_exceeded")

    told = follow(folder, call_id)

    marked = [row for row in timeline(told) if "first failure" in row.get("mark", "")]
    assert len(marked) == 1
    assert "quota_exceeded" in marked[0]["text"]
    assert told.evidence[0].ref == marked[0]["ref"]
    assert "first failure" in told.summary


def test_the_failure_is_proven_even_where_the_budget_cuts_its_row(tmp_path):
    write_day(Day(lines=20_000, end_ns=END_NS), tmp_path)

    told = follow(tmp_path, last_call(tmp_path, "quota_exceeded"), budget=350)

    assert told.omitted.items
    assert "quota_exceeded" in told.evidence[0].text


@pytest.mark.parametrize("incident", ["clock"])
def test_a_clock_that_is_wrong_is_told_and_not_corrected(incident, tmp_path):
    write_day(Day(lines=20_000, end_ns=END_NS, incident=incident), tmp_path)

    told = follow(tmp_path, last_call(tmp_path, "stream closed"))

    (clock,) = call(told)["clock"]
    ahead = float(re.match(r"voice-pipeline seems more than ([\d.]+) s ahead", clock)[1])
    assert 300 < ahead <= 412
    assert "times are shown as they were written" in told.summary


@pytest.mark.parametrize(("hops", "lines"), [(1, 1), (2, 2), (3, 4)])
def test_a_hop_follows_the_ids_on_the_lines_before_and_says_through_which(answer, hops, lines):
    told = answer("get_call_logs", STORY, call_id=CALL, hops=hops)

    assert call(told)["total_logs"] == lines
    assert [row.get("via", "") for row in timeline(told)] == [
        "",
        "requestId=req-8f31aa02bc",
        "job_id=8841",
        "job_id=8841",
    ][:lines]


def test_a_number_is_found_under_its_key_only(answer):
    told = answer("get_call_logs", STORY, call_id="jobId=8841")

    assert call(told)["total_logs"] == 4
    assert not any("port" in row["text"] for row in timeline(told))


def test_a_line_without_a_time_stands_behind_the_one_before_it(answer):
    told = answer("get_call_logs", STORY, call_id="job_id=8841")

    rows = timeline(told)
    assert rows[2]["mark"] == "first failure; time inferred"
    assert "1 without a time" in told.summary


def test_what_is_far_away_in_time_is_not_linked(answer):
    near = answer("get_call_logs", STORY, call_id=CALL, hops=3)
    far = answer("get_call_logs", STORY, call_id=CALL, hops=3, around="10m")

    assert call(near)["total_logs"] == 4
    assert call(far)["total_logs"] == 5
    assert "after the line before" in timeline(far)[-1]["mark"]


def test_an_id_on_too_many_lines_is_not_followed(answer):
    shared = "".join(
        f'{{"ts":"2026-11-20T10:00:{i % 60:02d}Z","service":"a","msg":"tick {i}","session_id":"sess-0f1e2d3c4b5a"}}\n'
        for i in range(300)
    )
    session = '"session_id":"sess-0f1e2d3c4b5a"'
    asked = f'{{"ts":"2026-11-20T10:00:01Z","service":"b","msg":"x","call_id":"{CALL}",{session}}}\n'

    told = answer("get_call_logs", shared + asked, call_id=CALL, hops=2)

    assert call(told)["total_logs"] == 1
    assert call(told)["not_followed"] == ["session_id=sess-0f1e2d3c4b5a is on 301 lines"]


@pytest.mark.parametrize(
    "spelled", [CALL.lower(), f"callId={CALL}", f'call_sid: "{CALL}"', CALL[:10], f"{CALL[:8]}…"]
)
def test_any_spelling_and_the_beginning_of_an_id_are_enough(answer, spelled):
    told = answer("get_call_logs", STORY, call_id=spelled)

    assert call(told)["total_logs"] == 1


def test_a_beginning_of_several_ids_is_refused_with_all_of_them(answer):
    other = CALL[:10] + "0" * 20 + "1a2b"
    text = STORY + f"2026-11-20T10:00:04Z INFO other: call {other} rings\n"

    with pytest.raises(BadArgument, match="several ids begin so") as told:
        answer("get_call_logs", text, call_id=CALL[:8])

    assert CALL in told.value.remedy
    assert other in told.value.remedy


@pytest.mark.parametrize("wrong", [{"call_id": "x"}, {"call_id": CALL, "around": "soon"}])
def test_what_cannot_be_read_is_refused(answer, wrong):
    with pytest.raises(BadArgument):
        answer("get_call_logs", STORY, **wrong)


def test_an_id_that_nobody_knows_finds_nothing(answer):
    told = answer("get_call_logs", STORY, call_id="CAffffffffffffffffffffffffffffffff")

    assert not told.found
    assert told.summary == "No line of 6 holds this id."


def test_pages_of_a_timeline_join(answer):
    rows = []
    offset = 0
    for _ in range(20):
        told = answer("get_call_logs", STORY, call_id=CALL, hops=3, around="10m", offset=offset, budget=150)
        rows += timeline(told)
        if told.cursor is None:
            break
        offset = int(told.cursor.removeprefix("offset="))

    assert len(rows) == 5
    assert [row["ref"] for row in rows] == [
        row["ref"]
        for row in timeline(answer("get_call_logs", STORY, call_id=CALL, hops=3, around="10m", budget=20_000))
    ]


def test_of_more_lines_than_were_wanted_the_first_are_told(answer):
    later_first = "".join(f"2026-11-20T10:00:{30 - i:02d}Z INFO step {i} of {CALL}\n" for i in range(30))

    told = answer("get_call_logs", later_first, call_id=CALL, limit=3, budget=20_000)

    assert call(told)["total_logs"] == 30
    assert call(told)["from"].startswith("2026-11-20T10:00:01")
    assert sum(row.get("alike", 1) for row in timeline(told)) == 3
    assert "Only the first 3 are told." in told.summary


def test_more_lines_than_there_may_be_are_no_mistake(answer):
    told = answer("get_call_logs", STORY, call_id=CALL, limit=10**9)

    assert told.coverage.lowered == ("limit to 5,000",)
    assert call(told)["total_logs"] == 1
