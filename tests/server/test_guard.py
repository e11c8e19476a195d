"""What stands before every route: names, pages, tokens, roles, room, time."""

import socket
import threading

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from http_door import ADMIN, NDJSON, NO_TLS, READER, TOKENS, WRITER, ndjson, opened, said
from logpith.server.guard import GuardSettings

ROLE_OF = {"log_reader": READER, "log_writer": WRITER, "log_admin": ADMIN}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("door")) as door:
        yield door


def every_request(door):
    """Each route by each of its methods, as (route, method, path); WebSocket is a method here."""
    for route in door.table():
        path = route.path.replace("{name}", "log_overview").replace("{source}", "bell")
        for method in route.methods or ("WEBSOCKET",):
            yield route, method, path


def status_of(door, method, path, token=None, **headers):
    """How a request ends, whatever it brings; a stream that begins is a 200 or a 101."""
    headers = {"host": f"127.0.0.1:{door.port}", **headers}
    if token:
        headers["authorization"] = f"Bearer {token}"
    if method == "WEBSOCKET":
        return socket_status(door, path, headers)
    with (
        httpx2.Client(base_url=door.url, timeout=60, trust_env=False, verify=NO_TLS) as client,
        client.stream(method, path, headers=headers) as response,
    ):
        return response.status_code


def socket_status(door, path, headers):
    with socket.create_connection(("127.0.0.1", door.port), timeout=60) as link:
        told = {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13"}
        told |= {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", **headers}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
        link.sendall("\r\n".join(lines).encode())
        return int(link.recv(4096).split(b" ")[1])


def test_every_role_passes_every_route_that_is_its_and_no_other(door):
    seen = set()
    for route, method, path in every_request(door):
        for role, token in [*ROLE_OF.items(), (None, None), ("nobody", "nobody-0123456789abcdef")]:
            status = status_of(door, method, path, token)

            if route.role is None:
                assert status in (200, 503), (method, path, role)
            elif role in (None, "nobody"):
                assert status == 401, (method, path, role)
            elif role in (route.role, "log_admin"):
                assert status not in (401, 403), (method, path, role)
            else:
                assert status == 403, (method, path, role)
            seen.add((route.role, role))
    assert {
        (wanted, role) for wanted in ("log_reader", "log_writer", "log_admin", None) for role in ROLE_OF
    } <= seen


def test_what_is_no_route_tells_strangers_nothing(door):
    for path in ("/nothing", "/tools/log_overview/x", "/mcp/", "//mcp", "/%2e%2e/mcp"):
        assert status_of(door, "GET", path) == 401
        assert status_of(door, "GET", path, READER) == 404
    assert status_of(door, "DELETE", "/tools") == 401
    assert status_of(door, "PUT", "/tools", READER) == 405


WRONG_PLACES = [
    ({"host": "evil.example.com"}, 421),
    ({"host": "127.0.0.1.evil.example.com"}, 421),
    ({"host": "localhost."}, 421),
    ({"host": "0.0.0.0"}, 421),
    ({"origin": "http://evil.example.com"}, 403),
    ({"origin": "null"}, 403),
    ({"origin": "http://localhost:1"}, 403),
    ({"host": "evil.example.com", "origin": "http://evil.example.com"}, 421),
]


@pytest.mark.parametrize(("headers", "status"), WRONG_PLACES)
def test_a_foreign_name_or_page_is_refused_on_every_route(door, headers, status):
    for _, method, path in every_request(door):
        assert status_of(door, method, path, ADMIN, **headers) == status, (method, path)
    assert status_of(door, "GET", "/nothing", ADMIN, **headers) == status
    assert status_of(door, "OPTIONS", "/tools", ADMIN, **headers) == status


def test_own_names_and_pages_are_let_in_on_every_route(door):
    places = [
        {"host": f"127.0.0.1:{door.port}", "origin": f"http://localhost:{door.port}"},
        {"host": f"localhost:{door.port}"},
        {"host": f"[::1]:{door.port}"},
        {"host": "logs.example.org", "origin": "https://logs.example.org"},
    ]
    for headers in places:
        for _, method, path in every_request(door):
            assert status_of(door, method, path, ADMIN, **headers) not in (401, 403, 421), (
                method,
                path,
                headers,
            )


def test_a_token_counts_only_in_its_header_and_only_once(door):
    with door.as_(None) as client:
        assert client.get(f"/tools?token={READER}").status_code == 401
        assert client.get("/tools", headers={"cookie": f"token={READER}"}).status_code == 401
        assert client.get("/tools", headers={"authorization": f"Basic {READER}"}).status_code == 401
        assert client.get("/tools", headers={"authorization": READER}).status_code == 401
        assert client.get("/tools", headers={"authorization": f"bearer {READER}"}).status_code == 200
        twice = [("authorization", f"Bearer {READER}")] * 2
        refused = client.get("/tools", headers=twice)

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="logpith"'


def test_who_guesses_is_slowed_down_and_who_knows_is_not(tmp_path):
    with opened(tmp_path) as door:
        statuses = [status_of(door, "GET", "/tools", f"guess-{number}-0123456789") for number in range(30)]

        assert statuses[:20] == [401] * 20
        assert statuses[20:] == [429] * 10
        assert status_of(door, "GET", "/tools", READER) == 200
        assert status_of(door, "GET", "/tools") == 401


def test_without_tokens_everybody_may_everything(tmp_path):
    with opened(tmp_path, tokens=None) as door:
        assert status_of(door, "GET", "/api/v1/status") == 200
        assert status_of(door, "GET", "/tools", host="evil.example.com") == 421


class Held:
    """A keep that answers only when it is let go."""

    def __init__(self, keep):
        self._keep = keep
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Event()

    def take(self, batch, **given):
        self.begun.release()
        self.let_go.wait()
        return self._keep.take(batch, **given)

    def __getattr__(self, name):
        return getattr(self._keep, name)


def test_beyond_its_room_a_server_says_come_again_and_stays_healthy_after(tmp_path):
    statuses = []
    with opened(tmp_path, guard=GuardSettings(most_concurrent=2)) as door:
        held = door.running.keep = Held(door.running.keep)

        def bring():
            with door.as_(WRITER) as client:
                statuses.append(
                    client.post("/api/v1/logs", content=ndjson(said("a")), headers=NDJSON).status_code
                )

        threads = [threading.Thread(target=bring) for _ in range(2)]
        for thread in threads:
            thread.start()
            held.begun.acquire()
        with door.as_(READER) as client:
            third = client.get("/tools")
        held.let_go.set()
        for thread in threads:
            thread.join()
        after = status_of(door, "GET", "/tools", READER)

    assert (third.status_code, third.json()["error"]["code"]) == (503, "busy")
    assert int(third.headers["retry-after"]) > 0
    assert statuses == [200, 200]
    assert after == 200


def test_a_body_that_does_not_come_is_given_up(tmp_path):
    with opened(tmp_path, guard=GuardSettings(body_limit_s=0.2)) as door:
        for path, token in (("/api/v1/logs", WRITER), ("/mcp", READER)):
            with socket.create_connection(("127.0.0.1", door.port), timeout=60) as link:
                head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
                link.sendall(
                    f"{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{".encode()
                )
                answered = b"".join(iter(lambda link=link: link.recv(4096), b""))

            assert b" 408 " in answered.split(b"\r\n")[0]
            assert b'"slow_body"' in answered


def test_a_request_that_takes_too_long_is_given_up(tmp_path):
    with opened(tmp_path, guard=GuardSettings(request_limit_s=0.2)) as door:
        held = door.running.keep = Held(door.running.keep)
        with door.as_(WRITER) as client:
            answered = client.post("/api/v1/logs", content=ndjson(said("a")), headers=NDJSON)
        held.let_go.set()

    assert (answered.status_code, answered.json()["error"]["code"]) == (503, "too_slow")


def test_strangers_are_turned_away_before_their_body_is_read(door):
    with socket.create_connection(("127.0.0.1", door.port), timeout=60) as link:
        link.sendall(b"POST /api/v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n")
        answered = link.recv(4096)

    assert b" 401 " in answered.split(b"\r\n")[0]


def test_a_socket_is_refused_with_a_reason(door):
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{door.port}/api/v1/tail", proxy=None)

    assert refused.value.response.status_code == 401
    assert b'"no_token"' in refused.value.response.body


def test_the_tokens_of_this_test_are_not_in_any_answer(door):
    with door.as_(ADMIN) as client:
        told = "".join(client.get(path).text for path in ("/metrics", "/api/v1/status", "/openapi.json"))

    assert TOKENS.bearer_of(READER)
    assert not [token for token in (READER, WRITER, ADMIN) if token in told]
