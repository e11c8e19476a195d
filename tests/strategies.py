"""Values for property tests, shared by all of them."""

from hypothesis import strategies as st

from logpith.query import (
    And,
    Comparison,
    Everything,
    Exists,
    Not,
    Or,
    Phrase,
    Range,
    Regex,
    Substring,
    Wildcard,
    Word,
)
from logpith.query.fields import is_severity, is_timestamp
from logpith.query.tree import OPERATORS

SEVERITY_FIELDS = ("level", "severity", "log_level")
SEVERITIES = ("trace", "debug", "info", "notice", "warn", "WARNING", "error", "fatal", "critical")
FIELDS = (
    "service",
    "host",
    "body",
    "source",
    "user",
    "http.status",
    "x-request-id",
    "duration_ms",
    "@v",
    "a",
)
MOMENTS = ("2026-11-20", "2026-11-20T13:45:02.123Z", "2026-11-20 13:45", "1970-01-01T00:00:00Z")

ODD_CHARACTERS = st.sampled_from(" \t\n\\\"'/:=<>!&|()[]{}*?~^+-_.,#@éßİ\u212a\u0430\u0431\u017f\u0000\ud800")
TEXTS = st.text(st.characters() | ODD_CHARACTERS, min_size=1, max_size=12)
WORDS = st.sampled_from(
    (
        "error",
        "quota",
        "Quota_exceeded",
        "connection-refused",
        "10.0.0.1",
        "200",
        "2e2",
        "-1",
        "true",
        "AND",
        "or",
    )
)
PATTERNS = st.sampled_from(
    (
        "a",
        "a/b",
        r"quota (\d+)",
        "[/]x",
        r"\Q[\E",
        "(?i)kelvin",
        "err|fail",
        "^a$",
        r"\\/",
        "a b",
        r"\/",
        "[[:alpha:]]/",
    )
)
# Severities and times take only their own values, so their names are drawn with those.
FIELD_NAMES = st.sampled_from(FIELDS) | TEXTS.filter(
    lambda name: not is_severity(name) and not is_timestamp(name)
)


def texts():
    """Text of words, phrases and values, from the likely to the hostile."""
    return WORDS | TEXTS


def wildcards():
    """Patterns of wildcards: a hole and something beside."""
    literal = texts().map(lambda text: "".join(f"\\{c}" if c in "*?\\" else c for c in text))
    return st.tuples(literal, st.sampled_from("*?"), literal | st.just("")).flatmap(
        lambda parts: st.permutations(parts).map("".join)
    )


def terms():
    """Every kind of leaf."""
    anywhere_or_field = st.none() | FIELD_NAMES
    ends = st.one_of(
        st.tuples(texts(), texts()), st.tuples(texts(), st.none()), st.tuples(st.none(), texts())
    )
    flags = st.booleans()
    return st.one_of(
        st.just(Everything()),
        st.builds(Word, texts(), anywhere_or_field),
        st.builds(Phrase, texts(), anywhere_or_field),
        st.builds(Wildcard, wildcards(), anywhere_or_field),
        st.builds(Regex, PATTERNS, anywhere_or_field),
        st.builds(Substring, texts(), flags),
        st.builds(Comparison, FIELD_NAMES, st.sampled_from(OPERATORS), texts() | st.just("")),
        st.builds(
            Comparison,
            st.sampled_from(SEVERITY_FIELDS),
            st.sampled_from(OPERATORS),
            st.sampled_from(SEVERITIES),
        ),
        st.builds(Word, st.sampled_from(SEVERITIES), st.sampled_from(SEVERITY_FIELDS)),
        st.builds(Comparison, st.just("timestamp"), st.sampled_from(OPERATORS), st.sampled_from(MOMENTS)),
        st.builds(Range, st.just("timestamp"), st.sampled_from(MOMENTS), st.none(), flags, flags),
        st.builds(
            lambda name, pair, low, high: Range(name, *pair, low, high), FIELD_NAMES, ends, flags, flags
        ),
        st.builds(Exists, FIELD_NAMES | st.sampled_from(SEVERITY_FIELDS)),
    )


def queries(leaves=None):
    """Whole queries, a few operators deep."""
    return st.recursive(
        terms() if leaves is None else leaves,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.lists(inner, min_size=2, max_size=4).map(lambda some: And(tuple(some))),
            st.lists(inner, min_size=2, max_size=4).map(lambda some: Or(tuple(some))),
        ),
        max_leaves=8,
    )
