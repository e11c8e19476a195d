"""Findings: of the logs of nine days, what is unusual in the last hours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.desk import Desk
from logpith.corpus.findings import Finding, find_findings, limit_alerts, record_of
from logpith.corpus.selection import Selection
from logpith.timerange import NS_PER_D, NS_PER_H, NS_PER_MIN, format_ns

END = 1_795_212_000 * 10**9
DAYS = 9


def times(random, mean, start_ns, end_ns):
    count = random.poisson(mean * (end_ns - start_ns) / (5 * NS_PER_MIN))
    return random.integers(start_ns, end_ns, count).tolist()


@pytest.fixture(scope="module")
def lines():
    """Two services of nine days, each with a heartbeat, errors now and then, and a job in each night."""
    random = np.random.default_rng(11)
    start = END - DAYS * NS_PER_D
    made = [
        (time, "INFO", "api", f"request {time % 997} took 12 ms") for time in times(random, 8, start, END)
    ]
    made += [(time, "INFO", "voice", "heartbeat of the media node") for time in times(random, 8, start, END)]
    made += [(time, "ERROR", "api", "upstream timed out") for time in times(random, 0.1, start, END)]
    for day in range(DAYS):
        at = start + day * NS_PER_D + 3 * NS_PER_H
        made += [(at + 10**9 * n, "ERROR", "voice", f"cleanup of room {n} failed") for n in range(200)]
    return made


@pytest.fixture
def select(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))

    def selection_of(lines):
        path = tmp_path / "days.log"
        path.write_text(
            "".join(
                f"{format_ns(time)} {level} {service}: {text}\n"
                for time, level, service, text in sorted(lines)
            )
        )
        return Selection(Desk().open([str(path)]))

    return selection_of


def found(selection, hours=4):
    corpus = selection.corpus
    return [
        (
            one.kind,
            one.level,
            corpus.services[one.service],
            one.template and corpus.templates.templates[one.template].text,
        )
        for one in find_findings(selection, END - hours * NS_PER_H, END)
    ]


def test_days_like_all_days_have_nothing_to_tell(lines, select):
    assert found(select(lines), hours=48) == []


def test_each_kind_is_found_and_has_a_record_to_show(lines, select):
    silent = [one for one in lines if not (one[2] == "voice" and one[0] > END - 40 * NS_PER_MIN)]
    at = END - 2 * NS_PER_H
    broken = [(at + n * 10**9, "ERROR", "api", f"quota exceeded for tenant {n}") for n in range(90)]
    flood = [(at + n * 10**8, "INFO", "api", f"request {n} took 12 ms") for n in range(400)]

    selection = select([*silent, *broken, *flood])
    findings = find_findings(selection, END - 4 * NS_PER_H, END)

    told = {(one.kind, one.level, selection.corpus.services[one.service]): one for one in findings}
    assert set(told) == {
        ("new", "alert", "api"),
        ("errors", "alert", "api"),
        ("spike", "alert", "api"),
        ("gap", "alert", "voice"),
    }
    assert findings[0].kind in ("new", "errors")
    shown = {kind: record_of(selection, one) for (kind, *_), one in told.items()}
    assert shown["gap"] is None
    first = min(broken)
    assert selection.corpus.texts([shown["new"]])[0].decode().endswith("quota exceeded for tenant 0")
    assert selection.corpus.time_text(shown["new"]) == format_ns(first[0])
    assert told["new", "alert", "api"].count == 90


def test_one_of_a_kind_before_the_learning_time_is_over_is_not_new(lines, select):
    young = [one for one in lines if one[0] > END - 20 * NS_PER_H]

    assert found(select([*young, (END - 10**9, "ERROR", "api", "quota exceeded for tenant 7")])) == []


def test_an_empty_log_has_no_findings(select):
    assert found(select([])) == []


def alert(service, minute, score=1.0, level="alert"):
    return Finding(
        kind="spike",
        level=level,
        service=service,
        template=0,
        severity=17,
        start_ns=END + minute * NS_PER_MIN,
        end_ns=END + (minute + 5) * NS_PER_MIN,
        count=10,
        usual=1.0,
        score=score,
    )


def test_the_sixth_alert_of_a_service_in_an_hour_is_counted_and_not_told():
    limited = limit_alerts([alert(0, minute) for minute in range(0, 80, 10)] + [alert(1, 5)])

    assert [(one.service, one.start_ns - END) for one in limited.alerts if one.service == 0] == [
        (0, minute * NS_PER_MIN) for minute in (0, 10, 20, 30, 40, 60, 70)
    ]
    assert [one for one in limited.alerts if one.service == 1] == [alert(1, 5)]
    assert limited.digest == {0: 1}


def test_of_alerts_at_one_time_the_weightiest_are_told_and_those_before_count():
    at_once = [alert(0, 0, score) for score in (1.0, 9.0, 5.0)]

    limited = limit_alerts([*at_once, alert(0, 0, 50.0, level="notice")], told=[alert(0, -30)] * 3)

    assert [one.score for one in limited.alerts] == [9.0, 5.0]
    assert limited.digest == {0: 1}


@given(st.lists(st.builds(alert, st.integers(0, 2), st.integers(0, 300), st.floats(0, 9)), max_size=60))
def test_no_hour_has_more_than_five_and_none_is_lost(findings):
    limited = limit_alerts(findings)

    assert len(limited.alerts) + limited.digest.total() == len(findings)
    for one in limited.alerts:
        within = [
            other
            for other in limited.alerts
            if other.service == one.service and 0 <= other.start_ns - one.start_ns < NS_PER_H
        ]
        assert len(within) <= 5
