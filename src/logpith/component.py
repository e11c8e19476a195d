"""A component is a frozen dataclass whose fields are its settings, and whose text is their documentation.

From the class alone come the arguments of a tool, their JSON Schema, their `--help` and the check of what a
caller gives. A field is written as a bool, int, float, str or `Literal` of texts, as a tuple of one of them,
or as one of them `| None`; the string under it says what it is, its metadata may hold `minimum`, `maximum`,
and `most`: more than that is no mistake, but gives no more.
A `Secret` is given as text, and no error shows it.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import inspect
import itertools
import json
import pkgutil
import re
import shlex
import sys
import textwrap
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, TypeVar

from logpith_emit.errors import BadArgument, nearest, refuse_all
from logpith_emit.secret import Secret

Built = TypeVar("Built")

REQUIRED: Final = object()
"""The default of an argument that has none."""

PROGRAM = "command"
"""The setting that names a program and its arguments."""

_SHELL_SIGNS = re.compile(r"[|&;<>()$`*?~\n]")

LONGEST_ECHO = 60
"""Characters of a wrong value that a problem repeats."""

LONGEST_SPELLED = 400
"""Characters of a value in a corrected call."""

_SCHEMA_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_ONE: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_MANY: Mapping[type, str] = {bool: "true or false", int: "whole numbers", float: "numbers", str: "texts"}


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One field of a component, as its callers see it."""

    name: str
    kind: type
    """bool, int, float or str: what one value is."""

    many: bool = False
    """Whether it is a list of such values."""

    optional: bool = False
    """Whether None may stand for it."""

    secret: bool = False
    """Whether it becomes a `Secret`, which no error may show."""

    choices: tuple[str, ...] = ()
    default: object = REQUIRED
    doc: str = ""
    minimum: float | None = None
    maximum: float | None = None
    most: float | None = None
    """More than this may be given, and means this; `bring_down` tells so."""

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def accepted(self) -> str:
        """What may be given, in words: `a whole number from 100 to 20000`."""
        if self.choices:
            one = "one of " + ", ".join(self.choices)
        else:
            one = (_MANY if self.many else _ONE)[self.kind] + self._bounds
        return f"a list of {one}" if self.many else one

    @property
    def _bounds(self) -> str:
        match self.minimum, self.maximum:
            case None, None:
                return ""
            case low, None:
                return f" of at least {low}"
            case None, high:
                return f" of at most {high}"
            case low, high:
                return f" from {low} to {high}"


def describe(cls: type) -> tuple[Argument, ...]:
    """The arguments of a component: the required first, otherwise as written, inherited ones last."""
    return _described(cls)


@cache
def _described(cls: Any) -> tuple[Argument, ...]:  # mypy holds no class with fields for hashable
    own: list[Argument] = []
    inherited: list[Argument] = []
    for setting in dataclasses.fields(cls):
        owners = [base for base in cls.__mro__ if setting.name in vars(base).get("__annotations__", {})]
        (own if owners == [cls] else inherited).append(_argument(setting, owners[0]))
    return tuple(sorted([*own, *inherited], key=lambda argument: not argument.required))


def json_schema(cls: type) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a component's arguments, as small as agents need it."""
    arguments = describe(cls)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {argument.name: _property(argument) for argument in arguments},
        "additionalProperties": False,
    }
    required = [argument.name for argument in arguments if argument.required]
    return schema | ({"required": required} if required else {})


def build(cls: type[Built], given: Mapping[str, object]) -> Built:
    """The component with what a caller gave, which names only its arguments and fits them.

    None for an argument that need not be given means that it was not given.

    Raises:
        BadArgument: names every wrong argument, what would be accepted, and the corrected call.
    """
    arguments = {argument.name: argument for argument in describe(cls)}
    fitting: dict[str, object] = {}
    mended: dict[str, object] = {}
    problems: list[str] = []
    hints: list[str] = []
    for name, value in _by_own_names(cls, given).items():
        known = arguments.get(name)
        if known is None:
            problems.append(f"there is no argument named {_echo(name)}")
            hints.append(nearest(name, arguments).strip())
            meant = difflib.get_close_matches(name, set(arguments) - set(given), n=1)
            mended.update({near: mend(arguments[near], value) for near in meant})
        elif value is None and not known.required:
            continue
        elif problem := problem_with(known, value):
            problems.append(f"{name} {problem}")
            mended[name] = mend(known, value)
        else:
            fitting[name] = _settle(known, value)
    for name, argument in arguments.items():
        if argument.required and name not in fitting | mended:
            problems.append(f"{name} is missing: it is {argument.accepted}")
            mended[name] = mend(argument, "...")
    if problems:
        hints.append(f"The arguments are {', '.join(arguments)}.")
        hints.append(f"Call {spell_call(cls, fitting | mended)}")
        raise BadArgument("; ".join(problems), remedy=" ".join(filter(None, hints)))
    return cls(**fitting)


def bring_down(component: Built) -> tuple[Built, tuple[str, ...]]:
    """The component with no argument above its `most`, and of each that was what it is now: `limit to 200`."""
    lowered: dict[str, Any] = {}
    for argument in describe(type(component)):
        value = getattr(component, argument.name)
        if argument.most is not None and value is not None and value > argument.most:
            lowered[argument.name] = argument.kind(argument.most)
    if not lowered:
        return component, ()
    told = tuple(f"{name} to {value:,}" for name, value in lowered.items())
    return dataclasses.replace(typing.cast("Any", component), **lowered), told


def _by_own_names(cls: type, given: Mapping[str, object]) -> dict[str, object]:
    """What was given, under the arguments' own names where an alias was used; one text may stand for a list."""
    aliases: Mapping[str, str] = getattr(cls, "aliases", {})
    many = {argument.name for argument in describe(cls) if argument.many}
    named: dict[str, object] = {}
    for name, value in given.items():
        own = aliases.get(name, name)
        if own in given and own != name:
            own = name  # both were given: the alias is one argument too many
        named[own] = [value] if own != name and own in many and isinstance(value, str) else value
    return named


def configure(cls: type[Built], given: Mapping[str, object], place: str) -> Built:
    """The component that a table of the settings describes.

    A table within it is a list of texts `name=value`, and text is read as what it must be: `${PORT}` is text.

    Raises:
        BadArgument: every mistake, with its place in the settings.
    """
    arguments = {argument.name: argument for argument in describe(cls)}
    fitting: dict[str, object] = {}
    mistakes: list[BadArgument] = []
    for name, told in given.items():
        known = arguments.get(name)
        if known is None:
            offer = nearest(name, arguments).strip() or f"There are: {', '.join(arguments)}"
            mistakes.append(BadArgument(f"{place}: no setting named {_echo(name)}", remedy=offer))
            continue
        value = told
        if known.many and known.kind is str and isinstance(told, Mapping):
            value = [f"{key}={_plain(item)}" for key, item in told.items()]
        elif isinstance(told, str) and not known.many:
            value = read_text(known, told)
        if problem := problem_with(known, value):
            if name == PROGRAM and isinstance(value, str):
                near: object = words_of_program(value)
            else:
                near = mend(known, value)
            remedy = f"Write {name} = {_spell(near)}" if near not in (None, []) else "Mend that place"
            mistakes.append(BadArgument(f"{place}.{name} {problem}", remedy=remedy))
            continue
        fitting[name] = _settle(known, value)
    # What is missing may be an unknown name, misspelled.
    mistakes = mistakes or [
        BadArgument(f"{place}: '{name}' is missing", remedy=f"Give it {argument.accepted}")
        for name, argument in arguments.items()
        if argument.required and name not in given
    ]
    refuse_all(mistakes)
    try:
        return cls(**fitting)
    except BadArgument as error:  # What the class itself refuses; only we know the place.
        raise BadArgument(f"{place}: {error.problem}", remedy=error.remedy) from error


def words_of_program(text: str) -> list[str]:
    """A program as a list of its words; where only a shell understands the text, that of a shell that is given it."""
    if _SHELL_SIGNS.search(text):
        return ["sh", "-c", text]
    try:
        return shlex.split(text)
    except ValueError:  # an open quote
        return text.split()


def types_in(package: str, kind: Any) -> Mapping[str, Any]:  # to mypy an abstract class is no type[…]
    """The classes of a kind in the files of a package, by the name of the file: the folder is the registry."""
    found: dict[str, Any] = {}
    for module_info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{module_info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, kind) and value.__module__ == module.__name__:
                found[module_info.name] = value
    return found


def _plain(item: object) -> str:
    return item if isinstance(item, str) else json.dumps(item, default=str)


def problem_with(argument: Argument, value: object) -> str:
    """Why `value` cannot be used, to follow the argument's name; empty when it can."""
    values = value if argument.many and isinstance(value, list | tuple) else [value]
    fits = isinstance(value, list | tuple) == argument.many and all(_fits(argument, one) for one in values)
    shown = "" if argument.secret else f", not {_echo(value)}"
    return "" if fits else f"must be {argument.accepted}{shown}"


def mend(argument: Argument, value: object) -> object:
    """The usable value that is nearest to a wrong one; None when nothing is near."""
    if argument.secret:
        return None
    values = value if isinstance(value, list | tuple) else [value]
    mended = [near for one in values if (near := _mend_one(argument, one)) is not None]
    if argument.many:
        return mended
    return mended[0] if mended else None


def read_text(argument: Argument, text: str) -> object:
    """The value that someone typed as text; text that is none comes back as it is, for `problem_with`."""
    try:
        if argument.kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return argument.kind(text)
    except (KeyError, ValueError):
        return text


def spell_call(cls: type, given: Mapping[str, object]) -> str:
    """A call ready to copy, without what is None: `log_grep(pattern="quota", budget=500)`."""
    name = getattr(cls, "name", cls.__name__)
    spelled = (f"{key}={_spell(value)}" for key, value in given.items() if value is not None)
    return f"{name}({', '.join(spelled)})"


def _argument(setting: dataclasses.Field[Any], owner: type) -> Argument:
    annotation = _resolve(setting.type, owner)
    optional = False
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        optional = type(None) in typing.get_args(annotation)
        (annotation,) = (part for part in typing.get_args(annotation) if part is not type(None))
    many = typing.get_origin(annotation) is tuple
    if many:
        annotation = typing.get_args(annotation)[0]
    choices = typing.get_args(annotation) if typing.get_origin(annotation) is Literal else ()
    secret = annotation is Secret
    kind = str if choices or secret else annotation
    if kind not in _SCHEMA_TYPES:
        raise TypeError(f"{owner.__name__}.{setting.name}: a component's field cannot be {setting.type!r}")
    default = setting.default
    if setting.default_factory is not dataclasses.MISSING:
        default = setting.default_factory()
    return Argument(
        name=setting.name,
        kind=kind,
        many=many,
        optional=optional,
        secret=secret,
        choices=choices,
        default=REQUIRED if default is dataclasses.MISSING else default,
        doc=field_docs(owner).get(setting.name, ""),
        minimum=setting.metadata.get("minimum"),
        maximum=setting.metadata.get("maximum"),
        most=setting.metadata.get("most"),
    )


def _resolve(annotation: object, owner: type) -> Any:
    """The type that a field's annotation names.

    Field by field, since the class's other annotations may name what is imported for type checkers only.
    """
    holder = types.SimpleNamespace(__annotations__={"field": annotation})
    return typing.get_type_hints(holder, vars(sys.modules[owner.__module__]))["field"]


@cache
def field_docs(owner: type) -> Mapping[str, str]:
    """The string under each field of the class, by the field's name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    body = typing.cast("ast.ClassDef", tree.body[0]).body
    docs: dict[str, str] = {}
    for statement, below in itertools.pairwise(body):
        match statement, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = " ".join(text.split())
    return docs


def _property(argument: Argument) -> dict[str, Any]:
    one: dict[str, Any] = {"type": _SCHEMA_TYPES[argument.kind]}
    if argument.choices:
        one["enum"] = list(argument.choices)
    if argument.minimum is not None:
        one["minimum"] = argument.minimum
    if argument.maximum is not None:
        one["maximum"] = argument.maximum
    spelled: dict[str, Any] = {"type": "array", "items": one} if argument.many else one
    if argument.doc:
        spelled["description"] = argument.doc
    if not argument.required and argument.default not in (None, (), "", False):
        default = argument.default
        spelled["default"] = list(default) if isinstance(default, tuple) else default
    return spelled


def _settle(argument: Argument, value: object) -> object:
    """What fits, in the field's own type."""
    if isinstance(value, list | tuple):
        return tuple(_settle(argument, one) for one in value)
    if argument.secret:
        return Secret(str(value))
    return _as_kind(argument, value)


def _as_kind(argument: Argument, value: object) -> object:
    """The number in the argument's kind: to JSON, 5 and 5.0 are one number."""
    if argument.kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        return float(value)
    if argument.kind is int and type(value) is float and value.is_integer():
        return int(value)
    return value


def _fits(argument: Argument, value: object) -> bool:
    value = _as_kind(argument, value)
    # A bool is an int to Python, not to a caller.
    if type(value) is not argument.kind or (argument.choices and value not in argument.choices):
        return False
    if not isinstance(value, int | float):
        return True
    above = argument.minimum is None or value >= argument.minimum
    below = argument.maximum is None or value <= argument.maximum
    return above and below and value - value == 0  # the last is what neither NaN nor infinity is


def _mend_one(argument: Argument, value: object) -> object:
    if isinstance(value, str):
        value = read_text(argument, value)
    if isinstance(value, str) and argument.choices:
        return next(iter(difflib.get_close_matches(value, argument.choices, n=1)), argument.choices[0])
    if argument.kind is str:
        return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    if argument.kind is bool:
        return value if isinstance(value, bool) else None
    if isinstance(value, int | float) and abs(value) <= sys.float_info.max:
        low = value if argument.minimum is None else argument.minimum
        high = value if argument.maximum is None else argument.maximum
        return argument.kind(min(max(value, low), high))
    return argument.minimum or 0 if argument.required else None


def _echo(value: object) -> str:
    """A caller's value in a problem: one line, in ASCII, not long."""
    return _shorten(json.dumps(value, default=str), LONGEST_ECHO)


def _spell(value: object) -> str:
    return _shorten(json.dumps(value, default=str, ensure_ascii=False), LONGEST_SPELLED)


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…({len(text)} characters)"
