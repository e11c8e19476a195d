"""Each call of a tool is one record, and a tool does what it would do without."""

import asyncio
import inspect
import json
import threading
from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logpith_emit import EmitSettings, correlated, get_logger, logged_tool, logger
from logpith_emit.emitter import RECORD_KIND, Emitter
from logpith_emit.errors import BadArgument
from logpith_emit.logger import Logger
from logpith_emit.spool import Spool
from logpith_emit.tools import MOST_ITEMS, MOST_TEXT

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def emitter(tmp_path, monkeypatch):
    """What all loggers of the program write to."""
    made = Emitter(EmitSettings(service="shop", folder=tmp_path / "spool"))
    monkeypatch.setattr(logger, "_EMITTER", made)
    yield made
    made.close()


@pytest.fixture
def said(emitter):
    def read():
        spool = Spool(folder=emitter.folder)
        frames = (frame for segment in spool.segments() for frame in spool.read(segment))
        return [json.loads(frame.payload) for frame in frames if frame.kind == RECORD_KIND]

    return read


# ── What is said ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_is_one_record_when_it_ends(said):
    @logged_tool
    def find(query: str, limit: int = 10) -> list[str]:
        return [query] * 2

    assert find("credits", limit=2) == ["credits", "credits"]

    (record,) = said()
    assert record["duration_ms"] >= 0
    assert record["correlation_id"]
    assert {
        name: record[name] for name in ("level", "log_type", "tool_name", "status", "message", "logger")
    } == {
        "level": "info",
        "log_type": "tool_execution",
        "tool_name": "find",
        "status": "ok",
        "message": "tool find: ok",
        "logger": __name__,
    }
    assert record["input_args"] == {"query": "credits", "limit": 2}
    assert record["output_summary"] == '["credits","credits"]'
    assert record["function"].endswith("find")
    assert record["line"] == inspect.unwrap(find).__code__.co_firstlineno


def test_an_async_call_is_too(said):
    @logged_tool(name="search", logger=get_logger("shop.tools"))
    async def find(query: str) -> str:
        await asyncio.sleep(0)
        return query

    assert asyncio.run(find("credits")) == "credits"

    (record,) = said()
    assert (record["tool_name"], record["logger"], record["output_summary"]) == (
        "search",
        "shop.tools",
        "credits",
    )


def test_errors_are_raised_as_they_are_and_told(said):
    error = ValueError("no more credits")

    @logged_tool
    def pay(amount: int) -> None:
        raise error

    with pytest.raises(ValueError, match="no more credits") as raised:
        pay(3)

    (record,) = said()
    assert raised.value is error
    assert (record["level"], record["status"], record["message"]) == ("error", "error", "tool pay: error")
    assert (record["error_type"], record["error_message"]) == ("ValueError", "no more credits")
    assert "raise error" in record["exception"]
    assert record["input_args"] == {"amount": 3}


@pytest.mark.parametrize("error", [StopIteration("x"), SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_errors_that_python_minds_are_raised_as_they_are(said, error):
    @logged_tool
    def leave():
        raise error

    with pytest.raises(type(error)) as raised:
        leave()

    assert raised.value is error
    assert said()[0]["error_type"] == type(error).__name__


def test_a_cancelled_call_says_so(said):
    async def run():
        began = asyncio.Event()

        @logged_tool
        async def wait():
            began.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(wait())
        await began.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())

    (record,) = said()
    assert (record["status"], record["level"]) == ("cancelled", "warn")


@pytest.mark.parametrize(
    "result",
    [
        {"isError": True, "content": [{"type": "text", "text": "no such call"}]},
        SimpleNamespace(
            is_error=True,
            structured_content=None,
            content=[SimpleNamespace(type="text", text="no such call")],
        ),
        SimpleNamespace(
            isError=True, structuredContent=None, content=[SimpleNamespace(type="text", text="no such call")]
        ),
    ],
    ids=["as it is sent", "version 2", "version 1"],
)
def test_a_result_of_mcp_that_is_an_error_counts_as_one(said, result):
    assert logged_tool(lambda: result)() is result

    (record,) = said()
    assert (record["status"], record["level"], record["error_type"]) == ("error", "error", "tool_error")
    assert "no such call" in record["error_message"]


def test_results_of_mcp_are_told_by_their_contents(said):
    content = [
        SimpleNamespace(type="text", text="two calls"),
        SimpleNamespace(type="image", data="iVBORw0KGgo=", mime_type="image/png"),
        SimpleNamespace(type="resource", resource=SimpleNamespace(uri="call://CA16", text="…")),
    ]
    whole = SimpleNamespace(is_error=False, structured_content=None, content=content)

    for result in (content, whole, SimpleNamespace(structured_content={"calls": 2}, content=content)):
        logged_tool(lambda result=result: result)()

    assert [record["output_summary"] for record in said()] == [
        "two calls\n<image image/png>\n<resource call://CA16>",
        "two calls\n<image image/png>\n<resource call://CA16>",
        '{"calls":2}',
    ]
    assert {record["status"] for record in said()} == {"ok"}


# ── Arguments ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_arguments_go_by_the_names_of_parameters(said):
    @logged_tool
    def tool(a, /, b, *rest, c=3, **more):
        pass

    tool(1, 2, 3, 4, c=5, d=6)

    assert said()[0]["input_args"] == {"a": 1, "b": 2, "rest": [3, 4], "c": 5, "d": 6}


def test_arguments_are_told_as_they_were_given(said):
    @logged_tool
    def drain(items):
        items.clear()

    drain([1, 2])

    assert said()[0]["input_args"] == {"items": [1, 2]}


class Shop:
    @logged_tool
    def price(self, item):
        return 7

    @classmethod
    @logged_tool
    def make(cls, item):
        return cls()

    @logged_tool
    @staticmethod
    def name(item):
        return "shop"

    @logged_tool
    async def __call__(self, item):
        return item


def test_methods_are_told_without_what_they_are_called_on(said):
    Shop.make("a").price("b")
    Shop.name("c")
    asyncio.run(logged_tool(name="shop")(Shop())("d"))

    assert [record["input_args"] for record in said()] == [{"item": letter} for letter in "abcdd"]
    assert said()[-1]["tool_name"] == "shop"


def test_what_tells_of_the_request_is_no_argument(said):
    @logged_tool
    def tool(query, ctx):
        return query

    tool("x", Context())

    assert said()[0]["input_args"] == {"query": "x"}


@dataclass
class Login:
    user: str
    password: str


Pair = namedtuple("Pair", "name api_key")
SECRET = "hunter2-correct-horse"  # made up here


@pytest.mark.parametrize(
    "arguments",
    [
        {"api_key": SECRET},
        {"text": f"password={SECRET}"},
        {"settings": {"deep": [{"token": SECRET}]}},
        {"login": Login("ann", SECRET)},
        {"pair": Pair("ann", SECRET)},
        {"text": "x" * (MOST_TEXT - 20) + f" password={SECRET}"},
        {"url": f"https://ann:{SECRET}@host/"},
    ],
    ids=["name", "content", "nested", "dataclass", "named tuple", "at the cut", "address"],
)
def test_no_secret_of_arguments_or_results_is_written(said, emitter, arguments):
    @logged_tool
    def tool(**given):
        return given

    tool(**arguments)

    (record,) = said()
    written = json.dumps(record)
    assert SECRET[:7] not in written
    assert "<secret:1>" in record["output_summary"] or len(record["output_summary"]) >= MOST_TEXT
    assert emitter.dropped == {}


def test_no_half_of_a_secret_is_left_where_a_text_is_cut(said):
    token = "npm_" + "a1B2" * 9  # too short to be one without its end

    logged_tool(lambda text: text)("x" * (MOST_TEXT - 20) + " " + token)

    (record,) = said()
    assert "npm_" not in json.dumps(record)
    assert record["input_args"]["text"].startswith("x" * (MOST_TEXT - 20) + " <secret:1>")


def test_long_things_are_shortened_and_say_so(said):
    @logged_tool
    def tool(text, items, fields, deep, data, number):
        return text

    deep = []
    deep.append(deep)
    tool(
        "é" * 50_000,
        list(range(1_000)),
        dict.fromkeys(map(str, range(30)), 0),
        deep,
        b"\0" * 5_000,
        10**6_000,
    )

    (record,) = said()
    given = record["input_args"]
    assert given["text"] == record["output_summary"] == "é" * MOST_TEXT + "… (50,000 characters)"
    assert given["items"] == [*range(MOST_ITEMS), "… 980 more"]
    assert len(given["fields"]) == MOST_ITEMS + 1
    assert given["fields"]["…"] == "10 more"
    assert given["data"] == "<5,000 bytes>"
    assert json.dumps(given["deep"]).count("[") < 10
    assert given["number"].endswith("… (4,985 characters)")


def test_a_record_is_short_however_much_a_tool_is_given(said):
    def tree(depth):
        return {str(number): tree(depth - 1) if depth else "x" * 5_000 for number in range(20)}

    logged_tool(lambda given: given)(tree(2))

    assert len(json.dumps(said()[0])) < 60_000


# ── What belongs together ───────────────────────────────────────────────────────────────────────────────────────


class Context:
    """As the SDK's: what is asked of it is what its requests say."""

    def __init__(self, meta=None, headers=None):
        request = None if headers is None else SimpleNamespace(headers=headers)
        self._request = SimpleNamespace(meta=meta, request=request)

    @property
    def request_context(self):
        return self._request


class OutsideOfRequests:
    @property
    def request_context(self):
        raise ValueError("Context is not available outside of a request")


@pytest.mark.parametrize(
    ("context", "found"),
    [
        (Context({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}), TRACE),
        (Context({"progress_token": 1, "correlationId": "c-1"}, {"x-request-id": "r-1"}), "c-1"),
        (Context(SimpleNamespace(model_extra={"correlation_id": "c-2"})), "c-2"),
        (Context({"progress_token": 1}, {"X-Request-ID": "r-1"}), "r-1"),
        (Context(), "around"),
        (OutsideOfRequests(), "around"),
        (None, "around"),
    ],
)
def test_a_call_belongs_to_what_its_caller_says(said, context, found):
    log = get_logger("shop")

    @logged_tool
    def tool(ctx):
        log.info("inside")

    with correlated("around"):
        tool(ctx=context)
        log.info("after")

    inside, call, after = said()
    assert inside["correlation_id"] == call["correlation_id"] == found
    assert after["correlation_id"] == "around"


def test_calls_that_belong_to_nothing_have_an_id_of_their_own(said):
    log = get_logger("shop")

    @logged_tool
    def outer():
        log.info("in the outer")
        inner()

    @logged_tool
    def inner():
        log.info("in the inner")

    outer()
    outer()

    ids = [record["correlation_id"] for record in said()]
    assert len(set(ids[:4])) == len(set(ids[4:])) == 1
    assert ids[0] != ids[4]


def test_parallel_calls_keep_their_own(said):
    log = get_logger("shop")

    @logged_tool
    async def in_a_task(name, met):
        log.info("before", name=name)
        await met.wait()
        log.info("after", name=name)

    @logged_tool
    def in_a_thread(name, met):
        log.info("before", name=name)
        met.wait()
        log.info("after", name=name)

    async def in_tasks():
        met = asyncio.Barrier(3)
        await asyncio.gather(*(in_a_task(f"task-{number}", met) for number in range(3)))

    asyncio.run(in_tasks())
    met = threading.Barrier(3)
    threads = [threading.Thread(target=in_a_thread, args=(f"thread-{number}", met)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = {}
    for record in said():
        name = record.get("name") or record["input_args"]["name"]
        ids.setdefault(name, []).append(record["correlation_id"])
    assert {len(found) for found in ids.values()} == {3}
    assert len({frozenset(found) for found in ids.values()}) == 6
    assert all(len(set(found)) == 1 for found in ids.values())


# ── Generators ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_generator_is_told_when_it_ends_and_leaves_no_id_behind(said):
    log = get_logger("shop")

    @logged_tool
    def count(to):
        for number in range(to):
            log.info("inside")
            yield number

    for _ in count(2):
        log.info("outside")

    inside, outside, again, _, call = said()
    assert inside["correlation_id"] == again["correlation_id"] == call["correlation_id"]
    assert "correlation_id" not in outside
    assert call["output_summary"] == "[0,1]"
    assert list(count(MOST_ITEMS + 5)) == list(range(MOST_ITEMS + 5))
    assert json.loads(said()[-1]["output_summary"])[-1] == "… 5 more"


def test_an_async_generator_too(said):
    closed = []

    @logged_tool
    async def count(to):
        try:
            for number in range(to):
                yield number
        finally:
            closed.append(to)
        raise ValueError("over")

    async def run():
        one = count(5)
        assert await anext(one) == 0
        await one.aclose()
        with pytest.raises(ValueError, match="over"):
            [number async for number in count(2)]

    asyncio.run(run())

    left, failed = said()
    assert (left["status"], failed["status"], failed["error_message"]) == ("cancelled", "error", "over")
    assert closed == [5, 2]


# ── Harm ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_logger_that_fails_harms_no_tool(emitter, said, capsys):
    class Broken(Logger):
        def log(self, severity, message, /, **fields):
            raise OSError("gone")

    assert logged_tool(logger=Broken("", {}))(lambda: 7)() == 7
    with pytest.raises(KeyError):
        logged_tool(logger=Broken("", {}))({}.__getitem__)(1)

    assert emitter.dropped == {"OSError": 2}
    assert "a record was lost" in capsys.readouterr().err
    assert said() == []


def test_odd_arguments_and_results_harm_no_tool_and_are_told(emitter, said):
    class Odd:
        def __repr__(self):
            raise ValueError

    class Endless:
        def __getattr__(self, name):
            return self

    for odd in (Odd(), Endless(), object(), "\ud800", float("nan"), {1, 2}, lambda: 1, {Odd(): Odd()}):
        assert logged_tool(lambda given: given)(odd) is odd

    assert len(said()) == 8
    assert emitter.dropped == {}
    assert "<object>" in said()[2]["output_summary"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments=st.dictionaries(st.text(), JSON, max_size=4), result=JSON)
def test_whatever_is_given_and_comes_back_is_told_in_one_record(emitter, arguments, result):
    told = []
    emitter.listeners = (told.append,)

    assert logged_tool(lambda **arguments: result)(**arguments) is result

    assert [record["status"] for record in told] == ["ok"]
    assert len(json.dumps(told)) < 100_000
    assert emitter.dropped == {}


def test_a_program_that_cannot_log_has_its_tools_all_the_same(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(logger, "_EMITTER", None)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LOGPITH_EMIT_LEVEL", "loud")
    assert logged_tool(lambda: 7)() == 7
    assert "'loud' is no level" in capsys.readouterr().err

    monkeypatch.setattr(logger, "_EMITTER", None)
    monkeypatch.setenv("LOGPITH_EMIT_LEVEL", "info")
    monkeypatch.setenv("LOGPITH_EMIT_FOLDER", str(tmp_path / "file" / "spool"))
    assert logged_tool(lambda: 7)() == 7
    assert "a record was lost" in capsys.readouterr().err


def test_a_function_stays_what_it_was():
    def tool(a: int, *, b: str = "x") -> float:
        """Says what it is for."""
        return 1.0

    logged = logged_tool(tool)

    assert inspect.signature(logged) == inspect.signature(tool)
    assert (logged.__name__, logged.__doc__, logged.__wrapped__) == ("tool", "Says what it is for.", tool)
    assert inspect.iscoroutinefunction(logged_tool(asyncio.sleep))


@pytest.mark.parametrize("given", ["find", 7, SimpleNamespace(fn=print)])
def test_what_is_no_function_is_refused_with_what_to_write(given):
    with pytest.raises(BadArgument, match=r"@logged_tool\(name=…\)"):
        logged_tool(given)
