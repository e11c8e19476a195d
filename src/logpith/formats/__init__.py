"""Formats: how text becomes columns. One file each; the folder is the registry.

What a format's file may owe, and `recognise.py` collects:

- `LAYOUTS`: layouts (`Layout`) that open a line of the format, nearly always with its time;
- `KEYS`: for formats of keys and values, what a key means to a record, by role (`scan/json_fields.py`);
- `fields_of(text)`: the fields that a record of the format tells, or None when it is no such record;
- `unwrap(text)`: for formats that wrap the lines of others, the wrapper's own fields and the text inside, or None;
- `layout_of_header(line)`: the layout of the lines behind a header line that names their columns, or None.

Other packages add formats by an entry point in the group `logpith.formats` that names such a module.

To add a time format write its text in the language of `scan/layouts.py` into the file of its format: it is
tried, ranked by how many sample lines it fits, and reported by its name.
"""

from __future__ import annotations

from dataclasses import dataclass

from logpith.scan.records import HEADER


@dataclass(frozen=True)
class Layout:
    """A way to write a time at the head of a line."""

    name: str
    """What answers call it."""

    text: str
    """In the language of `scan/layouts.py`."""

    moves: bool = True
    """Whether it may also stand behind a bracket or up to four words."""

    format: str = "plain"
    """The format that a line with this head has."""

    behind: int = HEADER
    """What follows it: a logger's header and the message, or another of `scan/records.py`."""

    falls_back_to: str = ""
    """The text of a simpler layout, for lines of the same file that lack a part of this one."""

    weight: int = 0
    """Steps that it counts as more than it has, when layouts compete for the same lines."""

    columns: tuple[str, ...] = ()
    """The names of the line's words, where a header line has named them."""
