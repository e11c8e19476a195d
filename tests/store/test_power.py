"""The store and the power: wherever it is cut, the store opens, and what was promised is found exactly once.

A program tells what it is about to do and what it was promised: a batch that is stored, a segment that is dropped.
After a cut the store is opened and compared with that. No batch is lost, torn or doubled; no source reads on from a
place that it has not got to, or that it has passed; no batch is taken twice under its id; what was dropped stays away.
"""

import os
import secrets
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from logpith.store import StoreLimits, open_store
from logpith.store.reader import read_moment
from logpith.store.segment import segment_table
from power_cut import TestDisk, power_cuts
from stores import NOW_NS, batch_of, names_in, stored_names

LATER_NS = 2 * NOW_NS
SMALL = StoreLimits(segment_records=64, seal_records=3)


@dataclass(frozen=True)
class Sent:
    """A batch on its way."""

    names: tuple[str, ...]
    position: tuple[str, str] | None = None
    batch_id: str = ""


@dataclass(frozen=True)
class Stored:
    """A batch that was sent, promised to be stored."""

    sent: Sent


@dataclass(frozen=True)
class Dropping:
    """Names that may go from now on."""

    names: frozenset[str]


@dataclass(frozen=True)
class Dropped:
    """Names, promised to be gone."""

    names: frozenset[str]


class Sender:
    """Brings batches to a store."""

    def __init__(self, disk, told):
        self.disk = disk
        self.told = told
        self.numbers = Counter()

    @contextmanager
    def store(self):
        with open_store(self.disk.root / "data" / "store", disk=self.disk, limits=SMALL) as self.open:
            yield self.open

    def append(self, *names, source="", batch_id=""):
        sent = self._sent(names, source, batch_id)
        self.open.append(batch_of(*names), position=sent.position, batch_id=batch_id)
        self.told.append(Stored(sent))

    def add(self, *names, source):
        sent = self._sent(names, source)
        days = [batch_of(name, day=day) for day, name in enumerate(names)]
        self.open.add(days, positions=dict([sent.position]), newest_ns=NOW_NS)
        self.told.append(Stored(sent))

    def drop(self):
        entry = self.open.manifest.segments[0]
        names = frozenset(names_in([self.open.segment(entry)]))
        self.told.append(Dropping(names))
        self.open.drop({entry.id: "age"}, NOW_NS)
        self.told.append(Dropped(names))

    def ask(self):
        """What was sent and is found counts as promised: its sender asks how far it got, and goes on from there."""
        found = set(stored_names(self.open.folder, disk=self.disk))
        sent = [one for one in self.told if isinstance(one, Sent) and set(one.names) <= found]
        self.told += map(Stored, sent)

    def _sent(self, names, source, batch_id=""):
        self.numbers[source] += 1
        sent = Sent(names, (source, str(self.numbers[source])) if source else None, batch_id)
        self.told.append(sent)
        return sent


# ── Programs ───────────────────────────────────────────────────────────────────────────────────────────────────


def appended(sender):
    with sender.store():
        sender.append("a1", "a2", source="f")
        sender.append("b", batch_id="x")
        sender.append("c", source="f")


def sealed(sender):
    with sender.store() as store:
        sender.append("a1", "a2", source="f")
        sender.append("b", batch_id="x")
        store.seal(NOW_NS)
        sender.append("c", source="f")


def reopened(sender):
    with sender.store() as store:
        sender.append("a", source="f")
        store.seal(NOW_NS)
        sender.append("b", source="f", batch_id="x")
    with sender.store() as store:
        sender.append("c", source="f")
        store.seal(NOW_NS)
        sender.append("d", source="f")


def compacted(sender):
    with sender.store() as store:
        for number in range(4):
            sender.append(f"a{number}", source="f")
            store.seal(NOW_NS)
        sender.append("b", source="f")
        store.compact(NOW_NS)
        store.empty_trash(LATER_NS)


def dropped(sender):
    with sender.store() as store:
        sender.append("a", source="f")
        store.seal(NOW_NS)
        sender.append("b")
        sender.drop()
        store.empty_trash(LATER_NS)
        sender.append("c", source="f")


def replaced(sender):
    with sender.store() as store:
        sender.append("a1", "a2", source="f")
        store.seal(NOW_NS)
        sender.append("b")
        (entry,) = store.manifest.segments
        store.replace(entry, segment_table(store.segment(entry)).to_batches(), NOW_NS, dropped={})
        store.empty_trash(LATER_NS)
        sender.append("c", source="f")


def added(sender):
    with sender.store() as store:
        sender.append("a", source="f")
        sender.add("b1", "b2", source="f")
        sender.append("c", source="f")
        store.seal(NOW_NS)


def sealed_in_parts(sender):
    with sender.store() as store:
        sender.append("a1", "a2", "a3", source="f")
        sender.append("b", batch_id="x")
        sender.append("c", source="f")
        store.seal(NOW_NS)


KILLED = "killed"


def killed(first, sync):
    """The program `first`, killed before a sync, and another one that goes on with its store."""

    def program(sender):
        with sender.disk.killed_before(sync):
            first(sender)
        sender.told.append(KILLED)
        with sender.store() as store:
            sender.ask()
            sender.append("last", source="f")
            store.seal(NOW_NS)
            store.compact(NOW_NS)

    return program


PROGRAMS = [appended, sealed, sealed_in_parts, reopened, compacted, dropped, replaced, added]


class Order:
    """Numbers in place of chance: a program that runs again gives the same names, and so the same disks."""

    def __init__(self):
        self.last = 0

    def begin(self, at=0):
        self.last = at

    def bytes(self, count):
        self.last += 1
        return self.last.to_bytes(count)


ORDER = Order()
AGAIN = 1_000
"""Where the numbers begin of a program that goes on with what is left of another."""


@pytest.fixture(autouse=True)
def names_come_in_order(monkeypatch):
    monkeypatch.setattr(os, "urandom", ORDER.bytes)
    monkeypatch.setattr(secrets, "token_hex", lambda count: ORDER.bytes(count).hex())


def running(program):
    def run(disk, told):
        ORDER.begin()
        program(Sender(disk, told))

    return run


# ── After the cut ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Checker:
    """Opens the store after a cut. The same disk gives the same store, so that is done once for each."""

    seen: dict = field(default_factory=dict)

    def __call__(self, cut):
        key = tuple(sorted(cut.tree.items()))
        if key not in self.seen:
            self.seen[key] = self._open(cut)
        found, positions, ids = self.seen[key]
        told = cut.acknowledged
        dropping, gone = (
            frozenset().union(*(one.names for one in told if isinstance(one, kind)))
            for kind in (Dropping, Dropped)
        )

        assert not found & gone, cut
        stored = {one.sent for one in told if isinstance(one, Stored)}
        reached = {}
        for sent in (one for one in told if isinstance(one, Sent)):
            is_found = set(sent.names) <= found | dropping
            assert is_found or (sent not in stored and not found & set(sent.names)), cut
            if sent.position and is_found:
                reached.update([sent.position])
            if sent.batch_id:
                assert is_found == (sent.batch_id in ids), cut
        assert positions == reached, cut

    def _open(self, cut):
        """(names, positions, batch ids) that the store has."""
        folder = cut.disk.root / "data" / "store"
        with open_store(folder, disk=cut.disk, limits=SMALL) as store:
            manifest, frames = read_moment(folder, cut.disk)  # as another process does
            hot = [
                line.decode().partition(" ")[0] for one in frames for line in one.batch["line"].to_pylist()
            ]
            names = [*names_in(map(store.segment, manifest.segments)), *hot]
            positions = {source: place for source in "f" if (place := store.position(source))}
            ids = {name for name in "x" if not store.append(batch_of("again"), batch_id=name)}
        assert len(names) == len(set(names)), cut
        return set(names), positions, ids


def check_cuts(program, root, check=None, **options):
    check = check or Checker()
    for cut in power_cuts(running(program), root=root, **options):
        check(cut)


def check_killed(first, sync, root, check=None, **options):
    check = check or Checker()
    for cut in power_cuts(running(killed(first, sync)), root=root, **options):
        if KILLED in cut.acknowledged:
            check(cut)


def check_cut_again(program, root, every, **options):
    """Opens the store after every so manieth cut, and cuts the power while that is done."""
    check = Checker()
    for number, cut in enumerate(power_cuts(running(program), root=root / "first", **options)):
        if number % every:
            continue
        told = cut.acknowledged

        def opened(disk, acknowledged, told=told):
            ORDER.begin(AGAIN)
            acknowledged += told
            sender = Sender(disk, acknowledged)
            sender.numbers["f"] = 100
            with sender.store() as store:
                sender.ask()
                sender.append("last", source="f")
                store.seal(NOW_NS)

        for again in power_cuts(opened, root=root / f"{number}", tree=cut.tree, **options):
            if len(again.acknowledged) >= len(told):
                check(again)


def syncs_of(program, root):
    """Who asks for each sync of a program."""
    disk = TestDisk(root, real=True)
    running(program)(disk, disk.acknowledged)
    return disk.syncs


def named(programs):
    return [pytest.param(program, id=program.__name__) for program in programs]


@pytest.mark.parametrize("program", named(PROGRAMS))
def test_after_a_power_cut_what_was_promised_is_there_exactly_once(program, tmp_path):
    check_cuts(program, tmp_path, states_per_cut=3)


def test_what_a_killed_process_had_not_synced_is_synced_before_anybody_builds_on_it(tmp_path):
    check = Checker()
    for sync, site in enumerate(syncs_of(reopened, tmp_path / "once"), 1):
        if site.endswith((" replace_file", " _sync_unlocked")):
            check_killed(reopened, sync, tmp_path / f"{sync}", check, states_per_cut=2)


def test_a_store_that_is_opened_after_a_cut_survives_another_cut(tmp_path):
    check_cut_again(sealed, tmp_path, every=17, states_per_cut=3)


def is_noticed(check, *arguments, **options):
    """Whether a sync that is left out breaks a promise."""
    try:
        check(*arguments, **options)
    except Exception:  # noqa: BLE001  # a promise can break in any way
        return True
    return False


def test_every_sync_is_needed(tmp_path):
    # But for the one with which the spool removes files, needed elsewhere: here, a file that comes back is known.
    sites = {site for site in syncs_of(sealed, tmp_path / "once") if not site.endswith(" remove")}
    check = Checker()

    for number, site in enumerate(sorted(sites)):
        root = tmp_path / f"{number}"
        assert is_noticed(check_cuts, sealed, root, check, skip_sync=site, states_per_cut=12), site


def test_every_sync_of_what_a_killed_process_left_is_needed(tmp_path):
    in_replacing, in_appending = 6, 7
    known = syncs_of(sealed, tmp_path / "once")
    assert known[in_replacing - 1].endswith(" replace_file")
    assert known[in_appending - 1].endswith(" _sync_unlocked")
    sites = {
        site: sync
        for sync in (in_replacing, in_appending)
        for site in syncs_of(killed(sealed, sync), tmp_path / f"killed-{sync}")
        if site not in known
    }

    check = Checker()

    assert len(sites) == 3
    for number, (site, sync) in enumerate(sorted(sites.items())):
        root = tmp_path / f"{number}"
        assert is_noticed(check_killed, sealed, sync, root, check, skip_sync=site, states_per_cut=8), site


@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("program", named(PROGRAMS))
def test_cuts_in_all_their_states(program, tmp_path):
    check_cuts(program, tmp_path / "cuts", states_per_cut=64, seed=1)
    check_cut_again(program, tmp_path / "again", every=5, states_per_cut=4)
    check = Checker()
    for sync in range(1, len(syncs_of(program, tmp_path / "once")) + 1):
        check_killed(program, sync, tmp_path / f"{sync}", check, states_per_cut=4)
