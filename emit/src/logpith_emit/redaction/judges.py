"""Judges: what a pattern cannot say. Each has the last word on a match of a rule."""

from __future__ import annotations

import re

from logpith_emit.redaction.names import is_said_openly
from logpith_emit.redaction.rule import Span


def _looks_made_by_a_machine(value: str) -> bool:
    """Whether a value is unlike a word of prose: digits in it, capitals inside, or long."""
    return (
        len(value) >= 20
        or any(letter.isdigit() for letter in value)
        or (value != value.lower() and not value.istitle() and not value.isupper())
    )


def _without_closers(text: str, start: int, end: int) -> int:
    """Where an unquoted value ends when what closes a sentence or a call behind it is left out."""
    while end > start and text[end - 1] in ")]}>.:!?" and text[start] not in "<[({":
        end -= 1
    return end


def judge_password(text: str, start: int, end: int) -> Span | None:
    """Everything beside a password's name is one, but for words that say how the login went."""
    if text[start - 1] not in "\"'":
        end = _without_closers(text, start, end)
    return None if is_said_openly(text[start:end]) else (start, end)


def judge_token(text: str, start: int, end: int) -> Span | None:
    """As for passwords; and counts (`token: 5`) and words of prose (`token: unexpected end`) may stay."""
    quoted = text[start - 1] in "\"'"
    if not quoted:
        end = _without_closers(text, start, end)
    value = text[start:end]
    if is_said_openly(value) or len(value) < 4 or (value.isdigit() and len(value) < 6):
        return None
    is_prose = not quoted and text[start - 1].isspace() and not _looks_made_by_a_machine(value)
    is_scheme = (
        text[end : end + 2] == " <" and value.isalpha() and "authorization" in text[:start][-24:].lower()
    )
    return None if is_prose or is_scheme else (start, end)


def judge_url_password(text: str, start: int, end: int) -> Span | None:
    """Up to the last @ before the path; if there is none, an unescaped / stands in the password itself."""
    value = text[start:end]
    if _PORT.match(value):
        return None
    host = value.partition("/")[0].rfind("@")
    return start, (start + host if host >= 0 else end)


_PORT = re.compile(r"[0-9]{1,5}[/?#]")


def judge_bearer(text: str, start: int, end: int) -> Span | None:
    """`Bearer mF_9.B5f` is a secret, `bearer authentication` is not."""
    return (start, end) if _looks_made_by_a_machine(text[start:end]) else None


def judge_basic(text: str, start: int, end: int) -> Span | None:
    """Only what decodes to `user:password` is one, so that "basic information" stays."""
    import binascii  # noqa: PLC0415 rarely needed, and the import of this package is kept short

    letters = text[start:end].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        login = binascii.a2b_base64(letters[: len(letters) // 4 * 4])
    except binascii.Error:
        return None
    return (start, end) if b":" in login or len(letters) >= 40 else None


def judge_key(text: str, start: int, end: int) -> Span | None:
    """`sk-` and some letters also begin names; a key has digits."""
    return (start, end) if any(letter.isdigit() for letter in text[start:end]) else None


def judge_email(text: str, start: int, end: int) -> Span | None:
    """From the @ to the left goes the name; nobody's is `git@github.com`, and `icon@2x.png` is a file."""
    before = text[max(0, start - 64) : start]
    name, ending = (
        before[len(before.rstrip(_OF_NAMES)) :].lstrip(".%+-"),
        text[start:end].rpartition(".")[2].lower(),
    )
    is_file = ending in {"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css"}
    return None if name in {"", "git"} or is_file else (start - len(name), end)


_OF_NAMES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-"


# First digits, low and high, and the lengths that the issuer gives out (ISO/IEC 7812; issuers' pages).
# Visa's lengths of 13 and 19 exist on paper; taking them would hit one in ten ids of that length.
_CARD_ISSUERS = (
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("300", "305", (14,)),
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    ("3528", "3589", (16,)),
    ("4", "4", (16,)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("6011", "6011", (16,)),
    ("644", "649", (16,)),
    ("65", "65", (16,)),
    ("62", "62", (16, 17, 18, 19)),
)


def judge_card(text: str, start: int, end: int) -> Span | None:
    """A number that an issuer could have given out, standing by itself, with the right check digit."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if (
        before in {"-", ".", "_"}
        or after in {"-", "_"}
        or (after == "." and text[end + 1 : end + 2].isdigit())
    ):
        return None  # A piece of a longer id, or of a number with a fraction.
    digits = text[start:end].replace(" ", "").replace("-", "")
    issued = any(
        low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _CARD_ISSUERS
    )
    return (start, end) if issued and _has_check_digit(digits) else None


def _has_check_digit(digits: str) -> bool:
    """Luhn's test (ISO/IEC 7812-1, annex B)."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def judge_key_tail(text: str, start: int, end: int) -> Span | None:
    """The end of a private key whose beginning was cut off: what looks like its lines belongs to it."""
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in "+/=\\\r\n"):
        start -= 1
    return start, end


def judge_address(text: str, start: int, end: int) -> Span | None:
    """Valid addresses, unless they are pieces of something longer, such as a version or a name of C++."""
    import ipaddress  # noqa: PLC0415 off by default

    try:
        ipaddress.ip_address(text[start:end])
    except ValueError:
        return None
    before, after = text[start - 1 : start], text[end : end + 2]
    is_piece = (
        before == "." or before.isalnum() or after[:1].isalnum() or (after[:1] == "." and after[1:].isdigit())
    )
    has_digit = any(letter.isdigit() for letter in text[start:end])
    return None if is_piece or not has_digit else (start, end)
