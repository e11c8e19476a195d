"""Roots: the folders that this process may read. Opening happens beneath them or not at all.

The kernel resolves the path (`openat2` with RESOLVE_BENEATH, Linux 5.6+), so a symbolic link or `..` that
leads out is refused without a gap between looking and opening. Elsewhere the real path is compared first and
the last component is not followed: a link swapped in between by somebody who may write to the root gets
through there, which `docs/explanation/limits.md` says.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from logpith_emit.errors import NotFound, OutsideRoots, Refused, nearest

_OPENAT2 = 437  # the same number on every Linux architecture since 5.6
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08
# O_NONBLOCK keeps a FIFO or a device from stopping us before fstat tells what it is.
_OPEN_FLAGS = (
    os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@dataclass(frozen=True)
class Roots:
    """Where files may be opened; no folders at all means anywhere (a person at a command line)."""

    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, folders: Sequence[Path | str]) -> Roots:
        """Roots of existing folders, with their links resolved.

        Raises:
            NotFound: one of them is no folder.
        """
        real: list[Path] = []
        for folder in folders:
            path = Path(folder).expanduser().absolute()
            if not path.is_dir():
                raise NotFound(f"{folder} is not a folder", remedy="Name folders that exist as roots")
            real.append(path.resolve())
        return cls(tuple(real))

    @property
    def confine(self) -> bool:
        """Whether anything is refused at all."""
        return bool(self.folders)

    def open(self, path: Path) -> int:
        """A file descriptor for reading `path`.

        Raises:
            OutsideRoots: the path leads out of every root.
            NotFound: no such file; the remedy offers a near name.
            Refused: it exists and may not be read.
        """
        try:
            if not self.confine:
                return os.open(path, _OPEN_FLAGS)
            root, inside = self._root_of(path)
            return _open_beneath(root, inside)
        except OSError as error:
            raise self._translated(error, path) from error

    def require_inside(self, path: Path) -> None:
        """Nothing, when `path` may lie inside; what it really is, `open` sees.

        Raises:
            OutsideRoots: its name alone leads out.
        """
        if self.confine:
            self._root_of(path)

    def _root_of(self, path: Path) -> tuple[Path, str]:
        """The root that `path` lies in, and the rest of the path; links in the rest are not resolved yet."""
        absolute = path if path.is_absolute() else self.folders[0] / path
        for candidate in (Path(os.path.normpath(absolute)), Path(os.path.realpath(absolute))):
            for root in self.folders:
                if candidate.is_relative_to(root):
                    return root, str(candidate.relative_to(root))
        raise OutsideRoots(
            f"{path} lies outside the folders that may be read",
            remedy=f"Name a path under {self.shown()}, or start with another --root",
        )

    def _translated(self, error: OSError, path: Path) -> Refused:
        if error.errno == errno.ELOOP and not self.confine:
            return Refused(f"{path} is a link that leads to itself", remedy="Name another file")
        if error.errno in (errno.EXDEV, errno.ELOOP):
            return OutsideRoots(
                f"{path} leads outside the folders that may be read",
                remedy=f"Name a path under {self.shown()}, or start with another --root",
            )
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            if leads_to := self._target(path):
                return NotFound(
                    f"{path} is a link to {leads_to}, which is not there",
                    remedy="Mend the link, or name another file",
                )
            return NotFound(
                f"there is no file {path}", remedy=f"{_nearest_sibling(path)}{self._what_to_name()}"
            )
        if error.errno in (errno.EACCES, errno.EPERM):
            return Refused(
                f"{path} may not be read by this user", remedy="Change its permissions or run as its owner"
            )
        return Refused(f"{path}: {os.strerror(error.errno or 0)}", remedy="Name another file")

    def _target(self, path: Path) -> str:
        """Where a link points to; empty for what is none."""
        try:
            return str((self.folders[0] / path if self.confine else path).readlink())
        except (OSError, ValueError):
            return ""

    def _what_to_name(self) -> str:
        return (
            f"Name a file, folder or glob under {self.shown()}"
            if self.confine
            else "Name a file, folder or glob"
        )

    def shown(self) -> str:
        """The roots for an error text."""
        return ", ".join(str(folder) for folder in self.folders)


def _nearest_sibling(path: Path) -> str:
    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        return ""
    found = nearest(path.name, names).strip()
    return f"{found} " if found else ""


def _open_beneath(root: Path, inside: str) -> int:
    folder = os.open(root, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        if _kernel_resolves():
            return _openat2(folder, inside)
    finally:
        os.close(folder)
    real = Path(os.path.realpath(root / inside))
    if not real.is_relative_to(root):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    return os.open(real, _OPEN_FLAGS | getattr(os, "O_NOFOLLOW", 0))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _openat2(folder: int, inside: str) -> int:
    how = _OpenHow(_OPEN_FLAGS, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    descriptor = int(
        _libc().syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(folder),
            ctypes.c_char_p(os.fsencode(inside)),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
    )
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return descriptor


@functools.cache
def _kernel_resolves() -> bool:
    """Whether `openat2` works here: Linux since 5.6, unless a sandbox forbids it."""
    if not sys.platform.startswith("linux"):
        return False
    here = os.open(".", os.O_RDONLY)
    try:
        os.close(_openat2(here, "."))
    except OSError as error:
        return error.errno not in (errno.ENOSYS, errno.EPERM, errno.EINVAL)
    finally:
        os.close(here)
    return True


def is_regular(descriptor: int) -> bool:
    """Whether an open file is an ordinary one."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode)
