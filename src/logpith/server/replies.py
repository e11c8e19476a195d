"""What a door says when something goes wrong: `{"error": {"code": …, "message": …, "hint": …}}`, never more."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from logpith.quote import shorten, show_hidden
from logpith_emit.errors import BadArgument, BadQuery, LogpithError, NotFound, OutsideRoots, Unavailable

RETRY_AFTER_S = 5

_LONGEST_TEXT = 2_000
_UNREAD = (408, 413)
"""After these there is a body that nobody reads."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

# What every answer carries: nothing here is a page, may be kept by a proxy, or be guessed to be something else.
SAFE_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

log = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class Wrong(Exception):  # noqa: N818 - an answer, which is raised only to get out
    """An answer that is an error."""

    status: int
    code: str
    """What it is, for programs."""

    message: str
    hint: str = ""
    more: Mapping[str, object] | None = None
    retry_after_s: int | None = None


def reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value as JSON."""
    return Response(
        msgspec.json.encode(value), status, {**SAFE_HEADERS, **(headers or {})}, "application/json"
    )


def reply_text(text: str, media_type: str = "text/plain; charset=utf-8") -> Response:
    """A text."""
    return Response(text.encode("utf-8", "backslashreplace"), 200, dict(SAFE_HEADERS), media_type)


def reply_wrong(wrong: Wrong) -> Response:
    """An error as a response."""
    told = {"code": wrong.code, "message": _shown(wrong.message), "hint": _shown(wrong.hint)}
    headers: dict[str, str] = {}
    if wrong.retry_after_s is not None:
        headers["retry-after"] = str(wrong.retry_after_s)
    if wrong.status == 401:
        headers["www-authenticate"] = 'Bearer realm="logpith"'
    if wrong.status in _UNREAD:
        headers["connection"] = "close"
    return reply({"error": told, **(wrong.more or {})}, wrong.status, headers)


def as_wrong(error: Exception) -> Wrong:
    """What a caller is told of an error; of ours everything, of others nothing, since they may quote a log."""
    if isinstance(error, Wrong):
        return error
    if _is_full_disk(error):
        return Wrong(
            status=507,
            code="disk_full",
            message="the disk is full, nothing of this was kept",
            hint="Make room or keep less, then send it again",
            retry_after_s=60,
        )
    if not isinstance(error, LogpithError):
        log.error("a request failed", exc_info=error)
        return Wrong(
            status=500, code="internal", message="this failed inside logpith", hint="Its log has the details"
        )
    status, code = next((status, code) for kind, status, code in _STATUS_OF if isinstance(error, kind))
    return Wrong(
        status=status,
        code=code,
        message=error.problem,
        hint=error.remedy,
        more={"position": error.position} if isinstance(error, BadQuery) else None,
        retry_after_s=RETRY_AFTER_S if isinstance(error, Unavailable) else None,
    )


_STATUS_OF: tuple[tuple[type[LogpithError], int, str], ...] = (
    (Unavailable, 503, "unavailable"),
    (BadQuery, 400, "bad_query"),
    (BadArgument, 400, "bad_argument"),
    (NotFound, 404, "not_found"),
    (OutsideRoots, 403, "outside_roots"),
    (LogpithError, 422, "refused"),
)


def _is_full_disk(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return True
        error = error.__cause__
    return False


def _shown(text: str) -> str:
    return "\n".join(show_hidden(line) for line in shorten(text, _LONGEST_TEXT).splitlines())
