"""PostgreSQL: what was acknowledged is in the table, once, whatever becomes of us, the server and the way to it."""

import itertools
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivering import ANYWHERE, SOON_S, check_faults, check_killed, delivering
from fault_proxy import CutRequest, CutResponse, Garbage, Hang, fault_proxy
from logpith_emit.destinations import Outgoing, Wanted, destination_of
from logpith_emit.destinations.postgres import PostgresDestination
from logpith_emit.entry import FIELDS, LogEntry
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.secret import Secret
from logpith_emit.shipping.dead_letters import DeadLetters
from logpith_emit.testing import BARE, FULL, MOMENT, check_destination, numbered, outgoing
from services.certificates import certificate

DYING = Path(__file__).parents[2] / "dying_shipper.py"

FOUNDING = """
CREATE TABLE unified_logs (
    id BIGSERIAL PRIMARY KEY, correlation_id TEXT NOT NULL, timestamp TIMESTAMPTZ NOT NULL, level TEXT NOT NULL,
    log_type TEXT, message TEXT NOT NULL, tool_name TEXT, duration_ms REAL, status TEXT, input_args JSONB,
    output_summary TEXT, error_message TEXT, module TEXT, function TEXT, line INTEGER, thread_name TEXT,
    process_id INTEGER, extra_data JSONB, created_at TIMESTAMPTZ DEFAULT NOW()
)"""
"""A table as programs made it before there was this destination."""

HERE = "schemaname = current_schema() AND tablename = 'unified_logs'"

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def database(postgres):
    return postgres.new_database()


@pytest.fixture
def dsn(database):
    """Where a test has a schema of its own."""
    schema = f"t{next(numbers)}"
    with psycopg.connect(database) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return f"{database}?options=-csearch_path%3D{schema}"


@pytest.fixture
def execute(dsn):
    """execute(*statements): by another client; the rows of the last."""

    def run(*statements):
        with psycopg.connect(dsn, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def messages(execute):
    """messages(): what the rows say, in the order that they were written."""
    return lambda table="unified_logs": [
        text for (text,) in execute(f"SELECT message FROM {table} ORDER BY id")
    ]


def to(dsn, **more):
    return PostgresDestination(dsn=Secret(dsn), **more)


def written(dsn, records, **more):
    with to(dsn, **more).open() as live:
        return live.write(records)


def test_it_keeps_its_promises(dsn, execute):
    def read():
        if execute("SELECT to_regclass('unified_logs')") == [(None,)]:
            return []
        rows = execute(f"SELECT {', '.join(FIELDS)} FROM unified_logs")
        return [LogEntry(**dict(zip(FIELDS, row, strict=True))) for row in rows]

    check_destination(to(dsn), read)


def test_what_a_server_has_taken_that_is_killed_is_there_once(postgres, dsn, messages, tmp_path):
    destination = to(dsn, batch_records=50, first_retry_s=0.001, most_retry_s=0.01)
    check_killed(tmp_path, destination, postgres, messages)


def test_the_settings_know_it_and_its_defaults():
    destination = destination_of({"type": "postgres", "dsn": "postgresql://db/logs"}, "destinations[0]")

    assert isinstance(destination, PostgresDestination)
    assert destination.dsn.reveal() == "postgresql://db/logs"
    assert (destination.table, destination.timeout_s) == ("unified_logs", 60)
    assert (destination.pool_min_size, destination.pool_max_size) == (2, 10)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"table": "logs; DROP TABLE x"}, "no name for a table"),
        ({"table": 'a"b'}, "no name"),
        ({"table": "a.b.c"}, "no name"),
        ({"table": "public."}, "no name"),
        ({"pool_min_size": 3, "pool_max_size": 2}, "3 to 2 connections"),
        ({"pool_min_size": 0}, "0 to 10"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given, problem):
    with pytest.raises(BadArgument, match=problem):
        PostgresDestination(**given)


# ── The table ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_has_the_columns_and_indexes_of_an_entry(dsn, execute):
    written(dsn, numbered(1))

    columns = execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema()"
        " ORDER BY ordinal_position"
    )
    indexes = dict(execute(f"SELECT indexname, indexdef FROM pg_indexes WHERE {HERE}"))

    assert [name for name, _ in columns] == ["id", "record_id", *FIELDS, "created_at"]
    kinds = dict(columns)
    assert {kinds[name] for name in ("timestamp", "created_at")} == {"timestamp with time zone"}
    assert {kinds[name] for name in ("input_args", "extra_data")} == {"jsonb"}
    assert (kinds["id"], kinds["duration_ms"], kinds["line"]) == ("bigint", "real", "integer")
    assert indexes["idx_unified_logs_correlation_id"].endswith("(correlation_id)")
    assert indexes["idx_unified_logs_timestamp"].endswith('("timestamp" DESC)')
    assert indexes["idx_unified_logs_tool_name"].endswith("(tool_name) WHERE (tool_name IS NOT NULL)")
    assert indexes["idx_unified_logs_record_id"].startswith("CREATE UNIQUE INDEX")
    assert execute("SELECT count(*) FROM unified_logs WHERE created_at > now() - interval '1 hour'") == [(1,)]


def test_arguments_and_what_is_extra_are_found_by_their_paths(dsn, execute):
    written(dsn, [outgoing(FULL), *numbered(3, first=2)])

    assert execute(
        'SELECT extra_data->>\'service\' FROM unified_logs WHERE input_args @> \'{"tags": ["b"], "retries": 2}\''
    ) == [("shop",)]


def test_the_table_of_before_gets_what_it_lacks_and_keeps_its_rows(dsn, execute, messages):
    execute(
        FOUNDING,
        "CREATE INDEX idx_unified_logs_correlation_id ON unified_logs(correlation_id)",
        "INSERT INTO unified_logs (correlation_id, timestamp, level, message) VALUES ('c', now(), 'INFO', 'old')",
    )

    for _ in range(2):
        with to(dsn).open() as live:
            live.write([outgoing(FULL)])
            (found,) = live.query(Wanted(equal={"correlation_id": FULL.correlation_id}))

    assert found == FULL
    assert messages() == ["old", FULL.message]
    assert len(execute(f"SELECT 1 FROM pg_indexes WHERE {HERE}")) == 5


def test_a_table_that_lacks_much_gets_it_and_one_of_other_types_takes_what_it_can(dsn, execute):
    execute(
        "DROP SCHEMA IF EXISTS app CASCADE",
        "CREATE SCHEMA app",
        "CREATE TABLE app.calls (level VARCHAR(8), timestamp TIMESTAMP, duration_ms DOUBLE PRECISION, extra_data JSON)",
        "INSERT INTO app.calls (level) VALUES ('old')",
    )
    exact = replace(FULL, duration_ms=0.1 + 0.2)

    with to(dsn, table="app.calls").open() as live:
        live.write([outgoing(exact)])
        (found,) = live.query(Wanted(equal={"level": "ERROR"}))

    assert found == exact
    assert execute("SELECT level, created_at IS NULL FROM app.calls ORDER BY id") == [
        ("old", True),
        ("ERROR", False),
    ]


def test_a_table_in_the_place_of_one_that_was_renamed_has_indexes_of_its_own(dsn, execute, messages):
    written(dsn, numbered(1))
    execute("ALTER TABLE unified_logs RENAME TO logs_of_march")

    for _ in range(2):
        written(dsn, numbered(2))

    assert messages() == ["record 1", "record 2"]
    assert len(execute(f"SELECT 1 FROM pg_indexes WHERE {HERE}")) == 5


def test_a_table_that_is_dropped_under_way_is_made_again(dsn, execute, messages):
    with to(dsn).open() as live:
        live.write(numbered(1))
        execute("DROP TABLE unified_logs")
        with pytest.raises(Unavailable, match=r"does not exist.*records wait"):
            live.write(numbered(2))
        assert live.query(Wanted()) == []

        live.write(numbered(2))

    assert messages() == ["record 1", "record 2"]


def test_several_that_find_no_table_make_one(dsn, messages):
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda number: written(dsn, numbered(1, first=number)), range(1, 4)))

    assert sorted(messages()) == [f"record {number}" for number in range(1, 4)]


def test_who_may_only_write_and_read_the_table_needs_no_more(dsn, execute, messages):
    written(dsn, numbered(1))
    execute(
        "CREATE ROLE writer LOGIN",
        f"GRANT USAGE ON SCHEMA {dsn.rpartition('D')[2]} TO writer",
        "GRANT INSERT, SELECT ON unified_logs TO writer",
        "GRANT USAGE ON SEQUENCE unified_logs_id_seq TO writer",
    )
    as_writer = dsn.replace("postgres@", "writer@")

    assert not written(as_writer, numbered(3)).refused
    assert messages() == ["record 1", "record 2", "record 3"]

    with pytest.raises(Unavailable, match="permission denied"):
        written(as_writer, numbered(1), table="another")


def test_a_table_that_needs_what_no_record_has_makes_records_wait(dsn, execute):
    execute(FOUNDING, "ALTER TABLE unified_logs ADD COLUMN tenant TEXT NOT NULL")

    with pytest.raises(Unavailable, match=r"need a 'tenant'.*default"):
        written(dsn, numbered(1))


def test_a_table_whose_rows_are_not_once_makes_records_wait(dsn, execute):
    execute("CREATE TABLE unified_logs (record_id) AS VALUES ('x'), ('x')")

    with pytest.raises(Unavailable, match="cannot be used as a table of records"):
        written(dsn, numbered(1))


# ── Once ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("writes", [1, 3])
def test_what_a_killed_process_has_shipped_is_there_once(dsn, messages, tmp_path, writes):
    destination = to(dsn, batch_records=70)
    with delivering(tmp_path, destination) as delivery:
        delivery.shipper.close(0)
        said = delivery.say(400)
    table = {"type": "postgres", "dsn": dsn, "batch_records": 100}
    killed = subprocess.run(
        [sys.executable, DYING, tmp_path, json.dumps(table), str(writes)], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert messages() == said[: writes * 100]

    with delivering(tmp_path, destination) as delivery:
        delivery.wait()

    assert messages() == said


def test_a_commit_that_a_crash_could_undo_is_not_asked_for(dsn, execute):
    execute(
        FOUNDING,
        "ALTER TABLE unified_logs ADD COLUMN how TEXT DEFAULT current_setting('synchronous_commit')",
    )
    off = f"{dsn}%20-csynchronous_commit%3Doff"

    written(off, numbered(1))
    written(off, numbered(2))

    with psycopg.connect(off) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)
    assert execute("SELECT how FROM unified_logs") == [("on",), ("on",)]


def test_a_connection_that_was_closed_meanwhile_is_made_again(dsn, execute, messages):
    with to(dsn).open() as live:
        live.write(numbered(1))
        with live._connections.one():
            live.query(Wanted())
        assert len(live._connections._free) == 2
        execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'logpith-emit'"
            " AND datname = current_database()"
        )

        live.write(numbered(2))

    assert messages() == ["record 1", "record 2"]


SPOKEN = [Garbage(b"E\x00\x00\x00\x08oh!\x00" * 9), Garbage(b"Z\x00\x00\x00\x05I" * 9)]
"""What PostgreSQL may say, and not to this."""


def test_whatever_goes_wrong_all_stands_there_once(postgres, dsn, messages, tmp_path):
    with fault_proxy(postgres.port) as proxy:
        destination = to(dsn.replace(postgres.address, proxy.address))
        faults = [*ANYWHERE, CutRequest(50_000), *SPOKEN]
        check_faults(tmp_path, destination, proxy, faults, messages, at_once=600)


def test_wherever_an_answer_is_cut_all_stands_there_once(postgres, dsn, messages, tmp_path):
    with fault_proxy(postgres.port) as proxy:
        destination = to(
            dsn.replace(postgres.address, proxy.address), first_retry_s=0.001, most_retry_s=0.002
        )
        with delivering(tmp_path, destination) as delivery:
            said = delivery.say(1)
            delivery.wait()
            failed = 0
            for after_bytes in range(0, 400, 20):
                proxy.fault = CutResponse(after_bytes)
                before = len(delivery.warnings)
                said += delivery.say(5)
                while len(delivery.warnings) == before and delivery.shipped.sent < len(said):
                    delivery.shipper.flush(0.01)
                failed += len(delivery.warnings) > before
                proxy.fault = None
                delivery.wait()

    assert messages() == said
    assert 5 < failed < 20, "the last places are behind the answer"


def test_a_server_that_nobody_reaches_is_unavailable_within_the_time(postgres, dsn):
    with fault_proxy(postgres.port) as proxy:
        proxy.fault = Hang()

        with pytest.raises(Unavailable, match=r"timeout|did not answer"):
            written(dsn.replace(postgres.address, proxy.address), numbered(1), timeout_s=0.1)


def test_a_server_that_hangs_in_the_middle_of_a_batch_is_given_up_in_time_and_nothing_is_logged(
    postgres, dsn, messages, caplog
):
    large = [outgoing(replace(BARE, message=f"{number} {'x' * 100_000}"), number) for number in range(200)]
    written(dsn, numbered(1, first=1_000))  # makes the table, for which there is all the time
    with (
        fault_proxy(postgres.port) as proxy,
        to(dsn.replace(postgres.address, proxy.address), timeout_s=1.5).open() as live,
    ):
        live.write(numbered(1, first=1_001))
        proxy.fault = Hang()

        with pytest.raises(Unavailable, match=r"did not answer within 1\.5 s"):
            live.write(large)

    assert messages() == ["record 1000", "record 1001"]
    assert caplog.records == []


def test_a_table_that_is_locked_makes_records_wait(dsn, messages):
    written(dsn, numbered(1))
    with psycopg.connect(dsn) as other, to(dsn, timeout_s=0.2).open() as live:
        other.execute("LOCK TABLE unified_logs IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            live.write(numbered(2))
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            live.query(Wanted())

    written(dsn, numbered(2))
    assert messages() == ["record 1", "record 2"]


def test_what_is_given_up_is_given_up_at_the_server_too(dsn, execute, messages):
    """A server does not notice that somebody has gone who waits for a lock."""
    waiting = (
        "SELECT query FROM pg_stat_activity WHERE application_name = 'logpith-emit'"
        " AND datname = current_database() AND wait_event_type = 'Lock'"
    )
    written(dsn, numbered(1))
    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE unified_logs IN ACCESS EXCLUSIVE MODE")
        for work in (lambda live: live.write(numbered(1, first=2)), lambda live: live.query(Wanted())):
            with to(dsn, timeout_s=0.2).open() as live, pytest.raises(Unavailable):
                work(live)

        deadline = time.monotonic() + SOON_S
        while left := execute(waiting):
            assert time.monotonic() < deadline, left

    assert messages() == ["record 1"]


# ── What is refused ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_row_that_a_rule_of_the_table_forbids_is_refused_alone(dsn, execute, messages, tmp_path):
    execute(FOUNDING, "ALTER TABLE unified_logs ADD CHECK (message NOT IN ('record 42', 'record 77'))")

    with delivering(tmp_path, to(dsn)) as delivery:
        said = delivery.say(200)
        delivery.wait()
        letters = list(DeadLetters(delivery.spool, "d").read())

    assert messages() == [message for message in said if message not in ("record 42", "record 77")]
    assert [letter["record"]["message"] for letter in letters] == ["record 42", "record 77"]
    assert "violates check constraint" in letters[0]["reason"]
    assert "Failing row" not in letters[0]["reason"], "an error quotes no record"


def test_a_text_too_long_for_a_column_of_before_is_refused_and_a_trigger_may_refuse(dsn, execute):
    execute(
        FOUNDING,
        "ALTER TABLE unified_logs ALTER level TYPE VARCHAR(4)",
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$",
        "CREATE TRIGGER no BEFORE INSERT ON unified_logs FOR EACH ROW WHEN (new.message = 'no') EXECUTE FUNCTION no()",
    )
    with to(dsn).open() as live:
        with pytest.raises(Refused, match="too long"):
            live.write([outgoing(replace(BARE, level="NOTICE"))])
        with pytest.raises(Refused, match="not this one"):
            live.write([outgoing(replace(BARE, message="no"))])
        live.write([outgoing(BARE)])

    assert execute("SELECT count(*) FROM unified_logs") == [(1,)]


def test_a_frame_that_is_no_record_is_refused_alone(dsn, messages):
    odd = {"no": b"not json", "list": b"[1]"}
    good = numbered(3)

    refused = written(dsn, [*good[:1], *(Outgoing(*one) for one in odd.items()), *good[1:]]).refused

    assert set(refused) == set(odd)
    assert messages() == ["record 1", "record 2", "record 3"]
    assert set(written(dsn, [Outgoing("only", b"")]).refused) == {"only"}


# ── What is represented ─────────────────────────────────────────────────────────────────────────────────────


def test_what_no_column_can_hold_is_in_extra_data_or_put_into_words(dsn):
    said = {
        "timestamp": 1,
        "correlation_id": "ä" * 3_000,
        "tool_name": "t" * 5_000,
        "message": "half of a \ud83d character, a zero \0",
        "line": 1 << 31,
        "process_id": -(1 << 31),
        "duration_ms": 1e300,
        "input_args": {"\udc00": ["\0", "\\u0000", "\\\0"], "a\0b": "\U0001f600"},
    }

    with to(dsn).open() as live:
        assert not live.write([Outgoing("1", json.dumps(said).encode())]).refused
        (found,) = live.query(
            Wanted(equal={"correlation_id": said["correlation_id"], "tool_name": said["tool_name"]})
        )

    assert found.message == r"half of a \ud83d character, a zero \x00"
    assert (found.line, found.process_id, found.duration_ms) == (None, -(1 << 31), None)
    moved = {name: said[name] for name in ("line", "correlation_id", "tool_name")}
    assert found.extra_data == {**moved, "duration_ms": 10**300}
    assert (found.correlation_id, found.tool_name) == ("ä" * 1_000, "t" * 2_000)
    assert found.input_args == {r"\udc00": [r"\x00", r"\u0000", r"\\x00"], r"a\x00b": "\U0001f600"}


@pytest.fixture(scope="module")
def any_table(database):
    with to(database).open() as live:
        yield live


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()), st.lists, max_leaves=5
)
records = st.dictionaries(st.sampled_from(FIELDS) | st.text(st.characters(), max_size=5), values, max_size=8)


@given(said=st.lists(records, min_size=1, max_size=20))
def test_whatever_is_said_has_a_row(any_table, said):
    marked = [{**fields, "status": f"s{next(numbers)}"} for fields in said]

    refused = any_table.write(
        [Outgoing(fields["status"], json.dumps(fields).encode()) for fields in marked]
    ).refused

    assert not refused
    assert len(any_table.query(Wanted(equal={"status": marked[-1]["status"]}))) == 1


# ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_asked_for_is_equal_in_kind_and_value(dsn):
    with to(dsn).open() as live:
        assert live.query(Wanted()) == []
        live.write([outgoing(replace(FULL, duration_ms=31.27))])

        assert len(live.query(Wanted(equal={"line": 42, "duration_ms": 31.27, "timestamp": MOMENT}))) == 1
        for name, value in [
            ("line", "42"),
            ("line", 1 << 70),
            ("status", 1),
            ("duration_ms", 1e300),
            ("status", "a\0"),
        ]:
            assert live.query(Wanted(equal={name: value})) == []
        assert live.query(Wanted(equal={"tool_name": None})) == []
        assert live.query(Wanted(limit=0)) == []


def test_some_may_ask_while_records_are_written(dsn):
    with to(dsn, pool_min_size=2, pool_max_size=3).open() as live, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(live.query, Wanted(limit=5)) for _ in range(40)]
        for first in range(1, 200, 20):
            live.write(numbered(20, first=first))
        assert all(len(answer.result()) in (0, 5) for answer in asked)

        assert len(live._connections._free) == live._connections._open == 2
    assert live._connections._open == 0


def test_who_asks_when_all_connections_are_used_is_told(dsn):
    with (
        to(dsn, pool_min_size=1, pool_max_size=1, timeout_s=0.2).open() as live,
        live._connections.one(),
        pytest.raises(Unavailable, match=r"All 1 connections.*pool_max_size"),
    ):
        live.query(Wanted())


# ── Secrets ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "told",
    [
        "postgresql://app:hunter2@127.0.0.1:1/logs",
        "host=127.0.0.1 port=1 user=app password=hunter2",
        "postgresql://app:hun@ter2@127.0.0.1:1/logs",
        "postgresql://app:hunter2@127.0.0.1:1/logs?hunter2=x",
        "postgresql://app:hunter2%zz@db/logs",
    ],
)
def test_a_password_is_never_told(told, tmp_path):
    destination = PostgresDestination(dsn=told, first_retry_s=0.001, most_retry_s=0.002)
    with delivering(tmp_path, destination) as delivery:
        delivery.say(1)
        delivery.wait_for_failures()
        assert delivery.shipper.close(0) in (True, False)
        known = (
            repr(destination) + str(destination) + repr(delivery.warnings) + repr(delivery.shipper.shipped)
        )
        known += "".join(file.read_text(errors="replace") for file in tmp_path.iterdir())

    assert "hunter2" not in known
    assert "hun" not in known
    assert "ter2" not in known


@pytest.mark.parametrize(
    "told",
    [
        "postgresql://app:hun/ter2@127.0.0.1:1/logs",
        "postgresql://app:hunter2/@127.0.0.1:1/logs",
        "postgresql://app:x@127.0.0.1:hunter2/logs",
        "hunter2",
    ],
)
def test_what_is_no_address_is_told_at_once_and_without_any_of_it(told):
    with pytest.raises(BadArgument) as error:
        PostgresDestination(dsn=told)

    assert "hun" not in repr(error.value)
    assert "ter2" not in repr(error.value)


def reload(postgres):
    """Returns when the server goes by its settings as they are now."""

    def ask(statement):
        with psycopg.connect(postgres.dsn()) as connection:
            return connection.execute(statement).fetchone()

    before = ask("SELECT pg_conf_load_time()")
    ask("SELECT pg_reload_conf()")
    while ask("SELECT pg_conf_load_time()") == before:
        pass


@contextmanager
def logins(postgres, line):
    """Lets those in whom a line of `pg_hba.conf` describes, before all others."""
    file = postgres.folder / "data" / "pg_hba.conf"
    before = file.read_text()

    def write(text):
        file.write_text(text)
        reload(postgres)

    write(f"{line}\n{before}")
    try:
        yield
    finally:
        write(before)


def test_a_wrong_password_makes_records_wait_and_is_not_told(postgres, dsn, execute):
    execute("CREATE ROLE app SUPERUSER LOGIN PASSWORD 'right-horse'")

    with logins(postgres, "host all app 127.0.0.1/32 scram-sha-256"):
        assert not written(dsn.replace("postgres@", "app:right-horse@"), numbered(1)).refused
        with pytest.raises(Unavailable, match="password authentication failed") as error:
            written(dsn.replace("postgres@", "app:wrong-horse@"), numbered(1))

    assert "horse" not in str(error.value)


def test_verify_full_lets_only_a_server_be_written_that_is_known(postgres, dsn, execute, messages):
    made = certificate(postgres.folder / "tls")
    full = dsn.replace("127.0.0.1", "localhost") + "&sslmode=verify-full&sslrootcert="
    with pytest.raises(Unavailable, match="SSL"):
        written(f"{full}{made.cert}", numbered(1))
    execute(
        f"ALTER SYSTEM SET ssl_cert_file = '{made.cert}'",
        f"ALTER SYSTEM SET ssl_key_file = '{made.key}'",
        "ALTER SYSTEM SET ssl = on",
    )
    try:
        reload(postgres)
        assert not written(f"{full}{made.cert}", numbered(1)).refused
        with pytest.raises(Unavailable, match="certificate verify failed"):
            written(f"{full}{certificate(postgres.folder / 'another').cert}", numbered(1))
    finally:
        execute("ALTER SYSTEM RESET ALL")
        reload(postgres)

    assert messages() == ["record 1"]
