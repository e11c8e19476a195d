"""Settings of a server, from its environment, a file `.env` beside it, and a profile in YAML or TOML."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from logpith_emit.errors import BadArgument
from logpith_emit.secret import MASK, Secret, without_password
from logpith_emit.settings import Loaded, load_settings

PREFIX = "LOGPITH_"
"""What a variable may have before its name."""

Level = Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Kind = Literal["sqlite", "kafka", "elasticsearch", "postgres", "convex"]


@dataclass
class ServerConfig:
    """How a server logs. Each field but its name and version is a variable of the environment, too: `KAFKA_TOPIC`, or
    `LOGPITH_KAFKA_TOPIC`."""

    name: str = "mcp-server"
    """What the server calls itself."""

    version: str = "unknown"
    """Which one it is."""

    enable_local_logging: bool = True
    """Whether records are kept on this machine, in SQLite."""

    enable_production_logging: bool = False
    """Whether they go to `log_destination_type`."""

    log_destination_type: Kind = "sqlite"
    """Where to in production."""

    log_level: Level = "INFO"
    """What is less severe is not kept."""

    log_retention_days: int = 30
    """How long they are kept on this machine; 0 is for ever."""

    log_retry_attempts: int = 2
    """How often a `RetryWrapper` tries. What stands in the spool is tried until it is delivered."""

    log_retry_delay_ms: int = 50
    """How long to wait before the second try; twice that before the next, and so on."""

    sqlite_path: Path | None = None
    """The file of SQLite; else one beside the spools."""

    kafka_bootstrap_servers: tuple[str, ...] | str | None = None
    """Brokers to begin with, `host:9092`."""

    kafka_topic: str = "mcp-logs"

    elasticsearch_hosts: tuple[str, ...] | str | None = None
    """Nodes, `https://host:9200`."""

    elasticsearch_index_prefix: str = "mcp-logs"

    postgres_dsn: Secret | None = None
    """`postgresql://user:password@host/database`; else the one of this machine."""

    postgres_table: str = "unified_logs"

    convex_endpoint_url: str | None = None
    """The address of the HTTP action."""

    convex_api_key: Secret | None = None
    convex_timeout_seconds: float = 30.0

    sources: Mapping[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Field → where it was said: a variable, a file, or `default`."""

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        file: Path | None = None,
        folder: Path | None = None,
    ) -> ServerConfig:
        """The settings that variables say, then `.env` in the folder, the working directory unless another is given,
        then a file: of each setting the first counts.

        Raises:
            BadArgument: something cannot be used; knows the place.
            NotFound: there is no such file.
        """
        real = dict(os.environ if environment is None else environment)
        beside = read_dotenv((folder or Path.cwd()) / ".env")
        known = {**beside, **real}
        origins: dict[str, str] = {}
        names = {one.name.upper() for one in dataclasses.fields(cls) if one.init} - {"NAME", "VERSION"}
        told = {name: value for name, value in known.items() if name not in ("NAME", "VERSION")}
        for name in names:
            spelled = next((one for one in (f"{PREFIX}{name}", name) if one in known), None)
            if spelled is not None:
                told[name] = known[spelled]
                origins[name] = spelled if spelled in real else f".env: {spelled}"
        loaded: Loaded[ServerConfig] = load_settings(
            cls, [file] if file is not None else [], prefix="", environment=told
        )
        config = loaded.settings
        config.sources = {place: origins.get(source, source) for place, source in loaded.sources.items()}
        return config

    @classmethod
    def from_file(cls, path: Path) -> ServerConfig:
        """A profile in YAML or TOML; the environment outranks it, and fills in `${VAR}` and `${VAR:-default}`.

        Raises:
            BadArgument, NotFound: as `from_environment`.
        """
        return cls.from_environment(file=path)

    def shown(self) -> dict[str, str]:
        """Field → its value as it may be printed."""
        shown = {}
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            if one.init:
                shown[one.name] = _shown(value)
        return shown


def _shown(value: object) -> str:
    if isinstance(value, Secret):
        return MASK if value else ""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(without_password, value))
    if isinstance(value, bool):
        return str(value).lower()
    return without_password(str(value))


_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables that a file `.env` sets; none where there is no such file. One that others may read is said.

    Raises:
        BadArgument: a line of it sets nothing.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadArgument(f"{path.name} cannot be read: {error}", remedy="Mend or remove it") from error
    if os.name == "posix" and mode & 0o077:
        with suppress(OSError, AttributeError):
            sys.stderr.write(f"logpith-emit: {path.name} may be read by others; chmod 600 {path.name}\n")
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadArgument(f"{path.name}:{number} sets nothing", remedy="Write NAME=value")
        found[match[1]] = _unquoted(match[2])
    return found


def _unquoted(text: str) -> str:
    """A value without its quotes; one without any ends before ` #`."""
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        if end > 0:
            return text[1:end]
    return text.partition(" #")[0].rstrip()
