"""Redaction: secrets and personal data leave a text, and a stable placeholder stays.

    login of ann@example.org with password=hunter2  →  login of <email:1> with password=<secret:1>

Within one `Redactor` the same value always becomes the same placeholder, so that records still correlate.
What is found are things with a shape of their own (keys of vendors, JWT, PEM, addresses, card numbers with a
right check digit) and values beside a name that says what they are (`password=`, `"api_key": `). Entropy
alone is no sign: it would take commits, UUIDs and checksums for secrets.

    line ──► its shape is a clean one's (shapes.py) ───────────────────────────────► goes as it is
               └─► no rule may match (groups.py, runs.py) ─────────────────────────► goes as it is
                     └─► rules (rules.py), each with a judge (judges.py) ──► blanked out (redactor.py)

The rules are data: `pattern` is written in what RE2 and `re` have in common (no look-around, no
back-references), and what a pattern cannot say is a `judge`. Rules of users go through RE2: hand its
`compile` to `Redactor`. No pattern here takes more than linear time, whatever the text.

Most lines hold nothing of the kind, and each is asked: hence the cheap questions before any pattern.
"""

from logpith_emit.redaction.names import names_a_secret
from logpith_emit.redaction.redactor import Redactor
from logpith_emit.redaction.rule import Rule, compile_own
from logpith_emit.redaction.rules import DEFAULT_RULES, IP_RULE, PHONE_RULE
from logpith_emit.redaction.shapes import SHAPE_BYTES

__all__ = [
    "DEFAULT_RULES",
    "IP_RULE",
    "PHONE_RULE",
    "SHAPE_BYTES",
    "Redactor",
    "Rule",
    "compile_own",
    "names_a_secret",
]
