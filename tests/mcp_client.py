"""A client of MCP over standard input that speaks the wire by hand, without the SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OLD, NEW = "2025-11-25", "2026-07-28"
SERVE = [sys.executable, "-m", "logpith", "mcp"]
CLIENT = {"name": "test", "version": "1"}


class Client:
    """Speaks JSON-RPC line by line, in one era."""

    def __init__(self, process: subprocess.Popen[bytes], era: str) -> None:
        self.process = process
        self.era = era
        self.asked = 0
        self.notices: list[dict[str, Any]] = []
        if era == OLD:
            hello = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": CLIENT}
            self.hello = self.ask("initialize", hello)["result"]
            self.tell("notifications/initialized")
        else:
            self.hello = self.ask("server/discover")["result"]

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        return self.read(self.send(method, params))

    def result(self, method: str, **params: Any) -> dict[str, Any]:
        return self.ask(method, params)["result"]

    def send(self, method: str, params: dict[str, Any] | None = None) -> int:
        self.asked += 1
        self._write({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": self._in_era(params)})
        return self.asked

    def tell(self, method: str, params: dict[str, Any] | None = None) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def read(self, number: int) -> dict[str, Any]:
        while (message := self.read_one()).get("id") != number:
            pass
        return message

    def read_one(self) -> dict[str, Any]:
        """The next message; one that answers nothing is also among the notices."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server closed its output"
        message: dict[str, Any] = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        if "id" not in message:
            self.notices.append(message)
        return message

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return self.ask("tools/call", {"name": tool, "arguments": arguments})["result"]

    def _in_era(self, params: dict[str, Any] | None) -> dict[str, Any]:
        prefix = "io.modelcontextprotocol/"
        meta = {
            f"{prefix}protocolVersion": NEW,
            f"{prefix}clientCapabilities": {},
            f"{prefix}clientInfo": CLIENT,
        }
        given = dict(params or {})
        return {**given, "_meta": {**meta, **given.get("_meta", {})}} if self.era == NEW else given

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()


@contextmanager
def client(folder: Path, era: str = NEW, argv: list[str] = SERVE) -> Iterator[Client]:
    """A server that works in `folder`, ends by itself when its input does, and writes nothing but protocol."""
    with subprocess.Popen(
        argv, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield Client(process, era)
            assert process.stdin is not None
            process.stdin.close()
            assert process.stdout is not None
            assert all(json.loads(line)["jsonrpc"] == "2.0" for line in process.stdout)
            assert process.wait(60) == 0
        finally:
            process.kill()
