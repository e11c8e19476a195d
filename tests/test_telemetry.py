import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.telemetry import Ledger, Metric, Telemetry

READ = Metric(name="logpith_read_total", doc="Records read\nin all.")
SIZE = Metric(name="logpith_size_bytes", doc="A size.", kind="gauge")


def test_numbers_are_rendered_as_prometheus_reads_them():
    telemetry = Telemetry()
    telemetry.count(READ, source='a "b" \\', kind="x\ny")
    telemetry.count(READ, 2.5, source="c")
    telemetry.set(SIZE, 7)

    assert telemetry.render() == (
        "# HELP logpith_read_total Records read\\nin all.\n"
        "# TYPE logpith_read_total counter\n"
        'logpith_read_total{kind="x\\ny",source="a \\"b\\" \\\\"} 1\n'
        'logpith_read_total{source="c"} 2.5\n'
        "# HELP logpith_size_bytes A size.\n"
        "# TYPE logpith_size_bytes gauge\n"
        "logpith_size_bytes 7\n"
    )


def test_a_value_sums_over_the_labels_that_are_not_named():
    telemetry = Telemetry()
    telemetry.count(READ, 2, source="a", outcome="ok")
    telemetry.count(READ, 3, source="a", outcome="failed")
    telemetry.count(READ, 5, source="b", outcome="ok")

    assert telemetry.value(READ) == 10
    assert telemetry.value(READ, source="a") == 5
    assert telemetry.value(READ, outcome="ok", source="b") == 5
    assert telemetry.value(READ, source="none") == 0


def test_threads_that_count_at_once_lose_nothing():
    telemetry, ledger = Telemetry(), Ledger("store")

    def work():
        for _ in range(500):
            telemetry.count(READ)
            with ledger.taking(3) as taken:
                taken.stored(2)
                taken.dropped(1, "unwanted")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert telemetry.value(READ) == 2000
    assert ledger.account().dropped == {"unwanted": 2000}
    ledger.check()


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=9
    )
)
def test_the_law_holds_at_every_moment_when_each_record_is_told_once(batches):
    ledger = Ledger("store")
    for stored, spooled, dead, dropped in batches:
        with ledger.taking(stored + spooled + dead + dropped) as taken:
            assert ledger.account().missing == 0
            taken.stored(stored)
            taken.spooled(spooled)
            assert ledger.account().missing == 0
            taken.dead_lettered(dead)
            taken.dropped(dropped, "unwanted")
            assert taken.left == 0
        ledger.unspooled(spooled)

    ledger.check()
    assert ledger.account().accepted == sum(map(sum, batches))


def test_a_record_that_was_forgotten_or_told_twice_breaks_the_law():
    forgotten, doubled = Ledger("store"), Ledger("store")
    with forgotten.taking(3) as taken:
        taken.stored(2)
    with doubled.taking(1) as taken:
        taken.stored(1)
        taken.stored(1)

    for ledger in (forgotten, doubled):
        with pytest.raises(AssertionError, match="store"):
            ledger.check()


def test_what_was_not_settled_when_it_failed_was_not_accepted():
    ledger = Ledger("store")

    def store_one_of_three():
        with ledger.taking(3) as taken:
            taken.stored(1)
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        store_one_of_three()

    assert ledger.account().accepted == 1
    ledger.check()


def test_a_ledger_is_told_with_the_others():
    telemetry, ledger = Telemetry(), Ledger("store")
    telemetry.also(ledger.families)
    with ledger.taking(3) as taken:
        taken.stored(2)
        taken.dropped(1, "sampled")

    text = telemetry.render()

    assert 'logpith_stored_records_total{destination="store"} 2' in text
    assert 'logpith_dropped_records_total{destination="store",reason="sampled"} 1' in text
    assert 'logpith_in_flight_records{destination="store"} 0' in text
