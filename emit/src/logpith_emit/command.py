"""The command line: brings what programs have left in their spools to its destinations, and tells how that goes."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import Destination
from logpith_emit.emitter import EmitSettings, default_folder, destinations_of
from logpith_emit.errors import BadArgument, LogpithError
from logpith_emit.logger import settings_of
from logpith_emit.prometheus import to_prometheus
from logpith_emit.shipping import Status, forget, status_of
from logpith_emit.shipping.metrics import families_of
from logpith_emit.shipping.once import ship_once
from logpith_emit.shipping.trial import try_out
from logpith_emit.spool import DROPPED_KIND, Spool, dropped_in
from logpith_emit.spools import Shippers, Warnings, spools_of, wanted_destinations

DONE, LEFT, ERROR, INTERRUPTED = 0, 1, 2, 130

_MONTH_S = 30 * 86_400.0

_TOLD = """\
Programs that log by logpith-emit write to a spool, and bring that to their destinations by themselves. What they could
not bring before they ended waits in the spool; the next start of the program brings it, or this command does.

Settings are those of the programs: LOGPITH_EMIT_… in the environment, and the file that LOGPITH_EMIT_SETTINGS names.

Exit codes: 0 all is delivered, 1 something waits, was refused, or cannot be delivered, 2 error.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    try:
        told = _parser().parse_args(arguments)
        return int(told.run(told))
    except LogpithError as error:
        sys.stderr.write(f"logpith-emit: {error.problem}\n  {error.remedy}\n")
        return ERROR
    except OSError as error:
        sys.stderr.write(f"logpith-emit: {error}\n")
        return ERROR
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="logpith-emit", description=_TOLD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    by = argparse.ArgumentParser(add_help=False)
    by.add_argument(
        "--settings", type=Path, metavar="FILE", help="a file of TOML; else LOGPITH_EMIT_SETTINGS"
    )
    where = argparse.ArgumentParser(add_help=False, parents=[by])
    where.add_argument("--folder", type=Path, help="one spool; else those of all services of this user")

    ship = commands.add_parser(
        "ship", parents=[where], help="bring what is there to the destinations, and what comes"
    )
    ship.add_argument("--once", action="store_true", help="end when all is delivered that is there")
    ship.add_argument(
        "--timeout", type=_seconds, default=60.0, metavar="S", help="how long --once may take (default: 60)"
    )
    ship.add_argument(
        "--wait",
        type=_seconds,
        default=10.0,
        metavar="S",
        help="how long --once waits for destinations that are not there (default: 10)",
    )
    ship.set_defaults(run=_ship)

    status = commands.add_parser("status", parents=[where], help="what waits, and what became of the rest")
    form = status.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument(
        "--metrics",
        action="store_true",
        help="for Prometheus, as its textfile collector reads it; exit code 0",
    )
    status.set_defaults(run=_status)

    check = commands.add_parser(
        "check", parents=[by], help="write a record to each destination, and tell which of them take it"
    )
    check.set_defaults(run=_check, folder=None)

    forgotten = commands.add_parser(
        "forget", parents=[where], help="let files no longer wait for a destination that is gone"
    )
    forgotten.add_argument("name", help="its name in the settings")
    forgotten.set_defaults(run=_forget)

    config = commands.add_parser(
        "config", help="the settings of a server: ENABLE_LOCAL_LOGGING, KAFKA_TOPIC and the like"
    )
    config.add_argument("--file", type=Path, help="a profile in YAML or TOML")
    config.add_argument("--sources", action="store_true", help="where each was said")
    config.add_argument("--json", action="store_true", help="for programs")
    config.set_defaults(run=_config)
    return parser


def _seconds(text: str) -> float:
    """A time that can be waited; a month where that is more."""
    with suppress(ValueError):
        if (told := float(text)) >= 0:
            return min(told, _MONTH_S)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")


# ── ship ────────────────────────────────────────────────────────────────────────────────────────────────────


def _ship(told: argparse.Namespace) -> int:
    settings = _settings(told)
    if told.once:
        return _ship_once(_spools(told, settings), wanted_destinations(settings), told.timeout, told.wait)
    shippers = Shippers(settings, warn=_warn)
    _spools(told, settings)  # which refuses a folder that is none
    with _signals() as signals:
        said = ""
        while said != _END:
            shippers.look()
            said = _next(signals, 1.0)
            if said == _RELOAD:
                try:
                    shippers.use(_settings(told))
                except LogpithError as error:
                    _warn(f"the settings stay as they were: {error.problem}", error.remedy)
                    continue
                _say(f"the settings were read again: records go to {', '.join(shippers.names)}")
        return DONE if shippers.close() else LEFT


def _ship_once(
    spools: Sequence[Spool], destinations: Mapping[str, Destination], timeout_s: float, wait_s: float
) -> int:
    refused = ship_once(spools, destinations, timeout_s=timeout_s, wait_s=wait_s, warn=_warn, say=_say)
    left = [(spool, status) for spool in spools for status in status_of(spool) if status.name in destinations]
    for spool, status in left:
        sys.stdout.write(f"{spool.folder.name}  {line_of(status)}\n")
    if not left:
        sys.stdout.write("Nothing was ever spooled.\n")
    return LEFT if refused or any(status.waiting for _, status in left) else DONE


_END, _RELOAD = "end", "reload"


@contextmanager
def _signals() -> Iterator[SimpleQueue[str]]:
    """Where it is told that this shall end, or that the settings shall be read again."""
    # A handler runs in the midst of whatever waits for it: this queue may be written to there, an Event may not.
    signals: SimpleQueue[str] = SimpleQueue()
    handled = {
        number: signal.signal(number, lambda *_, said=said: signals.put(said))
        for number, said in [
            (signal.SIGTERM, _END),
            (signal.SIGINT, _END),
            *([(signal.SIGHUP, _RELOAD)] if hasattr(signal, "SIGHUP") else []),
        ]
    }
    try:
        yield signals
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)


def _next(signals: SimpleQueue[str], timeout_s: float) -> str:
    try:
        return signals.get(timeout=timeout_s)
    except Empty:
        return ""


# ── status, check, forget ──────────────────────────────────────────────────────────────────────────────────────────


def _status(told: argparse.Namespace) -> int:
    settings = _settings(told)
    destinations_of(settings)  # whose mistakes are why nothing is delivered
    spools = _spools(told, settings)
    found = [(spool, status) for spool in spools for status in status_of(spool)]
    if told.metrics:
        sys.stdout.write(to_prometheus(families_of(found, SYSTEM_CLOCK.now_ns())))
        return DONE  # or who renames what was written would keep the old one
    if told.json:
        sys.stdout.write(json.dumps([_as_json(spool, status) for spool, status in found], indent=2) + "\n")
    elif not found:
        for spool in spools:
            sys.stdout.write(f"{spool.folder.name}  {_line_of_spool(spool)}\n")
        if not spools:
            sys.stdout.write(f"No program has logged to {default_folder()}\n")
    for spool, status in found if not told.json else []:
        sys.stdout.write(f"{spool.folder.name}  {line_of(status)}\n")
        if status.shipped.caution:
            sys.stdout.write(f"    careful: {status.shipped.caution}\n")
        if status.shipped.last_error:
            sys.stdout.write(
                f"    last error {_moment(status.shipped.last_error_ns)}: {status.shipped.last_error}\n"
            )
    return LEFT if any(status.waiting or status.shipped.refused for _, status in found) else DONE


def _line_of_spool(spool: Spool) -> str:
    """What a spool holds that nobody has asked for yet."""
    records = 0
    dropped: Counter[str] = Counter()
    for segment in spool.segments():
        for frame in spool.read(segment):
            if frame.kind == DROPPED_KIND:
                dropped.update(dropped_in(frame))
            else:
                records += 1
    lost = "".join(f", {number:,} dropped ({reason})" for reason, number in dropped.items())
    return f"no destination has begun: {records:,} record{'s' * (records != 1)} in {spool.folder}{lost}"


def line_of(status: Status) -> str:
    """`postgres (retrying): 5 waiting since 2026-03-14 09:26:53 UTC, 120 sent, 3 dropped (too_old)`."""
    shipped = status.shipped
    since = f" since {_moment(status.oldest_ns)}" if status.oldest_ns else ""
    parts = [f"{status.waiting:,} waiting{since}", f"{shipped.sent:,} sent"]
    parts += [f"{shipped.retried:,} retried"] if shipped.retried else []
    parts += [f"{shipped.refused:,} refused"] if shipped.refused else []
    parts += [f"{shipped.unwanted:,} not wanted"] if shipped.unwanted else []
    parts += [f"{records:,} dropped ({reason})" for reason, records in shipped.dropped.items()]
    if shipped.damaged_places:
        places = f"{shipped.damaged_places:,} place{'s' * (shipped.damaged_places != 1)}"
        parts.append(f"{places} of {shipped.damaged_bytes:,} bytes damaged")
    return f"{status.name} ({shipped.state}): {', '.join(parts)}"


def _as_json(spool: Spool, status: Status) -> Mapping[str, object]:
    return {
        "folder": str(spool.folder),
        "name": status.name,
        "waiting": status.waiting,
        "waiting_bytes": status.waiting_bytes,
        "oldest": _moment(status.oldest_ns) if status.oldest_ns else None,
        **{name: value for name, value in vars(status.shipped).items() if name != "position"},
    }


def _check(told: argparse.Namespace) -> int:
    destinations = wanted_destinations(_settings(told))
    with ThreadPoolExecutor(len(destinations)) as at_once:
        trials = at_once.map(lambda one: try_out(one, SYSTEM_CLOCK), destinations.values())
        code = DONE
        for (name, destination), trial in zip(destinations.items(), trials, strict=True):
            if trial.problem:
                code = LEFT
                sys.stdout.write(f"{name} ({destination.type})  {trial.problem}\n    {trial.remedy}\n")
            else:
                took = f"took a record in {trial.took_s * 1e3:,.0f} ms"
                sys.stdout.write(f"{name} ({destination.type})  {took}\n")
            if destination.caution:
                sys.stdout.write(f"    careful: {destination.caution}\n")
    return code


def _moment(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _forget(told: argparse.Namespace) -> int:
    spools = [
        spool for spool in _spools(told, _settings(told)) if (spool.folder / f"{told.name}.place").exists()
    ]
    if not spools:
        raise BadArgument(
            f"Nothing waits for a destination '{told.name}'", remedy="Look at logpith-emit status"
        )
    for spool in spools:
        forget(spool, told.name)
        sys.stdout.write(f"{spool.folder.name}  no longer waits for {told.name}\n")
    return DONE


def _config(told: argparse.Namespace) -> int:
    # Loaded by those alone that have such settings.
    from logpith_emit.unified.config import ServerConfig  # noqa: PLC0415

    config = ServerConfig.from_environment(file=told.file)
    shown = config.shown()
    if told.json:
        sourced = {"sources": dict(config.sources)} if told.sources else {}
        sys.stdout.write(json.dumps({"settings": shown, **sourced}, indent=2) + "\n")
        return DONE
    width = max(map(len, shown))
    values = max(len(value) for value in shown.values())
    for name, value in shown.items():
        source = f"  {config.sources[name]}" if told.sources else ""
        sys.stdout.write(f"{name:{width}}  {value:{values}}{source}".rstrip() + "\n")
    return DONE


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────


def _settings(told: argparse.Namespace) -> EmitSettings:
    environment = dict(os.environ)
    if told.settings is not None:
        environment["LOGPITH_EMIT_SETTINGS"] = str(told.settings)
    settings = settings_of(environment)
    return replace(settings, folder=told.folder) if told.folder is not None else settings


def _spools(told: argparse.Namespace, settings: EmitSettings) -> list[Spool]:
    """The spool that is named, or those of all services of this user."""
    if told.folder is not None and not told.folder.is_dir():
        raise BadArgument(f"There is no folder {told.folder}", remedy="Name the folder of a spool")
    return spools_of(settings)


def _say(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(f"logpith-emit: {text}\n")


_warn = Warnings(_say)
