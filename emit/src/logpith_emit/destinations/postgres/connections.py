"""Connections to a PostgreSQL server, each of whose waits ends in time."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.secret import MASK, Secret

if TYPE_CHECKING:
    from psycopg import Connection, Error

MOST_INT = 2**31 - 1
"""The largest whole number that a setting of PostgreSQL takes."""

# Classes of SQLSTATE: data, constraints, limits such as that of an index, and what a trigger of the table raises.
_OF_THE_RECORDS = ("22", "23", "54", "P0001")


class Connections:
    """Some connections to a server, of which those that are used now and then stay open. Threads may share them."""

    def __init__(self, dsn: Secret, *, timeout_s: float, pool_min_size: int, pool_max_size: int) -> None:
        """Connects to nothing. `pool_min_size` of them stay open; there are never more than `pool_max_size`.

        Raises:
            BadArgument: the address is none.
        """
        self._timeout_s = timeout_s
        self._pool_min_size, self._pool_max_size = pool_min_size, pool_max_size
        parameters = _parameters(dsn)
        self._secrets = [
            str(parameters[name]) for name in ("password", "sslpassword") if parameters.get(name)
        ]
        host, port = parameters.get("host") or parameters.get("hostaddr") or "", parameters.get("port")
        user = f"{parameters['user']}@" if parameters.get("user") else ""
        self.shown = f"postgresql://{user}{host}{f':{port}' if port else ''}/{parameters.get('dbname') or ''}"
        """Where they lead, as it may be told."""

        self._parameters = {
            "connect_timeout": min(math.ceil(timeout_s), MOST_INT),
            "fallback_application_name": "logpith-emit",
            **parameters,
            "client_encoding": "UTF8",
        }
        self._changed = threading.Condition()
        self._free: list[Connection] = []
        self._open = 0
        self._is_closed = False

    def without_password(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    @contextmanager
    def one(self) -> Iterator[tuple[Connection, bool]]:
        """A connection whose every wait ends when the time is up, and whether it was kept since it was last used. One
        that fails is closed, unless it was for the records' sake."""
        import psycopg  # noqa: PLC0415 - comes with an extra

        connection, was_kept = self._taken(self._until_ns())
        is_well = False
        try:
            connection.until_ns = self._until_ns()  # type: ignore[attr-defined]  # of _timed_connection
            yield connection, was_kept
            is_well = True
        except psycopg.Error as error:
            if is_of_the_records(error):
                with suppress(Exception):  # what went wrong is told, not that it could not be undone
                    connection.execute("ROLLBACK")
                    is_well = True
            raise
        finally:
            self._give_back(connection, is_well=is_well)

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._close_free()

    def _until_ns(self) -> int:
        return SYSTEM_CLOCK.monotonic_ns() + int(self._timeout_s * 1e9)

    def _close_free(self) -> None:
        for connection in self._free:
            _close(connection)
        self._open -= len(self._free)
        self._free.clear()

    def _taken(self, until_ns: int) -> tuple[Connection, bool]:
        with self._changed:
            while not self._free and self._open >= self._pool_max_size:
                left_ns = until_ns - SYSTEM_CLOCK.monotonic_ns()
                if left_ns <= 0:
                    raise Unavailable(
                        f"All {self._open} connections to {self.shown} are used",
                        remedy="Ask less often, or raise pool_max_size",
                    )
                self._changed.wait(left_ns / 1e9)
            if self._free:
                return self._free.pop(), True
            self._open += 1
        try:
            connection: Connection = _timed_connection().connect(
                autocommit=True, prepare_threshold=None, **self._parameters
            )
        except BaseException:
            with self._changed:
                self._open -= 1
                self._changed.notify()
            raise
        return connection, False

    def _give_back(self, connection: Connection, *, is_well: bool) -> None:
        with self._changed:
            is_spare = self._is_closed or self._open > self._pool_min_size
            if is_well and not connection.closed and not is_spare:
                self._free.append(connection)
            else:
                self._open -= 1
                _close(connection)
            if not is_well:  # what ended this one has ended the others, too
                self._close_free()
            self._changed.notify_all()


def is_of_the_records(error: Error) -> bool:
    """Whether other records may be taken."""
    import psycopg  # noqa: PLC0415 - comes with an extra

    state = error.sqlstate or ""
    return state.startswith(_OF_THE_RECORDS) or (not state and isinstance(error, psycopg.DataError))


def has_ended(error: Error) -> bool:
    """Whether a connection was closed at the other side, such as by a restart or because nothing was said for long."""
    return not error.sqlstate or error.sqlstate.startswith(("08", "57P"))


def _close(connection: Connection) -> None:
    with suppress(Exception):  # it is given up in any case
        connection.close()


@cache
def _timed_connection() -> Any:
    """A connection that waits for a server until `until_ns` on the monotonic clock, and then no more: one that hangs
    says nothing, and knows of no timeout."""
    import psycopg  # noqa: PLC0415 - comes with an extra

    class TimedConnection(psycopg.Connection):
        until_ns: int | None = None

        def wait(self, gen: Any, *arguments: Any, **more: Any) -> Any:
            return super().wait(_ending(gen, self.until_ns), *arguments, **more)

    return TimedConnection


def _ending(waiting: Generator[Any, Any, Any], until_ns: int | None) -> Generator[Any, Any, Any]:
    """The same steps, which psycopg takes whenever there is something to read and ten times a second."""
    try:
        wanted = next(waiting)
        while until_ns is None or SYSTEM_CLOCK.monotonic_ns() < until_ns:
            ready = yield wanted
            wanted = waiting.send(ready)
    except StopIteration as ended:
        return ended.value
    waiting.close()
    raise TimeoutError


def _parameters(dsn: Secret) -> dict[str, Any]:
    """What an address says. Nothing of it is told where it cannot be read, for any of it may be the password."""
    from psycopg import ProgrammingError  # noqa: PLC0415 - comes with an extra
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - comes with an extra

    try:
        parameters = conninfo_to_dict(dsn.reveal())
    except ProgrammingError:
        raise no_address() from None
    # A password with an @ or a / that is not written as %40 or %2F ends too early, and the rest counts as these.
    places = [str(parameters.get(name) or "") for name in ("user", "host", "dbname")]
    ports = str(parameters.get("port") or "0").split(",")
    if any("@" in place for place in places[1:]) or not all(port.isdigit() or not port for port in ports):
        raise no_address()
    return parameters


def may_be_address(dsn: str) -> bool:
    """Whether libpq may be able to read it, as far as that can be told before it is loaded."""
    scheme, is_address, rest = dsn.partition("://")
    if not is_address or "=" in scheme:  # the latter in a password, say
        return not dsn or "=" in dsn
    before, at, behind = rest.partition("/")[0].partition("@")
    hosts = (behind if at else before).partition("?")[0]
    ports = [re.sub(r".*\]|[^:]*", "", host, count=1)[1:] for host in hosts.split(",")]
    return scheme in ("postgresql", "postgres") and all(
        not port or (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 1 << 16) for port in ports
    )


def no_address() -> BadArgument:
    return BadArgument(
        "The dsn cannot be read",
        remedy="Write postgresql://user:password@host:port/database, with %40 for @ in a password",
    )
