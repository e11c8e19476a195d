"""PostgreSQL: a table on a server.

A batch is one transaction with one COPY. A unique index on the record's id lets the whole batch fail where some of it
is there already, because an answer was lost; then it is inserted row by row, and those that are there are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from logpith_emit.destinations import Destination, LiveDestination, Outgoing, Wanted, Written
from logpith_emit.destinations.postgres.connections import (
    MOST_INT,
    Connections,
    has_ended,
    is_of_the_records,
    may_be_address,
    no_address,
)
from logpith_emit.destinations.postgres.rows import BITS, asked, row_of
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
    in_utc,
    may_equal,
    missing_indexes,
    refuse_needed,
)
from logpith_emit.secret import Secret

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

_MOST_WAIT_FOR_TABLE_MS = 3_000
"""A change of the table waits for all who use it, and lets all others wait."""

_BLOCK_BYTES = 1 << 16


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
        if not may_be_address(self.dsn.reveal()):
            raise no_address()
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
        connections = Connections(
            self.dsn,
            timeout_s=self.timeout_s,
            pool_min_size=self.pool_min_size,
            pool_max_size=self.pool_max_size,
        )
        try:
            yield _Postgres(self, connections)
        finally:
            connections.close()


class _Postgres:
    def __init__(self, settings: PostgresDestination, connections: Connections) -> None:
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
        rows = [row_of(record_id, entry) for record_id, entry in entries]
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
        limit_ms = min(max(int(self._settings.timeout_s * 1_000), 1), MOST_INT)
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

        if not all(may_equal(name, value, bits=BITS) for name, value in wanted.equal.items()):
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
            values.append(asked(name, value))
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
            if not is_of_the_records(error):
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
                if not was_kept or not has_ended(error):
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
        if is_of_the_records(error):
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
