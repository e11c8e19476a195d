"""Commands that serve: the tools to an agent, everything over HTTP, and a made-up day to whoever wants to see it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from logpith.cli.arguments import tools_by_command
from logpith.cli.questions import run_tool
from logpith.cli.words import (
    CONFIG_FILE,
    DATA_DIR,
    NO_COLOR,
    Command,
    Option,
    Parsed,
    own_settings,
    refuse_words,
)
from logpith_emit.errors import BadArgument, LogpithError

if TYPE_CHECKING:
    from logpith.settings import Settings

_LISTENING = (
    Option(name="listen", value="HOST:PORT", doc="Where to serve (default: 127.0.0.1:8850)."),
    Option(
        name="token",
        value="TOKEN",
        doc="A token that may do everything; LOGPITH_TOKEN tells it without showing it to others.",
    ),
    Option(name="no-token", doc="Serve everybody on this machine, without tokens."),
)
"""What `serve` and `demo --serve` understand."""


def _run_demo(parsed: Parsed) -> int:
    from logpith.tour import run_demo

    refuse_words(parsed, "Write logpith demo --dir {}")
    if "serve" in parsed.options:
        from logpith.server.serve import DEMO_LINES, ServeOptions, serve  # brings the server
        from logpith.tour import day_of, folder_for

        folder = folder_for(parsed.options.get("dir"))
        day = day_of({"lines": DEMO_LINES, **parsed.options})
        return serve(replace(ServeOptions.of(parsed.options), data_dir=str(folder)), play=day)
    plain = ["--no-color"] if "no-color" in parsed.options else []
    return run_demo(parsed.options, lambda words: _run_step([*words, *plain]))


def _run_step(words: list[str]) -> int:
    """One step of the tour: a tool's command, or a path alone, which is its overview."""
    tools = tools_by_command()
    if words[0] in tools:
        return run_tool(tools[words[0]], words[1:])
    return run_tool(tools["overview"], words)


def _incident_names() -> Iterable[str]:
    from logpith.demo.incidents import names  # only the demo's help needs them

    return names()


DEMO = Command(
    name="demo",
    summary="A made-up day of logs, and a tour of the tools on it.",
    usage="logpith demo [options]",
    doc="Writes a day of logs of a voice-call product in which something goes wrong, and shows on it "
    "what the tools are for. The same seed gives the same day.",
    options=(
        Option(name="lines", value="N", doc="How many lines to write (default: 20000)."),
        Option(name="seed", value="S", doc="Another number makes another day (default: 7)."),
        Option(
            name="incident",
            value="NAME",
            doc="What goes wrong (default: quota).",
            choices=_incident_names,
        ),
        Option(name="end", value="TIME", doc="When the day ends (default: now)."),
        Option(name="dir", value="D", doc="Where to write it, to stay (default: a temporary folder)."),
        Option(name="no-tour", doc="Only write the logs."),
        Option(
            name="truth",
            value="FILE",
            doc="Write to FILE, as JSON, what was planted and where: the cause, which the logs do not name.",
        ),
        Option(
            name="serve",
            doc="Instead, play the day up to now as live services, and serve it as `logpith serve` does.",
        ),
        *_LISTENING,
        NO_COLOR,
    ),
    examples=(
        "logpith demo",
        "logpith demo --incident dns",
        "logpith demo --dir ./day --lines 1000000 --no-tour",
        "logpith demo --serve",
    ),
    run=_run_demo,
)


def _serve_mcp(parsed: Parsed) -> int:
    from logpith.server.mcp import TIME_LIMIT_S, serve_stdio  # brings the SDK

    refuse_words(parsed, "Write logpith mcp --root {}")
    from logpith.server.toolsets import (
        DEFAULT_TOOLSETS,
        STORED_TOOLSETS,
        TOOLSETS_VARIABLE,
        choose_tools,
    )

    options = parsed.options
    if "tools" in options and "toolsets" in options:
        raise BadArgument("--tools and --toolsets exclude each other", remedy="Give one of them")
    settings = _settings_for_agents(options)
    default = DEFAULT_TOOLSETS if settings is None else STORED_TOOLSETS
    toolsets = options.get("toolsets") or os.environ.get(TOOLSETS_VARIABLE) or default
    offered = choose_tools(toolsets, options.get("tools", ""))
    limit_s = _seconds("time-limit", options["time-limit"]) if "time-limit" in options else TIME_LIMIT_S
    roots = parsed.lists.get("root", (".",))
    return serve_stdio(roots, offered, time_limit_s=limit_s or None, settings=settings)


def _settings_for_agents(options: Mapping[str, str]) -> Settings | None:
    """The settings whose logs an agent may ask; None where they name none and nothing was collected."""
    is_told = "config" in options or "data-dir" in options
    try:
        settings = own_settings(options)
    except LogpithError as error:
        if is_told:
            raise
        # Files can be asked all the same, and a host shows nothing of a server that does not start.
        sys.stderr.write(f"logpith: what is collected cannot be asked: {error}\n")
        return None
    return settings if settings.have_logs or is_told else None


def _seconds(name: str, text: str) -> float:
    """Seconds as typed; 0 is none."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text):
        raise BadArgument(f"--{name} must be a number of seconds, not {text!r}", remedy=f"Try --{name} 25")
    return float(text)


MCP = Command(
    name="mcp",
    summary="Serve the tools to an agent, over MCP on standard input and output.",
    usage="logpith mcp [--root DIR]… [options]",
    doc="An agent's program starts this and speaks with it. It reads files under these folders only. Where "
    "settings name sources, or something was collected, questions that name no files are about that.",
    options=(
        Option(name="root", value="DIR", doc="A folder to read (default: the working directory)."),
        Option(
            name="time-limit",
            value="S",
            doc="Seconds after which a question stops reading and answers with what it has; asking again "
            "goes on; 0 is no limit (default: 25, since hosts give up at 30).",
        ),
        Option(
            name="toolsets",
            value="A,B",
            doc="Offer these toolsets (default: LOGPITH_TOOLSETS, or core, and aggregate where something "
            "is collected).",
        ),
        Option(name="tools", value="A,B", doc="Offer exactly these tools."),
        CONFIG_FILE,
        DATA_DIR,
    ),
    examples=(
        "logpith mcp --root ./logs",
        "logpith mcp --root /var/log --tools overview,grep,fetch",
        "claude mcp add logpith -- logpith mcp --root /var/log",
    ),
    run=_serve_mcp,
)


def _serve(parsed: Parsed) -> int:
    from logpith.server.serve import ServeOptions, serve  # brings the server

    refuse_words(parsed, "logpith serve --help")
    return serve(ServeOptions.of(parsed.options))


SERVE = Command(
    name="serve",
    summary="Take records and answer questions over HTTP: MCP, JSON, live tail, metrics.",
    usage="logpith serve [options]",
    doc="Serves until it is told to end (SIGTERM, Ctrl+C). Listens on this machine only, and to those who "
    "have a token: one of the settings, of LOGPITH_TOKEN, or else one that is made at the first start and "
    "shown once.",
    options=(
        CONFIG_FILE,
        *_LISTENING,
        DATA_DIR,
        Option(
            name="retention",
            value="SPAN",
            doc="How long records are kept that no class names: 30d (default: what the settings say).",
        ),
        Option(
            name="name",
            value="NAME",
            doc="The server's own name: POST /NAME takes {tool, arguments} (default: logpith).",
        ),
        Option(name="toolsets", value="A,B", doc="Offer these toolsets (default: core,aggregate)."),
        Option(
            name="ship",
            value="FILE",
            doc="Also bring what programs have spooled to the destinations that FILE names, as `logpith ship "
            "--settings FILE` does.",
        ),
        Option(name="tls-cert", value="FILE", doc="Serve with TLS: the certificate, PEM."),
        Option(name="tls-key", value="FILE", doc="Its key."),
        Option(
            name="insecure-listen",
            doc="Listen beyond this machine without TLS, for networks where nobody else is.",
        ),
    ),
    examples=(
        "logpith serve",
        "logpith serve --config logpith.toml --data-dir /var/lib/logpith",
        "LOGPITH_TOKEN=$(openssl rand -hex 32) logpith serve --listen 127.0.0.1:9000",
    ),
    run=_serve,
)
