"""Kernels: functions that numba compiles to machine code, once for each machine.

The compiled code is kept in our cache folder. numba checks that a function's own file has not changed since,
but not the files of the functions that it calls; so the folder is named after the text of everything in
`scan/`, and a change anywhere in it begins an empty one. Where that folder cannot be written, kernels are
compiled anew by each process.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, cast

from logpith.config import cache_dir

_PACKAGE = "logpith."
_KEPT_VERSIONS = 4
_LEAST_ROOM = 64 * 2**20
"""What must be free before kernels are kept, several times what they take: numba fails where the disk fills up."""

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def kernel_folder() -> Path:
    """Where the code compiled from these sources, by this numba and this Python, is kept."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{_numba_version()} {sys.implementation.cache_tag}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return cache_dir() / "kernels" / digest.hexdigest()


def _numba_version() -> str:
    """The name of its distribution's folder: numba need not be loaded to tell."""
    spec = find_spec("numba")
    home = Path(spec.origin).parents[1] if spec is not None and spec.origin else Path()
    return ",".join(sorted(path.name for path in home.glob("numba-*.dist-info")))


@cache
def _can_keep() -> bool:
    """Whether compiled code can be kept."""
    folder = kernel_folder()
    try:
        if not folder.exists():
            _forget_old(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        room = shutil.disk_usage(folder).free
    except OSError:
        return False
    return os.access(folder, os.W_OK) and (room >= _LEAST_ROOM or any(folder.rglob("*.nbi")))


def _forget_old(home: Path) -> None:
    """Removes what earlier versions compiled, but for the last few: somebody may run two versions side by side."""
    folders = sorted(home.iterdir(), key=lambda path: path.stat().st_mtime_ns) if home.is_dir() else []
    for folder in folders[: -_KEPT_VERSIONS + 1]:
        shutil.rmtree(folder, ignore_errors=True)


def is_compiled() -> bool:
    """Whether kernels were compiled and kept before, so that the first question need not wait for them."""
    return _can_keep() and any(kernel_folder().rglob("*.nbi"))


class _Waiting:
    """A kernel that nobody has called yet. numba costs a third of a second to load, and many answers need none."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._compiled: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if self._compiled is None:
            _compile_all()
        return self._compiled(*arguments)

    def compile(self) -> Any:
        """The function as numba has it."""
        if self._compiled is None:
            self._compiled = _compiled(self._function)
        return self._compiled


_lock = threading.Lock()
_is_loaded = False


def _compile_all() -> None:
    """Puts what numba makes in the place of each waiting kernel: kernels call each other by their names."""
    global _is_loaded  # noqa: PLW0603  whether numba is there is a fact of the process
    with _lock:
        _is_loaded = True
        for name, module in list(sys.modules.items()):
            if name.startswith(_PACKAGE) and module is not None:
                for attribute, value in list(vars(module).items()):
                    if isinstance(value, _Waiting):
                        setattr(module, attribute, value.compile())


def _compiled(function: Callable[..., Any]) -> Any:
    import numba  # noqa: PLC0415  loaded by the first kernel that runs

    if _can_keep():
        numba.config.CACHE_DIR = str(kernel_folder())  # type: ignore[attr-defined]  # made at run time
    # Kernels check no bounds and run without the interpreter's lock. numba's types do not know `_nrt`.
    options: Any = {"error_model": "numpy", "boundscheck": False, "_nrt": False}
    return numba.njit(nogil=True, cache=_can_keep(), **options)(function)


def kernel(function: Function) -> Function:
    """`function`, compiled when the first kernel of the process is called.

    It must not make arrays: its callers bring them. In return nobody counts references to them (`_nrt`), which took
    half of the time of reading a log: an atomic step for each array at each call that is not put in line.
    """
    waiting: Any = _compiled(function) if _is_loaded else _Waiting(function)
    return cast("Function", waiting)
