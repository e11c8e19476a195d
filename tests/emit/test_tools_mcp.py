"""The official SDK makes of a logged tool what it makes of any other, and its calls are told."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from logpith_emit import EmitSettings, correlated, get_logger, logged_tool, logger
from logpith_emit.emitter import RECORD_KIND, Emitter
from logpith_emit.handlers import LogpithHandler
from logpith_emit.spool import Spool

pytest.importorskip("mcp.server.mcpserver")

import httpx2
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span
from pydantic import BaseModel

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
SECRET = "hunter2-correct-horse"  # made up here
EXAMPLE = Path(__file__).parents[2] / "examples" / "mcp-server" / "server.py"


@pytest.fixture
def emitter(tmp_path, monkeypatch):
    """What all loggers of the program write to."""
    made = Emitter(EmitSettings(service="shop", folder=tmp_path / "spool"))
    monkeypatch.setattr(logger, "_EMITTER", made)
    yield made
    made.close()


def said_in(folder):
    spool = Spool(folder=folder)
    frames = (frame for segment in spool.segments() for frame in spool.read(segment))
    return [json.loads(frame.payload) for frame in frames if frame.kind == RECORD_KIND]


@pytest.fixture
def said(emitter):
    return lambda: said_in(emitter.folder)


class Found(BaseModel):
    calls: list[str]
    token: str = ""


def search(query: str, limit: int = 10, api_key: str = "") -> Found:
    """Finds calls."""
    get_logger("shop").info("searching")
    return Found(calls=[query] * 2, token=api_key)


async def fetch(call_id: str, ctx: Context) -> str:
    """Gives a call."""
    get_logger("shop").info("fetching")
    await ctx.report_progress(1, 2)
    return call_id


async def fail(reason: str) -> str:
    """Fails."""
    raise RuntimeError(reason)


def refuse(reason: str) -> CallToolResult:
    """Refuses."""
    return CallToolResult(content=[TextContent(type="text", text=reason)], is_error=True)


TOOLS = (search, fetch, fail, refuse)


def server_of(decorated):
    """A server whose tools came about by `decorated`, which takes the server's decorator and a tool."""
    server = MCPServer("shop")
    for tool in TOOLS:
        decorated(server.tool(), tool)
    return server


WAYS = {
    "below": lambda register, tool: register(logged_tool(tool)),
    "above": lambda register, tool: logged_tool(register(tool)),
    "with arguments": lambda register, tool: register(logged_tool(logger=get_logger("shop"))(tool)),
}


@pytest.fixture(scope="module", params=WAYS)
def server(request):
    return server_of(WAYS[request.param])


def asked(server, *questions):
    """What a client gets for a few calls."""

    async def ask():
        async with Client(server) as client:
            return [await client.call_tool(name, arguments, meta=meta) for name, arguments, meta in questions]

    return asyncio.run(ask())


def tools_of(server):
    async def ask():
        async with Client(server) as client:
            return [tool.model_dump(mode="json") for tool in (await client.list_tools()).tools]

    return asyncio.run(ask())


def test_a_server_makes_the_same_schema_of_it(emitter, server):
    assert tools_of(server) == tools_of(server_of(lambda register, tool: register(tool)))


def test_calls_are_told_and_their_secrets_are_not(said, server):
    (result,) = asked(server, ("search", {"query": "credits", "api_key": SECRET}, None))

    assert result.structured_content == {"calls": ["credits", "credits"], "token": SECRET}
    inside, call = said()
    assert (call["log_type"], call["tool_name"], call["status"]) == ("tool_execution", "search", "ok")
    assert call["input_args"] == {"query": "credits", "limit": 10, "api_key": "<secret:1>"}
    assert call["output_summary"] == '{"calls":["credits","credits"],"token":"<secret:1>"}'
    assert inside["correlation_id"] == call["correlation_id"]
    assert "log_type" not in inside


@pytest.mark.parametrize("name", ["search", "fetch"])
@pytest.mark.parametrize(
    ("meta", "found"),
    [
        ({"traceparent": TRACEPARENT}, TRACE),
        ({"correlationId": "c-1"}, "c-1"),
        ({"x-request-id": "r-1"}, "r-1"),
    ],
)
def test_a_call_belongs_to_what_its_meta_says(said, server, name, meta, found):
    asked(server, (name, {"query": "x", "call_id": "CA16"}, meta))

    assert [record["correlation_id"] for record in said()] == [found, found]
    assert "ctx" not in said()[1]["input_args"]


def test_a_call_belongs_to_what_is_around_it_and_else_to_the_current_trace(said):
    span = NonRecordingSpan(SpanContext(int(TRACE, 16), 7, is_remote=True))
    tool = logged_tool(lambda: None)

    with use_span(span):
        tool()
        with correlated("around"):
            tool()

    assert [record["correlation_id"] for record in said()] == [TRACE, "around"]


def test_errors_reach_the_client_as_ever_and_are_told(said, server):
    failed, refused = asked(
        server, ("fail", {"reason": "no credits"}, None), ("refuse", {"reason": "not you"}, None)
    )

    assert failed.is_error
    assert refused.content[0].text == "not you"
    first, second = (record for record in said() if record.get("log_type") == "tool_execution")
    assert (first["status"], first["error_type"], first["error_message"]) == (
        "error",
        "RuntimeError",
        "no credits",
    )
    assert (second["status"], second["error_type"], second["error_message"]) == (
        "error",
        "tool_error",
        "not you",
    )


def test_a_call_that_the_client_gives_up_is_cancelled(said):
    began, ended = asyncio.Event(), asyncio.Event()
    server = MCPServer("shop")

    @server.tool()
    @logged_tool
    async def wait() -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    async def run():
        async with Client(server) as client:
            call = asyncio.create_task(client.call_tool("wait", {}))
            await began.wait()
            call.cancel()
            await ended.wait()

    asyncio.run(run())

    assert [record["status"] for record in said()] == ["cancelled"]


def test_parallel_calls_keep_their_own(said):
    met = asyncio.Barrier(5)
    server = MCPServer("shop")

    @server.tool()
    @logged_tool
    async def step(number: int) -> int:
        get_logger("shop").info("before", number=number)
        await met.wait()
        get_logger("shop").info("after", number=number)
        return number

    async def run():
        async with Client(server) as client:
            await asyncio.gather(
                *(
                    client.call_tool("step", {"number": number}, meta={"correlationId": f"c-{number}"})
                    for number in range(5)
                )
            )

    asyncio.run(run())

    ids = [
        (record.get("number", record.get("input_args", {}).get("number")), record["correlation_id"])
        for record in said()
    ]
    assert sorted(ids) == sorted((number, f"c-{number}") for number in range(5) for _ in range(3))


@pytest.mark.parametrize("name", ["search", "fetch"])
def test_over_http_a_call_belongs_to_what_a_header_says(said, name):
    server = server_of(WAYS["below"])

    async def run():
        app = server.streamable_http_app()
        transport = httpx2.ASGITransport(app)
        async with (
            server.session_manager.run(),
            httpx2.AsyncClient(transport=transport, headers={"X-Request-ID": "r-9"}) as http,
            Client(streamable_http_client("http://127.0.0.1:8000/mcp", http_client=http)) as client,
        ):
            return await client.call_tool(name, {"query": "x", "call_id": "CA16"})

    assert not asyncio.run(run()).is_error
    assert [record["correlation_id"] for record in said()] == ["r-9", "r-9"]


def test_a_handler_of_the_low_level_server_answers_for_all_its_tools(said):
    async def list_tools(ctx, params):
        return ListToolsResult(tools=[Tool(name="find", input_schema={"type": "object"})])

    @logged_tool
    async def call_tool(ctx, params):
        return CallToolResult(content=[TextContent(type="text", text="two calls")])

    server = Server("shop", on_list_tools=list_tools, on_call_tool=call_tool)
    asked(server, ("find", {"query": "x", "api_key": SECRET}, {"correlationId": "c-1"}))

    (record,) = said()
    assert (record["tool_name"], record["correlation_id"]) == ("find", "c-1")
    assert record["input_args"] == {"query": "x", "api_key": "<secret:1>"}
    assert record["output_summary"] == "two calls"


def test_what_the_sdk_says_itself_is_of_the_framework(said, emitter, server):
    import logging

    sdk = logging.getLogger("mcp")
    handler = LogpithHandler(emitter=emitter)
    sdk.addHandler(handler)
    try:
        asked(server, ("fail", {"reason": "no credits"}, None))
    finally:
        sdk.removeHandler(handler)

    call, told = said()
    assert (call["log_type"], told["log_type"]) == ("tool_execution", "framework")
    assert told["logger"].startswith("mcp.server")


def test_the_example_is_a_server_that_is_told_of(tmp_path):
    environment = {"LOGPITH_EMIT_FOLDER": str(tmp_path)}

    (result,) = asked(
        StdioServerParameters(command=sys.executable, args=[str(EXAMPLE)], env=environment),
        ("charge", {"call_id": "CA16", "credits": 3, "card_token": SECRET}, {"traceparent": TRACEPARENT}),
    )

    assert not result.is_error
    records = [record for record in said_in(tmp_path) if record.get("correlation_id") == TRACE]
    assert [record.get("log_type", "internal") for record in records] == ["internal", "tool_execution"]
    assert SECRET not in json.dumps(records)
