"""Keeping: what the plan says is done, and a clock that jumps costs nothing."""

import logging
from dataclasses import replace

import pytest

from logpith.batch import make_batch
from logpith.settings import RetentionClass, StoreSettings
from logpith.store import StoreLimits, open_store
from logpith.store.classes import classify_by
from logpith.store.keeping import COPY_EVERY_NS, LEAP_NS, Keeper, disk_room, policy_of, trash_bytes
from logpith.store.manifest import MANIFEST_COPY, parse_manifest
from logpith.store.retention import Policy
from logpith.store.writer import TRASH_GRACE_NS
from logpith.timerange import NS_PER_D, NS_PER_H, NS_PER_S
from stores import DAY_NS, NOW_NS, batch_of, snapshot_of, stored_names

POLICY = Policy(retention_ns=30 * NS_PER_D)


def files_in(folder):
    return [path for path in (folder / "days").rglob("*") if path.is_file()]


def record_of(name, days_ago, severity=0):
    """A record that was written and came so many days before NOW_NS."""
    time_ns = NOW_NS - days_ago * NS_PER_D
    return make_batch(
        [name.encode()], observed_ns=time_ns, source="app", timestamps=[time_ns], severities=[severity]
    )


def days_pass(keeper, from_ns, to_ns, step_ns=LEAP_NS):
    """A clock that goes on, asked now and then."""
    for now_ns in range(from_ns, to_ns + 1, step_ns):
        keeper.keep(now_ns, None)


def test_after_30_days_records_go_their_disk_space_is_freed_and_newer_ones_stay(tmp_path):
    with open_store(tmp_path) as store:
        for days_ago in (31, 29, 1):
            store.append(record_of(f"{days_ago}-days", days_ago))
            store.seal(NOW_NS - days_ago * NS_PER_D)
        before = sum(path.stat().st_size for path in files_in(tmp_path))

        Keeper(store, POLICY).keep(NOW_NS - NS_PER_D, None)

        assert stored_names(tmp_path) == ["1-days", "29-days", "31-days"]
        keeper = Keeper(store, POLICY)
        days_pass(keeper, NOW_NS - NS_PER_D, NOW_NS)
        assert stored_names(tmp_path) == ["1-days", "29-days"]
        assert store.manifest.dropped == {"age": 1}
        in_trash = trash_bytes(store.disk, tmp_path)
        assert in_trash > 0
        store.empty_trash(NOW_NS + TRASH_GRACE_NS)
        assert trash_bytes(store.disk, tmp_path) == 0
        assert sum(path.stat().st_size for path in files_in(tmp_path)) < before
    assert stored_names(tmp_path) == ["1-days", "29-days"]


def test_errors_are_kept_90_days_debug_3_and_the_rest_30(tmp_path):
    settings = StoreSettings(
        folder=tmp_path,
        classes=(
            RetentionClass(name="errors", query="level>=error", retention="90d"),
            RetentionClass(name="debug", query="level<=debug", retention="3d"),
        ),
    )
    limits = StoreLimits(classify=classify_by([(one.name, one.query) for one in settings.classes]))
    ages = (1, 4, 31, 91)
    severities = {"error": 17, "info": 9, "debug": 5}
    with open_store(tmp_path, limits=limits) as store:
        for days_ago in ages:
            for name, severity in severities.items():
                store.append(record_of(f"{name}-{days_ago}", days_ago, severity))
        store.seal(NOW_NS)
        store.compact(NOW_NS)

        Keeper(store, policy_of(settings, 10**12)).keep(NOW_NS, None)
        days_pass(Keeper(store, policy_of(settings, 10**12)), NOW_NS - NS_PER_D, NOW_NS)

    assert stored_names(tmp_path) == ["debug-1", "error-1", "error-31", "error-4", "info-1", "info-4"]


def test_a_store_that_is_too_large_loses_its_oldest_and_says_what_retention_really_is(tmp_path, caplog):
    with open_store(tmp_path) as store:
        for days_ago in (20, 10, 5):
            store.append(record_of(f"{days_ago}-days", days_ago))
            store.seal(NOW_NS)
        sizes = [entry.size_bytes for entry in store.manifest.segments]
        keeper = Keeper(store, replace(POLICY, most_bytes=sum(sizes[1:])))
        days_pass(keeper, NOW_NS - 5 * NS_PER_D, NOW_NS)

        assert stored_names(tmp_path) == ["10-days", "5-days"]
        assert store.manifest.dropped == {"size": 1}
        assert "below the wanted 30 d" in caplog.text
        families = {family.name: family for family in keeper.families()}
        (lacking,) = families["logpith_store_real_retention_seconds"].samples
        assert lacking.value == 20 * NS_PER_D // NS_PER_S
    # What was cut is remembered: the next process says it, too.
    with open_store(tmp_path) as store:
        keeper = Keeper(store, POLICY)
        keeper.keep(NOW_NS - LEAP_NS, None)
        plan = keeper.keep(NOW_NS, None)

        assert [one.in_words() for one in plan.shortfalls] == [
            "default: real retention is 20 d, below the wanted 30 d"
        ]


def test_shortfalls_are_logged_once(tmp_path, caplog):
    with open_store(tmp_path) as store:
        store.append(record_of("old", 20))
        store.seal(NOW_NS)
        keeper = Keeper(store, replace(POLICY, most_bytes=0))
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                keeper.keep(NOW_NS - 20 * NS_PER_D, None)

    assert [record.getMessage() for record in caplog.records if "retention" in record.getMessage()] == [
        "default: real retention is 0 s, below the wanted 30 d"
    ]


def test_a_full_disk_is_helped_once_since_what_lies_in_the_trash_will_be_free(tmp_path):
    with open_store(tmp_path) as store:
        for days_ago in (3, 2, 1):
            store.append(record_of(f"{days_ago}-days", days_ago))
            store.seal(NOW_NS)
        least = store.manifest.segments[0].size_bytes
        keeper = Keeper(store, replace(POLICY, least_free_bytes=least))
        for _ in range(3):
            keeper.keep(NOW_NS - NS_PER_D, 0)

        assert store.manifest.dropped == {"free space": 1}
    assert stored_names(tmp_path) == ["1-days", "2-days"]


# ── Clocks ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def kept(tmp_path):
    """A store with a record of today, and what keeps it."""
    with open_store(tmp_path) as store:
        store.append(record_of("today", 0))
        store.seal(NOW_NS)
        yield store, Keeper(store, POLICY)


@pytest.mark.parametrize("leap_ns", [31 * NS_PER_D, 400 * NS_PER_D, 40_000 * NS_PER_D])
def test_a_clock_that_leaps_ahead_and_comes_back_costs_no_record(kept, leap_ns, caplog):
    store, keeper = kept
    keeper.keep(NOW_NS, None)
    for second in range(5):
        keeper.keep(NOW_NS + leap_ns + second * NS_PER_S, None)
    for second in range(5, 10):
        keeper.keep(NOW_NS + second * NS_PER_S, None)

    assert stored_names(store.folder) == ["today"]
    assert "the clock has leapt ahead" in caplog.text


def test_a_clock_that_leaps_again_and_again_is_never_believed(kept):
    store, keeper = kept
    for leap in range(50):
        keeper.keep(NOW_NS + leap * 10 * NS_PER_D, None)

    assert stored_names(store.folder) == ["today"]


def test_a_clock_that_stays_ahead_is_believed_after_an_hour(kept):
    store, keeper = kept
    keeper.keep(NOW_NS, None)
    leapt_ns = NOW_NS + 31 * NS_PER_D
    days_pass(keeper, leapt_ns, leapt_ns + LEAP_NS - 1, NS_PER_H // 4)
    assert stored_names(store.folder) == ["today"]

    keeper.keep(leapt_ns + LEAP_NS, None)

    assert snapshot_of(store.folder).segments == ()


def test_a_process_that_begins_with_a_wrong_clock_does_not_believe_it_at_once(kept):
    store, _ = kept

    Keeper(store, POLICY).keep(NOW_NS + 31 * NS_PER_D, None)

    assert stored_names(store.folder) == ["today"]


def test_a_clock_that_jumps_back_removes_nothing_and_holds_nothing_up(kept):
    store, keeper = kept
    keeper.keep(NOW_NS, None)
    keeper.keep(DAY_NS - 400 * NS_PER_D, None)
    assert stored_names(store.folder) == ["today"]

    days_pass(keeper, NOW_NS, NOW_NS + 31 * NS_PER_D)

    assert snapshot_of(store.folder).segments == ()


# ── The copy of the manifest ────────────────────────────────────────────────────────────────────────────────


def test_the_manifest_is_copied_when_it_has_changed_and_not_too_often(tmp_path):
    with open_store(tmp_path) as store:
        keeper = Keeper(store, POLICY)

        def copied():
            return parse_manifest((tmp_path / MANIFEST_COPY).read_bytes()).generation

        keeper.keep(NOW_NS, None)
        first = copied()
        store.append(batch_of("a"))
        store.seal(NOW_NS)
        keeper.keep(NOW_NS + 1, None)
        assert copied() == first
        keeper.keep(NOW_NS + COPY_EVERY_NS, None)
        assert copied() == store.manifest.generation > first


def test_the_room_on_a_disk_is_known_before_there_is_a_folder(tmp_path):
    size, free = disk_room(tmp_path / "not" / "yet")

    assert size > free > 0


def test_the_settings_become_a_policy():
    settings = StoreSettings(
        retention="7d",
        classes=(RetentionClass(name="errors", query="level>=error", retention="90d"),),
        most_bytes="5GB",
        least_free="10%",
    )

    assert policy_of(settings, 1000) == Policy(
        retention_ns=7 * NS_PER_D,
        kinds={"errors": 90 * NS_PER_D},
        most_bytes=5 * 10**9,
        least_free_bytes=100,
    )
