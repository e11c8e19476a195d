"""The guided tour: a made-up day of logs, and the tools at work on it, each with the command that one would type."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from logpith.component import Argument, problem_with, read_text
from logpith.progress import ProgressLine
from logpith.timerange import now_ns, parse_time
from logpith_emit.errors import BadArgument, Refused

DEFAULT_LINES = 20_000
DEFAULT_SEED = 1

_LINES = Argument(name="lines", kind=int, minimum=100, maximum=1_000_000_000)
_SEED = Argument(name="seed", kind=int, minimum=0, maximum=2**63 - 1)


def run_demo(options: Mapping[str, str], run: Callable[[list[str]], int]) -> int:
    """Writes the day and shows it, each step by `run`, which does what the words of a command line say."""
    from logpith.demo import Day, write_day  # noqa: PLC0415 - not for who only reads `--help`

    lines = _number(_LINES, options.get("lines"), DEFAULT_LINES)
    seed = _number(_SEED, options.get("seed"), DEFAULT_SEED)
    now = now_ns()
    end = parse_time(options["end"], now_ns=now) if "end" in options else now
    folder = _folder(options.get("dir"))
    day = Day(lines=lines, seed=seed, end_ns=end)
    if sys.stderr.isatty():
        with ProgressLine(sys.stderr, "writing a day of logs") as progress:
            write_day(day, folder, progress)
    else:
        write_day(day, folder, None)
    _say(f"A made-up day of logs, about {lines:,} lines, is in {folder}.")
    if "no-tour" not in options:
        _take_tour(folder, run)
    _say_how_to_go_on(folder)
    return 0


def _take_tour(folder: Path, run: Callable[[list[str]], int]) -> None:
    place = str(folder)
    ref = _first_suspect(place)
    steps: list[tuple[str, list[str]]] = [
        ("What is here, and what should I look at first?", [place]),
        (
            "All of it in a handful of patterns, the most severe first.",
            ["cluster", place, "--sort", "severity"],
        ),
        (
            "How often, where and since when? A query instead of a text: -q.",
            ["grep", "-q", "quota level>=error", place],
        ),
    ]
    if ref:
        around = ["fetch", ref, "--before", "3", "--after", "3", place]
        steps.append(("What happened just then? A ref opens exactly that line.", around))
    for number, (question, words) in enumerate(steps, 1):
        _say(f"\n{_bold(f'{number}. {question}')}\n{_bold('$')} {shlex.join(['logpith', *words])}\n")
        run(words)


def _first_suspect(place: str) -> str:
    """The ref of the first line that the overview shows as proof; empty when there is none."""
    from logpith.app import ask  # noqa: PLC0415 - as above
    from logpith.corpus.desk import Desk  # noqa: PLC0415 - as above
    from logpith.tools import tools  # noqa: PLC0415 - as above

    answer = ask(tools()["log_overview"](sources=(place,)), Desk())
    return answer.evidence[0].ref if answer.evidence else ""


def _say_how_to_go_on(folder: Path) -> None:
    place = shlex.quote(str(folder))
    _say(
        "\n".join(
            [
                "",
                _bold("Go on:"),
                f"  logpith {place}",
                f"  logpith grep -q 'level>=warn' {place}",
                f"  logpith mcp --root {place}      serve these logs to an agent",
                "  logpith /var/log                your own",
                "  logpith --help",
            ]
        )
    )


def _folder(wanted: str | None) -> Path:
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


def _number(argument: Argument, text: str | None, default: int) -> int:
    if text is None:
        return default
    value = read_text(argument, text)
    if problem := problem_with(argument, value):
        raise BadArgument(f"--{argument.name} {problem}", remedy=f"Try --{argument.name} {default}")
    assert isinstance(value, int)  # noqa: S101 - for the type checker: what has no problem is of the kind
    return value


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - part of the command line


def _bold(text: str) -> str:
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain else f"\x1b[1m{text}\x1b[0m"
