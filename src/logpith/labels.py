"""Labels: one row per line of text with its template, for people who label logs and for scoring."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from logpith_emit.errors import Refused

if TYPE_CHECKING:
    from logpith.corpus.records import Corpus

COLUMNS = ("line", "template_id", "EventTemplate")
_ROWS_AT_ONCE = 100_000


def write_labels(corpus: Corpus, path: Path) -> int:
    """Writes a CSV file with a row for each line of all sources, in their order; the number of rows.

    Each line of a record has the record's template. Lines are numbered through all sources, from 1. A file of
    that name is replaced at the end, when all is written.

    Raises:
        Refused: the file cannot be written.
    """
    templates = [(template.id, template.text) for template in corpus.templates.templates]
    # Records beyond the bound on shapes have no template (-1, so the last one): they get an empty one.
    templates.append(("", ""))
    try:
        descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                rows = _write(file, corpus, templates)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Refused(
            f"{path} cannot be written: {os.strerror(error.errno or 0)}",
            remedy="Name a file in a folder that may be written to",
        ) from error
    return rows


def _write(file: IO[str], corpus: Corpus, templates: list[tuple[str, str]]) -> int:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    number = 0
    for start in range(0, len(corpus), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        rows = []
        for template, lines in zip(
            corpus.template[some].tolist(), corpus.columns.lines[some].tolist(), strict=True
        ):
            for _ in range(lines):
                number += 1
                rows.append((number, *templates[template]))
        writer.writerows(rows)
    return number
