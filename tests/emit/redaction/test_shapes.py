"""A line that is told to be clean by its shape has nothing to redact."""

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logpith_emit.redaction import DEFAULT_RULES, Redactor, Rule
from secret_samples import PIECES, SECRETS_IN_TEXT


def line_of(text):
    """A flat line of JSON with one plain name, as `is_clean_line` wants it."""
    return json.dumps({"message": text}, separators=(",", ":")).encode()


def of_the_same_shape(text):
    """Other words that look the same to whoever sees classes of letters only."""
    for letters, letter in {"[acdefACDEF]": "f", "[0-9]": "7", "[G-Zg-z_]": "x"}.items():
        text = re.sub(letters, letter, text)
    return text


@pytest.mark.parametrize(("text", "secret"), SECRETS_IN_TEXT)
def test_no_line_with_a_secret_is_clean_whatever_lines_came_before(text, secret):
    redactor = Redactor()
    text = text.replace("§", secret)
    redactor.is_clean_line(line_of(of_the_same_shape(text)), 1)

    assert not redactor.is_clean_line(line_of(text), 1)


@settings(max_examples=400)
@example(["Bearer ", "mF_9.B5f-4.1JqM"], ["xxxxxx ", "mF_9.x5f-4.1JqM"])
@example(["basic ", "YW5uOmh1"], ["bossy ", "YW5uOmh1"])
@example(["4111 1111 1111 1111"], [])
@given(
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=6),
    st.lists(st.sampled_from(PIECES), max_size=6),
)
def test_what_is_said_to_be_clean_has_nothing_to_redact(pieces, before):
    redactor = Redactor()
    text, other = "".join(pieces), "".join(before)

    for one in (other, of_the_same_shape(text), text, of_the_same_shape(other), other):
        if redactor.is_clean_line(line_of(one), 1):
            assert redactor.redact(one) == one


def test_plain_lines_are_clean_and_remembered_by_their_shape():
    redactor = Redactor([*DEFAULT_RULES])
    asked = []
    redactor._candidates = lambda *_: asked.append(1) or []

    assert redactor.is_clean_line(b'{"message":"call 17 answered","route":"/pay","took":3.5}', 3)
    assert redactor.is_clean_line(b'{"message":"boat 18 answered","route":"/pay","took":4.5}', 3)
    assert asked == []
    assert redactor.is_clean_line(b'{"message":"call 17 answered","route":"/pay","took":3.5}', 2)
    assert redactor.is_clean_line(b'{"message":"at 12:30"}', 1)
    assert asked == [1, 1]


@pytest.mark.parametrize(
    "text",
    [
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 and 1e0b7a30-0f3c-4f6e-9d40-0d9be2b5d1aa",
        "3F786850E387550FDAB836ED7E6DC881DE23001B",
        "a bottle of bearings, basil in the Caribbean",
    ],
)
def test_ids_in_hexadecimal_digits_and_harmless_words_are_clean(text):
    redactor = Redactor()
    redactor._candidates = None  # is not asked

    assert redactor.is_clean_line(line_of(text), 1)


@pytest.mark.parametrize(
    "prefix",
    [
        "whsec_ab+",
        "hooks.slack.com/services/",
        "SG.",
        "ya29.",
        "hvs.",
        "sk_live_",
        "hf_",
        "npm_",
        "ghp_",
        "eyJ",
    ],
)
def test_keys_of_hexadecimal_digits_behind_a_prefix_are_not_clean(prefix):
    key = prefix + "4bf92f3577b34da6a3ce929d0e0e4736" + ("." + "a" * 20 if prefix in ("SG.", "eyJ") else "")

    assert Redactor().redact(key) != key
    assert not Redactor().is_clean_line(line_of(key), 1)


def test_rules_of_ones_own_are_asked_of_every_line():
    redactor = Redactor([Rule(kind="plate", pattern=r"\b[A-Z]{2}-\d{4}\b")])

    assert not redactor.is_clean_line(line_of("car XY-1234"), 1)
