"""The routes, asked as programs ask them."""

import gzip
import json
from contextlib import contextmanager

import jsonschema
import pytest
import zstandard

from http_door import ADMIN, GATEWAY_ONLY, NDJSON, READER, WRITER, ndjson, opened, said
from logpith.app import ask
from logpith.batch import make_batch
from logpith.server.bodies import BodyLimits
from logpith.server.toolsets import choose_tools
from logpith.settings import CollectSettings, Settings
from logpith.tools import tools
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.emitter import EmitSettings, Emitter
from logpith_emit.errors import Refused
from logpith_emit.logger import Logger


@pytest.fixture
def door(tmp_path):
    with opened(tmp_path) as door:
        yield door


def bring(door, *records, token=WRITER, query="service=gateway", **headers):
    with door.as_(token) as client:
        return client.post(f"/api/v1/logs?{query}", content=ndjson(*records), headers={**NDJSON, **headers})


def error_of(response):
    told = response.json()["error"]
    assert set(told) == {"code", "message", "hint"}
    assert "Traceback" not in response.text
    return told


# ── Bringing ────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_acknowledged_is_found(door):
    answered = bring(door, said("quota_exceeded", level="error"), said("fine", 1))

    with door.as_(READER) as client:
        found = client.post("/tools/log_grep", json={"pattern": "quota_exceeded"}).json()

    assert (answered.status_code, answered.json()) == (200, {"accepted": 2, "rejected": 0, "duplicates": 0})
    assert found["summary"] == "1 of 2 records matches (50.00%)."
    assert found["evidence"][0]["severity"] == "error"


def test_one_bad_record_never_fails_its_neighbours(door):
    answered = bring(door, said("a"), "no json", said("b", 1))

    assert answered.status_code == 200
    assert answered.json() == {
        "accepted": 2,
        "rejected": 1,
        "duplicates": 0,
        "errors": [{"index": 1, "code": "bad_record", "message": "it is no JSON object"}],
    }


def test_when_no_record_can_be_read_it_is_the_senders_fault(door):
    answered = bring(door, "no json")

    assert answered.status_code == 400
    assert error_of(answered)["code"] == "nothing_accepted"
    assert answered.json()["errors"][0]["index"] == 0


@pytest.mark.parametrize("header", ["X-Batch-Id", "Idempotency-Key"])
def test_a_batch_that_comes_again_under_its_id_is_kept_once(door, header):
    for wanted in ({"accepted": 1, "duplicates": 0}, {"accepted": 0, "duplicates": 1}):
        assert bring(door, said("a"), **{header: "b-1"}).json() == {"rejected": 0, **wanted}
    assert bring(door, said("a"), **{header: "b-2"}).json()["accepted"] == 1

    with door.as_(READER) as client:
        assert client.get("/tools/overview").json()["coverage"]["records"] == 2


def test_nobody_takes_the_ids_of_somebody_else(door):
    bring(door, said("a"), **{"X-Batch-Id": "b-1"})

    assert bring(door, said("b"), token=ADMIN, **{"X-Batch-Id": "b-1"}).json()["accepted"] == 1


def test_ids_outlive_the_server(tmp_path):
    for wanted in (1, 0):
        with opened(tmp_path) as door:
            assert bring(door, said("a"), **{"X-Batch-Id": "b-1"}).json()["accepted"] == wanted


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_bodies_may_be_packed(door, encoding, pack):
    with door.as_(WRITER) as client:
        headers = {**NDJSON, "content-encoding": encoding}
        answered = client.post("/api/v1/logs", content=pack(ndjson(said("a"), said("b"))), headers=headers)

    assert answered.json()["accepted"] == 2


def test_arrays_and_texts_are_taken_too(door):
    with door.as_(WRITER) as client:
        array = client.post("/api/v1/logs", json=[{"msg": "a"}, {"msg": "b"}])
        text = client.post(
            "/api/v1/logs", content=b"ERROR a\nINFO b\n", headers={"content-type": "text/plain"}
        )
        other = client.post("/api/v1/logs", content=b"<x/>", headers={"content-type": "application/xml"})

    assert (array.json()["accepted"], text.json()["accepted"]) == (2, 2)
    assert (other.status_code, error_of(other)["code"]) == (415, "unsupported_type")


def test_a_log_drain_keeps_its_project_and_deployment(door):
    record = '{"timestamp":"2026-11-20T10:00:00Z","project":"web","deployment":"dpl_1","message":"GET /"}'
    bring(door, record, query="service=web&source=drain")

    with door.as_(READER) as client:
        found = client.get("/tools/grep", params={"pattern": "GET", "query": "project:web deployment:dpl_1"})

    assert found.json()["summary"].startswith("1 of 1")


def test_secrets_are_blanked_out_before_anything_is_written(door, tmp_path):
    bring(door, said("key AKIAQ7RZ2MNB5XKTP3WD of ann@example.org"), **{"X-Batch-Id": "b"})

    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"key" in written
    assert b"AKIAQ7RZ2MNB5XKTP3WD" not in written
    assert b"ann@example.org" not in written


def test_too_much_is_refused_before_it_is_read(tmp_path):
    with opened(tmp_path, bodies=BodyLimits(most_bytes=1000, most_unpacked_bytes=5000)) as door:
        with door.as_(WRITER) as client:

            def endless():
                for _ in range(100):
                    yield b"x" * 100

            told = client.post("/api/v1/logs", content=b"x" * 1001)
            in_pieces = client.post("/api/v1/logs", content=endless())
            bomb = client.post(
                "/api/v1/logs", content=gzip.compress(bytes(100_000)), headers={"content-encoding": "gzip"}
            )
        healthy = bring(door, said("a"))

    for response, limit in ((told, 1000), (in_pieces, 1000), (bomb, 5000)):
        assert (response.status_code, error_of(response)["code"]) == (413, "too_large")
        assert response.json()["limit"] == limit
    assert healthy.status_code == 200


class FullDisk:
    """A keep whose disk is full."""

    def __init__(self, keep, error):
        self._keep = keep
        self._error = error

    def take(self, batch, **given):
        raise self._error

    def __getattr__(self, name):
        return getattr(self._keep, name)


def test_a_full_disk_is_507_and_what_is_not_there_now_503(door):
    keep = door.running.keep
    door.running.keep = FullDisk(keep, OSError(28, "No space left on device"))
    full = bring(door, said("a"))
    keep.close()
    door.running.keep = keep
    ending = bring(door, said("a"))

    assert (full.status_code, error_of(full)["code"]) == (507, "disk_full")
    assert (ending.status_code, error_of(ending)["code"]) == (503, "unavailable")
    assert all(int(response.headers["retry-after"]) > 0 for response in (full, ending))
    with door.as_(READER) as client:
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200


class Bell:
    """A webhook source that wants to be asked nicely."""

    is_signed = True

    def deliver(self, body, headers):
        if headers.get("x-signature") != "right":
            raise Refused("the signature is wrong", remedy="Check the secret on both sides")
        return make_batch([body], observed_ns=1, source="bell", services=["telephony"])


def test_a_webhook_is_checked_by_its_source(tmp_path):
    with opened(tmp_path, hooks={"bell": Bell()}) as door, door.as_(WRITER) as client:
        right = client.post("/hooks/bell", content=b'{"call":"CA1"}', headers={"x-signature": "right"})
        wrong = client.post("/hooks/bell", content=b'{"call":"CA1"}')
        none = client.post("/hooks/other", content=b"{}")

    assert (right.status_code, right.json()) == (200, {"accepted": 1})
    assert (wrong.status_code, error_of(wrong)["message"]) == (422, "the signature is wrong")
    assert none.status_code == 404


def test_who_signs_needs_no_token_and_who_does_not_does(tmp_path):
    unsigned = Bell()
    unsigned.is_signed = False
    with opened(tmp_path, hooks={"bell": Bell(), "open": unsigned}) as door, door.as_(None) as client:
        signed = {"x-signature": "right"}
        assert client.post("/hooks/bell", content=b'{"call":"CA1"}', headers=signed).status_code == 200
        assert client.post("/hooks/bell", content=b'{"call":"CA1"}').status_code == 422
        assert client.post("/hooks/bell", headers={**signed, "host": "evil.example.com"}).status_code == 421
        assert client.post("/hooks/open", content=b'{"call":"CA1"}', headers=signed).status_code == 401
        assert client.post("/hooks/none", content=b'{"call":"CA1"}', headers=signed).status_code == 401


# ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_way_to_ask_gives_the_same_answer(door):
    bring(door, *(said(f"call {second} answered", second) for second in range(50)))
    arguments = {"pattern": "answered", "max_examples": 2, "ignore_case": True}
    names = ("log_grep", "log-grep", "grep")
    query = "pattern=answered&max_examples=2&ignore_case=true"

    with door.as_(READER) as client:
        answers = [client.post(f"/tools/{name}", json=arguments) for name in names]
        answers += [client.get(f"/tools/{name}?{query}") for name in names]
        answers += [client.post("/tools", json={"tool": name, "arguments": arguments}) for name in names]
        answers.append(client.post("/logpith", json={"tool": "log_grep", "arguments": arguments}))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["summary"].startswith("50 of 50")


def test_a_body_that_is_torn_is_told_apart_from_one_of_the_wrong_kind(door):
    with door.as_(READER) as client:
        torn = client.post("/tools", content=b'{"tool": "log_gr').json()["error"]
        wrong = client.post("/tools", content=b"[1]").json()["error"]

    assert (torn["code"], wrong["code"]) == ("bad_json", "bad_argument")


def test_the_answer_is_that_of_the_tool_as_json_and_as_text(door):
    bring(door, said("a", level="error"), said("b", 1))
    answer = ask(tools()["log_overview"](), door.running.keep.desk())

    with door.as_(READER) as client:
        as_json = client.get("/tools/log_overview")
        as_text = client.get("/tools/log_overview", headers={"accept": "text/plain"})

    assert as_json.json()["summary"] == answer.summary
    assert as_text.text.startswith(answer.summary + "\n\n")
    assert as_text.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_list_in_a_query_string_is_a_name_that_comes_again(door):
    bring(door, said("a"))
    with door.as_(READER) as client:
        ref = client.get("/tools/grep", params={"pattern": "a"}).json()["evidence"][0]["ref"]
        fetched = client.get(f"/tools/fetch?refs={ref}&refs={ref}").json()

    assert fetched["items"][0]["ref"] == ref


MISTAKES = [
    ("/tools/log_grep", {"patern": "x"}, 400, "Did you mean 'pattern'?"),
    ("/tools/log_grep", {"pattern": "x", "budget": 5}, 400, "budget=100"),
    ("/tools/log_grep", {"pattern": "x", "query": "a AND ("}, 400, ""),
    ("/tools/log_grp", {"pattern": "x"}, 404, "Did you mean 'log_grep'?"),
    ("/tools/log_overview", {"sources": ["/etc/passwd"]}, 404, "The sources are http"),
    ("/tools/log_overview", {"sources": ["../.."]}, 404, "The sources are http"),
    ("/tools", {"tool": "log_grep", "argumens": {}}, 400, "log_overview"),
    ("/tools", {"tool": 7}, 400, "log_overview"),
    ("/tools", {"arguments": {}}, 400, "log_overview"),
    ("/tools", {"tool": "log_grep", "arguments": []}, 400, "log_overview"),
    ("/tools", {"tool": "log_grep", "arguments": {}}, 400, 'log_grep(pattern="...")'),
]


def test_a_mistake_is_answered_with_what_to_do(door):
    bring(door, said("a"))
    with door.as_(READER) as client:
        for path, body, status, told in MISTAKES:
            answered = client.post(path, json=body)

            assert answered.status_code == status, answered.text
            assert told in error_of(answered)["hint"], answered.text
        for body, code in (
            (b"[]", "bad_argument"),
            (b"null", "bad_argument"),
            (b"", "bad_json"),
            (b"{", "bad_json"),
            (b'{"a":' * 100_000, "bad_json"),
        ):
            answered = client.post("/tools", content=body)
            assert (answered.status_code, error_of(answered)["code"]) == (400, code)


def test_a_fault_of_ours_tells_nothing(door, caplog):
    def broken():
        raise ValueError("secret log text")

    door.running.keep.desk = broken
    with door.as_(READER) as client:
        answered = client.get("/tools/overview")

    assert (answered.status_code, error_of(answered)["code"]) == (500, "internal")
    assert "secret" not in answered.text
    assert "secret log text" in caplog.text


def test_the_tools_are_listed_with_the_schemas_of_their_arguments(door):
    with door.as_(READER) as client:
        listed = client.get("/tools").json()["tools"]

    assert [tool["name"] for tool in listed] == list(choose_tools())
    for tool in listed:
        jsonschema.Draft202012Validator.check_schema(tool["arguments"])


# ── Relaying ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_relay_gets_the_last_lines_of_a_service(door):
    bring(door, *(said(f"n{second}", second) for second in range(20)))
    bring(door, said("other", 30, service="auth"), query="service=auth")

    with door.as_(READER) as client:
        told = client.post("/logs/fetch", json={"service": "gateway", "lines": 3}).json()

    assert set(told) == {"logs"}
    assert [json.loads(line)["msg"] for line in told["logs"].splitlines()] == ["n17", "n18", "n19"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"service": "nobody", "lines": 10}, "unknown_service"),
        ({"service": "gateway; touch /tmp/x", "lines": 10}, "unknown_service"),
        ({"service": "--output=/tmp/x", "lines": 10}, "unknown_service"),
        ({"service": "../../etc/passwd", "lines": 10}, "unknown_service"),
        ({"service": "", "lines": 10}, "bad_argument"),
        ({"service": ["gateway"], "lines": 10}, "bad_argument"),
        ({"lines": 10}, "bad_argument"),
        *(
            ({"service": "gateway", "lines": lines}, "bad_argument")
            for lines in (0, -1, 10_001, "10", 1.5, True, None)
        ),
    ],
)
def test_a_relay_takes_only_known_services_and_a_number_of_lines(door, asked, code):
    bring(door, said("a"))

    with door.as_(READER) as client:
        answered = client.post("/logs/fetch", json=asked)

    assert (answered.status_code, error_of(answered)["code"]) == (400, code)


@contextmanager
def relaying(folder, *programs):
    """A server whose sources are programs that run once a question, each with what it runs."""
    sources = {
        name: {"type": "command", "command": ["/bin/sh", str(script)], "service": name}
        for name, script in programs
    }
    collect = CollectSettings(max_staleness="1ns", refresh_within="1m")
    with opened(folder / "data", collecting=Settings(sources=sources, collect=collect)) as door:
        yield door


def fetched(door, service, token=READER):
    with door.as_(token) as client:
        return client.post("/logs/fetch", json={"service": service, "lines": 3})


def test_a_relay_whose_source_fails_says_so_without_a_trace(tmp_path):
    gateway, auth = tmp_path / "gateway.sh", tmp_path / "auth.sh"
    gateway.write_text("echo 2026-11-20T10:00:00Z ERROR quota_exceeded\n")
    auth.write_text("echo 2026-11-20T10:00:00Z INFO fine\n")
    with relaying(tmp_path, ("gateway", gateway), ("auth", auth)) as door:
        before = fetched(door, "gateway")
        gateway.write_text("echo the disk is gone >&2; exit 7\n")
        failed = fetched(door, "gateway")
        scoped = fetched(door, "gateway", GATEWAY_ONLY)
        other = fetched(door, "auth")
        unknown = fetched(door, "billing")

    assert (before.status_code, before.json()) == (
        200,
        {"logs": "2026-11-20T10:00:00Z ERROR quota_exceeded\n"},
    )
    assert failed.status_code == 502
    told = error_of(failed)
    assert told["code"] == "source_failed"
    assert told["message"].startswith("gateway: /bin/sh failed with status 7: the disk is gone")
    assert "ask again" in told["hint"]
    assert (scoped.status_code, error_of(scoped)["message"]) == (
        502,
        "a source of this server cannot be read",
    )
    assert (other.status_code, other.json()) == (200, {"logs": "2026-11-20T10:00:00Z INFO fine\n"})
    assert unknown.status_code == 502  # the source that fails may be where it comes from


def test_a_relay_whose_source_never_worked_says_so_too(tmp_path):
    with relaying(tmp_path, ("gateway", tmp_path / "is-not-there.sh")) as door:
        failed = fetched(door, "gateway")

    assert (failed.status_code, error_of(failed)["code"]) == (502, "source_failed")
    assert "is-not-there.sh" in error_of(failed)["message"]


def test_without_tokens_nothing_is_relayed(tmp_path):
    with opened(tmp_path, tokens=None) as door, door.as_(None) as client:
        client.post("/api/v1/logs?service=gateway", content=ndjson(said("a")), headers=NDJSON)
        answered = client.post("/logs/fetch", json={"service": "gateway", "lines": 3})

    assert (answered.status_code, error_of(answered)["code"]) == (403, "relay_off")


# ── Watching ────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_done_is_counted(door):
    bring(door, said("a"), "no json")
    bring(door, said("b"), **{"X-Batch-Id": "1"})
    bring(door, said("b"), **{"X-Batch-Id": "1"})

    with door.as_(READER) as client:
        told = client.get("/metrics")
    with door.as_(ADMIN) as client:
        status = client.get("/api/v1/status").json()

    assert told.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    for line in (
        'logpith_ingest_records_total{outcome="accepted"} 2',
        'logpith_ingest_records_total{outcome="duplicate"} 1',
        'logpith_ingest_records_total{outcome="rejected"} 1',
        'logpith_stored_records_total{destination="store"} 2',
        'logpith_accepted_records_total{destination="store"} 3',
        'logpith_dropped_records_total{destination="store",reason="duplicate"} 1',
        'logpith_in_flight_records{destination="store"} 0',
        'logpith_http_requests_total{method="POST",route="/api/v1/logs",status="200"} 3',
        'logpith_http_request_duration_seconds_count{route="/api/v1/logs"} 3',
    ):
        assert f"{line}\n" in told.text
    assert status["counters"]["logpith_stored_records_total"] == [
        {"labels": {"destination": "store"}, "value": 2.0}
    ]


def test_metrics_tell_how_programs_are_doing_whose_spools_are_collected(tmp_path):
    spools = tmp_path / "spools"
    memory = MemoryDestination(max_age_s=0)
    emitter = Emitter(EmitSettings(service="shop", folder=spools / "shop", destinations={"near": memory}))
    Logger("shop", {}, emitter).info("one")
    assert emitter.shipper.flush(60)
    emitter.close()
    settings = Settings(sources={"programs": {"type": "emit", "folder": str(spools)}})

    with opened(tmp_path, collecting=settings) as door, door.as_(READER) as client:
        told = client.get("/metrics").text

    of = '{destination="near",spool="shop"}'
    assert f"logpith_emit_destination_sent_records_total{of} 1\n" in told
    assert f"logpith_emit_destination_waiting_records{of} 0\n" in told


def test_metrics_may_be_open(tmp_path):
    with opened(tmp_path, metrics_need_token=False) as door, door.as_(None) as client:
        assert client.get("/metrics").status_code == 200
        assert client.get("/openapi.json").status_code == 401


def test_the_description_names_every_route_and_every_tool(door):
    with door.as_(READER) as client:
        told = client.get("/openapi.json").json()

    assert told["openapi"] == "3.1.0"
    for route in door.table():
        for method in route.methods:
            assert method.lower() in told["paths"][route.path]
    for name in choose_tools():
        schema = told["paths"][f"/tools/{name}"]["post"]["requestBody"]["content"]["application/json"][
            "schema"
        ]
        jsonschema.Draft202012Validator.check_schema(schema)


def test_health_tells_nothing_else(door):
    with door.as_(None) as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/ready").json() == {"status": "ready"}


def test_no_answer_is_kept_or_guessed_or_framed(door):
    with door.as_(READER) as client:
        for path in ("/health", "/tools", "/metrics", "/nothing", "/tools/log_grep"):
            headers = client.get(path).headers

            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert headers["content-security-policy"].startswith("default-src 'none'")
            assert not [name for name in headers if name.startswith("access-control")]
            assert "server" not in headers


# ── Scope ───────────────────────────────────────────────────────────────────────────────────────────────────

HIDDEN = "payroll-4711"


@pytest.fixture
def shared(door):
    """A door with records of two services in one file, as a drain would write them."""
    records = [said(f"call {second} answered", second) for second in range(0, 40, 2)]
    records += [
        said(f"{HIDDEN} paid {second}", second, service="billing", level="error")
        for second in range(1, 40, 2)
    ]
    bring(door, *sorted(records), query="source=drain")
    with door.as_(READER) as client:
        assert HIDDEN in client.get("/tools/cluster").text  # who may see all does
    return door


QUESTIONS = {
    "log_overview": {},
    "log_cluster": {"max_clusters": 50},
    "log_timeline": {},
    "log_grep": {"pattern": "paid"},
    "log_count": {"by": "service"},
    "log_fetch": {"limit": 100},
    "log_diff": {"since": "10s"},
}


@pytest.mark.parametrize("tool", sorted(QUESTIONS))
def test_nothing_from_outside_a_scope_is_told(shared, tool):
    with shared.as_(GATEWAY_ONLY) as client:
        answered = client.post(f"/tools/{tool}", json={**QUESTIONS[tool], "budget": 20_000})

    assert answered.status_code in (200, 400), answered.text
    assert HIDDEN not in answered.text
    assert "billing" not in answered.text
    if answered.status_code == 200:
        assert answered.json()["coverage"].get("records", 20) == 20


def test_refs_and_services_outside_a_scope_are_not_there(shared):
    with shared.as_(READER) as client:
        refs = [
            line["ref"] for line in client.post("/tools/grep", json={"pattern": HIDDEN}).json()["evidence"]
        ]
    assert refs

    with shared.as_(GATEWAY_ONLY) as client:
        fetched = client.post("/tools/log_fetch", json={"refs": refs[:1], "before": 5, "after": 5})
        relayed = client.post("/logs/fetch", json={"service": "billing", "lines": 5})
        own = client.post("/tools/grep", json={"pattern": "answered"}).json()["evidence"][0]["ref"]
        again = client.post("/tools/log_fetch", json={"refs": [own]})

    assert HIDDEN not in fetched.text + relayed.text
    assert relayed.status_code == 400
    assert error_of(relayed)["hint"] == "The services are gateway"
    assert again.json()["items"][0]["ref"] == own


def test_a_writer_brings_records_of_its_services_only(door):
    other = bring(door, said("a", service="billing"), token=GATEWAY_ONLY, query="service=billing")
    bring(door, said("claims", service="billing"), token=GATEWAY_ONLY, query="")
    with door.as_(ADMIN) as client:
        status = client.get("/api/v1/status")

    assert (other.status_code, error_of(other)["code"]) == (403, "out_of_scope")
    assert status.json()["counters"]["logpith_stored_records_total"][0]["value"] == 1


def test_a_server_of_another_name_answers_at_its_path(tmp_path):
    call = {"tool": "log_grep", "arguments": {"pattern": "x"}}
    with opened(tmp_path, name="logfire-mcp") as door:
        bring(door, said("x"))
        with door.as_(READER) as client:
            assert client.post("/logfire-mcp", json=call).status_code == 200
            assert client.post("/logpith", json=call).status_code == 404
