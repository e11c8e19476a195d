"""Requests to a running server over one connection, and rows as it wants them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

_AT_ONCE = 10_000


@dataclass
class Wire:
    """The connection."""

    url: str
    timeout_s: float = 600.0
    _connection: HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.netloc, timeout=self.timeout_s)

    def ask(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
        """What is answered.

        Raises:
            RuntimeError: the server refuses.
        """
        prefix = urlsplit(self.url).path.rstrip("/")
        self._connection.request(method, prefix + path, body, {"Content-Type": content_type} if body else {})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {self.url}{path}: {response.status} {answer[:300]!r}")
        return answer

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()


def rows_as_json(parquet: Path, time: str, message: str) -> Iterator[list[bytes]]:
    """The rows of `ParquetPeer`, some thousands at once: time and text under these names, the others under theirs."""
    import duckdb  # noqa: PLC0415  --help must not wait

    columns = f'strftime(ts, \'%Y-%m-%dT%H:%M:%S.%fZ\') AS "{time}", message AS "{message}"'
    with duckdb.connect() as connection:
        connection.execute(
            f"SELECT to_json(row)::VARCHAR FROM (SELECT {columns}, * EXCLUDE (ts, message) "
            f"FROM read_parquet('{parquet}') WHERE ts IS NOT NULL) AS row"
        )
        while rows := connection.fetchmany(_AT_ONCE):
            yield [row[0].encode() for row in rows]
