"""Here: how programs of the same user reach the server that has a store open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from logpith.sending import BODY_BYTES, Server
from logpith.server.tokens import ADMIN, TOKEN_FILE, read_token
from logpith.settings import Settings, parse_size
from logpith_emit.secret import Secret

if TYPE_CHECKING:
    from logpith.server.listening import Listening

ADDRESS_FILE = "address"
"""Beside the store: where its server is."""

# A name that leads to all addresses is none by which anybody calls.
ANY = ("0.0.0.0", "::")  # noqa: S104 - compared, never listened on unasked


@contextmanager
def address_told(settings: Settings, listening: Listening) -> Iterator[None]:
    """While a file beside the store tells where its server is. One that is left of a server that was killed leads to
    nobody, and the next one writes it anew."""
    path = settings.store.folder.parent / ADDRESS_FILE
    host = "127.0.0.1" if listening.host in ANY else listening.host
    path.write_text(f"{replace(listening, host=host).url}\n", encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def server_here(settings: Settings, data: Path, url: str | None = None) -> Server:
    """The server that has the store of the settings open: at `url`, or where it has told, or where it should listen.
    Its token is one of an admin in the settings or of `$LOGPITH_TOKEN`, or that which it made in the data folder.

    Raises:
        Refused: that token cannot be read.
    """
    told = ""
    with suppress(OSError):
        told = (settings.store.folder.parent / ADDRESS_FILE).read_text(encoding="utf-8").strip()
    tokens = [token.token for token in settings.server.tokens if ADMIN in token.roles]
    # Of a token that is told as a hash nobody knows what to send; $LOGPITH_TOKEN is the last.
    usable = [token for token in tokens if not token.reveal().startswith("sha256:")]
    if not settings.server.tokens and (data / TOKEN_FILE).exists():
        usable = [Secret(read_token(data / TOKEN_FILE))]
    most_bytes = parse_size(settings.server.most_body_bytes) or BODY_BYTES
    return Server(
        url=url or told or f"http://{settings.server.listen}",
        token=usable[-1] if usable else Secret(""),
        body_bytes=min(BODY_BYTES, most_bytes // 2),
    )
