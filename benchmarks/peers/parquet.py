"""DuckDB on plain Parquet: one column a field, zstd 3, groups of 65,536 rows, no index of words."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import mixed_lines
from benchmarks.measuring import run
from benchmarks.mixed_lines import Lines
from benchmarks.peers import ROOT, Ask, Loaded, Question

_PLAIN = r"^(\S+) (\S+) +\[([^\]]*)\] ([^:]*): (?:\[trace_id=([0-9a-f]{32})\] )?(.*)"
_SYSLOG = r"^<(\d+)>(\w{3} [ \d]\d \d\d:\d\d:\d\d) (\S+) ([^\[: ]+)(?:\[(\d+)\])?: (?:trace_id=([0-9a-f]{32}) )?(.*)"
_LOGFMT = r'^ts=(\S+) level=(\S+) service=(\S+) host=(\S+) component=(\S+) (?:trace_id=(\S+) )?msg="([^"]*)"'
_JSON = ("timestamp", "log_level", "service_name", "host", "message", "trace_id", "request_id", "duration_ms")

# A struct for each format, made for its lines only; then the columns from whichever there is.
_LOAD = f"""
COPY (
  WITH raw AS (
    SELECT line, CASE WHEN starts_with(line, '{{') THEN 'json' WHEN starts_with(line, '<') THEN 'syslog'
                      WHEN starts_with(line, 'ts=') THEN 'logfmt' ELSE 'plain' END AS fmt
    FROM read_csv($lines, columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false,
                  delim = '', quote = '', escape = '')),
  read AS (
    SELECT line, fmt,
      CASE WHEN fmt = 'json' THEN
        json_extract_string(line, {[f"$.{name}" for name in (*_JSON, "status_code")]}) END AS j,
      CASE WHEN fmt = 'plain' THEN regexp_extract(line, '{_PLAIN}',
        ['ts', 'level', 'service', 'component', 'trace_id', 'message']) END AS p,
      CASE WHEN fmt = 'syslog' THEN regexp_extract(line, '{_SYSLOG}',
        ['pri', 'ts', 'host', 'service', 'pid', 'trace_id', 'message']) END AS s,
      CASE WHEN fmt = 'logfmt' THEN regexp_extract(line, '{_LOGFMT}',
        ['ts', 'level', 'service', 'host', 'component', 'trace_id', 'message']) END AS l
    FROM raw)
  SELECT
    CASE fmt WHEN 'syslog' THEN try_strptime('2026 ' || s.ts, '%Y %b %d %H:%M:%S')
             ELSE try_cast(coalesce(j[1], p.ts, l.ts) AS TIMESTAMP) END AS ts,
    CASE fmt WHEN 'syslog' THEN CASE try_cast(s.pri AS INTEGER) & 7 WHEN 2 THEN 'FATAL' WHEN 3 THEN 'ERROR'
                                     WHEN 4 THEN 'WARN' WHEN 7 THEN 'DEBUG' ELSE 'INFO' END
             ELSE upper(coalesce(j[2], p.level, l.level)) END AS level,
    coalesce(j[3], p.service, s.service, l.service) AS service,
    coalesce(j[4], s.host, l.host) AS host,
    fmt,
    coalesce(p.component, l.component) AS component,
    coalesce(nullif(coalesce(j[5], p.message, s.message, l.message), ''), line) AS message,
    nullif(coalesce(j[6], p.trace_id, s.trace_id, l.trace_id), '') AS trace_id,
    j[7] AS request_id,
    try_cast(j[8] AS INTEGER) AS duration_ms,
    try_cast(j[9] AS SMALLINT) AS status_code
  FROM read)
TO '{{parquet}}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3, ROW_GROUP_SIZE 65536)
"""


@dataclass(frozen=True)
class ParquetPeer:
    """One Parquet file."""

    path: Path
    name: str = "DuckDB on Parquet"

    def load(self, lines: Lines) -> Loaded:
        """Raw text → columns, by DuckDB alone."""
        spent = run([sys.executable, "-m", "benchmarks.peers.parquet", str(lines.path), str(self.path)], ROOT)
        return Loaded(lines.count, spent.wall_s, spent.cpu_s, self.path.stat().st_size)

    @contextmanager
    def questions(self, lines: Lines) -> Iterator[Mapping[Question, Ask]]:
        """All but templates, of which it knows none."""
        import duckdb  # noqa: PLC0415  --help must not wait

        with duckdb.connect() as connection:
            connection.execute("SET parquet_metadata_cache = true")
            connection.execute(f"CREATE VIEW logs AS SELECT * FROM read_parquet('{self.path}')")
            rows = partial(_rows, connection)
            count = partial(_number, connection)
            yield {
                Question.NEEDLE: partial(rows, f"WHERE contains(message, '{mixed_lines.NEEDLE}')"),
                Question.ABSENT: partial(rows, f"WHERE contains(message, '{mixed_lines.ABSENT}')"),
                Question.NEWEST_WORD: partial(
                    rows,
                    rf"WHERE level = 'ERROR' AND regexp_matches(message, '(?i)\b{mixed_lines.WORD}\b') "
                    "ORDER BY ts DESC LIMIT 20",
                ),
                Question.SUBSTRING: partial(count, f"contains(message, '{mixed_lines.SUBSTRING}')"),
                Question.REGEX: partial(count, f"regexp_matches(message, '{mixed_lines.REGEX}')"),
                Question.BY_SERVICE: partial(_grouped, connection, "service, count(*)", "service"),
                Question.HISTOGRAM: partial(
                    _grouped,
                    connection,
                    "date_trunc('minute', ts) AS minute, level, count(*)",
                    "minute, level",
                ),
                Question.TRACE: partial(rows, f"WHERE trace_id = '{lines.trace_id}'"),
                Question.AVERAGE: partial(
                    _grouped, connection, "service, avg(duration_ms)", "service", "WHERE status_code >= 500"
                ),
                Question.NEWEST_ERROR: partial(rows, "WHERE level = 'ERROR' ORDER BY ts DESC LIMIT 20"),
                Question.TEMPLATE_WORD: partial(
                    count, rf"regexp_matches(message, '(?i)\b{mixed_lines.TEMPLATE_WORD}\b')"
                ),
            }


def _rows(connection: Any, rest: str) -> int:
    return len(connection.execute(f"SELECT * FROM logs {rest}").fetchall())


def _number(connection: Any, condition: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM logs WHERE {condition}").fetchone()[0])


def _grouped(connection: Any, columns: str, by: str, where: str = "") -> int:
    return len(connection.execute(f"SELECT {columns} FROM logs {where} GROUP BY {by}").fetchall())


def _load(lines: Path, parquet: Path) -> None:
    import duckdb  # noqa: PLC0415  only for the child

    statement = _LOAD.replace("{parquet}", str(parquet)).replace("$lines", f"'{lines}'")
    with duckdb.connect() as connection:
        connection.execute(statement)
    with parquet.open("rb") as file:
        os.fsync(file.fileno())


if __name__ == "__main__":
    _load(Path(sys.argv[1]), Path(sys.argv[2]))
