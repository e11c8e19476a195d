"""Tokens: who may do what at the HTTP door. A token is shown once; what is compared are hashes of all of them."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from logpith.settings import TokenSettings
from logpith_emit.errors import BadArgument, Refused

Role = Literal["log_reader", "log_writer", "log_admin"]
"""Who reads asks questions, who writes brings records; an admin does both, and sees how the server is."""

READER: Final = "log_reader"
WRITER: Final = "log_writer"
ADMIN: Final = "log_admin"

TOKEN_FILE: Final = "token"  # noqa: S105 - the name of a file

_FEWEST_CHARACTERS = 16
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who asks."""

    name: str
    roles: frozenset[str]
    services: frozenset[str] | None = None
    """The services whose records it may see and bring; None is all of them."""

    def may(self, role: Role) -> bool:
        """Whether it has a role, by itself or as an admin."""
        return role in self.roles or ADMIN in self.roles


EVERYBODY = Principal(name="everybody", roles=frozenset({ADMIN}))
"""Who asks a server that was started without tokens."""

ASKING: ContextVar[Principal] = ContextVar("ASKING")
"""Who asks what this task or thread works on. Unset where nobody does, and then nothing may be read."""


class Tokens:
    """The tokens that a server knows."""

    def __init__(self, known: Sequence[TokenSettings], groups: Mapping[str, Sequence[str]]) -> None:
        """Raises:
        BadArgument: one of them can be guessed, or lets its bearer do nothing.
        """
        self._known = tuple((_digest_of(token), _principal_of(token, groups)) for token in known)

    def bearer_of(self, token: str) -> Principal | None:
        """Whose token it is; None when nobody's. Takes the same time however much of one agrees."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found: Principal | None = None
        for known, principal in self._known:
            if hmac.compare_digest(known, digest):
                found = principal
        return found


def make_token() -> str:
    """A new token."""
    return f"lp_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def kept_token(folder: Path) -> tuple[str, bool]:
    """The token that a server made for itself, kept where only its user can read it, and whether it is new.

    Raises:
        Refused: others can read it, or it is none.
    """
    path = folder / TOKEN_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_token(path), False
    except OSError as error:
        raise Refused(
            f"{path} cannot be written: {error.strerror}", remedy="Name another folder with --data-dir"
        ) from error
    token = make_token()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    return token, True


def read_token(path: Path) -> str:
    """The token in a file that only its user can read.

    Raises:
        Refused: others can read it, or it is none.
    """
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise Refused(f"others can read {path}", remedy=f"Run: chmod 600 {path}")
        token = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}", remedy="Check whose it is") from error
    if len(token) < _FEWEST_CHARACTERS:
        raise Refused(f"{path} holds no token", remedy="Delete it: a new one is made at the next start")
    return token


def _digest_of(token: TokenSettings) -> bytes:
    told = token.token.reveal()
    hashed = _SHA256.fullmatch(told)
    if len(told) < _FEWEST_CHARACTERS or (told.startswith("sha256:") and not hashed):
        raise BadArgument(
            f"the token of '{token.name}' is no token",
            remedy=f"Take {_FEWEST_CHARACTERS} characters or more, best those of `openssl rand -hex 32`",
        )
    return bytes.fromhex(hashed[1]) if hashed else hashlib.sha256(told.encode()).digest()


def _principal_of(token: TokenSettings, groups: Mapping[str, Sequence[str]]) -> Principal:
    if not token.roles:
        raise BadArgument(f"the token of '{token.name}' has no role", remedy=f"Name one, such as {READER}")
    services = frozenset(one for name in token.services for one in groups.get(name, (name,)))
    return Principal(name=token.name, roles=frozenset(token.roles), services=services or None)
