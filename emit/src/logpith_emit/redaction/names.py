"""Names of secrets, `password` or `apiKey`, and what stands beside one and gives nothing away."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Literal

from logpith_emit.redaction.rule import compile_own

# Whatever stands beside the first is secret; beside the second there may also be a count or a word of prose.
STRICT_NAMES = (
    r"(?i:(?:passw(?:or)?d|pwd|passphrase)(?:[_-]?(?:hash|confirmation|confirm))?|[a-z0-9]_pass|secret)"
)
LOOSE_NAMES = (
    r"(?i:token|authorization|credentials?|(?:api|access|account|auth|client|encryption|private|secret|shared|signing"
    r"|subscription|storage|access[_.-]?secret)[_. -]?key(?:[_-]?id)?)"
)

# Names of fields alone: in a text `code` and `cookie` stand beside much else.
_FIELD_NAMES = (
    r"(?:^|_)(?:cvv2?|cvc2?|card_security_code|pass_?code|pass_?phrase|t?otp(?:_code)?|pin_?code"
    r"|(?:one_time|mfa|2fa|verification)_code|(?:set_)?cookie)$"
)

_SAID_OPENLY = """
    any bad basic bearer blank bool boolean bytes changed correct default denied digest disabled empty
    enabled expired failed false filtered hidden incorrect int invalid is masked mismatch missing n/a
    negotiate nil no none not ntlm null number off ok on optional redacted removed required reset scrubbed
    secret set str string text token true undefined unknown unset updated valid wrong yes
"""
_NOT_SECRET_WORDS = frozenset(("", *_SAID_OPENLY.split()))
"""What stands beside `password:` and gives nothing away, as in MySQL's `(using password: YES)`."""

# A value already masked (`****`, `[REDACTED]`) or one that is filled in elsewhere (`${DB_PASS}`, `%s`).
_STAND_IN = (
    r"[*xX.•?_-]+|[\[{(<]+|\$\{[\w.:-]{0,80}\}?|\{\{.{0,80}|\{\w*\}|<\w*>|%\(\w+\)s|%[sdr]|\[\w*\]|\(\w*\)"
)

_WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[. -]")


def is_said_openly(value: str) -> bool:
    """Whether a value beside a secret's name is none itself."""
    return value.lower() in _NOT_SECRET_WORDS or _stand_in().fullmatch(value) is not None


def names_a_secret(name: str) -> bool:
    """Whether what a field of this name holds may be a secret for its name alone."""
    return bool(_kind_of_name(name))


def tells_a_secret(name: str, value: str) -> bool:
    """Whether `name` is the name of a secret and `value` not just a count or a word."""
    kind = _kind_of_name(name[-64:])
    if not kind or is_said_openly(value):
        return False
    return kind == "password" or len(value) >= 6 or not value.isdigit()


@cache
def _stand_in() -> re.Pattern[str]:
    # Not before it is asked for: it takes half a millisecond, and the import of this package is kept short.
    return re.compile(_STAND_IN)


@lru_cache(maxsize=4096)
def _kind_of_name(name: str) -> Literal["", "password", "token"]:
    if compile_own(STRICT_NAMES + r"\d?$").search(name):
        return "password"
    if compile_own(_FIELD_NAMES).search(_WORD_BORDER.sub("_", name).lower()):
        return "password"
    return "token" if compile_own(LOOSE_NAMES + r"\d?$").search(name) else ""
