"""The manifest: which segments there are, and how far the spool and each source have come.

One small file. It changes by being replaced, so a reader sees the store before a change or after it. What stands in
it and what was taken from the spool change together: no record is in both, none in neither.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from logpith.store.disk import MANIFEST, replace_file
from logpith.store.segment_writer import Head, digest
from logpith_emit.disk import Disk
from logpith_emit.errors import Refused

MANIFEST_COPY = "MANIFEST.copy"
"""The manifest as it was a while ago, for the day on which it is lost."""

MOST_BATCH_IDS = 10_000


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A segment, as far as it matters to who looks for the ones to open."""

    id: str
    day: int
    kind: str = ""
    """Its retention class."""

    records: int
    size_bytes: int
    """Of its files; `text_bytes` of its lines."""

    text_bytes: int = 0
    start_ns: int
    end_ns: int
    undated: int
    observed_start_ns: int
    observed_end_ns: int
    services: dict[str, int]
    sources: dict[str, int]
    severities: list[int]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The store at one moment, but for what is in the spool only."""

    generation: int = 0
    segments: tuple[Entry, ...] = ()
    """In the order in which they were made."""

    consumed: int = 0
    """Frames of the spool up to this sequence are in segments."""

    positions: dict[str, str] = {}
    """Source → where it reads on behind what is in segments."""

    placed: dict[str, int] = {}
    """Source → frames of the spool up to this sequence tell no position of it: it has come further since."""

    batch_ids: tuple[str, ...] = ()
    """The last ones, oldest first."""

    dropped: dict[str, int] = {}
    """Reason → records that were in the store and are not any more."""

    cut_ns: dict[str, int] = {}
    """Class → the newest time that a limit took from it before its age: see `plan_retention`."""


def entry_of(head: Head) -> Entry:
    """The entry of a segment."""
    return Entry(
        id=head.id,
        day=head.day,
        kind=head.kind,
        records=head.records,
        size_bytes=sum(head.sizes.values()),
        text_bytes=head.text_bytes,
        start_ns=head.start_ns,
        end_ns=head.end_ns,
        undated=head.undated,
        observed_start_ns=head.observed_start_ns,
        observed_end_ns=head.observed_end_ns,
        services=head.services,
        sources=head.sources,
        severities=head.severities,
    )


def read_manifest(disk: Disk, folder: Path) -> Manifest:
    """The manifest of a store.

    Raises:
        Refused: it is damaged or missing.
    """
    return ManifestReader(disk, folder).read()


class ManifestReader:
    """Reads the manifest of a store again and again; it is parsed when its bytes have changed."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self._path = folder / MANIFEST
        self._last: tuple[bytes, Manifest] | None = None

    def read(self) -> Manifest:
        """The manifest as it is now.

        Raises:
            Refused: it is damaged or missing.
        """
        remedy = "Run logpith store check --repair: it makes the manifest anew from the segments"
        try:
            data = self._disk.read(self._path)
            if self._last is None or self._last[0] != data:
                self._last = data, parse_manifest(data)
        except (
            FileNotFoundError
        ) as error:  # no store begins without, and what no manifest names is swept away
            raise Refused(f"{self._path} is missing", remedy=remedy) from error
        except ValueError as error:
            raise Refused(f"{self._path} is damaged", remedy=remedy) from error
        return self._last[1]


def parse_manifest(data: bytes) -> Manifest:
    """What `spell_manifest` has spelled.

    Raises:
        ValueError: it is damaged.
    """
    body, _, rest = data.rpartition(b"\n#")
    if rest != digest(body).encode() + b"\n":
        raise ValueError("the checksum is wrong")
    return msgspec.json.decode(body, type=Manifest)


def write_manifest(disk: Disk, folder: Path, manifest: Manifest) -> None:
    """Puts a manifest in the place of the one before; durable when it returns."""
    replace_file(disk, folder / MANIFEST, spell_manifest(manifest))


def spell_manifest(manifest: Manifest) -> bytes:
    """The bytes of a manifest: JSON, and its checksum behind it."""
    body = msgspec.json.encode(manifest)
    return body + b"\n#" + digest(body).encode() + b"\n"
