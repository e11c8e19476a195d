"""What another logpith tells of its services."""

import json
import threading
from dataclasses import replace

import pytest

from http_door import ADMIN, NDJSON, READER, ndjson, opened, said
from logpith.component import configure
from logpith.sources.relay import RelaySource
from logpith.testing.sources import Place, check_source
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.secret import Secret
from ssh_server import free_port
from web_stand_in import reply, web_server

NOW = 1_795_000_000_000_000_000


def source_at(url, **settings):
    given = {"url": f"{url}/logs/fetch", "services": ("gateway",), "token": Secret(READER)}
    return RelaySource(**{**given, **settings})


def lines_told(source):
    with source.open("relay", None) as live:
        return [
            text for delivery in live.poll(NOW, at_once=True) for text in delivery.batch["line"].to_pylist()
        ]


def answering(body, status=200, **headers):
    return web_server(lambda handler, _: reply(handler, body, status, **headers))


def test_it_takes_from_a_real_server_what_is_new_there(tmp_path):
    with opened(tmp_path) as door:

        def bring(*records):
            with door.as_(ADMIN) as client:
                assert client.post("/api/v1/logs", content=ndjson(*records), headers=NDJSON).is_success

        bring(*(said(f"n{second}", second) for second in range(150)))
        bring(said("other", 30, service="auth"))
        with source_at(door.url, services=("gateway", "auth")).open("relay", None) as live:
            told = [delivery.batch for delivery in live.poll(NOW, at_once=True)]
            bring(said("new", 200), said("late", 149))
            news = [delivery.batch for delivery in live.poll(NOW, at_once=True)]
            again = list(live.poll(NOW, at_once=True))

    assert [batch.num_rows for batch in told] == [100, 1]
    assert [batch["service"][0].as_py() for batch in told] == ["gateway", "auth"]
    assert sorted(json.loads(line)["msg"] for batch in news for line in batch["line"].to_pylist()) == [
        "late",
        "new",
    ]
    assert again == []


def test_a_token_that_is_wrong_or_missing_is_refused(tmp_path):
    with opened(tmp_path) as door:
        for token in ("", "wrong"):
            with pytest.raises(Refused, match="answers 401"):
                lines_told(source_at(door.url, token=Secret(token)))


def test_a_service_that_is_not_there_is_told_in_the_words_of_the_server(tmp_path):
    with opened(tmp_path) as door, pytest.raises(Refused, match="answers 400: there is no service"):
        lines_told(source_at(door.url, services=("nobody",)))


def test_it_keeps_the_contract():
    log = []

    def answer(handler, body):
        asked = json.loads(body)
        assert handler.headers["Authorization"] == f"Bearer {READER}"
        assert asked["service"] == "gateway"
        reply(handler, json.dumps({"logs": log[-asked["lines"] :]}).encode())

    with web_server(answer) as url:

        def make():
            log.clear()
            steps = [
                lambda: log.extend(f"first {n}" for n in range(30)),
                lambda: log.extend(f"then {n}" for n in range(30)),
            ]
            return Place(source=source_at(url), steps=steps)

        expected = [f"{word} {n}".encode() for word in ("first", "then") for n in range(30)]
        check_source(make, expected, now_ns=NOW)


@pytest.mark.parametrize(
    "logs",
    [["a", "b"], "a\nb", "a\nb\n", [{"msg": "a"}, {"msg": "b"}]],
)
def test_lines_may_come_as_a_text_or_as_an_array(logs):
    with answering(json.dumps({"logs": logs}).encode()) as url:
        told = lines_told(source_at(url))

    assert told in ([b"a", b"b"], [b'{"msg":"a"}', b'{"msg":"b"}'])


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"logs":3}', b'{"lines":[]}', b"\xff"])
def test_an_answer_that_is_none_is_refused(body):
    with answering(body) as url, pytest.raises(Refused, match="does not answer with logs"):
        lines_told(source_at(url))


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Refused), (404, Refused), (302, Refused), (429, Unavailable), (502, Unavailable)],
)
def test_an_error_of_the_server_is_told_with_its_hint(status, error):
    body = json.dumps({"error": {"code": "x", "message": "it is \x1b[2J so", "hint": "do this"}}).encode()
    with answering(body, status, Location="http://127.0.0.1:1/") as url, pytest.raises(error) as raised:
        lines_told(source_at(url))

    assert raised.value.problem.endswith(f"answers {status}: it is ?[2J so")
    assert raised.value.remedy


def test_an_answer_that_is_too_large_is_refused():
    def answer(handler, _):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    with web_server(answer) as url, pytest.raises(Refused, match="more than 1,000,000 bytes"):
        lines_told(source_at(url, most_bytes=1_000_000))


@pytest.mark.parametrize(
    "said_before", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"]
)
def test_a_server_that_hangs_or_dribbles_is_left_in_time(said_before):
    left = threading.Event()

    def answer(handler, _):
        handler.wfile.write(said_before)
        while not left.wait(0.05):
            handler.wfile.write(b" ")

    with web_server(answer) as url:
        with pytest.raises(Unavailable, match=r"did not answer within 0\.5 s"):
            lines_told(source_at(url, timeout_s=0.5))
        left.set()


def test_a_server_that_is_not_there_is_unavailable():
    with pytest.raises(Unavailable, match="cannot be asked"):
        lines_told(source_at(f"http://127.0.0.1:{free_port()}"))


def test_a_token_goes_by_plain_http_only_on_this_machine_or_when_that_is_said():
    with pytest.raises(BadArgument, match="would show the token"):
        source_at("http://192.0.2.7:8850")
    assert source_at("http://192.0.2.7:8850", insecure=True)
    assert source_at("https://192.0.2.7:8850")
    assert source_at("http://localhost:8850")
    assert source_at("http://192.0.2.7:8850", token=Secret(""))


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://", "https://a b", "http://x:99999", "http://u:p@127.0.0.1"]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(BadArgument, match="url"):
        replace(source_at("http://127.0.0.1"), url=url)


def test_its_token_is_shown_nowhere():
    given = {"url": "http://127.0.0.1/logs/fetch", "services": ["a"], "token": "hunter2"}

    source = configure(RelaySource, given, "sources.x")

    assert source.token.reveal() == "hunter2"
    assert "hunter2" not in repr(source)
    with pytest.raises(BadArgument) as raised:
        configure(RelaySource, {**given, "token": ["hunter2"]}, "sources.x")
    assert "hunter2" not in str(raised.value)
