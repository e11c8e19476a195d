"""Which names of this server, and which web pages, a request may come under.

A page of anybody's can be made to resolve its own name to 127.0.0.1 and then ask whatever listens here with the
reader's browser ("DNS rebinding", CVE-2025-66416). So a name that is not this server's is refused on every route,
and so is a page that was not served from here. Tokens would stop most of that, but not all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_HOST = re.compile(
    r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9._-]{0,252}[a-z0-9])?)(?::([0-9]{1,5}))?", re.ASCII
)
_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, kw_only=True)
class AllowedHosts:
    """The names of a server, in lower case and without ports: behind a tunnel or a proxy the port is another."""

    names: frozenset[str]
    origins: frozenset[str] = frozenset()
    """Pages of others that may ask, `https://logs.example.org`."""

    def allows_host(self, hosts: Sequence[str]) -> bool:
        """Whether a request with these Host headers is meant for this server."""
        return len(hosts) == 1 and (split := _split(hosts[0])) is not None and split[0] in self.names

    def allows_origin(self, origins: Sequence[str], host: str) -> bool:
        """Whether a page with these Origin headers may ask under `host`: no page at all, or one from here."""
        if not origins:
            return True
        if len(origins) > 1:
            return False
        if origins[0] in self.origins:
            return True
        scheme, separator, place = origins[0].partition("://")
        from_page, asked = _split(place), _split(host)
        if scheme not in _PORTS or not separator or from_page is None or asked is None:
            return False
        default = _PORTS[scheme]
        return from_page[0] in self.names and (from_page[1] or default) == (asked[1] or default)


def _split(host: str) -> tuple[str, str] | None:
    """The name in lower case and the port, "" for none; None when it is no host."""
    match = _HOST.fullmatch(host.lower())
    return (match[1], match[2] or "") if match else None
