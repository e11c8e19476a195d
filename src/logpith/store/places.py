"""Places: where copies of a store can be. A folder, or a bucket of an object store.

    /backups/logs, file:///backups/logs              a folder, of another disk best
    s3://bucket/logs?region=eu-central-1             Amazon S3, and what speaks as it does:
    s3://bucket/logs?endpoint=http://127.0.0.1:9000
    gs://bucket/logs                                 and whatever else pyarrow knows by its scheme

Keys for an object store come from where its own tools take them (AWS_ACCESS_KEY_ID, ~/.aws, the machine's role), never
from the address, which is shown and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit
from urllib.request import url2pathname

from logpith.store.disk import DRAFT
from logpith_emit.disk import Disk
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.secret import without_password

Made = TypeVar("Made")

CONNECT_S = 10
REQUEST_S = 60

_PARAMETERS = frozenset({"region", "endpoint"})


class Place(Protocol):
    """Files by names with `/` in them. Each method may raise Unavailable."""

    told: str
    """What it is called."""

    def read(self, name: str) -> bytes:
        """All of a file.

        Raises:
            FileNotFoundError: there is none.
        """

    def put(self, name: str, data: bytes) -> None:
        """Makes a file, in the place of one that had the name: whole and durable when it returns, or not at all."""

    def sizes(self, folder: str) -> dict[str, int]:
        """The files in a folder and below, by their names from there, and how long they are; nothing without it."""

    def remove(self, name: str) -> None:
        """Takes a file away, if it is there."""


def place_at(address: str, disk: Disk | None = None) -> Place:
    """The place with an address.

    Raises:
        BadArgument: it is none.
    """
    parts = urlsplit(address)
    if "://" not in address or parts.scheme == "file":
        path = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(address).expanduser()
        if not address or (parts.scheme == "file" and not path.is_absolute()):
            raise BadArgument(f"{address!r} is no folder", remedy="Write /backups/logs or s3://bucket/logs")
        return _Folder(path.absolute(), disk or Disk())
    if parts.username or parts.password:
        raise BadArgument(
            f"{without_password(address)}: keys do not belong into an address",
            remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile in ~/.aws",
        )
    return _Bucket(address)


# ── A folder ────────────────────────────────────────────────────────────────────────────────────────────────


class _Folder:
    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self.told = str(path)

    def read(self, name: str) -> bytes:
        with self._told_by_us():
            return self._disk.read(self._path / name)

    def put(self, name: str, data: bytes) -> None:
        target = self._path / name
        draft = target.with_name(f"{DRAFT}{target.name}")
        with self._told_by_us():
            self._make_folder(target.parent)
            self._disk.remove(draft)
            self._disk.write_new(draft, data)
            self._disk.rename(draft, target)
            self._disk.sync_folder(target.parent)

    def sizes(self, folder: str) -> dict[str, int]:
        with self._told_by_us():
            return dict(self._below(self._path / folder, ""))

    def remove(self, name: str) -> None:
        with self._told_by_us():
            self._disk.remove(self._path / name)
            self._disk.sync_folder((self._path / name).parent)

    def _below(self, folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
        for name in self._disk.names(folder):
            if (folder / name).is_dir():
                yield from self._below(folder / name, f"{prefix}{name}/")
            elif not name.startswith(DRAFT):
                yield f"{prefix}{name}", self._disk.size_bytes(folder / name)

    def _make_folder(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        self._disk.make_folder(folder)
        for one in reversed(missing):
            self._disk.sync_folder(one.parent)

    @contextmanager
    def _told_by_us(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unavailable(
                f"{self.told}: {(error.strerror or str(error)).lower()}",
                remedy="Make room, or mend its path or permissions, then try again",
            ) from error


# ── A bucket ────────────────────────────────────────────────────────────────────────────────────────────────


class _Bucket:
    def __init__(self, address: str) -> None:
        self.told = without_password(address)
        self._files, self._base = _filesystem(address)

    def read(self, name: str) -> bytes:
        def read() -> bytes:
            with self._files.open_input_stream(f"{self._base}/{name}") as stream:
                return stream.read()  # type: ignore[no-any-return]  # pyarrow has no types

        return self._asked(read)

    def put(self, name: str, data: bytes) -> None:
        def put() -> None:
            # An object is there when its stream was closed; one that was cut off before never is.
            with self._files.open_output_stream(f"{self._base}/{name}") as stream:
                stream.write(data)

        self._asked(put)

    def sizes(self, folder: str) -> dict[str, int]:
        from pyarrow import fs  # noqa: PLC0415 - only who has a bucket needs it

        base = f"{self._base}/{folder}".rstrip("/")
        selector = fs.FileSelector(base, recursive=True, allow_not_found=True)
        found = self._asked(lambda: self._files.get_file_info(selector))
        return {one.path.removeprefix(f"{base}/"): one.size for one in found if one.type == fs.FileType.File}

    def remove(self, name: str) -> None:
        self._asked(lambda: self._files.delete_file(f"{self._base}/{name}"))

    def _asked(self, ask: Callable[[], Made]) -> Made:
        try:
            return ask()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Unavailable(
                f"{self.told}: {str(error)[:300]}",
                remedy="Check the address and the keys (AWS_ACCESS_KEY_ID, ~/.aws), then try again",
            ) from error


def _filesystem(address: str) -> tuple[Any, str]:
    """What pyarrow reads and writes files there with, and what their names begin with."""
    import pyarrow as pa  # noqa: PLC0415 - only who has a bucket needs it
    from pyarrow import fs  # noqa: PLC0415 - as above

    parts = urlsplit(address)
    if parts.scheme != "s3":
        try:
            files, base = fs.FileSystem.from_uri(address)
        except (pa.ArrowInvalid, NotImplementedError) as error:
            raise BadArgument(
                f"{without_password(address)!r} is no address of a folder or a bucket",
                remedy="Write /backups/logs or s3://bucket/logs",
            ) from error
        return files, base.rstrip("/")
    told = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if unknown := sorted({*told} - _PARAMETERS):
        raise BadArgument(
            f"{without_password(address)}: there is no parameter {unknown[0]!r}",
            remedy="There are region and endpoint",
        )
    if not parts.netloc:
        raise BadArgument(f"{address!r} names no bucket", remedy="Write s3://bucket/logs")
    settings: dict[str, Any] = {"connect_timeout": CONNECT_S, "request_timeout": REQUEST_S}
    endpoint = urlsplit(told.get("endpoint", ""))
    if endpoint.netloc:
        settings |= {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme, "region": "us-east-1"}
    if "region" in told:
        settings["region"] = told["region"]
    return fs.S3FileSystem(**settings), f"{parts.netloc}{parts.path}".rstrip("/")
