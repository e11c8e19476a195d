"""The guided tour: a made-up day of logs, and the tools at work on it, each with the command that one would type."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from logpith.component import Argument, problem_with, read_text
from logpith.progress import ProgressLine
from logpith.timerange import now_ns, parse_time
from logpith_emit.errors import BadArgument, Refused

if TYPE_CHECKING:
    from logpith.demo import Day, Truth

_SEED = Argument(name="seed", kind=int, minimum=0, maximum=2**63 - 1)


def run_demo(options: Mapping[str, str], run: Callable[[list[str]], int]) -> int:
    """Writes the day and shows it, each step by `run`, which does what the words of a command line say.

    Raises:
        BadArgument: one of the options cannot be used.
    """
    from logpith.demo.incidents import find_incident  # noqa: PLC0415 - not for who only reads `--help`

    day = day_of(options)
    cause = find_incident(day.incident).CAUSE
    folder = folder_for(options.get("dir"))
    truth = _write(day, folder)
    if "truth" in options:
        _write_truth(truth, Path(options["truth"]))
    _say(f"{day.lines:,} lines of a made-up day are in {folder}.")
    logs = str(folder / "*.log")
    if "no-tour" not in options:
        _take_tour(logs, cause, run)
    _say_how_to_go_on(folder, logs)
    return 0


def day_of(options: Mapping[str, str]) -> Day:
    """The day that options describe.

    Raises:
        BadArgument: one of them cannot be used.
    """
    from logpith.demo import Day  # noqa: PLC0415 - as above

    now = now_ns()
    day = Day(end_ns=parse_time(options["end"], now_ns=now) if "end" in options else now)
    day = replace(day, lines=_number(_lines(), options, day.lines), seed=_number(_SEED, options, day.seed))
    return replace(day, incident=options.get("incident", day.incident))


def _lines() -> Argument:
    from logpith.demo.day import FEWEST_LINES  # noqa: PLC0415 - as above

    return Argument(name="lines", kind=int, minimum=FEWEST_LINES, maximum=1_000_000_000)


def _write(day: Day, folder: Path) -> Truth:
    from logpith.demo import write_day  # noqa: PLC0415 - as above

    if not sys.stderr.isatty():
        return write_day(day, folder)
    with ProgressLine(sys.stderr, "writing", then="counting them", counts="lines") as progress:
        return write_day(day, folder, lambda done, total: progress(done, total, done))


def _write_truth(truth: Truth, path: Path) -> None:
    try:
        truth.write(path)
    except OSError as error:
        raise Refused(
            f"{path} cannot be written: {error.strerror}", remedy="Give --truth a file to write"
        ) from error


def _take_tour(logs: str, cause: str, run: Callable[[list[str]], int]) -> None:
    from logpith.query.tree import Phrase  # noqa: PLC0415 - as above

    steps: list[tuple[str, list[str]]] = [
        ("What is here, and what should I look at first?", [logs]),
        (
            "Everything in a handful of patterns, the most severe first.",
            ["cluster", "--sort", "severity", logs],
        ),
    ]
    if cause:
        question = 'How often, where and since when? With -q a query: a "phrase", a field, AND, OR, NOT.'
        steps.append((question, ["grep", "-q", str(Phrase(cause)), logs]))
    ref = _first_suspect(logs)
    if ref:
        around = ["fetch", ref, "--before", "3", "--after", "3", logs]
        steps.append(("What happened just then? A ref opens exactly that line.", around))
    for number, (question, words) in enumerate(steps, 1):
        _say(f"\n{_bold(f'{number}. {question}')}\n{_bold('$')} {_typed(['logpith', *words])}\n")
        run(words)


def _typed(words: list[str]) -> str:
    """The words as one would type them; a glob needs no quotes, the shell or logpith finds its files."""
    return " ".join(
        word if word.endswith("*.log") and " " not in word else shlex.quote(word) for word in words
    )


def _first_suspect(logs: str) -> str:
    """The ref of the first line that the overview shows as proof; empty when there is none."""
    from logpith.app import ask  # noqa: PLC0415 - as above
    from logpith.corpus.desk import Desk  # noqa: PLC0415 - as above
    from logpith.tools import tools  # noqa: PLC0415 - as above

    answer = ask(tools()["log_overview"](sources=(logs,)), Desk())
    return answer.evidence[0].ref if answer.evidence else ""


def _say_how_to_go_on(folder: Path, logs: str) -> None:
    commands = {
        _typed(["logpith", "cluster", logs]): "other questions about this day",
        _typed(["logpith", "grep", "-q", "level>=warn", logs]): "",
        _typed(["logpith", "mcp", "--root", str(folder)]): "serve it to an agent",
        "logpith /var/log": "your own logs",
        "logpith --help": "",
    }
    width = max(map(len, commands)) + 2
    lines = [f"  {command:<{width}}{meaning}".rstrip() for command, meaning in commands.items()]
    _say("\n".join(["", _bold("Go on:"), *lines]))


def folder_for(wanted: str | None) -> Path:
    """The folder to write to; a temporary one stays too, for the commands that the tour ends with."""
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="logpith-demo-"))
    folder = Path(wanted)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(
            f"{wanted} cannot be made: {error.strerror}", remedy="Give --dir a folder to write to"
        ) from error
    return folder


def _number(argument: Argument, options: Mapping[str, str], default: int) -> int:
    value = read_text(argument, options.get(argument.name, str(default)))
    if problem := problem_with(argument, value) or not isinstance(value, int):
        raise BadArgument(f"--{argument.name} {problem}", remedy=f"Try --{argument.name} {default}")
    return value


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - part of the command line


def _bold(text: str) -> str:
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain else f"\x1b[1m{text}\x1b[0m"
