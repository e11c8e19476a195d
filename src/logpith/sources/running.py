"""Running: other people's programs, held short.

No shell: a program and its arguments, as the settings say them. No input, a clean environment, a bounded time, a
bounded output; and when it is over, whatever the reason, everything that it started is ended with it.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from logpith.component import words_of_program
from logpith_emit.errors import BadArgument, Refused, Unavailable

# What a program may know of ours unless the settings say more.
ALWAYS_PASSED = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER")
_READ_BYTES = 1 << 16
_MOST_COMPLAINT_BYTES = 2000
_MOST_SHOWN = 300
_LOOK_AGAIN_S = 0.05
# What may stand in an argument for a service: no option, no path upwards, nothing that any program takes for syntax.
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,126}")

_ALIVE: set[subprocess.Popen[bytes]] = set()
"""The programs that run."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A program that came to its end."""

    status: int
    output: bytes
    complaint: str
    """The last that it said on stderr, as one line."""

    is_cut: bool = False
    """Whether it was ended because it had written as much as it may."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How short a program is held."""

    timeout_s: float
    most_bytes: int
    passed: Sequence[str] = ()
    """Names of more variables of our environment that it may know."""

    may_cut: bool = False
    """Whether a program that writes more than it may is ended there, instead of refused."""


def fill_in(words: Sequence[str], *, service: str, lines: int) -> list[str]:
    """A program and its arguments with `{service}` and `{lines}` filled in.

    Raises:
        BadArgument: the service's name cannot stand in an argument.
    """
    if not words:
        raise BadArgument(
            "command: it names no program", remedy='Write one like ["journalctl", "-n", "{lines}"]'
        )
    check_service(service)
    return [word.replace("{lines}", str(int(lines))).replace("{service}", service) for word in words]


def check_service(service: str) -> None:
    """Nothing, when the name may stand in an argument.

    Raises:
        BadArgument: it may not.
    """
    if service and not _SERVICE.fullmatch(service):
        raise BadArgument(
            f"services: {service[:60]!r} cannot be given to a program",
            remedy="Use letters, digits and . _ : @ - only, and no - at the beginning",
        )


def run(words: Sequence[str], limits: Limits) -> Done:
    """What a program has written when it has ended.

    Raises:
        Unavailable: it did not end in time.
        Refused: there is no such program, or it writes more than it may.
    """
    program = words[0]
    environment = {name: os.environ[name] for name in (*ALWAYS_PASSED, *limits.passed) if name in os.environ}
    try:
        process = subprocess.Popen(  # noqa: S603  # from the settings, and never through a shell
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        remedy = "Install it, or name it by its path"
        if " " in program:
            remedy = f"A program is the list of its words: {json.dumps(words_of_program(program), ensure_ascii=False)}"
        raise Refused(f"there is no program {program}", remedy=remedy) from error
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
        raise Refused(f"{program} cannot be started: {why.lower()}", remedy="Check the command") from error
    _ALIVE.add(process)
    try:
        return _watch(process, program, limits)
    finally:
        _end(process)
        _ALIVE.discard(process)


@atexit.register
def end_all() -> None:
    """Ends what still runs: whoever asked may leave before a thread that waits for a program."""
    for process in tuple(_ALIVE):
        _kill(process)


def _watch(process: subprocess.Popen[bytes], program: str, limits: Limits) -> Done:
    """Reads what the process writes until it ends, or must be ended."""
    end_s = time.monotonic() + limits.timeout_s
    output, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, kept in ((process.stdout, output), (process.stderr, complaint)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ, kept)
        while selector.get_map():
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                raise _too_slow(program, limits)
            events = selector.select(min(left_s, _LOOK_AGAIN_S))
            for key, _ in events:
                if not _take(key.fileobj, key.data):  # type: ignore[arg-type]  # what was registered is a stream
                    selector.unregister(key.fileobj)
            if len(output) > limits.most_bytes:
                if limits.may_cut:
                    return Done(status=0, output=bytes(output), complaint="", is_cut=True)
                raise Refused(
                    f"{program} writes more than {limits.most_bytes:,} bytes",
                    remedy="Let it write fewer lines, or raise most_bytes",
                )
            del complaint[:-_MOST_COMPLAINT_BYTES]
            if not events and process.poll() is not None:
                break  # what it has left behind may hold its output open for ever
    try:
        status = process.wait(max(end_s - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        raise _too_slow(program, limits) from None
    return Done(status=status, output=bytes(output), complaint=_as_line(bytes(complaint)))


def _take(stream: IO[bytes], kept: bytearray) -> bool:
    """Takes what a stream has; whether more may come."""
    try:
        piece = os.read(stream.fileno(), _READ_BYTES)
    except BlockingIOError:
        return True
    kept += piece
    return bool(piece)


def _too_slow(program: str, limits: Limits) -> Unavailable:
    return Unavailable(
        f"{program} did not end within {limits.timeout_s:g} s", remedy="Raise timeout_s, or let it do less"
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and all that it started, and waits for none of it."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)  # its session has its number
        else:
            process.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and all that it started."""
    _kill(process)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _as_line(complaint: bytes) -> str:
    """The last line of a complaint that says something, without what a terminal would obey."""
    told = [line for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    last = told[-1].strip() if told else ""
    return "".join(letter if letter.isprintable() else "?" for letter in last)[:_MOST_SHOWN]
