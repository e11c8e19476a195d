"""Restaging: what is stored of a source goes through the stages once more, as the settings say today, in place.

    segment ──► records of the source ──► stages ──► segment in its place          one step of the store each

So that an old record is found by the name that a field was given today, although its file is long gone. Dead letters of
the source get another chance. A run that is cut off anywhere leaves each segment as it was or as it is going to be, and
is simply begun again. Stages that leave out some of many (sample, dedupe) have done so already, and stand aside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logpith.batch import MOST_RECORDS, Batch, extra_of
from logpith.pipeline import DEAD_LETTER, SOURCE, open_stages, revived
from logpith.stages import Stage
from logpith.store import Store
from logpith.store.segment import segment_table
from logpith_emit.errors import NotFound, nearest

_ONCE_ONLY = frozenset({"sample", "dedupe"})
_MOST_OFFERED = 5

Told = Callable[[int, int, int], None]
"""Told (segments done, segments in all, records done) now and then."""


@dataclass(kw_only=True)
class Restaged:
    """What became of the records of some sources."""

    sources: tuple[str, ...] = ()
    records: int = 0
    """That went through the stages, dead letters of before among them."""

    dead: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    counters: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(stage, name) → count."""


def restage(
    store: Store, names: Sequence[str], stages: Sequence[Stage], now_ns: int, told: Told | None = None
) -> Restaged:
    """Takes what is stored of some sources through the stages; all of it is durable when this returns.

    Sources are named as records name theirs, by a path, or by a glob of either.

    Raises:
        NotFound: nothing is stored of one of them.
        Refused: a segment is damaged; those before it are done.
        Unavailable: the store cannot be written; the same, and it may be begun again.
    """
    store.seal(now_ns)
    segments = store.manifest.segments
    known = sorted({source for entry in segments for source in entry.sources})
    done = Restaged(sources=_meant(names, known))
    wanted = frozenset(done.sources)
    todo = [
        entry for entry in segments if not wanted.isdisjoint(entry.sources) or DEAD_LETTER in entry.sources
    ]
    used = [stage for stage in stages if stage.type not in _ONCE_ONLY]
    for at, entry in enumerate(todo, 1):
        dropped: Counter[str] = Counter()
        before = done.records
        table = segment_table(store.segment(entry))
        batches = list(_changed(table.to_batches(max_chunksize=MOST_RECORDS), wanted, used, done, dropped))
        if done.records > before:
            store.replace(entry, batches, now_ns, dropped=dropped)
            done.dropped.update(dropped)
        if told:
            told(at, len(todo), done.records)
    return done


def _changed(
    batches: Sequence[Batch],
    wanted: frozenset[str],
    stages: Sequence[Stage],
    done: Restaged,
    dropped: Counter[str],
) -> Iterator[Batch]:
    """The records of a segment, those of the wanted sources as the stages make them."""
    with open_stages(stages) as chain:
        for batch in batches:
            is_letter = _letters_of(batch, wanted)
            chosen = np.isin(np.array(batch["source"].to_pylist(), object), list(wanted))
            yield batch.filter(pa.array(~(chosen | is_letter)))
            for some in (batch.filter(pa.array(chosen)), revived(batch.filter(pa.array(is_letter)))):
                if some.num_rows:
                    passed = chain(some)
                    done.records += some.num_rows
                    done.dead += passed.dead.num_rows
                    done.counters.update(passed.counters)
                    dropped.update(passed.dropped)
                    yield passed.batch


def _letters_of(batch: Batch, wanted: frozenset[str]) -> NDArray[np.bool_]:
    """Which records are dead letters of one of the sources."""
    sources, extras = batch["source"].to_pylist(), batch["extra"].to_pylist()
    return np.array(
        [
            source == DEAD_LETTER and extra_of(extra).get(SOURCE) in wanted
            for source, extra in zip(sources, extras, strict=True)
        ],
        np.bool_,
    )


def _meant(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The sources that are meant, each once.

    Raises:
        NotFound: one of the names means none of them.
    """
    meant: dict[str, None] = {}
    for name in names:
        path = str(Path(name).resolve())
        found = [
            one for one in known if one != DEAD_LETTER and (fnmatchcase(one, name) or one in (name, path))
        ]
        found = found or [one for one in known if fnmatchcase(one, path)]
        if not found:
            offer = nearest(name, known).strip() or f"There are: {', '.join(known[:_MOST_OFFERED])}"
            raise NotFound(f"nothing is stored of a source '{name}'", remedy=offer)
        meant |= dict.fromkeys(found)
    return tuple(meant)
