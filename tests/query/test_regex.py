import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.query.regex import compile_own, compile_regex, literals_of, mark_matching
from logpith_emit.errors import BadArgument


def test_a_regex_is_searched_with_its_case():
    find = compile_regex(r"quota (\d+)")

    assert find("the quota 12 is")
    assert not find("Quota 12")
    assert compile_regex("(?i)QUOTA")("quota")


@given(st.text(st.characters() | st.sampled_from("\ud800\udfff")))
def test_any_text_may_be_searched(text):
    assert compile_regex("")(text)


def test_a_pattern_that_takes_other_engines_forever_is_quick():
    assert not compile_regex("(a*)*b")("a" * 50_000)


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        ("a(?=b)", "/a/ AND /b/"),
        ("a(?!b)", "NOT"),
        ("(?<=a)b", "Look-around"),
        (r"(a)\1", "Back-references"),
        ("(?P<x>a)(?P=x)", "Back-references"),
        ("(?>a)", "atomic"),
        (r"a\Z", r"\\z"),
        ("(", "RE2"),
    ],
)
def test_what_re2_does_not_read_is_refused_with_what_to_write(pattern, advice):
    with pytest.raises(BadArgument, match=advice):
        compile_regex(pattern)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("quota exceeded", ["quota exceeded"]),
        (r"Quota (\d+) of", ["quota "]),
        ("err|fail", ["err", "fail"]),
        ("err|", None),
        ("ab*c", ["a"]),
        ("ab+c", ["ab"]),
        ("colou?r", ["colo"]),
        ("ab{0,2}cde", ["cde"]),
        (r"blk_-?[0-9]{3}7[0-9]+ terminating", [" terminating"]),
        (r"\x41bcd", ["bcd"]),
        (r"\x{41}bcd", ["bcd"]),
        (r"\pLbcd\.e", ["bcd.e"]),
        (r"[abc]xy[[:alpha:]]z", ["xy"]),
        (r"[]a]xyz", ["xyz"]),
        (r"[^]\]]xyz", ["xyz"]),
        (r"(a(b)[)]|c)xyz", ["xyz"]),
        ("(?i)task", ["ta"]),
        ("(?:abc)", None),
        (r"\Qabc\E", None),
        (r"\d+", None),
    ],
)
def test_the_longest_literal_of_each_branch_is_required(pattern, literals):
    compile_regex(pattern)

    assert literals_of(pattern) == (None if literals is None else tuple(literals))


ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "K",
        "s",
        ".",
        r"\d",
        r"\w",
        r"\x41",
        r"\.",
        "[ab]",
        "[^a]",
        "[]b]",
        "(a|b)",
        "(?:ab)",
        "(?i)",
        "^",
        "$",
        r"\b",
        "é",
        "-",
    ]
)
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{0}", "{2}", "{1,}", "*?", "+?", "{,2}"])
PATTERNS = st.lists(st.tuples(ATOMS, REPEATS).map("".join) | st.just("|"), min_size=1, max_size=6).map(
    "".join
)


@given(PATTERNS, st.text("abABkKsS\u017f\u212a.-é1{,2}", max_size=12))
def test_a_text_with_a_match_has_one_of_the_literals(pattern, text):
    try:
        find = compile_regex(pattern)
    except BadArgument:
        return
    literals = literals_of(pattern)

    if literals is not None and find(text):
        lowered = text.encode().lower().decode()
        assert any(literal in lowered for literal in literals)


LINES = st.lists(
    st.text("abABkKsS\u017f\u212a.-é1", max_size=8).map(str.encode) | st.binary(max_size=4), max_size=6
)


@given(PATTERNS, LINES)
def test_lines_that_are_marked_are_those_in_which_a_match_is_found(pattern, lines):
    try:
        compile_regex(pattern)
    except BadArgument:
        return
    lines = [line.replace(b"\n", b"") for line in lines]
    buf = np.frombuffer(b"".join(line + b"\n" for line in lines), np.uint8)
    ends = np.flatnonzero(buf == ord("\n"))
    starts = np.append(0, ends[:-1] + 1)[: len(lines)]

    marked = mark_matching(pattern, buf, starts, ends)

    find = compile_own(pattern)
    assert marked.tolist() == [find(line.decode("utf-8", "surrogateescape")) for line in lines]
