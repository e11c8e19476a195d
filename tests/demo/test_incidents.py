"""What every incident owes, ours and those that are held out: few lines of proof, many symptoms, the same day again."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

import logpith
from held_out_incidents import HELD_OUT
from logpith.demo import Day, write_day
from logpith.demo.incidents import find_incident, names
from logpith.timerange import format_ns, parse_time
from logpith_emit.errors import BadArgument

END_NS = parse_time("2026-11-20T22:00:00Z", now_ns=0)
DAY = Day(lines=12_000, seed=7, end_ns=END_NS)
OURS = tuple(find_incident(name) for name in names())
TROUBLES = [incident for incident in (*OURS, *HELD_OUT) if incident.CAUSE]

NEVER_OUTSIDE = (
    *(incident.CAUSE for incident in TROUBLES),
    "SERVFAIL",
    "speech-main",
    "speaking_style",
    "media.voice.internal",
    "tel-north",
    "call-events",
    "pg_stat_tmp",
    "db-1",
)
"""Words of incidents: who finds them must not know them."""


def name_of(incident):
    return incident.__module__.rpartition(".")[2]


@pytest.fixture(scope="module", params=TROUBLES, ids=name_of)
def day(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    return request.param, folder, write_day(DAY, folder, incident=request.param)


@pytest.fixture(scope="module")
def quiet_day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiet")
    return folder, write_day(DAY, folder, incident=find_incident("none"))


def lines_of(folder, name):
    return (folder / name).read_text().splitlines()


ISO = "as ISO 8601 has it"
STAMPS = (
    (re.compile(r'"time":(\d+)'), None),
    (
        re.compile(r"(?:^|\"timestamp\": \")(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,]\d{3})"),
        ISO,
    ),
    (re.compile(r"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)"), ISO),
    (re.compile(r"\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d) \+0000\]"), "%d/%b/%Y:%H:%M:%S"),
)


def stamp(line):
    """The time in a record's first line; None in a line that continues a record."""
    for pattern, layout in STAMPS:
        if found := pattern.search(line):
            if layout is None:
                return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(found[1]))
            if layout == ISO:
                text = found[1].replace(",", ".").replace("/", "-")
                return datetime.fromisoformat(text).replace(tzinfo=UTC)  # much faster than strptime
            return datetime.strptime(found[1], layout).replace(tzinfo=UTC)
    if found := re.match(r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) voice-1 ", line):
        # Only the day's end and the evening before it: the year is known.
        return datetime.strptime(f"2026 {found[1]}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
    return None


def moment(time_ns):
    return datetime.fromtimestamp(time_ns // 10**9, UTC)


def test_each_planted_line_names_the_cause_as_its_template_says(day):
    incident, folder, truth = day

    assert truth.cause == incident.CAUSE
    assert truth.incident == name_of(incident)
    assert {planted.template for planted in truth.planted} == {kind.template for kind in incident.planted}
    for planted in truth.planted:
        lines = lines_of(folder, planted.file)
        pattern = ".*".join(map(re.escape, planted.template.split("<*>")))
        assert planted.count == len(planted.lines) > 0
        assert (planted.first_line, planted.last_line) == (planted.lines[0], planted.lines[-1])
        for number in planted.lines:
            assert truth.cause in lines[number - 1]
            assert re.search(pattern, lines[number - 1])


def test_the_cause_is_named_nowhere_else(day):
    _, folder, truth = day
    told = {(planted.file, number) for planted in truth.planted for number in planted.lines}

    for name in truth.files:
        record = 0
        for number, line in enumerate(lines_of(folder, name), 1):
            if stamp(line) is not None:
                record = number
            if truth.cause.lower() in line.lower():
                assert (name, record) in told, f"{name}:{number}: {line}"


def test_nothing_is_planted_before_the_story_begins(day):
    _, folder, truth = day

    assert truth.since == format_ns(DAY.since_ns)
    for planted in truth.planted:
        first = stamp(lines_of(folder, planted.file)[planted.first_line - 1])
        assert first >= moment(DAY.since_ns)


def test_symptoms_in_other_services_outnumber_the_proof_several_times(day):
    _, _, truth = day
    proof = {planted.file for planted in truth.planted}

    elsewhere = sum(symptom.count for symptom in truth.symptoms if symptom.file not in proof)

    assert elsewhere >= 4 * sum(planted.count for planted in truth.planted)


def test_the_truth_counts_symptoms_as_the_files_hold_them(day):
    incident, folder, truth = day

    assert {symptom.template for symptom in truth.symptoms} == {kind.template for kind in incident.symptoms}
    for symptom in truth.symptoms:
        pattern = re.compile(".*".join(map(re.escape, symptom.template.split("<*>"))))
        found = [
            line
            for line in lines_of(folder, symptom.file)
            if pattern.search(line) and stamp(line) >= moment(DAY.since_ns)
        ]
        assert symptom.count == len(found)


def test_no_line_of_proof_is_a_symptom(day):
    incident, _, _ = day

    assert not set(incident.planted) & set(incident.symptoms)


def test_the_noise_of_the_day_goes_on(day, quiet_day):
    _, folder, _ = day
    _, quiet = quiet_day
    frequent = {
        (name, template)
        for name, file in quiet.files.items()
        for template, count in file.templates.items()
        if count > 20
    }

    assert len(frequent) > 20
    for name, template in frequent:
        pattern = re.compile(".*".join(map(re.escape, template.split("<*>"))))
        after = [
            line
            for line in lines_of(folder, name)
            if pattern.search(line) and stamp(line) and stamp(line) >= moment(DAY.since_ns)
        ]
        assert after, template


def test_lines_are_in_order_of_time_and_inside_the_day(day):
    _, folder, truth = day

    for name in truth.files:
        stamps = [told for line in lines_of(folder, name) if (told := stamp(line)) is not None]
        is_ahead = (truth.incident, name) == ("clock", "voice-pipeline.log")
        assert stamps[-1] <= moment(END_NS) + timedelta(seconds=412 * is_ahead)
        assert moment(DAY.start_ns) <= stamps[0]
        assert all(earlier <= later for earlier, later in pairwise(stamps)), name
        assert truth.files[name].records == len(stamps)


def test_the_day_has_exactly_as_many_lines_as_asked_for(day):
    _, folder, truth = day

    assert truth.lines == DAY.lines == sum(len(lines_of(folder, name)) for name in truth.files)


@pytest.mark.parametrize("incident", [*OURS, *HELD_OUT], ids=name_of)
def test_the_same_seed_gives_the_same_bytes_and_a_small_day_has_its_proof_too(tmp_path, incident):
    small = Day(lines=1000, seed=3, end_ns=END_NS)

    truth = write_day(small, tmp_path / "one", incident=incident)
    again = write_day(small, tmp_path / "two", incident=incident)

    assert truth == again
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert bool(truth.planted) == bool(incident.CAUSE)


def test_a_day_is_the_same_whether_its_incident_is_named_or_given(tmp_path):
    small = Day(lines=1000, end_ns=END_NS, incident="dns")

    named = write_day(small, tmp_path / "named")
    given = write_day(small, tmp_path / "given", incident=find_incident("dns"))

    assert named == given


def test_on_a_quiet_day_no_incident_is_told_of(quiet_day):
    folder, truth = quiet_day

    assert (truth.cause, truth.since, truth.planted, truth.symptoms) == ("", "", (), ())
    everything = "".join((folder / name).read_text() for name in truth.files).lower()
    assert not [incident.CAUSE for incident in TROUBLES if incident.CAUSE.lower() in everything]


def test_the_clock_that_jumps_stamps_one_file_only_and_all_of_it(tmp_path):
    truth = write_day(Day(lines=6000, end_ns=END_NS, incident="clock"), tmp_path)

    steps = {}
    for name in truth.files:
        stamps = [told for line in lines_of(tmp_path, name) if (told := stamp(line)) is not None]
        steps[name] = [
            later for later in stamps if moment(DAY.since_ns) <= later < moment(DAY.since_ns + 412 * 10**9)
        ]
    assert not steps["voice-pipeline.log"]
    assert all(found for name, found in steps.items() if name in {"gateway.log", "call-orchestrator.log"})


def test_an_unknown_incident_is_refused_with_the_nearest():
    with pytest.raises(BadArgument, match="Did you mean 'deadlock'"):
        find_incident("deadlok")


def words_outside_the_demo():
    root = Path(logpith.__file__).parent
    sources = [path for path in root.rglob("*.py") if not path.is_relative_to(root / "demo")]
    assert len(sources) > 40
    return {
        f"{path.relative_to(root)} says {word}"
        for path in sources
        for word in NEVER_OUTSIDE
        if word.lower() in path.read_text().lower()
    }


def test_the_product_does_not_know_what_goes_wrong_on_a_demo_day():
    assert words_outside_the_demo() == set()
