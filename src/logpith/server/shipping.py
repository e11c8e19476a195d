"""Shipping: a server also brings what programs have spooled to their destinations, as `logpith ship` does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from logpith_emit.logger import settings_of
from logpith_emit.spools import Shippers, Warnings

_LOOK_EVERY_S = 1.0


def shippers_of(file: Path, say: Callable[[str], None]) -> Shippers:
    """What brings all spools of this user to the destinations that a file names; nothing is begun yet.

    Raises:
        LogpithError: the file is not there, or names none that can be used.
    """
    settings = settings_of({**os.environ, "LOGPITH_EMIT_SETTINGS": str(file)})
    return Shippers(settings, warn=Warnings(say))


@contextmanager
def shipping(shippers: Shippers, say: Callable[[str], None]) -> Iterator[None]:
    """Lets them do so, on threads; what waits at the end has `drain_s` of the settings, and stays in its spool
    otherwise."""
    ended = threading.Event()

    def ship() -> None:
        is_last = False
        while not is_last:
            is_last = ended.wait(_LOOK_EVERY_S)
            try:
                shippers.look()
            except OSError as error:
                shippers.warn(
                    f"the spools of this user cannot be read: {error.strerror}", "See to that folder"
                )

    thread = threading.Thread(target=ship, name="ship", daemon=True)
    thread.start()
    say(f"what programs have spooled goes to {', '.join(shippers.names)}, too")
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if not shippers.close():
            say("some of what programs have spooled waits for the next start")
