"""log_quality: which fields are missing that every record should have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from logpith.plural import counted
from logpith.tools import FilteredTool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from logpith.answer import Answer
    from logpith.corpus.desk import Desk
    from logpith.corpus.quality import Lack
    from logpith.corpus.selection import Selection

_TEXT_WIDTH = 160
_NAME_WIDTH = 200
_MOST_FIELDS = 20
_MOST_EVIDENCE = 10


@dataclass(frozen=True, kw_only=True)
class QualityTool(FilteredTool):
    """Which sources have records without a time, a service, a severity or a message, and how many, with one line of
    proof each. To find out how lines are read use log_overview."""

    name: ClassVar[str] = "log_quality"
    command: ClassVar[str] = "quality"
    toolset: ClassVar[str] = "quality"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith quality logs/",
        "logpith quality --required timestamp --required trace_id app.log",
    )
    flags: ClassVar[Mapping[str, str]] = {**FilteredTool.flags, "required": "r"}

    required: tuple[str, ...] = ()
    """Fields that every record should have, in any spelling; timestamp, service, severity and message by default."""

    def answer(self, desk: Desk) -> Answer:
        """A row for each source and field that is missing in it, where the most records lack it first."""
        from logpith.answer import Answer
        from logpith.corpus.fields import check_field
        from logpith.corpus.quality import REQUIRED, find_lacks
        from logpith.quote import shorten
        from logpith_emit.errors import BadArgument

        if len(self.required) > _MOST_FIELDS:
            raise BadArgument("so many fields nobody requires", remedy=f"Name at most {_MOST_FIELDS} fields")
        for name in self.required:
            check_field(name)
        selection = self.select(desk)
        quoter = desk.quoter()
        required = tuple(dict.fromkeys(self.required)) or REQUIRED
        lacks = find_lacks(selection, required)
        evidence = selection.corpus.evidence(
            [lack.first for lack in lacks[:_MOST_EVIDENCE]], quoter, _TEXT_WIDTH
        )
        refs = [line.ref for line in evidence]
        return Answer(
            summary=" ".join([_summary(selection, lacks, required), *selection.notes]),
            items=tuple(
                {
                    "source": quoter.quote(lack.source, _NAME_WIDTH),
                    "field": shorten(lack.field, _NAME_WIDTH),
                    "missing": lack.missing,
                    "records": lack.records,
                    "share": round(lack.share, 4),
                    **({"refs": [refs[place]]} if place < len(refs) else {}),
                }
                for place, lack in enumerate(lacks)
            ),
            evidence=evidence,
            coverage=selection.coverage(quoter),
            next=(f'log_fetch(refs=["{refs[0]}"], before=2, after=2)',) if refs else (),
            found=len(selection) > 0,
        )


def _summary(selection: Selection, lacks: Sequence[Lack], required: Sequence[str]) -> str:
    if not len(selection):
        return "There are no lines here." if not len(selection.corpus) else "No record matches."
    count = selection.corpus.source_count
    told = f"{counted(len(selection), 'record')} of {counted(count, 'source')}"
    if not lacks:
        return f"{told} {'has' if len(selection) == 1 else 'have'} all of {counted(len(required), 'field')}."
    sources = len({lack.source for lack in lacks})
    worst = lacks[0]
    return (
        f"{told}; {counted(sources, 'source')} lack{'s' * (sources == 1)} something, most often in "
        f"{worst.missing:,} of {counted(worst.records, 'record')}."
    )
