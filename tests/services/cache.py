"""What servers need and no package brings: fetched from the registries that the machine is set up for, and kept.

`LOGPITH_TEST_SERVICES` names the folder. Everything in it is there whole or not at all, under a name with its version.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .server import NotReadyError, program

MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
PREPARE = "python -m tests.services prepare"


def kept(name: str) -> Path:
    """Where something is, or will be."""
    folder = os.environ.get("LOGPITH_TEST_SERVICES")
    return (Path(folder) if folder else Path.home() / ".cache" / "logpith-test-services").resolve() / name


def keep(name: str, make: Callable[[Path], None]) -> Path:
    """Lets `make` fill a folder that becomes `name`, unless that is there already."""
    there = kept(name)
    with locked(name):
        if not there.exists():
            part = kept(f"{name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            make(part)
            part.rename(there)
    return there


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Lets one process at a time in, and one of its threads."""
    lock = kept(f"{name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def run(folder: Path, *command: str, **environment: str) -> None:
    """Runs a command in a folder, and says what it said if it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise NotReadyError(f"{' '.join(command[:4])}… ended with {done.returncode}: {done.stdout[-4000:]}")


def maven(folder: Path, goal: str, **properties: str) -> None:
    """Runs a goal of Maven's dependency plugin, one at a time: two would write the same files."""
    if not program("mvn"):
        raise NotReadyError("mvn is not here: apt-get install maven")
    with locked("maven"):
        told = [f"-D{name}={value}" for name, value in properties.items()]
        run(folder, "mvn", "--batch-mode", "--quiet", f"{MAVEN_PLUGIN}:{goal}", *told)
