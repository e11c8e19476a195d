"""Texts of a buffer, taken out of it all at once, are those that stand there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from logpith.query.texts import distinct_texts, texts_alone, texts_and_gaps


def placed(pieces):
    """A buffer with gaps and texts in turns, and where the texts stand in it."""
    edges = np.cumsum([0, *map(len, pieces)])
    return np.frombuffer(b"".join(pieces) + bytes(1), np.uint8), edges[1:-1:2], edges[2::2]


PIECES = st.lists(
    st.tuples(st.binary(max_size=3), st.sampled_from([b"", b"a", b"ab", b"\xff"])), max_size=20
).map(lambda pairs: [piece for pair in pairs for piece in pair])


@given(PIECES)
def test_texts_are_what_stands_between_their_borders(pieces):
    buf, starts, ends = placed(pieces)

    assert texts_alone(buf, starts, ends).to_pylist() == pieces[1::2]
    assert texts_and_gaps(buf, starts, ends).to_pylist()[::2] == pieces[1::2]


@given(PIECES)
def test_each_distinct_text_is_given_once(pieces):
    places, texts = distinct_texts(*placed(pieces))

    assert [texts[place] for place in places.tolist()] == pieces[1::2]
    assert len(set(texts)) == len(texts)
