"""Unified logging: names that servers of MCP were written against, over spool and destinations.

    config = ServerConfig.from_environment()                 ENABLE_LOCAL_LOGGING, LOG_DESTINATION_TYPE, KAFKA_TOPIC, …
    destination = create_log_destination(config)
    UnifiedLogger.initialize(destination)                    Loguru and the standard library's logging come there

    await destination.write(entry)                           returns at once: the entry is in the spool
    await destination.query(tool_name="place_call", limit=20)
    await destination.close()

config.py    what a server's settings are, and where each was said
face.py      a destination with async write, query, flush and close: ours, and wrappers around anybody's
factory.py   settings → destination
logger.py    what a program says → entries
"""

from logpith_emit.entry import LogEntry
from logpith_emit.unified.config import ServerConfig
from logpith_emit.unified.face import CompositeDestination, LogDestination, RetryWrapper, SpooledDestination
from logpith_emit.unified.factory import create_log_destination, switch_destinations
from logpith_emit.unified.logger import UnifiedLogger

__all__ = [
    "CompositeDestination",
    "LogDestination",
    "LogEntry",
    "RetryWrapper",
    "ServerConfig",
    "SpooledDestination",
    "UnifiedLogger",
    "create_log_destination",
    "switch_destinations",
]
