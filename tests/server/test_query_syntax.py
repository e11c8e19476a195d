"""The page on queries is true: every example is read, every name on it is the parser's."""

import re
from pathlib import Path

import pytest

from logpith.query import parse
from logpith.query.fields import FIELD_NAMES
from logpith.query.tree import OPERATORS
from logpith.server.query_syntax import EXAMPLES, SEVERITIES, query_syntax

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "query.md"


def read(query):
    return parse(query, now_ns=10**18, end_ns=10**18)


@pytest.mark.parametrize("query", [query for query, _ in EXAMPLES])
def test_each_example_is_read_and_written_back(query):
    assert read(str(read(query))) == read(query)


def test_what_is_said_beside_examples_is_so():
    assert read("error NOT heartbeat") == read("error -heartbeat")
    assert read("quota exceeded") == read("quota AND exceeded")
    assert read("a OR b AND c") == read("a OR (b AND c)")
    assert read("duration_ms:{1 TO 2}") != read("duration_ms:[1 TO 2]")


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_each_severity_is_compared_by_each_operator(operator, severity):
    read(f"level{operator}{severity}")


def test_fields_and_operators_of_the_page_are_those_of_the_parser():
    page = query_syntax()

    for field in FIELD_NAMES:
        read(f"{field}:*")
        assert field in page
    assert " ".join(OPERATORS) in page


def test_the_examples_are_those_of_the_reference():
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", REFERENCE.read_text(), re.MULTILINE)

    assert rows == list(EXAMPLES)
