"""The tools as commands: a tool's arguments are the words and options of its command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from logpith.cli.words import Option

if TYPE_CHECKING:
    from logpith.component import Argument
    from logpith.tools import Tool

_WORDS_FOR: Mapping[str, str] = {"sources": "PATH…", "refs": "REF…"}


def tools_by_command() -> Mapping[str, type[Tool]]:
    """Tools by their command, in the order in which people need them."""
    from logpith.tools import tools  # `--version` does without

    by_command = {tool.command: tool for tool in tools().values()}
    return dict(sorted(by_command.items(), key=lambda named: (named[0] != "overview", named[0])))


def arguments_of(tool: type[Tool]) -> tuple[Argument, ...]:
    from logpith.component import describe  # `--version` does without

    return describe(tool)


def options_of(tool: type[Tool]) -> tuple[Option, ...]:
    """The options of a tool's arguments, those that it takes as words left out."""
    return tuple(
        Option(
            name=option_name(argument),
            letter=_letter_for(tool, argument),
            value=_placeholder(argument),
            doc=doc_with_default(argument),
        )
        for argument in arguments_of(tool)
        if not is_only_word(tool, argument)
    )


def is_only_word(tool: type[Tool], argument: Argument) -> bool:
    """Whether an argument is taken as a word only; a query may be given as everywhere, by -q."""
    return argument.name in tool.positional and argument.name != "query"


def _letter_for(tool: type[Tool], argument: Argument) -> str:
    if argument.name == "query" and "q" not in tool.flags.values():
        return "q"
    return tool.flags.get(argument.name, "")


def option_name(argument: Argument) -> str:
    name = argument.name.replace("_", "-")
    return f"no-{name}" if argument.kind is bool and argument.default is True else name


def _placeholder(argument: Argument) -> str:
    if argument.kind is bool:
        return ""
    if argument.choices:
        return "|".join(argument.choices)
    return "N" if argument.kind in {int, float} else "TEXT"


def doc_with_default(argument: Argument) -> str:
    told = "" if argument.required or argument.default in (None, (), "", False, True) else argument.default
    return f"{argument.doc} (default: {told})" if told != "" else argument.doc


def usage_words(tool: type[Tool]) -> str:
    optional = {
        argument.name for argument in arguments_of(tool) if not argument.required and not argument.many
    }
    return " ".join(f"[{word_for(name)}]" if name in optional else word_for(name) for name in tool.positional)


def word_for(name: str) -> str:
    return _WORDS_FOR.get(name, name.upper())
