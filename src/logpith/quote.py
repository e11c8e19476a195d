"""The one gate through which log text leaves: secrets blanked out, hidden characters shown, length bounded.

Log text is hostile input to three interpreters: the terminal, the browser and the model that reads. Behind
this gate it holds no character that a terminal acts upon and none that a person cannot see ("Trojan Source",
CVE-2021-42574; Unicode Technical Report 36), and no token that begins a turn in a chat template.
"""

from __future__ import annotations

import re
import string

from logpith.injection import break_chat_tokens, speaks_to_a_model
from logpith_emit.redaction import Redactor

DEFAULT_WIDTH = 300
"""Characters of a quoted text, unless its reader asks for another number."""

# No secret that we know is longer: a private key of 16,384 bits takes 13 KiB. Of longer texts only the ends
# are read, and this much beside the cut is read but never shown, so that a secret which the cut divides is
# not shown by half.
MARGIN = 64 * 1024

INSTRUCTION_LIKE = "instruction-like"

# The signs that secrets are made of. A cut text begins and ends outside a run of them.
_RUN = string.ascii_letters + string.digits + "+/=.~%:@_-"

# Unicode's categories Cc, Cf, Cs, Zl and Zp; and in the last line what is blank or changes its neighbour
# though its category is another.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bcaf"
    "\U0001d173-\U0001d17a\ud800-\udfff\U000e0000-\U000e0fff"
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0e]"
)
# A whole character of UTF-8 beyond ASCII.
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# A letter beyond ASCII with an ASCII letter beside it, or a sign that stands alone: what cp1252 is used for.
_WESTERN_WORD = re.compile(
    "[A-Za-z][À-ÖØ-öø-ÿŠŒŽšœžŸ]|[À-ÖØ-öø-ÿŠŒŽšœžŸ][A-Za-z]"
    "|[€£§°±²³µ·«»\u2013\u2014\u2018\u2019\u201c\u201d•…]"
)
_SHORT_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

_ALREADY_SHORTENED = re.compile(r"…\[([\d,]+ (?:characters|bytes))\]…")


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` characters; where its middle goes, its whole length stands instead.

    That mark itself stays whole, however small the width.
    """
    if len(text) <= width:
        return text
    before = _ALREADY_SHORTENED.search(text)
    return _join_ends(text, text, width, before[1] if before else f"{len(text):,} characters")


def show_hidden(text: str) -> str:
    r"""The text with every character that cannot be seen, or that moves others, as its escape: `\x1b`."""
    return _HIDDEN.sub(_escape, text)


class Quoter:
    """Makes log text fit to be shown; one for each answer, since it counts for that answer's coverage.

    The same secret has the same placeholder in everything that one quoter gives.
    """

    def __init__(self) -> None:
        self._redactor = Redactor()
        kinds = "|".join(sorted(self._redactor.counts))
        self._numberless = re.compile(rf"<({kinds})(?::<(?:\*|[a-z]{{1,12}})>)?>")
        self._numbered_0 = re.compile(rf"<({kinds}):0>")
        self.flagged = 0
        """Texts so far that read as if they spoke to a model."""

    @property
    def redacted(self) -> int:
        """Secrets blanked out so far."""
        return sum(self._redactor.counts.values())

    def quote(self, text: bytes | str, width: int = DEFAULT_WIDTH) -> str:
        """One line, safe to print anywhere, of at most `width` characters."""
        longest = width + MARGIN
        if len(text) <= 2 * longest:
            return shorten(self._clean(_decode(text)), width)
        unit = "bytes" if isinstance(text, bytes) else "characters"
        head = self._clean(_decode(text[:longest]).rstrip(_RUN))
        tail = self._clean(_decode(text[-longest:]).lstrip(_RUN))
        return _join_ends(head, tail, width, f"{len(text):,} {unit}")

    def flag(self, text: bytes | str) -> str:
        """`instruction-like` for a text that reads as if it spoke to a model, else nothing.

        Give it the text as it came: what hides a phrase is gone from a quoted one.
        """
        ends = (text,) if len(text) <= 2 * MARGIN else (text[:MARGIN], text[-MARGIN:])
        found = any(speaks_to_a_model(_decode(end)) for end in ends)
        self.flagged += found
        return INSTRUCTION_LIKE if found else ""

    def _clean(self, text: str) -> str:
        """Safe text. In a template over redacted text the number of a placeholder is a slot, which says nothing."""
        whole = self._numberless.sub(r"<\1:0>", text)  # as the redactor knows them; it gives out no 0
        redacted = self._redactor.redact(whole)
        if whole != text:
            redacted = self._numbered_0.sub(r"<\1>", redacted)
        return break_chat_tokens(show_hidden(redacted))


def decode(text: bytes, errors: str = "backslashreplace") -> str:
    """Log text as characters: UTF-8, or what Western programs of Windows and older Unix wrote, where it is none.

    A text of mostly UTF-8 with a few damaged bytes (cut within a character, binary data in a message) stays UTF-8,
    and what is damaged stands as `errors` says.
    """
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        pass
    lenient = text.decode("utf-8", errors)
    if _MULTIBYTE.search(text):
        return lenient
    try:
        western = text.decode("cp1252")
    except UnicodeDecodeError:
        return lenient
    return western if _WESTERN_WORD.search(western) else lenient


def _decode(text: bytes | str) -> str:
    return decode(text) if isinstance(text, bytes) else text


def _escape(hidden: re.Match[str]) -> str:
    character = hidden[0]
    number = ord(character)
    if number > 0xFFFF:
        return f"\\U{number:08x}"
    return _SHORT_ESCAPES.get(character) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


def _join_ends(head: str, tail: str, width: int, length: str) -> str:
    """What a text says first matters most: two thirds of the room are its head's."""
    mark = f"…[{length}]…"
    room = max(width - len(mark), 0)
    from_tail = room // 3
    return f"{head[: room - from_tail]}{mark}{tail[len(tail) - min(from_tail, len(tail)) :]}"
