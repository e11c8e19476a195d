"""Convex: records posted to an HTTP action of an app there; `examples/convex` has the side of the app."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote

from logpith_emit.destinations import LiveDestination, Outgoing, Written, write_only
from logpith_emit.encoding import encode
from logpith_emit.entry import FIELDS
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.http import address_of
from logpith_emit.posting import PostedDestination, bearer, key_of
from logpith_emit.secret import Secret

KEYS = {name: re.sub("_([a-z])", lambda found: found[1].upper(), name) for name in FIELDS}
"""Field of an entry → what it is called there; beside them there are `serverName` and `serverVersion`."""

_IN_AN_AGENT = "!#$&'()*+,/:;=?@[] "
"""What may stand in a name of `User-Agent` besides letters, digits and `-._~`; all else is written as `%20` is."""


@dataclass(frozen=True, kw_only=True)
class ConvexDestination(PostedDestination):
    """Posts records to an app at Convex, which keeps each once where it does as `examples/convex` does."""

    type: ClassVar[str] = "convex"
    once: ClassVar[bool] = True

    endpoint_url: str = ""
    """`https://happy-animal-123.convex.site/logs/ingest`; must be given."""

    api_key: Secret = Secret("")  # noqa: RUF009 - a value that nobody can change
    """Sent as `Authorization: Bearer …`."""

    batch: bool = False
    """Whether many records go at once, as `{"logs": […], "ids": […]}`; else each goes alone, as `{"log": {…}}`."""

    server_name: str = ""
    """What all records say as `serverName`; without it each says its `service`."""

    server_version: str = "unknown"
    """What all records say as `serverVersion`."""

    gzip: bool = False
    """Whether bodies are compressed. Convex does not unpack them; something in between may."""

    user_agent: str = ""
    """What it calls itself; without it `MCP-Server/` and the server's name."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.endpoint_url:
            raise BadArgument(
                "'endpoint_url' is missing",
                remedy="Give it the address of the app's HTTP action, https://….convex.site/logs/ingest",
            )
        address_of(self.endpoint_url)
        if not self.user_agent:
            name = quote(self.server_name, safe=_IN_AN_AGENT) or "logpith-emit"
            object.__setattr__(self, "user_agent", f"MCP-Server/{name}")

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        headers = {"Content-Type": "application/json", **bearer(self.api_key.reveal())}
        with self.posting(self.endpoint_url, headers, self._logs if self.batch else self._log) as live:
            yield live if self.batch else _OneByOne(live)

    def _log(self, records: Sequence[Outgoing]) -> bytes:
        (record,) = records
        return b'{"log":' + self._shown(record) + b"}"

    def _logs(self, records: Sequence[Outgoing]) -> bytes:
        # Batches are cut anew when they come again, so that each record needs what it is known by.
        ids = b",".join(b'"%b"' % key_of([record]).encode() for record in records)
        return b'{"logs":[' + b",".join(map(self._shown, records)) + b'],"ids":[' + ids + b"]}"

    def _shown(self, record: Outgoing) -> bytes:
        """A record as Convex gets it: with all keys, `null` where it says nothing."""
        entry = record.entry
        given = {key: getattr(entry, name) for name, key in KEYS.items()}
        service = record.fields.get("service")
        return encode(
            {
                **given,
                "timestamp": entry.timestamp.isoformat(),
                "serverName": self.server_name or (service if isinstance(service, str) else ""),
                "serverVersion": self.server_version,
            }
        )


class _OneByOne:
    """Gives records on one at a time."""

    def __init__(self, live: LiveDestination) -> None:
        self._live = live

    def write(self, records: Sequence[Outgoing]) -> Written:
        refused: dict[str, str] = {}
        for at, record in enumerate(records):
            try:
                self._live.write([record])
            except Refused as error:
                refused[record.id] = error.problem
            except Unavailable as error:
                if at == 0:
                    raise
                # Those before are safe; the next write begins with this one.
                again = frozenset(left.id for left in records[at:])
                return Written(refused=refused, again=again, why_again=error)
        return Written(refused=refused)

    query = write_only
