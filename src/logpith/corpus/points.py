"""Points: where unpacking a large packed file can begin, remembered between processes.

Without them each process that opens a ref unpacks all that stands before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from logpith.corpus import cache
from logpith.files.archive import AnyText
from logpith.files.text import TextFile

_KIND = "points"
_MOST_KEPT = 200


def parts_of(text: AnyText, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    """As `text.parts(spans)`, which is sooner done when a process before had to unpack the same file."""
    if not isinstance(text, TextFile) or not text.packing:
        return text.parts(spans)
    key = _key(text)
    kept = cache.read_note(_KIND, key)
    if kept:
        text.use_points(kept)
    parts = text.parts(spans)
    now = text.saved_points()
    if now != kept:
        cache.write_note(_KIND, key, now, _MOST_KEPT)
    return parts


def _key(text: TextFile) -> str:
    identity = text.identity
    name = f"{identity.device}:{identity.inode}"
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
