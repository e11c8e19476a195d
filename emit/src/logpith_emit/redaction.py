"""Redaction: secrets and personal data leave a text, and a stable placeholder stays.

    login of ann@example.org with password=hunter2  →  login of <email:1> with password=<secret:1>

Within one `Redactor` the same value always becomes the same placeholder, so that records still correlate.
What is found are things with a shape of their own (keys of vendors, JWT, PEM, addresses, card numbers with a
right check digit) and values beside a name that says what they are (`password=`, `"api_key": `). Entropy
alone is no sign: it would take commits, UUIDs and checksums for secrets.

The rules are data: `pattern` is written in what RE2 and `re` have in common (no look-around, no
back-references), and what a pattern cannot say is a `judge`. Rules of users go through RE2: hand its
`compile` to `Redactor`. No pattern here takes more than linear time, whatever the text.

Most lines hold nothing of the kind, and each is asked: hence the cheap questions of `Redactor._candidates`.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

Span = tuple[int, int]
Judge = Callable[[str, int, int], Span | None]
"""Given the text and the place of a value, the place to blank out, or None when it is no secret after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Something to blank out."""

    kind: str
    """What stands in the placeholder: `email` makes `<email:1>`. Lower-case letters and `_`."""

    pattern: str
    """An RE2 expression. Its last group that took part is the value; without groups, all of the match is."""

    triggers: tuple[str, ...] = ()
    """Lower-case texts, one of which every match holds in some case; without any, all texts are tried."""

    run: Literal["", "word", "digits"] = ""
    """What every match holds besides: `word` is 16 of `A-Z a-z 0-9 _ -` in a row, `digits` 14 digits in a row
    or in groups of four. Saves looking for the triggers in the many lines without."""

    judge: Judge | None = None
    """Has the last word on a match, and may move the borders of the value."""


# ── Judges ────────────────────────────────────────────────────────────────────────────────────────────────

_NOT_SECRET_WORDS = frozenset(
    {
        "",
        "any",
        "bad",
        "basic",
        "bearer",
        "blank",
        "bool",
        "boolean",
        "bytes",
        "changed",
        "correct",
        "default",
    }
    | {"denied", "digest", "disabled", "empty", "enabled", "expired", "failed", "false", "filtered", "hidden"}
    | {"incorrect", "int", "invalid", "is", "masked", "mismatch", "missing", "n/a", "negotiate", "nil", "no"}
    | {
        "none",
        "not",
        "ntlm",
        "null",
        "number",
        "off",
        "ok",
        "on",
        "optional",
        "redacted",
        "removed",
        "required",
    }
    | {"reset", "scrubbed", "secret", "set", "str", "string", "text", "token", "true", "undefined", "unknown"}
    | {"unset", "updated", "valid", "wrong", "yes"}
)
"""What stands beside `password:` and gives nothing away, as in MySQL's `(using password: YES)`."""

# A value already masked (`****`, `[REDACTED]`) or one that is filled in elsewhere (`${DB_PASS}`, `%s`).
_STAND_IN = re.compile(
    r"[*xX.•?_-]+|[\[{(<]+|\$\{[\w.:-]{0,80}\}?|\{\{.{0,80}|\{\w*\}|<\w*>|%\(\w+\)s|%[sdr]|\[\w*\]|\(\w*\)"
)


def _is_said_openly(value: str) -> bool:
    return value.lower() in _NOT_SECRET_WORDS or _STAND_IN.fullmatch(value) is not None


def _looks_made_by_a_machine(value: str) -> bool:
    """Whether a value is unlike a word of prose: digits in it, capitals inside, or long."""
    return (
        len(value) >= 20
        or any(letter.isdigit() for letter in value)
        or (value != value.lower() and not value.istitle() and not value.isupper())
    )


def _without_closers(text: str, start: int, end: int) -> int:
    """Where an unquoted value ends when what closes a sentence or a call behind it is left out."""
    while end > start and text[end - 1] in ")]}>.:!?" and text[start] not in "<[({":
        end -= 1
    return end


def _judge_password(text: str, start: int, end: int) -> Span | None:
    """Everything beside a password's name is one, but for words that say how the login went."""
    if text[start - 1] not in "\"'":
        end = _without_closers(text, start, end)
    return None if _is_said_openly(text[start:end]) else (start, end)


def _judge_token(text: str, start: int, end: int) -> Span | None:
    """As for passwords; and counts (`token: 5`) and words of prose (`token: unexpected end`) may stay."""
    quoted = text[start - 1] in "\"'"
    if not quoted:
        end = _without_closers(text, start, end)
    value = text[start:end]
    if _is_said_openly(value) or len(value) < 4 or (value.isdigit() and len(value) < 6):
        return None
    is_prose = not quoted and text[start - 1].isspace() and not _looks_made_by_a_machine(value)
    is_scheme = (
        text[end : end + 2] == " <" and value.isalpha() and "authorization" in text[:start][-24:].lower()
    )
    return None if is_prose or is_scheme else (start, end)


def _judge_url_password(text: str, start: int, end: int) -> Span | None:
    """Up to the last @ before the path; if there is none, an unescaped / stands in the password itself."""
    value = text[start:end]
    if _PORT.match(value):
        return None
    host = value.partition("/")[0].rfind("@")
    return start, (start + host if host >= 0 else end)


_PORT = re.compile(r"[0-9]{1,5}[/?#]")


def _judge_bearer(text: str, start: int, end: int) -> Span | None:
    """`Bearer mF_9.B5f` is a secret, `bearer authentication` is not."""
    return (start, end) if _looks_made_by_a_machine(text[start:end]) else None


def _judge_basic(text: str, start: int, end: int) -> Span | None:
    """Only what decodes to `user:password` is one, so that "basic information" stays."""
    import binascii  # noqa: PLC0415 rarely needed, and the import of this package is kept short

    letters = text[start:end].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        login = binascii.a2b_base64(letters[: len(letters) // 4 * 4])
    except binascii.Error:
        return None
    return (start, end) if b":" in login or len(letters) >= 40 else None


def _judge_key(text: str, start: int, end: int) -> Span | None:
    """`sk-` and some letters also begin names; a key has digits."""
    return (start, end) if any(letter.isdigit() for letter in text[start:end]) else None


def _judge_email(text: str, start: int, end: int) -> Span | None:
    """From the @ to the left goes the name; nobody's is `git@github.com`, and `icon@2x.png` is a file."""
    before = text[max(0, start - 64) : start]
    name, ending = (
        before[len(before.rstrip(_OF_NAMES)) :].lstrip(".%+-"),
        text[start:end].rpartition(".")[2].lower(),
    )
    is_file = ending in {"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css"}
    return None if name in {"", "git"} or is_file else (start - len(name), end)


_OF_NAMES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-"


# First digits, low and high, and the lengths that the issuer gives out (ISO/IEC 7812; issuers' pages).
# Visa's lengths of 13 and 19 exist on paper; taking them would hit one in ten ids of that length.
_CARD_ISSUERS = (
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("300", "305", (14,)),
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    ("3528", "3589", (16,)),
    ("4", "4", (16,)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("6011", "6011", (16,)),
    ("644", "649", (16,)),
    ("65", "65", (16,)),
    ("62", "62", (16, 17, 18, 19)),
)


def _judge_card(text: str, start: int, end: int) -> Span | None:
    """A number that an issuer could have given out, standing by itself, with the right check digit."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if (
        before in {"-", ".", "_"}
        or after in {"-", "_"}
        or (after == "." and text[end + 1 : end + 2].isdigit())
    ):
        return None  # A piece of a longer id, or of a number with a fraction.
    digits = text[start:end].replace(" ", "").replace("-", "")
    issued = any(
        low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _CARD_ISSUERS
    )
    return (start, end) if issued and _has_check_digit(digits) else None


def _has_check_digit(digits: str) -> bool:
    """Luhn's test (ISO/IEC 7812-1, annex B)."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def _judge_key_tail(text: str, start: int, end: int) -> Span | None:
    """The end of a private key whose beginning was cut off: what looks like its lines belongs to it."""
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in "+/=\\\r\n"):
        start -= 1
    return start, end


def _judge_address(text: str, start: int, end: int) -> Span | None:
    """Valid addresses, unless they are pieces of something longer, such as a version or a name of C++."""
    import ipaddress  # noqa: PLC0415 off by default

    try:
        ipaddress.ip_address(text[start:end])
    except ValueError:
        return None
    before, after = text[start - 1 : start], text[end : end + 2]
    is_piece = (
        before == "." or before.isalnum() or after[:1].isalnum() or (after[:1] == "." and after[1:].isdigit())
    )
    has_digit = any(letter.isdigit() for letter in text[start:end])
    return None if is_piece or not has_digit else (start, end)


# ── Rules ─────────────────────────────────────────────────────────────────────────────────────────────────

# A value in double quotes, in single quotes, in quotes escaped inside a JSON text, or bare.
# Each ends where its quote ends or where the text was cut. None demands anything after it: nothing to
# go back for, hence linear. A bare one ends before <, or a row of placeholders would be read to its end anew
# from each of them.
_VALUE = (
    r"(?:"
    r'"((?s:[^"\\]|\\.)+)'
    r"|'((?s:[^'\\]|\\.)+)"
    r'|\\{1,3}"((?s:[^"\\]|\\\\\\?.)+)'
    r"""|((?:[^\s"'\\,;&]|\\[^"'\s\\])(?:[^\s"'\\,;&<]|\\[^"'\s\\])*)"""
    r")"
)
_ASSIGNED = r"""\d?(?:\\{0,3}["'])?\s{0,8}(?:=>|:=|=|:)\s{0,8}(?:\[\s{0,4})?"""

# Whatever stands beside the first is secret; beside the second there may also be a count or a word of prose.
_STRICT_NAMES = (
    r"(?i:(?:passw(?:or)?d|pwd|passphrase)(?:[_-]?(?:hash|confirmation|confirm))?|[a-z0-9]_pass|secret)"
)
_LOOSE_NAMES = (
    r"(?i:token|authorization|credentials?|(?:api|access|account|auth|client|encryption|private|secret|shared|signing"
    r"|subscription|storage|access[_.-]?secret)[_. -]?key(?:[_-]?id)?)"
)

# Names of fields alone: in a text `code` and `cookie` stand beside much else.
_FIELD_NAMES = (
    r"(?:^|_)(?:cvv2?|cvc2?|card_security_code|pass_?code|pass_?phrase|t?otp(?:_code)?|pin_?code"
    r"|(?:one_time|mfa|2fa|verification)_code|(?:set_)?cookie)$"
)

DEFAULT_RULES: tuple[Rule, ...] = (
    Rule(
        kind="private_key",
        triggers=("private key",),
        # Dashes come up to four in a row inside (`DEK-Info`); five are the end, or the next key.
        pattern=r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]|-{1,4}[^-])*(?:-----END [A-Z0-9 ]{0,40}-----)?",
    ),
    Rule(
        kind="private_key",
        triggers=("private key",),
        pattern=r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
        judge=_judge_key_tail,
    ),
    Rule(
        kind="secret",
        triggers=("@",),
        # The user's password in an address.
        pattern=r"""://[^\s/?#@:"'<>]{0,128}:([^\s"'<>]{1,256})@""",
        judge=_judge_url_password,
    ),
    Rule(
        kind="jwt",
        triggers=("eyj",),
        run="word",
        pattern=r"\beyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){1,4}",
    ),
    Rule(
        kind="secret",
        triggers=("bearer ",),
        pattern=r"""(?i:\bbearer)\s{1,4}([A-Za-z0-9._~+/=:-]{8,})""",
        judge=_judge_bearer,
    ),
    Rule(
        kind="secret",
        triggers=("basic ",),
        pattern=r"(?i:\bbasic)\s{1,4}([A-Za-z0-9+/_-]{6,}={0,2})",
        judge=_judge_basic,
    ),
    Rule(
        kind="secret",
        triggers=("authorization",),
        # A scheme of somebody's own, or a scheme with parameters: `Authorization: ApiKey x`.
        pattern=r"""(?i:authorization)(?:\\{0,3}["'])?\s{0,8}[:=]\s{0,8}(?:\\{0,3}["'])?"""
        r"""[A-Za-z][A-Za-z0-9-]{1,30}\s{1,4}([^\s"'\\,;]{8,})""",
        judge=_judge_bearer,
    ),
    Rule(
        kind="secret",
        triggers=("akia", "asia"),
        run="word",
        pattern=r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    ),
    Rule(
        kind="secret",
        triggers=("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_"),
        run="word",
        pattern=r"\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    ),
    Rule(
        kind="secret",
        triggers=("glpat-", "gldt-", "glrt-"),
        run="word",
        pattern=r"\b(?:glpat|gldt|glrt)-[A-Za-z0-9_.-]{16,}",
    ),
    Rule(
        kind="secret",
        triggers=("xox", "xapp-"),
        run="word",
        pattern=r"\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{12,}",
        judge=_judge_key,
    ),
    Rule(
        kind="secret",
        triggers=("hooks.slack.com/",),
        run="word",
        pattern=r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{20,})",
    ),
    Rule(
        kind="secret",
        triggers=("aiza", "ya29.", "gocspx-"),
        run="word",
        pattern=r"\b(?:AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})",
    ),
    Rule(
        kind="secret",
        # Stripe, ElevenLabs and others.
        triggers=("sk_", "rk_", "whsec_"),
        run="word",
        pattern=r"\b(?:[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|sk_[0-9a-f]{40,}|whsec_[A-Za-z0-9+/]{20,})",
    ),
    Rule(
        kind="secret",
        triggers=("sk-",),
        run="word",
        pattern=r"\bsk-[A-Za-z0-9_-]{20,}",
        judge=_judge_key,
    ),
    Rule(
        kind="secret",
        triggers=("sg.",),
        run="word",
        pattern=r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    ),
    Rule(
        kind="secret",
        # npm, Hugging Face, PyPI, Shopify, DigitalOcean, Docker, HashiCorp Vault.
        triggers=("npm_", "hf_", "pypi-", "shpat_", "dop_v1_", "dckr_pat_", "hvs."),
        run="word",
        pattern=r"\b(?:npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|shpat_[0-9a-fA-F]{32}"
        r"|dop_v1_[0-9a-f]{40,}|dckr_pat_[A-Za-z0-9_-]{20,}|hvs\.[A-Za-z0-9_-]{20,})",
    ),
    Rule(
        kind="secret",
        triggers=("pass", "pwd", "secret"),
        pattern=_STRICT_NAMES + _ASSIGNED + _VALUE,
        judge=_judge_password,
    ),
    Rule(
        kind="secret",
        triggers=("token", "authorization", "credential", "key"),
        pattern=_LOOSE_NAMES + _ASSIGNED + _VALUE,
        judge=_judge_token,
    ),
    Rule(
        kind="secret",
        triggers=("pass", "secret", "token", "-key"),
        # Arguments of a command, and XML.
        pattern=r"(?i:--[a-z0-9-]{0,40}(?:password|passwd|secret|token|api-key|access-key)\s{1,4}"
        r"|<(?:[a-z0-9]{1,20}:)?(?:password|passwd|secret|token|apikey|passphrase)>)"
        r"""["']?([^\s"'<>-][^\s"'<>]*)""",
        judge=_judge_password,
    ),
    Rule(
        kind="secret",
        triggers=("signature=", "sig="),
        # Addresses signed for whoever holds them: Azure, AWS, Google.
        pattern=r"""(?i:[?&]sig=|signature=)([^\s"'&<>]{16,})""",
    ),
    Rule(
        kind="email",
        triggers=("@",),
        pattern=r"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b",
        judge=_judge_email,
    ),
    Rule(
        kind="card",
        run="digits",
        pattern=r"\b(?:[2-6]\d{13,18}|[2-6]\d{3}(?:[ -]\d{4}){3}|3\d{3}[ -]\d{6}[ -]\d{4,5})\b",
        judge=_judge_card,
    ),
)

IP_RULE = Rule(
    kind="ip",
    pattern=r"\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9A-Fa-f]{0,4}:){2,8}[0-9A-Fa-f]{0,4}",
    judge=_judge_address,
)
"""Addresses of the internet; off by default, because whoever looks for a fault needs them."""

PHONE_RULE = Rule(kind="phone", triggers=("+",), pattern=r"\+[1-9](?:[ ().-]{0,2}\d){7,14}\b")
"""Telephone numbers in international form; off by default, as many logs of calls are about them."""


# ── The redactor ──────────────────────────────────────────────────────────────────────────────────────────


class _Match(Protocol):
    """What `re` and RE2 both say of a match."""

    @property
    def lastindex(self) -> int | None: ...
    def start(self) -> int: ...
    def span(self, group: int = 0, /) -> Span: ...


class _Pattern(Protocol):
    def search(self, text: str, pos: int = 0, /) -> _Match | None: ...


@lru_cache(maxsize=256)
def compile_own(pattern: str) -> _Pattern:
    """A pattern of this package, compiled once; ASCII, because RE2 means ASCII by `\\b`, `\\d` and `\\s`.

    For constants of our own only: `re` may take exponential time on what users write.
    """
    return re.compile(pattern, re.ASCII)


_DIGITS = b"0123456789"
_WORD_BYTES = (
    bytes(ord("w" if chr(byte).isalnum() or byte in b"_-" else "x") for byte in range(128)) + b"x" * 128
)
_DIGIT_BYTES = bytes(ord("0" if byte in _DIGITS else " " if byte in b" -" else "x") for byte in range(256))


# What nearly every line is told to be clean by. A match of a default rule has one of these: 14 digits in a row, or in
# groups; one of `:=@<` (names are followed by the first two, addresses hold the third, XML the last); `--`, of keys and
# arguments; 16 of a word in a row, more than hexadecimal digits or behind one of `./+`; the name of a scheme. But for
# that one, a line's shape tells, which is the class of each byte: digits, other hexadecimal ones, the rest of words.
# Programs say much the same again and again, so shapes are remembered. Tests hold all this against the rules.
_CLASSES = {"0": "0123456789", "h": "acdefACDEF", "b": "bB", "-": "-", "!": ":=@<", ".": "./+"}
_CLASS_OF = {letter: kind for kind, letters in _CLASSES.items() for letter in letters}
SHAPE_BYTES = bytes(
    ord(_CLASS_OF.get(chr(byte), "w" if mark == ord("w") else " ")) for byte, mark in enumerate(_WORD_BYTES)
)
_NUMBERS_OF_SHAPE = bytes.maketrans(b"-", b" ")
_LONG_NUMBER = b"0" * 14
_WORDS_OF_SHAPE = bytes.maketrans(b"0hb-", b"wwww")
_LONG_WORD = b"w" * 16
_LONG_WORDS = re.compile(rb"\.?[0hbw-]{16,}")
_BEARER, _BASIC = b"bhhwhw", b"bhwwh"
_MOST_SHAPES, _LONGEST_SHAPE = 1024, 1024


def _has_no_sign(line: bytes, shape: bytes, fields: int) -> bool:
    """Whether a line of a shape has none of the above, besides a `:` for each field."""
    numbers = shape.translate(_NUMBERS_OF_SHAPE)
    # `find`, because `in` first takes what it looks for to be a number.
    if (
        shape.count(b"!") != fields
        or shape.find(b"--") >= 0
        or numbers.find(_LONG_NUMBER) >= 0
        or numbers.find(b"0000 0000") >= 0
    ):
        return False
    if shape.translate(_WORDS_OF_SHAPE).find(_LONG_WORD) >= 0 and not all(
        word.strip(b"0hb-") == b"" for word in _LONG_WORDS.findall(shape)
    ):
        return False
    if not _may_be_a_scheme(shape):
        return True
    lowered = line.lower()
    return lowered.find(b"bearer") < 0 and lowered.find(b"basic") < 0


def _may_be_a_scheme(shape: bytes) -> bool:
    return shape.find(_BEARER) >= 0 or shape.find(_BASIC) >= 0


def _has_word_run(encoded: bytes) -> bool:
    return b"w" * 16 in encoded.translate(_WORD_BYTES)


def _has_digit_run(encoded: bytes) -> bool:
    digits = encoded.translate(_DIGIT_BYTES)
    return b"0" * 14 in digits or (
        b"0000 0000" in digits and (b"0000 0000 0000" in digits or b"0000 000000 0000" in digits)
    )


_HAS_RUN: dict[str, Callable[[bytes], bool] | None] = {
    "": None,
    "word": _has_word_run,
    "digits": _has_digit_run,
}

# A text that still gives something new after so many rounds was made to do that, and is hidden whole.
_MOST_ROUNDS = 8

_MOST_NARROWED = 4096

_DEEPEST = 64
"""Levels of nesting in attributes that are looked into; JSON readers commonly stop there too."""


class Redactor:
    """Blanks out secrets, each value with a placeholder of its own that stays the same.

    May be used by several threads at once, and after a fork: there is no lock to be held.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = DEFAULT_RULES,
        *,
        compile_pattern: Callable[[str], _Pattern] = compile_own,
        most_remembered: int = 65_536,
        blank: Callable[[str], str] | None = None,
        placeholder: Callable[[str, str], str] | None = None,
    ) -> None:
        """`compile_pattern` is RE2's where users wrote rules. Of more than `most_remembered` values the ones met
        first are forgotten; they get a new number when they come again, never one that was given out. `blank`
        says what stands in the place of a value, instead of a numbered placeholder; it must leave nothing of
        the value, and give the same for what it gave. `placeholder` says it of a kind and a value: nothing, or
        `<kind:digits>` with 12 digits at most, which is known again for one.
        """
        self.rules = tuple(rules)
        self._has_default_rules = self.rules == DEFAULT_RULES
        self.clean_shapes: dict[bytes, int] = {}
        """Flat lines of JSON that were clean, translated by `SHAPE_BYTES`, and how many fields they had."""

        self._compile = compile_pattern
        self._own_blank = blank
        self._own_placeholder = placeholder
        self._most_remembered = most_remembered
        kinds = sorted({rule.kind for rule in self.rules} | {"secret"})
        # A kind that is already in a dict is counted up in one step of the interpreter.
        self.counts: Counter[str] = Counter(dict.fromkeys(kinds, 0))
        """How many values were blanked out, by kind."""

        self._next_number = {kind: itertools.count(1) for kind in kinds}
        # Only hashes are kept: whoever gets to see this memory must not find the secrets of a day in it.
        self._numbers: dict[int, int] = {}
        self._placeholder = re.compile(rf"<(?:{'|'.join(kinds)}):[0-9]{{1,12}}>")
        self._groups = _groups_of(self.rules)
        self._narrowed: dict[tuple[str, ...], list[_Group]] = {}

    def redact(self, text: str, triggers: tuple[str, ...] | None = None) -> str:
        """`text` with its secrets blanked out; doing it again changes nothing.

        `triggers` says of which triggers of rules at most the text holds some; it is asked for no others then.
        """
        rules = self._candidates(text, triggers)
        if not rules:
            return text
        redacted = text
        for _ in range(_MOST_ROUNDS):
            before = redacted
            for rule in rules:
                redacted = self._apply(rule, redacted)
            if redacted == before:
                return redacted
        return self._blank("secret", text)

    def is_clean(self, text: str) -> bool:
        """Whether no rule can match, which is told in 2 to 3 µs. When not, one need not."""
        return not self._candidates(text, None)

    def is_clean_line(self, line: bytes, fields: int) -> bool:
        """Whether no rule can match a value of a flat line of JSON, whose so many names are plain: none is a secret's
        or has any of `:=@<`. Told in less than 1 µs of nearly every line. When not, one need not."""
        shape = line.translate(SHAPE_BYTES)
        if self.clean_shapes.get(shape) == fields:
            return True
        if not self._has_default_rules or not _has_no_sign(line, shape, fields):
            return not self._candidates(line.decode(), None)
        if not _may_be_a_scheme(shape) and len(shape) <= _LONGEST_SHAPE:
            if len(self.clean_shapes) >= _MOST_SHAPES:
                self.clean_shapes.clear()
            self.clean_shapes[shape] = fields
        return True

    def redact_fields(self, fields: Mapping[str, object]) -> dict[str, object]:
        """The same fields with secrets blanked out, in values at any depth, and what secret names name.

        Numbers stay numbers unless their name is a secret's; objects of other types are given back untouched.
        """
        return {name: self._redact_value(name, value, depth=0) for name, value in fields.items()}

    def _redact_value(self, name: str, value: object, *, depth: int) -> object:
        if isinstance(value, str):
            return self._blank("secret", value) if _names_a_secret(name, value) else self.redact(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._blank("secret", str(value)) if _names_a_secret(name, str(value)) else value
        if not isinstance(value, Mapping | list | tuple):
            return value
        if depth == _DEEPEST:
            return self.redact(str(value))
        if isinstance(value, Mapping):
            return {key: self._redact_value(f"{key}", item, depth=depth + 1) for key, item in value.items()}
        return [self._redact_value(name, item, depth=depth + 1) for item in value]

    def _candidates(self, text: str, triggers: tuple[str, ...] | None) -> list[Rule]:
        """The rules that may match, in their order; none for nearly every line, found out in 2 to 3 µs."""
        lowered = text.lower()
        encoded = text.encode("ascii", "replace")
        found: list[tuple[int, Rule]] = []
        for group in self._groups if triggers is None else self._groups_asking(triggers):
            if group.has_run is None or group.has_run(encoded):
                found += group.always
                for mark, asked in group.triggers_by_mark:
                    if mark in lowered:
                        for trigger in filter(lowered.__contains__, asked):
                            found += group.rules_of[trigger]
        if len(found) > 1:
            return [rule for _, rule in sorted(set(found), key=_place)]
        return [rule for _, rule in found]

    def _groups_asking(self, triggers: tuple[str, ...]) -> list[_Group]:
        """The groups as they are where no other triggers can be found."""
        known = self._narrowed.get(triggers)
        if known is None:
            if len(self._narrowed) >= _MOST_NARROWED:
                self._narrowed.clear()
            groups = [group.asking(triggers) for group in self._groups]
            known = [group for group in groups if group.always or group.triggers_by_mark]
            self._narrowed[triggers] = known
        return known

    def _apply(self, rule: Rule, text: str) -> str:
        search = self._compile(rule.pattern).search
        pieces: list[str] = []
        kept = at = 0
        while (match := search(text, at)) is not None:
            if past := self._end_of_placeholder(text, match.start()):
                at = past
                continue
            start, end = match.span(match.lastindex or 0)
            place = rule.judge(text, start, end) if rule.judge else (start, end)
            if place is None or self._is_blank(text[place[0] : place[1]]):
                at = start if start > match.start() else _after_first_space(text, start, end)
                continue
            start, end = max(place[0], kept), place[1]
            quote = _missing_quote(text[match.start() : start])
            pieces += text[kept:start], quote, self._blank(rule.kind, text[start:end]), quote
            kept = at = end
        return "".join((*pieces, text[kept:])) if pieces else text

    def _end_of_placeholder(self, text: str, position: int) -> int:
        """Where the placeholder ends that `position` lies within, 0 if it lies in none."""
        bracket = text.rfind("<", max(position - 64, 0), position)
        around = self._placeholder.match(text, bracket) if bracket >= 0 else None
        return around.end() if around and around.end() > position else 0

    def _is_blank(self, value: str) -> bool:
        """Whether nothing secret is left: placeholders, and at most the name of a scheme beside them."""
        rest = self._placeholder.sub("", value)
        return rest != value and _is_said_openly(rest.strip(" )]}>.:!?"))

    def _blank(self, kind: str, value: str) -> str:
        if self._own_blank is not None:
            self.counts[kind] += 1
            return self._own_blank(value)
        if self._own_placeholder is not None:
            self.counts[kind] += 1
            return self._own_placeholder(kind, value)
        key = hash((kind, value))
        number = self._numbers.get(key)
        if number is None:
            # setdefault and next are one step each, so two threads that meet here agree on a number.
            number = self._numbers.setdefault(key, next(self._next_number[kind]))
            if len(self._numbers) > self._most_remembered:
                self._numbers.pop(next(iter(self._numbers)), None)
        self.counts[kind] += 1
        return f"<{kind}:{number}>"


@lru_cache(maxsize=16)
def _groups_of(rules: tuple[Rule, ...]) -> tuple[_Group, ...]:
    return tuple(
        _Group([(place, rule) for place, rule in enumerate(rules) if rule.run == run], _HAS_RUN[run])
        for run in ("", "word", "digits")
        if any(rule.run == run for rule in rules)
    )


class _Group:
    """Rules that ask for the same run, and the fewest questions that tell which of them may match."""

    def __init__(self, placed: Sequence[tuple[int, Rule]], has_run: Callable[[bytes], bool] | None) -> None:
        self.has_run = has_run
        self.always = [(place, rule) for place, rule in placed if not rule.triggers]
        triggers = {trigger for _, rule in placed for trigger in rule.triggers}
        # Where "private key" is, "key" is: if that is asked for anyway, once is enough.
        asked = [one for one in sorted(triggers) if not any(two in one for two in triggers - {one})]
        self.rules_of = {
            trigger: [(place, rule) for place, rule in placed if any(trigger in one for one in rule.triggers)]
            for trigger in asked
        }
        # Asking for one character takes half as long as asking for a word, and answers for many of them.
        marks = {trigger: next((mark for mark in "_-." if mark in trigger), "") for trigger in asked}
        self.triggers_by_mark = [
            (mark, [trigger for trigger in asked if marks[trigger] == mark])
            for mark in sorted(set(marks.values()))
        ]

    def asking(self, triggers: tuple[str, ...]) -> _Group:
        """The same for texts that hold no other trigger."""
        group = copy(self)
        asked = [(mark, [one for one in some if one in triggers]) for mark, some in self.triggers_by_mark]
        group.triggers_by_mark = [(mark, some) for mark, some in asked if some]
        return group


def _place(placed: tuple[int, Rule]) -> int:
    return placed[0]


def _after_first_space(text: str, start: int, end: int) -> int:
    """Where to look on in a match that was none: in a row of numbers the next one may begin a card's."""
    space = text.find(" ", start, end)
    return space + 1 if space >= 0 else end


def _missing_quote(lead: str) -> str:
    """The quote that a placeholder needs for JSON to stay JSON: `"password": 123` has none yet."""
    if '"' not in lead or lead.rstrip()[-1:] != ":":
        return ""
    before, quote, _ = lead.rpartition('"')
    return before[len(before.rstrip("\\")) :] + quote


@lru_cache(maxsize=4096)
def _kind_of_name(name: str) -> Literal["", "password", "token"]:
    if compile_own(_STRICT_NAMES + r"\d?$").search(name):
        return "password"
    if compile_own(_FIELD_NAMES).search(_WORD_BORDER.sub("_", name).lower()):
        return "password"
    return "token" if compile_own(_LOOSE_NAMES + r"\d?$").search(name) else ""


_WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[. -]")


def names_a_secret(name: str) -> bool:
    """Whether what a field of this name holds may be a secret for its name alone."""
    return bool(_kind_of_name(name))


def _names_a_secret(name: str, value: str) -> bool:
    """Whether `name` is the name of a secret and `value` not just a count or a word."""
    kind = _kind_of_name(name[-64:])
    if not kind or _is_said_openly(value):
        return False
    return kind == "password" or len(value) >= 6 or not value.isdigit()
