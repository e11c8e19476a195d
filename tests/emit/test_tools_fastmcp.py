"""FastMCP, which .ci/run installs beside all else, makes of a logged tool what it makes of any other, and tells of its
calls."""

import asyncio
import json

import pytest

from logpith_emit import EmitSettings, get_logger, logged_tool, logger
from logpith_emit.emitter import RECORD_KIND, Emitter
from logpith_emit.spool import Spool

fastmcp = pytest.importorskip("fastmcp")
ToolError = pytest.importorskip("fastmcp.exceptions").ToolError

CORRELATION = "c-7"
META = {"correlationId": CORRELATION}
SECRET = "hunter2-correct-horse"  # made up here


@pytest.fixture
def said(tmp_path, monkeypatch):
    emitter = Emitter(EmitSettings(service="shop", folder=tmp_path))
    monkeypatch.setattr(logger, "_EMITTER", emitter)

    def read():
        spool = Spool(folder=tmp_path)
        frames = (frame for segment in spool.segments() for frame in spool.read(segment))
        return [json.loads(frame.payload) for frame in frames if frame.kind == RECORD_KIND]

    yield read
    emitter.close()


def search(query: str, limit: int = 10, api_key: str = "") -> list[str]:
    """Finds calls."""
    get_logger("shop").info("inside")
    return [query] * 2


async def fetch(call_id: str, ctx: fastmcp.Context) -> str:
    """Gives a call."""
    get_logger("shop").info("inside")
    return call_id


def count(to: int) -> list[int]:
    """Counts."""
    for number in range(to):
        get_logger("shop").info("inside")
        yield number


async def fail(reason: str) -> str:
    """Fails."""
    get_logger("shop").info("inside")
    raise RuntimeError(reason)


WAYS = {
    "below": lambda register, tool: register(logged_tool(tool)),
    "above": lambda register, tool: logged_tool(register(tool)),
    "without": lambda register, tool: register(tool),
}


def server_of(way):
    server = fastmcp.FastMCP("shop")
    for tool in (search, fetch, count, fail):
        WAYS[way](server.tool, tool)
    return server


@pytest.fixture(scope="module", params=["below", "above"])
def server(request):
    return server_of(request.param)


def asked(server, name, arguments):
    async def ask():
        async with fastmcp.Client(server) as client:
            return await client.call_tool(name, arguments, meta=META)

    return asyncio.run(ask())


def test_a_server_makes_the_same_schema_of_it(server):
    async def tools(of):
        async with fastmcp.Client(of) as client:
            return [tool.model_dump(mode="json") for tool in await client.list_tools()]

    assert asyncio.run(tools(server)) == asyncio.run(tools(server_of("without")))


@pytest.mark.parametrize(
    ("name", "arguments", "given", "came_back"),
    [
        (
            "search",
            {"query": "x", "api_key": SECRET},
            {"query": "x", "limit": 10, "api_key": "<secret:1>"},
            '["x","x"]',
        ),
        ("fetch", {"call_id": "CA16"}, {"call_id": "CA16"}, "CA16"),
        ("count", {"to": 1}, {"to": 1}, "[0]"),
    ],
)
def test_calls_are_told_and_belong_to_what_their_meta_says(said, server, name, arguments, given, came_back):
    asked(server, name, arguments)

    inside, call = said()
    assert (call["tool_name"], call["status"], call["input_args"]) == (name, "ok", given)
    assert call["output_summary"] == came_back
    assert inside["correlation_id"] == call["correlation_id"] == CORRELATION


def test_errors_reach_the_client_as_ever_and_are_told(said, server):
    with pytest.raises(ToolError, match="no credits"):
        asked(server, "fail", {"reason": "no credits"})

    _, call = said()
    assert (call["status"], call["error_type"], call["error_message"]) == (
        "error",
        "RuntimeError",
        "no credits",
    )
