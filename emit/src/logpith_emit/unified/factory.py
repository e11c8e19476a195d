"""From the settings of a server to where its entries go."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from logpith_emit.emitter import EmitSettings
from logpith_emit.errors import BadArgument
from logpith_emit.unified.config import ServerConfig
from logpith_emit.unified.face import LogDestination, NoDestination, SpooledDestination

LOCAL, PRODUCTION = "local", "production"


def create_log_destination(config: ServerConfig, *, folder: Path | None = None) -> LogDestination:
    """Where entries go by these settings: one destination or two, behind one spool, in `folder` if it is named. With
    none at all they go nowhere, which is said; the program need not stop for that.

    Raises:
        BadArgument: a setting is missing or wrong; says which.
    """
    destinations = destinations_of(config)
    if not destinations:
        with suppress(OSError, AttributeError):
            sys.stderr.write(
                "logpith-emit: no destination is enabled, so nothing is kept; "
                "set ENABLE_LOCAL_LOGGING or ENABLE_PRODUCTION_LOGGING to true\n"
            )
        return NoDestination()
    return SpooledDestination(
        EmitSettings(
            service=config.name, level=config.log_level.lower(), folder=folder, destinations=destinations
        )
    )


def switch_destinations(destination: LogDestination, config: ServerConfig) -> None:
    """Switches destinations on and off while the program runs, as other settings say. One that is switched off gets the
    rest when it is on again; its records wait in the spool.

    Raises:
        BadArgument: a setting is missing or wrong, or it began with none; all stays as it was.
    """
    if not isinstance(destination, SpooledDestination):
        raise BadArgument(
            "Its destinations cannot be switched", remedy="Start it with at least one that is enabled"
        )
    destination.use(destinations_of(config))


def destinations_of(config: ServerConfig) -> dict[str, Mapping[str, object]]:
    """The tables of the destinations that are enabled.

    Raises:
        BadArgument: what one of them needs is not said.
    """
    found: dict[str, Mapping[str, object]] = {}
    if config.enable_local_logging:
        found[LOCAL] = _sqlite(config)
    is_the_same = LOCAL in found and config.log_destination_type == "sqlite"
    if config.enable_production_logging and not is_the_same:
        made = _PRODUCTION.get(config.log_destination_type)
        if made is None:
            raise BadArgument(
                f"log_destination_type: {config.log_destination_type!r} is none",
                remedy=f"Write one of {', '.join(_PRODUCTION)}",
            )
        first_retry_s = max(config.log_retry_delay_ms, 1) / 1_000
        found[PRODUCTION] = {"first_retry_s": first_retry_s, **made(config)}
    return found


def _sqlite(config: ServerConfig) -> Mapping[str, object]:
    path = {} if config.sqlite_path is None else {"path": str(config.sqlite_path)}
    return {"type": "sqlite", "retention_days": config.log_retention_days, **path}


def _kafka(config: ServerConfig) -> Mapping[str, object]:
    servers = config.kafka_bootstrap_servers or "localhost:9092"
    return {"type": "kafka", "bootstrap_servers": servers, "topic": config.kafka_topic}


def _elasticsearch(config: ServerConfig) -> Mapping[str, object]:
    hosts = config.elasticsearch_hosts or "localhost:9200"
    return {"type": "elasticsearch", "hosts": hosts, "index_prefix": config.elasticsearch_index_prefix}


def _postgres(config: ServerConfig) -> Mapping[str, object]:
    dsn = {} if config.postgres_dsn is None else {"dsn": config.postgres_dsn.reveal()}
    return {
        "type": "postgres",
        "table": config.postgres_table,
        "pool_min_size": config.postgres_pool_min_size,
        "pool_max_size": config.postgres_pool_max_size,
        "timeout_s": config.postgres_timeout_seconds,
        **dsn,
    }


def _convex(config: ServerConfig) -> Mapping[str, object]:
    if not config.convex_endpoint_url:
        raise BadArgument(
            "convex_endpoint_url is required",
            remedy="Set CONVEX_ENDPOINT_URL to the address of your HTTP action",
        )
    return {
        "type": "convex",
        "endpoint_url": config.convex_endpoint_url,
        "api_key": config.convex_api_key.reveal() if config.convex_api_key else "",
        "timeout_s": config.convex_timeout_seconds,
        "server_name": config.name,
        "server_version": config.version,
    }


_PRODUCTION = {
    "sqlite": _sqlite,
    "kafka": _kafka,
    "elasticsearch": _elasticsearch,
    "postgres": _postgres,
    "convex": _convex,
}
