"""SQLite with a table of the columns and FTS5 (`unicode61`, external content) over the messages.

Rows come from Parquet, so that what is timed is SQLite's own work: its numbers are kinder than from raw text.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import mixed_lines
from benchmarks.measuring import run
from benchmarks.mixed_lines import Lines
from benchmarks.peers import ROOT, Ask, Loaded, Question

_COLUMNS = "ts, level, service, host, fmt, component, message, trace_id, request_id, duration_ms, status_code"
_AT_ONCE = 50_000


@dataclass(frozen=True)
class FTS5Peer:
    """One database of the first `most` lines."""

    path: Path
    parquet: Path
    """Where the lines are, read already."""

    most: int
    name: str = "SQLite FTS5"

    def load(self, lines: Lines) -> Loaded:
        """Rows → table, B-trees on time and trace, index of words."""
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink()
        module = [sys.executable, "-m", "benchmarks.peers.fts5"]
        spent = run([*module, str(self.parquet), str(self.path), str(self.most)], ROOT)
        count = min(lines.count, self.most)
        return Loaded(count, spent.wall_s, spent.cpu_s, self.path.stat().st_size)

    @contextmanager
    def questions(self, lines: Lines) -> Iterator[Mapping[Question, Ask]]:
        """All but regexes, which it has none of, and templates."""
        with closing(sqlite3.connect(self.path)) as connection:
            rows = partial(_rows, connection)
            with_word = "SELECT logs.* FROM words JOIN logs ON logs.rowid = words.rowid WHERE words MATCH"
            yield {
                Question.NEEDLE: partial(rows, f"{with_word} '{mixed_lines.NEEDLE}'"),
                Question.ABSENT: partial(rows, f"{with_word} '{mixed_lines.ABSENT}'"),
                Question.NEWEST_WORD: partial(
                    rows,
                    f"{with_word} '{mixed_lines.WORD}' AND level = 'ERROR' ORDER BY words.rowid DESC LIMIT 20",
                ),
                Question.SUBSTRING: partial(
                    _number, connection, f"logs WHERE instr(message, '{mixed_lines.SUBSTRING}')"
                ),
                Question.BY_SERVICE: partial(rows, "SELECT service, count(*) FROM logs GROUP BY service"),
                Question.HISTOGRAM: partial(
                    rows, "SELECT ts / 60000000, level, count(*) FROM logs GROUP BY 1, 2"
                ),
                Question.TRACE: partial(rows, f"SELECT * FROM logs WHERE trace_id = '{lines.trace_id}'"),
                Question.AVERAGE: partial(
                    rows,
                    "SELECT service, avg(duration_ms) FROM logs WHERE status_code >= 500 GROUP BY service",
                ),
                Question.NEWEST_ERROR: partial(
                    rows, "SELECT * FROM logs WHERE level = 'ERROR' ORDER BY ts DESC LIMIT 20"
                ),
                Question.TEMPLATE_WORD: partial(
                    _number, connection, f"words WHERE words MATCH '{mixed_lines.TEMPLATE_WORD}'"
                ),
            }


def _rows(connection: sqlite3.Connection, statement: str) -> int:
    return len(connection.execute(statement).fetchall())


def _number(connection: sqlite3.Connection, rest: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {rest}").fetchone()[0])


def _load(parquet: Path, path: Path, most: int) -> None:
    import duckdb  # noqa: PLC0415  only for the child

    columns = _COLUMNS.replace("ts,", "epoch_us(ts) AS ts,", 1)
    with closing(sqlite3.connect(path)) as connection, duckdb.connect() as reader:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"CREATE TABLE logs ({_COLUMNS})")
        connection.execute(
            "CREATE VIRTUAL TABLE words USING fts5(message, content='logs', tokenize='unicode61')"
        )
        reader.execute(f"SELECT {columns} FROM read_parquet('{parquet}') LIMIT {most}")
        holes = ", ".join("?" * len(_COLUMNS.split(", ")))
        while rows := reader.fetchmany(_AT_ONCE):
            last = connection.execute("SELECT max(rowid) FROM logs").fetchone()[0] or 0
            connection.executemany(f"INSERT INTO logs VALUES ({holes})", rows)
            connection.execute(
                "INSERT INTO words(rowid, message) SELECT rowid, message FROM logs WHERE rowid > ?", (last,)
            )
        connection.execute("CREATE INDEX of_time ON logs(ts)")
        connection.execute("CREATE INDEX of_trace ON logs(trace_id)")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


if __name__ == "__main__":
    _load(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
