"""Commands that make something for other programs: a project, a host's settings, an agent's skill."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from logpith.cli.words import Command, Option, Parsed, refuse_words, show
from logpith_emit.errors import BadArgument


def _new(parsed: Parsed) -> int:
    from logpith.new.project import new_project  # only this command needs it
    from logpith.quote import show_hidden

    if len(parsed.words) > 1:
        raise BadArgument(f"{parsed.words[1]!r} is one word too many", remedy="Write logpith new FOLDER")
    folder = new_project(
        Path(parsed.words[0]) if parsed.words else None,
        answers=Path(parsed.options["answers"]) if "answers" in parsed.options else None,
        told=parsed.lists.get("set", ()),
        defaults="defaults" in parsed.options,
        is_terminal=sys.stdin is not None and sys.stdin.isatty(),
    )
    where = show_hidden(shlex.quote(str(folder)))
    return show(
        f"{where} is ready; its README.md tells how to go on:\n  cd {where} && pip install -e '.[test]'"
    )


NEW = Command(
    name="new",
    summary="Make a project: an MCP server whose tool calls are logged to destinations.",
    usage="logpith new [FOLDER] [options]",
    doc="Asks what the project is called and where its records go, and writes it into FOLDER, which is new or "
    "empty (default: one that is called as the project's package). Addresses and secrets among the answers go "
    "into its .env, which git does not see. pip install 'logpith[new]' brings what this needs.",
    options=(
        Option(
            name="answers",
            value="FILE",
            doc="Answers, in JSON, YAML or TOML: a project's .answers.json, or a cookiecutter.json, in which a "
            "list is a choice, and its first the default.",
        ),
        Option(name="set", value="NAME=VALUE", doc="One answer; may be given again."),
        Option(name="defaults", doc="Ask nothing: what is not answered has its default."),
    ),
    examples=(
        "logpith new",
        "logpith new ./billing --defaults --set production_log_destination=kafka",
        "logpith new --answers cookiecutter.json",
    ),
    run=_new,
)


def _print_client_config(parsed: Parsed) -> int:
    from logpith.quote import show_hidden
    from logpith.server.client_config import CLIENTS, client_config

    if len(parsed.words) != 1:
        raise BadArgument("name one host", remedy=f"Write logpith client-config {'|'.join(CLIENTS)}")
    snippet, place = client_config(
        parsed.words[0], parsed.lists.get("root", ()), parsed.options.get("name", "logpith")
    )
    # Beside the snippet, so that this can be sent into a file.
    sys.stderr.write(f"logpith: put this into {show_hidden(place)}\n")
    return show(snippet)


CLIENT_CONFIG = Command(
    name="client-config",
    summary="Print what an agent's host needs in its settings to start the server.",
    usage="logpith client-config claude-code|cursor|vscode|codex [--root DIR]… [--name NAME]",
    doc="Prints the snippet for the settings of an agent's host, and beside it where that belongs.",
    options=(
        Option(name="root", value="DIR", doc="A folder to read (default: the working directory)."),
        Option(name="name", value="NAME", doc="What the host calls the server (default: logpith)."),
    ),
    examples=(
        "logpith client-config cursor --root ./logs > .cursor/mcp.json",
        "logpith client-config codex --root /var/log",
    ),
    run=_print_client_config,
)


def _print_skill(parsed: Parsed) -> int:
    from importlib.resources import files

    refuse_words(parsed, "Write logpith skill > .claude/skills/logpith/SKILL.md")
    return show((files("logpith") / "skill" / "SKILL.md").read_text(encoding="utf-8").rstrip("\n"))


SKILL = Command(
    name="skill",
    summary="Print a skill that teaches an agent these commands, for hosts without MCP.",
    usage="logpith skill",
    doc="Prints a ready skill file for agents that run commands: it costs no tokens until it is needed.",
    options=(),
    examples=("mkdir -p .claude/skills/logpith", "logpith skill > .claude/skills/logpith/SKILL.md"),
    run=_print_skill,
)
