"""Recognise: decide from a sample of a block of text how to read it.

All layouts are tried on some hundred lines. The ones that fit most are kept, a longer before a shorter one
that fits the same lines, one at the line's start before one further in. A file may mix formats, so what the
first choice leaves over is recognised in the same way, up to MOST_LAYOUTS. Later blocks of a file are only
looked at for lines that what is known does not fit.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith import formats
from logpith.formats import Layout, wrappers
from logpith.formats.severity_words import ALSO_IN_CAPITALS
from logpith.scan.colours import bytes_without_colours
from logpith.scan.json_fields import BODY, role_and_rank
from logpith.scan.layouts import pack_layouts, steps_of
from logpith.scan.names import NameTable, name_table
from logpith.scan.records import (
    DOCKER,
    GELF,
    JSON,
    LAYOUT,
    LINE,
    LINE_OR_PIECE,
    OWN,
    PADDING,
    PAIRS,
    OwnFormat,
    Reading,
)
from logpith.scan.timestamps import AMBIGUOUS, fit_layouts
from logpith.scan.traces import continues_record
from logpith_emit.severity import SPELLINGS

ENTRY_POINTS = "logpith.formats"
"""The group of entry points under which other packages offer modules with LAYOUTS and KEYS."""

SAMPLE_LINES = 500
MOST_LAYOUTS = 6
MOST_LAYOUTS_INSIDE = 4
_TRIED_LINES = 64
_FEW_LINES = 80
_BRACE = 123
_HASH = 35
_FORMATS_OF_KINDS = {JSON: "json", PAIRS: "logfmt", GELF: "gelf", DOCKER: "docker json"}

# Where a movable layout may also stand: behind a bracket, or behind words (of which one may be a severity).
_PREFIXES = ("", "[", "*_", "*_[", "*_*_", "*_*_[", "*_*_*_", "*_*_*_[", "*_*_*_*_")
_STEPS_PER_WORD = 3  # a word before the time must be paid for by this many more steps

# From this share of dated lines on, an undated line is taken for a part of the record before it.
_JOIN_SHARE = 0.7


@dataclass(frozen=True)
class Candidate:
    """A layout at a place in the line."""

    layout: Layout
    text: str
    strength: int


@dataclass
class Recognised:
    """What has been found out about a source so far; grows from block to block, never shrinks."""

    newest_ns: int
    whole_lines: bool = False
    layouts: list[Candidate] = field(default_factory=list)
    """In the order in which `Reading.layouts` numbers them."""

    own_formats: tuple[OwnFormat, ...] = ()
    """The formats of this user that some line of this source fits; `wanted` are all that there are."""

    wanted: tuple[OwnFormat, ...] = ()
    joins_undated: bool = False
    unwraps_docker: bool = False
    _sampled: int = 0
    _undated: int = 0

    def state(self) -> dict[str, Any]:
        """What was found out, to be gone on from by `restore`."""
        return {
            "layouts": [asdict(candidate) for candidate in self.layouts],
            "own_formats": [form.place for form in self.own_formats],
            "joins_undated": self.joins_undated,
            "unwraps_docker": self.unwraps_docker,
            "sampled": self._sampled,
            "undated": self._undated,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what was found out before, with the same formats of this user."""
        self.layouts = [_restored(candidate) for candidate in state["layouts"]]
        self.own_formats = tuple(form for form in self.wanted if form.place in state["own_formats"])
        self.joins_undated = bool(state["joins_undated"])
        self.unwraps_docker = bool(state["unwraps_docker"])
        self._sampled = int(state["sampled"])
        self._undated = int(state["undated"])

    def look_at(self, buf: NDArray[np.uint8], start: int, end: int) -> Reading:
        """How to read `buf[start:end]`, which begins at a line's start and ends behind a newline."""
        if not self.whole_lines:
            # A file that is known already is looked at less closely: only for what has changed.
            count = _FEW_LINES if self._sampled else SAMPLE_LINES
            self._learn(*_without_colours(buf, sample_lines(buf, start, end, count)))
        return self.reading()

    def reading(self) -> Reading:
        """How to read a text of which this has been found out."""
        steps, lengths = pack_layouts([candidate.text for candidate in self.layouts])
        value_steps, value_lengths = _value_layouts()
        fallbacks = {candidate.layout.falls_back_to for candidate in self.layouts}
        return Reading(
            layouts=steps,
            layout_lengths=lengths,
            behind=np.array([candidate.layout.behind for candidate in self.layouts], np.uint8),
            last_resorts=np.array([candidate.text in fallbacks for candidate in self.layouts], np.bool_),
            value_layouts=value_steps,
            value_layout_lengths=value_lengths,
            json_keys=_json_keys(),
            docker_rank=_rank_of_body("log"),
            unwraps_docker=self.unwraps_docker,
            gelf_rank=_rank_of_body("short_message"),
            severities=_severities(),
            json_severities=_json_severities(),
            joins_undated=self.joins_undated,
            whole_lines=self.whole_lines,
            newest_ns=self.newest_ns,
            own_formats=self.own_formats,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that a header line has told; none when there was no such line."""
        return next((one.layout.columns for one in self.layouts if one.layout.columns), ())

    def format_of(self, kind: int) -> tuple[str, str]:
        """The format and the name of the time layout of a record's `kind`."""
        if kind >= OWN:
            return next(form.name for form in self.own_formats if form.place == kind - OWN), ""
        if kind >= LAYOUT:
            layout = self.layouts[kind - LAYOUT].layout
            return layout.format, layout.name
        return _FORMATS_OF_KINDS.get(kind, "plain"), ""

    def _learn(self, buf: NDArray[np.uint8], lines: NDArray[np.int64]) -> None:
        self._learn_own_formats(buf, lines)
        opens = np.array(
            [not continues_record(buf, a, b) and buf[a] != _BRACE for a, b in lines.tolist()], bool
        )
        text = lines[opens]
        self._learn_header(buf, text)
        undated = self._learn_layouts(buf, text, MOST_LAYOUTS)
        inside = self._lines_inside(buf, lines)
        if len(inside):
            joined, spans = _as_lines(inside)
            self._learn_layouts(joined, spans, MOST_LAYOUTS + MOST_LAYOUTS_INSIDE)
        self._sampled += len(text)
        self._undated += undated
        self.joins_undated = (
            self._undated <= (1 - _JOIN_SHARE) * self._sampled and self._sampled > self._undated
        )

    def _learn_layouts(self, buf: NDArray[np.uint8], text: NDArray[np.int64], most: int) -> int:
        """Learns layouts until the lines `text` have one each, or none is found; how many are left."""
        left = text[~self._fitted(buf, text)]
        while len(left) and len(self.layouts) < most:
            chosen = _best(buf, left, len(text), self.newest_ns)
            if chosen is None:
                break
            self._add(chosen)
            left = left[~self._fitted(buf, left)]
        return len(left)

    def _learn_own_formats(self, buf: NDArray[np.uint8], lines: NDArray[np.int64]) -> None:
        for form in self.wanted:
            if form not in self.own_formats and any(
                form.find(bytes(buf[a:b])) is not None for a, b in lines.tolist()
            ):
                self.own_formats = (*self.own_formats, form)

    def _learn_header(self, buf: NDArray[np.uint8], lines: NDArray[np.int64]) -> None:
        for a, b in lines.tolist():
            if buf[a] != _HASH:
                continue
            for module in _format_modules():
                read = getattr(module, "layout_of_header", None)
                layout = read(bytes(buf[a:b]).decode("utf-8", "replace")) if read else None
                if layout is not None and len(self.layouts) < MOST_LAYOUTS:
                    self._add(_placed(layout))

    def _lines_inside(self, buf: NDArray[np.uint8], lines: NDArray[np.int64]) -> list[bytes]:
        """The lines inside those of the lines that wrap others."""
        wraps = any(one.layout.behind in (LINE, LINE_OR_PIECE) for one in self.layouts)
        inside: list[bytes] = []
        for a, b in lines.tolist():
            if not (wraps or buf[a] == _BRACE):
                continue
            text = bytes(buf[a:b]).decode("utf-8", "surrogateescape")
            found = wrappers.unwrap(text)
            self.unwraps_docker |= found is not None and buf[a] == _BRACE
            if found is not None and found[1] and not found[1].startswith("{"):
                inside.append(found[1].split("\n")[0].encode("utf-8", "replace"))
        return inside

    def _add(self, chosen: Candidate) -> None:
        fallback = [other for other in _candidates() if other.text == chosen.layout.falls_back_to]
        known = {candidate.text for candidate in self.layouts}
        self.layouts += [candidate for candidate in (chosen, *fallback) if candidate.text not in known]

    def _fitted(self, buf: NDArray[np.uint8], lines: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which lines some layout known so far fits."""
        packed = pack_layouts([candidate.text for candidate in self.layouts])
        fitted: NDArray[np.bool_] = np.logical_or.reduce(_fits(buf, lines, packed, self.newest_ns), axis=0)
        return fitted


def _restored(plain: Mapping[str, Any]) -> Candidate:
    layout = plain["layout"]
    return Candidate(**{**plain, "layout": Layout(**{**layout, "columns": tuple(layout["columns"])})})


def _without_colours(
    buf: NDArray[np.uint8], lines: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The same lines, in a buffer of their own where some are painted."""
    texts = [bytes(buf[a:b]) for a, b in lines.tolist()]
    if not any(b"\x1b" in text for text in texts):
        return buf, lines
    plain = [bytes_without_colours(text) for text in texts]
    return _as_lines([text for text in plain if text])


def _as_lines(texts: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A buffer that holds each text as a line, and where they stand in it."""
    data = b"\n".join(texts) + b"\n"
    borders = np.cumsum([0, *(len(text) + 1 for text in texts)], dtype=np.int64)
    return np.frombuffer(data + b"\0" * PADDING, np.uint8), np.stack([borders[:-1], borders[1:] - 1], axis=1)


def _best(
    buf: NDArray[np.uint8], left: NDArray[np.int64], text_lines: int, newest_ns: int
) -> Candidate | None:
    """The candidate that fits most of the lines `left`; None when none fits more than chance would."""
    some = left[:: -(-len(left) // _TRIED_LINES)]
    candidates = _candidates()
    hits = _fits(buf, some, _packed_candidates(), newest_ns).sum(axis=1) / len(some) * len(left)
    # A time further in must fit more than the few lines that happen to tell one.
    hits[_moved() & (hits < max(1, text_lines // 50))] = 0
    # What tells no time must be how the lines are written, and no bar in some of them.
    hits[_timeless() & (hits < len(left) / 2)] = 0
    if not hits.any():
        return None
    good = np.flatnonzero(hits >= 0.9 * hits.max())
    strengths = np.array([candidates[number].strength for number in good])
    # The longer layout knows more about the line; among equals the one that fits more lines, then the one
    # that is listed first.
    return candidates[int(good[np.lexsort((good, -hits[good], -strengths))[0]])]


def sample_lines(
    buf: NDArray[np.uint8], start: int, end: int, count: int = SAMPLE_LINES
) -> NDArray[np.int64]:
    """Start and end of up to `count` lines: the first fifth of them in a row, the others spread."""
    spans: list[tuple[int, int]] = []
    text = buf.data[start:end]
    raw = bytes(text[: 1 << 20]) if len(text) <= 1 << 20 else b""
    place = 0
    step = max(1, (end - start) // (count * 4 // 5))
    while place < end - start and len(spans) < count:
        stop = _next_newline(text, raw, place)
        if stop < 0:
            break
        begin = place
        if stop > begin:
            spans.append((start + begin, start + stop - (text[stop - 1] == 13)))
        place = stop + 1
        if len(spans) >= count // 5 and step > stop - begin + 1:
            behind = _next_newline(text, raw, begin + step)
            if behind < 0:
                break
            place = behind + 1
    return np.array(spans, np.int64).reshape(-1, 2)


def _next_newline(text: memoryview, raw: bytes, place: int) -> int:
    """The place of the next newline at or behind `place`, or -1."""
    if raw:
        return raw.find(b"\n", place)
    width = 4096
    while place < len(text):
        found = bytes(text[place : place + width]).find(b"\n")
        if found >= 0:
            return place + found
        place += width
        width *= 2
    return -1


def _fits(
    buf: NDArray[np.uint8],
    lines: NDArray[np.int64],
    packed: tuple[NDArray[np.int64], NDArray[np.int64]],
    newest_ns: int,
) -> NDArray[np.bool_]:
    """(layouts, lines): which layout fits which line."""
    steps, lengths = packed
    fits = np.zeros((len(lengths), len(lines)), np.bool_)
    table = _severities()
    fit_layouts(buf, lines, steps, lengths, table.keys, table.values, newest_ns, fits)
    return fits


def installed_formats() -> tuple[EntryPoint, ...]:
    """The formats of other installed packages: modules like those in this folder."""
    return tuple(sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name))


@cache
def _format_modules() -> tuple[Any, ...]:
    own = tuple(
        importlib.import_module(f"{formats.__name__}.{info.name}")
        for info in pkgutil.iter_modules(formats.__path__)
        if info.name not in ("recognise", "severity_words", "own", "grok")
    )
    return own + tuple(entry.load() for entry in installed_formats())


@cache
def all_layouts() -> tuple[Layout, ...]:
    """Every layout of every format."""
    return tuple(layout for module in _format_modules() for layout in getattr(module, "LAYOUTS", ()))


@cache
def _candidates() -> tuple[Candidate, ...]:
    return tuple(_placed(layout) for layout in all_layouts()) + tuple(
        _placed(layout, prefix)
        for layout in all_layouts()
        if layout.moves
        for prefix in _PREFIXES[1:]
        if prefix == "[" or _tells_date(layout)
    )


def _tells_date(layout: Layout) -> bool:
    """Whether a layout is so particular that it is a time wherever it stands: 10:30:00 alone is not."""
    return any(step in layout.text for step in ("%Y", "%y", "%b", "%s"))


def _placed(layout: Layout, prefix: str = "") -> Candidate:
    """`layout` behind `prefix`; a bracket that opens is closed again when the layout ends."""
    text = f"{prefix}{layout.text}]%." if prefix.endswith("[") else f"{prefix}{layout.text}"
    strength = len(steps_of(layout.text)) + layout.weight - _STEPS_PER_WORD * prefix.count("*")
    return Candidate(layout, text, strength)


@cache
def _moved() -> NDArray[np.bool_]:
    """Which candidates stand behind other words."""
    return np.array(["*" in candidate.text for candidate in _candidates()])


@cache
def _timeless() -> NDArray[np.bool_]:
    """Which candidates tell no time."""
    return np.array(["%H" not in one.text and "%s" not in one.text for one in _candidates()])


@cache
def _packed_candidates() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return pack_layouts([candidate.text for candidate in _candidates()])


@cache
def _value_layouts() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What the time in a JSON field may look like: the plain layouts, standing alone."""
    return pack_layouts([layout.text for layout in all_layouts() if layout.moves])


@cache
def _json_keys() -> NameTable:
    meanings: dict[str, int] = {}
    for module in _format_modules():
        keys: Mapping[int, tuple[str, ...]] = getattr(module, "KEYS", {})
        for role, names in keys.items():
            for rank, name in enumerate(names):
                meanings.setdefault(name, role_and_rank(role, rank))
    return name_table(meanings)


@cache
def _rank_of_body(key: str) -> int:
    """The rank of a key that may be the message, as the scan tells it."""
    ranks = [module.KEYS[BODY].index(key) for module in _format_modules() if hasattr(module, "KEYS")]
    return int(ranks[0]) + 1


@cache
def _json_severities() -> NameTable:
    return name_table(SPELLINGS)


@cache
def _severities() -> NameTable:
    return name_table(
        {name: number + AMBIGUOUS * (name in ALSO_IN_CAPITALS) for name, number in SPELLINGS.items()}
    )
