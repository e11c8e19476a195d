"""The last lines of a log behind an address."""

from urllib.parse import parse_qs, urlsplit

import pytest

from logpith.sources.http_lines import HttpLinesSource
from logpith.testing.sources import Place, check_source
from logpith_emit.errors import BadArgument
from web_stand_in import reply, web_server

NOW = 1_795_000_000_000_000_000


def test_it_keeps_the_contract():
    log = []

    def answer(handler, _):
        asked = parse_qs(urlsplit(handler.path).query)
        reply(handler, b"".join(log[-int(asked["n"][0]) :]), Content_Type="application/x-ndjson")

    with web_server(answer) as url:

        def make():
            log.clear()
            steps = [
                lambda: log.extend(b'{"n":%d}\n' % n for n in range(20)),
                lambda: log.extend(b'{"n":%d}\n' % n for n in range(20, 1500)),
            ]
            return Place(source=HttpLinesSource(url=f"{url}/tail?n={{lines}}"), steps=steps)

        check_source(make, [b'{"n":%d}' % n for n in range(1500)], now_ns=NOW)


def test_services_stand_in_the_address_and_cannot_change_it():
    asked = []

    def answer(handler, _):
        asked.append(handler.path)
        reply(handler, b"line\n")

    with web_server(answer) as url:
        source = HttpLinesSource(url=f"{url}/{{service}}/tail", services=("a", "../b?x=1#"))
        with source.open("web", None) as live:
            services = [delivery.batch["service"][0].as_py() for delivery in live.poll(NOW)]

    assert services == ["a", "../b?x=1#"]
    assert asked == ["/a/tail", "/..%2Fb%3Fx%3D1%23/tail"]


def test_an_address_that_wants_a_service_needs_one():
    with pytest.raises(BadArgument, match="no service"):
        HttpLinesSource(url="http://127.0.0.1/{service}")
