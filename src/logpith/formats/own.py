"""A user's own formats: named groups of regular expressions or grok, in a TOML file.

    [patterns]                     # optional: pieces for grok
    CALL = "CA[0-9a-f]{8}"

    [[format]]
    name = "billing"
    grok = '%{TIMESTAMP_ISO8601:time} \\[%{LOGLEVEL:level}\\] call=%{CALL:call_id} %{GREEDYDATA:message}'

    [[format]]
    name = "meter"
    regex = '^(?P<time>\\d+) (?P<service>\\w+) (?P<message>.*)$'

The file is the one that `$LOGPITH_FORMATS` names, or `formats.toml` in the folder of settings. A line is read by the
first format that matches it from its first to its last character. A group is a field; one that has a name by which
JSON lines tell time, level, service or message (`formats/json_lines.py`) is that column too.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from logpith.config import config_dir
from logpith.formats.grok import written_out
from logpith.formats.json_lines import KEYS
from logpith.scan.json_fields import BODY, SERVICE, SEVERITY, TIME
from logpith.scan.records import OwnFormat
from logpith_emit.errors import BadArgument, NotFound

MOST_FORMATS = 100
_MAX_MEMORY_BYTES = 8 << 20
_ROLES = {key: role for role in (TIME, BODY, SEVERITY, SERVICE) for key in KEYS[role]}


class _Format(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    regex: str = ""
    grok: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: list[_Format] = []
    patterns: dict[str, str] = {}


def formats_file() -> Path | None:
    """The file of formats: named by `$LOGPITH_FORMATS`, or in the folder of settings; None when there is none.

    Raises:
        NotFound: the file that the variable names is not there.
    """
    named = os.environ.get("LOGPITH_FORMATS")
    if named:
        if not Path(named).is_file():
            raise NotFound(
                f"the file of formats {named} is not there", remedy="Set or unset $LOGPITH_FORMATS"
            )
        return Path(named)
    path = config_dir() / "formats.toml"
    return path if path.is_file() else None


def own_formats() -> tuple[OwnFormat, ...]:
    """All formats of this user, in their order.

    Raises:
        BadArgument: the file does not say what a file of formats says; names the place.
        NotFound: as `formats_file`.
    """
    path = formats_file()
    if path is None:
        return ()
    return _loaded(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _loaded(path: Path, _changed_ns: int) -> tuple[OwnFormat, ...]:
    return read_formats(path.read_text(encoding="utf-8"), str(path))


def read_formats(text: str, name: str) -> tuple[OwnFormat, ...]:
    """The formats that the text of a file defines; `name` is what errors call it."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadArgument(
            f"{name}: {error}", remedy="See the head of logpith parse --help for an example"
        ) from error
    if len(file.format) > MOST_FORMATS:
        raise BadArgument(f"{name}: more than {MOST_FORMATS} formats", remedy="Leave some out")
    return tuple(
        _compiled(form, place, file.patterns, f"{name}: format[{place}]")
        for place, form in enumerate(file.format)
    )


def one_format(regex: str, grok: str, pieces: Mapping[str, str], where: str) -> OwnFormat:
    """The format that a regular expression or grok defines; `where` is what errors call the place of it."""
    return _compiled(_Format(name=where, regex=regex, grok=grok), 0, pieces, where)


def _compiled(form: _Format, place: int, patterns: Mapping[str, str], where: str) -> OwnFormat:
    if bool(form.regex) == bool(form.grok):
        raise BadArgument(f"{where} has no regex, or two", remedy="Give it either regex or grok")
    try:
        pattern, fields = written_out(form.grok, patterns) if form.grok else (form.regex, {})
    except BadArgument as error:
        raise BadArgument(f"{where}: {error.problem}", remedy=error.remedy) from error
    import re2  # noqa: PLC0415 - only who has formats pays for it

    options: Any = re2.Options()
    options.max_mem = _MAX_MEMORY_BYTES
    options.log_errors = False
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        raise BadArgument(
            f"{where}: RE2 does not read the expression",
            remedy="See https://github.com/google/re2/wiki/Syntax",
        ) from error
    names = {
        number: fields.get(_as_text(group), _as_text(group)) for group, number in compiled.groupindex.items()
    }
    if not names:
        raise BadArgument(f"{where} names no group", remedy="Name what shall be a field: (?P<level>\\w+)")
    roles: dict[int, int] = {}
    for number, field in names.items():
        role = _ROLES.get(field.lower())
        if role is not None:
            roles.setdefault(role, number)
    return OwnFormat(
        name=form.name,
        place=place,
        find=compiled.fullmatch,
        roles=tuple((number, role) for role, number in roles.items()),
        fields=tuple(names.items()),
    )


def _as_text(group: str | bytes) -> str:
    return group.decode() if isinstance(group, bytes) else group


def fields_of(text: str, formats: Sequence[OwnFormat]) -> Mapping[str, object] | None:
    """The fields that the first format that matches finds in the first line of a text; None when none matches."""
    line = text.split("\n", 1)[0].encode("utf-8", "surrogateescape")
    for form in formats:
        match = form.find(line)
        if match is not None:
            found = {field: match.group(number) for number, field in form.fields}
            told = {
                field: value.decode("utf-8", "surrogateescape") for field, value in found.items() if value
            }
            return told if any(field in KEYS[BODY] for field in told) else {**told, "message": text}
    return None
