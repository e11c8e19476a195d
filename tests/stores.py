"""Records for tests of the store, and all that a store holds."""

from pathlib import Path

from logpith.batch import make_batch
from logpith.store.reader import StoreReader
from logpith.store.segment import segment_table
from logpith.timerange import NS_PER_D, NS_PER_S

DAY_NS = 20_000 * NS_PER_D
"""The first moment of a day."""

NOW_NS = DAY_NS + NS_PER_D // 2


def batch_of(*names, source="app", day=0, **columns):
    """A batch with a record for each name, a second apart."""
    lines = [f"{name} took 1{place} ms".encode() for place, name in enumerate(names)]
    times = [DAY_NS + day * NS_PER_D + place * NS_PER_S for place in range(len(names))]
    return make_batch(lines, observed_ns=NOW_NS, source=source, timestamps=times, **columns)


def rows_in(segments):
    """Every record of some segments, as the dictionaries of its columns."""
    return [row for segment in segments for row in segment_table(segment).to_pylist()]


def lines_in(segments):
    return [row["line"] for row in rows_in(segments)]


def names_in(segments):
    """The names that `batch_of` was given, of all records, sorted."""
    return sorted(line.decode().partition(" ")[0] for line in lines_in(segments))


def snapshot_of(folder: Path, now_ns=NOW_NS, **options):
    """What another process sees."""
    return StoreReader(folder, **options).snapshot(now_ns)


def stored_names(folder, **options):
    """The names of all records that another process sees; nothing may be damaged."""
    snapshot = snapshot_of(folder, **options)
    assert snapshot.damaged == ()
    return names_in(snapshot.segments)
