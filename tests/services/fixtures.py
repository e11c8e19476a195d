"""One fixture for each real server, started when a test first asks for it and ended with the session.

Tests that ask for servers come first, those of one server one after the other: with several workers, who each begin
with a part of all tests and start servers of their own, most servers are then started once. A server that a test killed
and left dead is started again before the next test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TypeVar

import pytest

from . import lacking
from .convex import Convex
from .elasticsearch import Elasticsearch
from .kafka import Kafka
from .opensearch import OpenSearch
from .otelcol import OtelCollector
from .postgres import Postgres
from .redis import Redis
from .s3 import S3
from .search_node import SearchNode
from .server import Server

SOME = TypeVar("SOME", bound=Server)

SERVERS: dict[str, type[Server]] = {
    "convex": Convex,
    "elasticsearch": Elasticsearch,
    "kafka": Kafka,
    "opensearch": OpenSearch,
    "otelcol": OtelCollector,
    "postgres": Postgres,
    "redis_server": Redis,
    "s3": S3,
}
"""Each fixture's name, and what it starts."""

LIVE: list[Server] = []


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items):
    """Marks the tests that ask for servers, and lets them come first."""
    for item in items:
        if _servers(item):
            item.add_marker(pytest.mark.service)
    items.sort(key=lambda item: (not _servers(item), _servers(item)))


def _servers(item: pytest.Item) -> list[str]:
    asked = {*getattr(item, "fixturenames", ()), *_parameters(item)}
    return sorted(SERVERS.keys() & asked)


def _parameters(item: pytest.Item) -> list[str]:
    """What a test is run with that is text, such as the name of one server of several."""
    given = getattr(item, "callspec", None)
    return [value for value in given.params.values() if isinstance(value, str)] if given else []


def pytest_runtest_setup():
    for server in LIVE:
        server.start()


def started(kind: type[SOME], folders: pytest.TempPathFactory) -> Iterator[SOME]:
    if reason := kind.missing():
        lacking(reason)
    server = kind(folders.mktemp(kind.name))
    with closing(server):
        LIVE.append(server.start())
        yield server
        LIVE.remove(server)


@pytest.fixture(scope="session")
def convex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Convex]:
    yield from started(Convex, tmp_path_factory)


@pytest.fixture(scope="session")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    yield from started(Elasticsearch, tmp_path_factory)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    yield from started(Kafka, tmp_path_factory)


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch]:
    yield from started(OpenSearch, tmp_path_factory)


@pytest.fixture(params=["elasticsearch", "opensearch"])
def search_node(request: pytest.FixtureRequest) -> SearchNode:
    """Each of the servers that speak as Elasticsearch does."""
    node: SearchNode = request.getfixturevalue(request.param)
    return node


@pytest.fixture(scope="session")
def otelcol(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtelCollector]:
    yield from started(OtelCollector, tmp_path_factory)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    yield from started(Postgres, tmp_path_factory)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    yield from started(Redis, tmp_path_factory)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    yield from started(S3, tmp_path_factory)
