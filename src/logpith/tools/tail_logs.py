"""tail_logs: what each service has said last, and what has come since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from logpith.plural import counted
from logpith.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from logpith.answer import Answer, Json
    from logpith.corpus.arrival import Position
    from logpith.corpus.desk import Desk
    from logpith.corpus.records import Corpus
    from logpith.corpus.services import Services
    from logpith.quote import Quoter

_TEXT_WIDTH = 240
_NAME_WIDTH = 60
_TRIES = 2


@dataclass(frozen=True, kw_only=True)
class TailTool(Tool):
    """The last lines of each service, newest first; with the cursor of the answer before only what has come since,
    in the order in which it came. To look for something use search_logs."""

    name: ClassVar[str] = "tail_logs"
    command: ClassVar[str] = "last"
    toolset: ClassVar[str] = "aggregate"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith last --services voice-pipeline --lines 20   # of all that is collected",
        "logpith tail -f logs/*.log   # to watch",
    )
    flags: ClassVar[Mapping[str, str]] = {"lines": "n"}
    aliases: ClassVar[Mapping[str, str]] = {**Tool.aliases, "service": "services"}

    services: tuple[str, ...] = ()
    """Services, or groups of them; none means all."""

    lines: int = field(default=50, metadata={"minimum": 1, "most": 500})
    """Most lines of each service."""

    cursor: str = ""
    """Where the answer before has ended."""

    budget: int = field(default=1500, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """A row for each line. What the budget cuts off of new lines is what the cursor goes on with."""
        from logpith.corpus.arrival import read_position
        from logpith_emit.errors import Unavailable

        start = read_position(self.cursor.strip().removeprefix("cursor=")) if self.cursor else None
        failed: Exception
        for _ in range(_TRIES):  # what was put together anew meanwhile is found by the second
            try:
                return self._told(desk.open(self.sources), desk, start)
            except (Unavailable, OSError) as error:
                failed = error
        return self._told(desk.newest(self.sources, failed), desk, start)

    def cursor_after(self, shown: int) -> str | None:
        """Where one was, when not even one line could be shown."""
        return self.cursor if not shown and self.cursor else None

    def _told(self, corpus: Corpus, desk: Desk, start: Position | None) -> Answer:
        from logpith.corpus.services import Services

        services = Services(corpus, desk.groups)
        if start is None:
            return self._last(corpus, services, desk.quoter())
        return self._new(corpus, services, start.spelled(), desk.quoter())

    def _last(self, corpus: Corpus, services: Services, quoter: Quoter) -> Answer:
        import numpy as np

        from logpith.answer import Answer
        from logpith.corpus.arrival import position_of

        among = services.chosen(np.arange(len(corpus)), self.services)
        of_service = services.of(among)
        shown = _newest_of_each(corpus, among, of_service, self.lines)
        count = len(np.unique(of_service))
        of = f"{counted(len(among), 'line')} of {count} service{'s' * (count != 1)}"
        told = f"The last {len(shown):,} of {of}, newest first."
        return Answer(
            summary=told if len(shown) else "There are no lines here.",
            items=tuple(_items(corpus, shown, services, quoter)),
            coverage=corpus.coverage(quoter),
            # Whatever the budget leaves out is older than this.
            cursor=f"cursor={position_of(corpus).spelled()}",
            cursors=(f"cursor={position_of(corpus).spelled()}",) * len(shown),
            found=len(shown) > 0,
        )

    def _new(self, corpus: Corpus, services: Services, start: str, quoter: Quoter) -> Answer:
        from logpith.answer import Answer
        from logpith.corpus.arrival import arrived_after, position_of, positions_behind, read_position

        position = read_position(start)
        arrived = arrived_after(corpus, position)
        new = services.chosen(arrived, self.services)
        shown = new[: self.lines * max(len(self.services), 1)]
        behind = positions_behind(corpus, shown, position)
        rest = len(new) - len(shown)
        end = behind[-1] if rest and behind else position_of(corpus)
        more = f"; {len(shown):,} of them follow" if rest else ""
        return Answer(
            summary=f"{counted(len(new), 'new line')} since the cursor, as they came{more}."
            if len(new)
            else "Nothing has come since.",
            items=tuple(_items(corpus, shown, services, quoter)),
            coverage=corpus.coverage(quoter),
            cursor=f"cursor={end.spelled()}",
            cursors=tuple(f"cursor={one.spelled()}" for one in behind),
            found=len(new) > 0,
        )


def _newest_of_each(
    corpus: Corpus, records: NDArray[np.int64], of_service: NDArray[np.int32], most: int
) -> NDArray[np.int64]:
    """The last `most` records of each service in time, the newest of all first."""
    from logpith.scan.tally import last_of_each, time_ranks

    return last_of_each(records, of_service, time_ranks(corpus.columns.time_ns[records]), most)


def _items(
    corpus: Corpus, records: NDArray[np.int64], services: Services, quoter: Quoter
) -> list[dict[str, Json]]:
    wrote = [services.names[place] for place in services.of(records).tolist()]
    items: list[dict[str, Json]] = []
    lines = corpus.evidence(records.tolist(), quoter, _TEXT_WIDTH)
    for name, line in zip(wrote, lines, strict=True):
        item: dict[str, Json] = {
            "time": line.time,
            "service": quoter.quote(name, _NAME_WIDTH),
            "severity": line.severity,
            "ref": line.ref,
            "text": line.text,
        }
        if line.flag:
            item["flag"] = line.flag
        items.append({key: value for key, value in item.items() if value})
    return items
