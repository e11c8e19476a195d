"""The command line. Its commands are the tools, and what only a person at a terminal needs.

Start-up matters here: what is heavy is imported where it is used.
"""

from __future__ import annotations

import errno
import getopt
import os
import re
import shlex
import shutil
import stat
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from logpith import __version__
from logpith.memory import share_one_allocator
from logpith_emit.errors import BadArgument, LogpithError, NotFound, nearest

if TYPE_CHECKING:
    import ast

    from logpith.answer import Answer, Evidence
    from logpith.collected import When
    from logpith.component import Argument
    from logpith.corpus.desk import Desk
    from logpith.progress import ProgressLine
    from logpith.sending import Server
    from logpith.settings import Found, Settings
    from logpith.tools import Tool
    from logpith.upkeep import Report

FOUND, NOTHING, ERROR, INTERRUPTED = 0, 1, 2, 130

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

COMPILING = "compiling once for this machine (about 30 s)"
COMPILING_MORE = "compiling once for this machine"
"""What a kind of question needs for the first time."""

_LOOK_EVERY_S = 0.1
_MOST_LOOKS = 1_200
"""What is served for longer has compiled all that it needs by then."""

EXIT_CODES = "Exit codes: 0 something was found, 1 nothing was, 2 error, 130 interrupted."

SETTINGS_FILE = "logpith.toml"

_WORDS_FOR: Mapping[str, str] = {"sources": "PATH…", "refs": "REF…"}


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of a command: `--name`, or `--name VALUE` when `value` says what stands there."""

    name: str
    letter: str = ""
    value: str = ""
    doc: str = ""
    choices: Callable[[], Iterable[str]] | None = None
    """What may stand for `value`, asked when help is shown."""

    hidden: bool = False
    """Whether help is silent about it."""

    @property
    def spelled(self) -> str:
        return f"--{self.name} {self.value}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A command's words and options as typed, without dashes; an option's last value counts."""

    words: tuple[str, ...]
    options: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Extra:
    """What a tool's command does besides, at the command line only, when its option is given."""

    option: Option
    further: tuple[Option, ...] = ()
    """Options that mean something only beside it."""

    run: Callable[[Tool, Desk, Mapping[str, str]], int]
    """Given the options as typed, does it and returns the exit code."""


def _write_labels(tool: Tool, desk: Desk, options: Mapping[str, str]) -> int:
    from logpith.labels import write_labels  # noqa: PLC0415 - only labelling needs it

    format_name = options.get("format", "auto")
    if format_name not in ("auto", "raw"):
        raise BadArgument(f"there is no format '{format_name}'", remedy="Write --format raw, or leave it out")
    path = Path(options["labels"])
    corpus = desk.open(tool.sources, whole_lines=format_name == "raw")
    rows = write_labels(corpus, path)
    print(f"{rows:,} lines with {len(corpus.templates.templates):,} templates are in {path}.")  # noqa: T201
    return FOUND if rows else NOTHING


EXTRAS: dict[str, tuple[Extra, ...]] = {
    "cluster": (
        Extra(
            option=Option(
                name="labels",
                value="FILE",
                doc="Write one CSV row for each line to FILE: line, template_id, EventTemplate.",
            ),
            further=(
                Option(
                    name="format",
                    value="NAME",
                    doc="With --labels: `raw` takes each line as a whole body; else formats are recognised.",
                ),
            ),
            run=_write_labels,
        ),
    )
}
"""By command. Nothing here reaches an agent."""

_CONFIG = Option(name="config", value="FILE", doc="The settings (default: logpith.toml, if there is one).")
_DATA_DIR = Option(
    name="data-dir",
    value="DIR",
    doc="Where what is collected is kept (default: LOGPITH_DATA_DIR, or ~/.local/state/logpith; on macOS and Windows "
    "where those keep such).",
)
STORED = (
    Option(name="refresh", doc="Without PATH: read all sources anew first, and wait for them."),
    Option(name="no-refresh", doc="Without PATH: collect nothing first."),
    _CONFIG,
    _DATA_DIR,
)
"""What a tool's command understands of what was collected, which it asks when no files are named."""

JSON = Option(name="json", doc="Print the answer as JSON.")
HELP = Option(name="help", letter="h", doc="Show this.")
NO_COLOR = Option(name="no-color", doc="No colours; the variable NO_COLOR does the same.")
COMMON = (*STORED, JSON, NO_COLOR, HELP)
"""What every tool's command understands."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that is no tool."""

    name: str
    summary: str
    usage: str
    doc: str
    options: tuple[Option, ...]
    examples: tuple[str, ...]
    run: Callable[[Parsed], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line; the exit code for the shell."""
    share_one_allocator()
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is None:  # closed by who called: there is nobody to tell, but the exit code
        return ERROR
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        with _told_of_compiling(words):
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
    from logpith.quote import show_hidden  # noqa: PLC0415 - only errors need it

    # Lines of ours may follow, such as the place in a query; they stand in, so that no name can forge one.
    lines = [show_hidden(line) for line in _in_commands(text).splitlines()]
    sys.stderr.write("logpith: " + "\n  ".join(lines) + "\n")
    return ERROR


def _run(words: list[str]) -> int:
    if words[:1] == ["--version"]:
        print(f"logpith {__version__}")  # noqa: T201 - the one place whose job it is to print
        return FOUND
    if words[:1] == ["--help"] or words[:1] == ["-h"] or words == ["help"]:
        return _show(_help_for_all())
    if words[:1] == ["help"] and words[1:2] and words[1] in {*_tools(), *_COMMANDS}:
        words = [words[1], "--help"]
    if not words and not _is_piped_into():
        return _show(_help_for_all())
    name, words = _command_first(words)
    command = _COMMANDS.get(name)
    if command is None:
        return _run_tool(_tools()[name], words)
    parsed = _parse(words, (*command.options, HELP), command.name)
    if "help" in parsed.options:
        return _show(_help_for_command(command))
    return command.run(parsed)


def _command_first(words: list[str]) -> tuple[str, list[str]]:
    """The command and the words that are left; `overview` when none is named.

    Options may stand before a command; a tool may be called as agents call it, `search-logs`. A file of a command's
    name is written `./grep`.
    """
    names = {name: name for name in (*_tools(), *_COMMANDS)}
    for command, tool in _tools().items():
        names |= {tool.name: command, tool.name.replace("_", "-"): command}
    for place, word in enumerate(words):
        if word in names:
            return names[word], words[:place] + words[place + 1 :]
        is_option = word.startswith("-") and word not in {"-", "--"}
        if not is_option and words[max(place - 1, 0)] != "--budget":
            _refuse_misspelled(word, {*_tools(), *_COMMANDS})
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


def _tools() -> Mapping[str, type[Tool]]:
    """Tools by their command, in the order in which people need them."""
    from logpith.tools import tools  # noqa: PLC0415 - `--version` does without

    by_command = {tool.command: tool for tool in tools().values()}
    return dict(sorted(by_command.items(), key=lambda named: (named[0] != "overview", named[0])))


# ── What was typed ──────────────────────────────────────────────────────────────────────────────────────────


def _parse(words: Sequence[str], options: Iterable[Option], command: str) -> Parsed:
    by_name = {option.name: option for option in options}
    by_letter = {option.letter: option for option in by_name.values() if option.letter}
    letters = "".join(letter + ":" * bool(option.value) for letter, option in by_letter.items())
    names = [name + "=" * bool(option.value) for name, option in by_name.items()]
    try:
        typed, rest = getopt.gnu_getopt(list(words), letters, names)
    except getopt.GetoptError as error:
        hint = nearest(error.opt, by_name).replace("'", "'--", 1).strip()
        remedy = " ".join(filter(None, [hint, f"logpith {command} --help lists the options"]))
        raise BadArgument(error.msg, remedy=remedy) from error
    lists: dict[str, tuple[str, ...]] = {}
    for dashed, value in typed:
        name = dashed[2:] if dashed.startswith("--") else by_letter[dashed[1:]].name
        lists[name] = (*lists.get(name, ()), value)
    return Parsed(
        words=tuple(rest), options={name: values[-1] for name, values in lists.items()}, lists=lists
    )


def _arguments_of(tool: type[Tool]) -> tuple[Argument, ...]:
    from logpith.component import describe  # noqa: PLC0415 - `--version` does without

    return describe(tool)


def _options_of(tool: type[Tool]) -> tuple[Option, ...]:
    """The options of a tool's arguments, those that it takes as words left out."""
    return tuple(
        Option(
            name=_dashed(argument),
            letter=_letter_for(tool, argument),
            value=_placeholder(argument),
            doc=_doc_with_default(argument),
        )
        for argument in _arguments_of(tool)
        if not _is_only_word(tool, argument)
    )


def _is_only_word(tool: type[Tool], argument: Argument) -> bool:
    """Whether an argument is taken as a word only; a query may be given as everywhere, by -q."""
    return argument.name in tool.positional and argument.name != "query"


def _letter_for(tool: type[Tool], argument: Argument) -> str:
    if argument.name == "query" and "q" not in tool.flags.values():
        return "q"
    return tool.flags.get(argument.name, "")


def _dashed(argument: Argument) -> str:
    name = argument.name.replace("_", "-")
    return f"no-{name}" if argument.kind is bool and argument.default is True else name


def _placeholder(argument: Argument) -> str:
    if argument.kind is bool:
        return ""
    if argument.choices:
        return "|".join(argument.choices)
    return "N" if argument.kind in {int, float} else "TEXT"


def _doc_with_default(argument: Argument) -> str:
    told = "" if argument.required or argument.default in (None, (), "", False, True) else argument.default
    return f"{argument.doc} (default: {told})" if told != "" else argument.doc


def _build_tool(tool: type[Tool], parsed: Parsed) -> Tool:
    """The question that was typed.

    Raises:
        BadArgument: says what is wrong in the words of the command line.
    """
    from logpith.component import build, mend, problem_with, read_text  # noqa: PLC0415 - as above

    given: dict[str, object] = {}
    arguments = {argument.name: argument for argument in _arguments_of(tool)}
    for argument in arguments.values():
        dashed = _dashed(argument)
        typed = parsed.lists.get(dashed)
        if typed is None or _is_only_word(tool, argument):
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
    from logpith.corpus.refs import looks_like_ref  # noqa: PLC0415 - as above

    given: dict[str, object] = {}
    left = list(words)
    for name in names:
        argument = arguments[name]
        if name == "refs":
            given[name] = [word for word in left if looks_like_ref(word)]
            left = [word for word in left if not looks_like_ref(word)]
            if cut := [word for word in left if re.fullmatch(r"e\d+@\w*", word) and not _names_source(word)]:
                raise BadArgument(
                    f"{cut[0]!r} is no whole ref", remedy="Copy one as it is shown: e12@3f9ac21b"
                )
        elif argument.many:
            if "" in left:  # as of a variable that is not set; the working directory is `.`
                raise BadArgument("a path is empty", remedy="Name a file, a folder or a glob")
            given[name], left = left, []
        elif left and not (name == "query" and _names_source(left[0])):
            given[name] = left.pop(0)
        elif argument.required:
            usage = f"logpith {tool.command} {_usage_words(tool)}"
            raise BadArgument(f"{name.upper()} is missing", remedy=f"Write {usage}")
    if left:
        raise BadArgument(f"{left[0]!r} is one word too many", remedy=f"logpith {tool.command} --help")
    return given


def _names_source(word: str) -> bool:
    """Whether a word can be meant as what is read: a file or folder that is there, a glob that has some, or `-`."""
    import glob  # noqa: PLC0415 - only commands with a query as their first word ask

    try:
        if word == "-" or os.path.lexists(word):
            return True
        return glob.has_magic(word) and any(glob.iglob(word))  # noqa: PTH207 - Path.glob refuses absolute ones
    except (OSError, ValueError):  # a long query is no name of a file
        return False


# ── A tool's command ────────────────────────────────────────────────────────────────────────────────────────


def _run_tool(tool: type[Tool], words: Sequence[str]) -> int:
    extras = EXTRAS.get(tool.command, ())
    extra_options = [option for extra in extras for option in (extra.option, *extra.further)]
    parsed = _parse(words, (*_options_of(tool), *extra_options, *COMMON), tool.command)
    if "help" in parsed.options:
        return _show(_help_for_tool(tool))
    question = _build_tool(tool, parsed)
    asked = _what_is_asked(question, parsed.options)
    if asked is None:
        usage = f"logpith {tool.command} {_usage_words(tool)}"
        raise BadArgument(
            "there is nothing to read",
            remedy=f"Name a file, a folder or a glob, or pipe text in: {usage}. Or name sources in {SETTINGS_FILE}, "
            "and they are asked: logpith check shows what it says",
        )
    with opened_desk(asked) as desk:
        for extra in extras:
            if extra.option.name in parsed.options:
                return extra.run(question, desk, parsed.options)
        from logpith.app import ask  # noqa: PLC0415 - what answers need is loaded by the first question

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


def _perhaps_unquoted(question: Tool, error: NotFound) -> NotFound:
    """The error, and what to do where the shell has taken a text of several words apart: `grep no route app.log`."""
    name, sources = question.positional[0], question.sources
    first = str(getattr(question, name, ""))
    is_text = name in {"pattern", "query", "statement"} and bool(first)
    if not is_text or not sources[1:] or _names_source(sources[0]) or not _names_source(sources[-1]):
        return error
    quoted = shlex.quote(f"{first} {sources[0]}")
    return NotFound(
        error.problem, remedy=f"{error.remedy}. If that belongs to the {_word_for(name)}, quote it: {quoted}"
    )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command line asks, where it names no files that are there."""

    settings: Settings | None = None
    """What was collected by these settings; None means files."""

    when: When = "stale"
    is_piped: bool = False
    """Whether standard input is read."""

    words: tuple[str, ...] = ()
    """The options that told so, to be repeated in command lines about the same."""


def _what_is_asked(question: Tool, options: Mapping[str, str]) -> Asked | None:
    """What a question is about: files that it names, what is piped in, or else what was collected; None for nothing."""
    from logpith.corpus.refs import STORE_KEY  # noqa: PLC0415 - `--version` does without

    refs: tuple[str, ...] = getattr(question, "refs", ())
    is_about_refs = bool(refs) and not any(f"@{STORE_KEY}" in ref for ref in refs)
    if is_about_refs or (question.sources and all(map(_names_source, question.sources))):
        return Asked(is_piped=_is_piped_into())
    words = tuple(
        word for name in ("config", "data-dir") if name in options for word in (f"--{name}", options[name])
    )
    is_told = bool(words) or "refresh" in options or "no-refresh" in options
    is_piped = not is_told and _is_piped_into()
    if is_piped and not question.sources and not refs and _has_input():
        return Asked(is_piped=True)
    settings = _own_settings(options)
    if settings.have_logs or is_told:
        return Asked(settings=settings, when=_when(options), words=words)
    return Asked(is_piped=is_piped) if question.sources or refs or is_piped else None


def _own_settings(options: Mapping[str, str]) -> Settings:
    """The settings that count for a question."""
    from logpith.settings import DATA_VARIABLE, find_own_settings  # noqa: PLC0415 - only what works with settings

    environment = dict(os.environ)
    if "data-dir" in options:
        environment[DATA_VARIABLE] = str(Path(options["data-dir"]).absolute())
    return find_own_settings(options.get("config"), environment=environment, folder=Path.cwd()).settings


def _when(options: Mapping[str, str]) -> When:
    if "refresh" in options and "no-refresh" in options:
        raise BadArgument("--refresh and --no-refresh exclude each other", remedy="Give one of them")
    return "now" if "refresh" in options else "never" if "no-refresh" in options else "stale"


def _has_input() -> bool:
    """Whether anything comes through standard input; waits until it does or ends."""
    return bool(sys.stdin.buffer.peek(1))  # type: ignore[union-attr]  # of a real stream it is a BufferedReader


@contextmanager
def opened_desk(asked: Asked | None = None) -> Iterator[Desk]:
    """A desk for who sits at this terminal, with a line on it that tells how long work goes on."""
    asked = asked or Asked(is_piped=_is_piped_into())
    default_sources = ("-",) if asked.is_piped else ()
    with ExitStack() as until_done:
        progress = until_done.enter_context(_progress_line())
        from logpith.corpus.desk import Desk  # noqa: PLC0415 - under the progress line: this is what takes long

        files = Desk(progress=progress, default_sources=default_sources, may_read_stdin=True)
        if asked.settings is None:
            yield files
            return
        from logpith.collected import collected_desk  # noqa: PLC0415 - as above

        yield collected_desk(asked.settings, when=asked.when, files=files, progress=progress)


@contextmanager
def _progress_line() -> Iterator[ProgressLine | None]:
    """Drawn only where a person sees it."""
    from logpith.progress import ProgressLine  # noqa: PLC0415 - as above

    if not sys.stderr.isatty():
        yield None
        return
    from logpith.scan.kernel import is_compiled  # noqa: PLC0415 - as above

    with ProgressLine(sys.stderr, "reading") as line:
        if not is_compiled():
            line.doing = COMPILING
        line.waits_for = lambda: COMPILING_MORE if _is_compiling() else ""
        _progress_lines.append(line)
        try:
            yield line
        finally:
            _progress_lines.remove(line)


_progress_lines: list[ProgressLine] = []
"""Those that are drawn, which tell themselves of what is compiled."""


@contextmanager
def _told_of_compiling(words: Sequence[str]) -> Iterator[None]:
    """Says once that something is compiled for this machine, whichever command needs that, unless a line does."""
    import threading  # noqa: PLC0415 - as above

    if words[:1] in (["mcp"], ["--version"]):  # whose host takes what is said there for a fault
        yield
        return
    done = threading.Event()

    def look() -> None:
        for _ in range(_MOST_LOOKS):
            if done.wait(_LOOK_EVERY_S):
                return
            if not _progress_lines and _is_compiling():
                from logpith.scan.kernel import is_compiled  # noqa: PLC0415 - as above

                with suppress(OSError, ValueError):  # nobody may be listening any more
                    sys.stderr.write(f"logpith: {COMPILING_MORE if is_compiled() else COMPILING}\n")
                    sys.stderr.flush()
                return

    looking = threading.Thread(target=look, name="compiling", daemon=True)
    looking.start()
    try:
        yield
    finally:
        done.set()
        looking.join()


def _is_compiling() -> bool:
    """Whether code is compiled now; of what has not been loaded, nothing is."""
    is_compiling = getattr(sys.modules.get("logpith.scan.kernel"), "is_compiling", bool)
    return bool(is_compiling())


def _is_piped_into() -> bool:
    """Whether standard input is a pipe or a file; a terminal or /dev/null has nothing to say."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


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
    from logpith.answer import to_compact_json, to_text  # noqa: PLC0415 - as above

    if as_json:
        print(to_compact_json(answer))  # noqa: T201 - see _run
        return
    from logpith.quote import show_hidden  # noqa: PLC0415 - as above

    asked = asked or Asked(is_piped=_is_piped_into())
    answer = replace(
        answer,
        # A file's name may hold what a terminal obeys.
        next=tuple(show_hidden(command_line(call, question.sources, asked)) for call in answer.next),
        cursor=answer.cursor and show_hidden(_command_line_from(answer.cursor, question, asked)),
    )
    if sys.stdout.isatty():
        from logpith.terminal import print_answer  # noqa: PLC0415 - rich is for terminals only

        print_answer(answer, sys.stdout, colour=colour and not os.environ.get("NO_COLOR"))
    else:
        print(to_text(answer))  # noqa: T201 - see _run


def command_line(call: str, sources: Sequence[str], asked: Asked | None = None) -> str:
    """The command line for an agent's call about `sources`; what is no whole call stays as it is.

    `log_fetch(refs=["e12@3f9ac21b"], before=5)` → `logpith fetch e12@3f9ac21b --before 5`
    """
    import ast  # noqa: PLC0415 - only answers that propose something need it

    from logpith.tools import tools  # noqa: PLC0415 - as above

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
    import ast  # noqa: PLC0415 - as above

    if isinstance(node, ast.Name) and node.id in {"true", "false"}:
        return node.id == "true"
    return ast.literal_eval(node)


def _command_line_from(cursor: str, question: Tool, asked: Asked) -> str:
    """The command line that goes on behind `question`: its cursor is an argument, `offset=50`."""
    name, _, value = cursor.partition("=")
    arguments = _arguments_of(type(question))
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
    asked = asked or Asked(is_piped=_is_piped_into())
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


# ── Commands that are no tools ──────────────────────────────────────────────────────────────────────────────


def _serve_mcp(parsed: Parsed) -> int:
    from logpith.server.mcp import TIME_LIMIT_S, serve_stdio  # noqa: PLC0415 - brings the SDK

    if parsed.words:
        raise BadArgument(
            f"{parsed.words[0]!r} is one word too many", remedy=f"Write logpith mcp --root {parsed.words[0]}"
        )
    from logpith.server.toolsets import (  # noqa: PLC0415 - as above
        DEFAULT_TOOLSETS,
        STORED_TOOLSETS,
        TOOLSETS_VARIABLE,
        choose_tools,
    )

    options = parsed.options
    if "tools" in options and "toolsets" in options:
        raise BadArgument("--tools and --toolsets exclude each other", remedy="Give one of them")
    settings = _settings_for_agents(options)
    default = DEFAULT_TOOLSETS if settings is None else STORED_TOOLSETS
    toolsets = options.get("toolsets") or os.environ.get(TOOLSETS_VARIABLE) or default
    offered = choose_tools(toolsets, options.get("tools", ""))
    limit_s = _seconds("time-limit", options["time-limit"]) if "time-limit" in options else TIME_LIMIT_S
    roots = parsed.lists.get("root", (".",))
    return serve_stdio(roots, offered, time_limit_s=limit_s or None, settings=settings)


def _settings_for_agents(options: Mapping[str, str]) -> Settings | None:
    """The settings whose logs an agent may ask; None where they name none and nothing was collected."""
    is_told = "config" in options or "data-dir" in options
    try:
        settings = _own_settings(options)
    except LogpithError as error:
        if is_told:
            raise
        # Files can be asked all the same, and a host shows nothing of a server that does not start.
        sys.stderr.write(f"logpith: what is collected cannot be asked: {error}\n")
        return None
    return settings if settings.have_logs or is_told else None


def _seconds(name: str, text: str) -> float:
    """Seconds as typed; 0 is none."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text):
        raise BadArgument(f"--{name} must be a number of seconds, not {text!r}", remedy=f"Try --{name} 25")
    return float(text)


def _print_client_config(parsed: Parsed) -> int:
    from logpith.quote import show_hidden  # noqa: PLC0415 - as above
    from logpith.server.client_config import CLIENTS, client_config  # noqa: PLC0415 - as above

    if len(parsed.words) != 1:
        raise BadArgument("name one host", remedy=f"Write logpith client-config {'|'.join(CLIENTS)}")
    snippet, place = client_config(
        parsed.words[0], parsed.lists.get("root", ()), parsed.options.get("name", "logpith")
    )
    # Beside the snippet, so that this can be sent into a file.
    sys.stderr.write(f"logpith: put this into {show_hidden(place)}\n")
    return _show(snippet)


def _print_skill(parsed: Parsed) -> int:
    from importlib.resources import files  # noqa: PLC0415 - as above

    if parsed.words:
        raise BadArgument(
            f"{parsed.words[0]!r} is one word too many",
            remedy="Write logpith skill > .claude/skills/logpith/SKILL.md",
        )
    return _show((files("logpith") / "skill" / "SKILL.md").read_text(encoding="utf-8").rstrip("\n"))


def _run_demo(parsed: Parsed) -> int:
    from logpith.tour import run_demo  # noqa: PLC0415 - as above

    if parsed.words:
        raise BadArgument(
            f"{parsed.words[0]!r} is one word too many", remedy=f"Write logpith demo --dir {parsed.words[0]}"
        )
    if "serve" in parsed.options:
        from logpith.server.serve import DEMO_LINES, ServeOptions, serve  # noqa: PLC0415 - brings the server
        from logpith.tour import day_of, folder_for  # noqa: PLC0415 - as above

        folder = folder_for(parsed.options.get("dir"))
        day = day_of({"lines": DEMO_LINES, **parsed.options})
        return serve(replace(ServeOptions.of(parsed.options), data_dir=str(folder)), play=day)
    plain = ["--no-color"] if "no-color" in parsed.options else []
    return run_demo(parsed.options, lambda words: _run([*words, *plain]))


def _serve(parsed: Parsed) -> int:
    from logpith.server.serve import ServeOptions, serve  # noqa: PLC0415 - brings the server

    if parsed.words:
        raise BadArgument(f"{parsed.words[0]!r} is one word too many", remedy="logpith serve --help")
    return serve(ServeOptions.of(parsed.options))


def _tail(parsed: Parsed) -> int:
    from logpith.component import Argument, problem_with, read_text  # noqa: PLC0415 - as above
    from logpith.corpus.selection import check_filter  # noqa: PLC0415 - as above
    from logpith.files.roots import Roots  # noqa: PLC0415 - as above
    from logpith.files.text import TextFile  # noqa: PLC0415 - as above
    from logpith.quote import Quoter  # noqa: PLC0415 - as above
    from logpith.spooled import are_soon_asked, last_spooled, spool_folders, spooled, wanted_by  # noqa: PLC0415 - as above
    from logpith.tail import (  # noqa: PLC0415 - as above
        Followed,
        FollowedFile,
        FollowedSpools,
        as_json,
        as_line,
        follow,
        last_records,
    )
    from logpith.timerange import now_ns  # noqa: PLC0415 - as above
    from logpith_emit.emitter import default_folder  # noqa: PLC0415 - as above

    count = read_text(Argument(name="lines", kind=int), parsed.options.get("lines", "10"))
    if problem := problem_with(Argument(name="lines", kind=int, minimum=0, maximum=100_000), count):
        raise BadArgument(f"--lines {problem}", remedy="Try --lines 10")
    query = parsed.options.get("query", "")
    check_filter(query, "", "")
    colour = sys.stdout.isatty() and "no-color" not in parsed.options and not os.environ.get("NO_COLOR")
    follows = "follow" in parsed.options
    words: Sequence[str] = parsed.words
    is_about_programs = not words and (follows or not _is_piped_into())
    folders = [default_folder()] if is_about_programs else spool_folders(words)
    # Before the files are read: what is said meanwhile is rather shown twice than never.
    files: list[Followed] = [FollowedSpools(folder) for folder in folders] if follows else []
    spools = [path for folder in folders for path in spooled(folder)]
    several = False
    if is_about_programs and not spools:
        _tell_of_no_spool(folders[0], follows=follows)
    elif spools:
        words = [str(path) for path in spools]
    if folders and are_soon_asked(spools, query):
        quoter = Quoter()
        found = last_spooled(spools, wanted_by(query, now_ns()), int(str(count)))
        records = [record.shown(quoter) for record in found]
    else:
        with opened_desk() as desk:
            corpus = desk.open(words)
            records = last_records(corpus, query, int(str(count)))
            files += [
                FollowedFile.at_end(source.text.path, Roots(), source.text.identity.size_bytes)
                for source in corpus.sources
                if follows and isinstance(source.text, TextFile) and source.text.seekable
            ]
            several = len(corpus.sources) > 1 and not folders

    def show(record: Evidence) -> None:
        text = (
            as_json(record)
            if "json" in parsed.options
            else as_line(record, with_source=several, colour=colour)
        )
        print(text, flush=follows)  # noqa: T201 - see _run

    for record in records:
        show(record)
    if follows and not files:
        raise BadArgument(
            "none of these can be followed", remedy="Name a file that is neither packed nor a pipe"
        )
    for shown in follow(files, query) if follows else ():
        if shown.said:
            sys.stderr.write(f"logpith: {shown.said}\n")
        if shown.record:
            show(shown.record)
    return FOUND if records else NOTHING


def _tell_of_no_spool(folder: Path, *, follows: bool) -> None:
    """Says that no program is waited for, or raises what to do where nobody waits."""
    from logpith.spooled import was_brought  # noqa: PLC0415 - as above

    if follows:
        sys.stderr.write(
            "logpith: nothing is spooled by logpith-emit yet; it is shown as soon as a program logs\n"
        )
        return
    if was_brought(folder):
        raise NotFound(
            "there is nothing to read: all that programs have logged by logpith-emit was brought to its destinations",
            remedy="Ask there, or write logpith tail PATH…",
        )
    raise BadArgument(
        "there is nothing to read: no path is named, and no program has logged by logpith-emit",
        remedy="Write logpith tail PATH…",
    )


def _ship(parsed: Parsed) -> int:
    from logpith_emit.command import main as emit  # noqa: PLC0415 - only this command needs it

    if parsed.words:
        raise BadArgument(f"{parsed.words[0]!r} is one word too many", remedy="logpith ship --help")
    told = [f"--{name}={value}" for name, value in parsed.options.items() if name != "once"]
    return emit(["ship", *(["--once"] if "once" in parsed.options else []), *told])


def _new(parsed: Parsed) -> int:
    from logpith.new.project import new_project  # noqa: PLC0415 - only this command needs it
    from logpith.quote import show_hidden  # noqa: PLC0415 - as above

    if len(parsed.words) > 1:
        raise BadArgument(f"{parsed.words[1]!r} is one word too many", remedy="Write logpith new FOLDER")
    folder = new_project(
        Path(parsed.words[0]) if parsed.words else None,
        answers=Path(parsed.options["answers"]) if "answers" in parsed.options else None,
        told=parsed.lists.get("set", ()),
        defaults="defaults" in parsed.options,
        is_terminal=sys.stdin is not None and sys.stdin.isatty(),
    )
    where = show_hidden(shlex.quote(str(folder)))
    return _show(
        f"{where} is ready; its README.md tells how to go on:\n  cd {where} && pip install -e '.[test]'"
    )


def _incident_names() -> Iterable[str]:
    from logpith.demo.incidents import names  # noqa: PLC0415 - only the demo's help needs them

    return names()


def _run_parse(parsed: Parsed) -> int:
    if parsed.words[:1] != ("test",) or len(parsed.words) != 2:
        raise BadArgument("one file of sample lines is wanted", remedy="Write logpith parse test FILE")
    from logpith.parsing import describe, read_sample  # noqa: PLC0415 - brings the scan
    from logpith.quote import Quoter  # noqa: PLC0415 - as above

    sample = read_sample(Path(parsed.words[1]))
    if sample is None:
        return NOTHING
    print("\n".join(describe(sample, Quoter())))  # noqa: T201 - see _run
    return NOTHING if sample.unmatched else FOUND


def _run_pipeline(parsed: Parsed) -> int:
    if parsed.words[:1] != ("test",) or len(parsed.words) != 2:
        raise BadArgument("one file of sample lines is wanted", remedy="Write logpith pipeline test FILE")
    from logpith.pipeline import stages_of  # noqa: PLC0415 - brings the scan
    from logpith.quote import Quoter  # noqa: PLC0415 - as above
    from logpith.rehearsal import as_json, as_text, read_sample, rehearse  # noqa: PLC0415 - as above
    from logpith.settings import find_settings  # noqa: PLC0415 - only what works with settings needs them
    from logpith.timerange import now_ns  # noqa: PLC0415 - as above

    found = find_settings(parsed.options.get("config"), environment=os.environ, folder=Path.cwd())
    sample = read_sample(Path(parsed.words[1]), now_ns(), parsed.options.get("service", ""))
    rehearsal = rehearse(sample, stages_of(found.settings), Quoter())
    print(as_json(rehearsal) if "json" in parsed.options else "\n".join(as_text(rehearsal)))  # noqa: T201 - see _run
    return FOUND if rehearsal.journeys else NOTHING


def _check(parsed: Parsed) -> int:
    from logpith.checking import as_json, as_text, check_settings  # noqa: PLC0415 - brings the scan
    from logpith.timerange import now_ns  # noqa: PLC0415 - as above

    if parsed.words:
        raise BadArgument(
            f"{parsed.words[0]!r} is one word too many",
            remedy=f"Write logpith check --config {parsed.words[0]}",
        )
    named = parsed.options.get("config")
    findings = list(
        check_settings(
            named,
            environment=os.environ,
            folder=Path.cwd(),
            now_ns=now_ns(),
            is_secured="tls-cert" in parsed.options or "insecure-listen" in parsed.options,
        )
    )
    print(as_json(findings) if "json" in parsed.options else as_text(findings))  # noqa: T201 - see _run
    return FOUND if all(finding.is_ok for finding in findings) else NOTHING


def _config(parsed: Parsed) -> int:
    _require_word(parsed, ("show",), "config")
    import json  # noqa: PLC0415 - as above

    from logpith.settings import DATA_VARIABLE  # noqa: PLC0415 - as above
    from logpith.settings_shown import (  # noqa: PLC0415 - brings the scan
        as_toml,
        find_origins,
        shown_servers,
        shown_settings,
    )

    form = parsed.options.get("format", "json" if "json" in parsed.options else "toml")
    if form not in ("toml", "json"):
        raise BadArgument(f"there is no format '{form}'", remedy="Write --format toml or --format json")
    found = _settings_found(parsed)
    for warning in found.warnings:
        sys.stderr.write(f"logpith: {warning}\n")
    options = {DATA_VARIABLE: "--data-dir"} if "data-dir" in parsed.options else {}
    origins = find_origins(found, options) if "sources" in parsed.options else None
    try:
        servers = shown_servers(os.environ) if origins is not None else {}
    except BadArgument as error:  # which is said where a server starts, too, and stops nothing here
        sys.stderr.write(f"logpith: {error}\n")
        servers = {}
    if form == "toml":
        print(as_toml(found, origins), end="")  # noqa: T201 - see _run
        if servers:
            print("\n# Of servers that log by logpith_emit, as `logpith-emit config` shows them:")  # noqa: T201 - as above
        for name, (value, source) in servers.items():
            print(f"# {name} = {json.dumps(value, ensure_ascii=False)}  # {source}")  # noqa: T201 - as above
        return FOUND
    told = {"file": str(found.path) if found.path else None, "settings": shown_settings(found)}
    sourced: dict[str, object] = {} if origins is None else {"sources": origins}
    if servers:
        sourced["servers"] = {
            name: {"value": value, "source": source} for name, (value, source) in servers.items()
        }
    print(json.dumps(told | sourced, default=str))  # noqa: T201 - as above
    return FOUND


def _ingest(parsed: Parsed) -> int:
    if not parsed.words:
        raise BadArgument("there is nothing to read", remedy="Write logpith ingest PATH…")
    options = parsed.options
    with _progress_line() as progress:
        from logpith.timerange import now_ns  # noqa: PLC0415 - as above
        from logpith.upkeep import report_ingested, report_restaged  # noqa: PLC0415 - brings the scan

        found = _settings_found(parsed)
        if "again" in options:
            return _show_report(report_restaged(found, parsed.words, now_ns(), progress=progress), parsed)
        report = report_ingested(
            found,
            parsed.words,
            now_ns(),
            service=options.get("service", ""),
            retention=options.get("retention"),
            progress=progress,
            server=lambda: _server_here(found.settings, options),
        )
    return _show_report(report, parsed)


def _server_here(settings: Settings, options: Mapping[str, str]) -> Server:
    """The server that has the store open."""
    from logpith.config import data_dir  # noqa: PLC0415 - only beside a server
    from logpith.server.here import server_here  # noqa: PLC0415 - as above

    data = Path(options["data-dir"]) if "data-dir" in options else data_dir()
    return server_here(settings, data, options.get("server"))


def _retention(parsed: Parsed) -> int:
    _require_word(parsed, ("plan", "apply"), "retention")
    from logpith.timerange import now_ns  # noqa: PLC0415 - as above
    from logpith.upkeep import report_retention  # noqa: PLC0415 - brings the scan

    store = _settings_found(parsed).settings.store
    return _show_report(report_retention(store, now_ns(), apply=parsed.words[0] == "apply"), parsed)


def _explain(parsed: Parsed) -> int:
    queries = (*parsed.words, *parsed.lists.get("query", ()))
    if len(queries) != 1:
        raise BadArgument("give one query", remedy="logpith explain 'level>=error AND quota'")
    from logpith.timerange import now_ns  # noqa: PLC0415 - as above
    from logpith.upkeep import report_plan  # noqa: PLC0415 - brings the scan

    store = _settings_found(parsed).settings.store
    since, until = parsed.options.get("since", ""), parsed.options.get("until", "")
    return _show_report(report_plan(store, queries[0], since, until, now_ns()), parsed)


def _store(parsed: Parsed) -> int:
    _require_word(parsed, ("segments", "check"), "store")
    from logpith.timerange import now_ns  # noqa: PLC0415 - as above
    from logpith.upkeep import report_check, report_segments  # noqa: PLC0415 - brings the scan

    store = _settings_found(parsed).settings.store
    if parsed.words[0] == "segments":
        return _show_report(report_segments(store), parsed)
    return _show_report(report_check(store, now_ns(), repair="repair" in parsed.options), parsed)


def _snapshot(parsed: Parsed) -> int:
    doing = _require_word(parsed, ("create", "list", "verify", "restore"), "snapshot", names=1)
    from logpith.timerange import now_ns  # noqa: PLC0415 - as above
    from logpith.upkeep import (  # noqa: PLC0415 - brings the scan
        report_created,
        report_restored,
        report_snapshots,
        report_verified,
    )

    found = _settings_found(parsed)
    store, options = found.settings.store, parsed.options
    name = parsed.words[1] if len(parsed.words) > 1 else ""
    place = options.get("to") or options.get("from")
    if doing == "list":
        return _show_report(report_snapshots(store, place), parsed)
    if doing != "create" and not name:
        raise BadArgument(f"name the snapshot to {doing}", remedy="logpith snapshot list shows their names")
    with _progress_line() as progress:
        if doing == "create":
            report = report_created(found, name or None, place, now_ns(), progress)
        elif doing == "verify":
            report = report_verified(store, name, place, progress)
        else:
            into = Path(options["into"]) if "into" in options else None
            skips = "skip-damaged" in options
            report = report_restored(store, name, place, into, skip_damaged=skips, progress=progress)
    return _show_report(report, parsed)


def _require_word(parsed: Parsed, known: Sequence[str], command: str, *, names: int = 0) -> str:
    """The first word, which says what a command does; behind it there may be so many names."""
    if not parsed.words or parsed.words[0] not in known or len(parsed.words) > 1 + names:
        raise BadArgument(
            f"logpith {command} wants one of: {', '.join(known)}",
            remedy=f"logpith {command} --help tells more",
        )
    return parsed.words[0]


def _settings_found(parsed: Parsed) -> Found:
    from logpith.settings import DATA_VARIABLE, find_settings  # noqa: PLC0415 - as above

    environment = dict(os.environ)
    if "data-dir" in parsed.options:
        environment[DATA_VARIABLE] = str(Path(parsed.options["data-dir"]).absolute())
    return find_settings(parsed.options.get("config"), environment=environment, folder=Path.cwd())


def _show_report(report: Report, parsed: Parsed) -> int:
    from logpith.upkeep import as_json  # noqa: PLC0415 - as above

    print(as_json(report) if "json" in parsed.options else report.text)  # noqa: T201 - see _run
    return FOUND if report.is_good else NOTHING


_LISTENING = (
    Option(name="listen", value="HOST:PORT", doc="Where to serve (default: 127.0.0.1:8850)."),
    Option(
        name="token",
        value="TOKEN",
        doc="A token that may do everything; LOGPITH_TOKEN tells it without showing it to others.",
    ),
    Option(name="no-token", doc="Serve everybody on this machine, without tokens."),
)
"""What `serve` and `demo --serve` understand."""

_COMMANDS: Mapping[str, Command] = {
    command.name: command
    for command in (
        Command(
            name="demo",
            summary="A made-up day of logs, and a tour of the tools on it.",
            usage="logpith demo [options]",
            doc="Writes a day of logs of a voice-call product in which something goes wrong, and shows on it "
            "what the tools are for. The same seed gives the same day.",
            options=(
                Option(name="lines", value="N", doc="How many lines to write (default: 20000)."),
                Option(name="seed", value="S", doc="Another number makes another day (default: 7)."),
                Option(
                    name="incident",
                    value="NAME",
                    doc="What goes wrong (default: quota).",
                    choices=_incident_names,
                ),
                Option(name="end", value="TIME", doc="When the day ends (default: now)."),
                Option(
                    name="dir", value="D", doc="Where to write it, to stay (default: a temporary folder)."
                ),
                Option(name="no-tour", doc="Only write the logs."),
                Option(
                    name="truth",
                    value="FILE",
                    doc="Write to FILE, as JSON, what was planted and where: the cause, which the logs do not name.",
                ),
                Option(
                    name="serve",
                    doc="Instead, play the day up to now as live services, and serve it as `logpith serve` does.",
                ),
                *_LISTENING,
                NO_COLOR,
            ),
            examples=(
                "logpith demo",
                "logpith demo --incident dns",
                "logpith demo --dir ./day --lines 1000000 --no-tour",
                "logpith demo --serve",
            ),
            run=_run_demo,
        ),
        Command(
            name="tail",
            summary="The last records of some logs, and with -f those that come.",
            usage="logpith tail [-f] [options] [PATH…]",
            doc="Prints the last records, secrets redacted, and goes on with new ones as they are written. Notices "
            "when a file is rotated or truncated. Without a path, what your programs have logged by logpith-emit and "
            "was not brought elsewhere.",
            options=(
                Option(name="follow", letter="f", doc="Go on with what is written from now on."),
                Option(
                    name="lines", letter="n", value="N", doc="How many records to begin with (default: 10)."
                ),
                Option(name="query", letter="q", value="TEXT", doc="Only records that match this query."),
                Option(name="json", doc="Print each record as a line of JSON."),
                NO_COLOR,
            ),
            examples=(
                "logpith tail -f app.log",
                "logpith tail -f -q 'level>=warn' logs/*.log",
                "logpith tail -n 100",
            ),
            run=_tail,
        ),
        Command(
            name="ship",
            summary="Bring what programs said by logpith-emit to its destinations.",
            usage="logpith ship [options]",
            doc="Programs that log by logpith-emit bring their records to destinations by themselves. What they could "
            "not bring before they ended waits in the spool; this brings it, and what comes. Settings are those of "
            "the programs. The same as logpith-emit ship, whose exit code 1 says that something waits; logpith-emit "
            "status tells how that goes.",
            options=(
                Option(name="once", doc="End when all is delivered that is there."),
                Option(name="timeout", value="S", doc="How long --once may take (default: 60)."),
                Option(
                    name="wait",
                    value="S",
                    doc="How long --once waits for destinations that are not there (default: 10).",
                ),
                Option(
                    name="folder", value="D", doc="One spool (default: those of all services of this user)."
                ),
                Option(
                    name="settings",
                    value="FILE",
                    doc="Settings of TOML (default: what LOGPITH_EMIT_SETTINGS names).",
                ),
            ),
            examples=("logpith ship --once", "logpith ship --settings emit.toml"),
            run=_ship,
        ),
        Command(
            name="new",
            summary="Make a project: an MCP server whose tool calls are logged to destinations.",
            usage="logpith new [FOLDER] [options]",
            doc="Asks what the project is called and where its records go, and writes it into FOLDER, which is new or "
            "empty (default: one that is called as the project's package). Addresses and secrets among the answers go "
            "into its .env, which git does not see. pip install 'logpith[new]' brings what this needs.",
            options=(
                Option(
                    name="answers",
                    value="FILE",
                    doc="Answers, in JSON, YAML or TOML: a project's .answers.json, or a cookiecutter.json, in which a "
                    "list is a choice, and its first the default.",
                ),
                Option(name="set", value="NAME=VALUE", doc="One answer; may be given again."),
                Option(name="defaults", doc="Ask nothing: what is not answered has its default."),
            ),
            examples=(
                "logpith new",
                "logpith new ./billing --defaults --set production_log_destination=kafka",
                "logpith new --answers cookiecutter.json",
            ),
            run=_new,
        ),
        Command(
            name="mcp",
            summary="Serve the tools to an agent, over MCP on standard input and output.",
            usage="logpith mcp [--root DIR]… [options]",
            doc="An agent's program starts this and speaks with it. It reads files under these folders only. Where "
            "settings name sources, or something was collected, questions that name no files are about that.",
            options=(
                Option(name="root", value="DIR", doc="A folder to read (default: the working directory)."),
                Option(
                    name="time-limit",
                    value="S",
                    doc="Seconds after which a question stops reading and answers with what it has; asking again "
                    "goes on; 0 is no limit (default: 25, since hosts give up at 30).",
                ),
                Option(
                    name="toolsets",
                    value="A,B",
                    doc="Offer these toolsets (default: LOGPITH_TOOLSETS, or core, and aggregate where something "
                    "is collected).",
                ),
                Option(name="tools", value="A,B", doc="Offer exactly these tools."),
                _CONFIG,
                _DATA_DIR,
            ),
            examples=(
                "logpith mcp --root ./logs",
                "logpith mcp --root /var/log --tools overview,grep,fetch",
                "claude mcp add logpith -- logpith mcp --root /var/log",
            ),
            run=_serve_mcp,
        ),
        Command(
            name="serve",
            summary="Take records and answer questions over HTTP: MCP, JSON, live tail, metrics.",
            usage="logpith serve [options]",
            doc="Serves until it is told to end (SIGTERM, Ctrl+C). Listens on this machine only, and to those who "
            "have a token: one of the settings, of LOGPITH_TOKEN, or else one that is made at the first start and "
            "shown once.",
            options=(
                Option(
                    name="config", value="FILE", doc="The settings (default: logpith.toml, if there is one)."
                ),
                *_LISTENING,
                _DATA_DIR,
                Option(
                    name="retention",
                    value="SPAN",
                    doc="How long records are kept that no class names: 30d (default: what the settings say).",
                ),
                Option(
                    name="name",
                    value="NAME",
                    doc="The server's own name: POST /NAME takes {tool, arguments} (default: logpith).",
                ),
                Option(name="toolsets", value="A,B", doc="Offer these toolsets (default: core,aggregate)."),
                Option(name="tls-cert", value="FILE", doc="Serve with TLS: the certificate, PEM."),
                Option(name="tls-key", value="FILE", doc="Its key."),
                Option(
                    name="insecure-listen",
                    doc="Listen beyond this machine without TLS, for networks where nobody else is.",
                ),
            ),
            examples=(
                "logpith serve",
                "logpith serve --config logpith.toml --data-dir /var/lib/logpith",
                "LOGPITH_TOKEN=$(openssl rand -hex 32) logpith serve --listen 127.0.0.1:9000",
            ),
            run=_serve,
        ),
        Command(
            name="client-config",
            summary="Print what an agent's host needs in its settings to start the server.",
            usage="logpith client-config claude-code|cursor|vscode|codex [--root DIR]… [--name NAME]",
            doc="Prints the snippet for the settings of an agent's host, and beside it where that belongs.",
            options=(
                Option(name="root", value="DIR", doc="A folder to read (default: the working directory)."),
                Option(name="name", value="NAME", doc="What the host calls the server (default: logpith)."),
            ),
            examples=(
                "logpith client-config cursor --root ./logs > .cursor/mcp.json",
                "logpith client-config codex --root /var/log",
            ),
            run=_print_client_config,
        ),
        Command(
            name="skill",
            summary="Print a skill that teaches an agent these commands, for hosts without MCP.",
            usage="logpith skill",
            doc="Prints a ready skill file for agents that run commands: it costs no tokens until it is needed.",
            options=(),
            examples=("mkdir -p .claude/skills/logpith", "logpith skill > .claude/skills/logpith/SKILL.md"),
            run=_print_skill,
        ),
        Command(
            name="check",
            summary="Are the settings what they should be: each source, stage, token and the store's folder.",
            usage="logpith check [options]",
            doc="Reads the settings, opens each stage, and reads each source up to its first records, which are not "
            "kept. The exit code is 1 when something is not as it should be; what to do stands below it.",
            options=(
                _CONFIG,
                Option(
                    name="tls-cert", value="FILE", doc="The server is started with it: see `logpith serve`."
                ),
                Option(name="insecure-listen", doc="The server is started with it: see `logpith serve`."),
                JSON,
            ),
            examples=("logpith check", "logpith check --config logpith.toml --json"),
            run=_check,
        ),
        Command(
            name="config",
            summary="The settings that count here, and where each of them was said.",
            usage="logpith config show [options]",
            doc="Prints all settings as TOML, with the defaults that count where nothing is said, and secrets as ***; "
            "what sources and stages are told by ${VAR} counts as secret. With --sources each has a comment: the line "
            "of the file, the variable of the environment, the option, or `default`. The file is the first of: "
            "--config, $LOGPITH_CONFIG, logpith.toml here, [tool.logpith] in pyproject.toml here, config.toml in the "
            "folder of settings; LOGPITH_STORE_RETENTION=7d outranks `retention` in its [store]. Where variables say "
            "how servers log by logpith_emit (KAFKA_TOPIC and the like), --sources shows those below.",
            options=(
                Option(name="sources", doc="Where each was said."),
                Option(name="format", value="toml|json", doc="How it is printed (default: toml)."),
                _CONFIG,
                _DATA_DIR,
                Option(name="json", doc="As --format json."),
            ),
            examples=(
                "logpith config show",
                "logpith config show --sources",
                "LOGPITH_STORE_RETENTION=7d logpith config show --sources --format json",
            ),
            run=_config,
        ),
        Command(
            name="pipeline",
            summary="What the stages of the settings do to the records of a file.",
            usage="logpith pipeline test FILE",
            doc="Takes the first records of a file through all stages, redaction and validation included, and shows "
            "what each of them changes, drops or sends to the dead letters, and what would be stored. Nothing is kept.",
            options=(
                _CONFIG,
                Option(name="service", value="NAME", doc="The service of records that name none."),
                JSON,
            ),
            examples=("logpith pipeline test sample.log", "logpith pipeline test sample.log --json"),
            run=_run_pipeline,
        ),
        Command(
            name="ingest",
            summary="Put files into the store, each record once; all of it is durable when this returns.",
            usage="logpith ingest PATH…",
            doc="Files, folders and globs, packed or not, and archives, go through the stages of the settings "
            "(secrets are redacted) into the store. On the same files it stores only what was appended since, also "
            "when they were rotated or packed meanwhile. Where a server has the store open, it is asked to do it.",
            options=(
                Option(
                    name="service",
                    value="NAME",
                    doc="The service of records that name none; {name} and {folder} are those of the file.",
                ),
                Option(
                    name="retention",
                    value="SPAN",
                    doc="Then let go of what is older than this, and of what the settings' limits say: 30d.",
                ),
                Option(
                    name="server",
                    value="URL",
                    doc="Where the server is that has the store open (default: what it has told in the data folder).",
                ),
                Option(
                    name="again",
                    doc="Instead, take what is stored of these sources through the stages once more, as the settings "
                    "say now; no file is read. A source is named as in the settings, or by the path of its file.",
                ),
                _CONFIG,
                _DATA_DIR,
                JSON,
            ),
            examples=(
                "logpith ingest /var/log/app",
                "logpith ingest --service gateway 'old/*.log.gz'",
                "logpith ingest --again gateway   # after a stage was added",
            ),
            run=_ingest,
        ),
        Command(
            name="retention",
            summary="What goes from the store now and next, for its age, for room, and by which class.",
            usage="logpith retention plan|apply",
            doc="`plan` shows which segments would go now, and why, then the next ones; nothing is done. A running "
            "server does it by itself; `apply` does it once where none runs.",
            options=(_CONFIG, _DATA_DIR, JSON),
            examples=("logpith retention plan", "logpith retention plan --json"),
            run=_retention,
        ),
        Command(
            name="snapshot",
            summary="Copy the store elsewhere as it is now, verify such copies, and restore one.",
            usage="logpith snapshot create|list|verify|restore [NAME]",
            doc="`create` copies what is not there yet, also while a server writes the store, and names it all NAME "
            "(default: the time). `verify` reads every byte of a snapshot; `restore` makes a store of one, where "
            "none is. Settings go along, without secrets.",
            options=(
                Option(
                    name="to",
                    value="PLACE",
                    doc="With `create`: a folder, or s3://bucket/folder (default: beside the store).",
                ),
                Option(
                    name="from",
                    value="PLACE",
                    doc="With the others: where the snapshot is (default: as above).",
                ),
                Option(
                    name="into",
                    value="DIR",
                    doc="With `restore`: the data folder to restore into (default: that of the settings).",
                ),
                Option(
                    name="skip-damaged",
                    doc="With `restore`: leave out segments that cannot be read, and say so.",
                ),
                _CONFIG,
                _DATA_DIR,
                JSON,
            ),
            examples=(
                "logpith snapshot create before-upgrade",
                "logpith snapshot create --to s3://backups/logs?region=eu-central-1",
                "logpith snapshot restore before-upgrade --into ./restored",
            ),
            run=_snapshot,
        ),
        Command(
            name="explain",
            summary="What a query would read of the store, and what it leaves out.",
            usage="logpith explain QUERY [options]",
            doc="Tells for each segment whether it is left out, counted without being read, or read, and how many "
            "of its blocks. Nothing is collected first.",
            options=(
                Option(name="query", letter="q", value="TEXT", doc="The same as QUERY."),
                Option(name="since", value="TIME", doc="Only records from then on: 10m, 2026-11-20T13:00."),
                Option(name="until", value="TIME", doc="Only records before then."),
                _CONFIG,
                _DATA_DIR,
                JSON,
            ),
            examples=("logpith explain 'level>=error AND quota' --since 1d",),
            run=_explain,
        ),
        Command(
            name="store",
            summary="The segments of the store, and whether every byte is what it should be.",
            usage="logpith store segments|check [--repair]",
            doc="`segments` lists them by day and class. `check` reads all of the store; the exit code is 1 when "
            "something is damaged or missing. With --repair what is damaged is put aside, into the folder `damaged`, "
            "and a lost manifest is made anew; the server must not run then.",
            options=(
                Option(name="repair", doc="With `check`: make a store of all that is good."),
                _CONFIG,
                _DATA_DIR,
                JSON,
            ),
            examples=("logpith store segments", "logpith store check --json"),
            run=_store,
        ),
        Command(
            name="parse",
            summary="What is read of the lines of a file, and which fit no format.",
            usage="logpith parse test FILE",
            doc="Shows of each sample line its format, time, level, service, body and fields, and then the lines "
            "that fit no format; the exit code is 1 when there are such. Formats of your own stand in the TOML "
            "file that $LOGPITH_FORMATS names, or in formats.toml in the folder of settings: [[format]] with a "
            "name, and a regex with named groups, (?P<level>\\w+), or grok, %{LOGLEVEL:level}. Groups named time, "
            "level, service and message are what these are for every record.",
            options=(),
            examples=(
                "logpith parse test sample.log",
                "LOGPITH_FORMATS=own.toml logpith parse test sample.log",
            ),
            run=_run_parse,
        ),
    )
}


# ── Help ────────────────────────────────────────────────────────────────────────────────────────────────────


def _show(text: str) -> int:
    print(text)  # noqa: T201 - see _run
    return FOUND


def _help_for_all() -> str:
    tools = _tools()
    commands = {name: _first_sentence(tool.__doc__) for name, tool in tools.items()}
    commands |= {name: command.summary for name, command in _COMMANDS.items()}
    return "\n".join(
        [
            "logpith: the pith of your logs. Short, true, traceable answers from any log text.",
            "",
            "Usage: logpith PATH…              what is in these files, folders or globs",
            "       PROGRAM | logpith          the same for what a program prints",
            "       logpith COMMAND …          another question",
            "",
            "Commands:",
            *_columns(commands.items()),
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


def _help_for_tool(tool: type[Tool]) -> str:
    docs = {argument.name: _doc_with_default(argument) for argument in _arguments_of(tool)}
    if "query" in tool.positional:
        docs["query"] += (
            " A first word that names a file, a folder or a glob with files is no query, but is read."
        )
    docs["sources"] = (
        "Files, globs or folders to read; - is standard input, which is also read when piped. Without any, what was "
        "collected is asked, of which names of sources and groups in the settings choose a part."
    )
    words = [(_word_for(name), _for_people(tool, docs[name])) for name in tool.positional]
    extras = EXTRAS.get(tool.command, ())
    options = (*_options_of(tool), *(option for extra in extras for option in (extra.option, *extra.further)))
    return _help(
        f"logpith {tool.command} {_usage_words(tool)} [options]",
        _for_people(tool, tool.__doc__ or ""),
        words,
        [*(replace(option, doc=_for_people(tool, option.doc)) for option in options), *COMMON],
        tool.examples,
    )


def _in_commands(text: str) -> str:
    """The text with the names of tools as commands: `log_grep(…)` is `logpith grep` here."""
    for tool in _tools().values() if "_" in text else ():
        # A part of a path is no tool.
        text = re.sub(rf"(?<![\w./-]){tool.name}(?![\w/-])(?:\([^)]*\))?", f"logpith {tool.command}", text)
    return text


def _for_people(tool: type[Tool], doc: str) -> str:
    """A tool's text for agents in the words of the command line: `pattern` is PATTERN here."""
    doc = _in_commands(doc)
    for argument in _arguments_of(tool):
        is_word = argument.name in tool.positional
        doc = doc.replace(
            f"`{argument.name}`", _word_for(argument.name) if is_word else f"--{_dashed(argument)}"
        )
    return doc


def _help_for_command(command: Command) -> str:
    return _help(command.usage, command.doc, (), (*command.options, HELP), command.examples)


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


def _usage_words(tool: type[Tool]) -> str:
    optional = {
        argument.name for argument in _arguments_of(tool) if not argument.required and not argument.many
    }
    return " ".join(
        f"[{_word_for(name)}]" if name in optional else _word_for(name) for name in tool.positional
    )


def _word_for(name: str) -> str:
    return _WORDS_FOR.get(name, name.upper())


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
