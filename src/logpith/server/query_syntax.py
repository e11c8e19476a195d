"""The query language on one page, made from the parser's own names: what an agent reads before it writes a query."""

from __future__ import annotations

from logpith.query.fields import FIELD_NAMES
from logpith.query.tree import OPERATORS
from logpith.timerange import FORMS
from logpith_emit.severity import BANDS

EXAMPLES: tuple[tuple[str, str], ...] = (
    ("quota", "with the whole word, in any case"),
    ("quota exceeded", "with both words: side by side means AND"),
    ('"quota exceeded"', "with the phrase"),
    ("quota OR timeout", "with either; AND binds closer than OR"),
    ("error NOT heartbeat", "with one and without the other; `-heartbeat` is the same"),
    ("time*", "with a word that begins so; `*` and `?` do not cross blanks"),
    ("/after [0-9]+ ms/", "in which RE2 finds the pattern"),
    ("level>=warn", "of a severity; unknown severity matches no comparison"),
    ("service:voice-pipeline", "whose service holds the word"),
    ("status=402", "whose attribute is the number, in JSON or written `status=402`"),
    ("duration_ms:[200 TO *]", "whose attribute lies in the range; `{a TO b}` leaves the ends out"),
    ("http.status:*", "that have the attribute"),
    ("timestamp>=2026-11-20T13:45:00Z", "from a moment on"),
    (
        "timestamp>=10m",
        "of the last ten minutes: of files counted back from the last record, over a store from now",
    ),
    ("(quota OR refused) AND level>=warn", "by parentheses"),
)
"""Queries, and which records match them."""

SEVERITIES: tuple[str, ...] = tuple(BANDS[1:])


def query_syntax() -> str:
    """The page, in Markdown."""
    rows = [f"| `{query}` | {meaning} |" for query, meaning in EXAMPLES]
    return "\n".join(
        (
            "# Queries",
            "",
            "| query | matches records |",
            "| --- | --- |",
            *rows,
            "",
            f"Operators: AND, OR, NOT (upper case), parentheses; `field:value` holds, `field` and one of "
            f"{' '.join(OPERATORS)} compares.",
            f"Fields: {', '.join(FIELD_NAMES)}, under every usual spelling (`log_level`, `ts`…), and any "
            "attribute of the records.",
            f"Severities: {', '.join(SEVERITIES)}.",
            f"Times, also for `since` and `until`: {FORMS[0].lower()}{FORMS[1:]}.",
            "A backslash takes the next character as it stands. Text with signs in it goes in quotes.",
        )
    )
