"""`logpith check`: are the settings what they should be, shown on each thing that they name.

Sources are opened and read up to their first delivery, which is thrown away: no position moves.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import msgspec

from logpith.batch import count_before
from logpith.pipeline import source_named, stage_at, stages_of
from logpith.plural import counted
from logpith.query.of_batch import which_match
from logpith.settings import DATA_VARIABLE, Found, TokenSettings, find_settings, is_loopback, open_without_tls
from logpith_emit.errors import BadArgument, BadArguments, LogpithError

FEWEST_TOKEN_CHARACTERS = 16
_TRIED_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that the settings name, and how it is."""

    place: str
    """Where it stands: `sources.gateway`, `stages[0]`."""

    told: str
    """What it is, when it is as it should be."""

    problem: str = ""
    remedy: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.problem

    def as_json(self) -> Mapping[str, object]:
        """The same as what `--json` prints."""
        return {"ok": self.is_ok, **{name: text for name, text in asdict(self).items() if text}}


def check_settings(
    named: str | None, *, environment: Mapping[str, str], folder: Path, now_ns: int, is_secured: bool = False
) -> Iterator[Finding]:
    """How everything is that the settings name; only what is wrong in them when they cannot be read at all."""
    unknown: list[BadArgument] = []
    try:
        found = find_settings(named, environment=environment, folder=folder, unknown=unknown)
    except LogpithError as error:
        for told in error.each if isinstance(error, BadArguments) else (error,):
            yield Finding(place="settings", told="", problem=told.problem, remedy=told.remedy)
        return
    if not unknown:
        yield Finding(place="settings", told=str(found.path) if found.path else "none; the defaults stand")
    for mistake in unknown:
        yield Finding(place="settings", told="", problem=mistake.problem, remedy=mistake.remedy)
    for warning in found.warnings:
        yield Finding(place="environment", told=warning)
    yield _store(found)
    for at, one in enumerate(found.settings.store.classes):
        yield _tried(f"store.classes[{at}]", lambda one=one: _checked_query(one.query, one.retention))  # type: ignore[misc]  # mypy cannot infer a lambda's default
    for at, hold in enumerate(found.settings.store.holds):
        yield _tried(f"store.holds[{at}]", partial(_checked_query, hold.query, f"held for {hold.name}"))
    for token in found.settings.server.tokens:
        yield _token(token)
    if not is_secured:
        yield from _listening(found)
    for name in found.settings.sources:
        yield _tried(f"sources.{name}", lambda name=name: _read_source(found, name, now_ns))  # type: ignore[misc]  # as above
    if not found.settings.sources:
        yield Finding(
            place="sources", told="none; questions are about the files that they name, and what was brought"
        )
    are_stages_good = True
    for at in range(len(found.settings.stages)):
        stage = _tried(f"stages[{at}]", lambda at=at: _open_stage(found, at))  # type: ignore[misc]  # as above
        are_stages_good &= stage.is_ok
        yield stage
    if are_stages_good:
        yield _tried("stages", lambda: " → ".join(stage.type for stage in stages_of(found.settings)))
    for name, services in found.settings.groups.items():
        yield Finding(place=f"groups.{name}", told=", ".join(services))


def _tried(place: str, work: Callable[[], str]) -> Finding:
    try:
        return Finding(place=place, told=work())
    except LogpithError as error:
        problem = error.problem.removeprefix(f"{place}: ")
        return Finding(place=place, told="", problem=problem, remedy=error.remedy)
    except OSError as error:
        return Finding(
            place=place, told="", problem=error.strerror or type(error).__name__, remedy="See what is there"
        )
    except Exception as error:  # noqa: BLE001 - a source of somebody else's may raise anything, and the others count too
        return Finding(
            place=place,
            told="",
            problem=f"{type(error).__name__} in it",
            remedy="Report it to whoever made it",
        )


def _read_source(found: Found, name: str, now_ns: int) -> str:
    source = source_named(found.settings, name)
    with ExitStack() as opened:
        live = opened.enter_context(source.open(name, None))
        if source.listens:  # what came would be thrown away
            return f"{source.type}: can be listened at"
        delivery = next(iter(live.poll(now_ns, at_once=True)), None)
    if delivery is None:
        return f"{source.type}: can be read; there is nothing yet"
    records = delivery.batch.num_rows
    told = f"{source.type}: can be read; the first piece has {counted(records, 'record')}"
    store = found.settings.store
    old = count_before(delivery.batch, now_ns - store.retention_ns)
    if not old:
        return told
    is_or_are = "is" if old == 1 else "are"
    return (
        f"{told}; {old:,} of them {is_or_are} older than what is kept ({store.retention}): "
        "a server lets them go. To keep them, raise retention in [store]"
    )


def _open_stage(found: Found, at: int) -> str:
    stage = stage_at(found.settings, at)
    with stage.open():
        return f"{stage.type}: {stage.only or 'all records'}"


def _checked_query(query: str, retention: str) -> str:
    which_match(query)
    return f"{query}: {retention}"


def _store(found: Found) -> Finding:
    store = found.settings.store
    there = store.folder
    while not there.exists() and there != there.parent:
        there = there.parent
    place = "store.folder"
    try:
        disk = shutil.disk_usage(there)
        least = store.free_bytes(disk.total)
        if disk.total > 0 and disk.free < least:
            return Finding(
                place=place,
                told="",
                problem=f"{disk.free:,} bytes are free, less than least_free ({store.least_free})",
                remedy="Make room, or lower least_free",
            )
        # Only who tries knows: an administrator may all things, but make no folder where a system has its own.
        with tempfile.TemporaryDirectory(prefix=".logpith-check-", dir=there) as tried:
            Path(tried, "file").write_bytes(bytes(_TRIED_BYTES))
    except OSError as error:
        return Finding(
            place=place,
            told="",
            problem=f"{store.folder} cannot be written: {error.strerror or type(error).__name__}",
            remedy=f"Make room there, or name another folder, or set {DATA_VARIABLE}"
            if error.errno == errno.ENOSPC
            else f"Name another folder, or set {DATA_VARIABLE}",
        )
    is_there = "is there" if store.folder.exists() else "will be made"
    return Finding(
        place=place,
        told=f"{store.folder} {is_there}; {disk.free:,} bytes are free; kept for {store.retention}",
    )


def _listening(found: Found) -> Iterator[Finding]:
    """That a server would not listen as the settings say; without TLS only this machine may reach it."""
    host, _ = found.settings.server.address
    if not is_loopback(host):
        refused = open_without_tls(host)
        yield Finding(place="server.listen", told="", problem=refused.problem, remedy=refused.remedy)


def _token(token: TokenSettings) -> Finding:
    place = f"server.tokens.{token.name}"
    value = token.token.reveal()
    if len(value) < FEWEST_TOKEN_CHARACTERS:
        return Finding(
            place=place,
            told="",
            problem=f"the token has fewer than {FEWEST_TOKEN_CHARACTERS} characters",
            remedy="Take those of `openssl rand -hex 32`",
        )
    of = f" of {', '.join(token.services)}" if token.services else ""
    return Finding(place=place, told=", ".join(token.roles) + of)


def as_text(findings: list[Finding]) -> str:
    """A line for each finding, and below one that is not as it should be what to do."""
    width = max(len(finding.place) for finding in findings)
    lines: list[str] = []
    for finding in findings:
        told = finding.told if finding.is_ok else finding.problem
        lines.append(f"{'ok     ' if finding.is_ok else 'PROBLEM'} {finding.place:<{width}}  {told}".rstrip())
        lines += [f"{'':<{8 + width}}  {line}" for line in finding.remedy.splitlines()]
    return "\n".join(lines)


def as_json(findings: list[Finding]) -> str:
    """The findings as an array."""
    return msgspec.json.encode([finding.as_json() for finding in findings]).decode()
