"""From a server's settings to where its entries go, against the real thing of each type."""

import asyncio
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from logpith_emit.entry import LogEntry
from logpith_emit.errors import BadArgument
from logpith_emit.testing import FULL
from logpith_emit.unified import (
    RetryWrapper,
    ServerConfig,
    SpooledDestination,
    create_log_destination,
    switch_destinations,
)
from logpith_emit.unified.face import NoDestination
from logpith_emit.unified.factory import destinations_of
from web_stand_in import reply, web_server

SOON_S = 60
"""A deadline, not a wait."""


@pytest.fixture
def entry():
    """One that was said just now; to the millisecond, which is what some destinations keep."""
    now = datetime.now(UTC)
    moment = now.replace(microsecond=now.microsecond // 1_000 * 1_000)
    return replace(FULL, timestamp=moment, correlation_id=uuid.uuid4().hex)


@pytest.fixture
def config(tmp_path):
    """config(**fields): settings whose file of SQLite is the test's own."""
    return lambda **fields: ServerConfig(name="shop", sqlite_path=tmp_path / "logs.db", **fields)


def kinds(config):
    return {name: table["type"] for name, table in destinations_of(config).items()}


# ── which ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_with_none_enabled_it_says_so_and_keeps_nothing(config, capsys, entry, tmp_path):
    async def program():
        destination = create_log_destination(config(enable_local_logging=False), folder=tmp_path / "spool")
        await destination.write(entry)
        assert await destination.flush()
        await destination.close()
        return destination

    destination = asyncio.run(program())

    assert isinstance(destination, NoDestination)
    told = capsys.readouterr().err
    assert told.count("ENABLE_LOCAL_LOGGING or ENABLE_PRODUCTION_LOGGING") == told.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, {"local": "sqlite"}),
        ({"enable_production_logging": True}, {"local": "sqlite"}),  # the same twice is one
        ({"enable_local_logging": False, "enable_production_logging": True}, {"production": "sqlite"}),
        (
            {"enable_production_logging": True, "log_destination_type": "kafka"},
            {"local": "sqlite", "production": "kafka"},
        ),
        (
            {
                "enable_local_logging": False,
                "enable_production_logging": True,
                "log_destination_type": "elasticsearch",
            },
            {"production": "elasticsearch"},
        ),
        ({"log_destination_type": "kafka"}, {"local": "sqlite"}),
    ],
    ids=["local", "sqlite twice", "sqlite in production", "both", "production", "not enabled"],
)
def test_what_is_enabled_is_there(config, tmp_path, fields, wanted):
    settings = config(**fields)

    destination = create_log_destination(settings, folder=tmp_path / "spool")

    assert kinds(settings) == wanted
    assert isinstance(destination, SpooledDestination)
    assert {name: one.type for name, one in destination.destinations.items()} == wanted


def test_a_type_that_is_none_is_refused(config):
    settings = config(enable_production_logging=True)
    settings.log_destination_type = "carrier-pigeon"

    with pytest.raises(BadArgument, match="log_destination_type: 'carrier-pigeon' is none") as error:
        create_log_destination(settings)

    assert "kafka" in error.value.remedy


def test_convex_without_its_address_says_which_setting_is_missing(config):
    with pytest.raises(BadArgument, match="convex_endpoint_url is required") as error:
        create_log_destination(config(enable_production_logging=True, log_destination_type="convex"))

    assert "CONVEX_ENDPOINT_URL" in error.value.remedy


def test_each_setting_comes_to_its_destination(config):
    def production(kind, **fields):
        settings = config(enable_production_logging=True, log_destination_type=kind, **fields)
        return create_log_destination(settings).destinations["production"]

    kafka = production(
        "kafka", kafka_bootstrap_servers="one:1,two:2", kafka_topic="t", log_retry_delay_ms=200
    )
    search = production("elasticsearch", elasticsearch_hosts=["one:1"], elasticsearch_index_prefix="p")
    rows = production(
        "postgres",
        postgres_dsn="postgresql://u:hunter2@h/d",
        postgres_table="t",
        postgres_pool_min_size=3,
        postgres_pool_max_size=4,
        postgres_timeout_seconds=5,
    )
    convex = production(
        "convex", convex_endpoint_url="https://h/in", convex_api_key="hunter2", convex_timeout_seconds=3
    )
    local = create_log_destination(config(log_retention_days=7)).destinations["local"]

    assert (tuple(kafka.bootstrap_servers), kafka.topic, kafka.first_retry_s) == (
        ("one:1", "two:2"),
        "t",
        0.2,
    )
    assert (tuple(search.hosts), search.index_prefix) == (("one:1",), "p")
    assert (rows.dsn.reveal(), rows.table) == ("postgresql://u:hunter2@h/d", "t")
    assert (rows.pool_min_size, rows.pool_max_size, rows.timeout_s) == (3, 4, 5)
    assert (convex.endpoint_url, convex.api_key.reveal(), convex.timeout_s) == ("https://h/in", "hunter2", 3)
    assert (convex.server_name, convex.server_version) == ("shop", "unknown")
    assert (local.retention_days, local.path.name) == (7, "logs.db")
    assert "hunter2" not in f"{rows}{convex}"


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_what_is_less_severe_than_the_level_is_not_kept(config, tmp_path, entry, level):
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")

    async def program():
        destination = create_log_destination(config(log_level=level), folder=tmp_path / "spool")
        for each in levels:
            await destination.write(replace(entry, level=each))
        assert await destination.flush(SOON_S)
        kept = [one.level for one in await destination.query()]
        await destination.close()
        return kept

    assert sorted(asyncio.run(program()), key=levels.index) == list(levels[levels.index(level) :])


def test_a_level_that_is_none_is_refused_at_the_start(config):
    with pytest.raises(BadArgument, match="'loud' is no level"):
        create_log_destination(config(log_level="LOUD"))


def test_production_is_switched_off_and_on_while_the_program_runs(config, tmp_path, entry):
    bodies = []

    def keep(handler, body):
        bodies.append(json.loads(body))
        reply(handler, b"{}")

    async def program(address):
        settings = config(
            enable_production_logging=True, log_destination_type="convex", convex_endpoint_url=address
        )
        destination = create_log_destination(settings, folder=tmp_path / "spool")

        async def say():
            await destination.write(entry)
            assert await destination.flush(SOON_S)
            return len(bodies), len(await destination.query())

        both = await say()
        settings.enable_production_logging = False
        switch_destinations(destination, settings)
        off = await say()
        settings.enable_production_logging = True
        switch_destinations(destination, settings)
        on = await say()
        await destination.close()
        return both, off, on

    with web_server(keep) as address:
        assert asyncio.run(program(address)) == ((1, 1), (1, 2), (3, 3))


def test_what_began_with_none_cannot_be_switched(config):
    with pytest.raises(BadArgument, match="cannot be switched"):
        switch_destinations(create_log_destination(config(enable_local_logging=False)), config())


# ── the real thing ──────────────────────────────────────────────────────────────────────────────────────────


def come_to(config, entry, folder, **fields):
    """What the destination answers after the entry was written, or nothing where it cannot be asked."""

    async def program():
        destination = create_log_destination(
            config(enable_local_logging=False, enable_production_logging=True, **fields),
            folder=folder / "spool",
        )
        await destination.write(entry)
        assert await destination.flush(SOON_S), destination.emitter.shipper.shipped
        found = await destination.query(correlation_id=entry.correlation_id) if destination.can_query else []
        await destination.close()
        return found

    return asyncio.run(program())


def test_an_entry_comes_to_sqlite(config, entry, tmp_path):
    assert come_to(config, entry, tmp_path, log_destination_type="sqlite") == [entry]


def test_an_entry_comes_to_postgres(config, entry, tmp_path, postgres):
    dsn = postgres.new_database()

    assert come_to(
        config, entry, tmp_path, log_destination_type="postgres", postgres_dsn=dsn, postgres_table="calls"
    ) == [entry]

    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT correlation_id FROM calls").fetchall() == [(entry.correlation_id,)]


def test_an_entry_comes_to_elasticsearch(config, entry, tmp_path, elasticsearch):
    prefix = f"u{uuid.uuid4().hex}"

    come_to(
        config,
        entry,
        tmp_path,
        log_destination_type="elasticsearch",
        elasticsearch_hosts=elasticsearch.address,
        elasticsearch_index_prefix=prefix,
    )

    index = f"{prefix}-{entry.timestamp:%Y.%m.%d}"
    elasticsearch.ask(f"/{index}/_refresh", method="POST")
    (hit,) = elasticsearch.ask(f"/{index}/_search")["hits"]["hits"]
    elasticsearch.ask(f"/{index}", method="DELETE")
    assert hit["_source"]["correlation_id"] == entry.correlation_id


def test_an_entry_comes_to_kafka(config, entry, tmp_path, kafka):
    topic = uuid.uuid4().hex

    come_to(
        config,
        entry,
        tmp_path,
        log_destination_type="kafka",
        kafka_bootstrap_servers=kafka.address,
        kafka_topic=topic,
    )

    (message,) = kafka.read(topic, 1)
    fields = json.loads(message.value())
    assert LogEntry(**{**fields, "timestamp": datetime.fromisoformat(fields["timestamp"])}) == entry
    assert message.key() == entry.correlation_id.encode()


def test_an_entry_comes_to_convex(config, entry, tmp_path):
    asked = []

    def keep(handler, body):
        asked.append((handler.path, handler.headers, json.loads(body)["log"]))
        reply(handler, b"{}")

    with web_server(keep) as address:
        come_to(
            config,
            entry,
            tmp_path,
            log_destination_type="convex",
            convex_endpoint_url=f"{address}/logs/ingest",
            convex_api_key="correct-horse",
        )

    ((path, headers, log),) = asked
    assert (path, headers["Authorization"], headers["User-Agent"]) == (
        "/logs/ingest",
        "Bearer correct-horse",
        "MCP-Server/shop",
    )
    assert (log["correlationId"], log["toolName"], log["serverVersion"]) == (
        entry.correlation_id,
        entry.tool_name,
        "unknown",
    )


def test_a_server_that_is_away_stops_no_write_and_loses_nothing(config, entry, tmp_path):
    """The address is nobody's: 1,000 entries are taken, and stand in the spool."""
    nobody = "postgresql://127.0.0.1:1/nobody"

    async def program():
        destination = create_log_destination(
            config(enable_production_logging=True, log_destination_type="postgres", postgres_dsn=nobody),
            folder=tmp_path / "spool",
        )
        for _ in range(1_000):
            await destination.write(entry)
        assert not await destination.flush(0.01)
        destination.use(
            {name: one for name, one in destination.destinations.items() if name == "local"}, deadline_s=0
        )
        assert await destination.flush(SOON_S)
        kept = await destination.query(limit=2_000)
        dropped = destination.dropped
        await destination.close()
        return kept, dropped

    kept, dropped = asyncio.run(program())

    assert (len(kept), dropped) == (1_000, {})


def test_the_settings_of_retries_are_those_of_a_wrapper(config):
    settings = config(log_retry_attempts=3, log_retry_delay_ms=100)

    wrapper = RetryWrapper(NoDestination(), settings.log_retry_attempts, settings.log_retry_delay_ms)

    assert (wrapper.max_attempts, wrapper.retry_delay_ms) == (3, 100)
