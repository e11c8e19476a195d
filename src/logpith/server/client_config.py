"""How a host is told of our server: the snippet for its settings, and where that stands."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from logpith_emit.errors import BadArgument, NotFound, nearest


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How a host starts the server."""

    name: str
    """What the host calls it."""

    command: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Client:
    """A host."""

    place: str
    """Where its snippet stands."""

    spell: Callable[[Launch], str]


def client_config(client: str, roots: Sequence[str] = (), name: str = "logpith") -> tuple[str, str]:
    """The snippet for a host's settings, and where to put it.

    Raises:
        BadArgument: there is no such host here.
        NotFound: a root is no folder.
    """
    known = CLIENTS.get(client)
    if known is None:
        hint = nearest(client, CLIENTS).strip()
        told = f"The hosts are {', '.join(CLIENTS)}"
        raise BadArgument(f"there is no snippet for '{client}'", remedy=" ".join(filter(None, [hint, told])))
    if not name:
        raise BadArgument("the server's name is empty", remedy="Leave --name out")
    return known.spell(launch(roots, name)), known.place


def launch(roots: Sequence[str] = (), name: str = "logpith") -> Launch:
    """How to start the server for these folders; absolute, because hosts start it wherever they are."""
    folders = [Path(root).expanduser().absolute() for root in roots or (".",)]
    for folder in folders:
        if not folder.is_dir():
            raise NotFound(f"{folder} is not a folder", remedy="Name folders that exist as roots")
    words = ["mcp", *(word for folder in folders for word in ("--root", str(folder)))]
    beside = Path(sys.executable).with_name("logpith")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("logpith")
    if found:
        return Launch(name=name, command=str(Path(found).absolute()), arguments=tuple(words))
    return Launch(name=name, command=sys.executable, arguments=("-m", "logpith", *words))


def _json_servers(key: str, **further: str) -> Callable[[Launch], str]:
    def spell(launch: Launch) -> str:
        server = {**further, "command": launch.command, "args": list(launch.arguments)}
        return json.dumps({key: {launch.name: server}}, indent=2, ensure_ascii=False)

    return spell


def _toml_server(launch: Launch) -> str:
    name = launch.name if re.fullmatch(r"[A-Za-z0-9_-]+", launch.name) else _toml_text(launch.name)
    arguments = ", ".join(_toml_text(word) for word in launch.arguments)
    return f"[mcp_servers.{name}]\ncommand = {_toml_text(launch.command)}\nargs = [{arguments}]"


def _toml_text(text: str) -> str:
    """A basic string of TOML: JSON's, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


CLIENTS: Mapping[str, Client] = {
    "claude-code": Client(
        place=".mcp.json in the project's folder", spell=_json_servers("mcpServers", type="stdio")
    ),
    "cursor": Client(
        place=".cursor/mcp.json in the project's folder, or ~/.cursor/mcp.json",
        spell=_json_servers("mcpServers"),
    ),
    "vscode": Client(
        place=".vscode/mcp.json in the project's folder", spell=_json_servers("servers", type="stdio")
    ),
    "codex": Client(place="~/.codex/config.toml", spell=_toml_server),
}
"""By the name that people type."""
