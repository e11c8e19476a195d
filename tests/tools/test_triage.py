"""triage: what broke in the last minutes is one call, whatever broke."""

import re

import pytest

from logpith.answer import tokens
from logpith.app import ask
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.demo import Day, write_day
from logpith.timerange import NS_PER_MIN, format_ns, parse_time
from logpith.tools import tools
from logpith_emit.errors import BadArgument, NotFound

END_NS = parse_time("2026-11-20T22:00:00Z", now_ns=0)


def triage(folder, desk=None, **arguments):
    return ask(build(tools()["triage"], {"sources": [str(folder / "*.log")], **arguments}), desk or Desk())


def around_the_onset(truth):
    """The half hour in which it begins, whatever happens on that day."""
    begin = parse_time(truth.since, now_ns=0)
    return {"since": format_ns(begin - 5 * NS_PER_MIN), "until": format_ns(begin + 30 * NS_PER_MIN)}


@pytest.fixture(scope="module", params=["quota", "clock", "dns", "disk", "deadlock", "pool", "cert"])
def day(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return folder, write_day(Day(lines=40_000, end_ns=END_NS, incident=request.param), folder)


def test_what_has_just_begun_is_among_the_first_and_fits_300_tokens(day):
    folder, truth = day

    told = triage(folder, **around_the_onset(truth))

    assert tokens(told) <= 300
    assert told.found
    assert "new" in told.summary
    assert "First to fail: " in told.summary
    assert told.items[0]["what"] == "new"


def test_the_cause_is_named(day):
    folder, truth = day

    told = triage(folder, **around_the_onset(truth), budget=2000)

    assert any(truth.cause in item["text"] for item in told.items)


@pytest.fixture(scope="module")
def quota_day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quota_day")
    return folder, write_day(Day(lines=20_000, end_ns=END_NS), folder)


def test_the_last_ten_minutes_are_the_default_and_a_used_up_quota_is_told_until_it_is_filled(quota_day):
    folder, truth = quota_day

    told = triage(folder)

    assert tokens(told) <= 300
    assert truth.cause in told.items[0]["text"]
    assert told.items[0]["left"] == "0 of 5,000,000 left"


@pytest.mark.parametrize(("later", "told"), [("900 of 1000", False), ("0 of 1000", True)])
def test_a_quota_that_was_filled_again_is_not_told(answer, later, told):
    lines = [f"2026-11-20 {10 + i // 60}:{i % 60:02d}:00 INFO tts: spoken {i} words" for i in range(180)]
    lines[60] = "2026-11-20 11:00:00 WARN tts: request failed: quota_exceeded"
    lines[90] = f"2026-11-20 11:30:00 INFO tts: credits: {later} left"

    found = answer("triage", "\n".join(lines) + "\n")

    assert [item["what"] for item in found.items] == ["quota"] * told


def test_the_first_to_fail_is_named(quota_day):
    folder, truth = quota_day

    told = triage(folder, since="9h")

    assert re.search(r"First to fail: voice-pipeline, at 2026-11-20T13:4", told.summary)
    assert truth.cause in told.items[0]["text"]


def test_services_can_be_chosen(quota_day):
    folder, _ = quota_day

    told = triage(folder, since="9h", services=["gateway"], budget=2000)

    assert {item["service"] for item in told.items} == {"gateway"}
    with pytest.raises(NotFound, match="no service named"):
        triage(folder, services=["nobody"])


def test_a_service_that_has_fallen_silent_is_told(tmp_path):
    for name, minutes in (("talker", 120), ("steady", 120), ("quiet", 100)):
        (tmp_path / f"{name}.log").write_text(
            "".join(
                f"2026-11-20 {10 + i // 60}:{i % 60:02d}:{second:02d} INFO {name}: tick {i}\n"
                for i in range(minutes)
                for second in (0, 20, 40)
            )
        )

    told = triage(tmp_path, since="20m")

    assert [(item["what"], item["service"]) for item in told.items] == [("silent", "quiet")]
    assert told.items[0]["since"] == "2026-11-20T11:39:40Z"


def test_nothing_is_told_where_nothing_broke(answer):
    text = "".join(f"2026-11-20 10:{i // 60:02d}:{i % 60:02d} INFO a: tick {i}\n" for i in range(1800))

    told = answer("triage", text)

    assert told.summary == "601 lines since 2026-11-20T10:19:59Z: nothing broke."
    assert not told.found


def test_nothing_is_new_where_there_is_nothing_before(answer):
    text = "".join(f"2026-11-20 10:00:{i:02d} ERROR a: cannot reach b{i}\n" for i in range(30))

    told = answer("triage", text)

    assert [item["what"] for item in told.items] == ["still"]


def test_an_empty_file_is_told(answer):
    assert answer("triage", "").summary == "There are no lines here."


def test_a_wrong_time_is_refused_with_the_forms():
    with pytest.raises(BadArgument, match="not a time"):
        ask(build(tools()["triage"], {"sources": ["/no/such/file"], "since": "soon"}), Desk())


def test_what_tells_no_time_is_not_said_to_be_fine(tmp_path):
    (tmp_path / "odd.log").write_text("FATAL boom\nERROR it failed\nhello\n")

    answer = triage(tmp_path)

    assert "3 records say no time, so what is new of that is not known" in answer.summary
    assert any("log_overview" in call for call in answer.next)


def test_what_broke_and_is_not_shown_is_counted(answer):
    words = [
        "disk",
        "socket",
        "lease",
        "volume",
        "cache",
        "index",
        "mirror",
        "ledger",
        "parcel",
        "beacon",
        "turbine",
        "valve",
        "anchor",
        "lantern",
    ]
    text = "".join(f"2026-11-20 10:{i // 60:02d}:{i % 60:02d} INFO a: tick {i}\n" for i in range(1800))
    text += "".join(f"2026-11-20 10:35:{i:02d} ERROR a: {word} broke\n" for i, word in enumerate(words))

    told = answer("triage", text, budget=20_000)

    assert len(told.items) == 12
    assert (told.omitted.items, told.omitted.reason) == (2, "limit")
