"""Redis: records in a stream.

Which records are there is kept beside the stream, a bit for each, in the same step that adds them. So what comes again
because an answer was lost is added once:

    mcp-logs                               the stream; each entry has `id` and `record`, which is JSON
    mcp-logs:seen:4711-1f3ab0c2d4e5:0      the first 65,536 records of a writer, gone a day after the last of them
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import ALL_WRITTEN, Destination, LiveDestination, Outgoing, Wanted, Written
from logpith_emit.encoding import encode
from logpith_emit.entry import LogEntry, shown
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.extras import library
from logpith_emit.secret import Secret, without_password

if TYPE_CHECKING:
    from redis import Redis

# An entry is added before its bit is set: should Redis run out of memory between the two, it comes twice and not never.
_ADD = """
for at = 3, #ARGV, 4 do
  local seen = KEYS[tonumber(ARGV[at])]
  if redis.call('GETBIT', seen, ARGV[at + 1]) == 0 then
    if ARGV[1] == '0' then
      redis.call('XADD', KEYS[1], '*', 'id', ARGV[at + 2], 'record', ARGV[at + 3])
    else
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'id', ARGV[at + 2], 'record', ARGV[at + 3])
    end
    redis.call('SETBIT', seen, ARGV[at + 1], 1)
  end
end
for key = 2, #KEYS do redis.call('EXPIRE', KEYS[key], ARGV[2]) end
return (#ARGV - 2) / 4
"""

_ADDED_AT_ONCE = 500
"""Redis serves nobody else meanwhile."""

_READ_AT_ONCE = 1_000
_BITS_OF_A_KEY = 1 << 16


@dataclass(frozen=True, kw_only=True)
class RedisDestination(Destination):
    """Adds records to a stream of Redis, each once.

    They are as safe as Redis keeps them, which its `appendonly` and `appendfsync` say.
    """

    type: ClassVar[str] = "redis"
    can_query: ClassVar[bool] = True
    once: ClassVar[bool] = True

    url: Secret = Secret("redis://localhost:6379/0")  # noqa: RUF009 - a value that nobody can change
    """`redis://user:password@host:port/number`; `rediss://` speaks TLS, `unix:///path` needs no network."""

    stream: str = "mcp-logs"
    """The stream's key."""

    most_entries: int = 1_000_000
    """About how many the stream keeps, the newest; 0 keeps all."""

    remember_s: int = 86_400
    """How long after the last of its neighbours it is known of a record that it is there; it takes a bit."""

    ca_file: Path | None = None
    """Certificates to trust instead of those of the machine."""

    certificate_file: Path | None = None
    """The certificate to show, where Redis wants one."""

    key_file: Path | None = None
    """The key of that certificate."""

    insecure: bool = False
    """Trusts any certificate. Who stands in between then reads and changes everything."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.stream:
            raise BadArgument("No stream is named", remedy="Leave it out for its default")
        if self.remember_s <= 0 or self.most_entries < 0:
            raise BadArgument(
                "remember_s and most_entries are no less than nothing",
                remedy="Leave them out for their defaults",
            )
        self._check_address()

    @property
    def address(self) -> str:
        """Where Redis is, as it may be told."""
        return without_password(self.url.reveal())

    def _check_address(self) -> None:
        try:
            address = urlsplit(self.url.reveal())
            is_one = address.scheme in ("redis", "rediss", "unix") and address.port != 0
        except ValueError:
            is_one = False
        if not is_one:
            raise BadArgument(f"{self.address!r} is no address of Redis", remedy="Write redis://host:port/0")
        for name, _ in parse_qsl(address.query, keep_blank_values=True):
            if name != "db":  # such as one that trusts any certificate
                raise BadArgument(
                    f"'{name}' cannot be set in an address", remedy="Use the settings beside it"
                )
        if (self.ca_file or self.certificate_file) and address.scheme != "rediss":
            raise BadArgument("There are certificates, but no TLS", remedy="Write rediss:// in the address")

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        live = _Redis(self, library("redis", "redis"))
        try:
            yield live
        finally:
            live.close()


class _Redis:
    def __init__(self, settings: RedisDestination, client: ModuleType) -> None:
        self._settings = settings
        self._errors = client.exceptions
        self._redis: Redis = client.Redis.from_url(
            settings.url.reveal(),
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            # Who delivers knows when to try again.
            retry=client.retry.Retry(client.backoff.NoBackoff(), 0),
            protocol=2,
            **_tls(settings),
        )

    def write(self, records: Sequence[Outgoing]) -> Written:
        for first in range(0, len(records), _ADDED_AT_ONCE):
            self._add(records[first : first + _ADDED_AT_ONCE])
        return ALL_WRITTEN

    def _add(self, records: Sequence[Outgoing]) -> None:
        keys = {self._settings.stream: 1}
        arguments: list[str | bytes | int] = [self._settings.most_entries, self._settings.remember_s]
        for record in records:
            key, bit = self._seen(record.id)
            arguments += keys.setdefault(key, len(keys) + 1), bit, record.id, encode(shown(record.entry))
        added = self._ask(lambda: self._redis.eval(_ADD, len(keys), *keys, *arguments))
        if added != len(records):
            raise self._unavailable(f"answers {added!r:.100}")

    def _seen(self, identity: str) -> tuple[str, int]:
        """Where it stands whether a record is there: the key, and which bit of it."""
        writer, _, number = identity.rpartition("-")
        if not (number.isascii() and number.isdecimal()):
            return f"{self._settings.stream}:seen:{identity}", 0
        block, bit = divmod(int(number), _BITS_OF_A_KEY)
        return f"{self._settings.stream}:seen:{writer}:{block}", bit

    def query(self, wanted: Wanted) -> list[LogEntry]:
        """Reads the whole stream, whose order is that of arrival."""
        until_ns = SYSTEM_CLOCK.monotonic_ns() + int(self._settings.timeout_s * 1e9)
        fitting = (entry for entry in self._entries(until_ns) if wanted.fits(entry))
        return nlargest(wanted.limit, fitting, key=lambda entry: entry.timestamp)

    def _entries(self, until_ns: int) -> Iterator[LogEntry]:
        """All that stand there, from the newest; those that others have added, and are none, are passed by."""
        before = "+"
        while True:
            page = self._page(before)
            for _, fields in page:
                if (entry := _entry_of(fields)) is not None:
                    yield entry
            if len(page) < _READ_AT_ONCE:
                return
            if SYSTEM_CLOCK.monotonic_ns() > until_ns:
                raise Unavailable(
                    f"Stream {self._settings.stream} cannot be read within {self._settings.timeout_s:g} s",
                    remedy="Raise timeout_s, or lower most_entries",
                )
            before = f"({page[-1][0].decode()}"

    def _page(self, before: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """The newest entries before an id."""
        page: list[tuple[bytes, dict[bytes, bytes]]] = self._ask(
            lambda: self._redis.xrevrange(self._settings.stream, before, "-", _READ_AT_ONCE)
        )
        return page

    def _ask(self, command: Callable[[], Any]) -> Any:
        """What Redis answers.

        Raises:
            Unavailable: it does not, or not to this. It refuses nothing for good.
        """
        try:
            return command()
        except self._errors.TimeoutError as error:
            raise self._unavailable(f"did not answer within {self._settings.timeout_s:g} s") from error
        except (self._errors.AuthenticationError, self._errors.AuthorizationError) as error:
            raise self._unavailable(f"says: {error}", "Mend the login; the records wait") from error
        except (self._errors.RedisError, OSError, ValueError) as error:
            self._redis.connection_pool.disconnect()  # what was asked may still be answered, to the next question
            remedy = "Name the certificates to trust as ca_file" if "CERTIFICATE" in str(error) else ""
            raise self._unavailable(f"says: {error}", remedy) from error

    def _unavailable(self, what: str, remedy: str = "") -> Unavailable:
        return Unavailable(f"{self._settings.address} {what}", remedy=remedy or "See to that server")

    def close(self) -> None:
        self._redis.close()


def _entry_of(fields: Mapping[bytes, bytes]) -> LogEntry | None:
    """The entry that was added with these fields; None where it was not by us."""
    try:
        known = json.loads(fields[b"record"])
        return LogEntry(**{**known, "timestamp": datetime.fromisoformat(known["timestamp"])})
    except (KeyError, TypeError, ValueError):
        return None


def _tls(settings: RedisDestination) -> dict[str, Any]:
    if not settings.url.reveal().startswith("rediss:"):
        return {}
    return {
        "ssl_cert_reqs": "none" if settings.insecure else "required",
        "ssl_check_hostname": not settings.insecure,
        "ssl_ca_certs": settings.ca_file and str(settings.ca_file),
        "ssl_certfile": settings.certificate_file and str(settings.certificate_file),
        "ssl_keyfile": settings.key_file and str(settings.key_file),
    }
