"""Tools: each call of a tool of an MCP server is one record when it ends.

    @server.tool()
    @logged_tool
    async def search(query: str, ctx: Context) -> list[str]: ...

The record has `log_type="tool_execution"`, `tool_name`, `input_args` by the names of the parameters, `output_summary`,
`duration_ms`, `status` (`ok`, `error`, `cancelled`) and, of an error, what `log.exception` tells. What is said through
loggers meanwhile has the same correlation id: the one that the caller brings along in `_meta` or in a header of HTTP,
else the one around the call, else a new one.

The official SDK and FastMCP are asked for the request where a program has loaded them; nothing here loads them.
"""

from __future__ import annotations

import gc
import inspect
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, closing, contextmanager, suppress
from functools import partial, wraps
from itertools import islice
from typing import Any, TypeVar, cast, overload

from logpith_emit.context import correlated, correlation_id, correlation_in, new_correlation_id
from logpith_emit.emitter import Emitter
from logpith_emit.encoding import encode, represent
from logpith_emit.errors import BadArgument
from logpith_emit.logger import Logger, error_fields, get_logger, the_emitter
from logpith_emit.redaction import Redactor
from logpith_emit.severity import ERROR, INFO, WARN

F = TypeVar("F", bound=Callable[..., Any])

LOG_TYPE = "tool_execution"
"""The `log_type` of these records. Those of handlers may be `framework`, and all that have none are `internal`."""

MOST_TEXT = 1_000
"""Characters of a text that are kept: of an argument, or of the summary of a result."""

MOST_ITEMS = 20
"""Items of a list, and fields of a mapping, that are kept."""

_MOST_IN_ALL = 10_000
_DEEPEST = 6
# Redacting a book takes long, so texts are cut before it; not yet to MOST_TEXT, or half a secret might be left that
# looks like none.
_MOST_READ = 4 * MOST_TEXT

_INT64 = range(-(2**63), 2**63)
_CONTEXT = "logpith_context"
# Of asyncio, of Trio, and of who closes a generator.
_CANCELLED = ("CancelledError", "Cancelled", "GeneratorExit")
_MEDIA = ("image", "audio", "resource", "resource_link")
# As many references as a function has that nobody else holds: ours. From 3.14 on the interpreter counts fewer of them.
_MOST_WHEN_NEW = 3 if sys.version_info < (3, 14) else 1


@overload
def logged_tool(function: F, /) -> F: ...


@overload
def logged_tool(*, name: str = "", logger: Logger | None = None) -> Callable[[F], F]: ...


def logged_tool(
    function: F | None = None, /, *, name: str = "", logger: Logger | None = None
) -> F | Callable[[F], F]:
    """A function that does the same and says one record for each call; errors are raised on as they are.

    Its signature is the function's, so that servers make the same schema of it. The record is said by `logger`, else
    by one that is called as the function's module, and names the tool `name`, else as the function.

    Raises:
        BadArgument: what stands below is no function.
    """
    if function is None:
        return lambda function: _logged(function, name, logger)
    return _logged(function, name, logger)


def _logged(function: F, name: str, logger: Logger | None) -> F:
    if isinstance(function, staticmethod | classmethod):
        inner = _logged(function.__func__, name, logger)
        return cast("F", type(function)(inner))
    if not callable(function):
        raise BadArgument(
            f"{function!r} is no function",
            remedy="Write @logged_tool or @logged_tool(name=…), directly above the function",
        )
    is_elsewhere = sys.getrefcount(function) > _MOST_WHEN_NEW
    logged = _wrapped(function, _Tool(function, name, logger))
    _ask_for_context(function, logged)
    if is_elsewhere:
        _replace_registered(function, logged)
    return cast("F", logged)


def _wrapped(function: Callable[..., Any], tool: _Tool) -> Callable[..., Any]:
    """The function with a record for each call, of the same kind as it is."""
    if _is_async(function):

        @wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            call = tool.begin(args, kwargs)
            with call.told(), correlated(call.correlation):
                result = await function(*args, **kwargs)
            call.succeed(result)
            return result

        return call_async
    if inspect.isgeneratorfunction(function):

        @wraps(function)
        def iterate(*args: Any, **kwargs: Any) -> Iterator[Any]:
            call = tool.begin(args, kwargs)
            met = _Met()
            with call.told(), closing(function(*args, **kwargs)) as source:
                # Between its steps a generator is in the context of who asks it.
                while (item := _next(source, call.correlation)) is not _END:
                    met.add(item)
                    yield item
            call.succeed(met)

        return iterate
    if inspect.isasyncgenfunction(function):

        @wraps(function)
        async def iterate_async(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            call = tool.begin(args, kwargs)
            met = _Met()
            with call.told():
                async with aclosing(function(*args, **kwargs)) as source:
                    while (item := await _anext(source, call.correlation)) is not _END:
                        met.add(item)
                        yield item
            call.succeed(met)

        return iterate_async

    @wraps(function)
    def call_sync(*args: Any, **kwargs: Any) -> Any:
        call = tool.begin(args, kwargs)
        with call.told(), correlated(call.correlation):
            result = function(*args, **kwargs)
        call.succeed(result)
        return result

    return call_sync


_END = object()


def _next(source: Iterator[Any], correlation: str) -> Any:
    with correlated(correlation):
        return next(source, _END)


async def _anext(source: AsyncIterator[Any], correlation: str) -> Any:
    with correlated(correlation):
        return await anext(source, _END)


class _Met:
    """What a generator has given: the first of it, and how much it was."""

    def __init__(self) -> None:
        self.first: list[Any] = []
        self.count = 0

    def add(self, item: Any) -> None:
        self.count += 1
        if self.count <= MOST_ITEMS:
            self.first.append(item)


def _is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to wait for; of an object its class says so."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


class _Tool:
    """What is known of a tool before it is called."""

    def __init__(self, function: Callable[..., Any], name: str, logger: Logger | None) -> None:
        module = str(getattr(function, "__module__", "") or "")
        own_name = str(getattr(function, "__name__", type(function).__name__))
        self.name = name or own_name
        self.logger = get_logger(module) if logger is None else logger
        code = getattr(inspect.unwrap(function), "__code__", None)
        self.place = {
            "module": module,
            "function": str(getattr(function, "__qualname__", own_name)),
            **({} if code is None else {"line": code.co_firstlineno}),
        }
        self._parameters, self._rest = _positional(function)
        self._receiver = self._parameters[0] if self._parameters[:1] in (["self"], ["cls"]) else ""

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call:
        """A call that begins now. Of the arguments the context is taken away that the function has not asked for."""
        context = kwargs.pop(_CONTEXT, None)
        call = _Call(self)
        with call.harmless():
            given = {**dict(zip(self._parameters, args, strict=False)), **kwargs}
            if len(args) > len(self._parameters):
                given[self._rest] = args[len(self._parameters) :]
            given.pop(self._receiver, None)
            call.correlation = _correlation([context, *given.values()]) or call.correlation
            for asked in given.values():
                if type(asked).__name__ == "CallToolRequestParams":  # of a handler that answers for all tools
                    call.name, given = asked.name, asked.arguments or {}
                    break
            call.given = _Shortened(call.redactor).arguments(given)
        return call


def _positional(function: Callable[..., Any]) -> tuple[list[str], str]:
    """The names of the parameters that may be given by place, and of what takes the rest of them."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # what is written in C need not tell
        return [], "args"
    rest = next((one.name for one in parameters if one.kind is one.VAR_POSITIONAL), "args")
    return [
        one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ], rest


class _Call:
    """One call, from its begin until it is told."""

    __slots__ = ("_began_ns", "_tool", "correlation", "given", "name")

    def __init__(self, tool: _Tool) -> None:
        self._tool = tool
        self.name = tool.name
        self._began_ns = time.monotonic_ns()
        self.correlation = correlation_id() or new_correlation_id()
        self.given: dict[str, object] = {}

    @property
    def redactor(self) -> Redactor | None:
        """That of the emitter, so that a secret has one placeholder in all that is said."""
        return self._emitter._redactor

    @property
    def _emitter(self) -> Emitter:
        return getattr(self._tool.logger, "_own", None) or the_emitter()

    @contextmanager
    def harmless(self) -> Iterator[None]:
        """What fails in the block is counted, and harms no tool: a repr, a property, a logger of somebody else's."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - as above
            with suppress(Exception):
                self._emitter._lose(error)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tells of an error that ends the block."""
        try:
            yield
        except BaseException as error:
            if type(error).__name__ in _CANCELLED:
                self._tell(WARN, "cancelled", {})
            else:
                self._tell(ERROR, "error", error_fields(error))
            raise

    def succeed(self, result: object) -> None:
        """Tells what came back, which may be a result of MCP that is an error."""
        summary, is_error = "", False
        with self.harmless():
            is_error = _is_error(result)
            summary = "" if result is None else _Shortened(self.redactor).summary(result)
        if is_error:
            self._tell(ERROR, "error", {"error_type": "tool_error", "error_message": summary})
        else:
            self._tell(INFO, "ok", {"output_summary": summary})

    def _tell(self, severity: int, status: str, ended: Mapping[str, object]) -> None:
        duration_ms = round((time.monotonic_ns() - self._began_ns) / 1e6, 3)
        fields = {
            "log_type": LOG_TYPE,
            "tool_name": self.name,
            "status": status,
            "duration_ms": duration_ms,
            "input_args": self.given,
            **ended,
            **self._tool.place,
        }
        with self.harmless(), correlated(self.correlation):
            self._tool.logger.log(severity, f"tool {self.name}: {status}", **fields)


# ── What was given and what came back ───────────────────────────────────────────────────────────────────────────


class _Shortened:
    """Values as JSON has them, with the least that tells what they are of those that are long.

    Texts have no secrets any more; what the names of fields make a secret the emitter sees to.
    """

    def __init__(self, redactor: Redactor | None) -> None:
        self._redactor = redactor
        self._left = _MOST_IN_ALL

    def arguments(self, given: Mapping[str, object]) -> dict[str, object]:
        """All that a tool was given, but what tells it of the request."""
        return {name: self.value(value) for name, value in given.items() if not _is_context(value)}

    def summary(self, result: object) -> str:
        """A result as text, the contents of one of MCP line by line."""
        if _is_result(result):
            structured = _of_result(result, "structured_content", "structuredContent")
            result = _of_result(result, "content") if structured is None else structured
        text = self._as_text(result)
        # What was cut already says how long it was.
        return text if len(text) <= MOST_TEXT + 40 else f"{text[:MOST_TEXT]}…"

    def _as_text(self, result: object) -> str:
        if isinstance(result, list | tuple) and result and all(map(_is_content, result)):
            return "\n".join(map(str, self._items(result, len(result), 0)))
        value = self.value(result)
        if isinstance(value, str):
            return value
        if self._redactor is not None:
            value = self._redactor.redact_fields({"": value})[""]
        return encode({"": value}).decode()[4:-1]

    def value(self, value: object, depth: int = 0) -> object:
        """The value, or what tells of it."""
        try:
            return self._value(value, depth)
        except Exception:  # noqa: BLE001 - an object of somebody else's: its properties, its keys, its length
            return f"<{type(value).__name__}>"

    def _value(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return value if value in _INT64 else self.text(hex(value))
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value):,} bytes>"
        if self._left <= 0 or depth == _DEEPEST:
            return "…"
        if _is_content(value):
            return self._content(value)
        fields = _fields_of(value)
        if fields is not None:
            return self._fields(fields, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._items(value, len(value), depth)
        if isinstance(value, _Met):
            return self._items(value.first, value.count, depth)
        told = f"<{type(value).__name__}>" if type(value).__repr__ is object.__repr__ else represent(value)
        return self.text(told) if isinstance(told, str) else told

    def _fields(self, fields: Mapping[Any, object], depth: int) -> dict[str, object]:
        first = {
            self.text(str(name)): self.value(fields[name], depth + 1) for name in islice(fields, MOST_ITEMS)
        }
        return {**first, "…": f"{len(fields) - MOST_ITEMS} more"} if len(fields) > MOST_ITEMS else first

    def _items(self, items: Iterable[object], count: int, depth: int) -> list[object]:
        first = [self.value(item, depth + 1) for item in islice(items, MOST_ITEMS)]
        return [*first, f"… {count - MOST_ITEMS} more"] if count > MOST_ITEMS else first

    def _content(self, content: Any) -> object:
        """A text of MCP, or what it is that is no text."""
        if content.type == "text":
            return self.text(str(content.text))
        of = getattr(content, "resource", content)
        told = getattr(of, "uri", None) or getattr(of, "mime_type", None) or getattr(of, "mimeType", "")
        return self.text(f"<{content.type} {told}>")

    def text(self, text: str) -> str:
        """A text without secrets, and its end left out where it is long."""
        whole = len(text)
        read = text[:_MOST_READ]
        if self._redactor is not None:
            read = self._redactor.redact(read)
        kept = read[: max(min(MOST_TEXT, self._left), 0)]
        self._left -= len(kept)
        return kept if len(kept) == len(read) and whole <= _MOST_READ else f"{kept}… ({whole:,} characters)"


def _fields_of(value: object) -> Mapping[Any, object] | None:
    """A mapping, or what an object holds that is no more than its fields: a dataclass, one of msgspec's or pydantic's,
    a named tuple."""
    if isinstance(value, Mapping):
        return value
    kind = type(value)
    for known in ("__dataclass_fields__", "__struct_fields__", "model_fields", "_fields"):
        names = getattr(kind, known, None)
        if isinstance(names, Mapping | tuple):
            return {name: getattr(value, name, None) for name in names}
    return None


def _is_content(value: object) -> bool:
    """Whether this is a piece of a result of MCP."""
    kind = getattr(value, "type", None)
    return (kind == "text" and hasattr(value, "text")) or (isinstance(kind, str) and kind in _MEDIA)


def _is_result(value: object) -> bool:
    """Whether this is a result of MCP, as an object or as it is sent."""
    if isinstance(value, Mapping):
        return "content" in value and ("isError" in value or "structuredContent" in value)
    return hasattr(value, "content") and (
        hasattr(value, "structured_content") or hasattr(value, "structuredContent")
    )


def _of_result(result: object, *names: str) -> object:
    """What a result has under the first of the names that it knows."""
    has = result.get if isinstance(result, Mapping) else partial(getattr, result)
    return next((found for name in names if (found := has(name, None)) is not None), None)


def _is_error(result: object) -> bool:
    return _is_result(result) and _of_result(result, "is_error", "isError") is True


# ── Who calls ───────────────────────────────────────────────────────────────────────────────────────────────────


def _correlation(given: list[object]) -> str:
    """What the call belongs to: as the request says, else what is around; empty where there is nothing."""
    for request in _requests(given):
        meta = getattr(request, "meta", None)
        # Up to version 1 of the SDK it is a model; what the protocol does not name is in its extra.
        told = meta if isinstance(meta, Mapping) else getattr(meta, "model_extra", None)
        headers = getattr(getattr(request, "request", None), "headers", None)
        for said in (told, headers):
            if isinstance(said, Mapping) and (found := correlation_in(said)):
                return found
    return correlation_id() or _current_trace()


def _requests(given: list[object]) -> Iterator[object]:
    """The request of MCP that is being answered: as an argument says, or as the server's library does."""
    for value in given:
        if _is_context(value):
            with suppress(Exception):  # a context raises what it likes outside of a request
                yield getattr(value, "request_context", value)
    fastmcp = sys.modules.get("fastmcp.server.dependencies")
    if fastmcp is not None:
        with suppress(Exception):  # as above
            yield fastmcp.get_context().request_context
    version_1 = getattr(sys.modules.get("mcp.server.lowlevel.server"), "request_ctx", None)
    if version_1 is not None:
        with suppress(LookupError):
            yield version_1.get()


def _is_context(value: object) -> bool:
    """Whether this is what a server gives a tool beside its arguments."""
    kind = type(value)
    return hasattr(kind, "request_context") or "lifespan_context" in getattr(kind, "__dataclass_fields__", ())


def _current_trace() -> str:
    """The trace of OpenTelemetry's current span; empty where there is none."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return ""
    span = trace.get_current_span().get_span_context()
    return f"{span.trace_id:032x}" if span.is_valid else ""


# ── What servers know of a tool ─────────────────────────────────────────────────────────────────────────────────


def _ask_for_context(function: Callable[..., Any], logged: Callable[..., Any]) -> None:
    """Makes version 2 of the SDK give us the context, whether the function wants it or not.

    It tells of a request by no other way than an argument that is annotated so, of which it looks for the first. Its
    schema it makes of the signature, which stays the function's.
    """
    context = getattr(sys.modules.get("mcp.server.mcpserver"), "Context", None)
    if context is not None:
        with suppress(NameError):  # from 3.14 on of an annotation that is not defined yet
            logged.__annotations__ = {**getattr(function, "__annotations__", {}), _CONTEXT: context}


def _replace_registered(function: Callable[..., Any], logged: Callable[..., Any]) -> None:
    """Puts the one in the place of the other where a server has it already, as `@server.tool()` stands below.

    Both libraries keep a tool's function as `fn` of an object, and give no way to it from the function.
    """
    if "mcp.server" not in sys.modules:
        return
    for holder in gc.get_referrers(function):
        known = holder if isinstance(holder, dict) else getattr(holder, "__dict__", None)
        if not isinstance(known, dict) or known.get("fn") is not function:
            continue
        if {"name", "parameters"} <= known.keys():
            known["fn"] = logged
            if known.get("context_kwarg", "") is None:
                known["context_kwarg"] = _CONTEXT
