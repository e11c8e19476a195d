"""What goes by OTLP is understood by OpenTelemetry's own Collector, whatever becomes of the way to it."""

import gzip
import json
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delivering import OVER_HTTP, check_faults, check_killed, delivering
from fault_proxy import Answer, CutRequest, fault_proxy
from logpith_emit.destinations import ALL_WRITTEN, Outgoing
from logpith_emit.destinations.otlp import OtlpDestination
from logpith_emit.encoding import encode
from logpith_emit.entry import entry_of
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.secret import Secret
from logpith_emit.shipping.dead_letters import DeadLetters
from logpith_emit.testing import check_destination, numbered
from web_stand_in import reply, web_server


@pytest.fixture
def collector(otelcol):
    otelcol.forget()
    return otelcol


@pytest.fixture
def messages(collector):
    """messages(): what the records say that the collector has taken."""
    return lambda: [one.body for one in collector.taken(0)]


def entry_in(taken):
    """The entry that a record is which the collector has understood."""
    attributes = {name: value for name, value in taken.attributes.items() if name != "log.record.uid"}
    return entry_of(
        {
            **attributes,
            "timestamp": int(taken.record["timeUnixNano"]),
            "level": taken.record["severityText"],
            "message": taken.body or "",
        }
    )


def said(**fields):
    return Outgoing("7f-1", encode(fields))


def test_it_keeps_its_promises(collector):
    check_destination(
        OtlpDestination(endpoint=collector.url), lambda: [entry_in(taken) for taken in collector.taken(0)]
    )


def test_each_part_of_a_record_has_its_place(collector):
    trace_id, span_id = "0AF7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with OtlpDestination(endpoint=collector.url).open() as live:
        live.write(
            [
                said(
                    timestamp=1_773_480_413_589_793_123,
                    level="warn",
                    logger="shop.calls",
                    service="shop",
                    message="slow",
                    correlation_id=trace_id,
                    span_id=span_id,
                    call_id="CA16",
                    size=(1 << 63) - 1,
                    larger=1 << 63,
                    ratio=0.25,
                    yes=True,
                    nothing=None,
                    items=[1, "x", [2.5], {"deep": None}],
                )
            ]
        )

    (taken,) = collector.taken(1)
    record = taken.record
    assert record["timeUnixNano"] == record["observedTimeUnixNano"] == "1773480413589793123"
    assert (record["severityNumber"], record["severityText"]) == (13, "warn")
    assert (record["traceId"], record["spanId"]) == (trace_id.lower(), span_id)
    assert (taken.body, taken.scope, taken.resource) == ("slow", "shop.calls", {"service.name": "shop"})
    assert taken.attributes == {
        "correlation_id": trace_id,
        "call_id": "CA16",
        "size": (1 << 63) - 1,
        "larger": str(1 << 63),
        "ratio": 0.25,
        "yes": True,
        "nothing": None,
        "items": [1, "x", [2.5], {"deep": None}],
        "log.record.uid": "7f-1",
    }


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"timestamp": -1, "level": "", "message": None},
        {"timestamp": 1 << 64, "level": "odd", "message": {"a": [1]}, "logger": 7, "service": None},
        {"correlation_id": "0" * 32, "trace_id": "x", "span_id": "0" * 16},
        {"trace_id": 7, "span_id": None, "": "empty", "value": float("inf")},
        {"text": "\ud800"},
    ],
)
def test_odd_records_are_taken_too(collector, fields):
    with OtlpDestination(endpoint=collector.url).open() as live:
        assert live.write([Outgoing("7f-1", json.dumps(fields).encode())]) == ALL_WRITTEN

    (taken,) = collector.taken(1)
    assert taken.record.get("traceId", "") == taken.record.get("spanId", "") == ""
    assert taken.attributes["log.record.uid"] == "7f-1"
    for name in ("trace_id", "span_id"):
        assert taken.attributes.get(name) == fields.get(name)


def test_what_is_nested_deeper_than_a_server_reads_comes_as_text(collector):
    deep = []
    for _ in range(200):
        deep = [deep]
    with OtlpDestination(endpoint=collector.url).open() as live:
        live.write([Outgoing("7f-1", json.dumps({"deep": deep}).encode())])

    (taken,) = collector.taken(1)
    found = taken.attributes["deep"]
    while isinstance(found, list):
        (found,) = found
    assert set(found) == {"[", "]"}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many=st.lists(st.dictionaries(TEXTS.map("x".__add__), VALUES, max_size=4), min_size=1, max_size=8))
def test_whatever_json_says_is_understood(collector, many):
    collector.forget()
    records = [Outgoing(f"7f-{at}", json.dumps(fields).encode()) for at, fields in enumerate(many)]
    with OtlpDestination(endpoint=collector.url).open() as live:
        assert live.write(records) == ALL_WRITTEN

    found = [one.attributes for one in collector.taken(len(many))]
    # JSON has no infinite numbers, which come as their names.
    infinite = {float("inf"): "Infinity", float("-inf"): "-Infinity"}
    expected = [replaced(fields, infinite) for fields in many]
    assert found == [
        {**fields, "log.record.uid": record.id} for fields, record in zip(expected, records, strict=True)
    ]


def replaced(value, names):
    if isinstance(value, dict):
        return {name: replaced(item, names) for name, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, names) for item in value]
    return names.get(value, value) if isinstance(value, float) else value


def test_services_and_loggers_are_kept_apart(collector):
    records = [
        said(service=service, logger=logger, message=f"{service} {logger}")
        for service in ("shop", "till")
        for logger in ("a", "b")
    ]
    with OtlpDestination(endpoint=collector.url).open() as live:
        live.write(records)
    with OtlpDestination(endpoint=collector.url, service_name="all").open() as live:
        live.write(records)

    taken = [(one.resource["service.name"], one.scope, one.body) for one in collector.taken(8)]
    assert taken[:4] == [(s, n, f"{s} {n}") for s in ("shop", "till") for n in ("a", "b")]
    assert {service for service, _, _ in taken[4:]} == {"all"}


# ── Where it goes, and with which headers ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://localhost:4318/v1/logs"),
        ({"endpoint": "https://otel.example.org/intake/"}, "https://otel.example.org/intake/v1/logs"),
        ({"endpoint": "https://otel.example.org/v1/logs"}, "https://otel.example.org/v1/logs"),
        ({"logfire_token": Secret("pylf_v1_eu_horse")}, "https://logfire-eu.pydantic.dev/v1/logs"),
        ({"logfire_token": Secret("pylf_v2_us_horse")}, "https://logfire-us.pydantic.dev/v1/logs"),
        ({"logfire_token": Secret("horse")}, "https://logfire-us.pydantic.dev/v1/logs"),
        (
            {"logfire_token": Secret("horse"), "endpoint": "https://own.example.org"},
            "https://own.example.org/v1/logs",
        ),
    ],
)
def test_where_it_goes(given, url):
    assert OtlpDestination(**given).url == url


@contextmanager
def stand_in(*answers):
    """A server that says these things in turn, and what it was asked."""
    asked = []

    def answer(handler, body):
        status, said = answers[len(asked)]
        asked.append((handler.path, handler.headers, body))
        reply(handler, said, status, Content_Type="application/json")

    with web_server(answer, keeps=True) as url:
        yield url, asked


def test_logfire_gets_its_token():
    with (
        stand_in((200, b"{}")) as (url, asked),
        OtlpDestination(
            endpoint=url, logfire_token=Secret("pylf_v1_eu_horse"), service_name="shop"
        ).open() as live,
    ):
        live.write(numbered(1))

    ((path, headers, body),) = asked
    assert (path, headers["Authorization"]) == ("/v1/logs", "pylf_v1_eu_horse")
    assert (headers["Content-Type"], headers["Content-Encoding"]) == ("application/json", "gzip")
    (resource,) = json.loads(gzip.decompress(body))["resourceLogs"]
    assert resource["resource"] == {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}


def test_headers_are_given_as_opentelemetry_has_them():
    destination = {"headers": Secret(" X-Tenant = a%2Cb ,Authorization=Basic%20aG9yc2U=,"), "gzip": False}
    with (
        stand_in((200, b"")) as (url, asked),
        OtlpDestination(endpoint=url, **destination).open() as live,
    ):
        live.write(numbered(1))

    ((_, headers, body),) = asked
    assert (headers["X-Tenant"], headers["Authorization"]) == ("a,b", "Basic aG9yc2U=")
    assert json.loads(body)["resourceLogs"]


def test_headers_that_are_none_are_refused_and_not_told():
    with pytest.raises(BadArgument, match="holds what is no header") as error:
        OtlpDestination(headers=Secret("horse"))

    assert "horse" not in str(error.value)


# ── What goes wrong on the way ──────────────────────────────────────────────────────────────────────────────


def test_of_records_rejected_without_saying_which_all_are_kept(tmp_path):
    some = b'{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}'
    with stand_in((200, some), (200, b"{}")) as (url, asked):
        destination = OtlpDestination(endpoint=url, batch_records=5)
        with delivering(tmp_path, destination) as delivery:
            messages = delivery.say(5)
            delivery.wait()
            delivery.say(3)
            delivery.wait()
            letters = list(DeadLetters(delivery.spool, "d").read())
            shipped = delivery.shipped

    assert len(asked) == 2  # none came again
    assert (shipped.sent, shipped.refused) == (3, 5)
    assert [letter["record"]["message"] for letter in letters] == messages
    assert {letter["reason"] for letter in letters} == {
        "one of 5 records, of which 2 were rejected without saying which: too old"
    }


def test_records_that_are_all_rejected_are_refused():
    every = b'{"partialSuccess":{"rejectedLogRecords":3,"errorMessage":"no"}}'
    with stand_in((200, every)) as (url, _), OtlpDestination(endpoint=url).open() as live:
        written = live.write(numbered(3))

    assert written.refused == {record.id: "rejected: no" for record in numbered(3)}


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"partialSuccess":{}}', b'{"partialSuccess":{"errorMessage":"slow"}}']
)
def test_an_answer_may_say_nothing_or_only_warn(body):
    with stand_in((200, body)) as (url, _), OtlpDestination(endpoint=url).open() as live:
        assert live.write(numbered(3)) == ALL_WRITTEN


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"[]", b'{"partialSuccess":7}'])
def test_what_is_no_answer_of_this_protocol_is_unavailable(body):
    with (
        stand_in((200, body)) as (url, _),
        OtlpDestination(endpoint=url).open() as live,
        pytest.raises(Unavailable, match="none of OTLP"),
    ):
        live.write(numbered(3))


def test_what_the_collector_cannot_read_is_refused(collector):
    with (
        fault_proxy(collector.port, http=True) as proxy,
        OtlpDestination(endpoint=proxy.url).open() as live,
    ):
        proxy.in_turn(Answer(400, {}, b'{"code":3,"message":"what is that?"}'), Answer(415))
        for _ in range(2):
            with pytest.raises(Refused):
                live.write(numbered(1))


def test_whatever_goes_wrong_all_comes(collector, messages, tmp_path):
    with fault_proxy(collector.port, http=True) as proxy:
        destination = OtlpDestination(endpoint=proxy.url)
        check_faults(tmp_path, destination, proxy, [*OVER_HTTP, CutRequest(600)], messages)


def test_a_collector_that_is_killed_and_comes_again_gets_all(collector, messages, tmp_path):
    destination = OtlpDestination(
        endpoint=collector.url, batch_records=100, first_retry_s=0.001, most_retry_s=0.05
    )
    check_killed(tmp_path, destination, collector, messages)
