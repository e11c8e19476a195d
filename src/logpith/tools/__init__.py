"""Tools: the questions anyone may ask. One file each; every door is made from this folder.

A tool is a frozen dataclass: its fields are the arguments, `answer()` the behaviour, its docstring and the
string under each field the text that people read in `--help` and agents in the tool's description. To add a
tool, write `tools/NAME.py` with one subclass of `Tool` and its test: there is no list to extend.

What each tool owes:

- `answer()` looks at nothing but the corpus that the desk opens, and gives the same answer to the same call.
- Log text stands only in evidence and in item fields named `template`, `example` or `text`, and goes through
  the desk's quoter first.
- Items and evidence come ranked; they are cut from the tail to the budget by the door, and counted.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from logpith.answer import Answer
    from logpith.corpus.desk import Desk
    from logpith.corpus.selection import Selection


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A question about logs."""

    name: ClassVar[str]
    """What agents call it: `log_overview`."""

    command: ClassVar[str]
    """What people type: `overview`."""

    examples: ClassVar[tuple[str, ...]]
    """Command lines worth copying, shown in `--help`."""

    positional: ClassVar[tuple[str, ...]] = ("sources",)
    """The fields that a command line fills from its words, in order; the last may take many."""

    flags: ClassVar[Mapping[str, str]] = {}
    """Short options: field name → letter."""

    aliases: ClassVar[Mapping[str, str]] = {"file": "sources", "files": "sources", "path": "sources"}
    """Other names that callers may use for an argument."""

    toolset: ClassVar[str] = "core"
    """Which tools it comes with: a server offers whole toolsets, so that agents read of no tool they do not need."""

    sources: tuple[str, ...] = ()
    """Files, globs or folders to read; none means all there are."""

    budget: int = field(default=1000, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    @abstractmethod
    def answer(self, desk: Desk) -> Answer:
        """The answer, not yet cut to the budget."""

    def cursor_after(self, shown: int) -> str | None:
        """Where to go on when the budget leaves room for only `shown` items; None when there are no pages."""
        return None


@dataclass(frozen=True, kw_only=True)
class FilteredTool(Tool):
    """A question about some of the records: those that match a query, in a period."""

    aliases: ClassVar[Mapping[str, str]] = {**Tool.aliases, "filter": "query"}

    flags: ClassVar[Mapping[str, str]] = {"query": "q"}

    query: str = ""
    """Only records that match: words, "phrases", wild*, /regex/, level>=warn, field:value, AND OR NOT."""

    since: str = ""
    """Only records from then on: 2026-11-20T13:00, 10m (before the last record), now-2h."""

    until: str = ""
    """Only records before then."""

    def call(self, name: str, **arguments: object) -> str:
        """A call of a tool about the same records, ready to copy."""
        import json

        asked = {"query": self.query, "since": self.since, "until": self.until}
        given = {**arguments, **{key: value for key, value in asked.items() if value}}
        told = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items())
        # A lone surrogate, which no door can write, becomes its escape: the same value to who copies the call.
        return f"{name}({', '.join(told)})".encode("utf-8", "backslashreplace").decode()

    def select(self, desk: Desk) -> Selection:
        """The records that are asked about.

        Raises:
            BadArgument: query or period cannot be read; before anything large is.
        """
        from logpith.corpus.selection import check_filter, select_records

        check_filter(self.query, self.since, self.until)
        corpus = desk.open(self.sources)
        return select_records(corpus, self.query, self.since, self.until, desk.now_ns())


@cache
def none_of(records: int) -> str:
    """What is said where there are records, and none matches."""
    return "The one record does not match" if records == 1 else f"None of {records:,} records match"


def tools() -> Mapping[str, type[Tool]]:
    """Every tool by its agent name, in the order of their names."""
    found: dict[str, type[Tool]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Tool) and value.__module__ == module.__name__:
                found[value.name] = value
    return dict(sorted(found.items()))


def tool_named(name: str, among: Mapping[str, type[Tool]]) -> type[Tool] | None:
    """The tool that is meant: as agents call it, with dashes instead (`search-logs`), or by its command."""
    wanted = name.replace("-", "_")
    of_command = (tool for tool in among.values() if tool.command.replace("-", "_") == wanted)
    return among.get(wanted) or next(of_command, None)
