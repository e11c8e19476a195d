"""log_grep: totals that are exact, examples that vary."""

import pytest

from logpith_emit.errors import BadArgument, BadQuery

TEXT = "".join(
    f"2026-11-20 13:{i // 60:02d}:{i % 60:02d} {'ERROR' if i % 50 == 0 else 'INFO'} app: "
    f"{f'quota exceeded for u{i}' if i % 50 == 0 else f'request {i} done'}\n"
    for i in range(600)
)


def test_the_total_is_exact_and_examples_are_few(answer):
    told = answer("log_grep", TEXT, pattern="request")

    assert told.items[0]["matches"] == 588
    assert told.summary.startswith("588 of 600 records match (98.00%), from 2026-11-20T13:00:01Z to ")
    assert len(told.evidence) == 5


def test_examples_are_of_different_templates(answer):
    told = answer("log_grep", TEXT, pattern="app", max_examples=2)

    assert {line.severity for line in told.evidence} == {"info", "error"}


@pytest.mark.parametrize(
    ("arguments", "matches"),
    [
        ({"pattern": "quota"}, 12),
        ({"pattern": "QUOTA"}, 0),
        ({"pattern": "QUOTA", "ignore_case": True}, 12),
        ({"pattern": r"u\d+00$", "regex": True}, 5),
        ({"pattern": r"U\d+00$", "regex": True, "ignore_case": True}, 5),
        ({"pattern": "level>=error", "as_query": True}, 12),
        ({"pattern": "quota AND NOT u50", "as_query": True}, 11),
        ({"pattern": "timestamp>=1m", "as_query": True}, 61),
        ({"pattern": r"\d", "regex": False}, 0),
    ],
)
def test_a_pattern_is_text_a_regex_or_a_query(answer, arguments, matches):
    told = answer("log_grep", TEXT, **arguments)

    assert (told.items[0]["matches"] if told.items else 0) == matches
    assert told.found == (matches > 0)


def test_nothing_found_is_told_with_how_much_was_looked_at(answer):
    told = answer("log_grep", TEXT, pattern="nowhere")

    assert told.summary == "None of 600 records match."
    assert told.coverage.lines == 600
    assert any("ignore_case" in call for call in told.next)


def test_what_cannot_be_read_is_refused_with_a_remedy(answer):
    for arguments, problem in (
        ({"pattern": "a", "regex": True, "as_query": True}, "not both"),
        ({"pattern": ""}, "empty"),
        ({"pattern": "(", "regex": True}, "cannot be read"),
        ({"pattern": "(?<=a)b", "regex": True}, "cannot be read"),
    ):
        with pytest.raises(BadArgument, match=problem) as told:
            answer("log_grep", TEXT, **arguments)
        assert told.value.remedy
    with pytest.raises(BadQuery):
        answer("log_grep", TEXT, pattern="level>=", as_query=True)


@pytest.mark.parametrize(
    ("arguments", "offered"),
    [
        ({"pattern": "no-such"}, 'log_grep(pattern="no-such", ignore_case=true)'),
        (
            {"pattern": r"no\d such", "regex": True},
            r'log_grep(pattern="no\\d such", regex=true, ignore_case=true)',
        ),
        ({"pattern": "app", "as_query": True}, 'log_fetch(query="app")'),
        (
            {"pattern": "app", "as_query": True, "query": "level:info"},
            'log_fetch(query="(app) AND (level:info)")',
        ),
    ],
)
def test_what_it_proposes_can_be_copied_as_it_stands(answer, arguments, offered):
    told = answer("log_grep", TEXT, **arguments)

    assert offered in told.next


def test_sources_that_are_not_shown_are_counted(answer, tmp_path):
    for number in range(23):
        (tmp_path / f"{chr(97 + number)}.log").write_text("2026-11-20 13:00:00 INFO app: request done\n")

    told = answer("log_grep", None, sources=[str(tmp_path)], pattern="request", budget=20_000)

    assert len(told.items) == 20
    assert (told.omitted.items, told.omitted.reason) == (3, "limit")
