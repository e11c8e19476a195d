"""A literal is found exactly where a naive scan finds it."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logpith.scan.search import Literal, mark_records

# Few different bytes, so that needles are there and nearly there; `@`, `[` and `{` are other letters but for the case.
BYTES = st.sampled_from(b"aAbBzZ@[{`_-: 0\x00\x80\xff")
RECORDS = st.lists(
    st.builds(
        lambda one, times, other: bytes(one) * times + bytes(other),
        st.lists(BYTES, max_size=9),
        st.integers(0, 40),
        st.lists(BYTES, max_size=9),
    ),
    max_size=8,
)
NEEDLES = st.lists(BYTES, max_size=6).map(bytes)
WORD = rb"[0-9A-Za-z_\x80-\xff]"


def is_held(record, literal):
    pattern = re.escape(literal.text)
    if literal.whole_words and literal.text:
        before = rb"(?<!%s)" % WORD if re.match(WORD, literal.text) else b""
        behind = rb"(?!%s)" % WORD if re.match(WORD, literal.text[-1:]) else b""
        pattern = before + pattern + behind
    return re.search(pattern, record, re.IGNORECASE if literal.ignore_case else 0) is not None


@pytest.mark.parametrize("between", [b"", b"\n"])
@given(RECORDS, NEEDLES, st.booleans(), st.booleans())
@example([b"x" * 63 + b"ab", b"ab" + b"x" * 64], b"ab", True, False)
@example([b"x" * 126 + b"AB", b"xab"], b"ab", True, True)
def test_a_literal_is_found_exactly_where_a_naive_scan_finds_it(
    between, records, text, ignore_case, whole_words
):
    literal = Literal(text.lower() if ignore_case else text, ignore_case, whole_words)
    sizes = np.array([len(record) for record in records], np.int64)
    starts = np.cumsum(sizes + len(between)) - sizes - len(between)
    buf = np.frombuffer(between.join(records) + bytes(1), np.uint8)

    found = mark_records(buf, starts, starts + sizes, literal)

    assert found.tolist() == [is_held(record, literal) for record in records]
