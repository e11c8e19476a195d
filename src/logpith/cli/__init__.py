"""The command line. Its commands are the tools, and what only a person at a terminal needs.

Start-up matters here: what is heavy is imported where it is used. Imports point up this list only:

    words        what is typed, and what all commands have in common
    waiting      the progress line, what is told of compiling, what is piped in
    arguments    a tool's arguments as words and options of its command
    extras       what the commands of some tools do besides
    help         what `--help` shows
    asked        what a question is about, and the desk for it
    answers      an answer as it is printed
    questions    a tool's command
    serving      mcp, serve, demo
    following    tail, ship
    making       new, client-config, skill
    trying       check, config, pipeline, parse
    keeping      ingest, retention, snapshot, explain, store
    commands     all of those that are no tools, in the order of help
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from logpith import __version__
from logpith.cli.arguments import tools_by_command
from logpith.cli.commands import COMMANDS
from logpith.cli.help import help_for_all, help_for_command, in_commands
from logpith.cli.questions import run_tool
from logpith.cli.waiting import is_piped_into, told_of_compiling
from logpith.cli.words import ERROR, FOUND, HELP, INTERRUPTED, parse, show
from logpith.memory import share_one_allocator
from logpith_emit.errors import BadArgument, LogpithError, nearest

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line; the exit code for the shell."""
    share_one_allocator()
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None:  # closed by who called: there is nobody to tell, but the exit code
        return ERROR
    if sys.stderr is None:  # the same, but the answer is wanted
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        with told_of_compiling(words):
            code = _run(words)
        sys.stdout.flush()
    except LogpithError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough. What is still buffered must not raise again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno in _NO_ROOM:
            # What is still buffered must not raise again when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _complain(f"the answer cannot be written: {os.strerror(fault.errno)}. Write it elsewhere")
        if os.environ.get("LOGPITH_DEBUG"):
            raise
        return _complain(
            f"{type(fault).__name__} in logpith itself. Set LOGPITH_DEBUG=1 to see where, and report it"
        )
    return code


def _complain(text: str) -> int:
    from logpith.quote import show_hidden  # only errors need it

    # Lines of ours may follow, such as the place in a query; they stand in, so that no name can forge one.
    lines = [show_hidden(line) for line in in_commands(text).splitlines()]
    with suppress(OSError, ValueError, AttributeError):  # nobody may be listening
        sys.stderr.write("logpith: " + "\n  ".join(lines) + "\n")
        sys.stderr.flush()
    return ERROR


def _run(words: list[str]) -> int:
    if words[:1] == ["--version"]:
        print(f"logpith {__version__}")
        return FOUND
    if words[:1] == ["--help"] or words[:1] == ["-h"] or words == ["help"]:
        return show(help_for_all(COMMANDS.values()))
    if words[:1] == ["help"] and words[1:2] and words[1] in {*tools_by_command(), *COMMANDS}:
        words = [words[1], "--help"]
    if not words and not is_piped_into():
        return show(help_for_all(COMMANDS.values()))
    name, words = _command_first(words)
    command = COMMANDS.get(name)
    if command is None:
        return run_tool(tools_by_command()[name], words)
    parsed = parse(words, (*command.options, HELP), command.name)
    if "help" in parsed.options:
        return show(help_for_command(command))
    return command.run(parsed)


def _command_first(words: list[str]) -> tuple[str, list[str]]:
    """The command and the words that are left; `overview` when none is named.

    Options may stand before a command; a tool may be called as agents call it, `search-logs`. A file of a command's
    name is written `./grep`.
    """
    names = {name: name for name in (*tools_by_command(), *COMMANDS)}
    for command, tool in tools_by_command().items():
        names |= {tool.name: command, tool.name.replace("_", "-"): command}
    for place, word in enumerate(words):
        if word in names:
            return names[word], words[:place] + words[place + 1 :]
        is_option = word.startswith("-") and word not in {"-", "--"}
        if not is_option and words[max(place - 1, 0)] != "--budget":
            _refuse_misspelled(word, {*tools_by_command(), *COMMANDS})
            break
    return "overview", words


def _refuse_misspelled(word: str, names: Iterable[str]) -> None:
    """Nothing, unless a word that names no file looks like one of the commands."""
    hint = nearest(word, names)
    if hint and word.isalpha() and not Path(word).exists():
        raise BadArgument(
            f"there is neither a command nor a file '{word}'.{hint}",
            remedy="logpith --help lists the commands",
        )
