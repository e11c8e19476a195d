"""What goes to Convex comes there as its side in `examples/convex` wants it, once."""

import json
import re
import threading
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from delivering import OVER_HTTP, check_faults, delivering
from fault_proxy import Answer, CutRequest, fault_proxy
from logpith_emit.destinations import ALL_WRITTEN, Outgoing, destination_of
from logpith_emit.destinations.convex import KEYS, ConvexDestination
from logpith_emit.entry import LogEntry
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.secret import Secret
from logpith_emit.shipping.dead_letters import DeadLetters
from logpith_emit.testing import FULL, check_destination, numbered, outgoing
from web_stand_in import reply, web_server

API_KEY = "correct-horse"
EXAMPLE = Path(__file__).parents[3] / "examples" / "convex"

TEXTS = {"correlationId", "timestamp", "level", "logType", "message", "serverName", "serverVersion"}
TEXTS_OR_NULL = {"toolName", "status", "outputSummary", "errorMessage", "module", "function", "threadName"}
NUMBERS_OR_NULL = {"durationMs", "line", "processId"}
OBJECTS_OR_NULL = {"inputArgs", "extraData"}


class App:
    """What `examples/convex/convex/http.ts` and `logs.ts` do, and nothing more lenient."""

    def __init__(self):
        self.asked = []
        """Headers and body of each request with the right key."""

        self.logs = {}
        """Record id → the log."""

        self._lock = threading.Lock()

    def __call__(self, handler, body):
        with self._lock:
            status, said = self._ingest(handler, body)
        reply(handler, said, status)

    def _ingest(self, handler, body):
        if (handler.command, handler.path) != ("POST", "/logs/ingest"):
            return 404, b"No matching routes found"
        if handler.headers["Authorization"] != f"Bearer {API_KEY}":
            return 401, b"wrong key"
        known = json.loads(body)
        self.asked.append((handler.headers, known))
        if known.keys() == {"log"}:
            logs, ids = [known["log"]], [handler.headers["Idempotency-Key"]]
        elif known.keys() == {"logs", "ids"} and len(known["logs"]) == len(known["ids"]):
            logs, ids = known["logs"], known["ids"]
        else:
            return 400, b"the body is neither {log} nor {logs, ids}"
        if not all(map(is_log, logs)) or not all(ids):
            return 400, b"something in a log is not of its type"
        if any(len(json.dumps(log)) > 1_000_000 for log in logs):
            return 413, b"a log has more than 1000000 bytes"
        before = len(self.logs)
        for one, log in zip(ids, logs, strict=True):
            self.logs.setdefault(one, log)
        return 200, json.dumps({"stored": len(self.logs) - before}).encode()

    @property
    def entries(self):
        return [entry_in(log) for log in self.logs.values()]

    @property
    def messages(self):
        return [log["message"] for log in self.logs.values()]


def is_log(log):
    """Exactly the 19 keys, each of its type."""
    return log.keys() == TEXTS | TEXTS_OR_NULL | NUMBERS_OR_NULL | OBJECTS_OR_NULL and all(
        (key in TEXTS and isinstance(value, str))
        or (key in TEXTS_OR_NULL and isinstance(value, str | None))
        or (key in NUMBERS_OR_NULL and isinstance(value, int | float | None) and not isinstance(value, bool))
        or (key in OBJECTS_OR_NULL and isinstance(value, dict | None))
        for key, value in log.items()
    )


def entry_in(log):
    given = {name: log[key] for name, key in KEYS.items()}
    return LogEntry(**{**given, "timestamp": datetime.fromisoformat(given["timestamp"])})


@pytest.fixture
def app():
    return App()


@contextmanager
def served(app):
    """The settings of a destination that brings records there."""
    with web_server(app, keeps=True) as url:
        yield {"endpoint_url": f"{url}/logs/ingest", "api_key": Secret(API_KEY), "server_name": "shop"}


@pytest.mark.parametrize("batch", [True, False])
def test_it_keeps_its_promises(app, batch):
    with served(app) as given:
        check_destination(ConvexDestination(batch=batch, **given), lambda: app.entries)


def test_a_record_goes_as_the_founding_document_has_it(app):
    with served(app) as given, ConvexDestination(server_version="1.4", **given).open() as live:
        live.write([outgoing(FULL)])
        live.write(numbered(1, first=2))

    (headers, full), (_, bare) = app.asked
    assert (headers["Content-Type"], headers["User-Agent"]) == ("application/json", "MCP-Server/shop")
    assert list(full) == list(bare) == ["log"]
    assert " ".join(full["log"]) == (
        "correlationId timestamp level logType message toolName durationMs status inputArgs outputSummary errorMessage"
        " module function line threadName processId extraData serverName serverVersion"
    )
    assert full["log"]["timestamp"] == "2026-03-14T09:26:53.589793+00:00"
    assert (full["log"]["serverName"], full["log"]["serverVersion"]) == ("shop", "1.4")
    assert bare["log"]["message"] == "record 2"
    assert bare["log"]["toolName"] is None


def test_a_record_is_the_same_alone_and_in_a_batch(app):
    with served(app) as given:
        with ConvexDestination(**given).open() as live:
            live.write(numbered(3))
        with ConvexDestination(batch=True, **given).open() as live:
            live.write(numbered(5))

    assert [len(body.get("logs", "1")) for _, body in app.asked] == [1, 1, 1, 5]
    assert len(app.logs) == 5


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("", "logpith-emit"),
        ("Call shop/2 (test)", "Call shop/2 (test)"),
        ("grüße\r\nX: 1", "gr%C3%BC%C3%9Fe%0D%0AX: 1"),
    ],
)
def test_any_name_can_be_told(app, name, agent):
    with served(app) as given, ConvexDestination(**{**given, "server_name": name}).open() as live:
        live.write([Outgoing("7f-1", b'{"message":"m","service":"till"}')])

    ((headers, body),) = app.asked
    assert headers["User-Agent"] == f"MCP-Server/{agent}"
    assert body["log"]["serverName"] == (name or "till")
    assert body["log"]["serverVersion"] == "unknown"


def test_an_endpoint_must_be_named():
    for table in ({"type": "convex"}, {"type": "convex", "endpoint_url": ""}):
        with pytest.raises(BadArgument, match=r"'endpoint_url' is missing\. .*\.convex\.site"):
            destination_of(table, "destinations.central")


def test_it_waits_thirty_seconds():
    assert ConvexDestination(endpoint_url="https://app.convex.site/logs/ingest").timeout_s == 30


@pytest.mark.parametrize("batch", [True, False])
def test_a_wrong_key_can_be_mended_and_is_not_told(app, batch):
    with served(app) as given:
        wrong = ConvexDestination(**{**given, "api_key": Secret("wrong-horse")}, batch=batch)
        with wrong.open() as live, pytest.raises(Unavailable, match=r"says 401.*Mend the login") as error:
            live.write(numbered(2))

    assert "horse" not in str(error.value) + repr(wrong)


def test_the_example_has_these_keys_and_types():
    """The app of these tests is as strict as the one of the example, and of the same keys."""
    http = (EXAMPLE / "convex" / "http.ts").read_text()
    said = {
        name: set(re.findall(r'"(\w+)"', keys))
        for name, keys in re.findall(r"^const ([A-Z_]+) = \[(.*?)\];", http, re.DOTALL | re.MULTILINE)
    }
    assert said["TEXTS"] == TEXTS
    assert said["TEXTS_OR_NULL"] == TEXTS_OR_NULL
    assert said["NUMBERS_OR_NULL"] == NUMBERS_OR_NULL
    assert said["OBJECTS_OR_NULL"] == OBJECTS_OR_NULL
    logs = (EXAMPLE / "convex" / "logs.ts").read_text()
    kept = logs[: logs.index("export type")]
    columns = dict(re.findall(r"^  (\w+): (v\..+),$", kept, re.MULTILINE))
    assert columns.pop("recordId") == "v.string()"
    assert columns == {
        **dict.fromkeys(TEXTS, "v.string()"),
        **dict.fromkeys(TEXTS_OR_NULL | OBJECTS_OR_NULL, "v.optional(v.string())"),
        **dict.fromkeys(NUMBERS_OR_NULL, "v.optional(v.number())"),
    }
    assert columns.keys() == {*KEYS.values(), "serverName", "serverVersion"}


# ── What goes wrong on the way ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("batch", [True, False])
def test_what_is_too_large_becomes_a_dead_letter_and_its_neighbours_pass(app, tmp_path, batch):
    with (
        served(app) as given,
        delivering(tmp_path, ConvexDestination(batch=batch, **given)) as delivery,
    ):
        with delivery.spool.open() as writer:
            writer.append(b'{"message":"%b"}' % (b"x" * 1_000_000), 1)
        said = delivery.say(10)
        delivery.wait()

        (letter,) = DeadLetters(delivery.spool, "d").read()
    assert "says 413" in letter["reason"]
    assert app.messages == said


def test_of_single_records_those_before_a_failure_do_not_come_again(app):
    with (
        served(app) as given,
        fault_proxy(port_of(given), http=True) as proxy,
        ConvexDestination(**{**given, "endpoint_url": f"{proxy.url}/logs/ingest"}).open() as live,
    ):
        proxy.in_turn(None, Answer(422), None, Answer(503))
        written = live.write(numbered(5))
        assert live.write([record for record in numbered(5) if record.id in written.again]) == ALL_WRITTEN

    second, *_, fourth, fifth = (record.id for record in numbered(5)[1:])
    assert written.refused.keys() == {second}
    assert written.again == {fourth, fifth}
    assert "503" in str(written.why_again)
    assert app.messages == ["record 1", "record 3", "record 4", "record 5"]
    assert len(app.asked) == 4


@pytest.mark.parametrize("batch", [True, False])
def test_whatever_goes_wrong_all_stands_there_once(app, tmp_path, batch):
    with served(app) as given, fault_proxy(port_of(given), http=True) as proxy:
        given |= {"endpoint_url": f"{proxy.url}/logs/ingest", "batch": batch}
        destination = ConvexDestination(**given)
        check_faults(tmp_path, destination, proxy, [*OVER_HTTP, CutRequest(500)], lambda: app.messages)


def port_of(given):
    return int(given["endpoint_url"].rpartition(":")[2].partition("/")[0])
