"""What an agent's host may read beside calling tools: the query language, and a record by its ref."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from logpith.answer import to_text
from logpith.app import ask
from logpith.server.query_syntax import query_syntax
from logpith.tools.fetch import FetchTool
from logpith_emit.errors import NotFound

if TYPE_CHECKING:
    from logpith.corpus.desk import Desk

QUERY_SYNTAX_URI = "logpith://query-syntax"
EVIDENCE_URI_TEMPLATE = "logpith://evidence/{ref}"

NEIGHBOURS = 3
"""Records shown before and after the one that was asked for."""

_EVIDENCE_PREFIX = EVIDENCE_URI_TEMPLATE.partition("{")[0]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A text that was read."""

    text: str
    mime_type: str
    fixed: bool
    """Whether it stays the same while the server lives."""


def read_page(uri: str, desk: Callable[[], Desk]) -> Page:
    """The text at a URI of ours; the desk is opened only for what needs one.

    Raises:
        LogpithError: there is none.
    """
    if uri == QUERY_SYNTAX_URI:
        return Page(text=query_syntax(), mime_type="text/markdown", fixed=True)
    if uri.startswith(_EVIDENCE_PREFIX):
        ref = unquote(uri.removeprefix(_EVIDENCE_PREFIX))
        question = FetchTool(refs=(ref,), before=NEIGHBOURS, after=NEIGHBOURS)
        return Page(text=to_text(ask(question, desk())), mime_type="text/plain", fixed=False)
    raise NotFound(
        "there is no such resource", remedy=f"There are {QUERY_SYNTAX_URI} and {EVIDENCE_URI_TEMPLATE}"
    )
