"""A SELECT over the records of a selection, asked of DuckDB in memory.

DuckDB is given columns, not files: it may not open anything, install anything or change its own settings, and has
bounded memory, threads and time. The columns are numpy's own memory. The texts of records are read only when the plan
that DuckDB makes of the statement scans them, which it tells of an empty table before anything is read.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.bodies import bodies
from logpith.corpus.selection import Selection
from logpith.corpus.windows import texts_of
from logpith.scan.timestamps import NO_TIME
from logpith.timerange import NS_PER_D, NS_PER_MS, NS_PER_S, NS_PER_US, format_ns
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.severity import BANDS, band

INSTALL = 'python3 -m pip install "logpith[sql]"'

RECORDS = (
    "timestamp",
    "severity",
    "level",
    "service",
    "source",
    "line",
    "template_id",
    "template",
    "body",
    "text",
)
"""The columns of the table `records`."""

TEMPLATES = ("id", "text", "count")
"""The columns of the table `templates`."""

_READ_FROM_TEXT = ("body", "text")
MOST_MEMORY = "1GB"
MOST_TEXT_BYTES = 512 << 20
_THREADS = 2
_ROWS_AT_ONCE = 10_000
_NS_PER_UNIT = {"s": NS_PER_S, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1}
_MOST_STATEMENT_BYTES = 64 << 10
_SETTINGS = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": MOST_MEMORY,
    "threads": str(_THREADS),
    # Without a folder nothing is written to disk when memory ends.
    "temp_directory": "",
}
_COLUMNS_TOLD = (
    f"The columns of records are {', '.join(RECORDS)}; those of templates are {', '.join(TEMPLATES)}"
)
_FIRST_WORD = re.compile(r"\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*([a-zA-Z]+|\()", re.DOTALL)
_READING = frozenset({"select", "with", "from", "describe", "summarize", "show", "values", "table", "("})
_PLACE = re.compile(r"\n+LINE \d+: (?P<line>.*)\n(?P<caret> *\^+)\s*$")


@dataclass(frozen=True)
class Result:
    """What a statement gives."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    """The first of them; times in ISO 8601, numbers and truth values as they are, all else as text."""

    total: int


def check_statement(text: str) -> None:
    """Nothing, when a text is one statement that only reads, about columns that there are.

    Raises:
        BadArgument: it is not; tells DuckDB's words and the columns.
        Unavailable: DuckDB is not installed.
    """
    with _opened() as connection:
        _give(connection, _records_table(None, ()), _templates_table(None))
        _columns_scanned(connection, text)


def ask(selection: Selection, text: str, most_rows: int, time_limit_s: float) -> Result:
    """The first rows of the answer to a statement, and how many there are.

    Raises:
        BadArgument: see `check_statement`.
        Refused: it took more time or memory than is given.
    """
    with _opened() as connection:
        _give(connection, _records_table(None, ()), _templates_table(None))
        needed = _columns_scanned(connection, text)
    with _opened() as connection:
        _give(connection, _records_table(selection, needed), _templates_table(selection))
        # It only sees the tables from here on.
        connection.execute("SET lock_configuration = true")
        return _run(connection, text, most_rows, time_limit_s)


def _duckdb() -> Any:
    try:
        import duckdb  # noqa: PLC0415  only who asks in SQL needs it, and it takes a while to load
        import pyarrow  # noqa: F401, PLC0415  as above
    except ImportError as error:
        raise Unavailable(
            "SQL needs DuckDB and Arrow, which are not installed", remedy=f"Run {INSTALL}"
        ) from error
    return duckdb


@contextlib.contextmanager
def _opened() -> Iterator[Any]:
    connection = _duckdb().connect(":memory:", config=_SETTINGS)
    try:
        yield connection
    finally:
        connection.close()


def _give(connection: Any, records: Any, templates: Any) -> None:
    connection.register("records", records)
    # A table of DuckDB's own, so that a plan tells its scans from those of the records.
    connection.register("given_templates", templates)
    connection.execute("CREATE TABLE templates AS SELECT * FROM given_templates")
    connection.unregister("given_templates")


def _columns_scanned(connection: Any, text: str) -> tuple[str, ...]:
    """Which of the columns that must be read from texts the statement needs; refuses what is no single question."""
    duckdb = _duckdb()
    try:
        size_bytes = len(text.encode())
    except UnicodeError as error:
        raise BadArgument(
            "the statement is no text", remedy="Write it in Unicode, without surrogates"
        ) from error
    if size_bytes > _MOST_STATEMENT_BYTES:
        raise BadArgument(
            "the statement is too long", remedy=f"Write {_MOST_STATEMENT_BYTES:,} bytes at most"
        )
    try:
        statements = duckdb.extract_statements(text)
    except duckdb.Error as error:
        raise _told(error) from error
    first = _FIRST_WORD.match(text)
    is_reading = (
        len(statements) == 1
        and statements[0].type == duckdb.StatementType.SELECT
        and first is not None
        and first[1].lower() in _READING
    )
    if not is_reading:
        raise BadArgument(
            "only one SELECT can be asked here",
            remedy=f"Write one statement that begins with SELECT, WITH or DESCRIBE. {_COLUMNS_TOLD}",
        )
    # These two reckon what is constant while they plan: without a bound of time, before a bound is set.
    connection.execute("SET disabled_optimizers = 'expression_rewriter,statistics_propagation'")
    connection.execute("SET lock_configuration = true")
    try:
        ((_, plan),) = connection.execute(f"EXPLAIN (FORMAT json)\n{text}").fetchall()
    except duckdb.Error as error:
        raise _told(error) from error
    scanned = {name for node in _nodes(json.loads(plan)) for name in _projected(node)}
    return tuple(name for name in _READ_FROM_TEXT if name in scanned)


def _nodes(plan: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    waiting = list(plan)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.get("children", ())


def _projected(node: dict[str, Any]) -> Sequence[str]:
    """The columns that a node of the plan scans of the records, which are the only Arrow table."""
    if "ARROW_SCAN" not in node.get("name", ""):
        return ()
    info = node.get("extra_info", {})
    columns = info.get("Projections", ())
    filters = str(info.get("Filters", ""))
    names = [columns] if isinstance(columns, str) else list(columns)
    return [*names, *(name for name in _READ_FROM_TEXT if re.search(rf"\b{name}\b", filters))]


def _run(connection: Any, text: str, most_rows: int, time_limit_s: float) -> Result:
    duckdb = _duckdb()
    watch = threading.Timer(time_limit_s, connection.interrupt)
    watch.daemon = True
    watch.start()
    try:
        reader = connection.sql(text).to_arrow_reader(_ROWS_AT_ONCE)
        rows: list[tuple[Any, ...]] = []
        total = 0
        for batch in reader:
            wanted = batch.slice(0, max(most_rows - total, 0))
            rows += zip(*(_plain(column) for column in wanted.columns), strict=True)
            total += batch.num_rows
        return Result(tuple(reader.schema.names), tuple(rows), total)
    except duckdb.InterruptException as error:
        raise _too_slow(time_limit_s) from error
    except duckdb.OutOfMemoryException as error:
        raise Refused(
            f"the statement needs more than {MOST_MEMORY} of memory",
            remedy="Ask for fewer columns or groups, or of fewer records: since, until, query",
        ) from error
    except (duckdb.Error, OSError) as error:  # Arrow passes on as OSError what happens while rows are read
        if "INTERRUPT" in str(error):
            raise _too_slow(time_limit_s) from error
        if isinstance(error, duckdb.PermissionException):
            raise _told(error) from error
        # What DuckDB says of a value quotes it, and it may be log text: only the kind of the mistake is told.
        kind = str(error).partition(":")[0] if isinstance(error, duckdb.Error) else "an error"
        raise Refused(
            f"DuckDB met {kind} in the values of the records",
            remedy="TRY_CAST gives NULL for a value that does not fit",
        ) from error
    finally:
        watch.cancel()


def _plain(column: Any) -> list[Any]:
    """The values of an Arrow column as an answer has them: what is neither number, truth value nor text is text."""
    import pyarrow as pa  # noqa: PLC0415  as in _duckdb

    if pa.types.is_nested(column.type):
        return [None if value is None else json.dumps(value, ensure_ascii=False) for value in _nested(column)]
    return _nested(column)


def _nested(column: Any) -> list[Any]:
    """The same with lists and objects as JSON has them."""
    import pyarrow as pa  # noqa: PLC0415  as in _duckdb

    kind = column.type
    if pa.types.is_struct(kind):
        names = [kind.field(place).name for place in range(kind.num_fields)]
        fields = [_nested(column.field(place)) for place in range(kind.num_fields)]
        told = [dict(zip(names, values, strict=True)) for values in zip(*fields, strict=True)]
        return [
            value if is_valid else None
            for value, is_valid in zip(told, column.is_valid().to_pylist(), strict=True)
        ]
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return [_nested(scalar.values) if scalar.is_valid else None for scalar in column]
    if pa.types.is_timestamp(kind):
        times = column.cast(pa.int64()).to_pylist()
        return [_time_text(value, _NS_PER_UNIT[kind.unit], 2**63 - 1) for value in times]
    if pa.types.is_date32(kind):
        days = [_time_text(value, NS_PER_D, 2**31 - 1) for value in column.cast(pa.int32()).to_pylist()]
        return [None if day is None else day.partition("T")[0] for day in days]
    if pa.types.is_dictionary(kind):
        return _nested(column.dictionary_decode())
    if pa.types.is_decimal(kind):
        return [None if value is None else _number(value) for value in column.to_pylist()]
    return [
        value if value is None or isinstance(value, bool | int | float | str) else str(value)
        for value in column.to_pylist()
    ]


def _time_text(value: int | None, unit_ns: int, infinity: int) -> str | None:
    """A time in ISO 8601. DuckDB's reach further than a nanosecond counts, and than what Python has for times."""
    if value is None:
        return None
    if abs(value) == infinity:
        return "infinity" if value > 0 else "-infinity"
    return format_ns(value * unit_ns)


def _number(value: Any) -> int | float:
    """A decimal: sums of whole numbers are such in DuckDB."""
    return int(value) if value == int(value) else float(value)


def _told(error: Exception) -> BadArgument:
    """DuckDB's message with the place in the statement, and the columns; without what it would say of files."""
    said = str(error).strip()
    if "file system operations" in said or "Permission Error" in said:
        return BadArgument("a statement here may not reach files or settings", remedy=_COLUMNS_TOLD)
    place = _PLACE.search(said)
    problem, *hints = [line for line in (said[: place.start()] if place else said).splitlines() if line]
    remedy = [*hints, _COLUMNS_TOLD]
    if place:
        # The caret stands below "LINE 1: …", of which only the statement's own line is shown.
        shift = place.start("line") - said.rindex("\n", 0, place.start("line")) - 1
        remedy = [" ".join(hints) or "It is here:", place["line"], place["caret"][shift:], _COLUMNS_TOLD]
    return BadArgument((problem.partition(": ")[2] or problem).rstrip("!."), remedy="\n".join(remedy))


def _too_slow(time_limit_s: float) -> Refused:
    return Refused(
        f"the statement took more than {time_limit_s:g} s",
        remedy="Ask less of it, or of fewer records: since, until, query",
    )


# ── The tables ──────────────────────────────────────────────────────────────────────────────────────────────


def _records_table(selection: Selection | None, needed: Sequence[str]) -> Any:
    """The table `records`; empty without a selection, and with empty texts where they are not needed."""
    import pyarrow as pa  # noqa: PLC0415  as in _duckdb

    if selection is None:
        kinds = {"timestamp": pa.timestamp("ns"), "severity": pa.uint8(), "line": pa.int64()}
        return pa.table({name: pa.array([], kinds.get(name, pa.string())) for name in RECORDS})
    corpus = selection.corpus
    templates = corpus.templates.templates
    undated = selection.time_ns == NO_TIME
    lines, services = corpus.first_line, corpus.columns.service
    if selection.chosen is not None:
        lines, services = lines[selection.chosen], services[selection.chosen]
    bands = np.array([band(number) - 1 for number in range(25)], np.int32)[selection.severity]
    texts = {name: _texts(selection, name) for name in needed}
    columns = {
        "timestamp": pa.array(selection.time_ns, pa.int64(), mask=undated).cast(pa.timestamp("ns")),
        "severity": pa.array(selection.severity),
        "level": _dictionary(bands, BANDS[1:]),
        "service": _dictionary(services - 1, corpus.services[1:]),
        "source": _dictionary(selection.origin, list(corpus.origins)),
        "line": pa.array(lines),
        "template_id": _dictionary(selection.template, [template.id for template in templates]),
        "template": _dictionary(selection.template, [template.text for template in templates]),
        **{name: texts.get(name, pa.nulls(len(selection), pa.string())) for name in _READ_FROM_TEXT},
    }
    return pa.table({name: columns[name] for name in RECORDS})


def _templates_table(selection: Selection | None) -> Any:
    import pyarrow as pa  # noqa: PLC0415  as in _duckdb

    templates = selection.corpus.templates.templates if selection is not None else ()
    counts = selection.tally.count.tolist() if selection is not None else []
    return pa.table(
        {
            "id": pa.array([template.id for template in templates], pa.string()),
            "text": pa.array([_valid(template.text) for template in templates], pa.string()),
            "count": pa.array(counts, pa.int64()),
        }
    )


def _dictionary(codes: NDArray[Any], texts: Sequence[str]) -> Any:
    import pyarrow as pa  # noqa: PLC0415  as in _duckdb

    values = pa.array([_valid(text) for text in texts], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=codes < 0), values)


def _valid(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _texts(selection: Selection, name: str) -> Any:
    """The text or the body of each record; what is no UTF-8 in them is escaped."""
    import pyarrow as pa  # noqa: PLC0415  as in _duckdb

    size_bytes = int(selection.corpus.columns.length[selection.records].sum())
    if size_bytes > MOST_TEXT_BYTES:
        raise Refused(
            f"the column {name} of {len(selection):,} records has {size_bytes >> 20:,} MiB",
            remedy=f"Ask of at most {MOST_TEXT_BYTES >> 20} MiB of text: narrow it by query, since, until",
        )
    if name == "body":
        found: Iterable[bytes] = (body for _, body in bodies(selection.corpus, selection.records))
    else:
        found = texts_of(selection.corpus, selection.records)
    return pa.array([text.decode("utf-8", "backslashreplace") for text in found], pa.string())
