"""`logpith config show`: the settings that count here, defaults and all, and where each of them was said.

Shown as TOML that means the same when it is read again, but for secrets, which are `***`. A secret is what its setting
says is one, what is called or looks like one, and all that a source or a stage is told by a variable: `${VAR}` is where
secrets belong, and only the type of the source knows what is none.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from logpith.component import describe
from logpith.settings import TOKEN_VARIABLE, Found
from logpith.settings_copy import is_secret, spell_toml
from logpith.sources import source_types
from logpith.stages import stage_types
from logpith_emit.secret import MASK, Secret

DEFAULT = "default"

# To find the line of a setting is to read the file once for each of its lines.
_MOST_LINES = 2_000

_LAST_STEP = re.compile(r"(?:\.[^.\[\]]*|\[\d+\]|^[^.\[\]]*)$")
_LAST_PLACE = re.compile(r"\[\d+\]$")


def shown_settings(found: Found) -> dict[str, Any]:
    """The settings that count as a table, the defaults of sources and stages among them, without secrets."""
    settings = found.settings
    table: dict[str, Any] = _plain(settings)
    table["sources"] = {
        name: _with_defaults(one, source_types(), table["sources"][name])
        for name, one in settings.sources.items()
    }
    table["stages"] = [
        _with_defaults(one, stage_types(), table["stages"][at]) for at, one in enumerate(settings.stages)
    ]
    filled = {place for place, origin in found.origins.items() if ", $" in origin}
    masked = _masked(table, "", filled)
    return {name: value for name, value in masked.items() if value not in ({}, [])}


def as_toml(found: Found, origins: Mapping[str, str] | None = None) -> str:
    """The settings that count; with `origins` each with where it was said."""
    table = shown_settings(found)
    return spell_toml(table, (lambda place: origin_of(place, origins)) if origins is not None else None)


def find_origins(found: Found, options: Mapping[str, str]) -> dict[str, str]:
    """Place → `logpith.toml:12`, a variable of the environment, an option, or `default`.

    `options` are the variables for which an option of the command line has stood in.
    """
    lines = _lines_of(found.path) if found.path else {}
    origins = {}
    for place, origin in found.origins.items():
        name, *others = origin.split(", ")
        variables = [other for other in others if other.startswith("$")]
        if found.path and name == found.path.name:
            line = _nearest(place, lines)
            name = f"{name}:{line}" if line else name
        origins[place] = ", ".join([options.get(name, name), *variables])
    for at in range(len(found.settings.server.tokens)):
        if f"server.tokens[{at}].name" not in origins:
            origins[f"server.tokens[{at}]"] = TOKEN_VARIABLE
    return origins


def shown_servers(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """What variables say of servers that log by logpith_emit: setting → its value, without secrets, and its place.

    Raises:
        BadArgument: one of them cannot be used.
    """
    from logpith_emit.unified.config import ServerConfig  # noqa: PLC0415 - which few ask for

    config = ServerConfig.from_environment(environment)
    shown = config.shown()
    return {name: (shown[name], source) for name, source in config.sources.items() if source != DEFAULT}


def origin_of(place: str, origins: Mapping[str, str]) -> str:
    """Where a value was said: as was told of its place, or of what it is a part of."""
    return _nearest(place, origins) or DEFAULT


def _nearest(place: str, told: Mapping[str, Any]) -> Any:
    """What is told of a place, or of the innermost that it is in; None when nothing is."""
    while place:
        if place in told:
            return told[place]
        place = _LAST_STEP.sub("", place)
    return None


def _plain(value: Any) -> Any:
    """The same in dicts, lists and what TOML has words for."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: _plain(inner) for name, inner in fields.items() if inner is not None}
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Secret):
        return MASK if value.reveal() else ""
    return str(value) if isinstance(value, Path) else value


def _with_defaults(
    told: Mapping[str, Any], types: Mapping[str, type], plain: dict[str, Any]
) -> dict[str, Any]:
    """What is told of a source or a stage, its secrets hidden, and what counts where nothing is told."""
    kind = types.get(str(told.get("type")))
    shown = dict(plain)
    for argument in describe(kind) if kind else ():
        if argument.secret and argument.name in shown:
            shown[argument.name] = MASK
        elif not argument.required and argument.default is not None:
            shown.setdefault(argument.name, _plain(argument.default))
    return shown


def _masked(value: Any, place: str, filled: set[str]) -> Any:
    """The same value with `***` for secrets."""
    if isinstance(value, dict):
        return {
            name: _masked(inner, f"{place}.{name}" if place else name, filled)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_masked(inner, f"{place}[{at}]", filled) for at, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    is_filled = bool(filled & {place, _LAST_PLACE.sub("", place)})
    is_of_a_part = place.startswith(("sources.", "stages["))
    return MASK if (is_filled and is_of_a_part) or is_secret(place, value) else value


# ── Lines ───────────────────────────────────────────────────────────────────────────────────────────────────


def _lines_of(path: Path) -> dict[str, int]:
    """Place → the line on which it begins: the first with which the lines up to there say something of it."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    found: dict[str, int] = {}
    if len(lines) > _MOST_LINES:
        return found
    begun = 0
    for count in range(1, len(lines) + 1):
        try:
            table: Any = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:  # in the midst of a value of several lines
            continue
        if path.name == "pyproject.toml":
            table = table.get("tool", {}).get("logpith", {})
        for place in _places(table, ""):
            found.setdefault(place, begun + 1)
        begun = count
    return found


def _places(value: Any, place: str) -> Iterable[str]:
    """Every place in a value."""
    if place:
        yield place
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _places(inner, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _places(inner, f"{place}[{at}]")
