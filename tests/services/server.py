"""What every real server owes: a port of its own, an end, a death, and a new start on the same data."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, ClassVar, Self

from .ports import free_port

POLL_S = 0.05
END_TIMEOUT_S = 120


class NotReadyError(Exception):
    """A server that cannot be prepared or does not start, and what it said."""


class Server(ABC):
    """A real server of this machine. Its port and its folder stay the same for all its lives.

    A subclass says how it is started (`command`), how to see that it answers (`answers`), what must be there before
    (`missing`) and how that gets there (`prepare`).
    """

    name: ClassVar[str]
    start_timeout_s: ClassVar[float] = 240
    """A deadline, not a wait: the starts of one that was killed with much unwritten take longest."""

    end_signal: ClassVar[signal.Signals] = signal.SIGTERM

    host = "127.0.0.1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._last_one_gone: IO[bytes] | None = None

    # ── What a subclass says ────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be started here, or nothing."""
        return ""

    @classmethod
    def prepare(cls) -> None:
        """Fetch or build what it needs, once."""
        if reason := cls.missing():
            raise NotReadyError(reason)

    def lay_out(self) -> None:  # noqa: B027  some have no settings
        """Write its settings; called before every start."""

    @abstractmethod
    def command(self) -> list[str]:
        """What runs it in the foreground."""

    def environment(self) -> dict[str, str]:
        """What it is told besides."""
        return {}

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does its work already; may raise OSError while it does not."""

    # ── What all of them do ─────────────────────────────────────────────────────────────────────────────────

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def pid(self) -> int:
        """The server's own, as long as it runs."""
        if self._process is None:
            raise NotReadyError(f"{self.name} does not run")
        return self._process.pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Returns once it answers; nothing to do for one that runs."""
        if self.is_running():
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lay_out()
        # Every process of the server holds the writing end, so that the reading end tells when the last has gone.
        reading, writing = os.pipe()
        self._last_one_gone = os.fdopen(reading, "rb")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*dying_with_us(), *self.command()],
                cwd=self.folder,
                env=os.environ | self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writing,),
            )
        os.close(writing)
        deadline = time.monotonic() + self.start_timeout_s
        while not self._answers():
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(POLL_S)
                self._await_the_last()
                raise NotReadyError(f"{self.name} ended with {code} before it answered: {self.last_words()}")
            if time.monotonic() > deadline:
                self.kill()
                raise NotReadyError(
                    f"{self.name} did not answer in {self.start_timeout_s} s: {self.last_words()}"
                )
        return self

    def stop(self) -> None:
        """Ends it as its manual says."""
        if self._process is None:
            return
        self._process.send_signal(self.end_signal)
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._await_the_last()

    def kill(self) -> None:
        """`kill -9` of the server's own process, as when a machine dies; what it had not written is lost."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._await_the_last()

    def close(self) -> None:
        """Ends it for good."""
        self.stop()

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else "it said nothing"

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.answers()
        return False

    def _await_the_last(self) -> None:
        """Waits for the server, and for the processes it made: one left alone may hold its data for a moment."""
        assert self._process is not None
        assert self._last_one_gone is not None
        self._process.wait(END_TIMEOUT_S)
        with self._last_one_gone as gone:
            if not select.select([gone], [], [], END_TIMEOUT_S)[0]:
                raise NotReadyError(f"{self.name} left a process behind")
        self._process = None


def dying_with_us() -> list[str]:
    """The beginning of a command that ends when we do, even if we are killed, and is not root to the server.

    Servers refuse to run as root. In a user namespace of its own root is called nobody, and owns its files.
    """
    nobody = ["unshare", "--user", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []
    # A change of user forgets the wish to die with the parent, so that it comes second.
    return [*nobody, "setpriv", "--pdeathsig", "KILL"]


def program(name: str, *folders: Path) -> str:
    """The path of a program, looked for on the search path and then in folders; empty if it is nowhere."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, folders))) or ""
