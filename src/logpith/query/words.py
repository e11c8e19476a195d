"""What it means that text contains a word, a phrase or a wildcard. Every backend must agree with this page.

**Case** never counts, except to a regex: both sides are folded (`fold`).

**A word character** is an ASCII letter or digit, the underscore, or anything past ASCII (a byte of 0x80 or
more). Everything else is a delimiter.

**A word** is found where its text stands with no word character touching its ends: `refused` is in
`connection-refused:`, not in `refused_by`. A word that itself holds delimiters (`10.0.0.1`, `a-b`) is
found in the same way, so it is a phrase. An end that is a delimiter (`[error]`) may touch anything.

**A phrase** is found exactly like a word; spaces inside count as they stand.

**A wildcard** is found like a word: `*` stands for any run of characters but white space and the double
quote, `?` for exactly one of them, and an end that is a hole has no border.

**Escapes.** JSON text holds `\\n`, `\\"` or `\\u00e9` where the value has a line end, a quote or an é. Text
with a backslash is therefore searched twice, as it stands and with these escapes undone; to be found in
either is to be found. An escape of a *plain* character (`PLAIN`) is left alone. So text that
contains a word also contains, byte for byte but for case, every run of plain characters in that word:
`plan.py` builds on this.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable

PLAIN = frozenset(string.ascii_letters + string.digits + " _-.:,@#")
"""Characters that no writer of JSON escapes, quotes or doubles."""

# The only characters past ASCII whose small letter is ASCII or longer (KELVIN SIGN, I WITH DOT ABOVE).
# Folding leaves them, so that it never makes an ASCII letter that is not in the raw bytes.
_KEPT_BY_FOLD = re.compile("[\u0130\u212a]")
_SHORT_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|([ntrbf"\\/]))')

WORD_CLASS = r"0-9A-Za-z_\x{80}-\x{10FFFF}"
"""The inside of an RE2 character class that holds the word characters."""


def fold(text: str) -> str:
    """Text in small letters; as long as it was, and no character past ASCII becomes ASCII."""
    if text.isascii() or not _KEPT_BY_FOLD.search(text):
        return text.lower()
    kept = iter(_KEPT_BY_FOLD.findall(text))
    return "".join(part.lower() + next(kept, "") for part in _KEPT_BY_FOLD.split(text))


def readings(text: str) -> tuple[str, ...]:
    """The text as it stands and, when that differs, with the escapes of JSON undone."""
    if "\\" not in text:
        return (text,)
    undone = _ESCAPE.sub(_undo, text)
    return (text,) if undone == text else (text, undone)


def phrase_finder(phrase: str) -> Callable[[str], bool]:
    """Whether a *folded* text contains the word or phrase."""
    needle = fold(phrase)
    starts_with_word, ends_with_word = is_word_character(needle[0]), is_word_character(needle[-1])

    def find(folded: str) -> bool:
        start = folded.find(needle)
        while start >= 0:
            end = start + len(needle)
            touches_before = starts_with_word and start > 0 and is_word_character(folded[start - 1])
            touches_after = ends_with_word and end < len(folded) and is_word_character(folded[end])
            if not touches_before and not touches_after:
                return True
            start = folded.find(needle, start + 1)
        return False

    return find


def wildcard_regex(pieces: Iterable[tuple[str, bool]], *, any_case: bool = False) -> str:
    """An RE2 pattern found in a *folded* text exactly where the wildcard is; pieces as in the tree. With `any_case` it
    is found in a text as it stands: pieces must be ASCII then."""
    parts = list(pieces)
    spell = _in_any_case if any_case else re.escape
    holes = {"*": r'[^\s"]*', "?": r'[^\s"]'}
    inside = "".join(holes[piece] if is_hole else spell(fold(piece)) for piece, is_hole in parts)
    first, last = parts[0], parts[-1]
    # RE2 has no look-around; that the border takes one character does not matter to whether there is a match.
    before = f"(?:^|[^{WORD_CLASS}])" if not first[1] and is_word_character(first[0][0]) else ""
    after = f"(?:$|[^{WORD_CLASS}])" if not last[1] and is_word_character(last[0][-1]) else ""
    return f"{before}{inside}{after}"


def _in_any_case(text: str) -> str:
    # RE2's (?i) would take letters past ASCII for some of these.
    return "".join(f"[{sign}{sign.upper()}]" if sign.isalpha() else re.escape(sign) for sign in text)


def is_word_character(character: str) -> bool:
    """Whether a character belongs to a word."""
    return character >= "\x80" or character == "_" or character.isalnum()


def plain_runs(text: str, *, without: str = "") -> list[str]:
    """The longest runs of folded text made of plain characters only, those in `without` apart."""
    plain = "".join(
        character if character in PLAIN and character not in without else "\0" for character in text
    )
    return [run for run in plain.lower().split("\0") if run]


def _undo(escape: re.Match[str]) -> str:
    code, short = escape.groups()
    if short is not None:
        return _SHORT_ESCAPES[short]
    character = chr(int(code, 16))
    return escape[0] if character in PLAIN else character
