"""Addresses that are none are told when settings are read, not when the first record should go there."""

import pytest

from logpith_emit.destinations import destination_of
from logpith_emit.errors import BadArgument

WRONG_URLS = (
    "nonsense",
    "logs.example.org:8080/x",
    "ftp://logs.example.org/x",
    "https://",
    "https:///x",
    "https://logs.example.org:99999/x",
    "https://logs.example.org:0/x",
    "https://logs example.org/x",
    "https://u:hunter2@logs.example.org/x",
)
WRONG = [
    *(
        ({"type": kind, name: url})
        for url in WRONG_URLS
        for kind, name in (("http", "url"), ("logpith", "url"))
    ),
    *(({"type": "otlp", "endpoint": url}) for url in WRONG_URLS),
    *(({"type": "convex", "api_key": "k", "endpoint_url": url}) for url in WRONG_URLS),
    *(({"type": "s3", "bucket": "logs", "endpoint_url": url}) for url in WRONG_URLS),
    *(
        ({"type": "elasticsearch", "hosts": host})
        for host in ("ftp://h", "h:99999", "h:x", "https://", "h x")
    ),
    *(
        ({"type": "kafka", "bootstrap_servers": host})
        for host in ("h:99999", "h:x", "h:0", "a:1,b c:2", "https://h/x")
    ),
    *(({"type": "redis", "url": url}) for url in ("nonsense", "http://h", "redis://h:99999", "redis://h:x")),
    *(({"type": "fluent", "host": host}) for host in ("", "tcp://h", "a b", "u:hunter2@h")),
    *({"type": "fluent", "port": port} for port in (0, 99999)),
    *(
        {"type": "postgres", "dsn": dsn}
        for dsn in (
            "nonsense",
            "mysql://u:hunter2@h/x",
            "postgresql://u:hunter2@h:99999/x",
            "postgresql://h,h:0/x",
        )
    ),
]


@pytest.mark.parametrize("table", WRONG, ids=lambda table: "-".join(map(str, table.values())))
def test_an_address_that_is_none_is_told_with_its_place_and_without_its_password(table):
    with pytest.raises(BadArgument) as error:
        destination_of(table, "destinations.far")

    assert error.value.problem.startswith("destinations.far: ")
    assert error.value.remedy
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "table",
    [
        {"type": "http", "url": "http://[::1]:9/x?y=z"},
        {"type": "logpith"},
        {"type": "otlp"},
        {"type": "otlp", "logfire_token": "pylf_v1_eu_x"},
        {"type": "kafka", "bootstrap_servers": "a, b:9,[::1]:4,SASL_SSL://c:9"},
        {"type": "postgres", "dsn": "postgresql://u:p#w?@h1:1,h2,[::1]:5432/x?sslmode=require"},
        {"type": "postgres", "dsn": "postgresql:///x?host=/run/postgresql"},
        {"type": "postgres", "dsn": "host=h port=5432"},
        {"type": "postgres", "dsn": "host=h password=a://b"},
        {"type": "postgres", "dsn": ""},
    ],
    ids=lambda table: "-".join(map(str, table.values())),
)
def test_whatever_may_be_an_address_is_taken(table):
    assert destination_of(table, "destinations.far").type == table["type"]
