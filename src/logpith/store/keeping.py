"""Keeping: a store within the bounds of its policy, from moment to moment, and what that comes to.

    keeper = Keeper(store, policy)
    keeper.keep(now_ns, free_bytes)     every few seconds, behind `store.maintain`

A clock that jumps ahead would end the time of everything at once. So one that has gone ahead by more than LEAP_NS since
it was last asked, or since the last record came, is not believed before it has gone on for as long again; until then
nothing goes for its age. A machine that was asleep keeps its records an hour longer for that.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from logpith.settings import StoreSettings
from logpith.store.disk import TRASH, replace_file
from logpith.store.holds import holds_of
from logpith.store.manifest import MANIFEST_COPY, spell_manifest
from logpith.store.retention import Plan, Policy, plan_retention
from logpith.store.writer import Store
from logpith.telemetry import Family, Sample
from logpith.timerange import NS_PER_H, NS_PER_MIN, NS_PER_S, format_span
from logpith_emit.disk import Disk

LEAP_NS = NS_PER_H
COPY_EVERY_NS = NS_PER_MIN

log = logging.getLogger(__name__)


def policy_of(settings: StoreSettings, disk_bytes: int) -> Policy:
    """The policy that the settings ask for, on a disk of that size.

    Raises:
        BadQuery: the query of a hold is none.
    """
    return Policy(
        retention_ns=settings.retention_ns,
        kinds={one.name: one.retention_ns for one in settings.classes},
        most_bytes=settings.limit_bytes,
        least_free_bytes=settings.free_bytes(disk_bytes),
        holds=holds_of(settings),
    )


def disk_room(folder: Path) -> tuple[int, int]:
    """(size, free bytes) of the disk that a folder is on, or would be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return usage.total, usage.free


def trash_bytes(disk: Disk, folder: Path) -> int:
    """What lies in the trash of a store, and is free as soon as nobody can be reading it any more."""
    trash = folder / TRASH
    total = 0
    for segment in disk.names(trash):
        for name in disk.names(trash / segment):
            try:
                total += disk.size_bytes(trash / segment / name)
            except FileNotFoundError:  # removed meanwhile
                continue
    return total


def copy_manifest(store: Store) -> None:
    """Puts a copy of the manifest beside it, for the day on which it is lost: nothing else knows all positions."""
    replace_file(store.disk, store.folder / MANIFEST_COPY, spell_manifest(store.manifest))


class Keeper:
    """Keeps one store in order."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        came = [entry.observed_end_ns for entry in store.manifest.segments]
        self._believed_ns: int | None = max(came, default=None)
        self._leapt_ns: int | None = None
        """What the clock said when it had gone ahead too far to be believed."""

        self._asked_ns: int | None = None
        self._told: frozenset[str] = frozenset()
        self._plan: Plan | None = None
        self._saved = -COPY_EVERY_NS, -1
        """When the manifest was copied, and which it was."""

    def keep(self, now_ns: int, free_bytes: int | None) -> Plan:
        """Drops what goes now, and tells what it was; `free_bytes` are free on the disk.

        Raises:
            OSError: the disk fails; nothing went then.
        """
        manifest = self._store.manifest
        plan = plan_retention(
            manifest.segments,
            self._policy,
            self._believed(now_ns),
            free_bytes=free_bytes,
            freeing_bytes=trash_bytes(self._store.disk, self._store.folder) if free_bytes is not None else 0,
            cut_ns=manifest.cut_ns,
        )
        if plan.removals or dict(plan.cut_ns) != manifest.cut_ns:
            reasons: dict[str, str] = {one.entry.id: one.reason for one in plan.removals}
            self._store.drop(reasons, now_ns, cut_ns=plan.cut_ns)
        self._tell(plan)
        self._plan = plan
        self._save_copy(now_ns)
        return plan

    def families(self) -> Iterable[Family]:
        """What is kept and what went, for `/metrics`."""
        manifest = self._store.manifest
        records, sizes = Counter[str](), Counter[str]()
        for entry in manifest.segments:
            records[entry.kind or "default"] += entry.records
            sizes[entry.kind or "default"] += entry.size_bytes
        yield _family("logpith_store_records", "gauge", "Records in segments, by class.", "class", records)
        yield _family("logpith_store_bytes", "gauge", "Bytes of segments, by class.", "class", sizes)
        yield _family(
            "logpith_store_removed_records_total",
            "counter",
            "Records that were kept and then went, by why.",
            "reason",
            manifest.dropped,
        )
        lacking = (
            {one.kind or "default": one.real_ns / NS_PER_S for one in self._plan.shortfalls}
            if self._plan
            else {}
        )
        yield _family(
            "logpith_store_real_retention_seconds",
            "gauge",
            "How long a class is really kept where that is less than wanted.",
            "class",
            lacking,
        )

    def _believed(self, now_ns: int) -> int:
        """What time it is for retention: the clock's, unless it has just leapt ahead."""
        asked_ns, self._asked_ns = self._asked_ns, now_ns
        known_ns = self._believed_ns
        if known_ns is None or now_ns - known_ns <= LEAP_NS:
            self._believed_ns, self._leapt_ns = now_ns, None
            return now_ns
        has_leapt = asked_ns is not None and now_ns - asked_ns > LEAP_NS
        if self._leapt_ns is None or has_leapt or now_ns < self._leapt_ns:
            self._leapt_ns = now_ns
            if has_leapt:
                log.warning(
                    "the clock has leapt ahead by %s: nothing goes for its age for %s",
                    format_span(now_ns - known_ns),
                    format_span(LEAP_NS),
                )
        if now_ns - self._leapt_ns < LEAP_NS:
            return known_ns
        self._believed_ns, self._leapt_ns = now_ns, None
        return now_ns

    def _save_copy(self, now_ns: int) -> None:
        """Copies the manifest when it has changed, and not too often."""
        manifest = self._store.manifest
        saved_ns, generation = self._saved
        if manifest.generation != generation and abs(now_ns - saved_ns) >= COPY_EVERY_NS:
            copy_manifest(self._store)
            self._saved = now_ns, manifest.generation

    def _tell(self, plan: Plan) -> None:
        for removal in plan.removals:
            entry = removal.entry
            log.info("segment %s (%s records) goes for its %s", entry.id, entry.records, removal.reason)
        told = {shortfall.kind: shortfall.in_words() for shortfall in plan.shortfalls}
        if plan.lacking_bytes:
            told[" lacking"] = (
                f"{plan.lacking_bytes:,} bytes too many for the limits although all goes that may"
            )
        for kind, words in told.items():
            if kind not in self._told:
                log.warning("%s", words)
        self._told = frozenset(told)


def _family(
    name: str, kind: Literal["counter", "gauge"], doc: str, label: str, values: Mapping[str, float]
) -> Family:
    samples = [Sample(name=name, value=value, labels=((label, of),)) for of, value in sorted(values.items())]
    return Family(name=name, kind=kind, doc=doc, samples=samples)
