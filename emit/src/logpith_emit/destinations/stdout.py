"""Standard output: what a container's platform collects."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

from logpith_emit.console import line_of
from logpith_emit.destinations import ALL_WRITTEN, Destination, LiveDestination, Outgoing, Written, write_only
from logpith_emit.errors import Unavailable


@dataclass(frozen=True, kw_only=True)
class StdoutDestination(Destination):
    """Writes records to this process' standard output, or standard error, a line each.

    A server of MCP that speaks over stdio must not write there: choose `stderr`.
    """

    type: ClassVar[str] = "stdout"

    stream: Literal["stdout", "stderr"] = "stdout"
    """Where to."""

    form: Literal["json", "console"] = "json"
    """JSON for machines, or lines for people."""

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        yield _Stdout(self)


class _Stdout:
    def __init__(self, settings: StdoutDestination) -> None:
        self._settings = settings

    def write(self, records: Sequence[Outgoing]) -> Written:
        stream = sys.stdout if self._settings.stream == "stdout" else sys.stderr
        text = b"".join(self._line(record) + b"\n" for record in records)
        try:
            # Past what Python itself holds back, so that it is there when this returns, however the process ends.
            stream.flush()
            left = memoryview(text)
            while left:
                left = left[os.write(stream.fileno(), left) :]
        except (
            OSError,
            ValueError,
            AttributeError,
        ) as error:  # closed, or replaced by something that is no file
            raise Unavailable(
                f"{self._settings.stream} cannot be written: {error}", remedy="See to who reads it"
            ) from error
        return ALL_WRITTEN

    query = write_only

    def _line(self, record: Outgoing) -> bytes:
        return (
            record.text
            if self._settings.form == "json"
            else line_of(record.fields).encode("utf-8", "replace")
        )
