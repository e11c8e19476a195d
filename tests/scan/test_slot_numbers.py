"""Numbers out of holes, against Python's own reading of them."""

import json
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from logpith.scan.slot_numbers import find_unreadable, read_numbers
from logpith.scan.split import BETWEEN

CANONICAL = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]{0,3}[1-9])?")
VALUES = st.sampled_from(
    (
        b"0",
        b"7",
        b"007",
        b"-3",
        b"-0",
        b"1.5",
        b"1.50",
        b"-0.25",
        b"0.0001",
        b"0.00001",
        b"12ms",
        b"",
        b"-",
        b".5",
        b"5.",
        b"1e9",
        b"123456789012345",
        b"1234567890123456",
        b"1.2.3",
        b"a\\b",
        b"+1",
        b"--1",
        b"1E-3",
        b"1e",
        b"0.",
        b"00",
    )
) | st.from_regex(rb"-?[0-9]{0,4}(\.[0-9]{0,3})?", fullmatch=True)
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.lists(VALUES, min_size=3, max_size=3)), min_size=1, max_size=20
)


def packed(rows):
    texts = [bytes((BETWEEN,)).join(values) for _, values in rows]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    tids = np.array([template for template, _ in rows], np.int32)
    return np.frombuffer(b"".join(texts), np.uint8), offsets, tids


def number(value):
    """What a column can tell of a value, so that it is the value and no other one."""
    digits = len(value.strip(b"-").replace(b".", b""))
    told = (
        CANONICAL.fullmatch(value) and digits <= 15 and value != b"-0" and not re.fullmatch(rb"-0\.0*", value)
    )
    return float(value) if told else None


@given(ROWS, st.sets(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_numbers_are_read_out_of_the_wished_holes(rows, holes):
    wishes = [(template, hole, place % 2) for place, (template, hole) in enumerate(sorted(holes))]
    wishes = list(
        {(template, column): (template, hole, column) for template, hole, column in wishes}.values()
    )
    wishes.sort()

    numbers, unmet = read_numbers(*packed(rows), wishes, 3, 2)

    for at, (template, hole, column) in enumerate(wishes):
        told = [(row, number(values[hole])) for row, (of, values) in enumerate(rows) if of == template]
        assert (at in unmet) == any(value is None for _, value in told)
        assert all(numbers[column, row] == value for row, value in told if value is not None)
    asked = {(template, column) for template, _, column in wishes}
    for row, (template, _) in enumerate(rows):
        for column in range(2):
            assert (template, column) in asked or np.isnan(numbers[column, row])


def is_json_number(value):
    try:
        return isinstance(json.loads(value), int | float) and not value[:1].isspace()
    except ValueError:
        return False


@given(ROWS, st.lists(st.sampled_from(((), (0, 0, 0), (1, 1, 1), (0, 1, 0))), min_size=3, max_size=3))
def test_templates_whose_holes_may_break_an_object_are_found(rows, bare):
    found = find_unreadable(*packed(rows), bare).tolist()

    broken = {
        template
        for template, values in rows
        for value, is_bare in zip(values, bare[template], strict=False)
        if b"\\" in value or (is_bare and not is_json_number(value))
    }
    assert found == sorted(broken)


def test_no_template_of_an_object_is_none_that_breaks():
    assert find_unreadable(*packed([(0, [b"a\\b", b"", b""])]), [(), ()]).tolist() == []
