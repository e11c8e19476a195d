"""What goes to Elasticsearch and OpenSearch is there once and can be searched, whatever becomes of the way to it."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivering import OVER_HTTP, SOON_S, check_faults, check_killed, delivering
from fault_proxy import Answer, BulkErrors, CutRequest, CutResponse, Garbage, Hang, fault_proxy
from logpith_emit.destinations import ALL_WRITTEN, Wanted, destination_of
from logpith_emit.destinations.elasticsearch import (
    MAPPING,
    MOST_BODY_BYTES,
    ElasticsearchDestination,
    document_of,
    entry_of_document,
)
from logpith_emit.entry import FIELDS, LogEntry, shown
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.secret import Secret
from logpith_emit.shipping.dead_letters import DeadLetters
from logpith_emit.testing import BARE, FULL, MOMENT, ODD_TEXTS, check_destination, numbered, outgoing
from services import outside_program
from services.certificates import certificate
from services.ports import free_port
from shown_commands import shown_command
from web_stand_in import reply, web_server

ON_ONE = pytest.mark.parametrize("search_node", ["elasticsearch"], indirect=True)
"""For what has nothing to do with who answers."""

DAY = "2026.03.14"
"""That of the records that `numbered` makes."""


@pytest.fixture
def prefix():
    return f"t{uuid4().hex}"


@pytest.fixture
def settings(search_node, prefix):
    """The settings of every destination here; what comes of them is removed, or a node takes long to start again."""
    yield {
        "hosts": search_node.address,
        "index_prefix": prefix,
        "first_retry_s": 0.001,
        "most_retry_s": 0.002,
    }
    made = [each["index"] for each in search_node.ask(f"/_cat/indices/{prefix}-*?format=json&h=index")]
    made = [index for index in made if index[0] != "."]  # those of a data stream go with it, which stays
    if made:
        search_node.ask(f"/{','.join(made)}", method="DELETE")


@pytest.fixture
def read(search_node, prefix):
    """read(): all documents, by their ids."""

    def all_of_them(indices=f"{prefix}-*"):
        search_node.ask(f"/{indices}/_refresh?ignore_unavailable=true", method="POST")
        found = search_node.ask(f"/{indices}/_search?size=10000&ignore_unavailable=true")["hits"]["hits"]
        documents = {(hit["_index"], hit["_id"]): hit["_source"] for hit in found}
        assert len(documents) == len(found)
        return documents

    return all_of_them


@pytest.fixture
def told(read):
    """told(): what the records say, oldest first."""

    def messages():
        documents = sorted(read().values(), key=lambda document: document["timestamp"])
        return [document["message"] for document in documents]

    return messages


@pytest.fixture
def forget_settings(search_node):
    """forget_settings(name): that one of the cluster is as it was, at the end of the test."""
    names = []
    yield names.append
    search_node.ask("/_cluster/settings", {"persistent": dict.fromkeys(names)}, "PUT")


def test_it_keeps_its_promises(settings, read):
    check_destination(
        ElasticsearchDestination(**settings), lambda: list(map(entry_of_document, read().values()))
    )


def test_it_keeps_its_promises_in_a_data_stream(search_node, settings, prefix, read):
    destination = ElasticsearchDestination(**settings, data_stream=f"{prefix}-all")

    check_destination(destination, lambda: list(map(entry_of_document, read(f"{prefix}-all").values())))

    assert {index[:4] for index, _ in read(f"{prefix}-all")} == {".ds-"}
    assert all(document["@timestamp"] == document["timestamp"] for document in read(f"{prefix}-all").values())
    mapping = mapping_of(search_node, f"{prefix}-all")
    assert mapping == {"@timestamp": {"type": "date"}, **TABLE}


# ── The template and the documents ──────────────────────────────────────────────────────────────────────────


TABLE = {
    "correlation_id": {"type": "keyword"},
    "timestamp": {"type": "date"},
    "level": {"type": "keyword"},
    "log_type": {"type": "keyword"},
    "message": {"type": "text"},
    "tool_name": {"type": "keyword"},
    "duration_ms": {"type": "float"},
    "status": {"type": "keyword"},
    "input_args": {"type": "object", "enabled": False},
    "output_summary": {"type": "text"},
    "error_message": {"type": "text"},
    "module": {"type": "keyword"},
    "function": {"type": "keyword"},
    "line": {"type": "integer"},
    "thread_name": {"type": "keyword"},
    "process_id": {"type": "integer"},
    "extra_data": {"type": "object", "enabled": False},
}


def mapping_of(node, indices):
    (found,) = node.ask(f"/{indices}/_mapping").values()
    return found["mappings"]["properties"]


def test_the_fields_of_an_index_are_those_of_the_table(search_node, settings, prefix):
    with ElasticsearchDestination(**settings).open() as live:
        live.write([outgoing(FULL)])

    assert mapping_of(search_node, f"{prefix}-{DAY}") == TABLE
    (made,) = search_node.ask(f"/_index_template/{prefix}-template")["index_templates"]
    assert made["index_template"]["index_patterns"] == [f"{prefix}-*"]


def test_a_template_that_is_missing_again_is_made_again(search_node, settings, prefix):
    with ElasticsearchDestination(**settings).open() as live:
        live.write(numbered(1))
        search_node.ask(f"/_index_template/{prefix}-template", method="DELETE")
        search_node.ask(f"/{prefix}-{DAY}", method="DELETE")

        live.write(numbered(1))

    assert mapping_of(search_node, f"{prefix}-{DAY}") == TABLE


@ON_ONE
def test_a_template_of_somebody_else_is_left_as_it_is(search_node, settings, prefix):
    theirs = {
        "index_patterns": [f"{prefix}-*"],
        "template": {"mappings": {"properties": {"message": {"type": "keyword"}}}},
    }
    search_node.ask(f"/_index_template/{prefix}-template", theirs, "PUT")

    with ElasticsearchDestination(**settings).open() as live:
        live.write(numbered(1))

    assert mapping_of(search_node, f"{prefix}-{DAY}")["message"] == {"type": "keyword"}


@ON_ONE
def test_who_may_only_write_makes_no_template(search_node, settings, prefix, told):
    with ElasticsearchDestination(**settings, template=False).open() as live:
        live.write(numbered(2))

    assert told() == ["record 1", "record 2"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        search_node.ask(f"/_index_template/{prefix}-template")


def test_a_template_that_cannot_be_made_loses_no_record(search_node, settings, prefix, told):
    ours = ElasticsearchDestination(**settings)
    in_the_way = {"index_patterns": [f"{prefix}-*"], "priority": ours.index_template["priority"]}
    search_node.ask(f"/_index_template/{prefix}-theirs", in_the_way, "PUT")
    with ours.open() as live:
        with pytest.raises(Unavailable, match=f"{prefix}-theirs.*template = false"):
            live.write(numbered(2))
        search_node.ask(f"/_index_template/{prefix}-theirs", method="DELETE")

        assert live.write(numbered(2)) == ALL_WRITTEN

    assert told() == ["record 1", "record 2"]


@ON_ONE
def test_a_login_that_may_see_no_templates_is_told_what_to_do(search_node, settings):
    with fault_proxy(search_node.port, http=True) as proxy:
        proxy.fault = Answer(403, {}, b"")
        destination = ElasticsearchDestination(**settings | {"hosts": proxy.address})
        with destination.open() as live, pytest.raises(Unavailable, match=r"403.*template = false"):
            live.write(numbered(1))


@ON_ONE
def test_a_longer_prefix_has_a_template_and_records_of_its_own(settings, prefix):
    longer = settings | {"index_prefix": f"{prefix}-prod"}
    stream = settings | {"data_stream": f"{prefix}-stream"}
    with (
        ElasticsearchDestination(**settings).open() as one,
        ElasticsearchDestination(**longer).open() as two,
        ElasticsearchDestination(**stream).open() as three,
    ):
        for live, number in ((one, 1), (two, 2), (three, 3)):
            assert live.write(numbered(1, first=number)) == ALL_WRITTEN

        for live, number in ((one, 1), (two, 2), (three, 3)):
            (found,) = asked(live, Wanted())
            assert found.message == f"record {number}"


def test_a_document_has_the_record_and_its_id(settings, prefix, read):
    bare, full = outgoing(BARE, 1), outgoing(FULL, 2)
    with ElasticsearchDestination(**settings).open() as live:
        live.write([bare, full])

    documents = read()
    assert documents == {
        (f"{prefix}-{DAY}", bare.id): shown(BARE),
        (f"{prefix}-{DAY}", full.id): shown(FULL),
    }
    assert set(shown(FULL)) == set(FIELDS)


@ON_ONE
def test_a_record_goes_to_the_index_of_its_own_day(settings, prefix, read):
    midnight = datetime(2026, 3, 15, tzinfo=UTC)
    last = outgoing(replace(BARE, timestamp=midnight - timedelta(seconds=1)), 1)
    first = outgoing(replace(BARE, timestamp=midnight + timedelta(seconds=1)), 2)
    early = outgoing(replace(BARE, timestamp=datetime(1, 1, 1, tzinfo=UTC)), 3)
    with ElasticsearchDestination(**settings).open() as live:
        for _ in range(2):
            assert live.write([last, first, early]) == ALL_WRITTEN

    assert read().keys() == {
        (f"{prefix}-2026.03.14", last.id),
        (f"{prefix}-2026.03.15", first.id),
        (f"{prefix}-0001.01.01", early.id),
    }


def test_it_can_be_searched_by_hand(search_node, settings, prefix, read):
    with ElasticsearchDestination(**settings).open() as live:
        live.write(numbered(12))
    read()

    found = search_node.ask(f"/{prefix}-*/_search?size=10&sort=timestamp:desc")["hits"]["hits"]

    assert [hit["_source"]["message"] for hit in found] == [f"record {number}" for number in range(12, 2, -1)]


def test_what_does_not_fit_its_field_stands_beside_it(settings, told):
    odd = {"status": "x" * 40_000, "correlation_id": "ü" * 20_000, "line": 2**31, "process_id": -(2**40)}
    large = replace(FULL, message="large", duration_ms=1e300, **odd)
    with ElasticsearchDestination(**settings).open() as live:
        assert live.write([outgoing(large)]) == ALL_WRITTEN
        assert told() == ["large"]

        (found,) = live.query(Wanted(equal={"tool_name": "place_call"}))

    assert found.extra_data == {**FULL.extra_data, **odd, "duration_ms": 1e300}
    assert (found.status, found.correlation_id, found.line) == (None, "", None)


def test_odd_names_and_depths_are_kept(settings, read):
    deep = 1
    for _ in range(200):
        deep = {"a": deep}
    names = ("", ".", "a..b", ".a", "a.", " ", "a.b", "a", "_id", '"', "\0", "ü", "@timestamp", "deep")
    odd = replace(FULL, input_args=dict.fromkeys(names, deep), extra_data=dict.fromkeys(names, 10**400))
    with ElasticsearchDestination(**settings).open() as live:
        assert live.write([outgoing(odd)]) == ALL_WRITTEN

    (document,) = read().values()
    assert document == shown(odd)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TEXTS = st.text(max_size=20)
LONG_TEXTS = st.sampled_from([10_922, 10_923]).map(lambda length: "日" * length)
ENTRIES = st.builds(
    LogEntry,
    correlation_id=TEXTS,
    timestamp=st.datetimes(timezones=st.just(UTC)),
    level=st.sampled_from(["INFO", "ERROR", "NOTICE", ""]),
    log_type=st.sampled_from(["internal", "framework"]),
    message=TEXTS,
    status=st.none() | TEXTS | LONG_TEXTS,
    duration_ms=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    line=st.none() | st.integers() | st.sampled_from([2**31 - 1, 2**31, -(2**31), -(2**31) - 1]),
    error_message=st.none() | TEXTS,
    input_args=st.none() | st.dictionaries(TEXTS, JSON, max_size=3),
    extra_data=st.none() | st.dictionaries(TEXTS, JSON, max_size=3),
)


@given(ENTRIES)
def test_a_document_has_no_nulls_only_what_fits_and_all_that_was_said(entry):
    document = document_of(entry)

    assert None not in document.values()
    assert document.keys() <= TABLE.keys() == MAPPING.keys()
    for name, value in document.items():
        match TABLE[name]["type"]:
            case "keyword":
                assert len(value.encode(errors="surrogatepass")) <= 32_766
            case "integer":
                assert -(2**31) <= value < 2**31
            case "float":
                assert abs(value) < 3.41e38
    said = {name: value for name, value in shown(entry).items() if name != "extra_data"}
    kept = {**document.get("extra_data", {}), **document}
    assert all(kept[name] == value for name, value in said.items())
    if all(name in document for name in said):
        assert entry_of_document(document) == entry


# ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────────


def asked(live, wanted):
    """What it gives, of what is searchable."""
    # Nobody waits for a second here: what is searched for is what another has made searchable.
    live._cluster.ask(lambda client: client.post(b"", "/_refresh"))
    return live.query(wanted)


def test_texts_are_told_apart_to_the_letter_and_times_to_the_microsecond(settings):
    texts = ("", "---", "Quota", "quota", "quota quota", "the quota, it is: exceeded!", *ODD_TEXTS)
    entries = [
        replace(
            FULL, message=text, output_summary=text or None, timestamp=MOMENT + timedelta(microseconds=at)
        )
        for at, text in enumerate(texts)
    ]
    with ElasticsearchDestination(**settings).open() as live:
        live.write([outgoing(entry, number) for number, entry in enumerate(entries)])

        assert asked(live, Wanted()) == entries[::-1]
        for entry in entries:
            assert live.query(Wanted(equal={"message": entry.message})) == [entry]
            assert live.query(Wanted(equal={"output_summary": entry.output_summary})) == [entry]
            assert live.query(Wanted(equal={"timestamp": entry.timestamp})) == [entry]
            assert live.query(Wanted(since=entry.timestamp, limit=100))[-1] == entry
            assert entry not in live.query(Wanted(until=entry.timestamp, limit=100))
        middle = Wanted(since=entries[3].timestamp, until=entries[6].timestamp, limit=2)
        assert live.query(middle) == [entries[5], entries[4]]
        assert live.query(Wanted(limit=1)) == entries[-1:]


@ON_ONE
def test_the_newest_are_the_newest_of_a_millisecond_that_has_many(settings):
    entries = [
        replace(BARE, message=str(at), timestamp=MOMENT.replace(microsecond=at)) for at in range(1_000)
    ]
    with ElasticsearchDestination(**settings).open() as live:
        live.write([outgoing(entry, number) for number, entry in enumerate(entries[::2] + entries[1::2])])

        assert asked(live, Wanted(limit=3)) == entries[:-4:-1]
        assert live.query(Wanted(limit=1_000)) == entries[::-1]
        assert live.query(Wanted(limit=0)) == []


def test_what_nothing_can_be_is_not_found(settings):
    with ElasticsearchDestination(**settings).open() as live:
        assert live.query(Wanted()) == []
        live.write([outgoing(FULL)])

        assert len(asked(live, Wanted(equal={"line": 42, "duration_ms": 31.25}))) == 1
        for name, value in {
            "line": 2**40,
            "process_id": "x",
            "status": 5,
            "message": 5,
            "tool_name": None,
        }.items():
            assert live.query(Wanted(equal={name: value})) == []


def test_a_question_that_is_answered_by_too_many_is_refused():
    with ElasticsearchDestination().open() as live, pytest.raises(Refused, match=r"10000.*since"):
        live.query(Wanted(limit=10_001))


@ON_ONE
def test_documents_of_others_are_read_as_far_as_they_go(search_node, settings, prefix, read):
    theirs = {"timestamp": "2026-03-14T09:26:53", "line": "many", "host": "a"}
    with ElasticsearchDestination(**settings, template=False).open() as live:
        search_node.ask(f"/{prefix}-{DAY}/_doc", theirs)
        read()

        (found,) = live.query(Wanted())

    assert found == replace(
        BARE,
        timestamp=datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC),
        level="",
        extra_data={"line": "many", "host": "a"},
    )


# ── What is refused, and what comes again ───────────────────────────────────────────────────────────────────


def test_what_never_will_be_taken_is_refused_alone_with_the_reason(
    search_node, settings, prefix, told, tmp_path
):
    theirs = {"mappings": {"properties": {"tool_name": {"type": "long"}}}}
    search_node.ask(f"/{prefix}-{DAY}", theirs, "PUT")
    odd = outgoing(replace(FULL, tool_name="no number"), 1_000)
    with delivering(tmp_path, ElasticsearchDestination(**settings)) as delivery:
        said = delivery.say(50)
        with delivery.spool.open() as writer:
            writer.append(odd.text, 1)
        said += delivery.say(50)
        delivery.wait()

        (letter,) = DeadLetters(delivery.spool, "d").read()
        assert letter["record"]["tool_name"] == "no number"
        assert "failed to parse field [tool_name] of type [long]" in letter["reason"]
        assert "no number" in letter["reason"]
        assert (delivery.shipped.sent, delivery.shipped.refused) == (100, 1)
    assert told() == said


@ON_ONE
def test_items_that_fail_for_now_come_again_and_others_do_not(search_node, settings, told, tmp_path):
    with fault_proxy(search_node.port, http=True) as proxy:
        destination = ElasticsearchDestination(**settings | {"hosts": proxy.address})
        proxy.in_turn(
            None,  # is there a template
            None,  # it is made
            BulkErrors({3: 429, 5: 400, 7: 503, 9: 403}),
            None,
            BulkErrors({0: 429, 1: 429, 2: 429}),
        )
        with delivering(tmp_path, destination) as delivery:
            said = delivery.say(20)
            delivery.wait()

            (letter,) = DeadLetters(delivery.spool, "d").read()
            assert letter["record"]["message"] == "record 6"
            assert letter["reason"] == "400 document_parsing_exception: as the test said"
            assert (delivery.shipped.sent, delivery.shipped.retried, delivery.shipped.errors) == (19, 6, 2)
            assert "does not take 3 of 20 records now: 429 es_rejected" in delivery.warnings[0][0]
            assert any("429 es_rejected_execution_exception" in problem for problem, _ in delivery.warnings)
    assert told() == [message for message in said if message != "record 6"]


@pytest.mark.parametrize(
    ("name", "value"), [("cluster.max_shards_per_node", 1), ("action.auto_create_index", False)]
)
def test_an_index_that_cannot_be_made_now_loses_no_record(
    search_node, settings, told, tmp_path, forget_settings, name, value
):
    forget_settings(name)
    search_node.ask("/_cluster/settings", {"persistent": {name: value}}, "PUT")
    with delivering(tmp_path, ElasticsearchDestination(**settings)) as delivery:
        said = delivery.say(20)
        delivery.wait_for_failures()
        assert "takes no records now: 40" in delivery.warnings[0][0]

        search_node.ask("/_cluster/settings", {"persistent": {name: None}}, "PUT")
        delivery.wait()

        assert delivery.shipped.refused == 0
    assert told() == said


@ON_ONE
def test_a_batch_that_is_too_large_is_split(search_node, settings, told, tmp_path):
    too_large = Answer(413)
    with fault_proxy(search_node.port, http=True) as proxy:
        destination = ElasticsearchDestination(**settings | {"hosts": proxy.address})
        proxy.in_turn(None, None, too_large, None, too_large, None, too_large, None, too_large)
        with delivering(tmp_path, destination) as delivery:
            said = delivery.say(8)
            delivery.wait()

            (letter,) = DeadLetters(delivery.spool, "d").read()
            assert "413" in letter["reason"]
    assert told() == [message for message in said if message != letter["record"]["message"]]


# ── How much is asked ───────────────────────────────────────────────────────────────────────────────────────


@ON_ONE
def test_a_thousand_entries_are_few_requests(search_node, settings, told, tmp_path):
    with fault_proxy(search_node.port, http=True) as proxy:
        destination = ElasticsearchDestination(**settings | {"hosts": proxy.address})
        with delivering(tmp_path, destination) as delivery:
            said = delivery.say(1_000)
            delivery.wait()

        assert proxy.requests <= 5
    assert told() == said


@ON_ONE
def test_no_request_is_larger_than_servers_take(search_node, settings, told):
    with fault_proxy(search_node.port, http=True) as proxy:
        destination = ElasticsearchDestination(**settings | {"hosts": proxy.address}, gzip=False)
        with destination.open() as live:
            live.write(numbered(1))
            before = proxy.requests
            large = [
                outgoing(replace(BARE, message="x" * (MOST_BODY_BYTES * 2 // 3)), number) for number in (2, 3)
            ]

            assert live.write(large) == ALL_WRITTEN

        assert proxy.requests - before == 1 + 2
    assert len(told()) == 3


# ── What goes wrong on the way ──────────────────────────────────────────────────────────────────────────────


@ON_ONE
def test_whatever_goes_wrong_all_is_there_once(search_node, settings, told, tmp_path):
    odd = [
        Garbage(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"),
        CutRequest(10),
        CutResponse(10),
        Answer(429, {"Retry-After": "0"}),
    ]
    with fault_proxy(search_node.port, http=True) as proxy:
        destination = ElasticsearchDestination(**settings | {"hosts": proxy.address})
        check_faults(tmp_path, destination, proxy, [*OVER_HTTP, *odd], told, at_once=100)


BULK_FAULTS = (
    Hang(),
    CutRequest(1_000),
    CutResponse(0),
    CutResponse(1_000),
    Answer(429),
    Answer(502, {}, b"<html>Bad gateway</html>"),
    Answer(200, {}, b"<html>Welcome</html>"),
    Answer(200, {}, b'{"errors":false,"items":[]}'),
    Answer(200, {}, b'{"items":[{"create":{"status":400}}]}'),
    Answer(200, {}, b"[]"),
    BulkErrors(dict.fromkeys(range(1_000), 503)),
)
"""When records are written, and their template is there."""


@ON_ONE
def test_whatever_goes_wrong_with_a_batch_all_is_there_once(search_node, settings, told, tmp_path):
    with fault_proxy(search_node.port, http=True) as proxy:
        destination = ElasticsearchDestination(**settings | {"hosts": proxy.address, "timeout_s": 2})
        with delivering(tmp_path, destination) as delivery:
            said = delivery.say(1)
            delivery.wait()
            for fault in BULK_FAULTS:
                proxy.in_turn(None, fault)
                before = proxy.requests
                said += delivery.say(100)
                delivery.wait()
                assert proxy.requests >= before + 3, fault  # it was asked again

            assert told() == said
            assert delivery.shipped.refused == 0


@pytest.mark.parametrize(
    "search_node", ["elasticsearch", pytest.param("opensearch", marks=pytest.mark.crash)], indirect=True
)
def test_a_server_that_is_killed_and_comes_again_has_all_once(search_node, settings, told, tmp_path):
    destination = ElasticsearchDestination(**settings, batch_records=100, timeout_s=20)
    check_killed(tmp_path, destination, search_node, told)


# ── Hosts ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost:9200", "http://localhost:9200"),
        ("LOCALHOST", "http://LOCALHOST:9200"),
        ("127.0.0.1:9201", "http://127.0.0.1:9201"),
        ("[::1]", "http://[::1]:9200"),
        ("[::1]:9201", "http://[::1]:9201"),
        ("es.localhost", "http://es.localhost:9200"),
        ("es.example.org", "https://es.example.org:9200"),
        ("es.example.org:443", "https://es.example.org:443"),
        ("es.example.org/logs/", "https://es.example.org:9200/logs"),
        ("localhost.example.org", "https://localhost.example.org:9200"),
        ("http://es.example.org", "http://es.example.org"),
        ("https://es.example.org:443", "https://es.example.org:443"),
    ],
)
def test_a_host_without_a_scheme_is_asked_by_tls_unless_it_is_here(host, url):
    assert ElasticsearchDestination(hosts=host).urls == [url]


@pytest.mark.parametrize("hosts", ["one, two", ["one", "two"], ("one", "two"), "one,two,"])
def test_hosts_are_a_list_or_a_text_with_commas(hosts):
    made = destination_of({"type": "elasticsearch", "hosts": hosts}, "destinations[0]")

    assert isinstance(made, ElasticsearchDestination)
    assert made.urls == ["https://one:9200", "https://two:9200"]
    assert ElasticsearchDestination(hosts=hosts).urls == made.urls


@ON_ONE
def test_where_one_host_cannot_be_reached_the_next_is_asked(search_node, settings, told):
    dead = f"127.0.0.1:{free_port()}"
    with ElasticsearchDestination(**settings | {"hosts": (dead, search_node.address)}).open() as live:
        assert live.write(numbered(2)) == ALL_WRITTEN

    assert told() == ["record 1", "record 2"]


@ON_ONE
def test_a_host_that_hangs_is_left_for_another(search_node, settings, told, tmp_path):
    with fault_proxy(search_node.port, http=True) as hangs:
        hangs.fault = Hang()
        destination = ElasticsearchDestination(
            **settings | {"hosts": (hangs.address, search_node.address), "timeout_s": 1}
        )
        with delivering(tmp_path, destination) as delivery:
            said = delivery.say(10)
            delivery.wait()

            assert f"{hangs.address} did not answer within 1 s" in delivery.warnings[0][0]
    assert told() == said


def test_when_no_host_answers_it_says_so():
    hosts = [f"127.0.0.1:{free_port()}" for _ in range(2)]

    with ElasticsearchDestination(hosts=hosts).open() as live, pytest.raises(Unavailable, match=hosts[1]):
        live.write(numbered(1))


# ── Logging in ──────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def door(node, login, *, tls=None):
    """The address of a door to a node, which opens to one login, and the headers of those who came."""
    came = []

    def answer(handler, body):
        came.append(handler.headers)
        if handler.headers["Authorization"] != login:
            return reply(handler, b'{"error":"missing authentication credentials"}', 401)
        headers = {
            name: value
            for name, value in handler.headers.items()
            if name in ("Content-Type", "Content-Encoding")
        }
        request = urllib.request.Request(
            node.url + handler.path, body or None, headers, method=handler.command
        )
        try:
            with closing(urllib.request.urlopen(request)) as answered:
                return reply(handler, answered.read(), answered.status)
        except urllib.error.HTTPError as error:
            with closing(error):
                return reply(handler, b"", error.code)

    with web_server(answer, tls=tls) as url:
        yield url, came


LOGINS = (
    ({"api_key": Secret("ZWFzeTpob3JzZQ==")}, "ApiKey ZWFzeTpob3JzZQ=="),
    ({"api_key": Secret("easy:horse")}, "ApiKey ZWFzeTpob3JzZQ=="),
    ({"username": "app", "password": Secret("pässword: horse")}, "Basic YXBwOnDDpHNzd29yZDogaG9yc2U="),
)


@pytest.fixture(scope="module")
def logins():
    """The prefix of an index that is made once."""
    return f"t{uuid4().hex}"


@pytest.mark.parametrize(("login", "header"), LOGINS)
def test_it_logs_in(elasticsearch, logins, login, header):
    with door(elasticsearch, header) as (url, came):
        destination = ElasticsearchDestination(hosts=url, index_prefix=logins, **login)
        with destination.open() as live:
            assert live.write(numbered(3)) == ALL_WRITTEN
            assert len(asked(live, Wanted())) == 3

    assert {each["User-Agent"] for each in came} == {"logpith-emit"}
    assert "gzip" in {each["Content-Encoding"] for each in came}
    assert "horse" not in repr(destination) + str(asdict(destination))


@pytest.mark.parametrize(("login", "header"), LOGINS)
def test_who_cannot_log_in_waits_and_tells_no_password(elasticsearch, login, header):
    with (
        door(elasticsearch, "somebody else") as (url, _),
        ElasticsearchDestination(hosts=url, **login).open() as live,
        pytest.raises(Unavailable, match=r"says 401.*Mend the login") as error,
    ):
        live.write(numbered(1))

    assert "horse" not in str(error.value)
    assert header.split()[1] not in str(error.value)


def test_only_a_certificate_that_is_known_is_trusted(elasticsearch, logins, tmp_path):
    tls = certificate(tmp_path)
    login = {"username": "app", "password": Secret("horse"), "index_prefix": logins}
    with door(elasticsearch, "Basic YXBwOmhvcnNl", tls=tls) as (url, came):
        with (
            ElasticsearchDestination(hosts=url, **login).open() as live,
            pytest.raises(Unavailable, match=r"certificate that is not trusted.*ca_file"),
        ):
            live.write(numbered(1))
        assert came == []

        for trust in ({"ca_file": tls.cert}, {"insecure": True}):
            with ElasticsearchDestination(hosts=url, **login, **trust).open() as live:
                assert live.write(numbered(1)) == ALL_WRITTEN


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"hosts": " , "}, "No host"),
        ({"hosts": ()}, "No host"),
        ({"hosts": "https://app:horse@es.example.org"}, r"app:\*\*\*@es.*password in it"),
        ({"hosts": "ftp://es.example.org"}, "no address of HTTP"),
        ({"hosts": "es.example.org:port"}, "no address of HTTP"),
        ({"hosts": "https://es.example.org/?a=b"}, r"\? in it"),
        ({"index_prefix": "Logs"}, "'Logs'.*small letters"),
        ({"index_prefix": ""}, "''.*small letters"),
        ({"index_prefix": "a/b"}, "small letters"),
        ({"data_stream": "logs*"}, "data_stream.*small letters"),
        ({"api_key": Secret("k"), "username": "app"}, "two logins"),
        ({"hosts": "http://es.example.org", "api_key": Secret("k")}, "whoever listens.*https"),
        ({"hosts": ["localhost", "http://10.0.0.1:9200"], "username": "app"}, "whoever listens"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, problem):
    with pytest.raises(BadArgument, match=problem):
        ElasticsearchDestination(**settings)


def test_a_login_may_be_told_to_this_machine_or_to_anybody_who_is_named():
    for hosts in ("localhost", "http://127.0.0.1:9200", "http://[::1]", "es.example.org"):
        assert ElasticsearchDestination(hosts=hosts, api_key=Secret("k")).urls
    assert ElasticsearchDestination(hosts="http://es.example.org", api_key=Secret("k"), insecure=True).urls


def test_the_search_of_the_docs_shows_what_came(search_node, settings, prefix):
    curl = outside_program("curl", "apt-get install curl")
    with ElasticsearchDestination(**settings).open() as live:
        assert live.write(numbered(3)) == ALL_WRITTEN
    _, shown_url = shown_command("curl")
    url = shown_url.replace("localhost:9200", search_node.address).replace("mcp-logs-", f"{prefix}-")

    deadline = time.monotonic() + SOON_S
    hits = []
    while len(hits) < 3:  # within a second, as the docs say
        assert time.monotonic() < deadline, hits
        answer = subprocess.run(
            [curl, "--silent", "--show-error", "--noproxy", "*", url],
            capture_output=True,
            check=True,
            timeout=SOON_S,
        ).stdout
        hits = json.loads(answer)["hits"]["hits"]

    assert [hit["_source"]["message"] for hit in hits] == ["record 3", "record 2", "record 1"]
    assert {hit["_index"] for hit in hits} == {f"{prefix}-{DAY}"}
