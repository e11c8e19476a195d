"""Settings: a frozen dataclass, filled from TOML files, the environment and its own defaults.

The fields are the settings. A nested dataclass is a table, a tuple of dataclasses an array of tables. Files
are merged table by table, the first file that says something counts; the environment outranks them:
`LOGPITH_SERVER_PORT` is the field `port` of the field `server`. What a file says may hold `${VAR}` and
`${VAR:-default}` (`$$` is a dollar sign). Every mistake is refused with its place and, for names, the
nearest one; an unknown variable of the environment is only reported, because others set those too:
Kubernetes gives each container near a service named "logpith" a LOGPITH_SERVICE_HOST.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Mapping as AbstractMapping
from collections.abc import Sequence as AbstractSequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, Union

from logpith_emit.errors import BadArgument, NotFound, nearest, refuse_all
from logpith_emit.extras import library
from logpith_emit.secret import Secret

T = TypeVar("T")

Hint = Any
"""A type as an annotation says it: a class, or what `typing` makes of `int | None` and the like."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """Settings, and where each of them came from."""

    settings: T
    sources: Mapping[str, str]
    """Place (`server.port`, `destinations[0].path`) → file, environment variable or `default`."""

    unknown_variables: tuple[str, ...] = ()
    """Variables with our prefix that set nothing, each with the nearest one that would; worth a warning."""


def load_settings(
    kind: type[T],
    files: Sequence[Path],
    *,
    prefix: str,
    environment: Mapping[str, str],
    unknown: list[BadArgument] | None = None,
    spelled: Mapping[str, str] | None = None,
) -> Loaded[T]:
    """The settings of class `kind`; of two files that set the same thing the first counts.

    In a `pyproject.toml` they stand under `[tool.PREFIX]` in lower case. With an empty prefix the variables
    are named as the fields are. Who gives a list as `unknown` gets there the names that set nothing, and the settings
    without them. A variable that somebody has spelled in another way is told as `spelled` has it.

    Raises:
        NotFound: a file is not there.
        BadArgument: something in a file or the environment cannot be used; knows the place.
    """
    reader = _Reader(environment, spelled)
    given = reader.from_environment(kind, prefix)
    for path in files:
        given = _merged(given, _marked(_read(path, prefix), path.name))
    try:
        settings = reader.build(kind, given, "")
    except BadArgument as error:
        refuse_all([*reader.unknown, error])
        raise
    if unknown is None:
        refuse_all(reader.unknown)
    else:
        unknown += reader.unknown
    return Loaded(settings, reader.sources, _unknown_variables(kind, prefix, environment))


def settings_of_table(kind: type[T], table: Mapping[str, object], place: str) -> T:
    """The settings of class `kind` that a table says which was read before; text in it stands for whatever is wanted.

    Raises:
        BadArgument: something in it cannot be used; knows the place.
    """
    reader = _Reader({})
    settings: T = reader.build(kind, _read_before(table, place), place)
    refuse_all(reader.unknown)
    return settings


def _read_before(value: Any, place: str) -> Any:
    if isinstance(value, AbstractMapping):
        return {name: _read_before(item, place) for name, item in value.items()}
    if isinstance(value, list | tuple):
        if value and all(isinstance(item, AbstractMapping) for item in value):
            return [_read_before(item, place) for item in value]
        value = list(value)
    return _Given(value, place, is_text=isinstance(value, str), is_private=True)


# ── What was given ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as somebody wrote it."""

    value: object
    source: str
    is_text: bool = False
    """Whether it comes from the environment, where everything is text."""

    is_private: bool = False
    """Whether it may be a secret, so that an error must not show it."""


_Tree = dict[str, Any]
"""Tables as dicts, arrays of tables as lists of them, all other values as `_Given`."""


def _read(path: Path, prefix: str) -> Mapping[str, object]:
    return _read_yaml(path) if path.suffix in (".yaml", ".yml") else _read_toml(path, prefix)


def _read_yaml(path: Path) -> Mapping[str, object]:
    yaml = library("yaml", "yaml")
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"There is no settings file {path}", remedy="Check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadArgument(f"{path} cannot be read: {error}", remedy="Check the path") from error
    except yaml.YAMLError as error:
        raise BadArgument(f"{path} is no YAML: {error}", remedy="Mend that place") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadArgument(f"{path} is no table of settings", remedy="Write NAME: value")
    return content


def _read_toml(path: Path, prefix: str) -> Mapping[str, object]:
    import tomllib  # noqa: PLC0415 programs that set everything in code need no TOML

    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError as error:
        raise NotFound(f"There is no settings file {path}", remedy="Check the path") from error
    except OSError as error:
        raise BadArgument(f"{path} cannot be read: {error.strerror}", remedy="Check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadArgument(f"{path} is no TOML: {error}", remedy="Mend that place") from error
    if path.name == "pyproject.toml":
        tool = content.get("tool", {})
        content = tool.get(prefix.lower(), {}) if isinstance(tool, dict) else {}
    return content


def _marked(value: Any, source: str) -> Any:
    """The same tree with every value marked with where it was given."""
    if isinstance(value, AbstractMapping):
        return {name: _marked(item, source) for name, item in value.items()}
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return [_marked(item, source) for item in value]
    return _Given(value, source)


def _merged(strong: Any, weak: Any) -> Any:
    """`strong`, and what only `weak` says; arrays are not mixed."""
    if not (isinstance(strong, dict) and isinstance(weak, dict)):
        return strong
    return {name: _merged(strong[name], weak[name]) if name in strong and name in weak
            else (strong if name in strong else weak)[name] for name in {**weak, **strong}}  # fmt: skip


def _variables(kind: Hint, prefix: str) -> dict[str, tuple[str, ...]]:
    """The variables that set something in a class of settings → the fields that lead there."""
    found: dict[str, tuple[str, ...]] = {}
    for name, hint in _hints(kind).items():
        variable = f"{prefix}_{name}".upper() if prefix else name.upper()
        if nested := _table_class(hint):
            found |= {deep: (name, *path) for deep, path in _variables(nested, variable).items()}
        else:
            found[variable] = (name,)
    return found


def _unknown_variables(kind: Hint, prefix: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    if not prefix:
        return ()
    known = _variables(kind, prefix)
    unknown = sorted(name for name in environment if name.startswith(f"{prefix}_") and name not in known)
    return tuple(f"{name} sets nothing.{nearest(name, known)}" for name in unknown)


# ── What it becomes ─────────────────────────────────────────────────────────────────────────────────────────


def _hints(kind: Hint) -> dict[str, Hint]:
    """The settable fields of a dataclass and their types, in order."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _table_class(hint: Hint) -> Hint | None:
    """The dataclass that a table of this type becomes, None when it is no table."""
    kinds = [hint, *(typing.get_args(hint) if _is_union(hint) else ())]
    return next((kind for kind in kinds if isinstance(kind, type) and dataclasses.is_dataclass(kind)), None)


def _origin(hint: Hint) -> Hint:
    """`tuple` of `tuple[int, ...]`, `Literal` of `Literal[1]`; None of a plain class."""
    return typing.get_origin(hint)


def _is_union(hint: Hint) -> bool:
    return _origin(hint) in {Union, types.UnionType}


def _may_be_secret(hint: Hint) -> bool:
    return hint is Secret or any(map(_may_be_secret, typing.get_args(hint)))


def _is_array(hint: Hint) -> bool:
    return _origin(hint) in {tuple, AbstractSequence}


def _name_of(hint: Hint) -> str:
    """A type in the words of the settings."""
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}
    names |= {Secret: "a text", types.NoneType: "nothing"}
    if _is_union(hint):
        return " or ".join(_name_of(kind) for kind in typing.get_args(hint) if kind is not types.NoneType)
    if _origin(hint) is Literal:
        return "one of " + ", ".join(repr(value) for value in typing.get_args(hint))
    if _table_class(hint):
        return "a table"
    if _is_array(hint):
        return "a list"
    return names.get(hint, "a table")


class _Unfit(Exception):  # noqa: N818 never leaves this module
    """A value does not fit its type; `_Reader.build` knows the words for it."""


class _UnfitItem(_Unfit):
    """One item of an array does not."""

    def __init__(self, at: int, hint: Hint, value: object, remedy: str) -> None:
        super().__init__(remedy)
        self.at, self.hint, self.value = at, hint, value


class _Reader:
    """Builds settings, and keeps where each came from."""

    def __init__(self, environment: Mapping[str, str], spelled: Mapping[str, str] | None = None) -> None:
        self.environment = environment
        self.spelled = spelled or {}
        self.sources: dict[str, str] = {}
        self.unknown: list[BadArgument] = []
        """Names of what there is not."""

    def from_environment(self, kind: Hint, prefix: str) -> _Tree:
        given: _Tree = {}
        for variable, path in _variables(kind, prefix).items():
            if variable in self.environment:
                table = given
                for name in path[:-1]:
                    table = table.setdefault(name, {})
                source = self.spelled.get(variable, variable)
                table[path[-1]] = _Given(self.environment[variable], source, is_text=True)
        return given

    def build(self, hint: Hint, given: Any, place: str, *, default: object = None) -> Any:
        """What `given` becomes as a `hint`; of a table, `default` has what it does not say.

        Raises:
            BadArgument: it does not fit.
        """
        if isinstance(given, dict) and (kind := _table_class(hint)):
            return self._build_table(kind, given, place, default)
        if isinstance(given, dict) and _origin(hint) in {dict, AbstractMapping}:
            item_hint = typing.get_args(hint)[1]
            return {name: self.build(item_hint, item, f"{place}.{name}") for name, item in given.items()}
        if hint is Any and not isinstance(given, _Given):
            return self._build_anything(given, place)
        if isinstance(given, list) and _is_array(hint):
            item_hint = typing.get_args(hint)[0]
            return tuple(self.build(item_hint, item, f"{place}[{at}]") for at, item in enumerate(given))
        if not isinstance(given, _Given):
            raise BadArgument(
                f"{place} is {'a table' if isinstance(given, dict) else 'an array of tables'}",
                remedy=f"Give it {_name_of(hint)}",
            )
        given = self._expanded(given, place)
        try:
            if given.is_text and _is_array(hint) and _table_class(typing.get_args(hint)[0]):
                return self.build(hint, _marked(_items_of_text(str(given.value)), given.source), place)
            value = _fitted(hint, given)
        except _UnfitItem as error:
            shown = "" if given.is_private or _may_be_secret(hint) else f", not {error.value!r}"
            raise BadArgument(
                f"{place}[{error.at}] must be {_name_of(error.hint)}{shown}",
                remedy=str(error).strip() or f"It stands in {given.source}",
            ) from None
        except _Unfit as error:
            shown = "" if given.is_private or _may_be_secret(hint) else f", not {given.value!r}"
            remedy = str(error).strip() or f"It stands in {given.source}"
            raise BadArgument(f"{place} must be {_name_of(hint)}{shown}", remedy=remedy) from None
        self.sources[place] = given.source
        return value

    def _build_anything(self, given: Any, place: str) -> Any:
        """Tables and arrays of tables as they stand, for whoever knows what they mean."""
        if isinstance(given, dict):
            return {name: self.build(Any, item, f"{place}.{name}") for name, item in given.items()}
        return tuple(self.build(Any, item, f"{place}[{at}]") for at, item in enumerate(given))

    def _build_table(self, kind: Hint, given: _Tree, place: str, default: object) -> Any:
        hints = _hints(kind)
        has_unknown = False
        for name in given:
            if name not in hints:
                where = place or _any_source(given)
                offer = nearest(name, hints).strip() or f"There are: {', '.join(hints)}"
                has_unknown = True
                self.unknown.append(BadArgument(f"{where}: no setting named '{name}'", remedy=offer))
        values: dict[str, object] = {}
        for field in dataclasses.fields(kind):
            inner = f"{place}.{field.name}" if place else field.name
            has_default = default is not None or _has_default(field)
            if field.name in given:
                inner_default = _default_of(field, default) if has_default else None
                values[field.name] = self.build(
                    hints[field.name], given[field.name], inner, default=inner_default
                )
            elif not field.init:
                continue
            elif has_default:
                values[field.name] = _default_of(field, default)
                self.sources[inner] = "default"
            elif has_unknown:  # which may be this one, misspelled
                raise self.unknown.pop()
            else:
                raise BadArgument(
                    f"{place or 'The settings'}: '{field.name}' is missing",
                    remedy=f"Give it {_name_of(hints[field.name])}",
                )
        try:
            return kind(**values)
        except BadArgument as error:  # What the class itself refuses; only we know the place.
            raise BadArgument(
                f"{place}: {error.problem}" if place else error.problem, remedy=error.remedy
            ) from error

    def _expanded(self, given: _Given, place: str) -> _Given:
        """The value with `${VAR}` filled in; then it is text, and private."""
        if isinstance(given.value, list):
            if given.is_private:  # filled in before
                return given
            items = [
                self._expanded(_Given(item, given.source), f"{place}[{at}]")
                for at, item in enumerate(given.value)
            ]
            if not any(item.is_private for item in items):
                return given
            sources = ", ".join(dict.fromkeys(item.source for item in items))
            return _Given([item.value for item in items], sources, is_private=True)
        if given.is_text or not isinstance(given.value, str) or "$" not in given.value:
            return given
        variables: list[str] = []

        def fill_in(match: re.Match[str]) -> str:
            name, default = match.groups()
            if name is None:
                return "$"
            value = self.environment.get(name)
            if value is None and default is None:
                raise BadArgument(
                    f"{place}: the environment variable {name} is not set",
                    remedy=f"Set it, or write ${{{name}:-default}} in {given.source}",
                )
            variables.append(name)
            return value or default or ""

        text = _VARIABLE.sub(fill_in, given.value)
        if not variables:
            return _Given(text, given.source)
        return _Given(text, f"{given.source}, ${', $'.join(variables)}", is_text=True, is_private=True)


_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _any_source(given: Any) -> str:
    """The file in which something of this was given."""
    while not isinstance(given, _Given):
        given = next(iter(given.values() if isinstance(given, dict) else given), _Given(None, "The settings"))
    return given.source


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _default_of(field: dataclasses.Field[Any], table: object) -> object:
    """What a field is when nobody says: as in the table's own default, else the field's."""
    if table is not None:
        return getattr(table, field.name)
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default


# ── Types ───────────────────────────────────────────────────────────────────────────────────────────────────

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def _fitted(hint: Hint, given: _Given) -> object:
    """The value as its type; text is read as one where it is all that can be given.

    Raises:
        _Unfit: it is none.
    """
    if _is_union(hint):
        return _fitted_to_any(typing.get_args(hint), given)
    if _origin(hint) is Literal:
        return _fitted_to_literal(typing.get_args(hint), given)
    if _is_array(hint):
        return _fitted_to_items(typing.get_args(hint), given)
    if hint is Any:
        return given.value
    reader = _READERS.get(hint)
    if reader is None:
        raise _Unfit
    return reader(given)


def _fitted_to_any(hints: tuple[Hint, ...], given: _Given) -> object:
    if types.NoneType in hints and given.is_text and given.value == "":
        return None
    # A text fits everything that holds texts: ask the others first.
    for hint in sorted(hints, key=lambda hint: hint in {str, Secret, Path}):
        try:
            return _fitted(hint, given)
        except _Unfit:
            continue
    raise _Unfit


def _fitted_to_literal(choices: tuple[object, ...], given: _Given) -> object:
    for choice in choices:
        if (given.value == choice and type(given.value) is type(choice)) or (
            given.is_text and given.value == str(choice)
        ):
            return choice
    raise _Unfit("" if given.is_private else nearest(str(given.value), map(str, choices)))


def _fitted_to_items(hints: tuple[Hint, ...], given: _Given) -> tuple[object, ...]:
    """Items of an array; in the environment, texts between commas or an array as TOML writes it."""
    items = _items_of_text(str(given.value)) if given.is_text else given.value
    if not isinstance(items, list):
        raise _Unfit
    is_any_length = len(hints) == 1 or hints[-1] is Ellipsis
    item_hints = [hints[0]] * len(items) if is_any_length else list(hints)
    if len(item_hints) != len(items):
        raise _Unfit(f"It has {len(items)} item{'s' * (len(items) != 1)}, not {len(item_hints)}")
    fitted: list[object] = []
    for at, (hint, item) in enumerate(zip(item_hints, items, strict=True)):
        try:
            is_text = isinstance(item, str) and given.is_text
            fitted.append(_fitted(hint, dataclasses.replace(given, value=item, is_text=is_text)))
        except _Unfit as error:
            raise _UnfitItem(at, hint, item, str(error)) from None
    return tuple(fitted)


def _items_of_text(text: str) -> list[object]:
    if not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    import tomllib  # noqa: PLC0415 as above

    try:
        items = tomllib.loads(f"items = {text}")["items"]
    except tomllib.TOMLDecodeError:
        raise _Unfit from None
    return items if isinstance(items, list) else []


def _bool(given: _Given) -> bool:
    if isinstance(given.value, bool):
        return given.value
    word = str(given.value).strip().lower() if given.is_text else ""
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise _Unfit


def _int(given: _Given) -> int:
    value = given.value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _number_of_text(given, int)


def _float(given: _Given) -> float:
    value = given.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    else:
        number = _number_of_text(given, float)
    if not math.isfinite(number):  # nobody can wait so long
        raise _Unfit
    return number


N = TypeVar("N", int, float)


def _number_of_text(given: _Given, kind: Callable[[str], N]) -> N:
    if not given.is_text:
        raise _Unfit
    try:
        return kind(str(given.value).strip())
    except ValueError:
        raise _Unfit from None


def _str(given: _Given) -> str:
    if not isinstance(given.value, str):
        raise _Unfit
    return given.value


def _path(given: _Given) -> Path:
    try:
        return Path(_str(given)).expanduser()
    except RuntimeError:
        raise _Unfit from None  # nobody knows whose home that is


def _secret(given: _Given) -> Secret:
    return Secret(_str(given))


def _none(_given: _Given) -> None:
    raise _Unfit  # TOML has no way to say nothing; leaving it out is that way.


_READERS: Mapping[Hint, Callable[[_Given], object]] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    Path: _path,
    Secret: _secret,
    types.NoneType: _none,
}
