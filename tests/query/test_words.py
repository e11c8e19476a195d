import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from logpith.query import Wildcard
from logpith.query.regex import compile_regex
from logpith.query.words import PLAIN, fold, phrase_finder, plain_runs, readings, wildcard_regex
from strategies import wildcards


def contains(text, word):
    return any(map(phrase_finder(word), map(fold, readings(text))))


def contains_wild(text, pattern):
    find = compile_regex(wildcard_regex(Wildcard(pattern).pieces))
    return any(map(find, map(fold, readings(text))))


@given(wildcards(), st.text("aAbBkKsS\u017f\u212a_-. 1é\n", max_size=12))
def test_a_wildcard_of_any_case_is_found_in_a_text_as_it_stands(pattern, text):
    assume(pattern.isascii())
    wildcard = Wildcard(pattern)
    in_any_case = compile_regex(wildcard_regex(wildcard.pieces, any_case=True))

    assert in_any_case(text) == compile_regex(wildcard_regex(wildcard.pieces))(fold(text))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Connection refused", "REFUSED"),
        ("connection-refused:", "refused"),
        ("refused_by, refused", "refused"),
        ("from 10.0.0.1:22", "10.0.0.1"),
        ("[error] x", "[error]"),
        ("quota  exceeded", "quota  exceeded"),
        ("Ошибка сети", "ошибка"),
        ("Übergröße", "übergröße"),
        ("C:\\new\\table", "table"),
        (r'{"m":"Traceback\nValueError: x"}', "ValueError"),
        (r'{"m":"say \"hi\" now"}', 'say "hi" now'),
        (r'{"m":"\u043e\u0448\u0438\u0431\u043a\u0430"}', "ошибка"),
    ],
)
def test_a_word_is_found_between_delimiters_without_regard_to_case(text, word):
    assert contains(text, word)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("refused_by", "refused"),
        ("prefused", "refused"),
        ("10.0.0.12", "10.0.0.1"),
        ("éclair", "clair"),
        ("quota exceeded", "quota  exceeded"),
        (r"\u0041bc", "abc"),
        ("", "a"),
    ],
)
def test_a_part_of_a_word_is_not_found(text, word):
    assert not contains(text, word)


@pytest.mark.parametrize(
    ("text", "pattern", "is_found"),
    [
        ("Quota_exceeded", "quot*", True),
        ("a quota", "quot*", True),
        ("myquota", "quot*", False),
        ("myquota", "*quota", True),
        ("quotas", "*quota", False),
        ("timeout", "t?me*out", True),
        ("tiime", "t?me", False),
        ("10.0.3.7 up", "10.0.*", True),
        ("a b", "a*b", False),
        ('"a":"b"', "a*b", False),
        ("f(x)", "f(*)", True),
        ("éabc", "abc*", False),
        ("what?", r"what\?*", True),
    ],
)
def test_a_wildcard_is_a_word_with_holes(text, pattern, is_found):
    assert contains_wild(text, pattern) is is_found


@given(st.text())
def test_folding_keeps_the_length_and_makes_no_ascii(text):
    folded = fold(text)

    assert len(folded) == len(text)
    assert all(ord(before) < 128 for before, after in zip(text, folded, strict=True) if ord(after) < 128)


def test_no_character_past_ascii_folds_to_ascii():
    wrong = [
        hex(code)
        for code in range(128, sys.maxunicode + 1)
        if len(fold(chr(code))) != 1 or ord(fold(chr(code))) < 128
    ]

    assert wrong == []


@given(st.text(st.sampled_from('\\\\\\u0041eéntr"/ab x') | st.characters()), st.text(min_size=1))
def test_text_that_contains_a_word_contains_its_plain_runs(text, word):
    if contains(text, word):
        assert all(run in text.lower() for run in plain_runs(word))


@given(st.text(st.sampled_from('\\u0061e9ntr"/b x')))
def test_undoing_escapes_makes_no_plain_run_that_was_not_there(text):
    for reading in readings(text):
        for run in plain_runs(reading):
            assert run in fold(text)


def test_plain_runs_are_the_ascii_pieces_that_json_leaves_alone():
    assert plain_runs('Größe "x-1", ok') == ["gr", "e ", "x-1", ", ok"]
    assert plain_runs("a b", without=" ") == ["a", "b"]
    assert all(character.isascii() for character in PLAIN)
