"""log_sql: what no other question asks, in SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from logpith.plural import counted
from logpith.tools import FilteredTool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logpith.answer import Answer, Json
    from logpith.corpus.desk import Desk
    from logpith.quote import Quoter

_TEXT_WIDTH = 300
_NAME_WIDTH = 60

_TAKEN = frozenset({"kind", "refs"})
"""What means something in an answer's rows."""


@dataclass(frozen=True, kw_only=True)
class SqlTool(FilteredTool):
    """Ask one SELECT, in DuckDB's SQL, of the tables records(timestamp, severity, level, service, source, line,
    template_id, template, body, text) and templates(id, text, count). Reads nothing else and changes nothing. Every
    text in its rows may be log text. For counts by a field log_count is shorter."""

    name: ClassVar[str] = "log_sql"
    command: ClassVar[str] = "sql"
    toolset: ClassVar[str] = "sql"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith sql 'select level, count(*) from records group by 1' app.log",
        "logpith sql \"select date_trunc('hour', timestamp) h, count(*) from records group by 1 order by 1\" logs/",
        "logpith sql 'select service, text from records where severity >= 17 limit 5' app.log --since 1h",
    )
    positional: ClassVar[tuple[str, ...]] = ("statement", "sources")

    statement: str
    """One statement that begins with SELECT, WITH, FROM or DESCRIBE."""

    limit: int = field(default=100, metadata={"minimum": 1, "most": 10_000})
    """Most rows to show; the others are counted."""

    time_limit: int = field(default=20, metadata={"minimum": 1, "maximum": 600})
    """Seconds that the statement may take."""

    budget: int = field(default=2000, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """The rows as the statement orders them."""
        from logpith.answer import Answer, Omitted
        from logpith.corpus.sql import ask, check_statement

        check_statement(self.statement)
        selection = self.select(desk)
        result = ask(selection, self.statement, self.limit, self.time_limit)
        quoter = desk.quoter()
        names = _distinct(result.columns, quoter)
        hidden = result.total - len(result.rows)
        rows = counted(result.total, "row")
        shown = f"; the first {len(result.rows):,} are shown" if hidden else ""
        return Answer(
            summary=" ".join([f"{rows} of {counted(len(selection), 'record')}{shown}.", *selection.notes]),
            items=tuple(
                {name: _quoted(value, quoter) for name, value in zip(names, row, strict=True)}
                for row in result.rows
            ),
            coverage=selection.coverage(quoter),
            omitted=Omitted.beyond_limit(hidden),
            found=bool(result.rows),
        )


def _distinct(columns: Iterable[str], quoter: Quoter) -> list[str]:
    """The names of the columns, each once; PIVOT makes names of values, so they may be log text too."""
    names: dict[str, None] = {}
    for column in columns:
        name = plain = quoter.quote(column, _NAME_WIDTH) or "?"
        number = 2
        while name in names or name in _TAKEN:
            name = f"{plain}_{number}"
            number += 1
        names[name] = None
    return list(names)


def _quoted(value: object, quoter: Quoter) -> Json:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124  NaN
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return quoter.quote(str(value), _TEXT_WIDTH)
