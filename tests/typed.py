"""Commands as people type them, in processes of their own: through pipes, and on a pseudo-terminal."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

LOGPITH = [sys.executable, "-m", "logpith"]


def logpith(
    folder: Path, *words: str, stdin: bytes | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    given: dict[str, object] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(
        [*LOGPITH, *words],
        cwd=folder,
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
        **given,
    )


def complaints(told: str) -> list[str]:
    """Lines of standard error, but for the one that says on a new machine that something is compiled once."""
    return [line for line in told.splitlines() if "compiling once" not in line]


IN_ONE_PROCESS = """
import json, sys
from logpith.cli import main
for words in json.loads(sys.argv[1]):
    print("\f", main(words))
"""


def many_on_a_terminal(folder: Path, *commands: list[str], columns: int = 100) -> list[tuple[str, int]]:
    """The same of several commands, in one process to spare a second for each."""
    argv = [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(commands)]
    sent, _ = sent_to_a_terminal(argv, folder, columns)
    told = re.findall(r"(.*?)\f (\d+)\r\n", sent, re.DOTALL)
    assert len(told) == len(commands)
    return [(text, int(code)) for text, code in told]


def on_a_terminal(folder: Path, *words: str, columns: int = 100, **environment: str) -> tuple[str, int]:
    """What a terminal of that width is sent on standard output, and the exit code."""
    return sent_to_a_terminal([*LOGPITH, *words], folder, columns, **environment)


def sent_to_a_terminal(argv: list[str], folder: Path, columns: int, **environment: str) -> tuple[str, int]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    process = subprocess.Popen(
        argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**variables, "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    sent = b""
    while piece := read_or_nothing(ours):
        sent += piece
    os.close(ours)
    process.communicate()
    return sent.decode(), process.returncode


def read_or_nothing(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError as error:
        if error.errno != errno.EIO:  # Linux's way to say that the other end is closed
            raise
        return b""
