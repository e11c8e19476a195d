"""From answers to a project in a folder.

Everything is made beside it first, so that nothing half made is left where something fails. What is private goes into
`.env`, for its owner alone, and into no file that is committed.
"""

from __future__ import annotations

import json
import keyword
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from logpith import __version__
from logpith.new.answers import read_answers
from logpith_emit.errors import BadArgument, Refused
from logpith_emit.extras import library

TEMPLATE = Path(__file__).with_name("template")

ANSWERS_FILE = ".answers.json"
"""What was answered, without what is private: `--answers` of the next project."""

PRIVATE: Mapping[str, Sequence[str]] = {
    "kafka": ("kafka_bootstrap_servers",),
    "elasticsearch": ("elasticsearch_hosts",),
    "postgres": ("postgres_dsn",),
    "convex": ("convex_endpoint_url", "convex_api_key"),
}
"""Answers that are addresses, which may have passwords in them, and secrets, by what they are for."""

# What such a project stands on, or has beside its package.
_TAKEN = (
    "anyio",
    "confluent_kafka",
    "logpith",
    "logpith_emit",
    "mcp",
    "psycopg",
    "pydantic",
    "pytest",
    "src",
    "starlette",
)

_ENV = """\
# Addresses and secrets of this machine. Git does not see this file; .env.example lists what may stand here.
"""


def new_project(
    folder: Path | None, *, answers: Path | None, told: Sequence[str], defaults: bool, is_terminal: bool
) -> Path:
    """Makes a project and gives its folder, which is called as the project's package where none is named.

    Raises:
        Refused: copier is missing.
        NotFound: there is no such file of answers.
        BadArgument: the folder is not empty, an answer cannot be used, or there is nobody to ask.
    """
    copier = _copier()
    if folder is not None:
        _refuse_full(folder)
    known = _questions()
    wanted = read_answers(answers, told, known)
    if not defaults and not is_terminal and set(known) - set(wanted.given):
        raise BadArgument(
            "questions are left, and there is no terminal to ask them",
            remedy="Add --defaults, which takes the default of each",
        )
    with tempfile.TemporaryDirectory(prefix="logpith-new-") as place:
        made = Path(place) / "project"
        found = _fill_in(copier, made, wanted.given, wanted.defaults, defaults)
        _write_private(made, found, wanted.given)
        target = folder if folder is not None else Path(found["project_slug"])
        _refuse_full(target)
        _move(made, target)
    return target


def _copier() -> ModuleType:
    try:
        # A library that takes a second to load, which no other command needs.
        import copier  # noqa: PLC0415
    except ImportError as error:
        raise Refused(
            f"the library copier is missing: {error}", remedy="pip install 'logpith[new]'"
        ) from error
    return copier


def _questions() -> list[str]:
    told = library("yaml", "yaml").safe_load((TEMPLATE / "copier.yml").read_text(encoding="utf-8"))
    return [name for name in told if not name.startswith("_")]


def _refuse_full(folder: Path) -> None:
    try:
        is_full = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise BadArgument(
            f"{folder} cannot be read: {error.strerror}", remedy="Name another folder"
        ) from error
    if is_full:
        raise BadArgument(f"{folder} is not an empty folder", remedy="Name one that is new")


def _fill_in(
    copier: Any, made: Path, given: Mapping[str, str], offered: Mapping[str, str], defaults: bool
) -> dict[str, str]:
    """The answers to all questions, after the files were made."""
    taken = sorted({*sys.stdlib_module_names, *keyword.kwlist, *_TAKEN})
    try:
        worker = copier.run_copy(
            str(TEMPLATE),
            made,
            data={**given, "taken_names": taken, "logpith_version": __version__},
            user_defaults=dict(offered),
            defaults=defaults,
            quiet=True,
            settings=copier.Settings(),  # not what somebody has set for other templates
        )
    except (copier.errors.CopierError, ValueError) as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        told = " ".join(str(error).split()).rstrip(".")
        raise BadArgument(
            re.sub("^Validation error for question '([a-z_]+)'", r"\1", told),
            remedy="Give another answer",
        ) from error
    return {name: str(worker.answers.combined[name]) for name in _questions()}


def _write_private(made: Path, found: Mapping[str, str], given: Mapping[str, str]) -> None:
    chosen = PRIVATE.get(found["production_log_destination"], ())
    private = [name for names in PRIVATE.values() for name in names]
    lines = [
        f"{name.upper()}={_quoted(name, found[name])}\n"
        for name in private
        if found[name] and (name in chosen or name in given)
    ]
    # Nobody else may read it at any time, so it is made so.
    with os.fdopen(os.open(made / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(_ENV + "".join(lines))
    public = {name: answer for name, answer in found.items() if name not in private}
    (made / ANSWERS_FILE).write_text(json.dumps(public, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _quoted(name: str, value: str) -> str:
    """A value as `.env` has it, where quotes have nothing that stands for them."""
    if all(sign.isalnum() or sign in "-_./:,@%+=?&~" for sign in value):
        return value
    for quote in ("'", '"'):
        if quote not in value:
            return f"{quote}{value}{quote}"
    raise BadArgument(f"{name} has both kinds of quotes", remedy="Write one of them as %27 or %22")


def _move(made: Path, target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
        for each in sorted(made.iterdir()):
            shutil.move(each, target / each.name)
    except OSError as error:
        raise BadArgument(
            f"{target} cannot be written: {error.strerror}", remedy="Name a folder of yours"
        ) from error
