"""PostgreSQL: a table on a server.

A batch is one transaction with one COPY. A unique index on the record's id lets the whole batch fail where some of it
is there already, because an answer was lost; then it is inserted row by row, and those that are there are passed over.
"""

from __future__ import annotations

import math
import re
import struct
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import Destination, LiveDestination, Outgoing, Wanted, Written
from logpith_emit.encoding import encode, in_words
from logpith_emit.entry import FIELDS, LogEntry
from logpith_emit.errors import BadArgument, LogpithError, Refused, Unavailable
from logpith_emit.extras import library
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
    moved,
    plain,
    refuse_needed,
)
from logpith_emit.secret import MASK, Secret

if TYPE_CHECKING:
    from psycopg import Connection, Error, sql

T = TypeVar("T")

_COLUMNS = {
    "id": "BIGSERIAL PRIMARY KEY",
    RECORD_ID: "TEXT",
    "correlation_id": "TEXT NOT NULL",
    "timestamp": "TIMESTAMPTZ NOT NULL",
    "level": "TEXT NOT NULL",
    "log_type": "TEXT",
    "message": "TEXT NOT NULL",
    "tool_name": "TEXT",
    "duration_ms": "REAL",
    "status": "TEXT",
    "input_args": "JSONB",
    "output_summary": "TEXT",
    "error_message": "TEXT",
    "module": "TEXT",
    "function": "TEXT",
    "line": "INTEGER",
    "thread_name": "TEXT",
    "process_id": "INTEGER",
    "extra_data": "JSONB",
    "created_at": "TIMESTAMPTZ DEFAULT now()",
}
_BITS = 32
_MOST_INT = 2**31 - 1
_MOST_KEY_BYTES = 2_000
"""What is kept of a text that an index holds: it takes a third of a page of 8 KiB at most."""

_MOST_WAIT_FOR_TABLE_MS = 3_000
"""A change of the table waits for all who use it, and lets all others wait."""

_BLOCK_BYTES = 1 << 16

_ZERO_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")

# Classes of SQLSTATE: data, constraints, limits such as that of an index, and what a trigger of the table raises.
_OF_THE_RECORDS = ("22", "23", "54", "P0001")


@dataclass(frozen=True, kw_only=True)
class PostgresDestination(Destination):
    """A table of a PostgreSQL server."""

    type: ClassVar[str] = "postgres"
    can_query: ClassVar[bool] = True
    once: ClassVar[bool] = True

    dsn: Secret = Secret("postgresql://localhost/mcp_logs")  # noqa: RUF009 - a value that nobody can change
    """`postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=ca.pem`. Without `verify-full`
    nobody knows who answers."""

    table: str = TABLE
    """The table, or `schema.table`; made if it is missing, and given the columns and indexes that it lacks."""

    timeout_s: float = 60.0
    """How long a command may take."""

    pool_min_size: int = 2
    """Connections that stay open once they were needed: one to write, the others for those who ask."""

    pool_max_size: int = 10
    """Connections at most. Records are written over one; more are opened only where many ask at once."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "dsn", Secret(self.dsn))
        if not _may_be_address(self.dsn.reveal()):
            raise _no_address()
        for name in self.table.split(".", 1):
            checked_name(name)
        if not 1 <= self.pool_min_size <= self.pool_max_size:
            raise BadArgument(
                f"There are {self.pool_min_size} to {self.pool_max_size} connections",
                remedy="Let pool_min_size be 1 at least, and pool_max_size no less than that",
            )

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        library("psycopg", "postgres")
        connections = _Connections(self)
        try:
            yield _Postgres(self, connections)
        finally:
            connections.close()


class _Postgres:
    def __init__(self, settings: PostgresDestination, connections: _Connections) -> None:
        from psycopg import sql  # noqa: PLC0415 - comes with an extra

        self._sql = sql
        self._settings = settings
        self._connections = connections
        self._table = sql.Identifier(*settings.table.split("."))
        self._is_prepared = False
        names = [sql.Identifier(name) for name in (RECORD_ID, *FIELDS)]
        self._listed = sql.SQL(", ").join(names)
        self._marks = sql.SQL(", ").join([sql.Placeholder()] * len(names))

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, records: Sequence[Outgoing]) -> Written:
        entries, refused = entries_of(records)
        rows = [_row_of(record_id, entry) for record_id, entry in entries]
        if rows:
            self._done(lambda connection: self._keep(connection, rows))
        return Written(refused=refused)

    def _keep(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        from psycopg.errors import UniqueViolation  # noqa: PLC0415 - comes with an extra

        if not self._is_prepared:
            self._prepare(connection)
            self._is_prepared = True
        try:
            self._copy(connection, rows)
        except UniqueViolation:
            connection.execute("ROLLBACK")
            self._insert(connection, rows)

    def _copy(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        self._begin(connection)
        statement = self._sql.SQL("COPY {} ({}) FROM STDIN").format(self._table, self._listed)
        cursor = connection.cursor()
        with cursor.copy(statement, writer=_block_writer()(cursor)) as copy:
            for row in rows:
                copy.write_row(row)
        connection.execute("COMMIT")

    def _insert(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        self._begin(connection)
        statement = self._sql.SQL(
            "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT (record_id) DO NOTHING"
        ).format(self._table, self._listed, self._marks)
        connection.cursor().executemany(statement, rows)
        connection.execute("COMMIT")

    def _begin(self, connection: Connection, how: str = "") -> None:
        """Begins a transaction. Its settings are its own, for behind a pooler others use the connection after us."""
        limit_ms = min(max(int(self._settings.timeout_s * 1_000), 1), _MOST_INT)
        steps = (
            f"BEGIN {how}",
            f"SET LOCAL statement_timeout = {limit_ms}",
            "SET LOCAL timezone = 'UTC'",
            # With it off, a commit is told that a crash of the server undoes.
            "SELECT set_config('synchronous_commit', 'on', true)"
            " WHERE current_setting('synchronous_commit') = 'off'",
        )
        connection.execute("; ".join(steps).encode())

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────

    def query(self, wanted: Wanted) -> list[LogEntry]:
        from psycopg import sql  # noqa: PLC0415 - comes with an extra
        from psycopg.errors import UndefinedTable  # noqa: PLC0415 - comes with an extra

        if not all(may_equal(name, value, bits=_BITS) for name, value in wanted.equal.items()):
            return []
        tests: list[sql.Composable] = [sql.SQL("true")]
        values: list[object] = []
        for name, value in wanted.equal.items():
            column = sql.Identifier(name)
            if value is None:
                tests.append(sql.SQL("{} IS NULL").format(column))
                continue
            # A number of seven digits is none of sixteen.
            test = "{}::float4 = %s::float4" if name == "duration_ms" else "{} = %s"
            tests.append(sql.SQL(test).format(column))
            values.append(_asked(name, value))
        for test, moment in (("timestamp >= %s", wanted.since), ("timestamp < %s", wanted.until)):
            if moment is not None:
                tests.append(sql.SQL(test))
                values.append(in_utc(moment))
        statement = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY timestamp DESC, id DESC LIMIT %s").format(
            sql.SQL(", ").join(map(sql.Identifier, FIELDS)), self._table, sql.SQL(" AND ").join(tests)
        )

        def ask(connection: Connection) -> Sequence[tuple[object, ...]]:
            self._begin(connection, "READ ONLY")
            try:
                rows = connection.execute(statement, (*values, max(wanted.limit, 0))).fetchall()
            except UndefinedTable:  # nothing was written yet
                rows = []
            connection.execute("COMMIT")
            return rows

        return [entry_of_row(row) for row in self._done(ask)]

    # ── the table ─────────────────────────────────────────────────────────────────────────────────────────────

    def _prepare(self, connection: Connection) -> None:
        """Makes the table with its indexes where it is not there, and adds to one that is there what it lacks. Where it
        lacks nothing, no right to change it is needed."""
        import psycopg  # noqa: PLC0415 - comes with an extra

        try:
            self._add_what_is_missing(connection)
        except psycopg.Error as error:
            if not _is_of_the_records(error):
                raise
            raise Unavailable(  # no record is to blame
                f"{self._settings.table} cannot be used as a table of records: {self._said(error)}",
                remedy="Mend that table, or name another",
            ) from error

    def _add_what_is_missing(self, connection: Connection) -> None:
        sql = self._sql
        if not self._missing_columns(connection) and not self._missing_indexes(connection):
            return
        self._begin(connection)
        connection.execute(f"SET LOCAL lock_timeout = {_MOST_WAIT_FOR_TABLE_MS}".encode())
        # Of several that find nothing one makes the table, and the others find it then.
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtext('logpith_emit'), hashtext(%s))", [self._settings.table]
        )
        columns = [
            sql.SQL("{} ").format(sql.Identifier(name)) + sql.SQL(kind) for name, kind in _COLUMNS.items()
        ]
        connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(self._table, sql.SQL(", ").join(columns))
        )
        for name in self._missing_columns(connection):
            # Rows that stand there have nothing in it, and are not written again.
            kind, _, default = _COLUMNS[name].partition(" DEFAULT ")
            alter = sql.SQL("ALTER TABLE {} ").format(self._table)
            column = sql.Identifier(name)
            connection.execute(alter + sql.SQL("ADD COLUMN {} ").format(column) + sql.SQL(kind.split()[0]))
            if default:
                connection.execute(
                    alter + sql.SQL("ALTER COLUMN {} SET DEFAULT ").format(column) + sql.SQL(default)
                )
        for column_name, index in self._missing_indexes(connection).items():
            kind, rest = INDEXES[column_name]
            connection.execute(
                sql.SQL(f"CREATE {kind}INDEX {{}} ON {{}} {rest}").format(sql.Identifier(index), self._table)
            )
        connection.execute("COMMIT")

    def _missing_columns(self, connection: Connection) -> list[str]:
        """Raises Unavailable where a row of ours could not be written."""
        told = connection.execute(
            "SELECT attname, attnotnull AND NOT atthasdef AND attidentity = '' FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            [self._table.as_string(connection)],
        ).fetchall()
        refuse_needed(self._settings.table, [name for name, is_needed in told if is_needed])
        there = {name for name, _ in told}
        return [name for name in _COLUMNS if name not in there]

    def _missing_indexes(self, connection: Connection) -> dict[str, str]:
        told = connection.execute(
            "SELECT it.relname, pg_index.indrelid = its.oid AND pg_index.indisvalid FROM pg_class its"
            " JOIN pg_class it ON it.relnamespace = its.relnamespace"
            " LEFT JOIN pg_index ON pg_index.indexrelid = it.oid"
            " WHERE its.oid = to_regclass(%s) AND starts_with(it.relname, %s)",
            [self._table.as_string(connection), f"idx_{(table := self._settings.table.split('.')[-1])}_"],
        ).fetchall()
        return missing_indexes(table, [name for name, is_own in told if is_own], [name for name, _ in told])

    # ── the connection ────────────────────────────────────────────────────────────────────────────────────────

    def _done(self, work: Callable[[Connection], T]) -> T:
        """What some work with a connection gives. One that was kept may have ended meanwhile: then a new one is tried.

        Raises:
            Unavailable, Refused: what PostgreSQL says.
        """
        import psycopg  # noqa: PLC0415 - comes with an extra

        was_kept = False
        try:
            try:
                with self._connections.one() as (connection, was_kept):
                    return work(connection)
            except psycopg.OperationalError as error:
                if not was_kept or not _has_ended(error):
                    raise
            with self._connections.one() as (connection, _):
                return work(connection)
        except psycopg.Error as error:
            raise self._told(error) from error
        except TimeoutError as error:
            raise Unavailable(
                f"{self._connections.shown} did not answer within {self._settings.timeout_s:g} s",
                remedy="See to that server, or raise timeout_s",
            ) from error

    def _said(self, error: Error) -> str:
        # The first line: what follows may quote a whole record.
        return self._connections.without_password(
            (error.diag.message_primary or str(error)).partition("\n")[0]
        )

    def _told(self, error: Error) -> LogpithError:
        said = self._said(error)
        state = error.sqlstate or ""
        if _is_of_the_records(error):
            return Refused(f"{self._connections.shown} refuses it: {said}", remedy="Look at the dead letters")
        if state.startswith("42"):  # somebody has changed the table, or nobody has made it
            self._is_prepared = False
            return Unavailable(
                f"{self._connections.shown} refuses it: {said}",
                remedy="See to the table and who may write it; the records wait",
            )
        if state.startswith("57014"):
            return Unavailable(
                f"{self._connections.shown} was not done within {self._settings.timeout_s:g} s",
                remedy="See to that server, or raise timeout_s",
            )
        return Unavailable(f"{self._connections.shown} cannot be used: {said}", remedy="See to that server")


class _Connections:
    """Some connections to a server, of which those that are used now and then stay open. Threads may share them."""

    def __init__(self, settings: PostgresDestination) -> None:
        """Connects to nothing.

        Raises:
            BadArgument: the address is none.
        """
        self._settings = settings
        parameters = _parameters(settings.dsn)
        self._secrets = [
            str(parameters[name]) for name in ("password", "sslpassword") if parameters.get(name)
        ]
        host, port = parameters.get("host") or parameters.get("hostaddr") or "", parameters.get("port")
        user = f"{parameters['user']}@" if parameters.get("user") else ""
        self.shown = f"postgresql://{user}{host}{f':{port}' if port else ''}/{parameters.get('dbname') or ''}"
        """Where they lead, as it may be told."""

        self._parameters = {
            "connect_timeout": min(math.ceil(settings.timeout_s), _MOST_INT),
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
            if _is_of_the_records(error):
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
        return SYSTEM_CLOCK.monotonic_ns() + int(self._settings.timeout_s * 1e9)

    def _close_free(self) -> None:
        for connection in self._free:
            _close(connection)
        self._open -= len(self._free)
        self._free.clear()

    def _taken(self, until_ns: int) -> tuple[Connection, bool]:
        with self._changed:
            while not self._free and self._open >= self._settings.pool_max_size:
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
            is_spare = self._is_closed or self._open > self._settings.pool_min_size
            if is_well and not connection.closed and not is_spare:
                self._free.append(connection)
            else:
                self._open -= 1
                _close(connection)
            if not is_well:  # what ended this one has ended the others, too
                self._close_free()
            self._changed.notify_all()


def _is_of_the_records(error: Error) -> bool:
    """Whether other records may be taken."""
    import psycopg  # noqa: PLC0415 - comes with an extra

    state = error.sqlstate or ""
    return state.startswith(_OF_THE_RECORDS) or (not state and isinstance(error, psycopg.DataError))


def _has_ended(error: Error) -> bool:
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


@cache
def _block_writer() -> Any:
    """What sends the rows of a COPY, many at once, for a wait costs more than a row. Where that fails it does not tell
    the server, which sees the connection end; psycopg would log that it cannot."""
    from psycopg.copy import LibpqWriter  # noqa: PLC0415 - comes with an extra

    class BlockWriter(LibpqWriter):
        def __init__(self, cursor: Any) -> None:
            super().__init__(cursor)
            self._block = bytearray()

        def write(self, data: Any) -> None:
            self._block += data
            if len(self._block) >= _BLOCK_BYTES:
                self._send()

        def finish(self, exc: BaseException | None = None) -> None:
            if exc is None:
                self._send()
                super().finish()

        def _send(self) -> None:
            super().write(bytes(self._block))
            self._block.clear()

    return BlockWriter


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
        raise _no_address() from None
    # A password with an @ or a / that is not written as %40 or %2F ends too early, and the rest counts as these.
    places = [str(parameters.get(name) or "") for name in ("user", "host", "dbname")]
    ports = str(parameters.get("port") or "0").split(",")
    if any("@" in place for place in places[1:]) or not all(port.isdigit() or not port for port in ports):
        raise _no_address()
    return parameters


def _may_be_address(dsn: str) -> bool:
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


def _no_address() -> BadArgument:
    return BadArgument(
        "The dsn cannot be read",
        remedy="Write postgresql://user:password@host:port/database, with %40 for @ in a password",
    )


def _row_of(record_id: str, entry: LogEntry) -> tuple[object, ...]:
    entry = _fitted(entry)
    return (
        record_id,
        _text(entry.correlation_id),
        entry.timestamp,
        _text(entry.level),
        _text(entry.log_type),
        _text(entry.message),
        _text(entry.tool_name),
        entry.duration_ms,
        _text(entry.status),
        _json(entry.input_args),
        _text(entry.output_summary),
        _text(entry.error_message),
        _text(entry.module),
        _text(entry.function),
        entry.line,
        _text(entry.thread_name),
        entry.process_id,
        _json(entry.extra_data),
    )


def _fitted(entry: LogEntry) -> LogEntry:
    """The entry with nothing in it that no column takes; what does not fit is in `extra_data`."""
    entry = fitted(entry, bits=_BITS)
    for name in ("correlation_id", "tool_name"):
        text = getattr(entry, name)
        if text is not None and len(text) * 4 > _MOST_KEY_BYTES and (kept := _cut(text)) != text:
            entry = moved(entry, {name: text}, **{name: kept})
    if entry.duration_ms is not None and (known := _real(entry.duration_ms)) != entry.duration_ms:
        return moved(entry, {"duration_ms": entry.duration_ms}, duration_ms=known)
    return entry


def _real(number: float) -> float | None:
    """The number as far as a REAL has room for it: 0 for less than it can tell from nothing, None for too much."""
    try:
        (known,) = struct.unpack("<f", struct.pack("<f", number))
    except OverflowError:
        return None
    return number if known else 0.0


def _cut(text: str) -> str:
    return plain(text).encode()[:_MOST_KEY_BYTES].decode("utf-8", "ignore")


def _asked(name: str, value: object) -> object:
    """What a column holds where an entry has `value`."""
    if isinstance(value, datetime):
        return in_utc(value)
    if isinstance(value, float):
        return _real(value)
    if isinstance(value, str):
        return _text(_cut(value) if name in ("correlation_id", "tool_name") else value)
    return value


def _text(text: str | None) -> str | None:
    """PostgreSQL has no character 0; it is put into words."""
    return None if text is None else plain(text).replace("\0", r"\x00")


def _json(value: dict[str, Any] | None) -> str | None:
    text = json_of(value)
    if text is None or "\\u" not in text:
        return text
    if "\\ud" in text.lower() and value is not None:  # half a character, perhaps
        text = encode(in_words(value)).decode()
    return _ZERO_IN_JSON.sub(r"\1\\\\x00", text)
