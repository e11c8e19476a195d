"""What we remember between processes, in the cache folder. Losing it costs time, never truth.

Now: which paths have which source keys, so that `logpith fetch e12@3f9ac21b` needs no path.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from logpith.config import cache_dir

_BOOK = "sources.json"
_MOST_SOURCES = 1_000


def remember_sources(paths: Mapping[str, Path]) -> None:
    """Keeps which path has which key; silent where the cache cannot be written."""
    book = _read_book()
    fresh = {key: str(path.absolute()) for key, path in paths.items()}
    if all(book.get(key, [""])[0] == path for key, path in fresh.items()):
        return
    for key, path in fresh.items():
        book[key] = [path, *[other for other in book.pop(key, []) if other != path]][:4]
    newest = dict(list(book.items())[-_MOST_SOURCES:])
    with contextlib.suppress(OSError):  # a cache that cannot be written is none; refs then need their path
        _write_whole(cache_dir() / _BOOK, json.dumps(newest).encode())


def paths_of(key: str) -> tuple[Path, ...]:
    """The paths that were last read under a source key, newest first."""
    return tuple(Path(path) for path in _read_book().get(key, []))


def _read_book() -> dict[str, list[str]]:
    try:
        book = json.loads((cache_dir() / _BOOK).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(book, dict):
        return {}
    return {key: paths for key, paths in book.items() if isinstance(paths, list)}


def _write_whole(path: Path, data: bytes) -> None:
    """Replaces `path` at once: another process reads the old or the new text, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
