"""The pictures of the README and the tutorial: what commands print at a terminal, as SVG.

    python docs/pictures/make.py [FOLDER]     writes them into FOLDER; without one, beside this file

Each command is run in a pseudo terminal, in the folder of a demo day. The pictures name no font that is not there
already, since a picture should not make a reader's browser ask another host for one.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 100, 30
DAY = ("demo", "--seed", "7", "--end", "2026-11-20T22:00:00Z", "--no-tour", "--dir")
PICTURES = {
    "overview": "logpith *.log",
    "cluster": "logpith cluster *.log",
    "timeline": "logpith timeline *.log",
}
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def at_terminal(command: str, folder: Path) -> str:
    """What a command prints at a terminal, with its colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    hidden = {"COLUMNS", "LINES", "NO_COLOR"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    _, *words = command.split()
    files = sorted(path.name for path in folder.glob("*.log"))
    words = [file for word in words for file in (files if word == "*.log" else [word])]
    program = subprocess.Popen(  # noqa: S603 - the commands are those above
        [sys.executable, "-m", "logpith", *words],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )
    os.close(theirs)
    printed = b""
    while data := _read(ours):
        printed += data
    os.close(ours)
    if program.wait() != 0:
        raise RuntimeError(f"{command} failed: {printed.decode(errors='replace')}")
    return printed.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # what Linux says when nobody has the other end open any more
        return b""


def picture(name: str, command: str, printed: str) -> str:
    """The first rows of what was printed, as SVG."""
    text = Text.from_ansi(printed.replace("\r\n", "\n"))
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    rows = text.wrap(console, COLUMNS)
    for row in rows[:ROWS]:
        console.print(row)
    return _FONT_FACE.sub("", console.export_svg(title=command, unique_id=name))


def make(folder: Path) -> None:
    """Writes all pictures into a folder."""
    with tempfile.TemporaryDirectory() as home:
        day = Path(home) / "day"
        subprocess.run([sys.executable, "-m", "logpith", *DAY, str(day)], check=True, capture_output=True)  # noqa: S603
        for name, command in PICTURES.items():
            svg = picture(name, command, at_terminal(command, day))
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
