"""Many lines are asked at once what each would be asked alone."""

import re2
from hypothesis import given
from hypothesis import strategies as st

from logpith.query.in_bulk import AT_ONCE_BYTES, lines_with_match, pieces

LINES = st.lists(st.text(alphabet="ab= ", max_size=8), min_size=1, max_size=12)


def borders_of(lines):
    borders = [0]
    for line in lines:
        borders.append(borders[-1] + len(line) + 1)
    return borders


@given(LINES)
def test_each_line_with_a_match_of_its_own_is_found(lines):
    search = re2.compile(rb"a\s{0,2}=+b?|\bbb\b").search
    text = "\n".join(lines).encode()

    found = list(lines_with_match(search, text, borders_of(lines)[:-1]))

    assert {at for at, line in enumerate(lines) if search(line.encode())} <= {*found}
    assert found == sorted({*found})


def test_a_match_that_goes_on_into_later_lines_hides_none_of_them():
    search = re2.compile(rb"<[^>]*>|x").search

    assert list(lines_with_match(search, b"<\nx\n>\ny", [0, 2, 4, 6])) == [0, 1]


@given(st.lists(st.integers(min_value=1, max_value=AT_ONCE_BYTES * 2), max_size=8))
def test_pieces_are_of_whole_lines_and_bounded(sizes):
    borders = [sum(sizes[:at]) for at in range(len(sizes) + 1)]

    found = list(pieces(borders))

    assert [at for first, last in found for at in range(first, last)] == list(range(len(sizes)))
    assert all(last - first == 1 or borders[last] - borders[first] <= AT_ONCE_BYTES for first, last in found)
