"""Relay: the last lines of services from another logpith, by `POST /logs/fetch`, where SSH does not lead.

`{"service": "gateway", "lines": 100}` is answered with `{"logs": "…"}`, a text of lines, or with
`{"error": {"code", "message", "hint"}}`. An array of lines, or of objects, is taken as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import ClassVar

import msgspec

from logpith.sources import LiveSource, Source
from logpith.sources.last_lines import Asked, ask, lines_of
from logpith.sources.reading import attributes_of
from logpith.sources.web import Request, check_url, fetch
from logpith_emit.errors import BadArgument, Refused
from logpith_emit.secret import Secret


class _Answer(msgspec.Struct):
    logs: str | list[str | dict[str, object]]


@dataclass(frozen=True, kw_only=True)
class RelaySource(Source):
    """The last lines of services, told by a logpith on another machine."""

    type: ClassVar[str] = "relay"

    url: str
    """Where it listens: `https://10.0.0.7:8850/logs/fetch`."""

    services: tuple[str, ...]
    """The services to ask for, as they are called there."""

    token: Secret = Secret("")  # noqa: RUF009  # a Secret is a text, which nobody can change
    """Its token, best as `${VAR}`."""

    most_lines: int = field(default=10_000, metadata={"minimum": 1, "maximum": 10_000})
    """As many lines are asked for at most, where fewer would leave a gap."""

    timeout_s: float = field(default=30.0, metadata={"minimum": 0.1, "maximum": 600.0})
    """Seconds that an answer may take."""

    most_bytes: int = field(default=64 << 20, metadata={"minimum": 1, "maximum": 1 << 30})
    """Bytes that an answer may have."""

    certificates: str = ""
    """A file with the authority that signed its certificate, where the system does not know it."""

    insecure: bool = False
    """Whether the token may go by plain `http` beyond this machine."""

    flush_after_s: float = field(default=1.0, metadata={"minimum": 0.0, "maximum": 3600.0})
    """A last record that is younger waits for the next time: the rest of a stack trace may come until then."""

    def __post_init__(self) -> None:
        check_url(self.url, self.token, insecure=self.insecure)
        if not self.services:
            raise BadArgument("services: it names none", remedy='Write services = ["gateway", "auth"]')

    def open(self, name: str, position: str | None) -> AbstractContextManager[LiveSource]:
        """See `Source.open`."""
        asked = Asked(
            name=name,
            fetch=self._fetch,
            services=self.services,
            attributes=attributes_of(self.attributes),
            backfill_lines=min(self.backfill_lines, self.most_lines),
            most_lines=self.most_lines,
            flush_after_s=self.flush_after_s,
        )
        return ask(asked, position)

    def _fetch(self, service: str, count: int) -> Sequence[bytes]:
        body = fetch(
            Request(
                url=self.url,
                token=self.token,
                timeout_s=self.timeout_s,
                most_bytes=self.most_bytes,
                body=msgspec.json.encode({"service": service, "lines": count}),
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                certificates=self.certificates,
            )
        )
        try:
            logs = msgspec.json.decode(body, type=_Answer).logs
        except msgspec.DecodeError as error:
            raise Refused(
                f"{self.url} does not answer with logs", remedy="Name a logpith's /logs/fetch"
            ) from error
        if isinstance(logs, str):
            return lines_of(_as_bytes(logs))
        return [line for one in logs for line in lines_of(_as_bytes(one)) or [b""]]


def _as_bytes(one: str | dict[str, object]) -> bytes:
    """A record as the text that it is; what is no text already is written as JSON."""
    return one.encode("utf-8", "surrogatepass") if isinstance(one, str) else msgspec.json.encode(one)
