"""The commands that are no tools, in the order in which help shows them."""

from __future__ import annotations

from collections.abc import Mapping

from logpith.cli.following import SHIP, TAIL
from logpith.cli.keeping import EXPLAIN, INGEST, RETENTION, SNAPSHOT, STORE
from logpith.cli.making import CLIENT_CONFIG, NEW, SKILL
from logpith.cli.serving import DEMO, MCP, SERVE
from logpith.cli.trying import CHECK, CONFIG, PARSE, PIPELINE
from logpith.cli.words import Command

COMMANDS: Mapping[str, Command] = {
    command.name: command
    for command in (
        DEMO,
        TAIL,
        SHIP,
        NEW,
        MCP,
        SERVE,
        CLIENT_CONFIG,
        SKILL,
        CHECK,
        CONFIG,
        PIPELINE,
        INGEST,
        RETENTION,
        SNAPSHOT,
        EXPLAIN,
        STORE,
        PARSE,
    )
}
