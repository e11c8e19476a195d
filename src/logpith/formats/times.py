"""Times that stand alone: what a field of a record says, in whichever way the logs of the world write times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from logpith.formats.recognise import Recognised
from logpith.scan.records import PADDING, read_records
from logpith.scan.timestamps import NO_TIME
from logpith_emit.record import timestamp_ns


def times_of(texts: Sequence[str], newest_ns: int) -> list[int | None]:
    """The time of each text, None where it is none.

    A time without a year belongs to the last such day before `newest_ns`, one without a zone to UTC.
    """
    times = [timestamp_ns(text) for text in texts]
    left = [place for place, time in enumerate(times) if time is None]
    if left:
        for place, time in zip(left, _scanned([texts[place] for place in left], newest_ns), strict=True):
            times[place] = time
    return times


def _scanned(texts: Sequence[str], newest_ns: int) -> list[int | None]:
    """The times at the heads of texts, read as lines of a log are."""
    lines = [" ".join(text.split()).encode("utf-8", "surrogateescape") + b" .\n" for text in texts]
    ends = np.cumsum([len(line) for line in lines])
    whole = b"".join(lines)
    buf = np.frombuffer(whole + bytes(PADDING), np.uint8)
    records = read_records(buf, 0, len(whole), Recognised(newest_ns=newest_ns).look_at(buf, 0, len(whole)))
    found: list[int | None] = [None] * len(lines)
    # What has no time of its own may have been joined to the line before it.
    for start, time in zip(records.start.tolist(), records.time_ns.tolist(), strict=True):
        if time != NO_TIME:
            found[int(np.searchsorted(ends, start, "right"))] = time
    return found
