"""Redact: secrets and personal data leave a record before it is written anywhere.

What is found, and how, is `logpith_emit.redaction`; here it is done in bulk. Nearly every record holds nothing of the
kind, so one pass over the bytes of the whole batch (`scan/triggers.py`) leaves out all that cannot match, and one
search for all rules together most of the rest. Only what is left is read by the rules one by one.

A value becomes `<email:482910573321>`. The number is a keyed hash of the value, so that records about the same thing
still belong together, in every file, process and year that has the same key, and nobody without the key can try out
values. Whatever reads the record later takes that for what it is, and does not hide it again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import string
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal, NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from logpith.batch import Batch, extra_of, spell_extra, text_column, text_spans, with_column
from logpith.formats.fields import fields_in
from logpith.query.in_bulk import lines_with_match, pieces
from logpith.query.of_batch import which_match
from logpith.query.regex import MAX_MEMORY_BYTES, compile_regex, literals_of
from logpith.scan.field_values import ABSENT, ASK, TEXT, FieldName, find_values
from logpith.scan.gather import gather_lines
from logpith.scan.triggers import ALONE, BESIDE_DIGITS, BESIDE_WORD, Triggers, mark_suspects
from logpith.stages import Apply, Outcome, Stage
from logpith_emit.errors import BadArgument, nearest
from logpith_emit.record import flat
from logpith_emit.redaction import DEFAULT_RULES, IP_RULE, PHONE_RULE, Redactor, Rule, compile_own

Mode = Literal["hash", "mask", "drop"]
MODES = ("hash", "mask", "drop")

_KIND = re.compile(r"[a-z_]{1,40}")
_BITS = {"": ALONE, "word": BESIDE_WORD, "digits": BESIDE_DIGITS}
_CARD_HEADS = "23456"
"""What a card's number begins with; nothing else of our own asks for digits in a row."""

_CARD_BARS = string.ascii_letters + "_-."
"""Behind what no card's number begins: it would be a piece of a longer id, or of a fraction."""

_NUMBERS = 10**12
_ALL_RULES_BYTES = 8 * MAX_MEMORY_BYTES
_MOST_KNOWN = 4096


@dataclass(frozen=True, kw_only=True)
class RedactStage(Stage):
    """Blank out secrets and personal data: keys, tokens, passwords, e-mail addresses, card numbers."""

    type: ClassVar[str] = "redact"
    remembers: ClassVar[bool] = False

    mode: Mode = "hash"
    """What becomes of a value: `hash` gives the same value the same placeholder, so that records can still be
    joined; `mask` gives all of a kind the same one; `drop` leaves nothing."""

    modes: tuple[str, ...] = ()
    """A mode for a kind alone: `{ card = "mask", email = "drop" }`."""

    rules: tuple[str, ...] = ()
    """Kinds of your own, as RE2 expressions: `{ employee = "E-[0-9]{6}" }`. The last group that took part is
    what goes; without groups it is all of the match."""

    fields: tuple[str, ...] = ()
    """Fields whose whole value goes, with their mode: `{ "user.email" = "hash", ssn = "drop" }`."""

    ips: bool = False
    """Whether addresses of the internet are personal here; who looks for a fault needs them."""

    phones: bool = False
    """Whether telephone numbers are personal here; many logs of calls are about them."""

    key: str = ""
    """What placeholders are made with, as `${VAR}`. Without it they hold for one run, or, where a store is,
    for that store: its folder keeps one."""

    def __post_init__(self) -> None:
        for name, mode in (*_pairs(self.modes, "modes"), *_pairs(self.fields, "fields")):
            if mode not in MODES:
                raise BadArgument(
                    f"'{name}' has no mode '{mode}'",
                    remedy=nearest(mode, MODES).strip() or "hash, mask or drop",
                )
        kinds = {rule.kind for rule in self.all_rules()} | {"secret"}
        for kind, _ in _pairs(self.modes, "modes"):
            if kind not in kinds:
                raise BadArgument(
                    f"there is no kind '{kind}' of secrets",
                    remedy=nearest(kind, kinds).strip() or f"There are: {', '.join(sorted(kinds))}",
                )

    def all_rules(self) -> tuple[Rule, ...]:
        """Ours and the user's own, in the order in which they are tried."""
        own = tuple(_own_rule(kind, pattern) for kind, pattern in _pairs(self.rules, "rules"))
        return (*own, *DEFAULT_RULES, *(IP_RULE,) * self.ips, *(PHONE_RULE,) * self.phones)

    @contextmanager
    def open(self) -> Iterator[Apply]:
        choose = which_match(self.only)
        placeholder = self._placeholder()
        redactor = self.redactor(placeholder)
        suspects = _Suspects(self.all_rules())
        kinds = {rule.kind for rule in redactor.rules}
        fields = [_Field.of(name, cast("Mode", mode), kinds) for name, mode in _pairs(self.fields, "fields")]

        def apply(batch: Batch) -> Outcome:
            chosen = choose(batch)
            before = dict(redactor.counts)
            changed = 0
            for field in fields:
                batch, count = field.blank(batch, chosen, placeholder)
                changed += count
            batch = with_column(batch, "line", _redacted_lines(batch["line"], chosen, suspects, redactor))
            batch = with_column(batch, "extra", _redacted_extras(batch["extra"], chosen, suspects, redactor))
            batch = with_column(batch, "service", _redacted_names(batch["service"], chosen, redactor))
            found = {
                f"redacted_{kind}": count - before.get(kind, 0) for kind, count in redactor.counts.items()
            }
            counters = {name: count for name, count in found.items() if count}
            return Outcome(kept=batch, counters=counters | ({"redacted_fields": changed} if changed else {}))

        yield apply

    def redactor(self, placeholder: Callable[[str, str], str] | None = None) -> Redactor:
        """The redactor that says what each text becomes; whoever does it in bulk must agree with it."""
        own = {pattern for _, pattern in _pairs(self.rules, "rules")}
        return Redactor(
            self.all_rules(),
            compile_pattern=lambda pattern: _compiled(pattern) if pattern in own else compile_own(pattern),
            placeholder=placeholder or self._placeholder(),
        )

    def _placeholder(self) -> Callable[[str, str], str]:
        """What stands in the place of a value, by its kind."""
        key = hashlib.sha256(self.key.encode()).digest() if self.key else secrets.token_bytes(32)
        modes = dict(_pairs(self.modes, "modes"))

        def placeholder(kind: str, value: str) -> str:
            mode, _, name = kind.rpartition("/")  # a field's own mode stands before it
            mode = mode or modes.get(name, self.mode)
            if mode == "drop":
                return ""
            return f"<{name}:{_number(key, value) if mode == 'hash' else 0}>"

        return placeholder


def _number(key: bytes, value: str) -> int:
    """Twelve digits that stand for a value under a key: as many as a placeholder may have."""
    digest = hmac.digest(key, value.encode("utf-8", "surrogatepass"), "sha256")
    return int.from_bytes(digest[:8], "big") % _NUMBERS


def _pairs(texts: tuple[str, ...], setting: str) -> list[tuple[str, str]]:
    """Names and values of texts `name=value`.

    Raises:
        BadArgument: one is no such text.
    """
    pairs = [text.partition("=") for text in texts]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise BadArgument(
                f"{setting}: {name!r} says nothing", remedy=f'Write {setting} = {{ name = "…" }}'
            )
    return [(name, value) for name, _, value in pairs]


# ── Rules of users ──────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=64)
def _own_rule(kind: str, pattern: str) -> Rule:
    """A user's rule.

    Raises:
        BadArgument: RE2 does not read the pattern, it matches the empty text, or the kind cannot be written.
    """
    if not _KIND.fullmatch(kind):
        raise BadArgument(
            f"the kind {kind!r} cannot stand in a placeholder", remedy="Use letters a to z and _"
        )
    if compile_regex(pattern)(""):
        raise BadArgument(f"the rule '{kind}' matches everywhere", remedy="Write what it needs at least")
    triggers = [literal for literal in literals_of(pattern) or () if literal]
    return Rule(kind=kind, pattern=pattern, triggers=tuple(triggers))


class _Match:
    """A match of RE2 with a value that is not empty: the last group that took part, or all of it."""

    def __init__(self, found: Any) -> None:
        self._found = found
        group = found.lastindex or 0
        start, end = found.span(group)
        self.lastindex = group if end > start else None

    def start(self) -> int:
        return cast("int", self._found.start())

    def span(self, group: int = 0, /) -> tuple[int, int]:
        return cast("tuple[int, int]", self._found.span(group))


class _Pattern:
    """An expression of a user, in RE2."""

    def __init__(self, pattern: str) -> None:
        import re2  # noqa: PLC0415 - only who has rules of their own pays for it

        options: Any = re2.Options()
        options.max_mem = MAX_MEMORY_BYTES
        options.log_errors = False
        self._search = re2.compile(pattern, options).search

    def search(self, text: str, pos: int = 0, /) -> _Match | None:
        """The next match that is not empty."""
        # A byte that was no UTF-8 is a lone surrogate here, which RE2 cannot be given: any one sign will do.
        readable = text if text.isascii() else _SURROGATE.sub("\ufffd", text)
        while (found := self._search(readable, pos)) is not None:
            if found.end() > found.start():
                return _Match(found)
            pos = found.end() + 1
            if pos > len(text):
                break
        return None


_SURROGATE = re.compile("[\ud800-\udfff]")


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> _Pattern:
    return _Pattern(pattern)


# ── In bulk ─────────────────────────────────────────────────────────────────────────────────────────────────


class _Suspect(NamedTuple):
    """A text that some rule may match."""

    place: int
    text: bytes
    triggers: tuple[str, ...] | None
    """As `Redactor.redact` takes them."""


class _Suspects:
    """Which texts some rule may match."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        literals: dict[int, list[str]] = {bit: [] for bit in _BITS.values()}
        always = 0
        others: list[str] = []
        for rule in rules:
            bit = _BITS[rule.run]
            if rule.triggers and all(trigger.isascii() for trigger in rule.triggers):
                literals[bit] += rule.triggers
            else:
                always |= bit
                others += rule.triggers
        self._others = tuple(others)
        """Triggers that are not looked for here."""

        self._triggers = Triggers.of(literals, always, heads=_CARD_HEADS, bars=_CARD_BARS)
        own = [rule.pattern for rule in rules if rule not in (*DEFAULT_RULES, IP_RULE, PHONE_RULE)]
        self._known: dict[int, tuple[str, ...] | None] = {}
        self._which = _any_of(tuple(rule.pattern for rule in rules), bool(own))

    def among(self, column: Any, chosen: NDArray[np.bool_], *, escaped: bool = False) -> Iterator[_Suspect]:
        """Those that are left, of the chosen ones of a column of texts.

        Of `escaped` ones the rules see other signs around a value than stand there.
        """
        buf, starts, ends = text_spans(column)
        marks, seen = mark_suspects(buf, starts, ends, self._triggers)
        marked = np.flatnonzero(chosen & (ends > starts) & marks)
        if not escaped and len(marked):
            marked = marked[self._which(*gather_lines(buf, starts, ends, marked, 0))]
        for at, grams in zip(marked.tolist(), seen[marked].tolist(), strict=True):
            yield _Suspect(at, bytes(buf[starts[at] : ends[at]]), self._within(grams))

    def _within(self, grams: int) -> tuple[str, ...] | None:
        """`Triggers.within`, remembered: in most logs the same few come together."""
        if grams not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._triggers.within(grams)
            self._known[grams] = None if known is None else (*known, *self._others)
        return self._known[grams]


_Which = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.int64]]


@lru_cache(maxsize=16)
def _any_of(patterns: tuple[str, ...], has_own: bool) -> _Which:
    """Which of some lines may match one of some patterns; never leaves out one that does."""
    import re2  # noqa: PLC0415 - redaction alone asks so

    options: Any = re2.Options()
    options.max_mem = _ALL_RULES_BYTES
    options.never_capture = True
    options.log_errors = False
    try:
        search = re2.compile("|".join(f"(?:{pattern})" for pattern in patterns).encode(), options).search
    except re2.error:  # each can be read, all together they are too many
        return lambda _buf, starts: np.arange(len(starts))

    def which(buf: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.int64]:
        found: list[int] = []
        octets = buf.tobytes()
        borders = [*starts.tolist(), len(buf)]
        for first, last in pieces(borders):
            begin = borders[first]
            some = octets[begin : borders[last] - 1]
            if has_own or not _is_readable(some):
                # What users write may ask for the beginning or the end of a text, and RE2 skips what is no UTF-8.
                found += [
                    at for at in range(first, last) if is_found(octets[borders[at] : borders[at + 1] - 1])
                ]
            else:
                begins = [at - begin for at in borders[first:last]]
                found += [first + at for at in lines_with_match(search, some, begins)]
        return np.array(found, np.int64)

    def is_found(text: bytes) -> bool:
        return not _is_readable(text) or search(text) is not None

    return which


def _is_readable(text: bytes) -> bool:
    """Whether it is UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _replaced(column: Any, texts: Mapping[int, bytes]) -> Any:
    """The column with other texts in some places, which come in order."""
    if not texts:
        return column
    buf, starts, ends = text_spans(column)
    octets = buf.data
    places = np.array([*texts], np.int64)
    pieces: list[Any] = []
    behind = int(starts[0])
    for begin, end, text in zip(starts[places].tolist(), ends[places].tolist(), texts.values(), strict=True):
        pieces += octets[behind:begin], text
        behind = end
    pieces.append(octets[behind : int(ends[-1])])
    sizes = ends - starts
    sizes[places] = [len(text) for text in texts.values()]
    return text_column(b"".join(pieces), sizes, column.type)


def _redacted_lines(column: Any, chosen: NDArray[np.bool_], suspects: _Suspects, redactor: Redactor) -> Any:
    redacted: dict[int, bytes] = {}
    for suspect in suspects.among(column, chosen):
        text = _decoded(suspect.text)
        other = redactor.redact(text, suspect.triggers)
        if other != text:
            redacted[suspect.place] = other.encode("utf-8", "surrogateescape")
    return _replaced(column, redacted)


def _redacted_extras(column: Any, chosen: NDArray[np.bool_], suspects: _Suspects, redactor: Redactor) -> Any:
    """The attributes without secrets, in their values and beside names that name one."""
    found = suspects.among(column, chosen, escaped=True)
    return _replaced(
        column,
        {
            suspect.place: spell_extra(redactor.redact_fields(extra_of(_decoded(suspect.text)))).encode()
            for suspect in found
        },
    )


def _redacted_names(column: Any, chosen: NDArray[np.bool_], redactor: Redactor) -> Any:
    """Services without secrets; there are few, each is asked once."""
    known = column.unique().to_pylist()
    redacted = {name: other for name in known if (other := redactor.redact(name)) != name}
    if not redacted:
        return column
    names = zip(column.to_pylist(), chosen.tolist(), strict=True)
    return pa.array([redacted.get(name, name) if is_one else name for name, is_one in names], pa.string())


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


# ── Fields by name ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Field:
    """A field whose whole value goes."""

    path: str
    mode: Mode
    kind: str
    """What its placeholder calls it."""

    finder: FieldName

    @classmethod
    def of(cls, path: str, mode: Mode, kinds: Collection[str]) -> _Field:
        leaf = path.rpartition(".")[2].lower()
        return cls(path, mode, leaf if leaf in kinds else "secret", FieldName.of(path, {}))

    def blank(
        self, batch: Batch, chosen: NDArray[np.bool_], placeholder: Callable[[str, str], str]
    ) -> tuple[Batch, int]:
        """The batch without the field's values, in texts and in what was added to them; and how many those were."""

        def stands_for(value: object) -> str:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            return placeholder(f"{self.mode}/{self.kind}", text)

        buf, starts, ends = text_spans(batch["line"])
        kinds, spans = find_values(buf, starts, ends, self.finder)
        texts: dict[int, bytes] = {}
        for place in np.flatnonzero(chosen & (kinds != ABSENT)).tolist():
            line = bytes(buf[starts[place] : ends[place]])
            if kinds[place] == ASK:
                blanked = _blanked_by_parsing(line, self.path, stands_for)
            else:
                start, end = (int(at) - int(starts[place]) for at in spans[place])
                is_quoted = kinds[place] == TEXT
                value = _decoded(line[start:end]) if is_quoted else json.loads(line[start:end])
                put = stands_for(value).encode("utf-8", "surrogateescape")
                # A number or a truth value has no quotes in JSON yet; what takes its place needs them.
                blanked = line[:start] + (put if is_quoted else b'"' + put + b'"') + line[end:]
            if blanked is not None:
                texts[place] = blanked
        batch = with_column(batch, "line", _replaced(batch["line"], texts))
        count = len(texts)
        extras = batch["extra"].to_pylist()
        leaf = self.path.rpartition(".")[2]
        held = [at for at in np.flatnonzero(chosen).tolist() if leaf in extras[at]]
        blanked_extras = {at: _without(extra_of(extras[at]), self.path, stands_for) for at in held}
        for at, extra in blanked_extras.items():
            if extra is not None:
                extras[at] = spell_extra(extra)
                count += 1
        return (with_column(batch, "extra", pa.array(extras, pa.string())) if held else batch), count


def _blanked_by_parsing(line: bytes, path: str, stands_for: Callable[[object], str]) -> bytes | None:
    """The line with the field's value blanked out wherever it stands in it; None when the line has no such field."""
    text = _decoded(line)
    if text.lstrip().startswith("{"):
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            told = None
        if isinstance(told, dict):
            blanked = _without(told, path, stands_for)
            return (
                None
                if blanked is None
                else json.dumps(blanked, ensure_ascii=False).encode("utf-8", "surrogateescape")
            )
    value = dict(flat(fields_in(text))).get(path)
    if value is None or value == "":
        return None
    return text.replace(str(value), stands_for(value)).encode("utf-8", "surrogateescape")


def _without(
    told: Mapping[str, object], path: str, stands_for: Callable[[object], str]
) -> dict[str, object] | None:
    """The object with the value at a dotted path blanked out, or left out where nothing stands for it; None without."""
    if path in told:
        put = stands_for(told[path])
        return {key: put if key == path else value for key, value in told.items() if key != path or put}
    for dot in (at for at, sign in enumerate(path) if sign == "."):
        head, rest = path[:dot], path[dot + 1 :]
        inner = told.get(head)
        if isinstance(inner, Mapping):
            blanked = _without(inner, rest, stands_for)
            if blanked is not None:
                return {**told, head: blanked}
    return None
