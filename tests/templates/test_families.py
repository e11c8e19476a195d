"""Families: the same words with other signs and slots are one template; other words never are."""

from logpith.templates.families import find_families

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
