"""Signatures: what stands there is never denied, and what does not mostly is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from logpith.scan.word_bits import is_kept, letter_bits, may_hold_letters, may_hold_words, word_bits
from logpith.scan.words import BYTE_KIND

VALUES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.text("aQ1_ .-\\nu/\x12é", max_size=30).map(str.encode),
        st.sampled_from((b"Quota_exceeded", b"10.0.0.1\x12blk_-160", b"a\\nquota", b"\\u00e9lan", b"12345")),
    ),
    max_size=20,
)


def packed(values):
    offsets = np.concatenate([[0], np.cumsum([len(value) for value in values])]).astype(np.int64)
    return np.frombuffer(b"".join(values), np.uint8), offsets


def words_in(value):
    return bytes(byte if BYTE_KIND[byte] else 32 for byte in value).split()


def blocks_of(values, size):
    return [values[first : first + size] for first in range(0, len(values), size)]


@given(VALUES, st.integers(1, 9), st.booleans())
def test_a_word_that_stands_there_is_never_denied(values, size, upper):
    bits = word_bits(*packed(values), size)

    blocks = blocks_of(values, size)
    for place, block in enumerate(blocks):
        words = [word.upper() if upper else word for value in block for word in words_in(value)]
        assert may_hold_words(bits, len(blocks), words)[place]


@given(VALUES, st.integers(1, 9))
def test_a_word_behind_an_escape_is_never_denied(values, size):
    bits = word_bits(*packed(values), size)

    blocks = blocks_of(values, size)
    for place, block in enumerate(blocks):
        for value in block:
            for skipped, piece in ((1, b"\\n"), (5, b"\\u")):
                at = value.find(piece)
                behind = words_in(value[at + 1 :])[:1] if at >= 0 else []
                held = [word[skipped:] for word in behind if BYTE_KIND[value[at + 1]]]
                assert may_hold_words(bits, len(blocks), held)[place]


def test_a_word_that_does_not_stand_there_is_mostly_denied():
    values = [b"word%d" % number for number in range(4_000)]
    bits = word_bits(*packed(values), 500)

    denied = [not may_hold_words(bits, 8, [b"other%d" % number]).any() for number in range(200)]
    assert sum(denied) > 180
    for number in range(0, 4_000, 37):
        found = may_hold_words(bits, 8, [b"WORD%d" % number])
        assert found[number // 500]
        assert found.sum() < 4


def test_a_word_goes_over_no_border_between_rows():
    bits = word_bits(*packed([b"abcd", b"efgh", b"ij"]), 4)

    assert may_hold_words(bits, 1, [b"abcd", b"efgh"]).all()
    assert not may_hold_words(bits, 1, [b"abcdefgh"]).any()


def test_short_words_and_short_numbers_say_nothing():
    assert [is_kept(word) for word in (b"abc", b"abcd", b"1234", b"12345", b"1a34")] == [
        False,
        True,
        False,
        True,
        True,
    ]
    bits = word_bits(*packed([b"x"]), 1)

    assert may_hold_words(bits, 1, [b"abc", b"123"]).all()
    assert may_hold_words(bits, 1, []).all()


def test_there_may_be_no_rows():
    bits = word_bits(*packed([]), 4)

    assert may_hold_words(bits, 0, [b"quota"]).tolist() == []
    assert may_hold_letters(letter_bits(*packed([]), 4), b"quota").tolist() == []


@given(VALUES, st.integers(1, 9), st.data())
def test_letters_that_stand_there_are_never_denied(values, size, data):
    bits = letter_bits(*packed(values), size)

    for place, block in enumerate(blocks_of(values, size)):
        value = data.draw(st.sampled_from(block))
        low = data.draw(st.integers(0, len(value)))
        part = value[low : data.draw(st.integers(low, len(value)))]
        assert may_hold_letters(bits, part)[place]
        assert may_hold_letters(bits, part.swapcase())[place]


def test_letters_that_do_not_stand_there_are_denied():
    bits = letter_bits(*packed([b"quota", b"10.0.0.1", b"qu\x12ota"]), 1)

    assert may_hold_letters(bits, b"uot").tolist() == [True, False, False]
    assert may_hold_letters(bits, b"1").tolist() == [True, True, True]
    assert may_hold_letters(bits, b"exquota").tolist() == [False, False, False]
