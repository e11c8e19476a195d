"""Metrics: how destinations are doing, as Prometheus reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from logpith_emit.prometheus import Family, Sample
from logpith_emit.shipping import Status
from logpith_emit.spool import Spool

_PREFIX = "logpith_emit_destination_"

Number = Callable[[Status], float]

# Also of who reads a spool otherwise, such as a store that collects it.
_WAITING: Mapping[str, tuple[str, Number]] = {
    "waiting_records": ("Records in the spool that it has not got yet.", lambda one: one.waiting),
    "waiting_bytes": ("What these take in the spool.", lambda one: one.waiting_bytes),
}
_SHIPPED: Mapping[str, tuple[str, Number]] = {
    "in_flight_records": (
        "Those of the waiting that are being written now.",
        lambda one: one.shipped.in_flight,
    ),
    "sent_records_total": ("Records that are safe where they go.", lambda one: one.shipped.sent),
    "sent_bytes_total": ("How many bytes these had.", lambda one: one.shipped.sent_bytes),
    "retried_records_total": (
        "Records that had to be written again, as often as they were.",
        lambda one: one.shipped.retried,
    ),
    "refused_records_total": ("Records that became dead letters.", lambda one: one.shipped.refused),
    "unwanted_records_total": (
        "Records that its settings do not bring there.",
        lambda one: one.shipped.unwanted,
    ),
    "errors_total": ("What failed, as often as it did.", lambda one: one.shipped.errors),
    "damaged_bytes_total": (
        "Bytes of the spool that could not be read.",
        lambda one: one.shipped.damaged_bytes,
    ),
    "last_sent_timestamp_seconds": (
        "When something was safe there last; 0 for never.",
        lambda one: one.shipped.last_sent_ns / 1e9,
    ),
}


def families_of(found: Sequence[tuple[Spool, Status]], now_ns: int) -> list[Family]:
    """All numbers of some destinations, each with the names of its spool's folder and its own."""
    names = Counter(name for name, _ in {(spool.folder.name, spool.folder) for spool, _ in found})
    labelled = [
        (
            {
                "destination": status.name,
                "spool": spool.folder.name if names[spool.folder.name] == 1 else str(spool.folder),
            },
            status,
        )
        for spool, status in found
    ]
    shipped = [(labels, status) for labels, status in labelled if status.shipped.type]

    def family(name: str, doc: str, samples: Sequence[tuple[Mapping[str, str], float]]) -> Family:
        name = _PREFIX + name
        kind: Literal["counter", "gauge"] = "counter" if name.endswith("_total") else "gauge"
        told = [Sample(name=name, labels=tuple(sorted(of.items())), value=value) for of, value in samples]
        return Family(name=name, kind=kind, doc=doc, samples=told)

    return [
        *(
            family(name, doc, [(labels, number(status)) for labels, status in of])
            for numbers, of in ((_WAITING, labelled), (_SHIPPED, shipped))
            for name, (doc, number) in numbers.items()
        ),
        family(
            "oldest_age_seconds",
            "How long ago the oldest record was said that it has not got yet; 0 where there is none.",
            [
                (labels, max(now_ns - status.oldest_ns, 0) / 1e9 if status.oldest_ns else 0)
                for labels, status in labelled
            ],
        ),
        family(
            "dropped_records_total",
            "Records that were neither delivered nor kept.",
            [
                ({**labels, "reason": reason}, number)
                for labels, status in shipped
                for reason, number in sorted(status.shipped.dropped.items())
            ],
        ),
        family(
            "state",
            "1 for the state that it is in: delivering, gathering, retrying, dead or ended.",
            [({**labels, "state": status.shipped.state}, 1) for labels, status in shipped],
        ),
    ]
