"""Texts and fields come back without secrets, each value with a placeholder that stays the same."""

import json
from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from logpith_emit.redaction import DEFAULT_RULES, Redactor, Rule
from secret_samples import PIECES


def test_the_same_value_keeps_its_placeholder():
    redactor = Redactor()

    first = redactor.redact("login ann@example.org password=hunter2")
    second = redactor.redact("mail bob@example.org ann@example.org, Authorization: Bearer mF_9.B5f-4.1JqM")
    third = redactor.redact("token=mF_9.B5f-4.1JqM")

    assert first == "login <email:1> password=<secret:1>"
    assert second == "mail <email:2> <email:1>, Authorization: Bearer <secret:2>"
    assert third == "token=<secret:2>"
    assert redactor.counts == Counter(email=3, secret=3)


def test_a_forgotten_value_gets_a_number_that_nobody_had():
    redactor = Redactor(most_remembered=2)

    numbers = [redactor.redact(f"{name}@example.org") for name in "abcab"]

    assert len(set(numbers)) == 5


def test_the_redactor_keeps_no_secret_in_memory():
    redactor = Redactor()
    redactor.redact("password=hunter2 ann@example.org")

    kept = repr({name: value for name, value in vars(redactor).items() if name != "_compile"})

    assert "hunter2" not in kept
    assert "ann@" not in kept


def test_json_stays_json():
    text = '{"password": 12345, "a": {"pwd": "y", "token": true}, "n": [1, {"api_key": 1234567}]}'

    redacted = json.loads(Redactor().redact(text))

    assert redacted == {
        "password": "<secret:1>",
        "a": {"pwd": "<secret:2>", "token": True},
        "n": [1, {"api_key": "<secret:3>"}],
    }


def test_json_inside_json_stays_json():
    inner = json.dumps({"password": 12345, "api_key": 'with "quotes" \\ in it', "n": 1})

    redacted = json.loads(Redactor().redact(json.dumps({"body": inner})))

    body = json.loads(redacted["body"])
    assert {body.pop("password"), body.pop("api_key")} == {"<secret:1>", "<secret:2>"}
    assert body == {"n": 1}


def test_fields_are_redacted_by_name_and_by_content():
    redacted = Redactor().redact_fields(
        {
            "api_key": "k",
            "dbPassword": 12345,
            "user": {"mail": "ann@example.org", "password": None, "tokens": 300, "token": 5},
            "list": ["ann@example.org", 1.5, True],
            "Authorization": ["Custom x1"],
        }
    )

    assert redacted == {
        "api_key": "<secret:1>",
        "dbPassword": "<secret:2>",
        "user": {"mail": "<email:1>", "password": None, "tokens": 300, "token": 5},
        "list": ["<email:1>", 1.5, True],
        "Authorization": ["<secret:3>"],
    }


def test_fields_nested_without_end_are_still_redacted():
    endless: dict[str, object] = {"mail": "ann@example.org"}
    endless["self"] = endless

    assert "ann@" not in repr(Redactor().redact_fields(endless))


def test_a_rule_without_triggers_is_tried_on_every_text():
    assert (
        Redactor([Rule(kind="plate", pattern=r"\b[A-Z]{2}-\d{4}\b")]).redact("car XY-1234") == "car <plate:1>"
    )


@settings(max_examples=400)
@example(["token", ": ", "ann@example.org", "}"])
@example(["<secret:1>", "=", "hunter2"])
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=14))
def test_redacted_text_has_no_match_left(pieces):
    redactor = Redactor()

    redacted = redactor.redact("".join(pieces))

    assert redactor.redact(redacted) == redacted
    assert Redactor().redact(redacted) == redacted


@given(st.sampled_from(sorted({rule.kind for rule in DEFAULT_RULES})), st.integers(1, 10**9))
def test_a_placeholder_is_no_secret(kind, number):
    placeholder = f"<{kind}:{number}>"

    for text in (
        placeholder,
        f"password={placeholder}",
        f'"token": "{placeholder}"',
        f"://a:{placeholder}@host",
    ):
        assert Redactor().redact(text) == text


def test_placeholders_of_ones_own_are_known_again():
    redactor = Redactor(placeholder=lambda kind, value: f"<{kind}:{len(value)}>")

    once = redactor.redact("mail ann@example.org password=hunter2")

    assert once == "mail <email:15> password=<secret:7>"
    assert redactor.redact(once) == Redactor().redact(once) == once
    assert redactor.counts["email"] == 1
    assert Redactor(placeholder=lambda _kind, _value: "").redact("to ann@example.org") == "to "
