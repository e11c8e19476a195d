"""A tool's command: the question that was typed is built, asked and answered."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from logpith.cli.answers import show_answer
from logpith.cli.arguments import arguments_of, is_only_word, option_name, options_of, usage_words, word_for
from logpith.cli.asked import names_source, opened_desk, what_is_asked
from logpith.cli.extras import EXTRAS
from logpith.cli.help import help_for_tool
from logpith.cli.words import COMMON, FOUND, NOTHING, Parsed, parse, show
from logpith_emit.errors import BadArgument, NotFound

if TYPE_CHECKING:
    from logpith.component import Argument
    from logpith.tools import Tool

SETTINGS_FILE = "logpith.toml"


def run_tool(tool: type[Tool], words: Sequence[str]) -> int:
    extras = EXTRAS.get(tool.command, ())
    extra_options = [option for extra in extras for option in (extra.option, *extra.further)]
    parsed = parse(words, (*options_of(tool), *extra_options, *COMMON), tool.command)
    if "help" in parsed.options:
        return show(help_for_tool(tool))
    question = _build_question(tool, parsed)
    asked = what_is_asked(question, parsed.options)
    if asked is None:
        usage = f"logpith {tool.command} {usage_words(tool)}"
        raise BadArgument(
            "there is nothing to read",
            remedy=f"Name a file, a folder or a glob, or pipe text in: {usage}. Or name sources in {SETTINGS_FILE}, "
            "and they are asked: logpith check shows what it says",
        )
    with opened_desk(asked) as desk:
        for extra in extras:
            if extra.option.name in parsed.options:
                return extra.run(question, desk, parsed.options)
        from logpith.app import ask  # what answers need is loaded by the first question

        try:
            answer = ask(question, desk)
        except NotFound as error:
            raise _perhaps_unquoted(question, error) from error
    show_answer(
        answer,
        question,
        as_json="json" in parsed.options,
        colour="no-color" not in parsed.options,
        asked=asked,
    )
    return FOUND if answer.found else NOTHING


def _build_question(tool: type[Tool], parsed: Parsed) -> Tool:
    """The question that was typed.

    Raises:
        BadArgument: says what is wrong in the words of the command line.
    """
    from logpith.component import build, mend, problem_with, read_text

    given: dict[str, object] = {}
    arguments = {argument.name: argument for argument in arguments_of(tool)}
    for argument in arguments.values():
        dashed = option_name(argument)
        typed = parsed.lists.get(dashed)
        if typed is None or is_only_word(tool, argument):
            continue
        value: object
        if argument.kind is bool:
            value = argument.default is not True
        elif argument.many:
            value = [read_text(argument, text) for text in typed]
        else:
            value = read_text(argument, typed[-1])
        if problem := problem_with(argument, value):
            near = mend(argument, value)
            remedy = f"logpith {tool.command} --help lists the options"
            raise BadArgument(
                f"--{dashed} {problem}",
                remedy=remedy if near in (None, []) else f"Try --{dashed} {near}",
            )
        given[argument.name] = value
    if "highlight" in arguments and "json" not in parsed.options and sys.stdout.isatty():
        given.setdefault("highlight", True)  # a person sees them as colours
    given |= _assign_words(
        tool, [name for name in tool.positional if name not in given], arguments, parsed.words
    )
    return build(tool, given)


def _assign_words(
    tool: type[Tool], names: Sequence[str], arguments: Mapping[str, Argument], words: Sequence[str]
) -> dict[str, object]:
    """The words of the command line by argument, in this order of names; refs are known by their looks."""
    from logpith.corpus.refs import looks_like_ref

    given: dict[str, object] = {}
    left = list(words)
    for name in names:
        argument = arguments[name]
        if name == "refs":
            given[name] = [word for word in left if looks_like_ref(word)]
            left = [word for word in left if not looks_like_ref(word)]
            if cut := [word for word in left if re.fullmatch(r"e\d+@\w*", word) and not names_source(word)]:
                raise BadArgument(
                    f"{cut[0]!r} is no whole ref", remedy="Copy one as it is shown: e12@3f9ac21b"
                )
        elif argument.many:
            if "" in left:  # as of a variable that is not set; the working directory is `.`
                raise BadArgument("a path is empty", remedy="Name a file, a folder or a glob")
            given[name], left = left, []
        elif left and not (name == "query" and names_source(left[0])):
            given[name] = left.pop(0)
        elif argument.required:
            usage = f"logpith {tool.command} {usage_words(tool)}"
            raise BadArgument(f"{name.upper()} is missing", remedy=f"Write {usage}")
    if left:
        raise BadArgument(f"{left[0]!r} is one word too many", remedy=f"logpith {tool.command} --help")
    return given


def _perhaps_unquoted(question: Tool, error: NotFound) -> NotFound:
    """The error, and what to do where the shell has taken a text of several words apart: `grep no route app.log`."""
    name, sources = question.positional[0], question.sources
    first = str(getattr(question, name, ""))
    is_text = name in {"pattern", "query", "statement"} and bool(first)
    if not is_text or not sources[1:] or names_source(sources[0]) or not names_source(sources[-1]):
        return error
    quoted = shlex.quote(f"{first} {sources[0]}")
    return NotFound(
        error.problem, remedy=f"{error.remedy}. If that belongs to the {word_for(name)}, quote it: {quoted}"
    )
