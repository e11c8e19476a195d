"""The faults that destinations are tested with happen as they say, in front of servers that have none."""

import gzip
import http.client
import json
import socket
import socketserver
import threading
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from fault_proxy import (
    Answer,
    BlackHole,
    BulkErrors,
    CutRequest,
    CutResponse,
    Garbage,
    Hang,
    Refuse,
    Slow,
    fault_proxy,
)
from web_stand_in import reply, web_server

SHORT_S = 0.2
LONG_S = 30


class Echo(socketserver.BaseRequestHandler):
    """Says back what it hears."""

    def handle(self):
        while heard := self.request.recv(65536):
            self.server.heard += heard
            self.request.sendall(heard)
        self.server.is_left.set()

    def finish(self):
        self.server.is_left.set()


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = False

    def handle_error(self, request, client_address):
        """Connections that are reset are what the tests are about."""


@pytest.fixture
def echo():
    with EchoServer(("127.0.0.1", 0), Echo) as server:
        server.heard, server.is_left = b"", threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo):
    with fault_proxy(echo.server_address[1]) as proxy:
        yield proxy


def connect(proxy, timeout_s=LONG_S):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout_s)


def said_back(connection, sent=b"hello"):
    connection.sendall(sent)
    heard = b""
    while len(heard) < len(sent) and (piece := connection.recv(65536)):
        heard += piece
    return heard


def says_nothing(connection):
    connection.settimeout(SHORT_S)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.settimeout(LONG_S)


def is_at_its_end(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


# ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_fault_bytes_pass(proxy):
    with connect(proxy) as connection:
        assert said_back(connection, b"x" * 1_000_000) == b"x" * 1_000_000
    assert proxy.connections == 1


def test_refused_connections_are_refused_until_the_fault_ends(proxy):
    with connect(proxy) as before:
        assert said_back(before) == b"hello"
        proxy.fault = Refuse()

        assert is_at_its_end(before)
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)

    proxy.fault = None
    with connect(proxy) as after:
        assert said_back(after) == b"hello"


def test_in_a_black_hole_connecting_itself_hangs(proxy):
    proxy.fault = BlackHole()
    with pytest.raises(TimeoutError):
        connect(proxy, SHORT_S)

    proxy.fault = None
    with connect(proxy) as after:
        assert said_back(after) == b"hello"


def test_one_that_hangs_accepts_and_says_nothing_until_the_fault_ends(proxy, echo):
    with connect(proxy) as before:
        assert said_back(before) == b"hello"
        proxy.fault = Hang()
        with connect(proxy) as connection:
            for each in (before, connection):
                each.sendall(b"later")
                says_nothing(each)
            assert echo.heard == b"hello"

            proxy.fault = None
            assert before.recv(5) == connection.recv(5) == b"later"


def test_one_that_hangs_reads_nothing_even_of_much(proxy):
    much = b"x" * 50_000_000
    proxy.fault = Hang()
    with connect(proxy, SHORT_S) as connection:
        rest = memoryview(much)
        with suppress(TimeoutError):
            while rest:
                rest = rest[connection.send(rest) :]
        assert rest


def test_a_slow_one_passes_few_bytes_at_a_time(proxy):
    proxy.fault = Slow(bytes_per_s=20)
    with connect(proxy) as connection:
        connection.sendall(b"x" * 1000)
        heard = connection.recv(65536)
        assert 0 < len(heard) < 1000

        proxy.fault = None
        while len(heard) < 1000:
            heard += connection.recv(65536)


def test_a_cut_request_reaches_the_server_in_part(proxy, echo):
    proxy.fault = CutRequest(3)
    with connect(proxy) as connection:
        connection.sendall(b"hello")
        assert echo.is_left.wait(LONG_S)
    assert echo.heard == b"hel"


def test_a_cut_is_counted_from_when_it_is_set(proxy, echo):
    with connect(proxy) as connection:
        assert said_back(connection) == b"hello"
        proxy.fault = CutResponse(3)
        connection.sendall(b"again")
        assert connection.recv(5) == b"aga"
        assert is_at_its_end(connection)
    assert echo.heard == b"helloagain"


def test_garbage_comes_instead_of_the_server(proxy, echo):
    proxy.fault = Garbage(b"\xff\xfe")
    with connect(proxy) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"\xff\xfe"
        assert is_at_its_end(connection)
    assert echo.heard == b""


def test_open_connections_can_be_reset(proxy):
    with connect(proxy) as connection:
        assert said_back(connection) == b"hello"
        proxy.reset_connections()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


@pytest.mark.parametrize("fault", [None, Hang(), Slow(1), BlackHole(), Refuse()], ids=repr)
def test_it_closes_whatever_the_fault(echo, fault):
    with fault_proxy(echo.server_address[1]) as proxy, connect(proxy) as connection:
        connection.sendall(b"hello")
        proxy.wait_for(connections=1)
        proxy.fault = fault


# ── Requests over HTTP ──────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def web(asked):
    """A proxy before a server that notes what it is asked and says it back."""

    def answer(handler, body):
        asked.append((handler.command, handler.path, body))
        reply(handler, body or b"nothing", content_type="text/plain")

    with web_server(answer) as url, fault_proxy(urlsplit(url).port, http=True) as proxy:
        yield proxy


@pytest.fixture
def asked():
    return []


@pytest.fixture
def web_proxy(asked):
    with web(asked) as proxy:
        yield proxy


def client(proxy):
    return closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=LONG_S))


def ask(connection, method="POST", path="/logs", body=b"told", **headers):
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_requests_pass_and_are_counted_on_one_connection(web_proxy, asked):
    with client(web_proxy) as connection:
        assert ask(connection) == (200, b"told")
        assert ask(connection, "GET", "/", None) == (200, b"nothing")
        assert ask(connection, body=iter([b"to", b"ld"])) == (200, b"told")
    assert asked == [("POST", "/logs", b"told"), ("GET", "/", b""), ("POST", "/logs", b"told")]
    assert (web_proxy.connections, web_proxy.requests) == (1, 3)


@pytest.mark.parametrize("status", [401, 413, 429, 500, 503])
def test_it_answers_itself(web_proxy, asked, status):
    web_proxy.fault = Answer(status, {"Retry-After": "7"}, b"no")
    with client(web_proxy) as connection:
        connection.request("POST", "/logs", b"told")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Retry-After"], answer.read()) == (status, "7", b"no")

        web_proxy.fault = None
        assert ask(connection) == (200, b"told")
    assert len(asked) == 1


def test_requests_have_their_faults_in_turn(web_proxy):
    web_proxy.in_turn(Answer(503), None, Answer(429))
    with client(web_proxy) as connection:
        assert [ask(connection)[0] for _ in range(4)] == [503, 200, 429, 200]


def test_only_faults_of_requests_come_in_turn(web_proxy, proxy):
    with pytest.raises(ValueError, match="brings no request"):
        web_proxy.in_turn(Refuse())
    with pytest.raises(ValueError, match="only over HTTP"):
        proxy.in_turn(Hang())


def test_a_request_that_hangs_holds_up_no_other(web_proxy):
    web_proxy.in_turn(Hang(), None)
    with client(web_proxy) as hanging, client(web_proxy) as other:
        hanging.request("POST", "/logs", b"told")
        web_proxy.wait_for(requests=1)
        assert ask(other) == (200, b"told")
        says_nothing(hanging.sock)


def test_a_cut_response_was_heard_by_the_server(web_proxy, asked):
    web_proxy.fault = CutResponse(20)
    with client(web_proxy) as connection, pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(connection)
    assert asked == [("POST", "/logs", b"told")]


def test_a_cut_request_is_not_heard(web_proxy, asked):
    web_proxy.fault = CutRequest(20)
    with client(web_proxy) as connection, pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(connection)
    assert asked == []


def test_garbage_is_no_answer(web_proxy, asked):
    web_proxy.fault = Garbage()
    with client(web_proxy) as connection, pytest.raises(http.client.HTTPException):
        ask(connection)
    assert asked == []


def test_a_slow_answer_comes_in_the_end(web_proxy):
    web_proxy.in_turn(Slow(bytes_per_s=1000))
    with client(web_proxy) as connection:
        assert ask(connection) == (200, b"told")


def test_waiting_for_what_does_not_come_ends(web_proxy):
    with pytest.raises(TimeoutError, match="0 connections and 0 requests"):
        web_proxy.wait_for(requests=1, timeout_s=0.01)


def bulk(*names):
    lines = [json.dumps(part) for name in names for part in ({"create": {"_id": name}}, {"body": name})]
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_some_items_of_a_bulk_request_fail_and_the_others_are_done(elasticsearch, pack):
    index = f"/some-{pack.__name__}"
    headers = {"Content-Type": "application/x-ndjson"}
    if pack is gzip.compress:
        headers["Content-Encoding"] = "gzip"
    with fault_proxy(elasticsearch.port, http=True) as proxy, client(proxy) as connection:
        proxy.in_turn(BulkErrors({0: 429, 2: 400}))
        status, body = ask(
            connection, "POST", f"{index}/_bulk?refresh=true", pack(bulk("a", "b", "c")), **headers
        )

        answer = json.loads(body)
        assert (status, answer["errors"]) == (200, True)
        assert [(item["create"]["_id"], item["create"]["status"]) for item in answer["items"]] == [
            ("a", 429),
            ("b", 201),
            ("c", 400),
        ]
        hits = elasticsearch.ask(f"{index}/_search")["hits"]["hits"]
        assert [hit["_id"] for hit in hits] == ["b"]


def test_if_all_items_fail_the_server_is_not_asked(web_proxy, asked):
    web_proxy.fault = BulkErrors({0: 429, 1: 429})
    with client(web_proxy) as connection:
        status, body = ask(connection, "POST", "/_bulk", bulk("a", "b"))
    answer = json.loads(body)
    assert (status, [item["create"]["status"] for item in answer["items"]]) == (200, [429, 429])
    assert asked == []
