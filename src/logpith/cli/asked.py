"""What a command line asks: files that it names, what is piped in, or what was collected; and the desk for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logpith.cli.waiting import has_input, is_piped_into, progress_line
from logpith.cli.words import own_settings
from logpith_emit.errors import BadArgument

if TYPE_CHECKING:
    from logpith.collected import When
    from logpith.corpus.desk import Desk
    from logpith.settings import Settings
    from logpith.tools import Tool


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command line asks, where it names no files that are there."""

    settings: Settings | None = None
    """What was collected by these settings; None means files."""

    when: When = "stale"
    is_piped: bool = False
    """Whether standard input is read."""

    words: tuple[str, ...] = ()
    """The options that told so, to be repeated in command lines about the same."""


def what_is_asked(question: Tool, options: Mapping[str, str]) -> Asked | None:
    """What a question is about: files that it names, what is piped in, or else what was collected; None for nothing."""
    from logpith.corpus.refs import STORE_KEY  # `--version` does without

    refs: tuple[str, ...] = getattr(question, "refs", ())
    is_about_refs = bool(refs) and not any(f"@{STORE_KEY}" in ref for ref in refs)
    if is_about_refs or (question.sources and all(map(names_source, question.sources))):
        return Asked(is_piped=is_piped_into())
    words = tuple(
        word for name in ("config", "data-dir") if name in options for word in (f"--{name}", options[name])
    )
    is_told = bool(words) or "refresh" in options or "no-refresh" in options
    is_piped = not is_told and is_piped_into()
    if is_piped and not question.sources and not refs and has_input():
        return Asked(is_piped=True)
    settings = own_settings(options)
    if settings.have_logs or is_told:
        return Asked(settings=settings, when=_when(options), words=words)
    return Asked(is_piped=is_piped) if question.sources or refs or is_piped else None


def _when(options: Mapping[str, str]) -> When:
    if "refresh" in options and "no-refresh" in options:
        raise BadArgument("--refresh and --no-refresh exclude each other", remedy="Give one of them")
    return "now" if "refresh" in options else "never" if "no-refresh" in options else "stale"


def names_source(word: str) -> bool:
    """Whether a word can be meant as what is read: a file or folder that is there, a glob that has some, or `-`."""
    import glob  # only commands with a query as their first word ask

    try:
        if word == "-" or os.path.lexists(word):
            return True
        return glob.has_magic(word) and any(glob.iglob(word))  # noqa: PTH207 - Path.glob refuses absolute ones
    except (OSError, ValueError):  # a long query is no name of a file
        return False


@contextmanager
def opened_desk(asked: Asked | None = None) -> Iterator[Desk]:
    """A desk for who sits at this terminal, with a line on it that tells how long work goes on."""
    asked = asked or Asked(is_piped=is_piped_into())
    default_sources = ("-",) if asked.is_piped else ()
    with ExitStack() as until_done:
        progress = until_done.enter_context(progress_line())
        from logpith.corpus.desk import Desk  # under the progress line: this is what takes long

        files = Desk(progress=progress, default_sources=default_sources, may_read_stdin=True)
        if asked.settings is None:
            yield files
            return
        from logpith.collected import collected_desk

        yield collected_desk(asked.settings, when=asked.when, files=files, progress=progress)
