"""Docker: what containers write, as Docker's json-file driver keeps it.

    {"log":"first 16 KiB of a line","stream":"stdout","time":"…"}
    {"log":" and its rest\\n","stream":"stdout","time":"…"}

Docker cuts lines at 16 KiB. Their pieces are joined before anything looks at them, or each long line would be several
broken ones. Pieces of one stream may have lines of the other between them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from logpith.scan.records import PADDING
from logpith.sources import LiveSource, Source
from logpith.sources.following import What, follow
from logpith.sources.gathering import OPEN_GROUP, Rejoiner
from logpith.sources.reading import attributes_of

_PIECE_BYTES = 16 << 10
_WHOLE = b'\\n","stream":"'
_LINE = re.compile(rb'\{"log":"(?P<text>.*)","stream":"(?P<stream>\w+)"(?P<rest>.*\})\r?', re.DOTALL)
_COMPOSE_SERVICE = "com.docker.compose.service"


class _Labelled(msgspec.Struct, rename="pascal", frozen=True):
    labels: dict[str, str] | None = None
    image: str = ""


class _Container(msgspec.Struct, rename="pascal"):
    """What Docker keeps beside a container's log, in `config.v2.json`."""

    name: str = ""
    config: _Labelled = _Labelled()


@dataclass(frozen=True, kw_only=True)
class DockerSource(Source):
    """The logs of containers, from the files of Docker's json-file driver."""

    type: ClassVar[str] = "docker"

    paths: tuple[str, ...] = ("/var/lib/docker/containers/*/*-json.log*",)
    """Where Docker keeps them."""

    service: str = ""
    """The service of records that name none, where neither Compose nor the container's name tells it."""

    begin: Literal["beginning", "end"] = "beginning"
    """Where files begin that are there when the source is first opened; later ones are read from their beginning."""

    flush_after_s: float = field(default=1.0, metadata={"minimum": 0.0, "maximum": 3600.0})
    """After so long without a change a file's last record is whole: the rest of a stack trace may come until then."""

    def open(self, name: str, position: str | None) -> AbstractContextManager[LiveSource]:
        """See `Source.open`."""
        what = What(
            name=name,
            paths=self.paths,
            service=self.service,
            attributes=attributes_of(self.attributes),
            flush_after_s=self.flush_after_s,
            begin=self.begin,
            describe=_describe,
            rejoiner=Rejoiner(whole_bytes=whole_bytes, join=join),
        )
        return follow(what, position)


def _describe(stream: str) -> tuple[str, Mapping[str, object]]:
    """The service and the attributes of a container, by the path of its log."""
    folder = Path(stream).parent
    told = {"container.id": folder.name}
    try:
        container = msgspec.json.decode((folder / "config.v2.json").read_bytes(), type=_Container)
    except (OSError, msgspec.DecodeError):
        return "", told
    name = container.name.removeprefix("/")
    told |= {"container.name": name, "container.image.name": container.config.image}
    service = (container.config.labels or {}).get(_COMPOSE_SERVICE, name)
    return service, {key: value for key, value in told.items() if value}


@dataclass
class _Piece:
    """A line of which pieces have come."""

    texts: list[bytes]
    rest: bytes
    row: int
    """Which line of the joined text it is."""


def whole_bytes(buf: NDArray[np.uint8], begin: int, end: int) -> int:
    """Behind the last line before which no piece waits for another one."""
    data = bytes(buf[begin:end])
    if _has_no_pieces(data):
        return end
    open_streams: set[bytes] = set()
    whole = group = begin
    place = begin
    for line in data.split(b"\n")[:-1]:
        if not open_streams:
            group = place
        place += len(line) + 1
        stream, is_cut = _told(line)
        if is_cut:
            open_streams.add(stream)
        else:
            open_streams.discard(stream)
        whole = group if open_streams else place
    return whole


def join(buf: NDArray[np.uint8], begin: int, end: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    """The lines with their pieces joined, and the place in `buf` behind each; OPEN_GROUP for those behind which a piece
    waits. None when there are none to join."""
    data = bytes(buf[begin:end])
    if _has_no_pieces(data):
        return None
    rows: list[bytes] = []
    places: list[int] = []
    waiting: dict[bytes, _Piece] = {}
    place = begin
    # Line by line, which only blocks with such lines have to bear.
    for line in data.split(b"\n")[:-1]:
        place += len(line) + 1
        stream, is_cut = _told(line)
        match = _LINE.fullmatch(line) if is_cut or stream in waiting else None
        if match is not None:
            piece = waiting.setdefault(stream, _Piece([], match["rest"], len(rows)))
            piece.texts.append(match["text"])
            if piece.row == len(rows):
                rows.append(b"")
                places.append(OPEN_GROUP)
            if not is_cut:
                rows[piece.row] = _joined(waiting.pop(stream), stream)
        else:
            rows.append(line)
            places.append(OPEN_GROUP)
        if not waiting:
            places[-1] = place
    for stream, piece in waiting.items():  # no more comes of them
        rows[piece.row] = _joined(piece, stream)
    if waiting:
        places[-1] = place
    text = b"\n".join([*rows, b""])
    return np.frombuffer(text + bytes(PADDING), np.uint8), np.array(places, np.int64)


def _has_no_pieces(data: bytes) -> bool:
    return data.count(_WHOLE) == data.count(b"\n")


def _told(line: bytes) -> tuple[bytes, bool]:
    """The stream of a line, and whether it was cut there."""
    match = _LINE.fullmatch(line) if _WHOLE not in line or len(line) >= _PIECE_BYTES else None
    if match is None:
        _, _, behind = line.rpartition(b'"stream":"')
        return behind.partition(b'"')[0], False
    text = match["text"]
    ended = text.endswith(b"\\n") and (len(text) - len(text[:-1].rstrip(b"\\"))) % 2 == 0
    return match["stream"], not ended and len(text) >= _PIECE_BYTES


def _joined(piece: _Piece, stream: bytes) -> bytes:
    return b'{"log":"' + b"".join(piece.texts) + b'","stream":"' + stream + b'"' + piece.rest
