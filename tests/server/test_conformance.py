"""The official MCP conformance runner asks our server: those scenarios that need no fixture tools of its own."""

import subprocess

import pytest

from http_door import opened
from services import outside_program

pytestmark = pytest.mark.service

SCENARIOS = {
    "2026-07-28": (
        "tools-list",
        "resources-list",
        "prompts-list",
        "sep-2164-resource-not-found",
        "dns-rebinding-protection",
        "caching",
        "http-header-validation",
        "server-sse-multiple-streams",
    ),
    "2025-11-25": ("server-initialize", "ping", "tools-list", "dns-rebinding-protection"),
}
HOW_TO_GET = "npm install @modelcontextprotocol/conformance@0.2.0-alpha.12 node@22"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("door"), tokens=None) as door:
        yield door


@pytest.mark.parametrize(
    ("era", "scenario"), [(era, name) for era, names in SCENARIOS.items() for name in names]
)
def test_it_conforms(door, tmp_path, era, scenario):
    program = outside_program("conformance", HOW_TO_GET)
    node = str(program).replace(
        "/conformance", "/node"
    )  # that of the same folder: the system's may be too old
    command = [
        node,
        program,
        "server",
        "--url",
        f"{door.url}/mcp",
        "--scenario",
        scenario,
        "--spec-version",
        era,
    ]

    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
