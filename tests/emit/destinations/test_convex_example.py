"""The functions of `examples/convex` keep what goes to Convex, and nothing else."""

import json
from contextlib import closing
from datetime import datetime

import pytest

from delivering import delivering
from logpith_emit.destinations import ALL_WRITTEN, Outgoing
from logpith_emit.destinations.convex import KEYS, ConvexDestination
from logpith_emit.encoding import encode
from logpith_emit.entry import LogEntry
from logpith_emit.errors import Refused, Unavailable
from logpith_emit.http import HttpClient
from logpith_emit.posting import bearer
from logpith_emit.secret import Secret
from logpith_emit.shipping.dead_letters import DeadLetters
from logpith_emit.testing import FULL, check_destination, numbered, outgoing
from web_stand_in import reply, web_server


@pytest.fixture
def example(convex):
    """What runs the functions of the example, and the settings of a destination that brings records there."""
    convex.forget()
    return convex, {"endpoint_url": f"{convex.url}/logs/ingest", "api_key": Secret(convex.api_key)}


def entry_in(document):
    log = {
        key: json.loads(value) if key in ("inputArgs", "extraData") else value
        for key, value in document.items()
    }
    given = {name: log.get(key) for name, key in KEYS.items()}
    return LogEntry(**{**given, "timestamp": datetime.fromisoformat(given["timestamp"])})


@pytest.mark.parametrize("batch", [True, False])
def test_the_example_keeps_the_promises(example, batch):
    app, given = example
    check_destination(
        ConvexDestination(batch=batch, **given),
        lambda: [entry_in(document) for document in app.stored()],
    )


def test_the_example_takes_names_of_any_kind(example):
    app, given = example
    odd = {"$a": 1, "_b": 2, "": 3, "grüße": {"x" * 2_000: [None]}, "message": "m"}
    with ConvexDestination(**given).open() as live:
        assert live.write([Outgoing("7f-1", json.dumps(odd).encode())]) == ALL_WRITTEN

    (document,) = app.stored()
    assert json.loads(document["extraData"]) == {
        name: value for name, value in odd.items() if name != "message"
    }


@pytest.mark.parametrize("batch", [True, False])
def test_the_example_refuses_for_good_what_it_cannot_keep(example, tmp_path, batch):
    app, given = example
    with delivering(tmp_path, ConvexDestination(batch=batch, **given)) as delivery:
        with delivery.spool.open() as writer:
            writer.append(b'{"message":"%b"}' % (b"x" * 1_000_000), 1)
        said = delivery.say(10)
        delivery.wait()

        (letter,) = DeadLetters(delivery.spool, "d").read()
    assert "says 413: a log has more than 1000000 bytes" in letter["reason"]
    assert [document["message"] for document in app.stored()] == said


@pytest.mark.parametrize("key", ["", "wrong-horse", "correct-horsf", "correct-horse-"])
def test_the_example_lets_nobody_in_without_the_key(example, key):
    app, given = example
    with (
        ConvexDestination(**{**given, "api_key": Secret(key)}).open() as live,
        pytest.raises(Unavailable, match="says 401: wrong key"),
    ):
        live.write(numbered(1))

    assert app.stored() == []


@pytest.mark.parametrize(
    "change",
    [{"other": 1}, {"line": "7"}, {"level": None}, {"message": 7}, {"extraData": [1]}, {"durationMs": True}],
)
def test_the_example_takes_what_it_knows_and_nothing_else(example, change):
    app, given = example
    bodies = []

    def answer(handler, body):
        bodies.append(json.loads(body))
        reply(handler, b"{}")

    with web_server(answer) as url, ConvexDestination(endpoint_url=url).open() as live:
        live.write([outgoing(FULL)])
    (full,) = bodies
    with closing(HttpClient(given["endpoint_url"], timeout_s=30, headers=bearer(app.api_key))) as client:
        with pytest.raises(Refused, match="says 400"):
            client.post(encode({"log": {**full["log"], **change}}), headers={"Idempotency-Key": "a"})
        with pytest.raises(Refused, match="says 400: a record has no id"):
            client.post(encode(full))
        client.post(encode(full), headers={"Idempotency-Key": "a"})

    (document,) = app.stored()
    assert document["recordId"] == "a"
