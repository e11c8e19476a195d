"""Families: the same words with other signs and slots are one template; other words never are."""

from itertools import product

import pytest

from logpith.templates.families import LEAST_WITH_OPTIONAL_WORDS, find_families

CLOSE = [
    "close, <*> bytes sent, <*> bytes received, lifetime <*>",
    "close, <*> bytes (<*>) sent, <*> bytes received, lifetime <*>",
    "close, <*> bytes sent, <*> bytes (<*>) received, lifetime <*>",
    "close, <*> bytes (<*> KB) sent, <*> bytes (<*> KB) received, lifetime <<*> sec",
]
ERRORS = [
    f"error creating map from file <*>: {reason}"
    for reason in ("no child", "bad descriptor", "device required", "permission denied", "file exists")
]


def test_optional_parts_make_one_family_led_by_the_most_frequent():
    assert find_families(CLOSE, [1, 9, 3, 2]) == [1] * len(CLOSE)


def test_words_that_tell_reasons_apart_are_never_given_up():
    assert find_families(ERRORS, [1] * len(ERRORS)) == list(range(len(ERRORS)))


def test_an_added_key_is_another_template():
    head = "login failed for account <*> from host <*>"
    texts = [head + extra for extra in ("", " user=<*>", " tty=<*>", " pid=<*>", " a=<*>")]

    assert find_families(texts, [1] * len(texts)) == list(range(len(texts)))


def test_what_stands_in_quotes_is_a_value():
    texts = [
        f'file "{name}" could not be opened by worker <*> in time'
        for name in ("a plan", "the other one", "x", "notes of may", "b c")
    ]

    assert set(find_families(texts, [5, 4, 3, 2, 1])) == {0}


def test_few_words_are_no_evidence():
    assert find_families(["call (a)", "call (b)"], [1, 1]) == [0, 1]


def packets(*optional):
    """Templates of one statement whose parts come and go independently."""
    chosen = product(*(("", part) for part in optional))
    return [
        "accept on <*> from <*>{} proto <*> len <*> via link <*>{} ttl <*>{}".format(*parts)
        for parts in chosen
    ]


def test_words_that_come_and_go_independently_make_one_family():
    texts = packets(" fragment", " mark <*>", " id <*>")

    assert find_families(texts, [*range(len(texts), 0, -1)]) == [0] * len(texts)


def test_few_templates_are_no_evidence_of_optional_words():
    texts = packets(" fragment", " mark <*>", "")[::2]

    assert len(texts) < LEAST_WITH_OPTIONAL_WORDS
    assert find_families(texts, [1] * len(texts)) == list(range(len(texts)))


@pytest.mark.parametrize("telling", [" refused", " not", " timed out", " with error <*>"])
def test_a_word_that_tells_of_a_failure_is_never_optional(telling):
    texts = packets(" fragment", " mark <*>", " id <*>", telling)
    harmless = [place for place, text in enumerate(texts) if telling not in text]

    leaders = find_families(texts, [2 if place in harmless else 1 for place in range(len(texts))])

    assert len({leaders[place] for place in harmless}) == 1
    assert all(leaders[place] not in harmless for place in range(len(texts)) if place not in harmless)


def test_words_in_the_place_of_others_keep_templates_apart():
    texts = [
        f"cannot open the device <*> of array <*>: {reason}"
        for reason in (
            "permission denied",
            "no route",
            "bad descriptor",
            "busy now",
            "file exists",
            "is full",
        )
    ]

    assert find_families(texts, [1] * len(texts)) == list(range(len(texts)))


def test_a_line_that_only_grows_longer_is_no_family():
    texts = [
        "start of the engine <*>" + "".join(words)
        for words in ([" and pump"] * length + [" for zone"] * (length > 2) for length in range(6))
    ]

    assert find_families(texts, [1] * len(texts)) == list(range(len(texts)))
