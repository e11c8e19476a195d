"""The examples of the docs are run: what a page shows is what its commands print.

    ```console                a session: `$ command`, and below it what it prints. The commands of a page are run one
                              after the other, from an empty folder on
    ```console lines=8        shows the first 8 lines of what each command prints; width=150 cuts them there
    ```console needs=duckdb   is left as it is where that module is not installed
    ```sh                     commands that begin with `logpith` are run in the folder of a demo day and succeed
    ```sh no-run: reason      are not run

Other lines are cut at WIDTH. What differs between machines is not shown: the second half of a ref, and the folder
that the page was run in. `…` stands wherever something was left out.

    python docs/examples.py   writes into all pages what their commands print now
"""

from __future__ import annotations

import contextlib
import glob
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from logpith.cli import main
from logpith.settings import DATA_VARIABLE

ROOT = Path(__file__).parents[1]
PAGES = tuple(sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("emit/*.md")]))
DAY = "logpith demo --seed 7 --end 2026-11-20T22:00:00Z --dir day --no-tour"
WIDTH = 120
LEFT_OUT = "…"

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REF = re.compile(r"\b(e\d+)@[0-9a-f]{8}\b")
_SHORT_REF = re.compile(rf"\b(e\d+)@{LEFT_OUT}")
# What the first run on a machine says is no part of an answer.
_COMPILING = re.compile(r"^logpith: compiling once[^\n]*\n", re.MULTILINE)
_NO_RUN = re.compile(r"no-run: \w+")
_SHELL_SIGNS = frozenset("|><;&")


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page."""

    language: str
    told: str
    """What stands behind the language."""

    body: str

    def option(self, name: str) -> str:
        """What `name=` says behind the language."""
        found = re.search(rf"\b{name}=(\S+)", self.told)
        return found[1] if found else ""

    @property
    def commands(self) -> list[str]:
        """The command lines in it: all of a session, of other blocks those that are ours."""
        joined = self.body.replace("\\\n", " ")
        lines = joined.splitlines()
        if self.language == "console":
            return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.startswith("logpith ")]

    @property
    def is_run(self) -> bool:
        """Whether the commands in it are run as examples without their output."""
        return self.language == "sh" and not _NO_RUN.search(self.told)


def fences(text: str) -> list[Fence]:
    """The fenced blocks of a page."""
    return [Fence(*found.groups()) for found in _FENCE.finditer(text)]


@dataclass(frozen=True)
class Done:
    """A command that was run."""

    code: int
    output: str


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Works in a folder, at a terminal of a known width with nobody at it."""
    before, width = Path.cwd(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    os.chdir(folder)
    try:
        with Path(os.devnull).open() as nothing:
            stdin, sys.stdin = sys.stdin, nothing
            try:
                yield
            finally:
                sys.stdin = stdin
    finally:
        os.chdir(before)
        if width is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = width


def run(command: str) -> Done:
    """Runs a command line of ours in the present folder: by a shell only where it needs one."""
    tokens = shlex.shlex(command, punctuation_chars=True)
    tokens.whitespace_split = True
    if any(_SHELL_SIGNS.issuperset(token) for token in tokens):
        script = f'logpith() {{ {shlex.quote(sys.executable)} -m logpith "$@"; }}; set -e; {command}'
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)  # noqa: S603, S607
        return Done(done.returncode, done.stdout + done.stderr)
    _, *words = (file for word in shlex.split(command) for file in sorted(glob.glob(word)) or [word])  # noqa: PTH207
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main(words)
    return Done(code, printed.getvalue())


def session(text: str, folder: Path) -> str:
    """The page with what its sessions print when they are run in an empty folder.

    Raises:
        RuntimeError: a command failed.
    """
    refs: dict[str, str] = {}

    def rendered(found: re.Match[str]) -> str:
        fence = Fence(*found.groups())
        needed = fence.option("needs")
        if fence.language != "console" or (needed and find_spec(needed) is None):
            return found[0]
        shown: list[str] = []
        for command in fence.commands:
            shown.append(f"$ {command}")
            if command.startswith("cd "):
                os.chdir(command.removeprefix("cd "))
                continue
            done = run(_SHORT_REF.sub(lambda ref: refs.get(ref[1], ref[0]), command))
            if done.code not in (0, 1):
                raise RuntimeError(f"{command}: {done.output}")
            refs.update((ref[1], ref[0]) for ref in reversed(list(_REF.finditer(done.output))))
            if not command.startswith("logpith demo ") or command.endswith("--help"):
                shown += _shown(done.output.replace(f"{folder}/", ""), fence)
        return f"```console{fence.told}\n" + "\n".join(shown) + "\n```"

    with inside(folder), _collecting_in(folder.with_name(f"{folder.name}-data")):
        return _FENCE.sub(rendered, text)


@contextlib.contextmanager
def _collecting_in(folder: Path) -> Iterator[None]:
    """What a page collects is no reader's, and what a reader has collected is on no page. It is kept although the days
    that pages tell of have long passed."""
    told = {DATA_VARIABLE: str(folder), "LOGPITH_STORE_RETENTION": "36500d"}
    before = {name: os.environ[name] for name in told if name in os.environ}
    os.environ.update(told)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for name in told:
            del os.environ[name]
        os.environ.update(before)


def _shown(output: str, fence: Fence) -> list[str]:
    """The lines of an answer that a fence shows."""
    width = int(fence.option("width") or WIDTH)
    output = _COMPILING.sub("", output)
    lines = _REF.sub(rf"\1@{LEFT_OUT}", output).rstrip("\n").split("\n")
    cut = [line.rstrip() if len(line) <= width else line[: width - 1].rstrip() + LEFT_OUT for line in lines]
    most = int(fence.option("lines") or len(cut))
    if most >= len(cut):
        return cut
    return [*"\n".join(cut[:most]).rstrip("\n").split("\n"), LEFT_OUT]


def rewrite() -> None:
    """Writes into all pages what their commands print now."""
    for page in PAGES:
        text = page.read_text()
        if any(fence.language == "console" for fence in fences(text)):
            with tempfile.TemporaryDirectory() as folder:
                page.write_text(session(text, Path(folder).resolve()))


if __name__ == "__main__":
    rewrite()
