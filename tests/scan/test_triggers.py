"""Triggers leave out no text that a rule of redaction asks about."""

from hypothesis import given
from hypothesis import strategies as st

from logpith.batch import make_batch, text_spans
from logpith.scan.triggers import ALONE, BESIDE_DIGITS, BESIDE_WORD, Triggers, mark_suspects
from logpith_emit.redaction.runs import has_digit_run

TRIGGERS = Triggers.of({ALONE: ["key", "ke", "@", "eyes"], BESIDE_WORD: ["sk-"]}, always=BESIDE_DIGITS)


def marked(*texts, triggers=TRIGGERS):
    return both(*texts, triggers=triggers)[0].tolist()


def both(*texts, triggers=TRIGGERS):
    return mark_suspects(*text_spans(make_batch(texts, observed_ns=0, source="s")["line"]), triggers)


def test_a_literal_alone_marks_a_text_in_any_case_and_overlapping_others():
    assert marked(b"MonKEy", b"kkey", b"eyeyes", b"eye", b"a@b", b"") == [
        True,
        True,
        True,
        False,
        True,
        False,
    ]


def test_a_literal_beside_a_run_of_letters_needs_both():
    run = b"a1_-" * 4

    assert marked(b"sk-", b"x " + run, b"sk- " + run, run[:15] + b" sk") == [False, False, True, False]


def test_digits_in_a_row_or_in_groups_of_four_are_a_run():
    assert marked(b"41111111111111", b"4111111111111", b"4111-1111 1111", b"3700 000000 0000") == [
        True,
        False,
        True,
        True,
    ]
    assert marked(b"411 1111 1111", b"4111  1111 1111", b"2026-11-20 12-00-01") == [False, False, False]


def test_a_row_begins_with_its_heads_only_and_not_behind_its_bars():
    cards = Triggers.of({}, always=BESIDE_DIGITS, heads="45", bars="-a")

    assert marked(
        b"41111111111111", b"11111111111111", b"-41111111111111", b"a41111111111111", triggers=cards
    ) == [
        True,
        False,
        False,
        False,
    ]


def test_a_long_literal_is_found_by_its_rarest_letters_and_no_text_by_a_piece_of_it():
    triggers = Triggers.of({ALONE: ["authorization", "credential", "key"]})

    assert marked(b"Authorization", b"authorized", b"credits, initial", b"monkey", triggers=triggers) == [
        True,
        False,
        False,
        True,
    ]


@given(st.lists(st.text(alphabet="4567 1-a", max_size=60), min_size=1, max_size=4))
def test_runs_of_digits_are_found_wherever_they_begin(texts):
    """As the redactor finds them, but for what no card begins with."""
    expected = [has_digit_run(text.replace("1", "4").encode()) for text in texts]
    everything = Triggers.of({}, always=BESIDE_DIGITS)

    assert marked(*(text.encode() for text in texts), triggers=everything) == expected


@given(st.text(alphabet="keysK@- 14a\u212a", max_size=30))
def test_the_literals_of_a_text_are_among_those_that_its_grams_tell(text):
    literals = ("key", "sk-", "@", "eyes", "skeyes")
    triggers = Triggers.of({ALONE: literals[:3], BESIDE_WORD: literals[3:]})

    told = triggers.within(int(both(text.encode(), triggers=triggers)[1][0]))

    assert told is None if "\u212a" in text else {one for one in literals if one in text.lower()} <= {*told}


def test_no_character_but_two_becomes_ascii_as_a_small_letter():
    """What the machine folds alike: it knows ASCII, and these."""
    found = {chr(code) for code in range(128, 0x110000) if any(sign.isascii() for sign in chr(code).lower())}

    assert found == {"\u212a", "\u0130"}
    assert marked("\u212a".encode(), "\u0130".encode(), "\u0131".encode()) == [True, True, False]


@given(st.lists(st.text(alphabet="keysK@- 14a\u212a", max_size=30), min_size=1, max_size=6))
def test_it_marks_what_holds_a_literal(texts):
    triggers = Triggers.of({ALONE: ["key", "sk-", "@"]})
    odd = "\u212a"

    expected = [any(one in text.lower() for one in ("key", "sk-", "@")) or odd in text for text in texts]

    assert marked(*(text.encode() for text in texts), triggers=triggers) == expected
