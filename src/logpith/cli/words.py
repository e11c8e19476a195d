"""What is typed: the words and options of a command, and what all commands have in common."""

from __future__ import annotations

import getopt
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from logpith_emit.errors import BadArgument, nearest

if TYPE_CHECKING:
    from logpith.settings import Found, Settings

FOUND, NOTHING, ERROR, INTERRUPTED = 0, 1, 2, 130
EXIT_CODES = "Exit codes: 0 something was found, 1 nothing was, 2 error, 130 interrupted."


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
class Command:
    """A command that is no tool."""

    name: str
    summary: str
    usage: str
    doc: str
    options: tuple[Option, ...]
    examples: tuple[str, ...]
    run: Callable[[Parsed], int]


CONFIG_FILE = Option(
    name="config", value="FILE", doc="The settings (default: logpith.toml, if there is one)."
)
DATA_DIR = Option(
    name="data-dir",
    value="DIR",
    doc="Where what is collected is kept (default: LOGPITH_DATA_DIR, or ~/.local/state/logpith; on macOS and Windows "
    "where those keep such).",
)

JSON = Option(name="json", doc="Print the answer as JSON.")
HELP = Option(name="help", letter="h", doc="Show this.")
NO_COLOR = Option(name="no-color", doc="No colours; the variable NO_COLOR does the same.")

STORED = (
    Option(name="refresh", doc="Without PATH: read all sources anew first, and wait for them."),
    Option(name="no-refresh", doc="Without PATH: collect nothing first."),
    CONFIG_FILE,
    DATA_DIR,
)
"""What a tool's command understands of what was collected, which it asks when no files are named."""

COMMON = (*STORED, JSON, NO_COLOR, HELP)
"""What every tool's command understands."""


def parse(words: Sequence[str], options: Iterable[Option], command: str) -> Parsed:
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


def require_word(parsed: Parsed, known: Sequence[str], command: str, *, names: int = 0) -> str:
    """The first word, which says what a command does; behind it there may be so many names."""
    if not parsed.words or parsed.words[0] not in known or len(parsed.words) > 1 + names:
        raise BadArgument(
            f"logpith {command} wants one of: {', '.join(known)}",
            remedy=f"logpith {command} --help tells more",
        )
    return parsed.words[0]


def show(text: str) -> int:
    print(text)
    return FOUND


def own_settings(options: Mapping[str, str]) -> Settings:
    """The settings that count for a question."""
    from logpith.settings import find_own_settings

    return find_own_settings(
        options.get("config"), environment=_environment(options), folder=Path.cwd()
    ).settings


def settings_found(options: Mapping[str, str]) -> Found:
    """The settings that `--config` and `--data-dir` name."""
    from logpith.settings import find_settings

    return find_settings(options.get("config"), environment=_environment(options), folder=Path.cwd())


def _environment(options: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, in which `--data-dir` outranks its variable."""
    from logpith.settings import DATA_VARIABLE

    environment = dict(os.environ)
    if "data-dir" in options:
        environment[DATA_VARIABLE] = str(Path(options["data-dir"]).absolute())
    return environment


def refuse_words(parsed: Parsed, remedy: str) -> None:
    """Nothing, where no word stands behind a command that takes none; `{}` in the remedy is the first that does.

    Raises:
        BadArgument: one does.
    """
    if parsed.words:
        word = parsed.words[0]
        raise BadArgument(f"{word!r} is one word too many", remedy=remedy.format(word))
