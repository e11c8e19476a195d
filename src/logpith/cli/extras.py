"""What the commands of some tools do besides, at the command line only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from logpith.cli.words import FOUND, NOTHING, Option
from logpith.plural import are, counted
from logpith_emit.errors import BadArgument

if TYPE_CHECKING:
    from logpith.corpus.desk import Desk
    from logpith.tools import Tool


@dataclass(frozen=True, kw_only=True)
class Extra:
    """What a tool's command does besides, at the command line only, when its option is given."""

    option: Option
    further: tuple[Option, ...] = ()
    """Options that mean something only beside it."""

    run: Callable[[Tool, Desk, Mapping[str, str]], int]
    """Given the options as typed, does it and returns the exit code."""


def _write_labels(tool: Tool, desk: Desk, options: Mapping[str, str]) -> int:
    from logpith.labels import write_labels  # only labelling needs it

    format_name = options.get("format", "auto")
    if format_name not in ("auto", "raw"):
        raise BadArgument(f"there is no format '{format_name}'", remedy="Write --format raw, or leave it out")
    path = Path(options["labels"])
    corpus = desk.open(tool.sources, whole_lines=format_name == "raw")
    rows = write_labels(corpus, path)
    print(
        f"{counted(rows, 'line')} with {counted(len(corpus.templates.templates), 'template')} {are(rows)} in {path}."
    )
    return FOUND if rows else NOTHING


EXTRAS: dict[str, tuple[Extra, ...]] = {
    "cluster": (
        Extra(
            option=Option(
                name="labels",
                value="FILE",
                doc="Write one CSV row for each line to FILE: line, template_id, EventTemplate.",
            ),
            further=(
                Option(
                    name="format",
                    value="NAME",
                    doc="With --labels: `raw` takes each line as a whole body; else formats are recognised.",
                ),
            ),
            run=_write_labels,
        ),
    )
}
"""By command. Nothing here reaches an agent."""
