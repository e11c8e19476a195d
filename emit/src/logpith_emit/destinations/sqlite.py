"""SQLite: a table in a file on this machine. Nothing to install, and any program that knows SQLite can read it.

The file is in WAL mode, so that whoever reads it holds up nobody who writes, and several processes may write. A commit
is synced (`synchronous = FULL`): a batch costs one sync, and what was acknowledged survives a power cut.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import Destination, LiveDestination, Outgoing, Wanted, Written
from logpith_emit.disk import Disk, Lock
from logpith_emit.emitter import default_folder
from logpith_emit.entry import FIELDS, LogEntry, moment_of
from logpith_emit.errors import BadArgument, LogpithError, Refused, Unavailable
from logpith_emit.rows import (
    INDEXES,
    RECORD_ID,
    TABLE,
    checked_name,
    entries_of,
    entry_of_row,
    fitted,
    in_utc,
    json_of,
    may_equal,
    missing_indexes,
    plain,
    refuse_needed,
)

_COLUMNS = {
    RECORD_ID: "TEXT",
    "correlation_id": "TEXT NOT NULL",
    "timestamp": "TEXT NOT NULL",
    "level": "TEXT NOT NULL",
    "log_type": "TEXT",
    "message": "TEXT NOT NULL",
    "tool_name": "TEXT",
    "duration_ms": "REAL",
    "status": "TEXT",
    "input_args": "TEXT",
    "output_summary": "TEXT",
    "error_message": "TEXT",
    "module": "TEXT",
    "function": "TEXT",
    "line": "INTEGER",
    "thread_name": "TEXT",
    "process_id": "INTEGER",
    "extra_data": "TEXT",
    "created_at": "TEXT",
}
_BITS = 64
_NOW = "strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now')"

_KEPT_WAL_BYTES = 64 << 20
_REMOVED_AT_ONCE = 1_000
"""Old rows that a write takes away, at least; more would let others wait for the file."""

_MOST_SET_ASIDE = 10
_LOOK_EVERY = 10_000
"""Steps of SQLite's machine after which a question looks at the time."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_OF_THE_RECORDS = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH})


@dataclass(frozen=True, kw_only=True)
class SQLiteDestination(Destination):
    """A table in a file on this machine. Several processes may write it."""

    type: ClassVar[str] = "sqlite"
    can_query: ClassVar[bool] = True
    once: ClassVar[bool] = True

    path: Path | None = None
    """The file; else `logs.db` in the folder of the spools. Only its owner may read one that is made."""

    table: str = TABLE
    """The table; columns that it lacks are added."""

    retention_days: int = 30
    """Rows that are older are removed, some with each write; 0 keeps all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_name(self.table)
        if self.retention_days < 0:
            raise BadArgument("retention_days must not be less than 0", remedy="0 keeps all rows")

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        live = _SQLite(self)
        try:
            yield live
        finally:
            live.close()


class _SQLite:
    def __init__(self, settings: SQLiteDestination) -> None:
        self._settings = settings
        # Absolute: a relative one may be SQLite's name for something else, and the program may change its folder.
        self._path = (settings.path or default_folder() / "logs.db").absolute()
        self._table = f'"{settings.table}"'
        self._connection: sqlite3.Connection | None = None
        self._file = (0, 0)
        """Which file is open: another process may set it aside, somebody may remove it."""

    def close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, records: Sequence[Outgoing]) -> Written:
        entries, refused = entries_of(records)
        rows = [(record_id, *_row_of(fitted(entry, bits=_BITS))) for record_id, entry in entries]
        with self._translated():
            connection = self._opened()
            with _transaction(connection):
                self._insert(connection, rows)
                self._remove_old(connection, max(_REMOVED_AT_ONCE, 2 * len(rows)))
            if not self._is_there():
                self.close()
                raise Unavailable(
                    f"{self._path} was removed while it was written",
                    remedy="The next write begins a new file",
                )
        return Written(refused=refused)

    def _insert(self, connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
        names = ", ".join(f'"{name}"' for name in (RECORD_ID, *FIELDS))
        marks = ", ".join("?" * (len(FIELDS) + 1))
        # Not OR IGNORE, which would let a row vanish that another constraint forbids.
        connection.executemany(
            f"INSERT INTO {self._table} ({names}, created_at) VALUES ({marks}, {_NOW})"  # noqa: S608 - checked names
            f" ON CONFLICT ({RECORD_ID}) DO NOTHING",
            rows,
        )

    def _remove_old(self, connection: sqlite3.Connection, most_rows: int) -> None:
        """Takes some rows away that are too old. Those whose time is no date or unknown count from when they came."""
        if not self._settings.retention_days:
            return
        now = moment_of(SYSTEM_CLOCK.now_ns())
        oldest = _shown(now - timedelta(days=self._settings.retention_days))
        connection.execute(
            f"DELETE FROM {self._table} WHERE rowid IN (SELECT rowid FROM {self._table} WHERE timestamp < ?"  # noqa: S608
            " AND ((timestamp > '1970-01-02' AND timestamp GLOB '????-??-??*') OR created_at < ?) LIMIT ?)",
            (oldest, oldest, most_rows),
        )

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────

    def query(self, wanted: Wanted) -> list[LogEntry]:
        if not all(may_equal(name, value, bits=_BITS) for name, value in wanted.equal.items()):
            return []
        # Not IS ?, with which the index of tools is of no use: it has no row without one.
        tests = [f'"{name}" {"IS" if value is None else "="} ?' for name, value in wanted.equal.items()]
        values = [_shown(value) if isinstance(value, datetime) else value for value in wanted.equal.values()]
        for operator, moment in ((">=", wanted.since), ("<", wanted.until)):
            if moment is not None:
                tests.append(f"timestamp {operator} ?")
                values.append(_shown(moment))
        names = ", ".join(f'"{name}"' for name in FIELDS)
        asked = (
            f"SELECT {names} FROM {self._table} {'WHERE' if tests else ''} {' AND '.join(tests)}"  # noqa: S608 - as above
            " ORDER BY timestamp DESC, rowid DESC LIMIT ?"
        )
        with self._translated():
            connection = self._opened()
            until_ns = SYSTEM_CLOCK.monotonic_ns() + int(self._settings.timeout_s * 1e9)
            connection.set_progress_handler(lambda: SYSTEM_CLOCK.monotonic_ns() > until_ns, _LOOK_EVERY)
            try:
                rows = connection.execute(asked, (*values, max(wanted.limit, 0))).fetchall()
            finally:
                connection.set_progress_handler(None, 0)
        return [_entry_of(row) for row in rows]

    # ── the file ──────────────────────────────────────────────────────────────────────────────────────────────

    def _opened(self) -> sqlite3.Connection:
        """The file, open, with the table in it; again after somebody has put another in its place."""
        if self._connection is not None and not self._is_there():
            self.close()
        if self._connection is None:
            self._make_file()
            connection = sqlite3.connect(
                self._path, timeout=self._settings.timeout_s, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("PRAGMA trusted_schema = OFF")
                use_wal(connection, self._settings.timeout_s)
                _prepare(connection, self._settings.table)
            except sqlite3.IntegrityError as error:  # no record is to blame
                connection.close()
                raise Unavailable(
                    f"{self._settings.table} in {self._path} cannot be used as a table of records: {error}",
                    remedy="Mend that table, or name another",
                ) from error
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _make_file(self) -> None:
        disk = Disk()
        disk.make_folder(self._path.parent)
        is_new = not self._path.exists()
        # SQLite gives the files beside it the same mode.
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            self._file = _identity(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        if is_new:
            disk.sync_folder(self._path.parent)

    def _is_there(self) -> bool:
        try:
            return _identity(self._path.stat()) == self._file
        except OSError:
            return False

    def _set_aside(self, problem: str) -> Unavailable:
        """Gives a damaged file another name, so that a new one can be begun; what to tell of that."""
        self.close()
        lock = Lock(self._path.with_name(f"{self._path.name}.lock"))
        if not lock.take() or not self._is_there():
            lock.let_go()
            return Unavailable(
                f"{self._path} is damaged ({problem}); another process sets it aside", remedy="Wait for that"
            )
        try:
            names = [f"{self._path.name}.damaged-{number}" for number in range(1, _MOST_SET_ASIDE + 1)]
            free = [name for name in names if not self._path.with_name(name).exists()]
            if not free:
                return Unavailable(
                    f"{self._path} is damaged ({problem}), and so were {_MOST_SET_ASIDE} before it",
                    remedy=f"Look at the disk, then take the files {names[0]} and so on away",
                )
            # The log first: one that is left behind would be taken for the new file's.
            for ending in ("-wal", "-shm", ""):
                with suppress(FileNotFoundError):
                    self._path.with_name(self._path.name + ending).rename(
                        self._path.with_name(free[0] + ending)
                    )
        finally:
            lock.let_go()
        return Unavailable(
            f"{self._path} is damaged ({problem}); it was set aside as {free[0]}",
            remedy=f"The next write begins a new file; `sqlite3 {free[0]} .recover` tells what is left in the old one",
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What SQLite says becomes one of our two errors."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._told(error) from error
        except OSError as error:
            self.close()
            raise Unavailable(
                f"{self._path} cannot be opened: {error.strerror or error}", remedy="See to that folder"
            ) from error

    def _told(self, error: sqlite3.Error) -> LogpithError:
        # The low byte; what stands above it says more than is needed here.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _OF_THE_RECORDS or isinstance(error, sqlite3.DataError):
            return Refused(f"{self._path} refuses it: {error}", remedy="Look at the dead letters")
        if code in _LOCKED:
            return Unavailable(
                f"{self._path} is locked by another program", remedy="End that one, or raise timeout_s"
            )
        if code == sqlite3.SQLITE_INTERRUPT:
            return Unavailable(
                f"{self._path} did not answer within {self._settings.timeout_s:g} s",
                remedy="Ask for a shorter time, or raise timeout_s",
            )
        if code in _DAMAGED:
            return self._set_aside(str(error))
        self.close()
        return Unavailable(f"{self._path} cannot be used: {error}", remedy="See to that file and its disk")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # what went wrong is told, not that it could not be undone
                connection.execute("ROLLBACK")
        raise


def use_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Turns WAL mode on where the file can have it. SQLite refuses that at once, without waiting, to all but one that
    begin a file together.

    Raises:
        sqlite3.OperationalError: another one has the file for longer than `timeout_s`.
    """
    until_ns = SYSTEM_CLOCK.monotonic_ns() + int(timeout_s * 1e9)
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _LOCKED or SYSTEM_CLOCK.monotonic_ns() > until_ns:
                raise
            with _transaction(connection):  # begins when the other one is through
                pass
        else:
            return  # also where it stays as it is, as on file systems without shared memory


def _prepare(connection: sqlite3.Connection, table: str) -> None:
    """Makes the table with its indexes where it is not there, and adds to one that is there what it lacks."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_KEPT_WAL_BYTES}")
    if _COLUMNS.keys() <= {*_columns_of(connection, table)} and not _missing_indexes(connection, table):
        return
    with _transaction(connection):
        columns = ", ".join(f'"{name}" {kind}' for name, kind in _COLUMNS.items())
        connection.execute(f'CREATE TABLE IF NOT EXISTS "{table}" (id INTEGER PRIMARY KEY, {columns})')
        there = _columns_of(connection, table)
        for name, kind in _COLUMNS.items():
            if name not in there:  # rows that stand there have nothing in it
                connection.execute(f'ALTER TABLE "{table}" ADD COLUMN "{name}" {kind.split()[0]}')
        for column, index in _missing_indexes(connection, table).items():
            kind, rest = INDEXES[column]
            connection.execute(f'CREATE {kind}INDEX "{index}" ON "{table}" {rest}')


def _missing_indexes(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    told = connection.execute("SELECT name, tbl_name FROM sqlite_master").fetchall()
    own = [name for name, its_table in told if its_table.lower() == table.lower()]
    return missing_indexes(table, own, [name for name, _ in told])


def _columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """Raises Unavailable where a row of ours could not be written."""
    told = connection.execute(
        'SELECT name, "notnull", dflt_value, pk, type FROM pragma_table_info(?)', (table,)
    ).fetchall()
    refuse_needed(
        table,
        [
            name
            for name, not_null, default, key, kind in told
            if not_null and default is None and not (key and kind.upper() == "INTEGER")
        ],
    )
    return [name for name, *_ in told]


def _row_of(entry: LogEntry) -> tuple[object, ...]:
    return (
        plain(entry.correlation_id),
        _shown(entry.timestamp),
        plain(entry.level),
        plain(entry.log_type),
        plain(entry.message),
        _plain(entry.tool_name),
        entry.duration_ms,
        _plain(entry.status),
        json_of(entry.input_args),
        _plain(entry.output_summary),
        _plain(entry.error_message),
        _plain(entry.module),
        _plain(entry.function),
        entry.line,
        _plain(entry.thread_name),
        entry.process_id,
        json_of(entry.extra_data),
    )


def _plain(text: str | None) -> str | None:
    return None if text is None else plain(text)


def _entry_of(row: Sequence[object]) -> LogEntry:
    values = dict(zip(FIELDS, row, strict=True))
    values["timestamp"] = _moment_of(values["timestamp"])
    for name in ("input_args", "extra_data"):
        if isinstance(text := values[name], str):
            with suppress(ValueError):  # a text of somebody else's
                values[name] = json.loads(text)
    return entry_of_row(list(values.values()))


def _shown(moment: datetime) -> str:
    """A time as the column has it: all of one length and zone, so that their order is that of the texts."""
    return in_utc(moment).isoformat(timespec="microseconds")


def _moment_of(told: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(told))
    except ValueError:  # a time of somebody else's
        return None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
