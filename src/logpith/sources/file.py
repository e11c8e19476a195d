"""File: logs as programs write them, found by path, folder or glob, followed through every rotation."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from logpith.sources import LiveSource, Source
from logpith.sources.following import What, follow
from logpith.sources.reading import attributes_of


@dataclass(frozen=True, kw_only=True)
class FileSource(Source):
    """Logs in files that grow; rotated, packed and new ones too."""

    type: ClassVar[str] = "file"

    paths: tuple[str, ...]
    """Files, folders with all that is below, and globs: `/var/log/app/*.log`. Pieces that a rotation has made are found
    beside them by themselves."""

    service: str = ""
    """The service of records that name none. `{name}` stands for the file's name without its ending, `{folder}` for the
    name of its folder."""

    begin: Literal["beginning", "end"] = "beginning"
    """Where files begin that are there when the source is first opened; later ones are read from their beginning."""

    flush_after_s: float = field(default=1.0, metadata={"minimum": 0.0, "maximum": 3600.0})
    """After so long without a change a file's last record is whole: the rest of a stack trace may come until then."""

    def open(self, name: str, position: str | None) -> AbstractContextManager[LiveSource]:
        """See `Source.open`."""
        what = What(
            name=name,
            paths=self.paths,
            attributes=attributes_of(self.attributes),
            flush_after_s=self.flush_after_s,
            begin=self.begin,
            describe=partial(_describe, self.service),
        )
        return follow(what, position)


def _describe(service: str, stream: str) -> tuple[str, Mapping[str, object]]:
    path = Path(stream)
    named = service.replace("{name}", path.stem).replace("{folder}", path.parent.name)
    return named, {"log.file.path": stream}
