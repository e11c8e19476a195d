"""HTTP lines: the last lines of a log that a web server tells, as text or as one JSON object a line."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import quote

from logpith.sources import LiveSource, Source
from logpith.sources.last_lines import Asked, ask, lines_of
from logpith.sources.reading import attributes_of
from logpith.sources.web import Request, check_url, fetch
from logpith_emit.errors import BadArgument
from logpith_emit.secret import Secret


@dataclass(frozen=True, kw_only=True)
class HttpLinesSource(Source):
    """The last lines of a log behind an address, without those that were fetched before."""

    type: ClassVar[str] = "http_lines"

    url: str
    """What is asked by GET. `{lines}` stands for how many lines are wanted, `{service}` for one of the services."""

    services: tuple[str, ...] = ()
    """The services to ask for, one after the other; `{service}` in the address is each of them."""

    token: Secret = Secret("")  # noqa: RUF009  # a Secret is a text, which nobody can change
    """What is sent as bearer token, best as `${VAR}`."""

    most_lines: int = field(default=10_000, metadata={"minimum": 1, "maximum": 1_000_000})
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
        check_url(self._address("service", 1), self.token, insecure=self.insecure)
        if "{service}" in self.url and not self.services:
            raise BadArgument("url: there is no service for {service}", remedy="Name some in services")

    def open(self, name: str, position: str | None) -> AbstractContextManager[LiveSource]:
        """See `Source.open`."""
        asked = Asked(
            name=name,
            fetch=self._fetch,
            services=self.services or ("",),
            default_service=self.service,
            attributes=attributes_of(self.attributes),
            backfill_lines=self.backfill_lines,
            most_lines=self.most_lines,
            counts_lines="{lines}" in self.url,
            flush_after_s=self.flush_after_s,
        )
        return ask(asked, position)

    def _fetch(self, service: str, count: int) -> Sequence[bytes]:
        request = Request(
            url=self._address(service, count),
            token=self.token,
            timeout_s=self.timeout_s,
            most_bytes=self.most_bytes,
            certificates=self.certificates,
        )
        return lines_of(fetch(request))

    def _address(self, service: str, count: int) -> str:
        return self.url.replace("{lines}", str(count)).replace("{service}", quote(service, safe=""))
