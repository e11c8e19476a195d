"""What `--help` shows, and texts that are written for agents in the words of the command line."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from logpith.cli.arguments import (
    arguments_of,
    doc_with_default,
    option_name,
    options_of,
    tools_by_command,
    usage_words,
    word_for,
)
from logpith.cli.extras import EXTRAS
from logpith.cli.words import COMMON, EXIT_CODES, HELP, Command, Option

if TYPE_CHECKING:
    from logpith.tools import Tool


def help_for_all(commands: Iterable[Command]) -> str:
    summaries = {name: _first_sentence(tool.__doc__) for name, tool in tools_by_command().items()}
    summaries |= {command.name: command.summary for command in commands}
    return "\n".join(
        [
            "logpith: the pith of your logs. Short, true, traceable answers from any log text.",
            "",
            "Usage: logpith PATH…              what is in these files, folders or globs",
            "       PROGRAM | logpith          the same for what a program prints",
            "       logpith COMMAND …          another question",
            "",
            "Commands:",
            *_columns(summaries.items()),
            "",
            "Begin with:",
            "  logpith demo                    see it work on made-up logs",
            "  logpith /var/log",
            "  logpith grep -q 'level>=error' app.log",
            "",
            "logpith COMMAND --help tells more. logpith --version tells which one this is.",
            EXIT_CODES,
        ]
    )


def help_for_tool(tool: type[Tool]) -> str:
    docs = {argument.name: doc_with_default(argument) for argument in arguments_of(tool)}
    if "query" in tool.positional:
        docs["query"] += (
            " A first word that names a file, a folder or a glob with files is no query, but is read."
        )
    docs["sources"] = (
        "Files, globs or folders to read; - is standard input, which is also read when piped. Without any, what was "
        "collected is asked, of which names of sources and groups in the settings choose a part."
    )
    words = [(word_for(name), _for_people(tool, docs[name])) for name in tool.positional]
    extras = EXTRAS.get(tool.command, ())
    options = (*options_of(tool), *(option for extra in extras for option in (extra.option, *extra.further)))
    return _help(
        f"logpith {tool.command} {usage_words(tool)} [options]",
        _for_people(tool, tool.__doc__ or ""),
        words,
        [*(replace(option, doc=_for_people(tool, option.doc)) for option in options), *COMMON],
        tool.examples,
    )


def help_for_command(command: Command) -> str:
    return _help(command.usage, command.doc, (), (*command.options, HELP), command.examples)


def in_commands(text: str) -> str:
    """The text with the names of tools as commands: `log_grep(…)` is `logpith grep` here."""
    for tool in tools_by_command().values() if "_" in text else ():
        # A part of a path is no tool.
        text = re.sub(rf"(?<![\w./-]){tool.name}(?![\w/-])(?:\([^)]*\))?", f"logpith {tool.command}", text)
    return text


def _for_people(tool: type[Tool], doc: str) -> str:
    """A tool's text for agents in the words of the command line: `pattern` is PATTERN here."""
    doc = in_commands(doc)
    for argument in arguments_of(tool):
        is_word = argument.name in tool.positional
        doc = doc.replace(
            f"`{argument.name}`", word_for(argument.name) if is_word else f"--{option_name(argument)}"
        )
    return doc


def _help(
    usage: str,
    doc: str | None,
    words: Iterable[tuple[str, str]],
    options: Iterable[Option],
    examples: Iterable[str],
) -> str:
    lines = [f"Usage: {usage}", "", *textwrap.wrap(" ".join((doc or "").split()), _width())]
    lines += ["", *_columns(words)] if words else []
    shown = [option for option in options if not option.hidden]
    spelled = [
        (f"-{option.letter}, " * bool(option.letter) + option.spelled, _doc_with_choices(option))
        for option in shown
    ]
    lines += ["", "Options:", *_columns(spelled)]
    lines += ["", "Examples:", *(f"  {example}" for example in examples)]
    return "\n".join([*lines, "", EXIT_CODES])


def _doc_with_choices(option: Option) -> str:
    return f"{option.doc} One of: {', '.join(option.choices())}." if option.choices else option.doc


def _first_sentence(doc: str | None) -> str:
    sentence, _, _ = " ".join((doc or "").split()).partition(". ")
    return sentence.partition(": ")[0].rstrip(".") + "."


def _columns(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Terms and what they mean, side by side where there is room."""
    rows = list(rows)
    left = min(max((len(term) for term, _ in rows), default=0), 28) + 2
    lines: list[str] = []
    for term, meaning in rows:
        wrapped = textwrap.wrap(meaning, max(_width() - left - 2, 30)) or [""]
        stands_alone = len(term) > left - 2
        lines += [f"  {term}"] if stands_alone else []
        lines.append(f"  {'' if stands_alone else term:<{left}}{wrapped[0]}".rstrip())
        lines += [" " * (left + 2) + line for line in wrapped[1:]]
    return lines


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 110)
