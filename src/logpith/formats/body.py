"""The body of a record, as templates are mined from it."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from logpith.scan.colours import bytes_without_colours
from logpith.scan.records import Records

_MOST_SAMPLE_BYTES = 8 << 10


def body_of(buf: NDArray[np.uint8], records: Records, record: int) -> bytes:
    """What is mined of a record read from `buf`: its body, and what a JSON line says went wrong beside it."""
    spans = [(records.body_start[record], records.body_end[record])]
    if records.failure_end[record] > records.failure_start[record]:
        spans.append((records.failure_start[record], records.failure_end[record]))
    texts = [bytes(buf[start : min(end, start + _MOST_SAMPLE_BYTES)]) for start, end in spans]
    for _ in range(int(records.escapes[record])):
        texts = [_unescaped(text) for text in texts]
    texts = [bytes_without_colours(text) for text in texts]
    return texts[0] if len(texts) == 1 else texts[0] + b" (" + texts[1] + b")"


def _unescaped(text: bytes) -> bytes:
    """The inside of a JSON string as text; as it stands when it is none (a number, or cut within an escape)."""
    if b"\\" not in text:
        return text
    try:
        decoded: str = json.loads(b'"' + text + b'"', strict=False)
    except ValueError:
        return text
    return decoded.encode("utf-8", "backslashreplace")
