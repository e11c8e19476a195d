"""What goes to Redis stands in its stream once, whatever becomes of the way to it."""

import json
from contextlib import closing
from datetime import datetime
from uuid import uuid4

import pytest
import redis

from logpith_emit.destinations.redis import RedisDestination
from logpith_emit.entry import LogEntry
from logpith_emit.secret import Secret
from logpith_emit.testing import check_destination


@pytest.fixture
def stream():
    return uuid4().hex


@pytest.fixture
def read(redis_server, stream):
    """read(): all entries of the stream, in its order."""

    def all_of_them():
        with closing(redis.Redis(port=redis_server.port)) as asking:
            return [entry_in(fields) for _, fields in asking.xrange(stream)]

    return all_of_them


def entry_in(fields):
    known = json.loads(fields[b"record"])
    return LogEntry(**{**known, "timestamp": datetime.fromisoformat(known["timestamp"])})


def test_it_keeps_its_promises(redis_server, stream, read):
    check_destination(RedisDestination(url=Secret(redis_server.url), stream=stream), read)
