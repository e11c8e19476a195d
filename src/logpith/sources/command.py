"""Command: what a program of this machine prints, such as the last lines that a platform's own client tells."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import ClassVar

from logpith.sources import LiveSource, Source
from logpith.sources.last_lines import Asked, ask, lines_of
from logpith.sources.reading import attributes_of
from logpith.sources.running import Limits, check_service, fill_in, run
from logpith_emit.errors import BadArgument, Unavailable


@dataclass(frozen=True, kw_only=True)
class CommandSource(Source):
    """The last lines that a program prints, without those that it printed before."""

    type: ClassVar[str] = "command"

    command: tuple[str, ...]
    """The program and its arguments, each a text of its own: no shell reads them. `{lines}` stands for how many lines
    are wanted, `{service}` for one of the services."""

    services: tuple[str, ...] = ()
    """The services to ask for, one after the other; `{service}` in the command is each of them."""

    most_lines: int = field(default=10_000, metadata={"minimum": 1, "maximum": 1_000_000})
    """As many lines are asked for at most, where fewer would leave a gap."""

    timeout_s: float = field(default=30.0, metadata={"minimum": 0.1, "maximum": 3600.0})
    """Seconds after which the program, and all that it started, is ended."""

    most_bytes: int = field(default=64 << 20, metadata={"minimum": 1, "maximum": 1 << 30})
    """Bytes that it may print."""

    environment: tuple[str, ...] = ()
    """Names of variables of our environment that it may know besides HOME, PATH, USER and the like."""

    flush_after_s: float = field(default=1.0, metadata={"minimum": 0.0, "maximum": 3600.0})
    """A last record that is younger waits for the next time: the rest of a stack trace may come until then. Without
    `{lines}` in the command it does not wait: it might not be printed again."""

    def __post_init__(self) -> None:
        for service in self.services:
            check_service(service)
        words = fill_in(self.command, service="", lines=1)
        if not words[0]:
            raise BadArgument("command: it names no program", remedy="Let it begin with one")
        if any("{service}" in word for word in self.command) and not self.services:
            raise BadArgument("command: there is no service for {service}", remedy="Name some in services")

    def open(self, name: str, position: str | None) -> AbstractContextManager[LiveSource]:
        """See `Source.open`."""
        limits = Limits(timeout_s=self.timeout_s, most_bytes=self.most_bytes, passed=self.environment)

        def fetch(service: str, count: int) -> Sequence[bytes]:
            words = fill_in(self.command, service=service, lines=count)
            done = run(words, limits)
            if done.status:
                how = (
                    f"was ended by signal {-done.status}"
                    if done.status < 0
                    else f"failed with status {done.status}"
                )
                told = f": {done.complaint}" if done.complaint else ""
                raise Unavailable(f"{words[0]} {how}{told}", remedy="Try the command by hand")
            return lines_of(done.output)

        counts_lines = any("{lines}" in word for word in self.command)
        asked = Asked(
            name=name,
            fetch=fetch,
            services=self.services or ("",),
            default_service=self.service,
            attributes=attributes_of(self.attributes),
            backfill_lines=self.backfill_lines,
            most_lines=self.most_lines,
            counts_lines=counts_lines,
            may_grow=counts_lines,
            flush_after_s=self.flush_after_s,
        )
        return ask(asked, position)
