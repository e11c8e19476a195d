"""Regular expressions of queries: RE2, so that no pattern can take more than linear time.

RE2 is imported when the first pattern is compiled, not before.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from logpith.query.texts import texts_alone, texts_and_gaps
from logpith.query.words import PLAIN
from logpith_emit.errors import BadArgument

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_PATTERN_BYTES = 1024
MAX_MEMORY_BYTES = 8 * 1024 * 1024

# What RE2 leaves out on purpose, and what to write instead.
_REFUSED_SYNTAX = (
    (re.compile(r"\(\?<?!"), "Look-around is not offered. Write the rest as its own term: a AND NOT /b/"),
    (
        re.compile(r"\(\?<?="),
        "Look-around is not offered. Match the surroundings too, or write two terms: /a/ AND /b/",
    ),
    (
        re.compile(r"\(\?>|[*+?}]\+"),
        "Leave out atomic groups and possessive repeats: nothing here backtracks",
    ),
    (
        re.compile(r"\\[1-9]|\(\?P=|\\k"),
        "Back-references are not offered. Name the values that you look for: /(a|b) .* (a|b)/",
    ),
    (re.compile(r"\\Z"), r"Write \z for the end of the text"),
)
_OTHER_SYNTAX = "See https://github.com/google/re2/wiki/Syntax for what RE2 reads"

_ESCAPED_ATOM = re.compile(r"x\{[^}]*\}|x..|[pP]\{[^}]*\}|[pP].|[0-7]{1,3}|.", re.DOTALL)
_REPEAT = re.compile(r"[*+?]\??|\{\d+(?:,\d*)?\}\??")
_FLAGS = re.compile(r"\(\?[a-zA-Z-]*\)")


@functools.lru_cache(maxsize=256)
def compile_regex(pattern: str) -> Callable[[str], bool]:
    """Whether a text has a match of `pattern` in it.

    Raises:
        BadArgument: the pattern is too long, too big when compiled, or not RE2.
    """
    refuse_long(pattern, "regular expression")
    return compile_own(pattern)


def refuse_long(pattern: str, kind: str) -> None:
    """Raise BadArgument when a pattern that somebody wrote is too long."""
    size_bytes = len(_encode(pattern))
    if size_bytes > MAX_PATTERN_BYTES:
        raise BadArgument(
            f"the {kind} has {size_bytes:,} bytes",
            remedy=f"Write {MAX_PATTERN_BYTES:,} bytes at most, or several terms",
        )


def compile_own(pattern: str) -> Callable[[str], bool]:
    """Like `compile_regex`, for a pattern that we made of a shorter one."""
    import re2  # noqa: PLC0415  the front door stays light: only queries with a regex pay for RE2

    options = re2.Options()
    options.max_mem = MAX_MEMORY_BYTES
    options.log_errors = False
    try:
        compiled = re2.compile(_encode(pattern), options)
    except re2.error as error:
        raise BadArgument(
            f"the regular expression cannot be read: {_reason(error)}", remedy=_remedy(pattern)
        ) from error
    return lambda text: compiled.search(_encode(text)) is not None


def compile_block_regex(pattern: str) -> Callable[[bytes, int], tuple[int, int]]:
    """Where the next match of a valid `pattern` begins and ends in a block of lines, from a place on; -1 for none.

    `^` and `$` stand for the ends of lines here, so that a match within one record is a match of its block.
    """
    import re2  # noqa: PLC0415  as above

    options = re2.Options()
    options.max_mem = (
        8 * MAX_MEMORY_BYTES
    )  # a large block needs more states before RE2 falls back to its slow way
    options.log_errors = False
    compiled = re2.compile(b"(?m)" + _encode(pattern), options)

    def next_match(block: bytes, place: int) -> tuple[int, int]:
        match = compiled.search(block, place)
        return match.span() if match else (-1, -1)

    return next_match


def mark_matching(
    pattern: str, buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of some texts, `buf[start:end]` in order and with little between them, hold a match of a valid `pattern`;
    `^` and `$` stand for the ends of their lines. All are asked in one call, by the RE2 within Arrow."""
    import pyarrow.compute as pc  # noqa: PLC0415  front doors stay light: only a store is asked so

    # As UTF-8, which they need not be: of other bytes RE2 then says the same as it does to `compile_own`.
    texts = texts_and_gaps(buf, starts, ends).view("large_utf8")
    found = pc.match_substring_regex(texts, "(?m)" + pattern).to_numpy(zero_copy_only=False)
    matching: NDArray[np.bool_] = found[::2]
    return matching


def read_group(
    pattern: str, group: str, buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int32], list[str]]:
    """(places, values): what a group of a valid `pattern` holds in each of some texts, which stand as in
    `mark_matching`, as a place among the distinct values; -1 where the pattern does not match."""
    import pyarrow.compute as pc  # noqa: PLC0415  as above

    texts = texts_alone(buf, starts, ends).view("large_utf8")
    # Not `.field()`, which has empty texts where nothing matches.
    values = pc.struct_field(pc.extract_regex(texts, pattern), group).dictionary_encode()
    places: NDArray[np.int32] = values.indices.fill_null(-1).to_numpy()
    return places, values.dictionary.to_pylist()


@functools.lru_cache(maxsize=256)
def literals_of(pattern: str) -> tuple[str, ...] | None:
    """Folded literals of which at least one is in every text that a valid `pattern` matches; None: unknown.

    Only what is plain to see: the longest literal outside of groups, classes and repeats, in each branch.
    """
    if "\\Q" in pattern:
        return None
    # RE2's (?i) takes K (KELVIN SIGN) for k and the long s for s, which are other bytes.
    plain = PLAIN - set("kKsS") if re.search(r"\(\?[a-zA-Z-]*i", pattern) else PLAIN
    longest = [max(branch, key=len, default="") for branch in _literal_runs(pattern, plain)]
    return tuple(literal.lower() for literal in longest) if all(longest) else None


def _literal_runs(pattern: str, plain: frozenset[str]) -> list[list[str]]:
    """Per branch of the top-level alternation, its runs of literal characters."""
    branches: list[list[str]] = [[""]]
    place = 0
    while place < len(pattern):
        if pattern[place] == "|":
            branches.append([""])
            place += 1
            continue
        literal, atom_end = _atom(pattern, place)
        repeat = _REPEAT.match(pattern, atom_end)
        runs = branches[-1]
        if literal in plain and (repeat is None or repeat[0].startswith("+")):
            runs[-1] += literal
        if literal not in plain or repeat is not None:
            runs.append("")
        place = repeat.end() if repeat else atom_end
    return branches


def _atom(pattern: str, start: int) -> tuple[str, int]:
    """The literal character at `start` ("" when it is anything else) and where its atom ends."""
    character = pattern[start]
    if character == "\\":
        escape = _ESCAPED_ATOM.match(pattern, start + 1)
        if escape is None:
            return "", len(pattern)
        return ("" if escape[0].isalnum() or len(escape[0]) > 1 else escape[0]), escape.end()
    if character == "[":
        return "", _class_end(pattern, start)
    if character == "(":
        return "", _group_end(pattern, start)
    return ("" if character in ".^$" else character), start + 1


def _class_end(pattern: str, start: int) -> int:
    place = start + 1 + pattern.startswith("^", start + 1)
    place += pattern.startswith("]", place)
    while place < len(pattern) and pattern[place] != "]":
        if pattern.startswith("[:", place) and ":]" in pattern[place + 2 :]:
            place = pattern.index(":]", place + 2) + 2
        else:
            place += 2 if pattern[place] == "\\" else 1
    return place + 1


def _group_end(pattern: str, start: int) -> int:
    if flags := _FLAGS.match(pattern, start):
        return flags.end()
    place = start + 1
    while place < len(pattern) and pattern[place] != ")":
        if pattern[place] == "(":
            place = _group_end(pattern, place)
        elif pattern[place] == "[":
            place = _class_end(pattern, place)
        else:
            place += 2 if pattern[place] == "\\" else 1
    return place + 1


def _reason(error: Exception) -> str:
    # The binding hands over RE2's message as bytes.
    message = error.args[0] if error.args else error
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)


def _remedy(pattern: str) -> str:
    return next((remedy for syntax, remedy in _REFUSED_SYNTAX if syntax.search(pattern)), _OTHER_SYNTAX)


def _encode(text: str) -> bytes:
    # Text may hold lone surrogates (broken JSON, bytes that were no UTF-8); RE2 skips such bytes.
    return text.encode("utf-8", "surrogatepass")
