"""The official MCP Inspector asks our server over stdio, as any client would."""

import json
import os
import subprocess
import sys

import pytest

from logpith.demo import Day, write_day
from logpith.server.toolsets import choose_tools
from logpith.timerange import parse_time
from services import outside_program

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    write_day(Day(lines=3000, end_ns=parse_time("2026-11-20T22:00:00Z", now_ns=0)), folder)
    return folder


def inspect(folder, *arguments):
    program = outside_program("mcp-inspector", "npm install @modelcontextprotocol/inspector@2.12.0")
    command = [program, "--cli", sys.executable, "-m", "logpith", "mcp", *arguments]
    run = subprocess.run(
        command, cwd=folder, env=os.environ, capture_output=True, text=True, timeout=240, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def call(folder, tool, **arguments):
    words = [word for name, value in arguments.items() for word in ("--tool-arg", f"{name}={value}")]
    return inspect(folder, "--method", "tools/call", "--tool-name", tool, *words)


def test_it_lists_the_tools(folder):
    listed = inspect(folder, "--method", "tools/list")

    assert [tool["name"] for tool in listed["tools"]] == list(choose_tools())


def test_it_calls_the_four_tools(folder):
    overview = call(folder, "log_overview")["structuredContent"]
    assert "quota_exceeded" in overview["items"][0]["template"]

    ref = overview["items"][0]["refs"][0]
    fetched = call(folder, "log_fetch", refs=json.dumps([ref]))["structuredContent"]
    assert "quota_exceeded" in fetched["items"][0]["text"]

    assert "of" in call(folder, "log_grep", pattern="quota_exceeded")["structuredContent"]["summary"]
    assert call(folder, "log_cluster", max_clusters=3)["structuredContent"]["items"][-1]["id"] == "other"
