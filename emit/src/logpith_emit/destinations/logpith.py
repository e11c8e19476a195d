"""A logpith server: where the records of all programs can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from logpith_emit.destinations import LiveDestination
from logpith_emit.http import address_of
from logpith_emit.posting import PostedDestination, bearer, lines_of
from logpith_emit.secret import Secret

_INTAKE = "/api/v1/logs"


@dataclass(frozen=True, kw_only=True)
class LogpithDestination(PostedDestination):
    """Brings records to `logpith serve`, which stores a batch that comes again once."""

    type: ClassVar[str] = "logpith"

    url: str = "http://127.0.0.1:8850"
    """Where the server is."""

    token: Secret = Secret("")  # noqa: RUF009 - a value that nobody can change
    """One of the role `log_writer`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        address_of(self.url)

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        headers = {"Content-Type": "application/x-ndjson", **bearer(self.token.reveal())}
        with self.posting(self.url.rstrip("/") + _INTAKE, headers, lines_of) as live:
            yield live
