"""Services: who wrote a record, as people call it.

Not every record says so. A line of `voice-pipeline.log` that names no service is the voice pipeline's all the same,
and one whose logger is `voice_pipeline.tts` is a part of it: both are `voice-pipeline` here. In answer to a name all
records count that bear it in any of these ways, however it is spelled; a group's name stands for those of its members.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.records import Corpus
from logpith.corpus.some import Some
from logpith.files.rotation import piece_of
from logpith.quote import Quoter
from logpith_emit.errors import NotFound, nearest

Groups = Mapping[str, Sequence[str]]
"""What a name in the settings stands for: `{"raindrop": ["api-gateway", "auth-manager"]}`."""

_SEPARATORS = re.compile(r"[-_. ]+")
_MOST_OFFERED = 20
_NAME_WIDTH = 60
_EXTENSION = re.compile(r"\.(?:log|txt|out|err|json|jsonl|ndjson|csv)$", re.IGNORECASE)


@dataclass(frozen=True)
class Services:
    """Who wrote the records of a corpus."""

    corpus: Corpus
    groups: Groups

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Each service's name once; the first, empty, is of records that nobody is known to have written."""
        return tuple(self._places)

    def of(self, records: NDArray[np.int64]) -> NDArray[np.int32]:
        """The service of each of some records, by its place in `names`."""
        return self._place_of_pair[self._pairs(records)]

    def name_of(self, record: int) -> str:
        """The service of a record; empty when it is not known."""
        return self.names[int(self.of(np.array([record]))[0])]

    def chosen(self, records: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.int64]:
        """Those of some records that the named services or groups have written; all when none is named.

        Raises:
            NotFound: nobody here is called that; tells who there is.
        """
        if not names:
            return records
        wanted = self._wanted(names)
        bears = np.array([bool(wanted & borne) for borne in self._borne], np.bool_)
        return records[bears[self._pairs(records)]]

    def matching(self, name: str) -> frozenset[str]:
        """The names, as `names` has them, of the services that a name or a group means.

        Raises:
            NotFound: nobody here is called that.
        """
        wanted = self._wanted([name])
        pairs = zip(self._names_of_pairs, self._borne, strict=True)
        return frozenset(shown for shown, borne in pairs if wanted & borne)

    def members(self, name: str) -> tuple[str, ...]:
        """What a name stands for: the members of a group, else itself."""
        grouped = {_plain(group): members for group, members in self.groups.items()}
        return tuple(grouped.get(_plain(name), (name,)))

    def known(self) -> tuple[str, ...]:
        """Every name that may be asked for, fit to be shown."""
        quoter = Quoter()
        grouped = [*self.groups, *(member for members in self.groups.values() for member in members)]
        pairs = np.unique(self._pairs(np.arange(len(self.corpus)))).tolist()
        there = {self._names_of_pairs[pair] for pair in pairs}
        names = dict.fromkeys([*grouped, *sorted(name for name in there if name)])
        return tuple(dict.fromkeys(quoter.quote(name, _NAME_WIDTH) for name in names))

    def _wanted(self, names: Sequence[str]) -> set[str]:
        known = {plain for borne in self._borne for plain in borne}
        known |= {_plain(member) for members in self.groups.values() for member in members}
        wanted: set[str] = set()
        for name in names:
            members = {_plain(member) for member in self.members(name)}
            if not members & known:
                offered = self.known()
                told = ", ".join(offered[:_MOST_OFFERED]) or "none that is named"
                more = f" and {len(offered) - _MOST_OFFERED} more" if len(offered) > _MOST_OFFERED else ""
                shown = Quoter().quote(name, _NAME_WIDTH)
                raise NotFound(
                    f"there is no service named '{shown}' here",
                    remedy=f"{nearest(name, offered)} The services are {told}{more}".strip(),
                )
            wanted |= members
        return wanted

    @cached_property
    def _stems(self) -> tuple[str, ...]:
        return tuple(_stem(origin) for origin in self.corpus.origins)

    def _pairs(self, records: NDArray[np.int64]) -> NDArray[np.int64]:
        """Origin and service of each record as one number."""
        order = np.argsort(records, kind="stable")
        some = Some(self.corpus, records[order])
        pairs = np.empty(len(records), np.int64)
        pairs[order] = some.origin.astype(np.int64) * len(self.corpus.services) + some.service
        return pairs

    @cached_property
    def _names_of_pairs(self) -> list[str]:
        return [_name(service, stem) for stem in self._stems for service in self.corpus.services]

    @cached_property
    def _places(self) -> dict[str, int]:
        places: dict[str, int] = {"": 0}
        for name in self._names_of_pairs:
            places.setdefault(name, len(places))
        return places

    @cached_property
    def _place_of_pair(self) -> NDArray[np.int32]:
        return np.array([self._places[name] for name in self._names_of_pairs], np.int32)

    @cached_property
    def _borne(self) -> list[frozenset[str]]:
        """Of each pair the plain names that its records bear."""
        return [
            frozenset(_plain(name) for name in (service, service.partition(".")[0], stem) if name)
            for stem in self._stems
            for service in self.corpus.services
        ]


def _name(service: str, stem: str) -> str:
    """What a record is called by: its file's name where it names nobody, or a part of that."""
    if stem and _plain(service.partition(".")[0]) == _plain(stem):
        return stem
    return service or stem


def _stem(origin: str) -> str:
    """The name of a log without folder and ending: of `/var/log/gateway.log.1`, `gateway`."""
    name = origin.rpartition("/")[2].rpartition(":")[2]
    return "" if name == "-" else _EXTENSION.sub("", piece_of(name).live)


def _plain(name: str) -> str:
    """A name as it is compared: people write the same one with dashes and with underscores."""
    return _SEPARATORS.sub("-", name.strip().lower())
