"""Where messages end, however the stream is cut into pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.sources.framing import CUT_OFF, TOO_LONG, Framing

MOST = 40

TEXT = st.binary(max_size=MOST - 4)
COUNTED = TEXT.map(lambda text: b"<13>" + text)
LINE = st.one_of(COUNTED, TEXT.filter(lambda text: not text[:1].isdigit())).map(
    lambda text: text.replace(b"\n", b" ")
)
MESSAGES = st.lists(
    st.one_of(st.tuples(st.just(True), COUNTED), st.tuples(st.just(False), LINE)), max_size=12
)


def counted(text):
    return b"%d %s" % (len(text), text)


def fed(framing, stream, cuts=()):
    """What a stream gives that comes in pieces, to its end."""
    edges = [0, *sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]
    found = [one for low, high in pairwise(edges) for one in framing.feed(stream[low:high])]
    return found + framing.end()


@given(MESSAGES, st.lists(st.integers(0, 1000), max_size=20))
def test_each_message_comes_out_as_it_went_in(messages, cuts):
    stream = b"".join(counted(text) if is_counted else text + b"\n" for is_counted, text in messages)
    framing = Framing(MOST)

    assert fed(framing, stream, cuts) == [text for _, text in messages]
    assert not framing.losses


@given(st.binary(max_size=300), st.lists(st.integers(0, 1000), max_size=20))
def test_no_byte_goes_uncounted_whatever_comes(stream, cuts):
    framing = Framing(MOST)

    found = fed(framing, stream, cuts)

    assert all(len(one) <= MOST for one in found)
    kept = sum(map(len, found)) + framing.losses[TOO_LONG]
    # What is in neither are the ends of lines, and counts with the blank behind them.
    assert 0 <= len(stream) - kept <= stream.count(b"\n") + 12 * stream.count(b" <")
    assert fed(Framing(MOST), stream) == found


@pytest.mark.parametrize(
    ("stream", "messages", "losses"),
    [
        (b"<13>last without an end", [b"<13>last without an end"], {}),
        (b"10 <13>abcdef<14>x\n", [b"<13>abcdef", b"<14>x"], {}),
        (b"10 <13>ab\ncde5 <13>y", [b"<13>ab\ncde", b"<13>y"], {}),
        (b"20 <13>too soon", [b"<13>too soon"], {CUT_OFF: 8}),
        (b"12 drummers\n12\n", [b"12 drummers", b"12"], {}),
        (b"0 <13>x\n", [b"0 <13>x"], {}),
        (b"<13>" + b"a" * 50 + b"\n<13>b\n", [b"<13>" + b"a" * 36, b"<13>b"], {TOO_LONG: 14}),
        (b"54 <13>" + b"a" * 50 + b"5 <13>b", [b"<13>" + b"a" * 36, b"<13>b"], {TOO_LONG: 14}),
        (b"99999 <13>" + b"a" * 50, [b"<13>" + b"a" * 36], {TOO_LONG: 14, CUT_OFF: 99_945}),
    ],
)
def test_what_ends_where(stream, messages, losses):
    for cuts in ((), range(len(stream))):
        framing = Framing(MOST)

        assert fed(framing, stream, cuts) == messages
        assert framing.losses == losses
