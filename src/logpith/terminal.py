"""How an answer looks to a person at a terminal: tables as wide as the window, coloured by severity.

Everything is printed as text, never as markup, and goes through `show_hidden` once more: whatever an answer
holds, the terminal gets no control sequence but our own colours (SGR).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from logpith.answer import (
    Answer,
    Json,
    by_kind,
    cell,
    coverage_in_words,
    omitted_in_words,
    split_constants,
)
from logpith.bars import MOST_CELLS, Bar
from logpith.progress import size_in_words
from logpith.quote import show_hidden

LONG_COLUMNS = ("why", "template", "text", "example")
"""Columns of sentences: the last gets the rest of the line if that is enough, others a line of their own.

Where all of a column's sentences are but words, it stands among the others as long as there is room.
"""

_COPIED_COLUMNS = frozenset({"id", "ref", "refs", "line"})
"""Columns that stay in the row and whole, since people copy them."""

_SOURCE_COLUMNS = ("source", "name")

_LEAST_TEXT_CELLS = 48
_MOST_WORD_CELLS = 20
_MOST_CELLS = 44
_MOST_LINES = 4
_BESIDE_BARS = 50
"""Cells that the other columns of a row with a bar need."""

_GAP = "  "
_INDENT = "    "

_SEVERITY_STYLES = {
    "fatal": "bold red",
    "error": "red",
    "warn": "yellow",
    "info": "green",
    "debug": "dim",
    "trace": "dim",
}
_COLUMN_STYLES = {
    "ref": "dim",
    "refs": "dim",
    "id": "cyan",
    "time": "dim",
    "flag": "bold magenta",
    "why": "yellow",
    "start": "dim",
    "bar": "cyan",
    "mark": "bold yellow",
}
_SPAN_STYLE = "bold yellow"
_VERDICT_STYLES = {"new": "bold red", "up": "yellow", "down": "cyan", "gone": "dim"}
_SEVERITY_WORD = re.compile(r"(fatal|error|warn|info|debug|trace)")
_SLOT = re.compile(r"<[\w*:]{1,24}>")


def print_answer(answer: Answer, stream: TextIO, *, colour: bool) -> None:
    """Prints the whole answer."""
    console = Console(
        file=stream,
        color_system="auto" if colour else None,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=True,
    )
    for line in _lines(answer, console.width):
        console.print(line)


def _lines(answer: Answer, width: int) -> Iterator[Text]:
    yield from _wrapped(Text(show_hidden(answer.summary), style="bold"), width)
    tables = [(title, rows) for title, rows in by_kind(answer.items)]
    if answer.evidence:
        tables.append(("evidence", [vars(line) for line in answer.evidence]))
    for title, rows in tables:
        yield Text()
        yield from _table(title, rows, width)
    yield Text()
    yield from _wrapped(Text(show_hidden(coverage_in_words(answer.coverage)), style="dim"), width)
    if answer.omitted:
        yield from _wrapped(
            Text(f"left out: {show_hidden(omitted_in_words(answer.omitted))}", "yellow"), width
        )
    if answer.cursor:
        yield Text(f"more: {show_hidden(answer.cursor)}", style="cyan")
    for call in answer.next:
        yield Text(f"next: {show_hidden(call)}", style="cyan")


def _table(title: str, rows: Sequence[Mapping[str, Json]], width: int) -> Iterator[Text]:
    spans = [_spans_of(row) for row in rows]
    rows = [{name: value for name, value in row.items() if name != "highlights"} for row in rows]
    rows, folder = _without_shared_folder(rows)
    columns, constants = split_constants(rows)
    bar_cells = min(MOST_CELLS, max(width - _BESIDE_BARS, 8))
    spelled = [{name: _spelled(name, row.get(name), bar_cells) for name in columns} for row in rows]
    widths = _column_widths(columns, spelled, width)
    below = [name for name in columns if name not in widths]
    left = sum(widths.values()) + len(_GAP) * len(widths)
    beside = below.pop() if below and _has_room(below[-1], width - left) else ""
    if title or constants or folder:
        told = _GAP.join(f"{name}={value}" for name, value in constants.items())
        heading = Text.assemble(
            (title, "bold underline"), _GAP * bool(title and told), (show_hidden(told), "dim")
        )
        yield from _wrapped(heading, width)
    right = {name for name in widths if any(isinstance(row.get(name), int | float) for row in rows)}
    header = _row({name: Text(name, "dim") for name in widths}, widths, right)
    yield _stripped(header.append(beside, "dim"))
    for row, texts, marked in zip(rows, spelled, spans, strict=True):
        styles = {name: _style(name, texts[name]) for name in widths}
        if row.get("mark"):
            styles["bar"] = styles["mark"]
        head = _row({name: Text(texts[name], styles[name]) for name in widths}, widths, right)
        # Who fetched records wants to read all of each.
        most_lines = len(texts.get(beside, "")) if "line" in row else _MOST_LINES
        first, *more = (
            _elided(
                _long_text("", texts[beside], marked if beside == "text" else ()), width - left, most_lines
            )
            if beside
            else [Text()]
        )
        yield _stripped(head.append_text(first))
        yield from (Text(" " * left).append_text(line) for line in more)
        for name in below:
            if texts[name]:
                label = "" if name in LONG_COLUMNS else f"{name} "
                text = _long_text(label, texts[name], marked if name == "text" else ())
                lines = _elided(text, width - len(_INDENT), _MOST_LINES)
                yield from (Text(_INDENT, _style(name, texts[name])).append_text(line) for line in lines)


def _without_shared_folder(
    rows: Sequence[Mapping[str, Json]],
) -> tuple[Sequence[Mapping[str, Json]], str]:
    """The rows with the names of their sources as seen from the folder that all are in, and that folder."""
    name = next((name for name in _SOURCE_COLUMNS if all(isinstance(row.get(name), str) for row in rows)), "")
    paths = [str(row[name]) for row in rows] if name else []
    if len(set(paths)) < 2 or len({path.startswith("/") for path in paths}) > 1:
        return rows, ""
    folder = posixpath.commonpath(map(posixpath.dirname, paths))
    if not folder.strip("/"):
        return rows, ""
    return [
        {**row, name: posixpath.relpath(path, folder)} for row, path in zip(rows, paths, strict=True)
    ], folder


def _row(cells: Mapping[str, Text], widths: Mapping[str, int], right: Set[str]) -> Text:
    line = Text()
    for name, shown in cells.items():
        padding = " " * (widths[name] - shown.cell_len)
        line.append(padding * (name in right)).append_text(shown).append(padding * (name not in right) + _GAP)
    return line


def _column_widths(
    names: Sequence[str], spelled: Sequence[Mapping[str, str]], width: int
) -> Mapping[str, int]:
    """The columns that stand side by side and what each needs; the widest make room for the others."""
    widths = {name: max(cell_len(text) for text in (name, *(row[name] for row in spelled))) for name in names}
    for name, needed in list(widths.items()):
        most = _MOST_WORD_CELLS if name in LONG_COLUMNS else _MOST_CELLS
        if needed > most and name not in _COPIED_COLUMNS:
            del widths[name]
    while widths and sum(widths.values()) + len(_GAP) * len(widths) > width:
        # The first column says what a row is about.
        movable = [name for name in list(widths)[1:] if name not in _COPIED_COLUMNS] or list(widths)
        del widths[max(movable, key=lambda name: (name in LONG_COLUMNS, widths[name]))]
    return widths


def _has_room(name: str, cells: int) -> bool:
    return name in LONG_COLUMNS and cells >= _LEAST_TEXT_CELLS


def _spelled(name: str, value: Json, bar_cells: int) -> str:
    match name, value:
        case _, Bar():
            return value.drawn(bar_cells)
        case "share", int() | float():
            return f"{value:.1%}"
        case "bytes", int():
            return size_in_words(value)
        case _, bool():
            return cell(value)
        case _, int():
            return f"{value:,}"
        case _:
            return show_hidden(cell(value))


def _style(name: str, text: str) -> str:
    if name == "severity":
        word = _SEVERITY_WORD.match(text)
        return _SEVERITY_STYLES[word[1]] if word else ""
    if name == "verdict":
        return _VERDICT_STYLES.get(text, "")
    return _COLUMN_STYLES.get(name, "")


def _long_text(label: str, text: str, spans: Sequence[tuple[int, int]] = ()) -> Text:
    shown = Text.assemble((label, "dim"), text)
    shown.highlight_regex(_SLOT, "cyan")
    for start, end in spans:
        shown.stylize(_SPAN_STYLE, len(label) + start, len(label) + end)
    return shown


def _spans_of(row: Mapping[str, Json]) -> list[tuple[int, int]]:
    """Where in the row's text the words stand that were looked for."""
    spans: list[tuple[int, int]] = []
    match row.get("highlights"):
        case [*told]:
            for span in told:
                match span:
                    case [int(start), int(end)]:
                        spans.append((start, end))
    return spans


def _wrapped(text: Text, width: int) -> Iterator[Text]:
    """The text in lines of at most `width` cells, broken between words where that is possible."""
    cells = max(width, 10)
    for line in text.wrap(Console(width=cells, color_system=None), cells, overflow="fold"):
        yield _stripped(line)


def _elided(text: Text, width: int, most_lines: int) -> list[Text]:
    """The first lines of the text, with a sign at their end when there are more."""
    lines = list(_wrapped(text, width))
    if len(lines) > most_lines:
        lines = lines[:most_lines]
        lines[-1].truncate(max(width, 10) - 1)
        lines[-1].append("…", "yellow")
    return lines or [Text()]


def _stripped(line: Text) -> Text:
    line.rstrip()
    return line
