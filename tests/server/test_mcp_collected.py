"""An agent that is served over standard input asks what was collected, and collects it, without any server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from logpith.server.toolsets import choose_tools, instructions
from mcp_client import SERVE, client

SETTINGS = """
[sources.gateway]
type = "file"
paths = ["{folder}/elsewhere/gateway.log"]
service = "gateway"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a file, and settings with a source that lies elsewhere."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "app.log").write_text("2026-11-20T10:00:00Z INFO only in the file\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "gateway.log").write_text("2026-11-20T10:00:00Z ERROR quota_exceeded\n")
    (tmp_path / "settings.toml").write_text(SETTINGS.format(folder=tmp_path))
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))
    return root


def told(answer):
    return json.dumps(answer["structuredContent"])


def test_an_agent_asks_sources_of_the_settings_and_files_under_the_roots(folder: Path):
    with client(folder, argv=[*SERVE, "--config", "../settings.toml"]) as agent:
        listed = [tool["name"] for tool in agent.ask("tools/list")["result"]["tools"]]
        everything = agent.call("log_overview")
        found = agent.call("search_logs", query="quota_exceeded")
        named = agent.call("tail_logs", sources=["gateway"])
        filed = agent.call("log_fetch", sources=["app.log"])
        unknown = agent.call("log_overview", sources=["gatway"])
        outside = agent.call("log_overview", sources=["../elsewhere/gateway.log"])

    assert listed == list(choose_tools("core,aggregate"))
    assert agent.hello["instructions"] == instructions(choose_tools("core,aggregate"), stored=True)
    assert everything["structuredContent"]["coverage"]["records"] == 1
    assert "quota_exceeded" in told(found)
    assert "quota_exceeded" in told(named)
    assert "only in the file" in told(filed)
    assert "quota_exceeded" not in told(filed)
    assert unknown["isError"]
    assert "Did you mean 'gateway'?" in unknown["content"][0]["text"]
    assert outside["isError"]


def test_what_comes_while_an_agent_asks_is_found(folder: Path, tmp_path: Path):
    (tmp_path / "settings.toml").write_text(
        SETTINGS.format(folder=tmp_path) + "[collect]\nmax_staleness = '1ns'\n"
    )
    with client(folder, argv=[*SERVE, "--config", "../settings.toml"]) as agent:
        first = agent.call("tail_logs")["structuredContent"]
        with (tmp_path / "elsewhere" / "gateway.log").open("a") as log:
            log.write("2026-11-20T10:00:05Z ERROR and this\n")
        second = agent.call("tail_logs", cursor=first["cursor"])["structuredContent"]

    assert [item["text"].partition("ERROR ")[2] for item in second["items"]] == ["and this"]


def test_without_settings_and_a_store_an_agent_is_offered_what_it_always_was(folder: Path):
    with client(folder) as agent:
        listed = [tool["name"] for tool in agent.ask("tools/list")["result"]["tools"]]
        overview = agent.call("log_fetch")

    assert listed == list(choose_tools())
    assert agent.hello["instructions"] == instructions(choose_tools())
    assert "only in the file" in told(overview)


def test_settings_that_were_found_and_are_wrong_leave_the_files(folder: Path):
    (folder / "logpith.toml").write_text("[sources")

    with client(folder) as agent:
        overview = agent.call("log_fetch", sources=["app.log"])

    assert "only in the file" in told(overview)


def test_starting_over_a_store_loads_nothing_heavy(folder: Path):
    heavy = "{'numpy', 'numba', 'pyarrow', 'rich', 'duckdb', 're2'}"
    script = (
        "import sys; from logpith.server import mcp; from logpith.cli import main;"
        "mcp.serve_stdio = lambda *given, **named:"
        f" print(named['settings'].have_logs, sorted({heavy} & set(sys.modules)));"
        "main(['mcp', '--config', '../settings.toml'])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, check=True)

    assert done.stdout.strip() == b"True []"
