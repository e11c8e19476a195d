"""Settings of a server, from its environment, a file `.env` in its working directory, and a profile in YAML or TOML.

Of each setting the first of these counts: `LOGPITH_KAFKA_TOPIC`, `KAFKA_TOPIC`, the same two in `.env`, the profile.
"""

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

_PRIVATE = "LOGPITH=SERVER"  # which no variable can be called

_OWN = ("name", "version")
"""Fields whose bare names mean something else in many an environment: only `LOGPITH_NAME` is ours."""

_SECRETS = ("postgres_dsn", "convex_api_key")
_LISTS = ("kafka_bootstrap_servers", "elasticsearch_hosts")
_LEAST = {
    "log_retention_days": 0,
    "log_retry_attempts": 1,
    "log_retry_delay_ms": 0,
    "postgres_pool_min_size": 1,
    "postgres_pool_max_size": 1,
}
_MORE_THAN_0 = ("postgres_timeout_seconds", "convex_timeout_seconds")

Level = Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Kind = Literal["sqlite", "kafka", "elasticsearch", "postgres", "convex"]


@dataclass(repr=False)
class ServerConfig:
    """How a server logs. Each field is a variable of the environment, too: `LOGPITH_KAFKA_TOPIC`, or `KAFKA_TOPIC`;
    `name` and `version` only with the prefix."""

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
    """How often a `RetryWrapper` tries, given this. What stands in the spool is tried until it is delivered."""

    log_retry_delay_ms: int = 50
    """How long to wait before the second try, about; twice that before the next, and so on."""

    sqlite_path: Path | None = None
    """The file of SQLite; else one beside the spools."""

    kafka_bootstrap_servers: tuple[str, ...] | str | None = None
    """Brokers to begin with, `host:9092`, a list or a text with commas; else the one of this machine."""

    kafka_topic: str = "mcp-logs"
    """Where records go there."""

    elasticsearch_hosts: tuple[str, ...] | str | None = None
    """Nodes, `https://host:9200`, a list or a text with commas; else the one of this machine."""

    elasticsearch_index_prefix: str = "mcp-logs"
    """What indexes are called before their day."""

    postgres_dsn: Secret | None = None
    """`postgresql://user:password@host/database`; else the one of this machine."""

    postgres_table: str = "unified_logs"
    """The table, or `schema.table`."""

    postgres_pool_min_size: int = 2
    """Connections that stay open once they were needed: one to write, the others for those who ask."""

    postgres_pool_max_size: int = 10
    """Connections at most."""

    postgres_timeout_seconds: float = 60.0
    """How long a command may take."""

    convex_endpoint_url: str | None = None
    """The address of the HTTP action; must be given for `convex`."""

    convex_api_key: Secret | None = None
    """Sent as `Authorization: Bearer …`."""

    convex_timeout_seconds: float = 30.0
    """How long it may take to answer."""

    sources: Mapping[str, str] = field(default_factory=dict, init=False, compare=False)
    """Field → where it was said: a variable, a file, or `default`."""

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise BadArgument(
                    f"{name} must be at least {least}, not {getattr(self, name)}",
                    remedy="Leave it out for its default",
                )
        for name in _MORE_THAN_0:
            if getattr(self, name) <= 0:
                raise BadArgument(
                    f"{name} must be more than 0, not {getattr(self, name)}",
                    remedy="Leave it out for its default",
                )

    def __setattr__(self, name: str, value: object) -> None:
        """A secret is one from then on, and a list in a text becomes one."""
        if name in _SECRETS and isinstance(value, str):
            value = Secret(value)
        elif name in _LISTS and isinstance(value, str | list | tuple):
            items = value.split(",") if isinstance(value, str) else map(str, value)
            value = tuple(item.strip() for item in items if item.strip()) or None
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.shown().items())
        return f"{type(self).__name__}({told})"

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        file: Path | None = None,
        folder: Path | None = None,
    ) -> ServerConfig:
        """The settings that variables say, then `.env` in the folder, the working directory unless another is given,
        then a file: of each setting the first counts. `${VAR}` in the file is filled in from the first two.

        Raises:
            BadArgument: something cannot be used; knows the place.
            NotFound: there is no such file.
        """
        real = dict(os.environ if environment is None else environment)
        beside = read_dotenv((folder or Path.cwd()) / ".env")
        known = {**beside, **real}
        # Called as no variable of anybody else's is, so that a `${NAME}` of the file is what it says.
        told, spelled = known, {}
        for name in (one.name.upper() for one in dataclasses.fields(cls) if one.init):
            ours = f"{_PRIVATE}_{name}"
            for values, place in ((real, ""), (beside, ".env: ")):
                spellings = (f"{PREFIX}{name}", name)[: 1 if name.lower() in _OWN else 2]
                found = next((one for one in spellings if one in values), None)
                if found is not None:
                    told[ours] = _level(values[found]) if name == "LOG_LEVEL" else values[found]
                    spelled[ours] = f"{place}{found}"
                    break
        loaded: Loaded[ServerConfig] = load_settings(
            cls, [file] if file is not None else [], prefix=_PRIVATE, environment=told, spelled=spelled
        )
        config = loaded.settings
        config.sources = loaded.sources
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
        return {one.name: _shown(getattr(self, one.name)) for one in dataclasses.fields(self) if one.init}


def _level(text: str) -> str:
    """A level as variables spell it, `debug` or `warn`, by its own name."""
    return {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(text.upper(), text.upper())


VARIABLES = frozenset(
    spelled
    for one in dataclasses.fields(ServerConfig)
    if one.init
    for spelled in (f"{PREFIX}{one.name.upper()}", *([one.name.upper()] if one.name not in _OWN else ()))
)
"""Variables that set something."""


def _shown(value: object) -> str:
    if isinstance(value, Secret):
        return MASK if value else ""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(_shown_host, value))
    if isinstance(value, bool):
        return str(value).lower()
    return without_password(str(value))


def _shown_host(host: str) -> str:
    return without_password(host) if "://" in host else without_password(f"x://{host}").removeprefix("x://")


_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables that a file `.env` sets; none where there is no such file. One that others may read is said.

    Raises:
        BadArgument: a line of it sets nothing.
    """
    try:
        text = path.read_text("utf-8-sig")
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadArgument(f"{path.name} cannot be read: {error}", remedy="Mend or remove it") from error
    if os.name == "posix" and mode & 0o077:
        with suppress(OSError, AttributeError):
            sys.stderr.write(f"logpith-emit: {path.name} may be read by others; chmod 600 {path.name}\n")
    found: dict[str, str] = {}
    lines = enumerate(text.splitlines(), 1)
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadArgument(f"{path.name}:{number} sets nothing", remedy="Write NAME=value")
        name, value = match.groups()
        if value[:1] not in ("'", '"'):
            found[name] = ("" if value.startswith("#") else value).partition(" #")[0].rstrip()
            continue
        # What is quoted may have several lines, as a key in PEM has.
        quote, value = value[0], line[line.index(value[0], match.start(2)) + 1 :]
        while quote not in value:
            more = next(lines, None)
            if more is None:
                raise BadArgument(
                    f"{path.name}:{number} has a {quote} that nothing ends",
                    remedy="Write it again at the end",
                )
            value += f"\n{more[1]}"
        found[name] = value[: value.index(quote)]
    return found
