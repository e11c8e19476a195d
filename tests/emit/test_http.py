"""Whatever a server does, a question over HTTP ends in time, with an answer or one of our two errors."""

import gzip
import socket
import threading
from collections.abc import Callable
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from fault_proxy import Buffer, read_request
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.http import MOST_ANSWER_BYTES, HttpClient
from services.certificates import certificate
from services.ports import free_port
from web_stand_in import reply, web_server

SHORT_S = 0.3
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def speaking(*scripts: Callable[[socket.socket], None]):
    """The address of a server that does what a script says with each connection, in turn, and then ends it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        for script in scripts:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    script(connection)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def says(*answers: bytes) -> Callable[[socket.socket], None]:
    """One answer to each question."""

    def script(connection):
        questions = Buffer(iter(lambda: connection.recv(65_536), b""))
        for answer in answers:
            assert read_request(questions, lambda: None)
            connection.sendall(answer)

    return script


def dribbles(first: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """A piece now and then, for ever."""

    def script(connection):
        connection.recv(65_536)
        connection.sendall(first)
        connection.settimeout(SHORT_S / 10)
        while True:
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return
            connection.sendall(piece)

    return script


def asking(url, timeout_s=SHORT_S, **given):
    return closing(HttpClient(url, timeout_s=timeout_s, **given))


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b""),
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["nothing", "status", "headers", "body", "body-without-end", "chunks"],
)
def test_an_answer_that_takes_too_long_is_given_up(first, piece):
    with (
        speaking(dribbles(first, piece)) as url,
        asking(url) as client,
        pytest.raises(Unavailable, match=r"did not answer within 0\.3 s"),
    ):
        client.post(b"x")


def test_a_server_that_does_not_read_is_given_up():
    given_up = threading.Event()
    with speaking(lambda _: given_up.wait()) as url:
        try:
            with asking(url) as client, pytest.raises(Unavailable, match="did not answer"):
                client.post(bytes(32 << 20))
        finally:
            given_up.set()


def test_an_answer_without_end_is_given_up():
    def script(connection):
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(MOST_ANSWER_BYTES // (1 << 20) + 8):
            connection.sendall(bytes(1 << 20))

    with (
        speaking(script) as url,
        asking(url, 60) as client,
        pytest.raises(Unavailable, match="an answer of more than"),
    ):
        client.post(b"x")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff\x00garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["none", "garbage", "cut", "cut-chunk", "long-header"],
)
def test_what_is_no_answer_is_unavailable(answer):
    with (
        speaking(says(answer)) as url,
        asking(url, 60) as client,
        pytest.raises(Unavailable, match="cannot be reached"),
    ):
        client.post(b"x")


def test_a_redirect_is_not_followed():
    asked = []

    def answer(handler, body):
        asked.append(handler.path)
        reply(handler, b"", 307, Location="/elsewhere")

    with (
        web_server(answer) as url,
        asking(url, 60, headers={"Authorization": "Bearer horse"}) as client,
        pytest.raises(Unavailable, match="says 307"),
    ):
        client.post(b"x", "/in")

    assert asked == ["/in"]


def test_one_connection_is_kept():
    with speaking(says(OK, OK, OK)) as url, asking(url, 60) as client:
        assert [client.post(b"x").body for _ in range(3)] == [b"ok"] * 3


def test_a_kept_connection_that_was_ended_is_replaced_once():
    with speaking(says(OK), says(OK), says(OK)) as url, asking(url, 60) as client:
        assert [client.post(b"x").body for _ in range(3)] == [b"ok"] * 3

    with speaking(says(OK), says(b""), says(OK)) as url, asking(url, 60) as client:
        client.post(b"x")
        with pytest.raises(Unavailable, match="cannot be reached"):
            client.post(b"x")
        assert client.post(b"x").body == b"ok"


def test_a_connection_that_the_server_ends_is_not_used_again():
    ends = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with speaking(says(ends), says(ends)) as url, asking(url, 60) as client:
        assert [client.post(b"x").body for _ in range(2)] == [b"ok"] * 2


def test_nobody_listens():
    with (
        asking(f"http://127.0.0.1:{free_port()}", 60) as client,
        pytest.raises(Unavailable, match="cannot be reached: Connection refused"),
    ):
        client.post(b"x")


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503])
def test_what_may_be_mended_is_unavailable(status):
    with (
        web_server(lambda handler, _: reply(handler, b"not now", status)) as url,
        asking(url, 60) as client,
        pytest.raises(Unavailable, match=f"says {status}: not now"),
    ):
        client.post(b"x")


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_will_never_be_taken_is_refused(status):
    with (
        web_server(lambda handler, _: reply(handler, b"never", status)) as url,
        asking(url, 60) as client,
        pytest.raises(Refused, match=f"says {status}: never"),
    ):
        client.post(b"x")


@pytest.mark.parametrize(
    ("told", "least_s", "most_s"),
    [
        ("7", 7, 7),
        ("999999", 3_600, 3_600),
        ("", 0, 0),
        ("soon", 0, 0),
        ("Fri, 31 Dec 2100 10:00:00 GMT", 3_600, 3_600),
        ("Thu, 01 Jan 2015 10:00:00 GMT", 0, 0),
    ],
)
def test_a_server_says_when_to_come_again(told, least_s, most_s):
    with (
        web_server(lambda handler, _: reply(handler, b"", 503, Retry_After=told)) as url,
        asking(url, 60) as client,
        pytest.raises(Unavailable) as error,
    ):
        client.post(b"x")

    assert least_s <= error.value.retry_after_s <= most_s


def test_a_question_goes_below_the_address_with_its_headers():
    asked = []

    def answer(handler, body):
        asked.append((handler.command, handler.path, handler.headers, body))
        reply(handler, b"{}", X_Told="yes")

    with web_server(answer) as url, asking(f"{url}/a/?k=v", 60, headers={"X-A": "1", "X-B": "1"}) as client:
        told = client.post(b"body", "/b", {"X-B": "2"}, compressed=True)
        client.request("GET", also=())

    assert (told.status, told.body, told.headers["x-told"]) == (200, b"{}", "yes")
    (command, path, headers, body), (other, other_path, _, _) = asked
    assert (command, path, headers["X-A"], headers["X-B"]) == ("POST", "/a/b?k=v", "1", "2")
    assert (headers["Content-Encoding"], gzip.decompress(body)) == ("gzip", b"body")
    assert (other, other_path) == ("GET", "/a?k=v")


def test_a_certificate_is_trusted_if_its_authority_is(tmp_path):
    tls = certificate(tmp_path)
    with web_server(lambda handler, _: reply(handler, b"ok"), tls=tls) as url:
        with asking(url, 60) as client, pytest.raises(Unavailable, match=r"not trusted.*ca_file"):
            client.post(b"x")
        with asking(url, 60, ca_file=tls.cert) as client:
            assert client.post(b"x").body == b"ok"
        with asking(url, 60, insecure=True) as client:
            assert client.post(b"x").body == b"ok"
        with (
            asking(url.replace("127.0.0.1", "127.1"), 60, ca_file=tls.cert) as client,
            pytest.raises(Unavailable, match=r"not trusted: .*mismatch"),
        ):
            client.post(b"x")


def test_those_of_the_machine_are_trusted_besides(tmp_path, monkeypatch):
    tls, other = certificate(tmp_path / "one"), certificate(tmp_path / "other")
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.cert))
    with (
        web_server(lambda handler, _: reply(handler, b"ok"), tls=tls) as url,
        asking(url, 60, ca_file=other.cert) as client,
    ):
        assert client.post(b"x").body == b"ok"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("logs.example.org", "no address of HTTP"),
        ("ftp://logs.example.org", "no address of HTTP"),
        ("http://", "no address of HTTP"),
        ("http://host:0", "no address of HTTP"),
        ("http://host:port", "no address of HTTP"),
        ("http://user:horse@host", "has a password in it"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(url, problem):
    with pytest.raises(BadArgument, match=problem) as error:
        HttpClient(url, timeout_s=1)

    assert "horse" not in str(error.value)


def test_certificates_that_are_none_are_refused(tmp_path):
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")

    for path in (empty, Path("nowhere.pem")):
        with pytest.raises(BadArgument, match="has no certificates"):
            HttpClient("https://localhost", timeout_s=1, ca_file=path)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer horse\n"},
        {"Authorization": "horse\r\nX-Other: 1"},
        {"X-A": "horsé"},
        {"X\n": "horse"},
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_told(headers):
    with pytest.raises(BadArgument, match="holds what cannot be sent") as error:
        HttpClient("http://localhost", timeout_s=1, headers=headers)

    assert "horse" not in str(error.value)
