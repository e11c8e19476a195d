"""The demo day: the same bytes for the same arguments, and a truth that tells what is in the files."""

import json
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logpith.corpus.desk import Desk
from logpith.demo import Day, write_day
from logpith.demo.kinds import SERVICES
from logpith.demo.styles import FORMATS
from logpith.timerange import format_ns, parse_time
from logpith_emit.errors import BadArgument

END_NS = parse_time("2026-11-20T22:00:00Z", now_ns=0)
HEADS = {
    "persona-manager": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) ",
    "voice-pipeline": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) ",
    "db-proxy": r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(info|notice|warn|error)\] ",
    "web": r"\S+ - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] \"GET ",
    "postgres": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \[\d+\] (LOG|ERROR):  ",
    "sshd": r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d voice-1 sshd\[\d+\]: ",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    return folder, write_day(Day(lines=6000, seed=7, end_ns=END_NS), folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_arguments_give_the_same_bytes_and_another_seed_others(tmp_path, written):
    folder, _ = written
    write_day(Day(lines=6000, seed=7, end_ns=END_NS), tmp_path / "again")
    write_day(Day(lines=6000, seed=8, end_ns=END_NS), tmp_path / "other")

    assert contents(tmp_path / "again") == contents(folder)
    assert contents(tmp_path / "other")["gateway.log"] != contents(folder)["gateway.log"]


def test_files_look_as_old_as_the_day_so_that_lines_without_a_year_are_of_it(tmp_path):
    write_day(Day(lines=1000, seed=7, end_ns=parse_time("2001-02-03T22:00:00Z", now_ns=0)), tmp_path)

    corpus = Desk().open((str(tmp_path / "sshd.log"),))

    assert {corpus.time_text(record)[:4] for record in range(len(corpus))} == {"2001"}


@settings(max_examples=15)
@given(lines=st.integers(1000, 4000), seed=st.integers(0, 10**6), shift_h=st.integers(0, 23))
def test_a_day_has_exactly_as_many_lines_as_asked_for(tmp_path_factory, lines, seed, shift_h):
    folder = tmp_path_factory.mktemp("any")

    truth = write_day(Day(lines=lines, seed=seed, end_ns=END_NS + shift_h * 3600 * 10**9), folder)

    assert truth.lines == lines
    assert sum(data.count(b"\n") for data in contents(folder).values()) == lines


def test_the_truth_is_written_where_it_is_asked_for_and_not_among_the_logs(written, tmp_path):
    folder, truth = written

    truth.write(tmp_path / "truth.json")
    told = json.loads((tmp_path / "truth.json").read_text())

    assert set(contents(folder)) == set(truth.files)

    assert told["lines"] == truth.lines
    assert told["planted"][0]["lines"] == list(truth.planted[0].lines)
    assert set(told["files"]) == {f"{service}.log" for service in SERVICES}


def test_the_truth_counts_what_the_files_hold(written):
    folder, truth = written

    for name, file in truth.files.items():
        lines = (folder / name).read_text().splitlines()
        assert file.lines == len(lines)
        assert file.records == sum(file.severities.values()) == sum(file.templates.values())
        service = name.removesuffix(".log")
        assert file.format == FORMATS[service]
        if service in HEADS:
            assert file.records == sum(bool(re.match(HEADS[service], line)) for line in lines)
        else:
            levels = Counter(json.loads(line)["level"] for line in lines)
            assert sum(levels.values()) == file.records


def test_planted_lines_stand_where_the_truth_says_and_nowhere_else(written):
    folder, truth = written
    planted = truth.planted[0]

    lines = (folder / planted.file).read_text().splitlines()

    assert [i for i, line in enumerate(lines, 1) if truth.cause in line] == list(planted.lines)
    assert (planted.count, planted.first_line, planted.last_line) == (
        len(planted.lines),
        planted.lines[0],
        planted.lines[-1],
    )
    assert planted.count < truth.lines / 100
    pattern = ".*".join(map(re.escape, planted.template.split("<*>")))
    assert all(re.search(pattern, lines[number - 1]) for number in planted.lines)
    others = [name for name in truth.files if name != planted.file]
    assert not any(truth.cause in (folder / name).read_text() for name in others)


def test_nothing_is_planted_before_the_story_begins(written):
    folder, truth = written

    lines = (folder / truth.planted[0].file).read_text().splitlines()

    assert truth.since == "2026-11-20T13:45:00Z"
    assert lines[truth.planted[0].first_line - 1][:19] >= "2026-11-20 13:45:00"


@pytest.mark.parametrize(
    ("end", "since"),
    [
        ("2026-11-20T22:00:00Z", "2026-11-20T13:45:00Z"),
        ("2026-11-20T15:45:00Z", "2026-11-20T13:45:00Z"),
        ("2026-11-20T15:44:59Z", "2026-11-19T13:45:00Z"),
        ("2026-11-20T03:00:00Z", "2026-11-19T13:45:00Z"),
    ],
)
def test_the_story_is_the_last_afternoon_that_is_two_hours_old(end, since):
    day = Day(end_ns=parse_time(end, now_ns=0))

    assert format_ns(day.since_ns) == since
    assert day.start_ns <= day.since_ns


def test_times_are_in_order_and_inside_the_day(written):
    folder, truth = written

    stamps = [json.loads(line)["time"] for line in (folder / "gateway.log").read_text().splitlines()]
    plain = [
        line[:23] for line in (folder / "voice-pipeline.log").read_text().splitlines() if line[:2] == "20"
    ]

    assert stamps == sorted(stamps)
    assert plain == sorted(plain)
    assert plain[0] >= "2026-11-19 22:00:00"
    assert plain[-1] <= "2026-11-20 22:00:00"
    assert {file.start[:10] for file in truth.files.values()} == {"2026-11-19"}


def test_a_call_is_told_by_several_services_under_one_id(written):
    folder, _ = written

    first = json.loads((folder / "call-orchestrator.log").read_text().splitlines()[0])["call_id"]

    services = [service for service in SERVICES if first in (folder / f"{service}.log").read_text()]
    assert {"gateway", "call-orchestrator", "voice-pipeline"} <= set(services)


def test_secrets_and_hostile_texts_are_in_the_files(written):
    folder, truth = written
    everything = "".join((folder / name).read_text() for name in truth.files)

    for text in (*truth.secrets, *truth.hostile):
        assert text in everything


def test_on_a_quiet_day_no_cause_is_planted(tmp_path):
    truth = write_day(Day(lines=3000, end_ns=END_NS, incident="none"), tmp_path)

    assert (truth.cause, truth.since, truth.planted) == ("", "", ())
    assert "quota" not in "".join((tmp_path / name).read_text() for name in truth.files)


def test_too_few_lines_an_unknown_incident_and_a_foreign_folder_are_refused(tmp_path):
    with pytest.raises(BadArgument, match="1000"):
        write_day(Day(lines=10, end_ns=END_NS), tmp_path)
    with pytest.raises(BadArgument, match="Did you mean 'quota'"):
        write_day(Day(end_ns=END_NS, incident="quotta"), tmp_path)
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(BadArgument, match=r"thesis\.txt"):
        write_day(Day(lines=1000, end_ns=END_NS), tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_progress_is_told(tmp_path):
    told = []

    write_day(Day(lines=40_000, end_ns=END_NS), tmp_path, lambda done, total: told.append((done, total)))

    assert told
    assert all(done <= total == 40_000 for done, total in told)
