"""Ids that stay: however templates change while records come in, an id that was shown once always leads somewhere.

A template's first id is the hash of its first text, so two programs that never met give the same template the same
id. When templates are mined again, each takes the id of the old template with which it shares most records. An id
that none took is *retired*: it leads to the template that holds most of its records now.

    ids = TemplateIds()
    ids, templates = ids.after(table, mine(table))      # and again, whenever the table has grown
    templates.by_id[ids.resolve("0123456789ab")]        # for every id that `templates` ever had

A book is a value: nothing changes it. It knows for each id the shapes that the template stood for when it was last
looked at, and no records.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import Any

from logpith.templates.mine import Templates, template_id
from logpith.templates.shapes import ShapeTable

_VERSION = 1


@dataclass(frozen=True)
class Named:
    """What an id stood for when its template was last mined."""

    text: str
    shapes: frozenset[int]
    """Hashes of shapes."""


@dataclass(frozen=True)
class TemplateIds:
    """All ids ever given."""

    present: Mapping[str, Named] = field(default_factory=dict)
    """Ids of templates."""

    retired: Mapping[str, Named] = field(default_factory=dict)
    """Ids that no template has any more."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    """For each retired id the present one that it leads to."""

    def resolve(self, shown: str) -> str | None:
        """The id of the template that an id leads to now; None for an id that was never given."""
        return shown if shown in self.present else self.aliases.get(shown)

    def after(self, table: ShapeTable, templates: Templates) -> tuple[TemplateIds, Templates]:
        """The book after a run of the miner, and the run's templates with their ids.

        An id whose shapes are not in the table stays as it is: its template was just not among these records.
        """
        hashes = table.hashes.tolist()
        holders = dict(zip(hashes, templates.of_shape.tolist(), strict=True))
        counts = dict(zip(hashes, table.counts.tolist(), strict=True))
        kept = self._kept(holders, counts)
        ids = self._given(kept, templates)
        shapes: dict[str, set[int]] = defaultdict(set)
        for shape, place in holders.items():
            shapes[ids[place]].add(shape)
        present = {
            name: Named(template.text, frozenset(shapes[name]) | self._unseen(name, holders))
            for name, template in zip(ids, templates.templates, strict=True)
        }
        for name, named in self.present.items():
            if name not in present and not any(shape in holders for shape in named.shapes):
                present[name] = named
        retired = {name: named for name, named in self._all() if name not in present}
        aliases = {
            name: self._heir(name, named, holders, counts, ids, present) for name, named in retired.items()
        }
        renamed = tuple(
            replace(template, id=name) for name, template in zip(ids, templates.templates, strict=True)
        )
        return TemplateIds(present, retired, aliases), Templates(renamed, templates.of_shape)

    @staticmethod
    def union(books: Iterable[TemplateIds]) -> TemplateIds:
        """The book of all books: every id of any of them leads somewhere."""
        books = list(books)
        present = _joined(book.present for book in books)
        retired = _joined(book.retired for book in books)
        heirs: dict[str, set[str]] = defaultdict(set)
        for book in books:
            for name, heir in book.aliases.items():
                heirs[name].add(heir)
        retired = {name: named for name, named in retired.items() if name not in present}
        aliases = {
            name: min(heirs[name], key=lambda heir: (-len(present[heir].shapes & named.shapes), heir))
            for name, named in retired.items()
        }
        return TemplateIds(present, retired, aliases)

    def to_plain(self) -> dict[str, Any]:
        """The book in the words of JSON."""
        return {
            "version": _VERSION,
            "present": {name: _plain(named) for name, named in sorted(self.present.items())},
            "retired": {
                name: {**_plain(named), "now": self.aliases[name]}
                for name, named in sorted(self.retired.items())
            },
        }

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> TemplateIds:
        """The book that `to_plain` wrote.

        Raises:
            ValueError: it was written by a later version, or it is no such book.
        """
        if plain.get("version") != _VERSION:
            raise ValueError(f"a book of template ids of version {plain.get('version')!r}, not {_VERSION}")
        try:
            present = {name: _named(entry) for name, entry in plain["present"].items()}
            retired = {name: _named(entry) for name, entry in plain["retired"].items()}
            aliases = {name: str(entry["now"]) for name, entry in plain["retired"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("a book of template ids lacks a part") from error
        if not all(heir in present for heir in aliases.values()):
            raise ValueError("a book of template ids leads nowhere")
        return TemplateIds(present, retired, aliases)

    def _all(self) -> Iterator[tuple[str, Named]]:
        return chain(self.present.items(), self.retired.items())

    def _kept(self, holders: Mapping[int, int], counts: Mapping[int, int]) -> dict[int, str]:
        """For each template, by its place, the old id that it takes: those that share most records choose first."""
        shared: Counter[tuple[str, int]] = Counter()
        for name, named in self.present.items():
            for shape in named.shapes:
                if shape in holders:
                    shared[name, holders[shape]] += counts[shape]
        kept: dict[int, str] = {}
        taken: set[str] = set()
        for (name, place), _ in sorted(shared.items(), key=lambda pair: (-pair[1], pair[0])):
            if name not in taken and place not in kept:
                kept[place] = name
                taken.add(name)
        return kept

    def _given(self, kept: Mapping[int, str], templates: Templates) -> tuple[str, ...]:
        """The ids of all templates: a new one's is made of its text, unless another template goes by that id."""
        taken = set(kept.values())
        ids = []
        for place, template in enumerate(templates.templates):
            name = kept.get(place)
            if name is None:
                name = next(candidate for candidate in _candidates(template.text) if candidate not in taken)
                taken.add(name)
            ids.append(name)
        return tuple(ids)

    def _unseen(self, name: str, holders: Mapping[int, int]) -> frozenset[int]:
        """The shapes of an id that are not among the present records."""
        named = self.present.get(name) or self.retired.get(name)
        return frozenset(shape for shape in named.shapes if shape not in holders) if named else frozenset()

    def _heir(
        self,
        name: str,
        named: Named,
        holders: Mapping[int, int],
        counts: Mapping[int, int],
        ids: tuple[str, ...],
        present: Mapping[str, Named],
    ) -> str:
        """The present id that holds most of the records of a retired one."""
        records: Counter[str] = Counter()
        for shape in named.shapes:
            if shape in holders:
                records[ids[holders[shape]]] += counts[shape]
        if records:
            return min(records, key=lambda heir: (-records[heir], heir))
        # None of its records is here: it goes on leading where it led, or where that id leads now.
        former = self.aliases[name]
        if former in present:
            return former
        return self._heir(former, self.present[former], holders, counts, ids, present)


def _candidates(text: str) -> Iterator[str]:
    """The id of a text, and others for when that one is another template's."""
    yield template_id(text)
    for turn in count(2):
        yield template_id(f"{text}\0{turn}")


def _joined(parts: Iterable[Mapping[str, Named]]) -> dict[str, Named]:
    joined: dict[str, Named] = {}
    for part in parts:
        for name, named in part.items():
            other = joined.get(name, named)
            joined[name] = Named(min(named.text, other.text), named.shapes | other.shapes)
    return joined


def _plain(named: Named) -> dict[str, Any]:
    # As hex: not every reader of JSON has integers of 64 bits.
    return {"text": named.text, "shapes": [f"{shape:016x}" for shape in sorted(named.shapes)]}


def _named(plain: Mapping[str, Any]) -> Named:
    return Named(str(plain["text"]), frozenset(int(shape, 16) for shape in plain["shapes"]))
