"""Answers to the questions of the template, from a file and from `--set`.

A file is JSON, YAML or TOML, name to answer. One that has lists is a `cookiecutter.json`: there a list is what may be
chosen, its first the default, and every other value is a default, too; what Cookiecutter would compute the template
computes itself. What it keeps of earlier answers, under `cookiecutter` or `default_context`, is read as well.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from logpith_emit.errors import BadArgument, NotFound, nearest
from logpith_emit.extras import library

MOST_BYTES = 1 << 20
"""What a file of answers may have."""

_KEPT_UNDER = ("cookiecutter", "default_context")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What is known before anybody is asked."""

    given: Mapping[str, str] = field(default_factory=dict)
    """Questions that are not asked any more."""

    defaults: Mapping[str, str] = field(default_factory=dict)
    """What is offered for others."""


def read_answers(path: Path | None, told: Iterable[str], known: Collection[str]) -> Answers:
    """The answers of a file, and those of `name=value`, which count more.

    Raises:
        NotFound: there is no such file.
        BadArgument: it cannot be read; there is no such question; an answer is none.
    """
    table = {} if path is None else _read(path)
    is_cookiecutter = any(isinstance(value, list) for value in table.values())
    found = {
        name: text
        for name, value in table.items()
        if not name.startswith("_") and (text := _text_of(name, value)) is not None
    }
    said = dict(_split(pair) for pair in told)
    for name in (*found, *said):
        if name not in known:
            raise BadArgument(
                f"there is no question '{name}'.{nearest(name, known)}",
                remedy=f"The questions are {', '.join(known)}",
            )
    if is_cookiecutter:
        return Answers(given=said, defaults=found)
    return Answers(given={**found, **said})


def _split(pair: str) -> tuple[str, str]:
    name, sign, value = pair.partition("=")
    if not sign:
        raise BadArgument(f"'{name}' has no value", remedy=f"Write --set {name}=VALUE")
    return name.strip(), _checked(name, value)


def _read(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}", remedy="Name one that has answers") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadArgument(f"{path} cannot be read: {error}", remedy="Write it anew, in UTF-8") from error
    if len(content) > MOST_BYTES:
        raise BadArgument(f"{path} is larger than answers are", remedy="Name a file that has answers")
    table = _parse(path, text)
    if not isinstance(table, dict):
        raise BadArgument(f"{path} is no table of answers", remedy='Write {"project_name": "…"}')
    kept = next((table[name] for name in _KEPT_UNDER if isinstance(table.get(name), dict)), table)
    return {str(name): value for name, value in kept.items()}


def _parse(path: Path, text: str) -> object:
    yaml = library("yaml", "yaml")
    try:
        # JSON is YAML, but for tabs, which mean nothing there.
        return tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text.replace("\t", " "))
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        # What it says in full would show the line, which may have a secret.
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise BadArgument(f"{place} is not what its name says", remedy="Write JSON, YAML or TOML") from error


def _text_of(name: str, value: object) -> str | None:
    """An answer as text, of a list its first; None where Cookiecutter would compute it."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str | int | float):
        raise BadArgument(f"{name}: a text is wanted, or a number", remedy=f'Write "{name}": "…"')
    text = str(value)
    return None if "{{" in text and "cookiecutter" in text else _checked(name, text)


def _checked(name: str, text: str) -> str:
    """A text of one line, as all answers are."""
    text = text.strip()
    if not text.isprintable():
        raise BadArgument(f"{name}: there are characters in it that cannot be shown", remedy="Leave them out")
    return text
