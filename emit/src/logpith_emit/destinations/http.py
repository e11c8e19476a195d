"""HTTP: records as lines of JSON, posted to an address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

from logpith_emit.destinations import LiveDestination, Outgoing
from logpith_emit.http import address_of
from logpith_emit.posting import PostedDestination, bearer, lines_of
from logpith_emit.secret import Secret


@dataclass(frozen=True, kw_only=True)
class HttpDestination(PostedDestination):
    """Posts records to an address."""

    type: ClassVar[str] = "http"

    url: str
    """`https://logs.example.org/ingest`."""

    token: Secret = Secret("")  # noqa: RUF009 - a value that nobody can change
    """Sent as `Authorization: Bearer …`."""

    form: Literal["ndjson", "json"] = "ndjson"
    """Lines of JSON, or one array."""

    def __post_init__(self) -> None:
        super().__post_init__()
        address_of(self.url)

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        kind = "application/x-ndjson" if self.form == "ndjson" else "application/json"
        headers = {"Content-Type": kind, **bearer(self.token.reveal())}
        with self.posting(self.url, headers, lines_of if self.form == "ndjson" else _array_of) as live:
            yield live


def _array_of(records: Sequence[Outgoing]) -> bytes:
    return b"[" + b",".join(record.text for record in records) + b"]"
