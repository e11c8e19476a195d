"""PostgreSQL: what was acknowledged is in the table, once, whatever becomes of us, the server and the way to it."""

import pytest

from logpith_emit.destinations.postgres import PostgresDestination
from logpith_emit.testing import check_destination
import psycopg
from logpith_emit.entry import FIELDS, LogEntry


@pytest.fixture
def dsn(postgres):
    return postgres.new_database()


def rows(dsn, asked="SELECT * FROM unified_logs ORDER BY id"):
    with psycopg.connect(dsn) as connection:
        return connection.execute(asked).fetchall()


def entries(dsn):
    names = ", ".join(FIELDS)
    with psycopg.connect(dsn) as connection:
        if connection.execute("select to_regclass('unified_logs')").fetchone() == (None,):
            return []
    return [
        LogEntry(**dict(zip(FIELDS, row, strict=True)))
        for row in rows(dsn, f"SELECT {names} FROM unified_logs")
    ]


def test_it_keeps_its_promises(dsn):
    check_destination(PostgresDestination(dsn=dsn), lambda: entries(dsn))
