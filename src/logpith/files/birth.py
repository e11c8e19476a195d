"""When a file was born: what tells it from an earlier file that had the same inode.

ext4 gives the inode of a deleted file to the next one that is created, so that device and inode alone name nothing for
long. Linux tells the time of birth by `statx` only (statx(2), since 4.11), which Python does not offer.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct

_AT_EMPTY_PATH = 0x1000
_STATX_BTIME = 0x800
_STATX_BYTES = 256
_BIRTH_AT = 80  # of struct statx: 64 bits of seconds, 32 of nanoseconds


def birth_ns(descriptor: int) -> int:
    """When an open file was made, in ns since 1970; 0 where the system does not tell."""
    statx = _statx()
    if statx is None:
        status = os.fstat(descriptor)
        return int(
            getattr(status, "st_birthtime_ns", 0) or getattr(status, "st_birthtime", 0) * 1_000_000_000
        )
    told = ctypes.create_string_buffer(_STATX_BYTES)
    if statx(descriptor, b"", _AT_EMPTY_PATH, _STATX_BTIME, told) != 0:
        return 0
    (mask,) = struct.unpack_from("=I", told)
    seconds, nanoseconds = struct.unpack_from("=qI", told, _BIRTH_AT)
    return int(seconds) * 1_000_000_000 + int(nanoseconds) if mask & _STATX_BTIME else 0


@functools.cache
def _statx() -> ctypes._NamedFuncPointer | None:
    """The function of the C library; None where it has none: other systems, glibc before 2.28, musl before 1.2."""
    try:
        statx = ctypes.CDLL(None, use_errno=True).statx
    except (AttributeError, OSError, TypeError):
        return None
    statx.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p)
    return statx
