"""Finding: names, globs and folders → the files they mean, in a stable order, and why some were left out.

Pieces of one rotated log stand together, from the oldest to the one that is written to now.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from logpith.files.roots import Roots
from logpith.files.rotation import in_streams
from logpith.plural import counted
from logpith_emit.errors import NotFound

MOST_FILES = 2_000


@dataclass(frozen=True)
class Found:
    """Files to read, and `name: reason` for what was found and cannot be."""

    paths: tuple[Path, ...]
    named: frozenset[Path]
    """Those that the caller named one by one: not being able to read one of them is an error."""

    skipped: tuple[str, ...] = ()
    streams: Mapping[Path, str] = field(default_factory=dict)
    """The live file's name of each path: the same for all pieces of a rotated log."""


def find_files(names: Sequence[str], roots: Roots) -> Found:
    """The files that `names` mean: paths, globs, and folders with all that is below; no names mean the roots.

    Raises:
        NotFound: a glob or folder holds no file. (A path that does not exist is told when it is opened.)
        OutsideRoots: a name leads out of the roots.
    """
    paths: list[Path] = []
    named: set[Path] = set()
    skipped: list[str] = []
    for name in names or [str(folder) for folder in roots.folders or (Path(),)]:
        _require_a_name(name)
        path = Path(name).expanduser()
        if not path.is_absolute() and roots.confine:
            path = next(
                (root / path for root in roots.folders if (root / path).exists()), roots.folders[0] / path
            )
        roots.require_inside(path)
        # pathlib's own would raise where a folder above may not be searched; opening tells that.
        if os.path.isdir(path):  # noqa: PTH112
            before = len(paths)
            paths += _files_below(path, skipped)
            if len(paths) == before and not skipped:
                raise NotFound(f"there is no file in {name}", remedy="Name a folder with logs in it")
        elif glob.has_magic(name) and not os.path.exists(path):  # noqa: PTH110
            files = sorted(match for match in _matches(path) if not match.is_dir())
            if not files:
                raise NotFound(
                    f"no file matches {name}", remedy="Check the pattern; quote it when the shell expands it"
                )
            paths += files
        else:
            paths.append(path)
            named.add(path)
    unique = list(dict.fromkeys(paths))
    if len(unique) > MOST_FILES:
        skipped.append(
            f"{counted(len(unique) - MOST_FILES, 'file')}: more than {MOST_FILES} were found, the first ones are read"
        )
    rotated = in_streams(unique[:MOST_FILES], _changed_ns)
    return Found(rotated.paths, frozenset(named), tuple(skipped), rotated.streams)


def _require_a_name(name: str) -> None:
    """Nothing, when a file may be called so; half a surrogate pair is no character of any name."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError as error:
        raise NotFound(
            "one of the names cannot be a file's: it has characters that no text has",
            remedy="Name a file, folder or glob",
        ) from error


def _changed_ns(path: Path) -> int:
    """When a file was last written to; 0 for one that is gone, which is told when it is opened."""
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0


def _matches(pattern: Path) -> set[Path]:
    """What a glob names, hidden names left out unless it asks for them.

    pathlib's `**` follows no link to a folder, which `glob.glob` does: a link to a folder above would be walked
    forty times deep, along every way through it.
    """
    fixed = next(place for place, part in enumerate(pattern.parts) if glob.has_magic(part))
    parts = [part if part == "**" else part.replace("**", "*") for part in pattern.parts[fixed:]]
    if parts[-1] == "**":
        parts.append("*")
    base = Path(*pattern.parts[:fixed])
    wants_hidden = any(part.startswith(".") for part in parts)
    return {
        match
        for match in base.glob("/".join(parts))
        if wants_hidden or not any(part.startswith(".") for part in match.relative_to(base).parts)
    }


def _files_below(folder: Path, skipped: list[str]) -> Iterator[Path]:
    """Files in `folder` and below by name, without hidden ones; links to folders are not followed."""

    def note(error: OSError) -> None:
        skipped.append(f"{error.filename}: {os.strerror(error.errno or 0).lower()}")

    for place, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        accounts = _accounts(files)
        for name in sorted(files):
            if not name.startswith(".") and name not in accounts:
                yield Path(place) / name


def _accounts(files: Sequence[str]) -> set[str]:
    """What stands beside a spool of logpith_emit and is no log: how far each of its readers is."""
    there = set(files)
    is_spool = any(name.endswith(".spool") for name in files)
    readers = [name.removesuffix(".place") for name in files if name.endswith(".place")]
    return {
        f"{reader}{suffix}"
        for reader in readers
        if is_spool or f"{reader}.lock" in there
        for suffix in (".place", ".lock", ".shipped")
    }
