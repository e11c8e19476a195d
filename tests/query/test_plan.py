import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.query import (
    ColumnPredicates,
    Comparison,
    Everything,
    Not,
    Phrase,
    Regex,
    Substring,
    Wildcard,
    Word,
    column_predicates,
    matches,
    parse,
    required_literals,
    value_matcher,
)
from logpith.query.plan import MAX_LITERALS
from logpith.timerange import TimeRange, parse_time
from strategies import queries, terms


class JsonRecord:
    """A record whose text is JSON, as a view reads it."""

    def __init__(self, fields, columns, *, ensure_ascii):
        self.fields = fields
        self.columns = {"body": fields.get("body"), **columns}
        self.text = json.dumps(fields, ensure_ascii=ensure_ascii)

    def column(self, name):
        return self.columns.get(name)

    def attribute(self, path):
        return self.fields.get(path)


PIECES = st.sampled_from(
    (
        "quota",
        "Quota",
        "exceeded",
        " ",
        "-",
        "_",
        '"',
        "\\",
        "\n",
        "é",
        "\u212a",
        "10.0.0.1",
        "x",
        "K",
        "s",
        "true",
        "2",
        "e",
        "/",
    )
)
TEXTS = st.lists(PIECES, min_size=1, max_size=4).map("".join)
FIELDS = st.sampled_from(("body", "user", "n"))
VALUES = st.one_of(
    TEXTS,
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(TEXTS, max_size=2),
)
TERMS = st.one_of(
    st.builds(Word, TEXTS, st.none() | FIELDS),
    st.builds(Phrase, TEXTS, st.none() | FIELDS),
    st.builds(Substring, TEXTS, st.booleans()),
    st.builds(Comparison, FIELDS, st.just("="), TEXTS),
    st.builds(
        lambda text, field: Wildcard(text.replace("\\", "") + "*", field),
        st.just("q") | PIECES.filter(lambda p: p != "\\"),
        st.none() | FIELDS,
    ),
    st.builds(
        Regex,
        st.sampled_from(("(?i)quota", "quota|2", "[qQ]uota +exceeded", "K", "e+d?", r"10\.0")),
        st.none() | FIELDS,
    ),
)
COLUMNS = st.fixed_dictionaries(
    {},
    optional={
        "timestamp": st.integers(-5, 5)
        | st.sampled_from([parse_time("2026-11-20", now_ns=0) + i for i in (-1, 0, 1)]),
        "severity_number": st.integers(0, 24),
        "source": st.sampled_from(("app.log", "quota")),
    },
)
RECORDS = st.builds(
    lambda body, fields, columns, ensure_ascii: JsonRecord(
        {"body": body, **fields}, columns, ensure_ascii=ensure_ascii
    ),
    TEXTS,
    st.dictionaries(st.sampled_from(("user", "n")), VALUES),
    COLUMNS,
    st.booleans(),
)


@given(queries(TERMS), RECORDS)
def test_every_match_holds_a_required_literal(query, record):
    literals = required_literals(query)

    if literals is not None and matches(query, record):
        raw = record.text.encode("utf-8", "surrogatepass").lower()
        assert any(literal in raw for literal in literals)


@given(queries())
def test_literals_are_small_ascii_and_few(query):
    literals = required_literals(query)

    if literals is not None:
        assert 0 < len(literals) <= MAX_LITERALS
        assert all(
            literal.isascii() and literal == literal.lower() and len(literal) > 1 for literal in literals
        )


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        ("Quota", (b"quota",)),
        ('"Quota exceeded"', (b"quota exceeded",)),
        ('"say \\"quota\\" x"', (b"quota",)),
        ("quota exceeded", (b"exceeded",)),
        ("error OR quota", (b"error", b"quota")),
        ("(error OR quota) connection", (b"connection",)),
        ("error OR NOT quota", None),
        ("NOT quota", None),
        ("quota -debug level>=warn", (b"quota",)),
        ("Größe", (b"gr",)),
        ("é", None),
        ("", None),
        ("quot*ceed", (b"quot",)),
        ("??", None),
        ("/Quota (\\d+)/", (b"quota ",)),
        ("user=alice", (b"alice",)),
        ("user:alice", (b"alice",)),
        ("call_id:CA16ff", (b"ca16ff",)),
        ("trace_id=0af7651916cd", (b"0af7651916cd",)),
        ("body:quota", (b"quota",)),
        ("status:200", None),
        ("status=2e2", None),
        ("version:1.2.3", None),
        ("ok:true", None),
        ("status>=200", None),
        ("user!=alice", None),
        ("user:*", None),
        ("user:ali*", (b"ali",)),
        ("user:al*", None),
        ("service:checkout", None),
        ("host=web1", (b"web1",)),
        ("level:error", None),
        ("source:app.log", None),
        ("timestamp>=2026-11-20", None),
    ],
)
def test_the_literals_of_a_query_are_the_narrowest_that_are_sure(text, literals):
    assert required_literals(parse(text)) == literals


def test_too_many_alternatives_are_no_filter():
    assert required_literals(parse(" OR ".join(f"word{i}" for i in range(65)))) is None


DAY_NS = parse_time("2026-11-20", now_ns=0)


@pytest.mark.parametrize(
    ("text", "predicates", "rest"),
    [
        ("", ColumnPredicates(), "*"),
        ("quota", ColumnPredicates(), "quota"),
        ("level>=warn", ColumnPredicates(severity=(13, 24)), "*"),
        ("level:warn quota", ColumnPredicates(severity=(13, 16)), "quota"),
        ("level>=warn level<fatal", ColumnPredicates(severity=(13, 20)), "*"),
        ("level:[info TO error} a", ColumnPredicates(severity=(9, 16)), "a"),
        ("level:*", ColumnPredicates(severity=(1, 24)), "*"),
        ("level>fatal", ColumnPredicates(severity=(25, 24)), "*"),
        ("level!=warn", ColumnPredicates(), "level!=warn"),
        ("level:err*", ColumnPredicates(), "level:err*"),
        ("level:error OR level:fatal", ColumnPredicates(), "level:error OR level:fatal"),
        ("NOT level:error", ColumnPredicates(), "NOT level:error"),
        ("timestamp>=2026-11-20 a b", ColumnPredicates(time=TimeRange(DAY_NS, None)), "a b"),
        ("timestamp:{2026-11-20 TO *]", ColumnPredicates(time=TimeRange(DAY_NS + 1, None)), "*"),
        ("timestamp<=2026-11-20", ColumnPredicates(time=TimeRange(None, DAY_NS + 1)), "*"),
        ("timestamp:2026-11-20", ColumnPredicates(time=TimeRange(DAY_NS, DAY_NS + 1)), "*"),
        ("timestamp:*", ColumnPredicates(), "timestamp:*"),
        ("source:app.log a", ColumnPredicates(source=(parse("source:app.log"),)), "a"),
    ],
)
def test_columns_take_their_part_of_a_query(text, predicates, rest):
    assert column_predicates(parse(text)) == (predicates, parse(rest))


COLUMN_TERMS = terms().filter(lambda term: not isinstance(term, Everything)) | st.sampled_from(
    [
        "level>=warn",
        "level:[info TO error}",
        "level<fatal",
        "level:*",
        "source:app*",
        "source=quota",
        "timestamp>=2026-11-20",
        "timestamp<=2026-11-20",
        "timestamp:2026-11-20",
        "timestamp:{1970-01-01 TO 2026-11-20]",
        "timestamp!=2026-11-20",
        "timestamp:*",
    ]
).map(parse)


@given(queries(COLUMN_TERMS), RECORDS)
def test_the_columns_and_the_rest_say_what_the_query_says(query, record):
    predicates, rest = column_predicates(query)
    low, high = predicates.severity

    decided = (
        low <= (record.column("severity_number") or 0) <= high
        and predicates.time.contains(record.column("timestamp"))
        and all(value_matcher(term)(record.column("source")) for term in predicates.source)
    )

    assert matches(query, record) == (decided and matches(rest, record))


def test_a_severity_that_nobody_knows_matches_nothing():
    predicates, rest = column_predicates(Comparison("level", "=", "banana"))

    assert predicates.severity == (1, 0)
    assert rest == Everything()
    assert not matches(
        Not(Not(Comparison("level", "=", "banana"))),
        JsonRecord({}, {"severity_number": 9}, ensure_ascii=True),
    )
