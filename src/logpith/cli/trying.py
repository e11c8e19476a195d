"""Commands by which one tries what one has set up: settings, stages and formats. They keep nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from logpith.cli.words import (
    CONFIG_FILE,
    DATA_DIR,
    FOUND,
    JSON,
    NOTHING,
    Command,
    Option,
    Parsed,
    refuse_words,
    require_word,
    settings_found,
)
from logpith_emit.errors import BadArgument


def _check(parsed: Parsed) -> int:
    from logpith.checking import as_json, as_text, check_settings  # brings the scan
    from logpith.timerange import now_ns

    refuse_words(parsed, "Write logpith check --config {}")
    named = parsed.options.get("config")
    findings = list(
        check_settings(
            named,
            environment=os.environ,
            folder=Path.cwd(),
            now_ns=now_ns(),
            is_secured="tls-cert" in parsed.options or "insecure-listen" in parsed.options,
        )
    )
    print(as_json(findings) if "json" in parsed.options else as_text(findings))
    return FOUND if all(finding.is_ok for finding in findings) else NOTHING


CHECK = Command(
    name="check",
    summary="Are the settings what they should be: each source, stage, token and the store's folder.",
    usage="logpith check [options]",
    doc="Reads the settings, opens each stage, and reads each source up to its first records, which are not "
    "kept. The exit code is 1 when something is not as it should be; what to do stands below it.",
    options=(
        CONFIG_FILE,
        Option(name="tls-cert", value="FILE", doc="The server is started with it: see `logpith serve`."),
        Option(name="insecure-listen", doc="The server is started with it: see `logpith serve`."),
        JSON,
    ),
    examples=("logpith check", "logpith check --config logpith.toml --json"),
    run=_check,
)


def _config(parsed: Parsed) -> int:
    require_word(parsed, ("show",), "config")
    import json

    from logpith.settings import DATA_VARIABLE
    from logpith.settings_shown import (  # brings the scan
        as_toml,
        find_origins,
        shown_servers,
        shown_settings,
    )

    form = parsed.options.get("format", "json" if "json" in parsed.options else "toml")
    if form not in ("toml", "json"):
        raise BadArgument(f"there is no format '{form}'", remedy="Write --format toml or --format json")
    found = settings_found(parsed.options)
    for warning in found.warnings:
        sys.stderr.write(f"logpith: {warning}\n")
    options = {DATA_VARIABLE: "--data-dir"} if "data-dir" in parsed.options else {}
    origins = find_origins(found, options) if "sources" in parsed.options else None
    try:
        servers = shown_servers(os.environ) if origins is not None else {}
    except BadArgument as error:  # which is said where a server starts, too, and stops nothing here
        sys.stderr.write(f"logpith: {error}\n")
        servers = {}
    if form == "toml":
        print(as_toml(found, origins), end="")
        if servers:
            print("\n# Of servers that log by logpith_emit, as `logpith-emit config` shows them:")
        for name, (value, source) in servers.items():
            print(f"# {name} = {json.dumps(value, ensure_ascii=False)}  # {source}")
        return FOUND
    told = {"file": str(found.path) if found.path else None, "settings": shown_settings(found)}
    sourced: dict[str, object] = {} if origins is None else {"sources": origins}
    if servers:
        sourced["servers"] = {
            name: {"value": value, "source": source} for name, (value, source) in servers.items()
        }
    print(json.dumps(told | sourced, default=str))
    return FOUND


CONFIG = Command(
    name="config",
    summary="The settings that count here, and where each of them was said.",
    usage="logpith config show [options]",
    doc="Prints all settings as TOML, with the defaults that count where nothing is said, and secrets as ***; "
    "what sources and stages are told by ${VAR} counts as secret. With --sources each has a comment: the line "
    "of the file, the variable of the environment, the option, or `default`. The file is the first of: "
    "--config, $LOGPITH_CONFIG, logpith.toml here, [tool.logpith] in pyproject.toml here, config.toml in the "
    "folder of settings; LOGPITH_STORE_RETENTION=7d outranks `retention` in its [store]. Where variables say "
    "how servers log by logpith_emit (KAFKA_TOPIC and the like), --sources shows those below.",
    options=(
        Option(name="sources", doc="Where each was said."),
        Option(name="format", value="toml|json", doc="How it is printed (default: toml)."),
        CONFIG_FILE,
        DATA_DIR,
        Option(name="json", doc="As --format json."),
    ),
    examples=(
        "logpith config show",
        "logpith config show --sources",
        "LOGPITH_STORE_RETENTION=7d logpith config show --sources --format json",
    ),
    run=_config,
)


def _run_pipeline(parsed: Parsed) -> int:
    if parsed.words[:1] != ("test",) or len(parsed.words) != 2:
        raise BadArgument("one file of sample lines is wanted", remedy="Write logpith pipeline test FILE")
    from logpith.pipeline import stages_of  # brings the scan
    from logpith.quote import Quoter
    from logpith.rehearsal import as_json, as_text, read_sample, rehearse
    from logpith.timerange import now_ns

    found = settings_found(parsed.options)
    sample = read_sample(Path(parsed.words[1]), now_ns(), parsed.options.get("service", ""))
    rehearsal = rehearse(sample, stages_of(found.settings), Quoter())
    print(as_json(rehearsal) if "json" in parsed.options else "\n".join(as_text(rehearsal)))
    return FOUND if rehearsal.journeys else NOTHING


PIPELINE = Command(
    name="pipeline",
    summary="What the stages of the settings do to the records of a file.",
    usage="logpith pipeline test FILE",
    doc="Takes the first records of a file through all stages, redaction and validation included, and shows "
    "what each of them changes, drops or sends to the dead letters, and what would be stored. Nothing is kept.",
    options=(
        CONFIG_FILE,
        Option(name="service", value="NAME", doc="The service of records that name none."),
        JSON,
    ),
    examples=("logpith pipeline test sample.log", "logpith pipeline test sample.log --json"),
    run=_run_pipeline,
)


def _run_parse(parsed: Parsed) -> int:
    if parsed.words[:1] != ("test",) or len(parsed.words) != 2:
        raise BadArgument("one file of sample lines is wanted", remedy="Write logpith parse test FILE")
    from logpith.parsing import describe, read_sample  # brings the scan
    from logpith.quote import Quoter

    sample = read_sample(Path(parsed.words[1]))
    if sample is None:
        return NOTHING
    print("\n".join(describe(sample, Quoter())))
    return NOTHING if sample.unmatched else FOUND


PARSE = Command(
    name="parse",
    summary="What is read of the lines of a file, and which fit no format.",
    usage="logpith parse test FILE",
    doc="Shows of each sample line its format, time, level, service, body and fields, and then the lines "
    "that fit no format; the exit code is 1 when there are such. Formats of your own stand in the TOML "
    "file that $LOGPITH_FORMATS names, or in formats.toml in the folder of settings: [[format]] with a "
    "name, and a regex with named groups, (?P<level>\\w+), or grok, %{LOGLEVEL:level}. Groups named time, "
    "level, service and message are what these are for every record.",
    options=(),
    examples=(
        "logpith parse test sample.log",
        "LOGPITH_FORMATS=own.toml logpith parse test sample.log",
    ),
    run=_run_parse,
)
