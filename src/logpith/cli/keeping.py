"""Commands about the store: what is put into it, what goes, its copies, its segments, and what a query reads of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from logpith.cli.waiting import progress_line
from logpith.cli.words import (
    CONFIG_FILE,
    DATA_DIR,
    FOUND,
    JSON,
    NOTHING,
    Command,
    Option,
    Parsed,
    require_word,
    settings_found,
)
from logpith_emit.errors import BadArgument

if TYPE_CHECKING:
    from logpith.sending import Server
    from logpith.settings import Settings
    from logpith.upkeep import Report


def _ingest(parsed: Parsed) -> int:
    if not parsed.words:
        raise BadArgument("there is nothing to read", remedy="Write logpith ingest PATH…")
    options = parsed.options
    with progress_line() as progress:
        from logpith.timerange import now_ns
        from logpith.upkeep import report_ingested, report_restaged  # brings the scan

        found = settings_found(parsed.options)
        if "again" in options:
            return _show_report(report_restaged(found, parsed.words, now_ns(), progress=progress), parsed)
        report = report_ingested(
            found,
            parsed.words,
            now_ns(),
            service=options.get("service", ""),
            retention=options.get("retention"),
            progress=progress,
            server=lambda: _server_here(found.settings, options),
        )
    return _show_report(report, parsed)


def _server_here(settings: Settings, options: Mapping[str, str]) -> Server:
    """The server that has the store open."""
    from logpith.config import data_dir  # only beside a server
    from logpith.server.here import server_here

    data = Path(options["data-dir"]) if "data-dir" in options else data_dir()
    return server_here(settings, data, options.get("server"))


INGEST = Command(
    name="ingest",
    summary="Put files into the store, each record once; all of it is durable when this returns.",
    usage="logpith ingest PATH…",
    doc="Files, folders and globs, packed or not, and archives, go through the stages of the settings "
    "(secrets are redacted) into the store. On the same files it stores only what was appended since, also "
    "when they were rotated or packed meanwhile. Where a server has the store open, it is asked to do it.",
    options=(
        Option(
            name="service",
            value="NAME",
            doc="The service of records that name none; {name} and {folder} are those of the file.",
        ),
        Option(
            name="retention",
            value="SPAN",
            doc="Then let go of what is older than this, and of what the settings' limits say: 30d.",
        ),
        Option(
            name="server",
            value="URL",
            doc="Where the server is that has the store open (default: what it has told in the data folder).",
        ),
        Option(
            name="again",
            doc="Instead, take what is stored of these sources through the stages once more, as the settings "
            "say now; no file is read. A source is named as in the settings, or by the path of its file.",
        ),
        CONFIG_FILE,
        DATA_DIR,
        JSON,
    ),
    examples=(
        "logpith ingest /var/log/app",
        "logpith ingest --service gateway 'old/*.log.gz'",
        "logpith ingest --again gateway   # after a stage was added",
    ),
    run=_ingest,
)


def _retention(parsed: Parsed) -> int:
    require_word(parsed, ("plan", "apply"), "retention")
    from logpith.timerange import now_ns
    from logpith.upkeep import report_retention  # brings the scan

    store = settings_found(parsed.options).settings.store
    return _show_report(report_retention(store, now_ns(), apply=parsed.words[0] == "apply"), parsed)


RETENTION = Command(
    name="retention",
    summary="What goes from the store now and next, for its age, for room, and by which class.",
    usage="logpith retention plan|apply",
    doc="`plan` shows which segments would go now, and why, then the next ones; nothing is done. A running "
    "server does it by itself; `apply` does it once where none runs.",
    options=(CONFIG_FILE, DATA_DIR, JSON),
    examples=("logpith retention plan", "logpith retention plan --json"),
    run=_retention,
)


def _snapshot(parsed: Parsed) -> int:
    doing = require_word(parsed, ("create", "list", "verify", "restore"), "snapshot", names=1)
    from logpith.timerange import now_ns
    from logpith.upkeep import (  # brings the scan
        report_created,
        report_restored,
        report_snapshots,
        report_verified,
    )

    found = settings_found(parsed.options)
    store, options = found.settings.store, parsed.options
    name = parsed.words[1] if len(parsed.words) > 1 else ""
    place = options.get("to") or options.get("from")
    if doing == "list":
        return _show_report(report_snapshots(store, place), parsed)
    if doing != "create" and not name:
        raise BadArgument(f"name the snapshot to {doing}", remedy="logpith snapshot list shows their names")
    with progress_line() as progress:
        if doing == "create":
            report = report_created(found, name or None, place, now_ns(), progress)
        elif doing == "verify":
            report = report_verified(store, name, place, progress)
        else:
            into = Path(options["into"]) if "into" in options else None
            skips = "skip-damaged" in options
            report = report_restored(store, name, place, into, skip_damaged=skips, progress=progress)
    return _show_report(report, parsed)


SNAPSHOT = Command(
    name="snapshot",
    summary="Copy the store elsewhere as it is now, verify such copies, and restore one.",
    usage="logpith snapshot create|list|verify|restore [NAME]",
    doc="`create` copies what is not there yet, also while a server writes the store, and names it all NAME "
    "(default: the time). `verify` reads every byte of a snapshot; `restore` makes a store of one, where "
    "none is. Settings go along, without secrets.",
    options=(
        Option(
            name="to",
            value="PLACE",
            doc="With `create`: a folder, or s3://bucket/folder (default: beside the store).",
        ),
        Option(
            name="from",
            value="PLACE",
            doc="With the others: where the snapshot is (default: as above).",
        ),
        Option(
            name="into",
            value="DIR",
            doc="With `restore`: the data folder to restore into (default: that of the settings).",
        ),
        Option(
            name="skip-damaged",
            doc="With `restore`: leave out segments that cannot be read, and say so.",
        ),
        CONFIG_FILE,
        DATA_DIR,
        JSON,
    ),
    examples=(
        "logpith snapshot create before-upgrade",
        "logpith snapshot create --to s3://backups/logs?region=eu-central-1",
        "logpith snapshot restore before-upgrade --into ./restored",
    ),
    run=_snapshot,
)


def _explain(parsed: Parsed) -> int:
    queries = (*parsed.words, *parsed.lists.get("query", ()))
    if len(queries) != 1:
        raise BadArgument("give one query", remedy="logpith explain 'level>=error AND quota'")
    from logpith.timerange import now_ns
    from logpith.upkeep import report_plan  # brings the scan

    store = settings_found(parsed.options).settings.store
    since, until = parsed.options.get("since", ""), parsed.options.get("until", "")
    return _show_report(report_plan(store, queries[0], since, until, now_ns()), parsed)


EXPLAIN = Command(
    name="explain",
    summary="What a query would read of the store, and what it leaves out.",
    usage="logpith explain QUERY [options]",
    doc="Tells for each segment whether it is left out, counted without being read, or read, and how many "
    "of its blocks. Nothing is collected first.",
    options=(
        Option(name="query", letter="q", value="TEXT", doc="The same as QUERY."),
        Option(name="since", value="TIME", doc="Only records from then on: 10m, 2026-11-20T13:00."),
        Option(name="until", value="TIME", doc="Only records before then."),
        CONFIG_FILE,
        DATA_DIR,
        JSON,
    ),
    examples=("logpith explain 'level>=error AND quota' --since 1d",),
    run=_explain,
)


def _store(parsed: Parsed) -> int:
    require_word(parsed, ("segments", "check"), "store")
    from logpith.timerange import now_ns
    from logpith.upkeep import report_check, report_segments  # brings the scan

    store = settings_found(parsed.options).settings.store
    if parsed.words[0] == "segments":
        return _show_report(report_segments(store), parsed)
    return _show_report(report_check(store, now_ns(), repair="repair" in parsed.options), parsed)


STORE = Command(
    name="store",
    summary="The segments of the store, and whether every byte is what it should be.",
    usage="logpith store segments|check [--repair]",
    doc="`segments` lists them by day and class. `check` reads all of the store; the exit code is 1 when "
    "something is damaged or missing. With --repair what is damaged is put aside, into the folder `damaged`, "
    "and a lost manifest is made anew; the server must not run then.",
    options=(
        Option(name="repair", doc="With `check`: make a store of all that is good."),
        CONFIG_FILE,
        DATA_DIR,
        JSON,
    ),
    examples=("logpith store segments", "logpith store check --json"),
    run=_store,
)


def _show_report(report: Report, parsed: Parsed) -> int:
    from logpith.upkeep import as_json

    print(as_json(report) if "json" in parsed.options else report.text)
    return FOUND if report.is_good else NOTHING
