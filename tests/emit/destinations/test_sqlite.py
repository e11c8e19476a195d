"""SQLite: what was acknowledged is in the file, once, whatever becomes of the process, the file and the disk."""

import itertools
import json
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivering import SOON_S
from logpith_emit.clock import SYSTEM_CLOCK, ManualClock
from logpith_emit.destinations import Outgoing, Wanted, destination_of
from logpith_emit.destinations.sqlite import SQLiteDestination, use_wal
from logpith_emit.entry import FIELDS, LogEntry, moment_of
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.shipping import Shipper, status_of
from logpith_emit.spool import Spool
from logpith_emit.testing import BARE, FULL, MOMENT, check_destination, numbered, outgoing

DYING = Path(__file__).parents[2] / "dying_shipper.py"
MARCH_NS = 1_773_000_000_000_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs.db"


@pytest.fixture
def spool(tmp_path):
    return Spool(folder=tmp_path / "spool")


def keeping(path, **more):
    """One that keeps rows of any age: those of these tests are old."""
    return SQLiteDestination(path=path, **{"retention_days": 0, "timeout_s": 5, **more})


def rows(path, asked='SELECT * FROM "unified_logs" ORDER BY id'):
    """What a program that knows nothing of us reads."""
    connection = sqlite3.connect(path)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(asked)]
    finally:
        connection.close()


def entries(path):
    """The entries in a file, read in another way than the destination's."""
    return [
        LogEntry(
            **{name: row[name] for name in FIELDS}
            | {"timestamp": MOMENT.fromisoformat(row["timestamp"])}
            | {name: row[name] and json.loads(row[name]) for name in ("input_args", "extra_data")}
        )
        for row in (rows(path) if path.exists() else ())
    ]


def messages(path, table="unified_logs"):
    return [row["message"] for row in rows(path, f"SELECT message FROM {table} ORDER BY rowid")]


def execute(path, *statements):
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def say(spool, count):
    with spool.open() as writer:
        for record in numbered(count):
            writer.append(record.text, 1)
    return [f"record {number}" for number in range(1, count + 1)]


def ship(spool, destination, told=None):
    """Delivers all that is there."""
    told = [] if told is None else told
    shipper = Shipper(spool, {"it": destination}, warn=lambda *said: told.append(said), clock=ManualClock())
    shipper.start()
    try:
        assert shipper.flush(SOON_S), told
    finally:
        shipper.close(SOON_S)


def test_it_keeps_its_promises(path):
    check_destination(keeping(path), lambda: entries(path))


def test_the_settings_know_it_and_its_defaults(path):
    destination = destination_of({"type": "sqlite", "path": str(path)}, "destinations[0]")

    assert isinstance(destination, SQLiteDestination)
    assert (destination.retention_days, destination.table) == (30, "unified_logs")


def test_without_a_path_it_is_beside_the_spool(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_EMIT_FOLDER", str(tmp_path / "emit"))

    with SQLiteDestination(retention_days=0).open() as live:
        live.write(numbered(1))

    assert messages(tmp_path / "emit" / "logs.db") == ["record 1"]


@pytest.mark.parametrize("table", ["logs; DROP TABLE x", 'a"b', "", "1st", "x" * 41, "täbelle"])
def test_a_table_is_named_by_what_needs_no_quoting(path, table):
    with pytest.raises(BadArgument, match="no name for a table"):
        SQLiteDestination(path=path, table=table)


def test_the_table_has_the_columns_and_indexes_of_an_entry(path):
    with keeping(path, table="calls").open() as live:
        live.write(numbered(1))

    columns = [row["name"] for row in rows(path, "PRAGMA table_info(calls)")]
    indexes = {row["name"]: row["sql"] for row in rows(path, "SELECT name, sql FROM sqlite_master")}

    assert columns == ["id", "record_id", *FIELDS, "created_at"]
    assert indexes["idx_calls_record_id"].startswith("CREATE UNIQUE")
    assert "(correlation_id)" in indexes["idx_calls_correlation_id"]
    assert "(timestamp DESC)" in indexes["idx_calls_timestamp"]
    assert "WHERE tool_name IS NOT NULL" in indexes["idx_calls_tool_name"]
    assert rows(path, "PRAGMA journal_mode") == [{"journal_mode": "wal"}]


def test_a_hundred_thousand_entries_are_found_by_each_index_also_after_opening_again(path):
    def record(number):
        tool = "" if number % 1_000 else f',"tool_name":"t{number}"'
        said = f'"level":"info","message":"m{number}","correlation_id":"c{number // 10}"{tool}'
        return Outgoing(f"w-{number}", f'{{"timestamp":{MARCH_NS + number * 1_000_000},{said}}}'.encode())

    with keeping(path).open() as live:
        for first in range(0, 100_000, 10_000):
            live.write([record(number) for number in range(first, first + 10_000)])

    asked = []
    with keeping(path).open() as live:
        assert live.query(Wanted(limit=0)) == []
        live._connection.set_trace_callback(asked.append)
        of_call = live.query(Wanted(equal={"correlation_id": "c4242"}))
        of_tool = live.query(Wanted(equal={"tool_name": "t7000"}))
        of_time = live.query(Wanted(since=moment_of(MARCH_NS + 99_998_000_000)))

    assert [entry.message for entry in of_call] == [f"m{number}" for number in range(42_429, 42_419, -1)]
    assert [entry.message for entry in of_tool] == ["m7000"]
    assert [entry.message for entry in of_time] == ["m99999", "m99998"]
    for statement, index in zip(asked, ("correlation_id", "tool_name", "timestamp"), strict=True):
        assert f"idx_unified_logs_{index} " in rows(path, f"EXPLAIN QUERY PLAN {statement}")[0]["detail"]


def test_what_is_asked_for_in_another_kind_is_not_there(path):
    with keeping(path).open() as live:
        live.write([outgoing(FULL)])

        assert live.query(Wanted(equal={"line": 42, "tool_name": "place_call", "timestamp": MOMENT})) == [
            FULL
        ]
        for name, value in [("line", "42"), ("line", 1 << 70), ("status", 1), ("line", True)]:
            assert live.query(Wanted(equal={name: value})) == []
        assert live.query(Wanted(equal={"tool_name": None})) == []
        assert live.query(Wanted(equal={"duration_ms": 31.25, "process_id": 4711}, limit=0)) == []


def test_only_the_owner_may_read_what_is_made(tmp_path):
    path = tmp_path / "deep" / "logs.db"
    with keeping(path).open() as live:
        live.write(numbered(1))

        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert modes == {"logs.db": 0o600, "logs.db-wal": 0o600, "logs.db-shm": 0o600}


def test_a_commit_is_synced(path, monkeypatch):
    told = []
    connect = sqlite3.connect

    def listening(*given, **more):
        connection = connect(*given, **more)
        told.append(connection)
        return connection

    monkeypatch.setattr(sqlite3, "connect", listening)
    with keeping(path).open() as live:
        live.write(numbered(1))

        assert told[0].execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_table_of_before_gets_what_it_lacks_and_keeps_its_rows(path):
    execute(
        path,
        "CREATE TABLE unified_logs (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL,"
        " correlation_id TEXT, level TEXT, message TEXT, mine TEXT DEFAULT 'x')",
        "INSERT INTO unified_logs (timestamp, message) VALUES ('2026-03-14 08:00:00', 'old'), ('never', 'odd')",
    )

    with keeping(path).open() as live:
        live.write([outgoing(FULL)])
        live.write([outgoing(FULL)])
        found = live.query(Wanted())

    assert messages(path) == ["old", "odd", FULL.message]
    assert [entry.message for entry in found] == ["odd", FULL.message, "old"]
    assert found[1] == FULL
    assert found[2] == LogEntry(
        correlation_id="",
        timestamp=MOMENT.replace(hour=8, minute=0, second=0, microsecond=0),
        level="",
        log_type="",
        message="old",
    )


def test_a_table_that_needs_what_no_record_has_makes_records_wait(path):
    execute(path, "CREATE TABLE unified_logs (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL)")

    with keeping(path).open() as live, pytest.raises(Unavailable, match=r"need a 'tenant'.*default"):
        live.write(numbered(1))


def test_a_table_whose_rows_are_not_once_makes_records_wait(path):
    execute(path, "CREATE TABLE unified_logs (record_id)", "INSERT INTO unified_logs VALUES ('x'), ('x')")

    with (
        keeping(path).open() as live,
        pytest.raises(Unavailable, match="cannot be used as a table of records"),
    ):
        live.write(numbered(1))


def test_a_table_in_the_place_of_one_that_was_renamed_has_indexes_of_its_own(path):
    with keeping(path).open() as live:
        live.write(numbered(1))
    execute(path, "ALTER TABLE unified_logs RENAME TO logs_of_march")

    for _ in range(2):
        with keeping(path).open() as live:
            live.write(numbered(2))

    assert messages(path) == ["record 1", "record 2"]
    names = [row["name"] for row in rows(path, "SELECT name FROM sqlite_master WHERE type = 'index'")]
    assert len(names) == 8
    assert "idx_unified_logs_record_id_2" in names


def test_old_rows_go_in_small_steps(path):
    now = moment_of(SYSTEM_CLOCK.now_ns())
    old = [
        outgoing(replace(BARE, message=f"old {number}", timestamp=now - timedelta(days=31)), number)
        for number in range(3_000)
    ]
    newer = outgoing(replace(BARE, message="newer", timestamp=now - timedelta(days=29)), 5_000)
    without_time = Outgoing("x-1", b'{"message":"without a time"}')
    execute(path, "CREATE TABLE unified_logs (timestamp, message)")
    execute(path, "INSERT INTO unified_logs VALUES (1773480413, 'a time of another kind')")
    with keeping(path).open() as live:
        live.write([*old, newer, without_time])
    counts = []

    with SQLiteDestination(path=path, retention_days=30).open() as live:
        for number in range(5_001, 5_005):
            live.write([outgoing(replace(BARE, message="new", timestamp=now), number)])
            counts.append(sum(message.startswith("old") for message in messages(path)))

    assert counts == [2_000, 1_000, 0, 0]
    assert messages(path) == ["a time of another kind", "newer", "without a time", *["new"] * 4]


def test_a_locked_file_is_unavailable_and_says_what_to_do(path):
    with keeping(path, timeout_s=0.01).open() as live:
        live.write(numbered(1))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(Unavailable, match=r"locked by another program.*timeout_s"):
            live.write(numbered(1, first=2))

        other.execute("ROLLBACK")
        other.close()
        live.write(numbered(1, first=2))
    assert messages(path) == ["record 1", "record 2"]


def test_a_file_that_is_locked_when_it_is_opened_is_prepared_later(path):
    execute(path, "CREATE TABLE other (x)")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with keeping(path, timeout_s=0.01).open() as live:
        with pytest.raises(Unavailable, match="locked"):
            live.write(numbered(1))

        other.close()
        live.write(numbered(1))
    assert messages(path) == ["record 1"]


def test_a_file_that_another_begins_at_the_same_time_is_waited_for(path, monkeypatch):
    execute(path, "CREATE TABLE other (x)")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    has_to_wait = threading.Event()
    connect = sqlite3.connect

    def watched(*given, **more):
        connection = connect(*given, **more)
        # What waits begins a transaction, which it then cannot.
        connection.set_trace_callback(lambda asked: has_to_wait.set() if asked.startswith("BEGIN") else None)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)
    with keeping(path, timeout_s=60).open() as live, ThreadPoolExecutor() as pool:
        writing = pool.submit(live.write, numbered(1))
        writing.add_done_callback(lambda _: has_to_wait.set())  # of one that does not wait
        assert has_to_wait.wait(SOON_S)
        other.execute("COMMIT")

        writing.result()
    other.close()
    assert messages(path) == ["record 1"]


def test_a_file_that_cannot_be_in_wal_mode_stays_as_it_is():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        use_wal(connection, timeout_s=30)

        assert connection.execute("PRAGMA journal_mode").fetchone() == ("memory",)


def test_who_reads_holds_up_nobody_who_writes(path):
    with keeping(path, timeout_s=0.01).open() as live:
        live.write(numbered(1))
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM unified_logs").fetchone() == (1,)

        live.write(numbered(10, first=2))

        assert reader.execute("SELECT count(*) FROM unified_logs").fetchone() == (1,)
        reader.close()
    assert len(messages(path)) == 11


def test_several_may_write_at_once(path):
    def write(writer):
        with keeping(path, timeout_s=30).open() as live:
            for first in range(1, 500, 50):
                records = numbered(50, first=first)
                live.write([Outgoing(f"{writer}-{record.id}", record.text) for record in records])

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(4)))

    assert len(messages(path)) == 4 * 500


def test_several_processes_may_write_at_once(path, tmp_path):
    table = json.dumps({"type": "sqlite", "path": str(path), "retention_days": 0, "batch_records": 10})
    spools = [Spool(folder=tmp_path / f"spool-{number}") for number in range(3)]
    for spool in spools:
        say(spool, 300)

    processes = [
        subprocess.Popen([sys.executable, DYING, spool.folder, table, "0"], stdout=subprocess.PIPE)
        for spool in spools
    ]

    assert [process.communicate()[0] for process in processes] == [b""] * 3
    assert len(messages(path)) == 900
    assert all(spool.segments() == [] for spool in spools)


@pytest.mark.parametrize("writes", [1, 3])
def test_what_a_killed_process_has_shipped_is_there_once(path, spool, writes):
    said = say(spool, 400)
    table = {"type": "sqlite", "path": str(path), "retention_days": 0, "batch_records": 100}
    killed = subprocess.run(
        [sys.executable, DYING, spool.folder, json.dumps(table), str(writes)],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert messages(path) == said[: writes * 100]
    assert status_of(spool)[0].waiting > len(said) - writes * 100

    ship(spool, keeping(path, batch_records=70))

    assert messages(path) == said
    assert spool.segments() == []


def scramble(path):
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"\xff" * size)


@pytest.mark.parametrize("is_open", [False, True])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(path, spool, is_open):
    with keeping(path).open() as live:
        live.write(numbered(500, first=9_000))
        if not is_open:
            live.close()
        execute(path, "PRAGMA wal_checkpoint(TRUNCATE)")
        scramble(path)

        with pytest.raises(Unavailable, match=r"is damaged .*set aside as logs\.db\.damaged-1.*\.recover"):
            live.write(numbered(50))

    said = say(spool, 5)
    ship(spool, keeping(path))
    assert messages(path)[-5:] == said
    assert path.with_name("logs.db.damaged-1").read_bytes()[:16] == b"\xff" * 16


def test_what_is_damaged_again_and_again_ends(path):
    told = []
    for _ in range(12):
        path.write_bytes(b"this is no database, and long enough to be looked at" * 100)
        with keeping(path).open() as live, pytest.raises(Unavailable) as caught:
            live.write(numbered(1))
        told.append(caught.value.problem)

    assert "set aside as logs.db.damaged-10" in told[9]
    assert all("and so were 10 before it" in problem for problem in told[10:])
    assert len(list(path.parent.glob("logs.db.damaged-*"))) == 10


def test_who_has_a_file_open_that_another_sets_aside_goes_on_in_the_new_one(path):
    with keeping(path).open() as one, keeping(path).open() as other:
        one.write(numbered(1))
        other.write(numbered(1, first=2))
        one._set_aside("a test")

        other.write(numbered(1, first=3))
        one.write(numbered(1, first=4))

    assert messages(path) == ["record 3", "record 4"]
    assert messages(path.with_name("logs.db.damaged-1")) == ["record 1", "record 2"]


def test_a_file_that_is_removed_while_it_is_written_takes_nothing_with_it(path, monkeypatch):
    with keeping(path).open() as live:
        live.write(numbered(1))
        remove_old = live._remove_old

        def removes(*given):
            remove_old(*given)
            for file in path.parent.glob("logs.db*"):
                file.unlink()

        monkeypatch.setattr(live, "_remove_old", removes)
        with pytest.raises(Unavailable, match="removed while it was written"):
            live.write(numbered(2))
        monkeypatch.undo()
        live.write(numbered(2))

    assert messages(path) == ["record 1", "record 2"]


def test_a_disk_that_is_full_makes_records_wait(path):
    with keeping(path).open() as live:
        live.write(numbered(1))
        pages = live._connection.execute("PRAGMA page_count").fetchone()[0]
        live._connection.execute(f"PRAGMA max_page_count = {pages}")  # says SQLITE_FULL, as a full disk does

        with pytest.raises(Unavailable, match="full"):
            live.write(numbered(5_000, first=2))

        live.write(numbered(5_000, first=2))
    assert len(messages(path)) == 5_001


def test_a_folder_where_nothing_can_be_made_makes_records_wait(tmp_path):
    (tmp_path / "file").write_text("")

    with (
        keeping(tmp_path / "file" / "logs.db").open() as live,
        pytest.raises(Unavailable, match="cannot be opened"),
    ):
        live.write(numbered(1))
    with keeping(tmp_path).open() as live, pytest.raises(Unavailable, match="cannot be opened"):
        live.write(numbered(1))


def test_a_row_that_a_rule_of_the_table_forbids_is_refused_alone(path, spool):
    with keeping(path).open() as live:
        live.write(numbered(1, first=1_000))
    execute(
        path,
        "CREATE TRIGGER no_42 BEFORE INSERT ON unified_logs WHEN new.message = 'record 42'"
        " BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    )
    said = say(spool, 100)

    ship(spool, keeping(path))

    assert messages(path) == ["record 1000", *(message for message in said if message != "record 42")]
    assert status_of(spool)[0].shipped.refused == 1


def test_a_frame_that_is_no_record_is_refused_alone(path):
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    odd = {"no": b"not json", "list": b"[1]", "deep": deep, "half": b'{"message":"'}
    good = numbered(3)

    with keeping(path).open() as live:
        written = live.write([*good[:1], *(Outgoing(*one) for one in odd.items()), *good[1:]])

    assert set(written.refused) == set(odd)
    assert messages(path) == ["record 1", "record 2", "record 3"]


def test_what_no_column_can_hold_is_in_extra_data_or_put_into_words(path):
    said = {
        "timestamp": 10**30,
        "message": "half of a \ud83d character",
        "line": 1 << 63,
        "process_id": -(1 << 63),
        "duration_ms": 10**400,
        "input_args": {"\udc00": [1]},
    }

    with keeping(path).open() as live:
        assert not live.write([Outgoing("1", json.dumps(said).encode())]).refused
        (found,) = live.query(Wanted())

    assert found.message == "half of a \\ud83d character"
    assert (found.line, found.process_id, found.duration_ms) == (None, -(1 << 63), None)
    assert found.extra_data == {"line": 1 << 63, "duration_ms": 10**400}
    assert found.input_args == {"\\udc00": [1]}
    assert found.timestamp == moment_of(None)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    st.lists,
    max_leaves=5,
)
records = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), values, max_size=8)


@pytest.fixture(scope="module")
def any_table(tmp_path_factory):
    with keeping(tmp_path_factory.mktemp("any") / "logs.db").open() as live:
        yield live


numbers = itertools.count(1)


@given(said=st.lists(records, min_size=1, max_size=20))
def test_whatever_is_said_has_a_row(any_table, said):
    marked = [{**fields, "status": f"s{next(numbers)}"} for fields in said]

    written = any_table.write([Outgoing(one["status"], json.dumps(one).encode()) for one in marked])

    assert not written.refused
    # All were written at once.
    assert len(any_table.query(Wanted(equal={"status": marked[-1]["status"]}))) == 1


def test_a_question_that_takes_too_long_ends(path, monkeypatch):
    with keeping(path).open() as live:
        live.write(numbered(3_000))
        monkeypatch.setattr("logpith_emit.destinations.sqlite.SYSTEM_CLOCK", _Hurrying())

        with pytest.raises(Unavailable, match="did not answer within 5 s"):
            live.query(Wanted(equal={"message": "nothing"}))
        monkeypatch.undo()
        assert live.query(Wanted(equal={"message": "nothing"})) == []


class _Hurrying(ManualClock):
    def monotonic_ns(self):
        self.advance(6_000_000_000)
        return super().monotonic_ns()
