"""Bars: a number as a length of block characters, or of plain ones where a terminal has only those."""

from __future__ import annotations

_EIGHTHS = " ▏▎▍▌▋▊▉"
_FULL, _PLAIN = "█", "#"
_CUT, _PLAIN_CUT = "▶", ">"

TEXT_CELLS = 12
"""How wide a bar is in plain text, which agents pay for: a block character takes three bytes."""

MOST_CELLS = 40


def draw_bar(share: float, cells: int, *, plain: bool = False) -> str:
    """`share` of `cells`, to the eighth; whatever is more than nothing shows, and more than all is cut and marked."""
    if share > 1:
        return (_PLAIN if plain else _FULL) * (cells - 1) + (_PLAIN_CUT if plain else _CUT)
    if plain:
        return _PLAIN * (round(share * cells) or int(share > 0))
    full, eighths = divmod(round(share * cells * 8) or int(share > 0), 8)
    return _FULL * full + _EIGHTHS[eighths].strip()


class Bar(str):
    """A bar in an answer: short as text, drawn wider at a terminal, and absent from JSON, where its number stands."""

    __slots__ = ("plain", "share")

    share: float
    plain: bool

    def __new__(cls, share: float, *, plain: bool = False) -> Bar:
        """The bar of a share, which is from 0 to 1, or more for a bar that is cut."""
        bar = super().__new__(cls, draw_bar(share, TEXT_CELLS, plain=plain))
        bar.share, bar.plain = share, plain
        return bar

    def drawn(self, cells: int) -> str:
        """The same bar in at most so many cells."""
        return draw_bar(self.share, cells, plain=self.plain)
