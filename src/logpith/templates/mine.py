"""Mining: a table of shapes → templates. A pure function of what the records say."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from logpith.templates.across import Mined, join_structures
from logpith.templates.canonical import canonical
from logpith.templates.merge import Members, Structure, propagate
from logpith.templates.regex import Form, regex_of
from logpith.templates.shapes import ShapeTable

_ID_BYTES = 6
_MOST_SAMPLES = 5
_SLOT = re.compile(r"<\*>")


@dataclass(frozen=True)
class Template:
    """What some shapes have in common."""

    id: str
    """Twelve hex digits: the same text has the same id, in any file and process."""

    text: str
    """With `<*>` for each value."""

    typed: str
    """With the type of each value: `<ip>`."""

    count: int
    """Records."""

    shapes: tuple[int, ...]
    """Places in the table of shapes."""

    samples: tuple[bytes, ...]
    """Up to five bodies, of as many shapes as there are."""

    forms: tuple[Form, ...] = field(repr=False)
    """The patterns that this template is, as `regex` is made of them."""

    @property
    def static_parts(self) -> tuple[str, ...]:
        """The text between the values."""
        return tuple(part for part in _SLOT.split(self.text) if part)

    @cached_property
    def regex(self) -> str | None:
        """An RE2 pattern that matches each body of this template from end to end; None when it would be too long.

        It is for bodies as text: decoded as UTF-8, with U+FFFD for each broken byte.
        """
        return regex_of(self.forms)


@dataclass(frozen=True)
class Templates:
    """All templates, most frequent first."""

    templates: tuple[Template, ...]
    of_shape: NDArray[np.int32]
    """The template of each shape, by its place."""

    @cached_property
    def by_id(self) -> dict[str, Template]:
        """Templates by their ids."""
        return {template.id: template for template in self.templates}


def mine(table: ShapeTable) -> Templates:
    """The templates of a table's records, and which shape has which."""
    structures = _structures(table)
    for structure in structures:
        structure.reduce()
    propagate(structures)
    mined = join_structures(
        (structure.delimiters, pattern, members)
        for structure in structures
        for pattern, members in structure.patterns.items()
    )
    mined.sort(key=lambda one: (-one.count, one.text))
    of_shape = np.full(len(table), -1, np.int32)
    for place, one in enumerate(mined):
        of_shape[list(one.shapes)] = place
    counts = table.counts.tolist()
    return Templates(tuple(_template(one, table, counts) for one in mined), of_shape)


def template_id(text: str) -> str:
    """The id of a template's text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_ID_BYTES).hexdigest()


def _structures(table: ShapeTable) -> list[Structure]:
    """The shapes' canonical forms by structure, in an order that does not depend on the records' order."""
    found: dict[tuple[str, ...], Structure] = {}
    for place, (count, samples) in enumerate(zip(table.counts.tolist(), table.samples, strict=True)):
        forms = [canonical(sample) for sample in samples]
        first = forms[0]
        structure = found.setdefault(first.delimiters, Structure(first.delimiters))
        members = structure.patterns.setdefault(first.words, Members())
        values = [form.values for form in forms if form.delimiters == first.delimiters]
        members.take(Members(count, values, [place], first.wide))
    structures = [found[delimiters] for delimiters in sorted(found)]
    for structure in structures:
        structure.patterns = dict(sorted(structure.patterns.items()))
    return structures


def _template(mined: Mined, table: ShapeTable, counts: Sequence[int]) -> Template:
    return Template(
        id=template_id(mined.text),
        text=mined.text,
        typed=mined.typed,
        count=mined.count,
        shapes=mined.shapes,
        samples=tuple(_diverse_samples(mined, table, counts)),
        forms=mined.forms,
    )


def _diverse_samples(mined: Mined, table: ShapeTable, counts: Sequence[int]) -> Iterator[bytes]:
    """One body of each of the most frequent shapes, then second ones."""
    frequent = sorted(mined.shapes, key=lambda shape: (-counts[shape], shape))[:_MOST_SAMPLES]
    rounds: dict[int, list[bytes]] = defaultdict(list)
    for shape in frequent:
        for turn, sample in enumerate(table.samples[shape]):
            rounds[turn].append(sample)
    bodies = [body for turn in sorted(rounds) for body in rounds[turn]]
    yield from bodies[:_MOST_SAMPLES]
