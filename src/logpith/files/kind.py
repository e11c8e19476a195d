"""What a file holds, by its first bytes: how they are packed, whether they are text, whether an archive of texts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from logpith.files.encoding import encoding_of, looks_binary, transcode
from logpith.files.packing import Readable, Unpacker, packing_of
from logpith.files.tar import is_tar

HEAD_BYTES = 64 << 10


@dataclass(frozen=True)
class Kind:
    """How to read some bytes."""

    packing: str
    """As `Unpacker` takes it."""

    is_archive: bool = False
    is_binary: bool = False


def head_of(file: BinaryIO) -> bytes:
    """The first bytes of a file; of one that begins with a hole those behind it."""
    head = file.read(HEAD_BYTES)
    if head and not head.strip(b"\0"):
        with contextlib.suppress(OSError, AttributeError):  # not every file system and system knows its holes
            begin = os.lseek(file.fileno(), 0, os.SEEK_DATA)
            return os.pread(file.fileno(), HEAD_BYTES, begin) or head
    return head


def kind_of(head: bytes, packed: Readable) -> Kind:
    """What a file is whose first bytes are `head`; `packed` stands at its beginning, and is read when it is packed."""
    packing = packing_of(head)
    inside = head
    if packing:
        unpacker = Unpacker(packed, packing)
        inside = first_bytes(unpacker)
        if packing == "lzma" and not inside and unpacker.trouble:  # its beginning is no sure sign
            packing, inside = "", head
    if is_tar(inside):
        return Kind(packing, is_archive=True)
    encoding = encoding_of(inside)
    if encoding:
        as_text = b"".join(transcode([inside], encoding, lambda _: None))
        if not looks_binary(as_text):
            return Kind(f"{packing}+{encoding}".removeprefix("+"))
    return Kind(packing, is_binary=looks_binary(inside))


def first_bytes(pieces: Unpacker | Iterator[bytes]) -> bytes:
    """About as many of the first bytes as tell what they are."""
    found = b""
    for piece in pieces:
        found += piece[: HEAD_BYTES - len(found)]
        if len(found) >= HEAD_BYTES:
            break
    return found
