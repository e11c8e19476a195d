"""Validate: what records lack is counted, what is too long is cut, and where wanted such records go aside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logpith.batch import Batch, add_attributes, text_spans, with_column
from logpith.query.fields import SEVERITY, TIMESTAMP, column_named, column_spelled
from logpith.query.of_batch import has_field, which_match
from logpith.stages import Apply, Outcome, Stage

REQUIRED: Final = ("timestamp", "service", "severity", "message")

TRUNCATED: Final = "truncated"
ORIGINAL_BYTES: Final = "original_bytes"


@dataclass(frozen=True, kw_only=True)
class ValidateStage(Stage):
    """Count the records that lack a field, and cut those that are too long."""

    type: ClassVar[str] = "validate"
    remembers: ClassVar[bool] = False

    required_fields: tuple[str, ...] = REQUIRED
    """Fields that every record should have, in any spelling."""

    strict: bool = False
    """Whether a record that lacks one goes to the dead letters."""

    most_line_bytes: int = field(default=1 << 20, metadata={"minimum": 64, "maximum": 1 << 30})
    """Longer records are cut there, and have the attributes `truncated` and `original_bytes`."""

    @contextmanager
    def open(self) -> Iterator[Apply]:
        choose = which_match(self.only)

        def apply(batch: Batch) -> Outcome:
            chosen = choose(batch)
            batch, cut = self._cut(batch, chosen)
            counters = {"truncated": cut} if cut else {}
            reasons = np.full(batch.num_rows, "", object)
            for name in self.required_fields:
                lacking = _lacking(batch, name, chosen)
                if count := int(lacking.sum()):
                    counters[f"missing_{name}"] = count
                    reasons[lacking & (reasons == "")] = f"missing_{name}"
            if not self.strict or not (bad := reasons != "").any():
                return Outcome(kept=batch, counters=counters)
            dead = {reason: batch.filter(pa.array(reasons == reason)) for reason in sorted({*reasons[bad]})}
            return Outcome(kept=batch.filter(pa.array(~bad)), dead=dead, counters=counters)

        yield apply

    def _cut(self, batch: Batch, chosen: NDArray[np.bool_]) -> tuple[Batch, int]:
        """The batch with its long texts cut, and how many those were."""
        _, starts, ends = text_spans(batch["line"])
        sizes = ends - starts
        places = np.flatnonzero(chosen & (sizes > self.most_line_bytes)).tolist()
        if not places:
            return batch, 0
        lines = batch["line"].to_pylist()
        for place in places:
            lines[place] = _whole_characters(lines[place][: self.most_line_bytes])
        batch = with_column(batch, "line", pa.array(lines, pa.binary()))
        told = {place: {TRUNCATED: True, ORIGINAL_BYTES: int(sizes[place])} for place in places}
        return add_attributes(batch, told), len(places)


def _whole_characters(line: bytes) -> bytes:
    """A cut text without the piece of a character at its end."""
    for back in range(1, min(4, len(line)) + 1):
        byte = line[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:  # a character begins here; its first byte says how long it is
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return line if length == back else line[:-back]
    return line


def _lacking(batch: Batch, name: str, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the chosen records do not have a field."""
    column = column_named(name) or column_spelled(name)
    lacking = chosen.copy()
    if column == SEVERITY:
        lacking &= batch["severity_number"].to_numpy(zero_copy_only=False) == 0
    elif column == TIMESTAMP:
        lacking &= batch["timestamp"].is_null().to_numpy(zero_copy_only=False)
    elif column == "body":
        # A text that is no object of fields is its own message.
        buf, starts, ends = text_spans(batch["line"])
        lacking &= (starts == ends) | (buf[np.minimum(starts, len(buf) - 1)] == ord("{"))
        lacking &= ~has_field(batch, name, lacking)
    elif column == "service":
        _, starts, ends = text_spans(batch["service"])
        lacking &= starts == ends
        # The scan has read it wherever a format has one; outside of JSON, looking again is parsing each record.
        buf, starts, _ = text_spans(batch["line"])
        is_json = buf[np.minimum(starts, len(buf) - 1)] == ord("{")
        lacking &= ~has_field(batch, name, lacking & is_json)
    elif lacking.any():
        lacking &= ~has_field(batch, name, lacking)
    return lacking
