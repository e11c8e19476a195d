"""Bars: as long as their number, never longer than their room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.answer import Answer, Coverage, to_json, to_text
from logpith.bars import Bar, draw_bar


@given(share=st.floats(0, 50), cells=st.integers(1, 40), plain=st.booleans())
def test_a_bar_stays_in_its_cells_and_what_is_there_shows(share, cells, plain):
    drawn = draw_bar(share, cells, plain=plain)

    assert len(drawn) <= cells
    assert bool(drawn) == (share > 0)
    assert drawn.isascii() or not plain


@given(shares=st.lists(st.floats(0, 1), min_size=2, max_size=2), plain=st.booleans())
def test_a_larger_share_has_no_shorter_bar(shares, plain):
    small, large = (draw_bar(share, 40, plain=plain) for share in sorted(shares))

    assert len(small) <= len(large)


@pytest.mark.parametrize(
    ("share", "block", "plain"),
    [
        (0.5, "████", "####"),
        (0.55, "████▍", "####"),
        (1, "████████", "########"),
        (2, "███████▶", "#######>"),
    ],
)
def test_bars_are_drawn_to_the_eighth_of_a_cell(share, block, plain):
    assert draw_bar(share, 8) == block
    assert draw_bar(share, 8, plain=True) == plain


def test_a_bar_is_in_text_and_not_in_json():
    answer = Answer(
        summary="", items=({"count": 3, "bar": Bar(0.5)},), coverage=Coverage(lines=1, records=1, sources=1)
    )

    assert Bar(0.5) in to_text(answer)
    assert to_json(answer)["items"] == [{"count": 3}]
