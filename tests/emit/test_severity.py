import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith_emit.severity import (
    ALSO_PROSE,
    BANDS,
    SPELLINGS,
    band,
    from_python,
    from_syslog,
    numbers_of_band,
    severity_name,
    severity_number,
)

SPELLED = {
    "trace": "trace TRACE Trace trc trce verbose VRB finest silly trace8 T V 10 5000",
    "debug": "debug DBG dbug finer fine FINE config debug3 D 20 10000 DEBUG2 INFO-4 http",
    "info": "info INF Information informational notice Notice [INFO] info: I 30 20000 INFO+2 success LOG",
    "warn": "warn WARN warning Warning WRN [warning] <warn> W 40 WARN4 LogLevel.Warning WARNING: |W| (warn)",
    "error": "error ERROR err Err: SEVERE eror fail E 50 ERROR+1 core:error daemon.err 'error' dpanic",
    "fatal": "fatal FTL critical CRIT crit alert emerg EMERGENCY panic F C 60 50000 FATAL+9",
}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in SPELLED.items() for text in texts.split()]
)
def test_a_spelling_has_the_severity_it_means(name, text):
    assert severity_name(severity_number(text)) == name


@pytest.mark.parametrize(
    "text",
    ["", " ", "off", "chatty", "0", "3", "7", "300", "25", "[]", "::", "info error", "x" * 1000, "+2", "٣٠"],
)
def test_what_is_no_severity_stays_unknown(text):
    assert severity_number(text) == 0


def test_colours_do_not_hide_a_severity():
    assert severity_number("\x1b[1;31mERROR\x1b[0m") == 17


def test_severities_order_as_people_expect():
    words = ["trace", "debug", "info", "notice", "success", "warning", "error", "critical", "alert", "emerg"]

    numbers = [severity_number(word) for word in words]

    assert numbers == sorted(set(numbers))


@given(st.sampled_from(sorted(SPELLINGS)), st.sampled_from(["{}", "[{}]", "{}:", " {} ", "<{}>", "level.{}"]))
def test_case_and_wrapping_change_nothing(word, wrapping):
    assert severity_number(wrapping.format(word.upper())) == SPELLINGS[word]


@given(st.text())
def test_every_text_has_a_number_from_0_to_24(text):
    assert 0 <= severity_number(text) <= 24


def test_the_table_is_fit_for_a_kernel():
    assert all(word == word.lower() and word.isascii() and word.isalnum() for word in SPELLINGS)
    assert all(1 <= number <= 24 for number in SPELLINGS.values())
    assert set(SPELLINGS) >= ALSO_PROSE


def test_syslog_counts_down_from_emergency_to_debug():
    names = [severity_name(from_syslog(level)) for level in range(8)]

    assert names == ["fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug"]
    assert from_syslog(2) == severity_number("crit")
    assert from_syslog(0) > from_syslog(1) > from_syslog(2)


@pytest.mark.parametrize("level", [-1, 8, 30, 10**9])
def test_what_syslog_does_not_know_stays_unknown(level):
    assert from_syslog(level) == 0


def test_python_counts_in_tens():
    names = [severity_name(from_python(level)) for level in (0, 5, 10, 20, 25, 30, 35, 40, 50, 99)]

    assert names == ["", "trace", "debug", "info", "info", "warn", "warn", "error", "fatal", "fatal"]


def test_bands_are_four_numbers_wide():
    assert [severity_name(number) for number in (-1, 0, 1, 4, 5, 12, 16, 17, 24, 25)] == [
        *("", "", "trace", "trace", "debug", "info", "warn", "error", "fatal", ""),
    ]
    assert numbers_of_band(18) == range(17, 21)
    assert numbers_of_band(0) == range(1)


@given(st.integers(min_value=1, max_value=24))
def test_a_number_lies_in_its_own_band(number):
    assert number in numbers_of_band(number)
    assert BANDS[band(number)] == severity_name(number)
    assert severity_number(severity_name(number)) == numbers_of_band(number)[0]
