"""Benchmarks: each says what it measures, and the folder is the registry. None is run here; what they stand on is."""

import importlib
import json
import shutil
import urllib.request
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import benchmarks
from benchmarks import emit_call
from benchmarks.measuring import interleaved, rate
from benchmarks.mixed_lines import NEEDLE, first_lines, read_lines, write_mixed_lines
from benchmarks.peers import Question
from benchmarks.peers.elasticsearch import ElasticsearchPeer
from benchmarks.peers.fts5 import FTS5Peer
from benchmarks.peers.ours import Ours, desk_of
from benchmarks.peers.parquet import ParquetPeer
from benchmarks.peers.ripgrep import RipgrepPeer
from benchmarks.peers.victorialogs import VictoriaLogsPeer
from benchmarks.store import in_turns
from benchmarks.store_live import SEARCHES
from web_stand_in import reply, web_server


@pytest.mark.parametrize("name", benchmarks.names())
def test_a_benchmark_measures_and_says_what(name):
    module = importlib.import_module(f"benchmarks.{name}")

    assert callable(module.measure)
    assert "against" in module.__doc__


def test_repeats_are_interleaved_and_the_median_counts():
    turns = []
    figures = iter([1.0, 10.0, 3.0, 30.0, 2.0, 20.0])

    def way(name):
        turns.append(name)
        return next(figures)

    assert interleaved({"a": lambda: way("a"), "b": lambda: way("b")}, 3) == {"a": 2.0, "b": 20.0}
    assert turns == ["a", "b"] * 3
    assert rate(1_234_000, 1.0) == "1,234,000 lines/s"


@pytest.mark.parametrize("way", ["file_handler", "logpith", "logpith_json"])
def test_programs_that_log_are_timed_and_found_again(tmp_path, way):
    setting = benchmarks.Setting(folder=tmp_path, shared=None, quick=True, say=print)

    with ExitStack() as running:
        program = emit_call._programs(setting, running, {way: (way, "")})[way]
        taken = program.ask("paced 3")

    assert len(taken) == 3
    assert min(taken) > 0
    assert emit_call._found(setting, way, 7, "SIGKILL") == 7


def test_a_receiver_knows_which_records_came():
    with emit_call._receiver("well") as receiver:
        for body in (b'{"message": "call 1 answered"}', b'"call 2 answered" "call 1 answered"'):
            urllib.request.urlopen(receiver.url, data=body, timeout=30).close()

        assert receiver.found == {b"1", b"2"}


# ── Mixed lines ─────────────────────────────────────────────────────────────────────────────────────────────


def test_mixed_lines_are_as_many_as_asked_for_and_hold_what_is_planted(tmp_path):
    lines = write_mixed_lines(tmp_path / "a.log", 3_000)
    text = lines.path.read_text()

    assert lines.count == text.count("\n") == 3_000
    assert text.count(NEEDLE) == 16
    assert lines.trace_id in text
    assert lines.path.read_bytes() == write_mixed_lines(tmp_path / "b.log", 3_000).path.read_bytes()


def test_the_layouts_have_their_shares(tmp_path):
    texts = write_mixed_lines(tmp_path / "a.log", 3_000).path.read_text().splitlines()
    shares = [
        sum(text.startswith(begin) for text in texts) / len(texts) for begin in ("{", "2026-", "<", "ts=")
    ]

    assert sum(shares) == 1
    assert shares == pytest.approx([0.25, 0.48, 0.16, 0.11], abs=0.03)


def test_the_first_lines_of_a_file_are_one_of_their_own(tmp_path):
    lines = write_mixed_lines(tmp_path / "a.log", 2_000)

    part = first_lines(lines, 500, tmp_path / "part.log")

    assert part.count == 500
    assert lines.path.read_bytes().startswith(part.path.read_bytes())


def test_lines_without_a_trace_are_refused(tmp_path):
    (tmp_path / "a.log").write_text("2026-11-19T00:00:00Z INFO [a] b: c\n")

    with pytest.raises(ValueError, match="trace_id"):
        read_lines(tmp_path / "a.log")


# ── Peers ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Some mixed lines, and all local peers that have taken them in."""
    folder = tmp_path_factory.mktemp("kept")
    lines = write_mixed_lines(folder / "mixed.log", 3_000)
    parquet = folder / "lines.parquet"
    peers = [Ours(folder / "store"), ParquetPeer(parquet), FTS5Peer(folder / "lines.db", parquet, 10_000)]
    for peer in peers:
        loaded = peer.load(lines)
        assert loaded.lines == 3_000
        assert loaded.size_bytes > 10_000
    return lines, [*peers, *([RipgrepPeer()] if shutil.which("rg") else [])]


def test_everyone_finds_the_same(kept):
    lines, peers = kept
    found = {}
    for peer in peers:
        with peer.questions(lines) as asks:
            for question, ask in asks.items():
                found.setdefault(question, {})[peer.name] = ask()

    assert set(found) == set(Question)
    assert set(found[Question.NEEDLE].values()) == {16}
    assert set(found[Question.ABSENT].values()) == {0}
    for question, by_peer in found.items():
        # What the service of a plain line is, our formats and the peers' loaders see differently.
        if question not in (Question.BY_SERVICE, Question.ABSENT):
            assert len(set(by_peer.values())) == 1, (question, by_peer)
            assert max(by_peer.values()) > 0, question


def test_all_searches_can_be_asked_and_most_find_something(kept):
    from logpith.app import ask
    from logpith.component import build
    from logpith.tools import tools

    desk = desk_of(kept[1][0].folder)
    answers = [ask(build(tools()["search_logs"], dict(given)), desk) for given in SEARCHES]

    assert len(SEARCHES) == 30
    assert sum(answer.found for answer in answers) >= 24


def test_everyone_is_asked_in_turns_and_the_first_time_is_told_apart():
    turns = []

    def ask(name):
        turns.append(name)
        return len(turns)

    asked = in_turns({"a": lambda: ask("a"), "b": lambda: ask("b")})

    assert turns == ["a", "b"] * 6
    assert asked["b"].found == 12


def test_a_peer_that_runs_is_named_with_its_address():
    from benchmarks.__main__ import address

    assert address("victorialogs=http://127.0.0.1:9428/") == ("victorialogs", "http://127.0.0.1:9428")
    with pytest.raises(Exception, match="none of"):
        address("loki=http://127.0.0.1:3100")


# ── Requests to running servers, as their documentation has them ────────────────────────────────────────────


def test_victorialogs_is_given_and_asked_what_its_documentation_says(kept, tmp_path):
    lines, _ = kept
    stand_in = _VictoriaLogs()
    with web_server(stand_in.answer) as url:
        peer = VictoriaLogsPeer(url, _parquet(kept))
        loaded = peer.load(lines)
        with peer.questions(lines) as asks:
            found = {question: ask() for question, ask in asks.items()}

    assert loaded.lines == len(stand_in.rows) == 3_000
    assert loaded.size_bytes == 4_500
    assert loaded.cpu_s == pytest.approx(2.0)
    assert stand_in.flushed
    assert set(found) == set(Question)
    assert found[Question.NEEDLE] == 2
    assert found[Question.SUBSTRING] == 42
    queries = stand_in.queries
    assert f'trace_id:="{lines.trace_id}"' in queries
    assert "* | stats by (_time:1m, level) count() found" in queries
    assert all("\n" not in query for query in queries)


def test_a_victorialogs_with_logs_of_others_is_left_alone(kept):
    lines, _ = kept
    stand_in = _VictoriaLogs()
    stand_in.rows.append({})

    with web_server(stand_in.answer) as url, pytest.raises(RuntimeError, match="empty folder"):
        VictoriaLogsPeer(url, _parquet(kept)).load(lines)

    assert len(stand_in.rows) == 1


class _VictoriaLogs:
    """Checks the form of requests by https://docs.victoriametrics.com/victorialogs/data-ingestion/ (JSON stream API)
    and …/querying/ (HTTP API); answers queries without understanding them."""

    def __init__(self):
        self.rows = []
        self.queries = []
        self.flushed = False
        self._cpu = 1.0

    def answer(self, request, body):
        path, parameters = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
        if path == "/insert/jsonline":
            assert request.command == "POST"
            assert request.headers["Content-Type"] == "application/stream+json"
            assert parameters == {
                "_time_field": ["_time"],
                "_msg_field": ["_msg"],
                "_stream_fields": ["service"],
            }
            for row in map(json.loads, body.splitlines()):
                datetime.fromisoformat(row["_time"])
                assert row["_msg"]
                self.rows.append(row)
            reply(request, b"")
        elif path == "/select/logsql/query":
            assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
            (query,) = parse_qs(body.decode())["query"]
            self.queries.append(query)
            if query == "* | stats count() found":
                answers = [{"found": str(len(self.rows))}]
            elif query.endswith("| stats count() found"):
                answers = [{"found": "42"}]
            else:
                answers = [{"_msg": "a"}, {"_msg": "b"}]
            reply(request, "".join(f"{json.dumps(answer)}\n" for answer in answers).encode())
        elif path == "/internal/force_flush":
            self.flushed = True
            reply(request, b"")
        elif path == "/metrics":
            self._cpu += 2.0
            sizes = 'vl_data_size_bytes{type="storage"} 4000\nvl_data_size_bytes{type="indexdb"} 500\n'
            reply(request, f"{sizes}process_cpu_seconds_total {self._cpu}\n".encode())
        else:
            reply(request, b"unsupported path requested", 400)


def test_elasticsearch_is_given_bulks_and_asked_by_search(kept):
    lines, _ = kept
    stand_in = _Elasticsearch()
    with web_server(stand_in.answer) as url:
        peer = ElasticsearchPeer(url, _parquet(kept))
        loaded = peer.load(lines)
        with peer.questions(lines) as asks:
            found = {question: ask() for question, ask in asks.items()}

    assert loaded.lines == len(stand_in.rows) == 3_000
    assert loaded.size_bytes == 7
    assert stand_in.made["mappings"]["properties"]["message"] == {"type": "text"}
    assert found[Question.NEEDLE] == 1
    assert found[Question.HISTOGRAM] == 3
    assert found[Question.TEMPLATE_WORD] == 42


def test_lines_that_elasticsearch_refuses_end_the_benchmark(kept):
    lines, _ = kept
    stand_in = _Elasticsearch(errors=True)

    with web_server(stand_in.answer) as url, pytest.raises(RuntimeError, match="refuses lines"):
        ElasticsearchPeer(url, _parquet(kept)).load(lines)


class _Elasticsearch:
    """Checks the form of `_bulk` and `_search`; answers without understanding them."""

    def __init__(self, errors=False):
        self.rows = []
        self.made = None
        self._errors = errors

    def answer(self, request, body):
        path = urlsplit(request.path).path.removeprefix("/logpith-bench")
        match request.command, path:
            case "DELETE", "":
                reply(request, b"{}", 404)
            case "PUT", "":
                self.made = json.loads(body)
                reply(request, b"{}")
            case "POST", "/_bulk":
                assert request.headers["Content-Type"] == "application/x-ndjson"
                given = [json.loads(line) for line in body.splitlines()]
                assert body.endswith(b"\n")
                assert given[::2] == [{"index": {}}] * (len(given) // 2)
                self.rows += given[1::2]
                reply(request, json.dumps({"errors": self._errors}).encode())
            case "POST", "/_refresh" | "/_flush":
                reply(request, b"{}")
            case "GET", "/_stats/store":
                reply(request, json.dumps({"_all": {"total": {"store": {"size_in_bytes": 7}}}}).encode())
            case "GET", "/_nodes/stats/process":
                reply(request, b'{"nodes":{"a":{"process":{"cpu":{"total_in_millis":5}}}}}')
            case "POST", "/_count":
                reply(request, b'{"count":42}')
            case "POST", "/_search":
                question = json.loads(body)
                answer = {"hits": {"hits": [{}]}}
                if "aggs" in question:
                    assert question["size"] == 0
                    assert "request_cache=false" in request.path
                    inner = (
                        {"by": {"buckets": [{}, {}, {}]}}
                        if "by" in str(question["aggs"]["by"].get("aggs"))
                        else {}
                    )
                    answer["aggregations"] = {"by": {"buckets": [inner]}}
                reply(request, json.dumps(answer).encode())
            case _:
                reply(request, b"no such thing", 400)


def _parquet(kept) -> Path:
    return next(peer for peer in kept[1] if isinstance(peer, ParquetPeer)).path
