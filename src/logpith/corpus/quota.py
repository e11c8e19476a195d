"""Quota: lines that tell of an allowance of somebody else's that is used up, and the numbers that they tell."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORDS = re.compile(
    r"(?<![a-z])(?:quota|credits?(?![a-z])|insufficient[_ -]?(?:quota|funds|credit|balance)|resource[_ -]?exhausted"
    r"|usage[_ -]?limit|rate[_ -]?limit|too[_ -]many[_ -]requests|payment[_ -]required|throttl"
    r"|allowance|billing[_ -](?:hard[_ -])?limit|out of (?:credits?|funds|tokens))",
    re.IGNORECASE,
)
_NUMBER = r"(\d[\d,._]*\d|\d)"
_UNIT = r"(?:\s?[a-z_]+){0,2}?"
_LEFT_OF = re.compile(rf"{_NUMBER}\s*(?:of|/)\s*{_NUMBER}{_UNIT}\s+(?:left|remain)", re.IGNORECASE)
_LEFT = re.compile(
    rf"(?:remaining|left|balance)(?:[_ ]?[a-z]+)?[\"']?\s*[=:]\s*[\"']?{_NUMBER}"
    rf"|{_NUMBER}{_UNIT}\s+(?:left|remaining)",
    re.IGNORECASE,
)
_NEEDED = re.compile(rf"(?:need(?:ed|s)?|required?|requires)[\"']?\s*[=:]?\s*[\"']?{_NUMBER}", re.IGNORECASE)
_LIMIT = re.compile(rf"(?:limit|quota|total)[\"']?\s*[=:]\s*[\"']?{_NUMBER}", re.IGNORECASE)
_LONGEST = 8_192


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What a line tells of an allowance; None where it does not say."""

    remaining: float | None = None
    limit: float | None = None
    needed: float | None = None

    def __str__(self) -> str:
        """`0 of 5,000,000 left, 50 needed`."""
        parts = []
        if self.remaining is not None:
            of = f" of {self.limit:,.10g}" if self.limit is not None else ""
            parts.append(f"{self.remaining:,.10g}{of} left")
        if self.needed is not None:
            parts.append(f"{self.needed:,.10g} needed")
        return ", ".join(parts)


def is_about_quota(text: str) -> bool:
    """Whether a line or a template speaks of an allowance."""
    return _WORDS.search(text[:_LONGEST]) is not None


def quota_in(text: str) -> Quota | None:
    """The numbers that a line about an allowance tells; None where it tells none, or is about something else."""
    text = text[:_LONGEST]
    if not is_about_quota(text):
        return None
    both = _LEFT_OF.search(text)
    left = None if both else _LEFT.search(text)
    needed, limit = _NEEDED.search(text), _LIMIT.search(text)
    quota = Quota(
        remaining=_number(both[1]) if both else _number(left[1] or left[2]) if left else None,
        limit=_number(both[2]) if both else _number(limit[1]) if limit else None,
        needed=_number(needed[1]) if needed else None,
    )
    return quota if str(quota) else None


def _number(text: str) -> float | None:
    plain = text.replace(",", "").replace("_", "").rstrip(".")
    try:
        return float(plain)
    except ValueError:
        return None
