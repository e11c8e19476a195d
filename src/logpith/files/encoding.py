"""Encodings: whether bytes are text at all, and UTF-16 as a stream of UTF-8.

UTF-8 and everything that has ASCII's newlines stay as they are; which letters their other bytes mean is decided
where a record is shown (`quote.decode`). UTF-16 has other newlines, so it is transcoded before lines are cut.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np

UTF_8_MARK = codecs.BOM_UTF8
NUL_RUN_BYTES = 128
"""So many NULs in a row are a hole that a crashed or truncating machine has left, not text."""

_NUL_RUNS = re.compile(rb"\0{%d,}" % NUL_RUN_BYTES)
# Without a mark: of UTF-16's pairs, ASCII leaves every other byte NUL. Half is enough for logs in other scripts,
# which have blanks, digits and times in ASCII; text in UTF-8 has none.
_LEAST_NUL_SHARE = 0.5
_MOST_OTHER_SHARE = 0.02
_LEAST_SAMPLE_BYTES = 8


def encoding_of(head: bytes) -> str:
    """`utf-16-le`, `utf-16-be`, or "" for whatever has single bytes as newlines."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return ""
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le" if _is_likely(head, 0) else ""
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be" if _is_likely(head, 1) else ""
    return _by_nuls(head)


def _is_likely(head: bytes, newline_at: int) -> bool:
    """Whether text behind a mark goes on in pairs: a line of bytes may begin with the two bytes of a mark too."""
    pairs = np.frombuffer(head[: len(head) // 2 * 2], np.uint8).reshape(-1, 2)[1:]
    if not len(pairs):
        return True
    lone_newlines = int((pairs == 10).any(axis=1).sum())
    paired = int(((pairs[:, newline_at] == 10) & (pairs[:, 1 - newline_at] == 0)).sum())
    return paired > 0 or lone_newlines == 0


def _by_nuls(head: bytes) -> str:
    if len(head) < _LEAST_SAMPLE_BYTES:
        return ""
    pairs = np.frombuffer(head[: len(head) // 2 * 2], np.uint8).reshape(-1, 2)
    pairs = pairs[(pairs != 0).any(axis=1)]  # a hole says nothing
    if len(pairs) < _LEAST_SAMPLE_BYTES // 2:
        return ""
    even, odd = (pairs == 0).mean(axis=0).tolist()
    if odd >= _LEAST_NUL_SHARE and even < _MOST_OTHER_SHARE:
        return "utf-16-le"
    if even >= _LEAST_NUL_SHARE and odd < _MOST_OTHER_SHARE:
        return "utf-16-be"
    return ""


def looks_binary(head: bytes) -> bool:
    """Whether the first bytes of a file are no text: many NULs, or many control bytes that no terminal log has.

    A run of NULs beside text is a hole, not a sign; a file of nothing else is no text.
    """
    solid = _NUL_RUNS.sub(b"", head)
    if not solid:
        return bool(head)
    counts = np.bincount(np.frombuffer(solid, np.uint8), minlength=256)
    control = int(counts[:32].sum() - counts[[8, 9, 10, 12, 13, 27]].sum() + counts[127])
    return control > len(solid) * 0.1


def transcode(pieces: Iterable[bytes], encoding: str, note: Callable[[str], None]) -> Iterator[bytes]:
    """The text of `pieces` as UTF-8, without the mark at its beginning; what is no text becomes U+FFFD.

    A run of NULs stays what it is; `note` is told of half a character at the end.
    """
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    first = True
    for piece in pieces:
        text = decoder.decode(piece)
        if first and text:
            text = text.removeprefix("\ufeff")
            first = False
        if text:
            yield text.encode("utf-8", "replace")
    if decoder.getstate()[0]:
        note("ends within a character")
