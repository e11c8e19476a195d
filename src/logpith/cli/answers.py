"""An answer as it is printed, and the calls that it proposes as command lines."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from logpith.cli.arguments import arguments_of
from logpith.cli.asked import Asked
from logpith.cli.waiting import is_piped_into

if TYPE_CHECKING:
    import ast

    from logpith.answer import Answer
    from logpith.tools import Tool


def show_answer(
    answer: Answer,
    question: Tool,
    *,
    as_json: bool = False,
    colour: bool = True,
    asked: Asked | None = None,
) -> None:
    """Prints an answer: as JSON, as tables for a person at a terminal, or as plain text into a pipe.

    As text, the calls that it proposes are command lines about the same sources.
    """
    from logpith.answer import to_compact_json, to_text

    if as_json:
        print(to_compact_json(answer))
        return
    from logpith.quote import show_hidden

    asked = asked or Asked(is_piped=is_piped_into())
    answer = replace(
        answer,
        # A file's name may hold what a terminal obeys.
        next=tuple(show_hidden(command_line(call, question.sources, asked)) for call in answer.next),
        cursor=answer.cursor and show_hidden(_command_line_from(answer.cursor, question, asked)),
    )
    if sys.stdout.isatty():
        from logpith.terminal import print_answer  # rich is for terminals only

        print_answer(answer, sys.stdout, colour=colour and not os.environ.get("NO_COLOR"))
    else:
        print(to_text(answer))


def command_line(call: str, sources: Sequence[str], asked: Asked | None = None) -> str:
    """The command line for an agent's call about `sources`; what is no whole call stays as it is.

    `log_fetch(refs=["e12@3f9ac21b"], before=5)` → `logpith fetch e12@3f9ac21b --before 5`
    """
    import ast  # only answers that propose something need it

    from logpith.tools import tools

    try:
        match ast.parse(call, mode="eval").body:
            case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords) if name in tools():
                given = {str(keyword.arg): _value_of(keyword.value) for keyword in keywords}
            case _:
                return call
    except (SyntaxError, ValueError):
        return call
    return _spell_command(tools()[name], given | ({} if given.get("refs") else {"sources": sources}), asked)


def _value_of(node: ast.expr) -> object:
    """What a call's argument says: calls are written as agents write them, with JSON's `true`."""
    import ast

    if isinstance(node, ast.Name) and node.id in {"true", "false"}:
        return node.id == "true"
    return ast.literal_eval(node)


def _command_line_from(cursor: str, question: Tool, asked: Asked) -> str:
    """The command line that goes on behind `question`: its cursor is an argument, `offset=50`."""
    name, _, value = cursor.partition("=")
    arguments = arguments_of(type(question))
    if name not in {argument.name for argument in arguments}:
        return cursor
    said = {argument.name: getattr(question, argument.name) for argument in arguments}
    given = {
        argument.name: said[argument.name]
        for argument in arguments
        if said[argument.name] != argument.default
    }
    return _spell_command(type(question), given | {name: value}, asked)


def _spell_command(tool: type[Tool], given: Mapping[str, object], asked: Asked | None) -> str:
    asked = asked or Asked(is_piped=is_piped_into())
    words = ["logpith", tool.command]
    for name in tool.positional:
        value = given.get(name, ())
        words += value if isinstance(value, list | tuple) else [str(value)]
    for name, value in given.items():
        if name not in tool.positional:
            words += _spell_option(tool, name, value)
    is_about_stdin = asked.is_piped and not given.get("sources")
    return "… | " * is_about_stdin + shlex.join([*words, *asked.words])


def _spell_option(tool: type[Tool], name: str, value: object) -> list[str]:
    dashed = f"-{tool.flags[name]}" if name in tool.flags else f"--{name.replace('_', '-')}"
    if isinstance(value, list | tuple):
        return [word for one in value for word in (dashed, str(one))]
    return [dashed] if value is True else [dashed, str(value)]
