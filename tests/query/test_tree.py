import pytest
from hypothesis import given

from logpith.query import (
    And,
    Everything,
    Not,
    Or,
    Range,
    Regex,
    Wildcard,
    Word,
    all_of,
    any_of,
    fields_of,
    parse,
)
from strategies import queries

A, B, C = Word("a"), Word("b"), Word("c")


@given(queries())
def test_a_written_query_reads_back_as_itself(query):
    assert parse(str(query)) == query


@pytest.mark.parametrize("start", [*':=<>!-+/[{(&|*?\\"', "::", "//", "!=", "AND", "||"])
@pytest.mark.parametrize("field", [None, "a", "a:", "-a", "_exists_", "*", "5"])
def test_a_word_may_start_with_any_sign(start, field):
    for query in (Word(f"{start}x", field), Word(start, field), Wildcard(f"\\{start}x*", field)):
        assert parse(str(query)) == query


def test_queries_nested_alike_are_equal():
    assert And((And((A, B)), C)) == And((A, B, C)) == And((A, And((B, C))))
    assert Or((Or((A, B)), C)) == Or((A, B, C))
    assert Regex(r"a\/b") == Regex("a/b")
    assert Wildcard(r"a**\b") == Wildcard("a*b")


def test_joining_few_queries_needs_no_operator():
    assert all_of([]) == Everything()
    assert all_of([A, Everything()]) == A
    assert any_of([]) == Not(Everything())
    assert any_of([A]) == A


@pytest.mark.parametrize(
    "build", [lambda: And((A,)), lambda: Wildcard("a"), lambda: Word(""), lambda: Range("a", None, None)]
)
def test_a_tree_that_cannot_be_written_cannot_be_built(build):
    with pytest.raises(ValueError, match=r"\w"):
        build()


def test_the_fields_of_a_query_are_the_names_it_asks_about():
    query = parse("quota service:api NOT (level>=warn OR user:*) dur:[1 TO 2]")

    assert fields_of(query) == {"service", "level", "user", "dur"}


@pytest.mark.parametrize(
    "text",
    [
        "10:45:02",
        "path:/v1",
        "quota",
        "level>=warn",
        'body:"a b"',
        "x:[1 TO 2}",
        "call_id:CA16",
        "(a AND b) OR c",
        "x-y:-5",
    ],
)
def test_a_plain_query_is_written_as_people_write_it(text):
    assert str(parse(text)).replace("\\/", "/") == text
