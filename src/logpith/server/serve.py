"""`logpith serve`: settings to a server that runs until it is told to end."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path

from logpith.config import data_dir
from logpith.demo import Day
from logpith.quote import show_hidden
from logpith.server.bodies import BodyLimits
from logpith.server.guard import GuardSettings
from logpith.server.here import ANY, address_told
from logpith.server.hosts import LOOPBACK, AllowedHosts
from logpith.server.http import HttpSettings, make_app
from logpith.server.leaving import end_without_threads
from logpith.server.listening import Listening, Server, check_listening, open_socket, tls_context
from logpith.server.playing import Player, playing
from logpith.server.running import Running, running_on_store
from logpith.server.shipping import shippers_of, shipping
from logpith.server.tokens import ADMIN, Tokens, kept_token
from logpith.server.toolsets import choose_tools
from logpith.server.warm_up import warm_up
from logpith.settings import DATA_VARIABLE, Settings, TokenSettings, find_settings, parse_size
from logpith.store.disk import full_disk_told, opening_told
from logpith.timerange import now_ns
from logpith.tools import Tool, tools
from logpith_emit.errors import BadArgument, Refused
from logpith_emit.secret import Secret

TOOLSETS = ("core", "aggregate")
"""What is offered unless it is said otherwise, as far as it is there."""

DEMO_LINES = "100000"
"""Lines of a day that is played, unless it is said otherwise: busy enough to see something each minute."""


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """What a command line says of a server."""

    config: str | None = None
    listen: str | None = None
    data_dir: str | None = None
    token: str | None = None
    retention: str | None = None
    no_token: bool = False
    insecure_listen: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    name: str = "logpith"
    toolsets: str = ""
    ship: str | None = None

    @classmethod
    def of(cls, typed: Mapping[str, str]) -> ServeOptions:
        """From the options as typed, without dashes before them."""
        known = {setting.name.replace("_", "-"): setting for setting in fields(cls)}
        given: dict[str, str | bool] = {
            known[name].name: True if known[name].default is False else value
            for name, value in typed.items()
            if name in known
        }
        return cls(**given)  # type: ignore[arg-type]  # a flag is True, the others are texts


def serve(options: ServeOptions, *, play: Day | None = None) -> int:
    """Serves until SIGTERM or SIGINT; the exit code. `play` is a day to be played as live services.

    Raises:
        LogpithError: it cannot start; nothing was begun then.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="logpith: %(name)s: %(message)s")
    environment = dict(os.environ)
    if options.data_dir is not None:
        environment[DATA_VARIABLE] = str(Path(options.data_dir).absolute())
    found = find_settings(options.config, environment=environment, folder=Path.cwd())
    for warning in found.warnings:
        _say(warning)
    settings = _with_options(found.settings, options)
    folder = Path(environment.get(DATA_VARIABLE) or data_dir())
    listening = _listening(settings, options)
    check_listening(listening, has_tokens=not options.no_token, insecure=options.insecure_listen)
    # A mistake is told before anything is opened, and before a token is shown.
    tls_context(listening)
    offered = _offered(options)
    shippers = None if options.ship is None else shippers_of(Path(options.ship), _say)
    kept_in = settings.store.folder
    with full_disk_told(kept_in), ExitStack() as until_the_end:
        bound = until_the_end.enter_context(open_socket(listening))
        listening = replace(listening, port=bound.getsockname()[1])
        _make_folder(folder)
        tokens = None if options.no_token else _tokens(settings, folder)
        with opening_told(kept_in):
            running = until_the_end.enter_context(running_on_store(settings, tokens, tell=_say))
        if shippers is not None:
            until_the_end.enter_context(shipping(shippers, _say))
        if play is not None:
            player = Player(running, play)
            _say(f"{player.play_until(now_ns()):,} records of a made-up day are in, more come as time passes")
            until_the_end.enter_context(playing(player))
        app = make_app(running, offered, _http(settings, options, listening))
        threading.Thread(target=_prepare, args=[offered, running], name="warm-up", daemon=True).start()
        bound.listen(1024)
        with opening_told(kept_in):
            until_the_end.enter_context(address_told(settings, listening))
        _say(
            f"serving at {listening.url} (MCP at {listening.url}/mcp), data in {folder}{_store_told(settings, folder)}"
        )
        Server(app, running.live, listening).run(sockets=[bound])
    _say("ended")
    end_without_threads()
    return 0


def _prepare(offered: Mapping[str, type[Tool]], running: Running) -> None:
    """Loads what questions need, and the newest records, beside the first requests."""
    warm_up(offered, stored=True)
    running.remember()


def _with_options(settings: Settings, options: ServeOptions) -> Settings:
    server = settings.server
    if options.listen is not None:
        server = replace(server, listen=options.listen)
    if options.token is not None:
        told = TokenSettings(name="command line", token=Secret(options.token), roles=(ADMIN,))
        server = replace(server, tokens=(*server.tokens, told))
    if options.no_token and server.tokens:
        raise BadArgument("--no-token, but the settings name tokens", remedy="Leave out one of the two")
    store = settings.store
    if options.retention is not None:
        store = replace(store, retention=options.retention)
    return replace(settings, server=server, store=store)


def _tokens(settings: Settings, folder: Path) -> Tokens:
    """The tokens of the settings, or else one that was made here, and is shown when it is new."""
    known = settings.server.tokens
    if not known:
        token, is_new = kept_token(folder)
        known = (TokenSettings(name="made here", token=Secret(token), roles=(ADMIN,)),)
        if is_new:
            _say(f"the token of this server, shown this once and kept in {folder / 'token'}: {token}")
    return Tokens(known, settings.groups)


def _listening(settings: Settings, options: ServeOptions) -> Listening:
    host, port = settings.server.address
    if (options.tls_cert is None) != (options.tls_key is None):
        raise BadArgument("TLS needs a certificate and its key", remedy="Give --tls-cert and --tls-key")
    return Listening(
        host=host,
        port=port,
        certificate=Path(options.tls_cert) if options.tls_cert else None,
        key=Path(options.tls_key) if options.tls_key else None,
    )


def _http(settings: Settings, options: ServeOptions, listening: Listening) -> HttpSettings:
    server = settings.server
    own = f"[{listening.host}]" if ":" in listening.host else listening.host
    names = {*LOOPBACK, *server.allowed_hosts} | ({own} if listening.host not in ANY else set())
    return HttpSettings(
        hosts=AllowedHosts(
            names=frozenset(name.lower() for name in names), origins=frozenset(server.allowed_origins)
        ),
        name=options.name,
        bodies=BodyLimits(
            most_bytes=parse_size(server.most_body_bytes) or 0,
            most_unpacked_bytes=parse_size(server.most_unpacked_bytes) or 0,
        ),
        guard=GuardSettings(most_concurrent=server.most_concurrent),
        metrics_need_token=not server.public_metrics,
    )


def _offered(options: ServeOptions) -> Mapping[str, type[Tool]]:
    there = {tool.toolset for tool in tools().values()}
    return choose_tools(options.toolsets or ",".join(name for name in TOOLSETS if name in there))


def _store_told(settings: Settings, folder: Path) -> str:
    """Where the store is, when it is not in the data folder."""
    store = settings.store.folder.absolute()
    return "" if store.is_relative_to(folder.absolute()) else f", the store in {store}"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Refused(
            f"{folder} cannot be made: {error.strerror}", remedy="Name another folder with --data-dir"
        ) from error


def _say(text: str) -> None:
    sys.stderr.write(f"logpith: {show_hidden(text)}\n")
    sys.stderr.flush()
