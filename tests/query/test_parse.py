import re
import sys
import threading

import pytest
from hypothesis import given
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
    parse,
    parse_with_notes,
)
from logpith.query.fields import is_severity, is_timestamp
from logpith_emit.errors import BadQuery

NOW = 1_795_182_302_000_000_000  # 2026-11-20T13:45:02Z
A, B, C, D = Word("a"), Word("b"), Word("c"), Word("d")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        # words and what is made of them
        ("", Everything()),
        (" \n", Everything()),
        ("*", Everything()),
        ("*:*", Everything()),
        ("quota", Word("quota")),
        ("quot*", Wildcard("quot*")),
        ("t?me*out", Wildcard("t?me*out")),
        (r"what\?", Word("what?")),
        ('"quota exceeded"', Phrase("quota exceeded")),
        (r'"say \"hi\" \\"', Phrase('say "hi" \\')),
        (r"/quota (\d+)/", Regex(r"quota (\d+)")),
        (r"/a\/b/", Regex("a/b")),
        ("/[^/]+ x/", Regex("[^/]+ x")),
        ("/api/users", Word("/api/users")),
        ("/tmp", Word("/tmp")),
        ("10:45:02", Word("10:45:02")),
        ("10.0.0.1:8080", Word("10.0.0.1:8080")),
        ("std::vector", Word("std::vector")),
        ("http://x/y", Word("http://x/y")),
        ("a->b", Word("a->b")),
        ("[error]", Word("[error]")),
        ("--since", Word("--since")),
        ("a - b", And((A, Word("-"), B))),
        # operators
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a && b", And((A, B))),
        ("a&&b||c", Or((And((A, B)), C))),
        ("a OR b", Or((A, B))),
        ("a || b", Or((A, B))),
        ("a b OR c d", Or((And((A, B)), And((C, D))))),
        ("a OR b AND c", Or((A, And((B, C))))),
        ("(a OR b) c", And((Or((A, B)), C))),
        ("((a))", A),
        ("( a )", A),
        ("NOT a", Not(A)),
        ("-a", Not(A)),
        ("!a", Not(A)),
        ("NOT NOT a", Not(Not(A))),
        ("NOT a b", And((Not(A), B))),
        ("-(a OR b)", Not(Or((A, B)))),
        ("a -b", And((A, Not(B)))),
        ("+a +b", And((A, B))),
        ("a or b", And((A, Word("or"), B))),
        (r"\AND", Word("AND")),
        ('"OR"', Phrase("OR")),
        ("ORDER NOTE ANDROID", And((Word("ORDER"), Word("NOTE"), Word("ANDROID")))),
        # fields
        ("service:api", Word("api", "service")),
        ('service:"the api"', Phrase("the api", "service")),
        ("service:ap*", Wildcard("ap*", "service")),
        ("path:/v[12]/", Regex("v[12]", "path")),
        ("path:/v1/users", Word("/v1/users", "path")),
        ("service:(api OR web)", Or((Word("api", "service"), Word("web", "service")))),
        ("service:(api -web)", And((Word("api", "service"), Not(Word("web", "service"))))),
        ("s:(a b:c)", And((Word("a", "s"), Word("c", "b")))),
        (
            "status:(>=400 AND <500)",
            And((Comparison("status", ">=", "400"), Comparison("status", "<", "500"))),
        ),
        ("s:(!=5)", Comparison("s", "!=", "5")),
        ("http.status>=500", Comparison("http.status", ">=", "500")),
        ("status:>=500", Comparison("status", ">=", "500")),
        ("x=-5", Comparison("x", "=", "-5")),
        ("x==5", Comparison("x", "=", "5")),
        ('x!="a b"', Comparison("x", "!=", "a b")),
        ('x:""', Comparison("x", "=", "")),
        ("x-request-id:7", Word("7", "x-request-id")),
        ("@timestamp>=2026-11-20", Comparison("@timestamp", ">=", "2026-11-20")),
        (r"a\ b:c", Word("c", "a b")),
        ("call_id:X OR callId:X", Or((Word("X", "call_id"), Word("X", "callId")))),
        ("call_id:*", Exists("call_id")),
        ("_exists_:call_id", Exists("call_id")),
        ("x:[* TO *]", Exists("x")),
        ("d:[200 TO *]", Range("d", "200", None)),
        ("d:{1 TO 2}", Range("d", "1", "2", low_inclusive=False, high_inclusive=False)),
        ("d:[1 TO 2}", Range("d", "1", "2", high_inclusive=False)),
        ('d:["a b" TO "c"]', Range("d", "a b", "c")),
        ("level>=warn", Comparison("level", ">=", "warn")),
        ('_contains_:"a b"', Substring("a b")),
        ("_contains_exactly_:A", Substring("A", ignore_case=False)),
    ],
)
def test_the_language_means_what_its_writers_mean(text, query):
    assert parse(text) == query


@pytest.mark.parametrize(
    ("text", "position", "problem", "remedy"),
    [
        ("a AND", 5, "ends where a term", "Write a word"),
        ("a OR OR b", 5, "OR needs a term", '"OR" in quotes'),
        ("AND b", 0, "AND needs a term", "both sides|Add one"),
        ("(a b", 0, "never closed", r"Add a '\)'"),
        ("a b)", 3, "closes nothing", "in quotes"),
        ("a ()", 3, "expected before", "Write a word"),
        ('a "b', 2, "quote is never closed", "closing"),
        ('""', 0, "empty", "between the quotes"),
        ('"a b"~2', 5, "not offered", "Take it out"),
        ("x: y", 2, "no value after its colon", "without a space"),
        ("x>= 5", 3, "value was expected", "without a space"),
        ("x=~y", 2, "no operator =~", "x:/regex/"),
        ("x:[1 2]", 5, "needs TO", "low TO high"),
        ("x:[1 TO 2", 2, "never closed", "Close it"),
        ("x:[ TO 2]", 7, "needs TO", "low TO high"),
        ("x:[1 TO ]", 8, "end of the range", "open end"),
        ("*:x", 0, "needs a name", "Name it"),
        ("level>=wran", 0, "no severity named 'wran'", "Did you mean 'warn'"),
        ("level:[banana TO error]", 6, "no severity", "trace, debug, info"),
        ("timestamp>=soon", 11, "not a time", "ISO"),
        ("timestamp>=now-2h", 11, "moves with the clock", "since"),
        ("a /(?=b)/", 2, "regular expression", "Look-around"),
        ("/(?<!a)b/", 0, "regular expression", "NOT"),
        (r"/(a)\1/", 0, "regular expression", "Back-references"),
        ("/a++b*/", 0, "regular expression", "possessive"),
        ("/[/ x]/", 0, "missing ]", "RE2"),
    ],
)
def test_a_mistake_is_answered_with_its_place_and_what_to_write(text, position, problem, remedy):
    with pytest.raises(BadQuery, match=problem) as caught:
        parse(text)

    assert caught.value.position == position
    assert caught.match(remedy)
    shown, caret = caught.value.remedy.splitlines()[-2:]
    assert shown.strip() == text
    assert caret.index("^") == position + 2


def test_a_wrong_name_is_answered_with_the_nearest():
    with pytest.raises(BadQuery, match="Did you mean 'severity'"):
        parse("severty>=error", fields=["user"])
    with pytest.raises(BadQuery, match="Did you mean 'duration_ms'"):
        parse("a AND _exists_:durationms", fields=["duration_ms"])


def test_known_names_and_every_spelling_of_a_column_are_accepted():
    fields = ["http.status"]

    assert parse("http.status:200 level>=warn service:a", fields)


def test_without_known_names_any_name_is_accepted():
    assert parse("severty:x") == Word("x", "severty")


def test_times_that_move_are_fixed_when_the_query_is_read():
    query = parse("timestamp>=now-1h timestamp<end-1m", now_ns=NOW, end_ns=NOW)

    assert query == And(
        (
            Comparison("timestamp", ">=", "2026-11-20T12:45:02Z"),
            Comparison("timestamp", "<", "2026-11-20T13:44:02Z"),
        )
    )


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("error or quota", "'or' is searched as a word; the operator is written OR"),
        ("error And quota", "the operator is written AND"),
        ("not error", "the operator is written NOT"),
        (r"\d+", "a regex is /"),
        ("/error/i", r"\(\?i\)"),
        ("quota~2", "no fuzzy"),
        ("service=che*", r"service:wild\*"),
    ],
)
def test_what_may_not_mean_what_was_meant_is_noted(text, note):
    (said,) = parse_with_notes(text).notes

    assert re.search(note, said)


@pytest.mark.parametrize(
    "text",
    [
        "error OR quota",
        "or",
        "and then",
        '"a or b"',
        "field:or x",
        r"a\(b",
        "/api/v1 x",
        "a AND b",
        "-or x",
        r"\AND",
    ],
)
def test_a_plain_query_has_no_notes(text):
    assert parse_with_notes(text).notes == ()


@pytest.mark.parametrize("text", ["(" * 65 + "a" + ")" * 65, "NOT " * 65 + "a", "-(" * 33 + "a" + ")" * 33])
def test_deep_nesting_is_refused(text):
    with pytest.raises(BadQuery, match="64 deep"):
        parse(text)


def test_queries_at_the_limits_are_read():
    assert parse("(" * 64 + "a" + ")" * 64) == A
    assert parse("a " * 4096) == And((A,) * 4096)


@pytest.mark.parametrize(
    "text", ["a" * 4000 + "-" + ">" * 4000, "/[ " * 2700, "a:" * 4000, "[" * 8000, "\\" * 8000, "-a " * 2700]
)
def test_hostile_text_is_read_without_delay(text):
    work = []
    sys.setprofile(lambda _frame, event, _argument: work.append(event) if event == "call" else None)
    try:
        parse(text)
    finally:
        sys.setprofile(None)

    assert len(work) < 40 * len(text)


def test_long_queries_and_patterns_are_refused():
    with pytest.raises(BadQuery, match="8,193 bytes"):
        parse("é" * 4096 + "a")
    with pytest.raises(BadQuery, match="1,025 bytes"):
        parse(f"/{'a' * 1025}/")
    with pytest.raises(BadQuery, match="wildcard has 1,025 bytes"):
        parse("a*" + "b" * 1023)
    with pytest.raises(BadQuery, match="cannot be read"):
        parse("/((a{100}){100}){100}/")


SNIPPETS = st.sampled_from(
    [
        "AND",
        "OR",
        "NOT",
        "(",
        ")",
        '"',
        "/",
        "\\",
        ":",
        "a",
        "level",
        ">=",
        "[",
        "]",
        "{",
        "}",
        " ",
        "TO",
        "*",
        "-",
        "!",
        "&&",
    ]
)


@given(st.lists(SNIPPETS | st.text(max_size=3), max_size=20).map("".join))
def test_any_text_is_a_query_that_reads_back_or_is_refused(text):
    try:
        query = parse(text)
    except BadQuery as error:
        place = error.position
    else:
        place = 0
        assert parse(str(query)) == query

    assert 0 <= place <= len(text)


def test_many_threads_may_read_queries_at_once():
    wanted = parse("(a OR b) service:(x y) /r+/")
    read = []

    def work():
        read.extend(parse("(a OR b) service:(x y) /r+/") == wanted for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert read == [True] * 400


# --- the same trees as luqum, an independent reader of Lucene's syntax, where the two languages agree ---

LUCENE_WORDS = st.from_regex(r"[a-z]{1,4}", fullmatch=True).filter(
    lambda word: word not in ("to", "and", "or", "not") and not is_severity(word) and not is_timestamp(word)
)


def lucene_terms():
    """Terms as Lucene writes them, beside the tree that they mean."""
    values = st.one_of(
        LUCENE_WORDS.map(lambda word: (word, Word(word))),
        LUCENE_WORDS.map(lambda word: (f"{word}*", Wildcard(f"{word}*"))),
        st.tuples(LUCENE_WORDS, LUCENE_WORDS).map(
            lambda pair: (f'"{pair[0]} {pair[1]}"', Phrase(" ".join(pair)))
        ),
        LUCENE_WORDS.map(lambda word: (f"/{word}+/", Regex(f"{word}+"))),
    )
    numbers = st.integers(0, 99).map(str)
    ranges = st.builds(
        lambda name, low, high, opening, closing: f"{name}:{opening}{low} TO {high}{closing}",
        LUCENE_WORDS,
        numbers,
        numbers | st.just("*"),
        st.sampled_from("[{"),
        st.sampled_from("]}"),
    )
    fielded = st.tuples(LUCENE_WORDS, values).map(lambda pair: f"{pair[0]}:{pair[1][0]}")
    return st.one_of(values.map(lambda pair: pair[0]), fielded, ranges)


LUCENE_QUERIES = st.recursive(
    lucene_terms(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from((" AND ", " OR ")), inner).map(lambda parts: f"({''.join(parts)})"),
        st.tuples(inner, inner, inner).map(" OR ".join).map("({})".format),
        st.tuples(inner, inner, inner).map(lambda three: f"({three[0]} OR {three[1]} AND {three[2]})"),
        inner.map("NOT {}".format).map("({})".format),
        inner.map("(-{})".format),
    ),
    max_leaves=6,
)


def tree_of_luqum(node, field=None):
    """luqum's tree in our words."""
    luqum = pytest.importorskip("luqum.tree", reason="luqum reads the same text as an independent judge")
    match node:
        case luqum.Group() | luqum.FieldGroup():
            return tree_of_luqum(node.expr, field)
        case luqum.AndOperation():
            return And(tuple(tree_of_luqum(child, field) for child in node.children))
        case luqum.OrOperation():
            return Or(tuple(tree_of_luqum(child, field) for child in node.children))
        case luqum.Not() | luqum.Prohibit():
            return Not(tree_of_luqum(node.a, field))
        case luqum.SearchField():
            return tree_of_luqum(node.expr, node.name)
        case luqum.Range():
            ends = [None if str(end).strip() == "*" else str(end).strip() for end in (node.low, node.high)]
            return Range(field, *ends, node.include_low, node.include_high)
        case luqum.Phrase():
            return Phrase(node.value[1:-1], field)
        case luqum.Regex():
            return Regex(node.value[1:-1], field)
        case luqum.Word() if node.has_wildcard():
            return Wildcard(node.value, field)
        case _:
            return Word(node.value, field)


@given(LUCENE_QUERIES)
def test_the_tree_is_the_one_that_luqum_reads(text):
    luqum = pytest.importorskip("luqum.parser", reason="luqum reads the same text as an independent judge")

    assert parse(text) == tree_of_luqum(luqum.parser.parse(text))
