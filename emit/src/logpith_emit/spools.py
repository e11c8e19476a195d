"""Spools: those that programs of this user log to, and bringing all of them to their destinations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import Destination
from logpith_emit.emitter import EmitSettings, default_folder, destinations_of, folder_name, spool_at
from logpith_emit.errors import BadArgument
from logpith_emit.shipping import Shipper
from logpith_emit.spool import Spool

_TELL_EVERY_NS = 60 * 1_000_000_000
_MOST_TOLD = 1_000
_AT_ONCE = 32

T = TypeVar("T")


def spools_of(settings: EmitSettings) -> list[Spool]:
    """The spool that is named, or those of all services of this user."""
    base = default_folder()
    if settings.folder is not None:
        folders = [settings.folder]
    elif settings.service:
        folders = [base / folder_name(settings.service)]
    else:
        folders = sorted(path for path in base.iterdir() if path.is_dir()) if base.is_dir() else []
    return [spool_at(folder, settings) for folder in folders]


def wanted_destinations(settings: EmitSettings) -> Mapping[str, Destination]:
    """The destinations of some settings.

    Raises:
        BadArgument: they name none, or one that is none.
    """
    if not settings.destinations:
        raise BadArgument(
            "The settings name no destinations",
            remedy="Write [destinations.NAME] with a type into the file that you name as that of the settings",
        )
    return destinations_of(settings)


def _usable_destinations(settings: EmitSettings) -> Mapping[str, Destination]:
    """The same, where spools can be made by these settings, too; else each look at them would say so."""
    spool_at(Path(), settings)
    return wanted_destinations(settings)


class Warnings:
    """Tells people of problems, of each once a minute at most."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told_ns: dict[str, int] = {}

    def __call__(self, problem: str, remedy: str) -> None:
        now_ns = SYSTEM_CLOCK.monotonic_ns()
        if now_ns - self._told_ns.get(problem, -_TELL_EVERY_NS) >= _TELL_EVERY_NS:
            if (
                len(self._told_ns) >= _MOST_TOLD
            ):  # which tell of single records, and none of which comes again
                self._told_ns.clear()
            self._told_ns[problem] = now_ns
            self._say(f"{problem}. {remedy}")


class Shippers:
    """A shipper for each spool, also for those that come. Used by one thread."""

    def __init__(self, settings: EmitSettings, *, warn: Callable[[str, str], None]) -> None:
        """Nothing is begun yet.

        Raises:
            BadArgument: the settings name no destinations, or one that is none, or nowhere to spill to.
        """
        self._settings = settings
        self._destinations = _usable_destinations(settings)
        self.warn = warn
        """Tells people of a problem and what to do about it."""
        self._shippers: dict[Path, Shipper] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the destinations."""
        return tuple(self._destinations)

    def look(self) -> None:
        """Begins with the spools that have come."""
        for spool in spools_of(self._settings):
            if spool.folder not in self._shippers:
                shipper = self._shippers[spool.folder] = Shipper(spool, self._destinations, warn=self.warn)
                shipper.start()

    def use(self, settings: EmitSettings) -> None:
        """Goes on by other settings, whose `drain_s` destinations have that are no more wanted.

        Raises:
            BadArgument: as at first; then nothing changes.
        """
        self._destinations = _usable_destinations(settings)
        self._settings = settings
        self._with_each(lambda shipper: shipper.use(self._destinations, deadline_s=settings.drain_s))

    def close(self) -> bool:
        """Whether all is delivered that was there; what is not within `drain_s` stays in its spool."""
        return all(self._with_each(lambda shipper: shipper.close(self._settings.drain_s)))

    def _with_each(self, do: Callable[[Shipper], T]) -> list[T]:
        """Does so with many at a time: each may take all of `drain_s`."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(do, self._shippers.values()))
