"""MCP over standard input and output: the tools, for an agent.

Speaks both eras of the protocol, the handshake of 2025-11-25 and the stateless one of 2026-07-28; the SDK
tells them apart by the first request. Nothing is kept per session. Some hosts show their model only the
structured content and others only the text, so each of them is the whole answer.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.session import ServerSession
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from logpith import __version__
from logpith.answer import Answer, to_json, to_text
from logpith.app import ask
from logpith.component import build, json_schema
from logpith.plural import counted
from logpith.quote import shorten, show_hidden
from logpith.server.lazy_desk import LazyDesk
from logpith.server.leaving import end_without_threads
from logpith.server.prompts import PROMPTS, write_prompt
from logpith.server.resources import EVIDENCE_URI_TEMPLATE, NEIGHBOURS, QUERY_SYNTAX_URI, Page, read_page
from logpith.server.toolsets import choose_tools, instructions
from logpith.server.waiting import CURRENT, NobodyWaits, Waiting
from logpith.tools import Tool
from logpith_emit.errors import BadArgument, LogpithError, nearest

if TYPE_CHECKING:
    from logpith.settings import Settings

Context = ServerRequestContext[Any]
Result = TypeVar("Result")
Wrong = TypeVar("Wrong")

TIME_LIMIT_S = 25.0
"""How long a question reads, unless told otherwise: hosts give up after 30 s."""

_LONGEST_ERROR = 2_500

TELL_EVERY_S = 0.25
"""Who asked for progress is told at most so often."""

# What the same argument of every tool is, in fewer words than people get: every byte here is read by every
# session. The instructions and the query-syntax resource say the rest once.
BRIEF: Mapping[str, str] = {
    "sources": "",
    "budget": "",
    "query": "Filter: level>=warn AND quota.",
    "since": "ISO time, 10m, now-2h.",
    "until": "",
}

# The other hints mean something only for tools that write or reach out.
READ_ONLY = types.ToolAnnotations(read_only_hint=True)

# The tools do not change while the process lives.
AN_HOUR_MS = 3_600_000
FIXED = CacheHint(ttl_ms=AN_HOUR_MS, scope="public")

# Until 2025-11-25 a resource that is not there had a code of its own.
OLD_RESOURCE_NOT_FOUND = -32002
NEW_ERA = "2026-07-28"

log = logging.getLogger(__name__)


def serve_stdio(
    roots: Sequence[str],
    offered: Mapping[str, type[Tool]] | None = None,
    *,
    time_limit_s: float | None = TIME_LIMIT_S,
    settings: Settings | None = None,
) -> int:
    """Serves whoever started this process until they close its standard input; the exit code.

    With `settings` questions that name no sources are about what was collected.

    Raises:
        NotFound: a root is no folder.
    """
    desk = LazyDesk(roots, time_limit_s=time_limit_s, settings=settings)
    try:
        anyio.run(_serve, make_server(desk, offered or choose_tools()))
    except* (BrokenPipeError, ConnectionResetError):
        log.info("the client left in the middle of an answer")
    desk.close()
    end_without_threads()
    return 0


def make_server(desk: LazyDesk, offered: Mapping[str, type[Tool]]) -> Server[Any]:
    """A server of the offered tools, not yet connected to anything."""

    async def list_tools(
        _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        desk.warm_up(offered)
        return types.ListToolsResult(tools=[definition(tool) for tool in offered.values()])

    async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = offered.get(params.name.replace("-", "_"))
        if tool is None:
            hint = nearest(params.name, offered).strip()
            remedy = " ".join(filter(None, [hint, f"The tools are {', '.join(offered)}"]))
            raise MCPError(code=types.INVALID_PARAMS, message=f"there is no such tool. {remedy}")
        return await _in_thread(context, lambda: answer_call(desk, tool, params.arguments or {}))

    async def list_resources(
        _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=[QUERY_SYNTAX])

    async def list_resource_templates(
        _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=[EVIDENCE])

    async def read_resource(
        context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        found = await _in_thread(context, lambda: read_call(desk, params.uri))
        if isinstance(found, str):
            is_new = context.protocol_version >= NEW_ERA
            code = types.INVALID_PARAMS if is_new else OLD_RESOURCE_NOT_FOUND
            raise MCPError(code=code, message=found, data={"uri": params.uri})
        contents = types.TextResourceContents(uri=params.uri, mime_type=found.mime_type, text=found.text)
        if found.fixed:
            return types.ReadResourceResult(contents=[contents], ttl_ms=FIXED.ttl_ms, cache_scope="public")
        return types.ReadResourceResult(contents=[contents])

    async def list_prompts(
        _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[_prompt(name) for name in PROMPTS])

    async def get_prompt(_context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        try:
            text = write_prompt(params.name, params.arguments or {}, offered)
        except LogpithError as error:
            raise MCPError(code=types.INVALID_PARAMS, message=_shown(str(error))) from error
        message = types.PromptMessage(role="user", content=types.TextContent(text=text))
        return types.GetPromptResult(description=PROMPTS[params.name].doc, messages=[message])

    return Server(
        "logpith",
        version=__version__,
        instructions=instructions(offered, stored=desk.is_stored),
        cache_hints={
            "tools/list": FIXED,
            "resources/list": FIXED,
            "resources/templates/list": FIXED,
            "prompts/list": FIXED,
        },
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_resource_templates,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


def definition(tool: type[Tool]) -> types.Tool:
    """What an agent reads of a tool."""
    schema = json_schema(tool)
    for name, argument in schema["properties"].items():
        argument["description"] = BRIEF.get(name, argument.get("description", ""))
        if not argument["description"]:
            del argument["description"]
        for bound in ("minimum", "maximum"):  # who goes beyond one is told, with the nearest that is right
            argument.pop(bound, None)
        if name == "budget":
            argument.pop("default", None)
    return types.Tool(
        name=tool.name,
        description=" ".join((tool.__doc__ or "").split()),
        input_schema=schema,
        annotations=READ_ONLY,
    )


QUERY_SYNTAX = types.Resource(
    uri=QUERY_SYNTAX_URI,
    name="query-syntax",
    description="How to write a query: operators, fields, severities, times, examples.",
    mime_type="text/markdown",
)

EVIDENCE = types.ResourceTemplate(
    uri_template=EVIDENCE_URI_TEMPLATE,
    name="evidence",
    description=f"The record of a ref such as e12@3f9ac21b, redacted, with {NEIGHBOURS} neighbours on each side.",
    mime_type="text/plain",
)


def _prompt(name: str) -> types.Prompt:
    prompt = PROMPTS[name]
    arguments = [
        types.PromptArgument(name=argument.name, description=argument.doc, required=False)
        for argument in prompt.arguments
    ]
    return types.Prompt(name=name, description=prompt.doc, arguments=arguments)


async def _serve(server: Server[Any]) -> None:
    async with stdio_server() as (requests, responses):
        # The SDK has pointed descriptor 1 at standard error by now. Python's own stream follows, or what
        # somebody printed and it still buffers would reach the client when the descriptor is put back.
        with contextlib.redirect_stdout(sys.stderr):
            await server.run(requests, responses, server.create_initialization_options())


async def _in_thread(context: Context, work: Callable[[], Result]) -> Result:
    """The one crossing from the event loop to blocking code. Progress is told beside it, and not after it."""
    waiting = Waiting()
    CURRENT.set(waiting)
    try:
        async with anyio.create_task_group() as beside:
            if context.meta and "progress_token" in context.meta:
                beside.start_soon(_tell_progress, context.session, waiting)
            # Abandoned when the request is cancelled: the thread itself ends at its next step.
            result = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
            beside.cancel_scope.cancel()
        return result
    finally:
        waiting.end()


async def _tell_progress(session: ServerSession, waiting: Waiting) -> None:
    told = 0
    while True:
        await anyio.sleep(TELL_EVERY_S)
        if step := waiting.step_after(told):
            await session.report_progress(
                step.done, step.total or None, f"{counted(step.lines, 'line')} read"
            )
            told = step.done


def answer_call(desk: LazyDesk, tool: type[Tool], arguments: Mapping[str, object]) -> types.CallToolResult:
    """The answer to a call, or what was wrong with it; never an exception."""

    def answer() -> types.CallToolResult:
        _refuse_half_characters(arguments)
        return _result(ask(build(tool, arguments), desk.get()))

    return _or_what_was_wrong(tool.name, answer, _error)


def read_call(desk: LazyDesk, uri: str) -> Page | str:
    """The page at a URI, or why there is none; never an exception."""
    return _or_what_was_wrong("reading a resource", lambda: read_page(uri, desk.get), _shown)


def _or_what_was_wrong(what: str, work: Callable[[], Result], told: Callable[[str], Wrong]) -> Result | Wrong:
    """What `work` gives, or why it gives nothing, as `told` says it."""
    try:
        return work()
    except LogpithError as error:
        return told(str(error))
    except NobodyWaits:
        return told("cancelled")
    except Exception:
        # What else went wrong is ours to repair. Its text may quote a log, so the model must not read it.
        log.exception("%s failed", what)
        return told(f"{what} failed inside logpith. The server's standard error has the details")


def _refuse_half_characters(arguments: Mapping[str, object]) -> None:
    """Nothing, when all texts can be written as UTF-8: JSON can spell halves of characters, nothing else can.

    Raises:
        BadArgument: one cannot.
    """
    try:
        json.dumps(arguments, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        remedy = r"Write whole characters: \ud83d needs its second half"
        raise BadArgument("an argument holds half a character", remedy=remedy) from error


def _result(answer: Answer) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(text=to_text(answer))], structured_content=to_json(answer)
    )


def _error(text: str) -> types.CallToolResult:
    shown = shorten(_shown(text), _LONGEST_ERROR)
    return types.CallToolResult(content=[types.TextContent(text=shown)], is_error=True)


def _shown(text: str) -> str:
    return "\n".join(show_hidden(line) for line in text.splitlines())
