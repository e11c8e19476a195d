"""The settings of the product: where they are found, what they may say, what they are when nobody says anything.

One file is read, the first of these that is there; the environment outranks it (`LOGPITH_SERVER_LISTEN` is `listen`
in `[server]`), and no file at all is a good setting.

1. what `--config` names, 2. what `$LOGPITH_CONFIG` names,
3. `logpith.toml` in the working directory, 4. `[tool.logpith]` in its `pyproject.toml`,
5. `config.toml` in the folder of settings (`$XDG_CONFIG_HOME/logpith`)

Sources and stages stay tables here: each type knows its own settings, and `pipeline.py` builds them.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from logpith.config import config_dir, data_dir
from logpith.timerange import TimeRange, is_relative, parse_range, parse_span
from logpith_emit.errors import BadArgument, NotFound, Refused, nearest
from logpith_emit.secret import Secret
from logpith_emit.settings import Loaded, load_settings

PREFIX: Final = "LOGPITH"
CONFIG_VARIABLE: Final = "LOGPITH_CONFIG"
DATA_VARIABLE: Final = "LOGPITH_DATA_DIR"
TOKEN_VARIABLE: Final = "LOGPITH_TOKEN"  # noqa: S105 - the name of a variable
FILE_NAME: Final = "logpith.toml"

MASTER: Final = "environment"
"""What the token of `$LOGPITH_TOKEN` is called."""

_OTHERS: Final = frozenset(
    f"{PREFIX}_{name}"
    for name in (
        *("CACHE_BYTES", "CACHE_DIR", "CONFIG", "CONFIG_DIR", "DATA_DIR", "DEBUG", "FORMATS"),
        *("REDACTION_KEY", "TOKEN", "TOOLSETS"),
    )
)
"""Variables of ours that are no settings of this file."""

_FORMAT: Final = "FORMAT"
"""The file that every store has (`store/disk.py`, which would bring Arrow)."""

_SIZE = re.compile(r"(\d{1,15})(?:\.(\d{1,3}))?\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_SHARE = re.compile(r"(\d{1,2}(?:\.\d{1,3})?)\s*%")
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

Table = Mapping[str, Any]
"""A table of the settings as it stands; what it may say depends on its `type`."""


@dataclass(frozen=True, kw_only=True)
class RetentionClass:
    """Records that are kept for a time of their own; of several classes the first that a record matches counts."""

    name: str
    """What plans and answers call it."""

    query: str
    """Which records: `level>=error`, `service:billing`, `level<=debug`."""

    retention: str
    """How long: `90d`."""

    def __post_init__(self) -> None:
        _check_span("retention", self.retention)

    @property
    def retention_ns(self) -> int:
        return _span_ns(self.retention)


@dataclass(frozen=True, kw_only=True)
class HoldSettings:
    """Records that must stay, whatever retention says: those that all of its conditions name."""

    name: str
    """What plans call it: `case-17`."""

    reason: str
    """Why they must stay, for whoever asks later."""

    query: str = ""
    """Which records: `account:17`, `level>=error`; `*` is all of them."""

    services: tuple[str, ...] = ()
    """Only what these services have written."""

    since: str = ""
    """Only records from then on: `2026-11-01`, `2026-11-20T13:00Z`."""

    until: str = ""
    """Only records before then."""

    def __post_init__(self) -> None:
        for name in ("name", "reason"):
            if not getattr(self, name).strip():
                raise BadArgument(f"{name} is empty", remedy="Write what somebody needs to know in a year")
        if not (self.query.strip() or self.services or self.since or self.until):
            raise BadArgument(
                "it would hold everything", remedy="Name services, a time or a query; '*' is all"
            )
        for name in ("since", "until"):
            if is_relative(getattr(self, name)):
                raise BadArgument(f"{name}: a hold does not move with the clock", remedy="Write 2026-11-01")
        _ = self.time

    @property
    def time(self) -> TimeRange:
        return parse_range(self.since, self.until, now_ns=0)


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """Where records are kept, and for how long."""

    folder: Path = field(default_factory=lambda: data_dir() / "store")
    """Where the store is; from a file a relative path begins at the file's folder."""

    retention: str = "30d"
    """How long records are kept that no class names."""

    classes: tuple[RetentionClass, ...] = ()
    """Records with a time of their own."""

    holds: tuple[HoldSettings, ...] = ()
    """Records that must stay, whatever else is said."""

    most_bytes: str = ""
    """How large the store may be: `50GB`; the oldest records go first. Nothing is no limit."""

    least_free: str = ""
    """How much of the disk must stay free: `10%` or `5GB`; the oldest records go first. Nothing is no limit."""

    def __post_init__(self) -> None:
        _check_span("retention", self.retention)
        names = [hold.name for hold in self.holds]
        if doubled := next((name for name in names if names.count(name) > 1), None):
            raise BadArgument(f"holds: two are named '{doubled}'", remedy="Give each a name of its own")
        if self.most_bytes and parse_size(self.most_bytes) is None:
            raise BadArgument(f"most_bytes: {self.most_bytes!r} is no size", remedy="Write 50GB or 500MiB")
        if self.least_free and not (_SHARE.fullmatch(self.least_free) or parse_size(self.least_free)):
            raise BadArgument(f"least_free: {self.least_free!r} is no size", remedy="Write 10% or 5GB")

    @property
    def is_there(self) -> bool:
        """Whether the folder holds a store."""
        return (self.folder / _FORMAT).is_file()

    @property
    def retention_ns(self) -> int:
        return _span_ns(self.retention)

    @property
    def limit_bytes(self) -> int | None:
        """`most_bytes` as a number."""
        return parse_size(self.most_bytes) if self.most_bytes else None

    def free_bytes(self, disk_bytes: int) -> int:
        """How much of a disk of this size must stay free."""
        share = _SHARE.fullmatch(self.least_free)
        return int(disk_bytes * float(share[1]) / 100) if share else parse_size(self.least_free or "0") or 0


@dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """Who may come in by HTTP with this token."""

    name: str
    """Whose it is; told in errors and metrics, never the token itself."""

    token: Secret
    """The token, best as `${VAR}` from the environment, or `sha256:` and the hash of it in hex."""

    roles: tuple[Literal["log_reader", "log_writer", "log_admin"], ...] = ("log_reader",)
    """Who reads asks questions, who writes brings records, an admin does both and sees how the server is."""

    services: tuple[str, ...] = ()
    """The services, or groups, whose records its bearer may see and bring; none named means all."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The HTTP door."""

    listen: str = "127.0.0.1:8850"
    """Address and port. Beyond this machine it is served with tokens only."""

    tokens: tuple[TokenSettings, ...] = ()
    """Who may come in; `$LOGPITH_TOKEN` is one more, of an admin."""

    allowed_hosts: tuple[str, ...] = ()
    """Names by which the server is called besides its own address."""

    allowed_origins: tuple[str, ...] = ()
    """Web pages of other places that may call it."""

    public_metrics: bool = False
    """Whether `/metrics` needs no token."""

    most_body_bytes: str = "16MiB"
    """The largest body that is taken."""

    most_unpacked_bytes: str = "64MiB"
    """The largest that a packed body may become."""

    time_limit_s: float = 25.0
    """Seconds after which a question answers with what it has."""

    most_concurrent: int = 32
    """Requests that are worked on at once; others are told to come again."""

    def __post_init__(self) -> None:
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65_535:
            raise BadArgument(f"listen: {self.listen!r} is no address", remedy="Write 127.0.0.1:8850")
        for name in ("most_body_bytes", "most_unpacked_bytes"):
            if not parse_size(getattr(self, name)):
                raise BadArgument(f"{name}: {getattr(self, name)!r} is no size", remedy="Write 16MiB")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_without_tls(host: str) -> Refused:
    """That a server would not listen beyond this machine as it is told."""
    return Refused(
        f"on {host} others could read along: there is no TLS",
        remedy="Give --tls-cert and --tls-key, put a proxy with TLS before 127.0.0.1, or say --insecure-listen",
    )


@dataclass(frozen=True, kw_only=True)
class CollectSettings:
    """When sources are read."""

    every: str = "1m"
    """How often each source is asked for what is new."""

    refresh_before_search: bool = True
    """Whether a search first fetches what is new where that was not done within `max_staleness`."""

    max_staleness: str = "10s"
    """How old what was fetched may be for a search that does not fetch anew."""

    refresh_within: str = "1s"
    """How long a search waits for its sources; those that are not done are named in its answer. Where no server
    runs, and sources are opened anew for each search, ten times as long."""

    def __post_init__(self) -> None:
        for name in ("every", "max_staleness", "refresh_within"):
            _check_span(name, getattr(self, name))

    @property
    def every_ns(self) -> int:
        return _span_ns(self.every)

    @property
    def max_staleness_ns(self) -> int:
        return _span_ns(self.max_staleness)

    @property
    def refresh_within_ns(self) -> int:
        return _span_ns(self.refresh_within)


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How questions are answered."""

    slow_query_ms: int = 1000
    """From how many milliseconds on a question is logged with its plan."""

    embeddings_url: str = ""
    """An OpenAI-compatible endpoint that makes search by meaning better; nothing is sent anywhere without."""

    embeddings_model: str = ""
    """The model to ask there."""

    embeddings_key: Secret | None = None
    """The key to ask with, as `${VAR}`."""


@dataclass(frozen=True, kw_only=True)
class QualitySettings:
    """What records should have; what is missing is counted for each source."""

    required_fields: tuple[str, ...] = ("timestamp", "service", "severity", "message")
    """Fields that every record should have."""

    strict: bool = False
    """Whether a record without one of them goes to the dead letters."""

    most_line_bytes: str = "1MiB"
    """Longer records are cut, and say how long they were."""

    def __post_init__(self) -> None:
        if not parse_size(self.most_line_bytes):
            raise BadArgument(
                f"most_line_bytes: {self.most_line_bytes!r} is no size", remedy="Write 1MiB or 64kB"
            )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All of them."""

    store: StoreSettings = field(default_factory=StoreSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    sources: Mapping[str, Table] = field(default_factory=dict)
    """`[sources.NAME]`: where records come from. `type` names what it is, the rest are its own settings."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names for several services: `raindrop = ["gateway", "auth"]`."""

    redact: bool = True
    """Whether secrets are blanked out before anything is written, also where no stage says so."""

    stages: tuple[Table, ...] = ()
    """`[[stages]]`: steps between sources and store, in this order, each with its `type`."""

    collect: CollectSettings = field(default_factory=CollectSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)

    @property
    def have_logs(self) -> bool:
        """Whether there is something to ask besides files: sources to collect from, or what was collected."""
        return bool(self.sources) or self.store.is_there

    def services_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """The services that are meant: a group's name stands for all of its services."""
        return tuple(dict.fromkeys(one for name in names for one in self.groups.get(name, (name,))))


@dataclass(frozen=True, kw_only=True)
class Found:
    """Settings, and where they came from."""

    settings: Settings
    path: Path | None
    """The file that was read."""

    origins: Mapping[str, str]
    """Place (`store.retention`) → file, environment variable or `default`."""

    warnings: tuple[str, ...] = ()


def find_settings(
    named: str | None,
    *,
    environment: Mapping[str, str],
    folder: Path,
    unknown: list[BadArgument] | None = None,
) -> Found:
    """The settings for a process that works in `folder`; `named` is what its `--config` says. Who gives a list as
    `unknown` gets there the names that set nothing, and the settings without them.

    Raises:
        NotFound: the file that was named is not there.
        BadArgument: something in it cannot be used; names the place.
    """
    path = settings_file(named, environment, folder)
    known = {name: value for name, value in environment.items() if name not in _OTHERS}
    data = environment.get(DATA_VARIABLE)
    if data:
        known.setdefault("LOGPITH_STORE_FOLDER", str(Path(data) / "store"))
    files = [path] if path else []
    loaded = load_settings(Settings, files, prefix=PREFIX, environment=known, unknown=unknown)
    origins = dict(loaded.sources)
    if data and "LOGPITH_STORE_FOLDER" not in environment:
        origins["store.folder"] = DATA_VARIABLE
    settings = _with_token(_beside(loaded, path), environment.get(TOKEN_VARIABLE, ""))
    _check_groups(settings)
    warnings = tuple(told for told in loaded.unknown_variables if not _is_of_emit(told.split()[0]))
    return Found(settings=settings, path=path, origins=origins, warnings=warnings)


def _is_of_emit(variable: str) -> bool:
    """Whether a variable sets something of programs that log by logpith_emit."""
    from logpith_emit.unified.config import VARIABLES  # noqa: PLC0415 - for the few that have some that we do not know

    return variable.startswith("LOGPITH_EMIT_") or variable in VARIABLES


def find_own_settings(named: str | None, *, environment: Mapping[str, str], folder: Path) -> Found:
    """As `find_settings`, for who only asks a question: programs that a stranger's file names are not run for that.

    Raises:
        Refused: the file was found and not named, and belongs to somebody else.
    """
    path = settings_file(named, environment, folder)
    if path is not None and not named and not environment.get(CONFIG_VARIABLE) and not _is_own(path):
        raise Refused(
            f"{path} belongs to another user", remedy=f"Name it with --config {path} if you trust it"
        )
    return find_settings(named, environment=environment, folder=folder)


def settings_file(named: str | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    """The file of settings that counts; None when there is none.

    Raises:
        NotFound: one was named that is not there.
    """
    for told, teller in ((named, "--config"), (environment.get(CONFIG_VARIABLE), f"${CONFIG_VARIABLE}")):
        if told:
            path = folder / Path(told).expanduser()
            if not path.is_file():
                raise NotFound(f"there is no settings file {told}", remedy=f"Check {teller}")
            return path
    project = folder / "pyproject.toml"
    offers = (folder / FILE_NAME, project, config_dir() / "config.toml")
    return next((path for path in offers if path.is_file() and (path != project or _is_ours(path))), None)


def parse_size(text: str) -> int | None:
    """The bytes of `500MiB`, `50GB`, `64k` or `1048576`; None when it is no size."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    whole, fraction, prefix, binary = match.groups()
    unit: int = (1024 if binary else 1000) ** _POWER[prefix.lower()]
    return int(whole) * unit + int((fraction or "").ljust(3, "0")) * unit // 1000


def _is_own(path: Path) -> bool:
    """Whether a file belongs to this user, or to the one who can change everything anyway."""
    if not hasattr(os, "geteuid"):
        return True
    return path.stat().st_uid in {0, os.geteuid(), int(os.environ.get("SUDO_UID", "0"))}


def _is_ours(project: Path) -> bool:
    """Whether a pyproject.toml says something to us; one that cannot be read is somebody else's to mend."""
    try:
        return "logpith" in tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False


def _beside(loaded: Loaded[Settings], path: Path | None) -> Settings:
    """The settings with the store's folder taken from where the file that says it stands."""
    settings = loaded.settings
    if path is None or loaded.sources.get("store.folder") != path.name:
        return settings
    return replace(settings, store=replace(settings.store, folder=path.parent / settings.store.folder))


def _with_token(settings: Settings, token: str) -> Settings:
    if not token:
        return settings
    master = TokenSettings(name=MASTER, token=Secret(token), roles=("log_admin",))
    server = replace(settings.server, tokens=(*settings.server.tokens, master))
    return replace(settings, server=server)


def _check_groups(settings: Settings) -> None:
    """Raises:
    BadArgument: two tokens have one name, or a group names no service.
    """
    names = [token.name for token in settings.server.tokens]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise BadArgument(f"server.tokens: two are named '{doubled}'", remedy="Give each a name of its own")
    for name, services in settings.groups.items():
        if not services:
            raise BadArgument(f"groups.{name} names no service", remedy=f'Write {name} = ["gateway", "auth"]')


def type_of(table: Table, place: str, types: Iterable[str]) -> tuple[str, dict[str, object]]:
    """The `type` that a table of the settings names, and the rest of it.

    Raises:
        BadArgument: it names none, or one that is not among `types`.
    """
    known: Sequence[str] = sorted(types)
    name = table.get("type")
    if name not in known:
        said = "it has no type" if name is None else f"there is no type {str(name)[:60]!r}"
        offer = nearest(str(name), known).strip() or f"There are: {', '.join(known)}"
        raise BadArgument(f"{place}: {said}", remedy=offer)
    return str(name), {key: value for key, value in table.items() if key != "type"}


def _span_ns(text: str) -> int:
    return parse_span(text) or 0


def _check_span(name: str, text: str) -> None:
    if not parse_span(text):
        raise BadArgument(f"{name}: {text!r} is no span of time", remedy="Write 30d, 12h, 90s")
