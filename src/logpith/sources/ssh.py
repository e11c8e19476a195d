"""SSH: the last lines that a program of another machine prints, by OpenSSH's own client.

Only a host whose key is known is spoken to, only by a key file, and never with a question to a person. The words of the
remote command are quoted one by one, since sshd hands them to the user's shell as one text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from logpith.sources import LiveSource, Source
from logpith.sources.last_lines import Asked, ask, lines_of
from logpith.sources.reading import attributes_of
from logpith.sources.running import Done, Limits, check_service, fill_in, run
from logpith_emit.errors import BadArgument, LogpithError, Refused, Unavailable

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,252}[A-Za-z0-9])?")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,63}")
_OWN_FAILURE = 255
"""What `ssh` ends with when the failure is its own and not the remote program's."""


@dataclass(frozen=True, kw_only=True)
class SshSource(Source):
    """The last lines that a program prints on another machine."""

    type: ClassVar[str] = "ssh"

    host: str
    """The machine's name or address."""

    user: str
    """Whom to log in as: best one who may read these logs and nothing else."""

    command: tuple[str, ...]
    """The program there and its arguments, each quoted for the shell of that user. `{lines}` stands for how many lines
    are wanted, `{service}` for one of the services."""

    key_file: str
    """The private key to log in with; it has no passphrase, or an agent knows it."""

    known_hosts: str
    """A file with the machine's key, as `ssh-keyscan` writes them. Compare the key by another way first."""

    port: int = field(default=22, metadata={"minimum": 1, "maximum": 65_535})
    """Where its SSH server listens."""

    services: tuple[str, ...] = ()
    """The services to ask for, one after the other; `{service}` in the command is each of them."""

    allow_root: bool = False
    """Whether to log in as root. Rather give another user the right to read the logs."""

    most_lines: int = field(default=10_000, metadata={"minimum": 1, "maximum": 1_000_000})
    """As many lines are asked for at most, where fewer would leave a gap."""

    timeout_s: float = field(default=30.0, metadata={"minimum": 0.1, "maximum": 3600.0})
    """Seconds after which the connection is ended."""

    most_bytes: int = field(default=64 << 20, metadata={"minimum": 1, "maximum": 1 << 30})
    """Bytes that the program may print."""

    flush_after_s: float = field(default=1.0, metadata={"minimum": 0.0, "maximum": 3600.0})
    """A last record that is younger waits for the next time: the rest of a stack trace may come until then."""

    program: str = "ssh"
    """OpenSSH's client, where it is not found by its name."""

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise BadArgument(
                f"host: {self.host[:60]!r} is no name of a machine", remedy="Write a name or an address"
            )
        if not _USER.fullmatch(self.user):
            raise BadArgument(f"user: {self.user[:60]!r} is no name of a user", remedy="Write a login name")
        if self.user == "root" and not self.allow_root:
            raise BadArgument(
                "user: root can do more than read logs",
                remedy="Name a user who may read them, or set allow_root = true",
            )
        for service in self.services:
            check_service(service)
        fill_in(self.command, service="", lines=1)
        if any("{service}" in word for word in self.command) and not self.services:
            raise BadArgument("command: there is no service for {service}", remedy="Name some in services")

    def open(self, name: str, position: str | None) -> AbstractContextManager[LiveSource]:
        """See `Source.open`."""
        limits = Limits(timeout_s=self.timeout_s, most_bytes=self.most_bytes, passed=("SSH_AUTH_SOCK",))

        def fetch(service: str, count: int) -> Sequence[bytes]:
            for setting, path in (("key_file", self.key_file), ("known_hosts", self.known_hosts)):
                if not Path(path).expanduser().is_file():
                    raise Refused(f"{setting}: there is no file {path}", remedy="Check the path")
            words = fill_in(self.command, service=service, lines=count)
            done = run(self._words(words), limits)
            if done.status:
                raise self._failure(done)
            return lines_of(done.output)

        asked = Asked(
            name=name,
            fetch=fetch,
            services=self.services or ("",),
            default_service=self.service,
            attributes={"host.name": self.host, **attributes_of(self.attributes)},
            backfill_lines=self.backfill_lines,
            most_lines=self.most_lines,
            counts_lines=any("{lines}" in word for word in self.command),
            flush_after_s=self.flush_after_s,
        )
        return ask(asked, position)

    def _words(self, remote: Sequence[str]) -> list[str]:
        """OpenSSH's client and its arguments. What stands in the user's own configuration changes none of them."""
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": _quoted(Path(self.known_hosts).expanduser()),
            "GlobalKnownHostsFile": "/dev/null",
            "UpdateHostKeys": "no",
            "IdentitiesOnly": "yes",
            "PreferredAuthentications": "publickey",
            "ClearAllForwardings": "yes",
            "ForwardAgent": "no",
            "PermitLocalCommand": "no",
            "ControlPath": "none",
            "RequestTTY": "no",
            "ConnectTimeout": str(max(1, int(self.timeout_s))),
            "LogLevel": "ERROR",
        }
        words = [self.program, "-F", "none", "-n"]
        for option, value in options.items():
            words += ["-o", f"{option}={value}"]
        words += ["-i", str(Path(self.key_file).expanduser()), "-p", str(self.port), "-l", self.user]
        return [*words, "--", self.host, shlex.join(remote)]

    def _failure(self, done: Done) -> LogpithError:
        told = f": {done.complaint}" if done.complaint else ""
        where = f"{self.user}@{self.host}"
        if done.status != _OWN_FAILURE:
            return Unavailable(
                f"the command on {where} failed with status {done.status}{told}",
                remedy="Try it by hand there",
            )
        if "host key" in done.complaint.lower():
            return Refused(
                f"the key of {self.host} is not the one in {self.known_hosts}",
                remedy="Find out whether the machine was changed before you change that file",
            )
        if "permission denied" in done.complaint.lower():
            return Refused(
                f"{self.host} does not let {self.user} in with {self.key_file}",
                remedy="Put the public key into that user's authorized_keys",
            )
        return Unavailable(f"{where} cannot be reached{told}", remedy="Check host, port and network")


def _quoted(path: Path) -> str:
    """A path as OpenSSH's options take it."""
    return '"' + str(path).replace("%", "%%").replace('"', '\\"') + '"'
