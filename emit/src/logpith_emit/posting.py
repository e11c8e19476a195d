"""Posting: what destinations over HTTP have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from logpith_emit.destinations import ALL_WRITTEN, Destination, LiveDestination, Outgoing, Written, write_only
from logpith_emit.http import Answer, HttpClient


@dataclass(frozen=True, kw_only=True)
class PostedDestination(Destination):
    """A destination over HTTP. A 2xx says that records are safe; 429, 5xx and a refused login that they shall come
    again; all other 4xx that they never will be taken."""

    gzip: bool = True
    """Whether bodies are compressed."""

    ca_file: Path | None = None
    """Certificates to trust besides those of the machine."""

    insecure: bool = False
    """Trusts any certificate. Who stands in between then reads and changes everything."""

    user_agent: str = "logpith-emit"
    """What it calls itself."""

    def client(self, url: str, headers: Mapping[str, str]) -> HttpClient:
        """Asks an address, as the settings say."""
        return HttpClient(
            url,
            timeout_s=self.timeout_s,
            headers={"User-Agent": self.user_agent, **headers},
            ca_file=self.ca_file,
            insecure=self.insecure,
        )

    @contextmanager
    def posting(
        self,
        url: str,
        headers: Mapping[str, str],
        body_of: Callable[[Sequence[Outgoing]], bytes],
        outcome_of: Callable[[Sequence[Outgoing], Answer], Written] = lambda _records, _answer: ALL_WRITTEN,
    ) -> Iterator[LiveDestination]:
        """Posts what `body_of` makes of records; `outcome_of` reads from the answer what became of them."""
        client = self.client(url, headers)
        try:
            yield _Posting(client, body_of, outcome_of, compressed=self.gzip)
        finally:
            client.close()


class _Posting:
    def __init__(
        self,
        client: HttpClient,
        body_of: Callable[[Sequence[Outgoing]], bytes],
        outcome_of: Callable[[Sequence[Outgoing], Answer], Written],
        *,
        compressed: bool,
    ) -> None:
        self._client = client
        self._body_of = body_of
        self._outcome_of = outcome_of
        self._compressed = compressed

    def write(self, records: Sequence[Outgoing]) -> Written:
        answer = self._client.post(
            self._body_of(records), headers={"Idempotency-Key": key_of(records)}, compressed=self._compressed
        )
        return self._outcome_of(records, answer)

    query = write_only


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token; none where there is none."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def lines_of(records: Sequence[Outgoing]) -> bytes:
    """Records as lines of JSON."""
    return b"".join(record.text + b"\n" for record in records)


def key_of(records: Sequence[Outgoing]) -> str:
    """What the same records have in common whenever they come again, and no others."""
    return hashlib.sha256("\n".join(record.id for record in records).encode()).hexdigest()[:32]
