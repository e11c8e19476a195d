"""Map: fields under the names by which they are asked for, and in the columns that they mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from logpith.batch import Batch, add_attributes, extra_of, spell_extra, text_spans, with_column
from logpith.query.of_batch import Parsed, field_values, fill_column, which_match
from logpith.scan.search import Literal, mark_records
from logpith.stages import Apply, Outcome, Stage
from logpith_emit.errors import BadArgument


@dataclass(frozen=True, kw_only=True)
class MapStage(Stage):
    """Give fields other names. A name that means the time, the severity or the service fills that column too."""

    type: ClassVar[str] = "map"

    rename: tuple[str, ...] = ()
    """The old name and the new one: `{ lvl = "log_level" }`. The text itself is not changed."""

    aliases: tuple[str, ...] = ()
    """The same, but that an attribute which a stage has added keeps its old name as well."""

    def __post_init__(self) -> None:
        for text in (*self.rename, *self.aliases):
            old, sign, new = text.partition("=")
            if not (old and sign and new):
                raise BadArgument(f"{text!r} renames nothing", remedy='Write rename = { lvl = "log_level" }')

    @contextmanager
    def open(self) -> Iterator[Apply]:
        choose = which_match(self.only)
        renamed = [(old, new) for old, _, new in (text.partition("=") for text in self.rename)]
        aliased = [(old, new) for old, _, new in (text.partition("=") for text in self.aliases)]

        def apply(batch: Batch) -> Outcome:
            chosen = choose(batch)
            count = 0
            parsed = Parsed()
            for old, new in (*renamed, *aliased):
                values = field_values(batch, old, chosen, parsed)
                count += len(values)
                # Records with the same text share what is added, which is spelled once then.
                texts = {value: {new: value} for value in values.values() if isinstance(value, str)}
                added = {
                    place: texts[value] if isinstance(value, str) else {new: value}
                    for place, value in values.items()
                }
                batch = add_attributes(batch, added)
                batch = fill_column(batch, new, values)
            for old, _ in renamed:
                batch = _without(batch, old)
            return Outcome(kept=batch, counters={"mapped": count} if count else {})

        yield apply


def _without(batch: Batch, name: str) -> Batch:
    """The batch without an attribute that stages had added."""
    buf, starts, ends = text_spans(batch["extra"])
    held = np.flatnonzero(mark_records(buf, starts, ends, Literal(name.encode()))).tolist()
    if not held:
        return batch
    extras = batch["extra"].to_pylist()
    for place in held:
        extra = extra_of(extras[place])
        extra.pop(name, None)
        extras[place] = spell_extra(extra)
    return with_column(batch, "extra", pa.array(extras, pa.string()))
