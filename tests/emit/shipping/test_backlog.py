"""What waits is counted as a reader would find it, however often one asks and wherever readers are."""

from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from logpith_emit.shipping.backlog import Backlog
from logpith_emit.spool import Spool
from logpith_emit.testing import numbered

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 2), st.integers(1, 9)),
        st.tuples(st.just("read"), st.sampled_from(["one", "two"]), st.integers(0, 9)),
        st.tuples(st.just("end"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("ask"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


def found_by_reading(spool, position):
    """(How many records, the first one of each writer.)"""
    reader = spool.reader("nobody")
    reader.go_to(position)
    first = {}
    records = 0
    for segment, frame in reader.read():
        records += 1
        first.setdefault(segment.writer, frame.payload)
    return records, first


@given(steps=STEPS)
def test_it_counts_what_a_reader_finds(tmp_path_factory, steps):
    spool = Spool(folder=tmp_path_factory.mktemp("backlog") / "spool", segment_bytes=600)
    records = iter(numbered(500))
    times = {record.text: record.timestamp for record in numbered(500)}
    with ExitStack() as ends:
        writers = {}
        readers = {}
        for name in ("one", "two"):
            spool.wait_for(name)
            readers[name] = spool.reader(name)
        backlog = Backlog(spool)
        for step, which, number in [*steps, ("ask", 0, 0)]:
            if step == "write":
                if which not in writers:
                    until_it_ends = ends.enter_context(ExitStack())
                    writers[which] = until_it_ends, until_it_ends.enter_context(spool.open())
                for _ in range(number):
                    writers[which][1].append(next(records).text, 1)
            elif step == "read":
                for _ in zip(range(number), readers[which].read(), strict=False):
                    pass
                readers[which].commit()
            elif step == "end" and which in writers:
                writers.pop(which)[0].close()
            elif step == "ask":
                for reader in readers.values():
                    count, first = found_by_reading(spool, reader.position)
                    waiting = backlog.behind(reader.position)

                    assert waiting.records == count
                    assert waiting.oldest_ns == min((times[text] for text in first.values()), default=0)
                    assert bool(waiting.size_bytes) == bool(count)
