"""Parse: fields taken out of the texts of a program of one's own, by a regular expression or grok."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from logpith.batch import Batch, add_attributes, text_spans
from logpith.formats.own import one_format
from logpith.query.of_batch import fill_column, which_match
from logpith.scan.json_fields import SERVICE, SEVERITY, TIME
from logpith.scan.records import OwnFormat
from logpith.stages import Apply, Outcome, Stage
from logpith_emit.errors import BadArgument

_COLUMNS = {TIME: "timestamp", SEVERITY: "severity", SERVICE: "service"}


@dataclass(frozen=True, kw_only=True)
class ParseStage(Stage):
    """Take fields out of the first line of a text: each named group is an attribute.

    Groups that are named as time, level or service are what these are for the record.
    """

    type: ClassVar[str] = "parse"

    regex: str = ""
    """An RE2 expression with named groups, `(?P<call_id>CA[0-9a-f]+)`, that matches the whole line."""

    grok: str = ""
    """Grok instead: `%{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} %{GREEDYDATA:message}`."""

    patterns: tuple[str, ...] = ()
    """Pieces for grok: `{ CALL = "CA[0-9a-f]{8}" }`."""

    otherwise: Literal["keep", "dead"] = "keep"
    """What becomes of a text that does not match: it is kept as it is, or goes to the dead letters."""

    def __post_init__(self) -> None:
        self._format()

    def _format(self) -> OwnFormat:
        """Raises:
        BadArgument: neither regex nor grok is given, or it cannot be read.
        """
        pieces = {name: piece for name, _, piece in (text.partition("=") for text in self.patterns)}
        if not all(pieces.values()):
            raise BadArgument(
                "patterns: one says nothing", remedy='Write patterns = { CALL = "CA[0-9a-f]+" }'
            )
        return one_format(self.regex, self.grok, pieces, "it")

    @contextmanager
    def open(self) -> Iterator[Apply]:
        choose = which_match(self.only)
        form = self._format()
        fields = dict(form.fields)
        roles = {fields[number]: role for number, role in form.roles}

        def apply(batch: Batch) -> Outcome:
            chosen = choose(batch)
            buf, starts, ends = text_spans(batch["line"])
            added: dict[int, dict[str, object]] = {}
            # RE2 takes one text at a time; this is the loop over them.
            for place in np.flatnonzero(chosen).tolist():
                match = form.find(bytes(buf[starts[place] : ends[place]]).split(b"\n", 1)[0])
                if match is not None:
                    found = ((name, match.group(number)) for number, name in fields.items())
                    added[place] = {name: _text(value) for name, value in found if value}
            batch = add_attributes(batch, added)
            for name, role in roles.items():
                if role in _COLUMNS:
                    told = {place: str(values[name]) for place, values in added.items() if name in values}
                    batch = fill_column(batch, _COLUMNS[role], told)
            missed = chosen.copy()
            missed[list(added)] = False
            count = int(missed.sum())
            counters = {"parsed": len(added), "unparsed": count}
            if count and self.otherwise == "dead":
                dead = batch.filter(pa.array(missed))
                kept = batch.filter(pa.array(~missed))
                return Outcome(kept=kept, dead={"unparsed": dead}, counters=counters)
            return Outcome(kept=batch, counters=counters)

        yield apply


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
