"""S3: an object of many records, as lines of JSON compressed by Zstandard, for each batch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from logpith_emit.destinations import ALL_WRITTEN, Destination, LiveDestination, Outgoing, Written, write_only
from logpith_emit.entry import moment_of
from logpith_emit.errors import BadArgument, LogpithError, Unavailable
from logpith_emit.extras import library
from logpith_emit.http import address_of
from logpith_emit.posting import lines_of
from logpith_emit.secret import Secret, without_password

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_REGION = re.compile(r"[a-z0-9-]*")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()=-]+(/[A-Za-z0-9!_.*'()=-]+)*|")
_SENDABLE = re.compile(r"[!-~]*")
_CODE = re.compile(r"<Code>(\w+)</Code>")

_ships_from: int | None = None
"""The process whose threads obstore has; a forked child has none, and would wait for them for ever."""


@dataclass(frozen=True, kw_only=True)
class S3Destination(Destination):
    """Puts each batch into a bucket as an object of its own. A batch that comes again replaces what it put before; one
    that is cut in another way then may have records that stand there already."""

    type: ClassVar[str] = "s3"

    bucket: str = ""
    """The bucket; must be given, and be there."""

    prefix: str = "logs"
    """What the keys of all objects begin with: `logs/date=2026-03-14/hour=09/….ndjson.zst`."""

    endpoint_url: str = ""
    """Where a server is that speaks as S3 does, `https://minio.example.org`; without it Amazon's."""

    region: str = ""
    """Such as `eu-central-1`; without it what `AWS_REGION` says."""

    access_key_id: Secret = Secret("")  # noqa: RUF009 - a value that nobody can change
    """With the next one the login; without, what `AWS_ACCESS_KEY_ID` and so on say, or the machine this runs on."""

    secret_access_key: Secret = Secret("")  # noqa: RUF009 - as above
    """The secret of that key."""

    session_token: Secret = Secret("")  # noqa: RUF009 - as above
    """Where that login is for a while only."""

    ca_file: Path | None = None
    """Authorities to trust besides those of the machine; a server's own certificate is none."""

    insecure: bool = False
    """Trusts any certificate. Who stands in between then reads and changes everything."""

    batch_records: int = 100_000
    """How many records an object has at most."""

    batch_bytes: int = 16 << 20
    """How many bytes of records an object has at most, before they are compressed."""

    gather_s: float = 60.0
    """How long records wait for others, so that a program that says little makes few objects."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.bucket:
            raise BadArgument("'bucket' is missing", remedy="Name the bucket that records go into")
        for name, pattern in (("bucket", _BUCKET), ("region", _REGION), ("prefix", _PREFIX)):
            if not pattern.fullmatch(getattr(self, name)):
                raise BadArgument(
                    f"{getattr(self, name)!r} is no {name}", remedy="Use plain letters, digits and -"
                )
        for name in ("access_key_id", "secret_access_key", "session_token"):
            if not _SENDABLE.fullmatch(getattr(self, name).reveal()):
                raise BadArgument(
                    f"{name} holds what cannot be sent", remedy="Look for line breaks at its end"
                )
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise BadArgument(
                "access_key_id and secret_access_key belong together", remedy="Give both, or none"
            )
        if self.endpoint_url:
            address_of(self.endpoint_url)

    @property
    def address(self) -> str:
        """Where the bucket is, as it may be told."""
        return f"s3://{self.bucket}" + (
            f" at {without_password(self.endpoint_url)}" if self.endpoint_url else ""
        )

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        yield _S3(self, library("obstore", "s3"), library("zstandard", "s3"))


class _S3:
    def __init__(self, settings: S3Destination, obstore: Any, zstandard: Any) -> None:
        self._settings = settings
        self._obstore = obstore
        self._compress = zstandard.ZstdCompressor(level=3, write_checksum=True).compress
        self._store: Any = None

    def write(self, records: Sequence[Outgoing]) -> Written:
        _stay_in_this_process()
        body = self._compress(lines_of(records))
        try:
            if self._store is None:
                self._store = _store(self._settings)
            self._obstore.put(
                self._store,
                self._key(records[0]),
                body,
                attributes={"Content-Type": "application/zstd"},
                use_multipart=False,
            )
        except BaseException as error:
            if not _is_of_obstore(error):
                raise
            raise Unavailable(f"{self._settings.address}: {_told(error)}", remedy=_remedy(error)) from error
        return ALL_WRITTEN

    query = write_only

    def _key(self, first: Outgoing) -> str:
        """Where a batch goes: the same place whenever it comes again."""
        moment = moment_of(first.timestamp)
        at = f"date={moment:%Y-%m-%d}/hour={moment:%H}/{quote(first.id, safe='')}.ndjson.zst"
        return "/".join(filter(None, (self._settings.prefix, at)))


def _store(settings: S3Destination) -> Any:
    limit = timedelta(seconds=settings.timeout_s)
    client: dict[str, Any] = {"timeout": limit, "connect_timeout": limit}
    given = {
        "endpoint": settings.endpoint_url.rstrip("/"),
        "region": settings.region,
        "access_key_id": settings.access_key_id.reveal(),
        "secret_access_key": settings.secret_access_key.reveal(),
        "session_token": settings.session_token.reveal(),
    }
    if settings.endpoint_url.startswith("http://"):
        client["allow_http"] = True
    if settings.ca_file is not None:
        try:
            client["root_certificate"] = settings.ca_file.read_bytes()
        except OSError as error:
            raise Unavailable(f"{settings.ca_file}: {error.strerror}", remedy="Check ca_file") from error
    if settings.insecure:
        client["allow_invalid_certificates"] = True
    return library("obstore.store", "s3").S3Store(
        settings.bucket,
        client_options=client,
        # Who delivers knows when to try again.
        retry_config={"max_retries": 0, "retry_timeout": limit},
        **{name: value for name, value in given.items() if value},
    )


def _is_of_obstore(error: BaseException) -> bool:
    """Whether it is not ours, and none that ends the program. Where obstore panics, it raises what is no Exception."""
    is_any = isinstance(error, Exception) or type(error).__name__ == "PanicException"
    return is_any and not isinstance(error, LogpithError)


def _told(error: BaseException) -> str:
    """What obstore says, in a line, and the code that the server gave, which stands at its end."""
    told = str(error).partition("\n\nDebug source")[0].replace("\n", " ")[:300]
    code = _CODE.search(str(error))
    return (f"{code[1]}: " if code else "") + (told or type(error).__name__)


def _remedy(error: BaseException) -> str:
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
        return "Mend the login; the records wait"
    if "InvalidCertificate" in str(error):
        return "Its certificate is not trusted: name the authority as ca_file"
    return "See to that bucket"


def _stay_in_this_process() -> None:
    global _ships_from  # noqa: PLW0603 - a process has one
    if _ships_from not in (None, os.getpid()):
        raise Unavailable(
            "A forked process cannot bring records to S3 if its parent has",
            remedy="Let the parent, or `logpith-emit ship`",
        )
    _ships_from = os.getpid()
