"""Kernels: functions that numba compiles to machine code, once for each machine.

The compiled code is kept in our cache folder. numba checks that a function's own file has not changed since,
but not the files of the functions that it calls; so the folder is named after the text of everything in
`scan/`, and a change anywhere in it begins an empty one. Where that folder cannot be written, kernels are
compiled anew by each process.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from logpith.config import cache_dir

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def kernel_folder() -> Path:
    """Where the code compiled from these sources, by this numba and this Python, is kept."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{numba.__version__} {sys.implementation.cache_tag}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return cache_dir() / "kernels" / digest.hexdigest()


@cache
def _can_keep() -> bool:
    """Whether compiled code can be kept; tells numba where, when it can."""
    folder = kernel_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    if not os.access(folder, os.W_OK):
        return False
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]  # numba makes its settings at run time
    return True


def is_compiled() -> bool:
    """Whether kernels were compiled and kept before, so that the first question need not wait for them."""
    return _can_keep() and any(kernel_folder().rglob("*.nbi"))


def kernel(function: Function) -> Function:
    """`function`, compiled when it is first called; runs without the interpreter's lock and checks no bounds.

    It must not make arrays: its callers bring them. In return nobody counts references to them (`_nrt`), which took
    half of the time of reading a log: an atomic step for each array at each call that is not put in line.
    """
    options: Any = {
        "error_model": "numpy",
        "boundscheck": False,
        "_nrt": False,
    }  # numba's types miss the last
    compile_function = numba.njit(nogil=True, cache=_can_keep(), **options)
    compiled: Any = compile_function(function)
    return cast("Function", compiled)
