"""Holds: what must stay is looked for in the records of segments, and stays whatever retention says."""

import pytest

from logpith.batch import make_batch
from logpith.settings import HoldSettings, StoreSettings
from logpith.store import open_store
from logpith.store.holds import holds_of
from logpith.store.keeping import policy_of
from logpith.store.retention import plan_retention
from logpith.timerange import NS_PER_D, format_ns
from logpith_emit.errors import BadArgument
from stores import NOW_NS, lines_in, snapshot_of

OLD_NS = NOW_NS - 40 * NS_PER_D
DAY = format_ns(OLD_NS)[:10]
NEXT = format_ns(OLD_NS + NS_PER_D)[:10]


def hold(**told):
    return HoldSettings(**{"name": "case-17", "reason": "the customer asks", **told})


@pytest.fixture
def kept(tmp_path):
    """kept(hold): the lines that retention leaves of segments of one service each, all of them too old."""

    def left(*holds):
        settings = StoreSettings(folder=tmp_path / "store", retention="30d", holds=holds)
        with open_store(settings.folder) as store:
            for service, line in (("billing", b"account=17 charged"), ("gateway", b"account=9 called")):
                lines = [line, b"nothing else"]
                store.append(
                    make_batch(
                        lines,
                        observed_ns=OLD_NS,
                        source=service,
                        timestamps=[OLD_NS, OLD_NS],
                        services=[service, service],
                    )
                )
                store.seal(NOW_NS)
            plan = plan_retention(store.manifest.segments, policy_of(settings, 10**12), NOW_NS)
            store.drop({one.entry.id: one.reason for one in plan.removals}, NOW_NS)
        return {line.decode() for line in lines_in(snapshot_of(settings.folder).segments)}

    return left


@pytest.mark.parametrize(
    ("told", "services"),
    [
        (hold(services=("billing",)), {"billing"}),
        (hold(query="account:17"), {"billing"}),
        (hold(query="charged OR called"), {"billing", "gateway"}),
        (hold(query="account:17", services=("gateway",)), set()),
        (hold(query="account:17", since=DAY, until=NEXT), {"billing"}),
        (hold(query="account:17", until=DAY), set()),
        (hold(since=DAY), {"billing", "gateway"}),
        (hold(query="*", until=DAY), set()),
    ],
)
def test_records_that_are_held_stay_and_others_go(kept, told, services):
    lines = {"billing": "account=17 charged", "gateway": "account=9 called"}

    assert kept(told) - {"nothing else"} == {lines[service] for service in services}


def test_without_a_hold_all_of_it_goes(kept):
    assert kept() == set()


def test_a_segment_is_asked_once_and_one_that_cannot_be_read_stays(tmp_path):
    settings = StoreSettings(folder=tmp_path / "store", holds=(hold(query="account:17"),))
    with open_store(settings.folder) as store:
        store.append(make_batch([b"account=9"], observed_ns=OLD_NS, source="app"))
        store.seal(NOW_NS)
        (entry,) = store.manifest.segments
        (asked,) = holds_of(settings)
        assert not asked.keeps(entry)
        for path in settings.folder.rglob("data.parquet"):
            path.unlink()

    (fresh,) = holds_of(settings)
    assert not asked.keeps(entry)
    assert fresh.keeps(entry)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({}, "it would hold everything"),
        ({"query": "a", "reason": " "}, "reason is empty"),
        ({"since": "10d"}, "a hold does not move with the clock"),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "is not before until"),
    ],
)
def test_a_hold_that_means_nothing_certain_is_refused(told, problem):
    with pytest.raises(BadArgument, match=problem):
        hold(**told)


def test_two_holds_of_one_name_are_refused():
    with pytest.raises(BadArgument, match="two are named 'case-17'"):
        StoreSettings(holds=(hold(query="a"), hold(query="b")))
