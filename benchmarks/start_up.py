"""Start-up: fresh processes against a bare interpreter, and our MCP server against one of a single tool.

Both MCP servers stand on the same SDK and are asked over stdio; what is timed is from spawning to the answer of
`tools/list`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks import Row, Setting
from benchmarks.measuring import LOGPITH, interleaved, run

_REPEATS = 7
_TEN_MB = 10_000_000

_ONE_TOOL_SERVER = """
import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
import mcp_types as types

async def list_tools(context, params):
    return types.ListToolsResult(tools=[types.Tool(name="one", description="One.", input_schema={"type": "object"})])

async def serve():
    server = Server("one", on_list_tools=list_tools)
    async with stdio_server() as (reads, writes):
        await server.run(reads, writes, server.create_initialization_options())

anyio.run(serve)
"""


def measure(setting: Setting) -> Iterator[Row]:
    """Rows for the command line and one for MCP."""
    log = setting.folder / "ten.log"
    line = "2026-11-20 13:45:02,123 INFO app.db: query {} finished in {} ms for client 10.0.0.{}\n"
    with log.open("w") as file:
        written = 0
        number = 0
        while written < _TEN_MB:
            written += file.write(line.format(number, number % 977, number % 251))
            number += 1
    run([*LOGPITH, str(log)])
    commands: dict[str, list[str]] = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import logpith_emit": [sys.executable, "-c", "import logpith_emit"],
        "logpith --version": [*LOGPITH, "--version"],
        "logpith --help": [*LOGPITH, "--help"],
        "logpith on 10 MB": [*LOGPITH, str(log)],
    }
    found = interleaved({name: _wall(command) for name, command in commands.items()}, _REPEATS)
    bare = found["python -c pass"]
    for name in list(commands)[1:]:
        ratio = f"{found[name] / bare:.1f} × its time"
        yield Row(name, f"{found[name] * 1000:.0f} ms", f"python -c pass {bare * 1000:.0f} ms", ratio)
    servers = interleaved(
        {
            "ours": lambda: _until_listed([*LOGPITH, "mcp", "--root", str(setting.folder)]),
            "peer": lambda: _until_listed([sys.executable, "-c", _ONE_TOOL_SERVER]),
        },
        _REPEATS,
    )
    yield Row(
        "MCP, spawn → tools/list",
        f"{servers['ours'] * 1000:.0f} ms",
        f"one-tool server {servers['peer'] * 1000:.0f} ms",
        f"{servers['ours'] / servers['peer']:.2f} × its time",
    )


def _wall(command: Sequence[str]) -> Callable[[], float]:
    return lambda: run(command).wall_s


def _until_listed(command: Sequence[str]) -> float:
    """Seconds from spawning a server to its list of tools."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("a server without pipes")
        client = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        }
        for message in (
            {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        ):
            server.stdin.write(f"{json.dumps(message)}\n")
        server.stdin.flush()
        for line in server.stdout:
            if json.loads(line).get("id") == 2:
                break
        taken = time.perf_counter() - started
        server.kill()
    return taken
