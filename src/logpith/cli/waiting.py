"""Who waits for whom: a person for what is read and compiled, and a command for what is piped into it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logpith.progress import ProgressLine

COMPILING = "compiling once for this machine (about 30 s)"
COMPILING_MORE = "compiling once for this machine"
"""What a kind of question needs for the first time."""

_LOOK_EVERY_S = 0.1
_MOST_LOOKS = 1_200
"""What is served for longer has compiled all that it needs by then."""

_progress_lines: list[ProgressLine] = []
"""Those that are drawn, which tell themselves of what is compiled."""


@contextmanager
def progress_line() -> Iterator[ProgressLine | None]:
    """Drawn only where a person sees it."""
    from logpith.progress import ProgressLine

    if not sys.stderr.isatty():
        yield None
        return
    from logpith.scan.kernel import is_compiled

    with ProgressLine(sys.stderr, "reading") as line:
        if not is_compiled():
            line.doing = COMPILING
        line.waits_for = lambda: COMPILING_MORE if _is_compiling() else ""
        _progress_lines.append(line)
        try:
            yield line
        finally:
            _progress_lines.remove(line)


@contextmanager
def told_of_compiling(words: Sequence[str]) -> Iterator[None]:
    """Says once that something is compiled for this machine, whichever command needs that, unless a line does."""
    import threading

    if words[:1] in (["mcp"], ["--version"]):  # whose host takes what is said there for a fault
        yield
        return
    done = threading.Event()

    def look() -> None:
        for _ in range(_MOST_LOOKS):
            if done.wait(_LOOK_EVERY_S):
                return
            if not _progress_lines and _is_compiling():
                from logpith.scan.kernel import is_compiled

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


def is_piped_into() -> bool:
    """Whether standard input is a pipe or a file; a terminal or /dev/null has nothing to say."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def has_input() -> bool:
    """Whether anything comes through standard input; waits until it does or ends."""
    return bool(sys.stdin.buffer.peek(1))  # type: ignore[union-attr]  # of a real stream it is a BufferedReader
