"""Plurals: numbers of things, as people write them."""

from __future__ import annotations


def counted(number: int, name: str) -> str:
    """`1 line`, `1,200 lines`."""
    return f"{number:,} {name}{'s' * (number != 1)}"


def are(number: int) -> str:
    """The verb behind them."""
    return "is" if number == 1 else "are"
