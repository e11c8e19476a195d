"""MCP over streamable HTTP, asked by the official client, in both eras of the protocol."""

import asyncio

import httpx2
import mcp
import pytest
from mcp.client.streamable_http import streamable_http_client

from http_door import GATEWAY_ONLY, NDJSON, NO_TLS, READER, WRITER, ndjson, opened, said
from logpith.server.toolsets import choose_tools, instructions

OLD, NEW = "legacy", "auto"
HIDDEN = "payroll-4711"


@pytest.fixture
def door(tmp_path):
    with opened(tmp_path) as door:
        records = [said(f"call {second} answered", second) for second in range(0, 20, 2)]
        records += [said(f"{HIDDEN} {second}", second, "billing", "error") for second in range(1, 20, 2)]
        with door.as_(WRITER) as client:
            client.post("/api/v1/logs", content=ndjson(*sorted(records)), headers=NDJSON)
        yield door


def asked(door, questions, *, token=READER, mode=NEW):
    """What the official client gets: its tools, instructions, and the answers to some calls."""

    async def run():
        headers = {"authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=120, trust_env=False, verify=NO_TLS) as http,
            mcp.Client(streamable_http_client(f"{door.url}/mcp", http_client=http), mode=mode) as agent,
        ):
            listed = await agent.list_tools()
            answers = [await agent.call_tool(name, arguments) for name, arguments in questions]
            return listed.tools, agent.instructions, answers

    return asyncio.run(run())


both_eras = pytest.mark.parametrize("mode", [OLD, NEW])


@both_eras
def test_an_agent_lists_and_calls_the_tools(door, mode):
    listed, told, (overview, wrong) = asked(
        door, [("log_overview", {}), ("log_grep", {"patern": "x"})], mode=mode
    )

    assert [tool.name for tool in listed] == list(choose_tools())
    assert told == instructions(choose_tools(), stored=True)
    assert overview.structured_content["coverage"]["records"] == 20
    assert overview.content[0].text.startswith(overview.structured_content["summary"])
    assert wrong.is_error
    assert "Did you mean 'pattern'?" in wrong.content[0].text


@both_eras
def test_the_answer_is_the_same_as_by_plain_http(door, mode):
    _, _, (answer,) = asked(door, [("log_grep", {"pattern": "answered"})], mode=mode)
    with door.as_(READER) as client:
        plain = client.post("/tools/log_grep", json={"pattern": "answered"}).json()

    assert answer.structured_content == plain


@both_eras
def test_an_agent_sees_no_more_than_its_token_may(door, mode):
    questions = [
        ("log_overview", {}),
        ("log_cluster", {"max_clusters": 50}),
        ("log_grep", {"pattern": "payroll"}),
    ]
    _, _, answers = asked(door, questions, token=GATEWAY_ONLY, mode=mode)

    told = "".join(answer.model_dump_json() for answer in answers)
    assert "answered" in told
    assert HIDDEN not in told
    assert "billing" not in told
    assert answers[0].structured_content["coverage"]["records"] == 10


@both_eras
def test_without_a_readers_token_there_is_no_session(door, mode):
    for token in (WRITER, "nobody-0123456789abcdef"):
        with pytest.raises(Exception, match=r"HTTP|40[13]|TaskGroup|Session"):
            asked(door, [], token=token, mode=mode)


def test_two_agents_at_once_do_not_see_each_other(door):
    async def run():
        async def ask(token):
            headers = {"authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(
                headers=headers, timeout=120, trust_env=False, verify=NO_TLS
            ) as http:
                transport = streamable_http_client(f"{door.url}/mcp", http_client=http)
                async with mcp.Client(transport) as agent:
                    answers = [await agent.call_tool("log_overview", {}) for _ in range(5)]
                    return {answer.structured_content["coverage"]["records"] for answer in answers}

        return await asyncio.gather(*(ask(token) for token in (READER, GATEWAY_ONLY) * 3))

    assert asyncio.run(run()) == [{20}, {10}] * 3


def test_hostile_messages_get_protocol_errors(door):
    bodies = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'{"jsonrpc":"2.0"}',
        b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b',"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":7}',
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]',
        b'{"a":' * 50_000,
    ]
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    with door.as_(READER) as client:
        for version in ("2025-11-25", "2026-07-28", "1999-01-01"):
            for body in bodies:
                answered = client.post(
                    "/mcp", content=body, headers={**headers, "mcp-protocol-version": version}
                )

                assert answered.status_code < 500, (version, body[:60], answered.text)
                assert '"result"' not in answered.text
                assert "Traceback" not in answered.text
        assert client.get("/health").status_code == 200
