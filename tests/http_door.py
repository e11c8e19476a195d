"""A real HTTP door on a free loopback port, and who may come in."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2

from logpith.server.bodies import BodyLimits
from logpith.server.guard import GuardSettings
from logpith.server.hosts import LOOPBACK, AllowedHosts
from logpith.server.http import Door, HttpSettings, doors, make_app
from logpith.server.listening import Listening, serving
from logpith.server.running import Running, running_on_store, store_folder
from logpith.server.tokens import Tokens
from logpith.server.toolsets import choose_tools
from logpith.settings import Settings, TokenSettings
from logpith_emit.secret import Secret

READER, WRITER, ADMIN = "reader-0123456789abcdef", "writer-0123456789abcdef", "admin-0123456789abcdef0"
GATEWAY_ONLY = "scoped-0123456789abcdef"
"""A token that sees and brings records of the gateway only."""

TOKENS = Tokens(
    [
        TokenSettings(name="reader", token=Secret(READER), roles=("log_reader",)),
        TokenSettings(name="writer", token=Secret(WRITER), roles=("log_writer",)),
        TokenSettings(name="admin", token=Secret(ADMIN), roles=("log_admin",)),
        TokenSettings(
            name="scoped",
            token=Secret(GATEWAY_ONLY),
            roles=("log_reader", "log_writer"),
            services=("gateway",),
        ),
    ],
    {},
)

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""What a client trusts that speaks no TLS: nobody. Else each one reads those that everybody trusts, for 30 ms."""


@dataclass
class Opened:
    """A door that is open."""

    port: int
    running: Running
    settings: HttpSettings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def as_(self, token: str | None, **more: Any) -> httpx2.Client:
        """A client with a token."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        given = {
            "base_url": self.url,
            "headers": headers,
            "timeout": 120,
            "trust_env": False,
            "verify": NO_TLS,
        }
        return httpx2.Client(**{**given, **more})

    def table(self) -> tuple[Door, ...]:
        """Every route."""
        return doors(self.running, choose_tools(), self.settings, no_app)


@contextmanager
def opened(
    folder: Path,
    *,
    tokens: Tokens | None = TOKENS,
    bodies: BodyLimits | None = None,
    guard: GuardSettings | None = None,
    hooks: Mapping[str, Any] | None = None,
    collecting: Settings | None = None,
    toolsets: str = "core",
    port: int = 0,
    **more: Any,
) -> Iterator[Opened]:
    """Opens one that keeps its records in `folder`."""
    product = collecting or Settings()
    product = replace(product, store=replace(product.store, folder=store_folder(folder)))
    settings = HttpSettings(
        hosts=AllowedHosts(
            names=frozenset([*LOOPBACK, "logs.example.org"]), origins=frozenset(["https://page.example.org"])
        ),
        bodies=bodies or BodyLimits(),
        guard=guard or GuardSettings(),
        **more,
    )
    with running_on_store(product, tokens, hooks=hooks) as running:
        app = make_app(running, choose_tools(toolsets), settings)
        with serving(app, running.live, Listening(port=port)) as listens:
            yield Opened(listens, running, settings)


async def no_app(_scope: Any, _receive: Any, _send: Any) -> None:
    """An application that is never asked."""
    raise AssertionError


NDJSON = {"content-type": "application/x-ndjson"}


def ndjson(*records: str) -> bytes:
    """Records as lines."""
    return "\n".join([*records, ""]).encode()


def said(text: str, second: int = 0, service: str = "gateway", level: str = "info") -> str:
    """A record as a JSON line."""
    return (
        f'{{"time":"2026-11-20T10:{second // 60:02}:{second % 60:02}Z","level":"{level}",'
        f'"service":"{service}","msg":"{text}"}}'
    )
