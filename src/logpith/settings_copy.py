"""Settings for a copy: the same ones, as TOML, without secrets.

Each secret becomes the name of an environment variable that says where it stood, `${SERVER_TOKENS_0_TOKEN}`, so that
whoever restores them is told at the next start what to set. A value is a secret when its setting says so, when it is
called as secrets are, or when it looks like one. Comments stay behind: nobody knows what stands in them.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logpith.corpus.masking import without_secrets
from logpith.formats.own import formats_file
from logpith.settings import FILE_NAME
from logpith_emit.errors import BadArgument
from logpith_emit.secret import SECRET_PARAMETERS, without_password

FORMATS_NAME = "formats.toml"

_SECRET_NAME = re.compile(r"(?:^|[._-])(?:" + "|".join(sorted(SECRET_PARAMETERS)) + r")s?$", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class SettingsCopy:
    """What of the settings goes into a copy."""

    files: Mapping[str, str]
    """File name → text."""

    left_out: tuple[str, ...]
    """Places of secrets, `server.tokens[0].token`."""


def copy_settings(path: Path | None) -> SettingsCopy:
    """The file of settings that counts, and the one with formats of this user's, without secrets.

    Raises:
        BadArgument: one of them cannot be read.
    """
    files: dict[str, str] = {}
    left_out: list[str] = []
    for name, file in ((FILE_NAME, path), (FORMATS_NAME, formats_file())):
        if file is None:
            continue
        table = _read(file)
        files[name] = spell_toml(_without(table, "", left_out))
    return SettingsCopy(files=files, left_out=tuple(left_out))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadArgument(f"{path} cannot be read: {error}", remedy="Mend it, then copy") from error
    if path.name == "pyproject.toml":
        ours: dict[str, Any] = content.get("tool", {}).get("logpith", {})
        return ours
    return content


def _without(value: Any, place: str, left_out: list[str]) -> Any:
    """The same value without secrets, whose places go to `left_out`."""
    if isinstance(value, dict):
        return {
            name: _without(inner, f"{place}.{name}" if place else name, left_out)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_without(inner, f"{place}[{at}]", left_out) for at, inner in enumerate(value)]
    if isinstance(value, str) and is_secret(place, value):
        left_out.append(place)
        return "${" + re.sub(r"\W+", "_", place).strip("_").upper() + "}"
    return value


def is_secret(place: str, value: str) -> bool:
    """Whether the text at a place of the settings is or holds one: by what the place is called, or by its looks."""
    told = _VARIABLE.sub("", value)
    if not told.strip() or _HASH.fullmatch(told):
        return False
    name = re.sub(r"\[\d+\]$", "", place)
    if _SECRET_NAME.search(name) or without_password(told) != told:
        return True
    spelled = told.encode("utf-8", "surrogatepass")
    return without_secrets(spelled) != spelled


# ── TOML ────────────────────────────────────────────────────────────────────────────────────────────────────


Told = Callable[[str], str]
"""What is to be said of a place (`server.tokens[0].name`)."""


def spell_toml(table: Mapping[str, Any], told: Told | None = None) -> str:
    """A table as TOML; read again it is the same. What is `told` of a value stands behind it, as a comment."""
    return "\n".join(_lines(table, (), "", told)).strip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...], place: str, told: Told | None) -> Iterator[str]:
    tables = {name: value for name, value in table.items() if isinstance(value, dict)}
    arrays = {name: value for name, value in table.items() if _is_array_of_tables(value)}
    for name, value in table.items():
        if name not in tables and name not in arrays:
            said = f"  # {told(place + name)}" if told else ""
            yield f"{_key(name)} = {_value(value)}{said}"
    for name, value in tables.items():
        yield ""
        yield f"[{_dotted(*path, name)}]"
        yield from _lines(value, (*path, name), f"{place}{name}.", told)
    for name, values in arrays.items():
        for at, value in enumerate(values):
            yield ""
            yield f"[[{_dotted(*path, name)}]]"
            yield from _lines(value, (*path, name), f"{place}{name}[{at}].", told)


def _is_array_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _dotted(*names: str) -> str:
    return ".".join(map(_key, names))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return "{" + ", ".join(f"{_key(name)} = {_value(inner)}" for name, inner in value.items()) + "}"
        case int() | float():
            return repr(value)
        case _:  # dates and times
            return str(value.isoformat())


def _text(text: str) -> str:
    # JSON escapes all that TOML wants escaped but DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
