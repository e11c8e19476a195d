"""Commands that go on with what comes: `tail` shows it, `ship` brings it to destinations."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from logpith.cli.asked import opened_desk
from logpith.cli.waiting import is_piped_into
from logpith.cli.words import FOUND, NO_COLOR, NOTHING, Command, Option, Parsed, refuse_words
from logpith_emit.errors import BadArgument, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from logpith.answer import Evidence


def _tail(parsed: Parsed) -> int:
    from logpith.component import Argument, problem_with, read_text
    from logpith.corpus.selection import check_filter
    from logpith.files.roots import Roots
    from logpith.files.text import TextFile
    from logpith.quote import Quoter
    from logpith.spooled import are_soon_asked, last_spooled, spool_folders, spooled, wanted_by
    from logpith.tail import (
        Followed,
        FollowedFile,
        FollowedSpools,
        as_json,
        as_line,
        follow,
        last_records,
        wait_for_files,
    )
    from logpith.timerange import now_ns
    from logpith_emit.emitter import default_folder

    count = read_text(Argument(name="lines", kind=int), parsed.options.get("lines", "10"))
    if problem := problem_with(Argument(name="lines", kind=int, minimum=0, maximum=100_000), count):
        raise BadArgument(f"--lines {problem}", remedy="Try --lines 10")
    query = parsed.options.get("query", "")
    check_filter(query, "", "")
    colour = sys.stdout.isatty() and "no-color" not in parsed.options and not os.environ.get("NO_COLOR")
    follows = "follow" in parsed.options
    words: Sequence[str] = parsed.words
    if words and follows:
        wait_for_files(words, lambda said: print(f"logpith: {said}", file=sys.stderr))
    is_about_programs = not words and (follows or not is_piped_into())
    folders = [default_folder()] if is_about_programs else spool_folders(words)
    # Before the files are read: what is said meanwhile is rather shown twice than never.
    files: list[Followed] = [FollowedSpools(folder) for folder in folders] if follows else []
    spools = [path for folder in folders for path in spooled(folder)]
    several = False
    if is_about_programs and not spools:
        _tell_of_no_spool(folders[0], follows=follows)
    elif spools:
        words = [str(path) for path in spools]
    if folders and are_soon_asked(spools, query):
        quoter = Quoter()
        found = last_spooled(spools, wanted_by(query, now_ns()), int(str(count)))
        records = [record.shown(quoter) for record in found]
    else:
        with opened_desk() as desk:
            corpus = desk.open(words)
            records = last_records(corpus, query, int(str(count)))
            files += [
                FollowedFile.at_end(source.text.path, Roots(), source.text.identity.size_bytes)
                for source in corpus.sources
                if follows and isinstance(source.text, TextFile) and source.text.seekable
            ]
            several = len(corpus.sources) > 1 and not folders

    def show(record: Evidence) -> None:
        text = (
            as_json(record)
            if "json" in parsed.options
            else as_line(record, with_source=several, colour=colour)
        )
        print(text, flush=follows)

    for record in records:
        show(record)
    if follows and not files:
        raise BadArgument(
            "none of these can be followed", remedy="Name a file that is neither packed nor a pipe"
        )
    for shown in follow(files, query) if follows else ():
        if shown.said:
            sys.stderr.write(f"logpith: {shown.said}\n")
        if shown.record:
            show(shown.record)
    return FOUND if records else NOTHING


def _tell_of_no_spool(folder: Path, *, follows: bool) -> None:
    """Says that no program is waited for, or raises what to do where nobody waits."""
    from logpith.spooled import was_brought

    if follows:
        sys.stderr.write(
            "logpith: nothing is spooled by logpith-emit yet; it is shown as soon as a program logs\n"
        )
        return
    if was_brought(folder):
        raise NotFound(
            "there is nothing to read: all that programs have logged by logpith-emit was brought to its destinations",
            remedy="Ask there, or write logpith tail PATH…",
        )
    raise BadArgument(
        "there is nothing to read: no path is named, and no program has logged by logpith-emit",
        remedy="Write logpith tail PATH…",
    )


TAIL = Command(
    name="tail",
    summary="The last records of some logs, and with -f those that come.",
    usage="logpith tail [-f] [options] [PATH…]",
    doc="Prints the last records, secrets redacted, and goes on with new ones as they are written. Notices "
    "when a file is rotated or truncated, and waits for one in a folder that holds none. Without a path, what "
    "your programs have logged by logpith-emit and was not brought elsewhere.",
    options=(
        Option(name="follow", letter="f", doc="Go on with what is written from now on."),
        Option(name="lines", letter="n", value="N", doc="How many records to begin with (default: 10)."),
        Option(name="query", letter="q", value="TEXT", doc="Only records that match this query."),
        Option(name="json", doc="Print each record as a line of JSON."),
        NO_COLOR,
    ),
    examples=(
        "logpith tail -f app.log",
        "logpith tail -f -q 'level>=warn' logs/*.log",
        "logpith tail -n 100",
    ),
    run=_tail,
)


def _ship(parsed: Parsed) -> int:
    from logpith_emit.command import main as emit  # only this command needs it

    refuse_words(parsed, "logpith ship --help")
    told = [f"--{name}={value}" for name, value in parsed.options.items() if name != "once"]
    return emit(["ship", *(["--once"] if "once" in parsed.options else []), *told])


SHIP = Command(
    name="ship",
    summary="Bring what programs said by logpith-emit to its destinations.",
    usage="logpith ship [options]",
    doc="Programs that log by logpith-emit bring their records to destinations by themselves. What they could "
    "not bring before they ended waits in the spool; this brings it, and what comes. Settings are those of "
    "the programs. The same as logpith-emit ship, whose exit code 1 says that something waits; logpith-emit "
    "status tells how that goes.",
    options=(
        Option(name="once", doc="End when all is delivered that is there."),
        Option(name="timeout", value="S", doc="How long --once may take (default: 60)."),
        Option(
            name="wait",
            value="S",
            doc="How long --once waits for destinations that are not there (default: 10).",
        ),
        Option(name="folder", value="D", doc="One spool (default: those of all services of this user)."),
        Option(
            name="settings",
            value="FILE",
            doc="Settings of TOML (default: what LOGPITH_EMIT_SETTINGS names).",
        ),
    ),
    examples=("logpith ship --once", "logpith ship --settings emit.toml"),
    run=_ship,
)
