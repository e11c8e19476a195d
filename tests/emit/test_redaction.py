import dataclasses
import json
import os
import pickle
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logpith_emit.redaction import DEFAULT_RULES, IP_RULE, PHONE_RULE, Redactor, Rule
from secret_samples import JWT, PEM, SECRETS_IN_TEXT, VENDOR_KEYS


@pytest.mark.parametrize(("text", "secret"), SECRETS_IN_TEXT)
def test_a_secret_leaves_the_text_and_the_rest_stays(text, secret):
    before, _, after = text.partition("§")

    redacted = Redactor().redact(before + secret + after)

    assert secret not in redacted
    assert re.search(r"<[a-z_]+:1>", redacted)
    assert redacted.endswith(after)
    assert redacted.startswith(before) or before[0].isdigit()


HARMLESS = [
    "token_count=5",
    "tokens: 300 max_tokens=4096 prompt_tokens: 12",
    "token: 5",
    "password authentication failed for user ann",
    "Failed password for root from 10.0.0.1 port 22 ssh2",
    "Access denied for user 'ann'@'host' (using password: YES)",
    "password: ****",
    "password=${DB_PASSWORD} token={{ token }} secret=%s",
    "password=[REDACTED] token=null secret=None",
    "unexpected token: identifier",
    "invalid token: missing",
    "Basic authentication required, bearer authentication too",
    "Basic information about bearer bonds",
    "Authorization: failed",
    "request 1e0b7a30-0f3c-4f6e-9d40-0d9be2b5d1aa",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "call CA1678fb0732dac8edd1ea929e292743f2 ended",
    "trace 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "at 2025-11-18T17:05:12.123456789Z or 1731945600000 or 1731945600000000000",
    "081109 203615 148 INFO block blk_-1608999687919862906 to 10.250.19.102:50010",
    "id 4111111111111112",  # the check digit is wrong
    "blk_-4111111111111111",
    "0.4111111111111111",
    "a4111111111111111",
    "org.apache.Foo@1a2b3c and QuorumPeer[myid=1]:FastLeaderElection@774",
    "git@github.com:org/repo icon@2x.png react@18.2.0",
    "akka.tcp://driver@10.10.34.11:55989",
    "see http://host:8080/a?b=c:d and [::1]:80",
    "npm_config_registry=https://registry.example task-management-of-a-very-long-name",
    "monkey: 5, keyboard=us, key=value",
    "assertion_key_count: 12",
    "eyJust a word",
    "",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text):
    assert Redactor().redact(text) == text


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


def test_a_key_cut_at_its_beginning_is_blanked_to_its_end():
    redacted = Redactor().redact(PEM[45:] + "\nnext")

    assert redacted == "<private_key:1>\nnext"


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


@pytest.mark.parametrize(
    "name",
    [
        *("cvv", "card.cvc2", "cardCvv", "card_security_code", "passCode", "pass-phrase", "pincode"),
        *("otp", "login_totp", "verificationCode", "one_time_code", "2fa_code", "Set-Cookie"),
        *("otp_code", "MFACode", "HTTPCookie"),
    ],
)
def test_some_names_are_those_of_secrets_only_of_fields(name):
    assert Redactor().redact_fields({name: "4711", "is_" + name: None}) == {
        name: "<secret:1>",
        "is_" + name: None,
    }


@pytest.mark.parametrize(
    "name", ["code", "pin", "status_code", "otp_sent", "cookies", "sid", "call_sid", "scvv"]
)
def test_names_that_mean_much_else_are_no_secrets(name):
    assert Redactor().redact_fields({name: "4711"}) == {name: "4711"}


def test_fields_nested_without_end_are_still_redacted():
    endless: dict[str, object] = {"mail": "ann@example.org"}
    endless["self"] = endless

    assert "ann@" not in repr(Redactor().redact_fields(endless))


def test_addresses_and_telephones_are_redacted_when_asked_for():
    text = "10.0.0.1:80 and fe80::1 of +43 660 1234567, version 1.2.3.4.5, at 12:30:45"

    assert Redactor().redact(text) == text
    assert Redactor([IP_RULE, PHONE_RULE]).redact(text) == (
        "<ip:1>:80 and <ip:2> of <phone:1>, version 1.2.3.4.5, at 12:30:45"
    )


def test_a_rule_without_triggers_is_tried_on_every_text():
    assert (
        Redactor([Rule(kind="plate", pattern=r"\b[A-Z]{2}-\d{4}\b")]).redact("car XY-1234") == "car <plate:1>"
    )


@pytest.mark.parametrize("rule", [*DEFAULT_RULES, IP_RULE, PHONE_RULE], ids=lambda rule: rule.pattern[:30])
def test_a_pattern_is_one_that_re2_takes(rule):
    re2.compile(rule.pattern)


@pytest.mark.parametrize(("text", "secret"), SECRETS_IN_TEXT)
def test_re2_finds_what_re_finds(text, secret):
    text = text.replace("§", secret)

    assert Redactor(compile_pattern=re2.compile).redact(text) == Redactor().redact(text)


@pytest.mark.parametrize(("text", "secret"), SECRETS_IN_TEXT)
def test_the_triggers_miss_nothing_that_the_patterns_find(text, secret):
    without_triggers = [dataclasses.replace(rule, triggers=(), run="") for rule in DEFAULT_RULES]
    text = text.replace("§", secret)

    assert Redactor(without_triggers).redact(text) == Redactor().redact(text)


PIECES = st.sampled_from(
    [
        *(
            "password",
            "token",
            "secret",
            "api_key",
            "Bearer ",
            "Authorization: ",
            "Basic ",
            "://",
            "@",
            "eyJ",
            ".",
        ),
        *(
            "=",
            ":",
            ": ",
            '"',
            "'",
            "\\",
            '\\"',
            "\\n",
            " ",
            ",",
            ";",
            "<",
            ">",
            "[",
            "]",
            "{",
            "}",
            "(",
            ")",
            "-",
        ),
        *(
            "<secret:1>",
            "<email:2>",
            "<private_key:3>",
            "<jwt:1",
            "secret:1>",
            "4111 1111 1111 1111",
            "YW5uOmh1",
        ),
        *(
            "hunter2",
            "ann",
            "example.org",
            "ann@example.org",
            "1",
            "12345678",
            "null",
            "_pass",
            "&",
            "sig=",
            JWT,
        ),
        *(PEM, PEM[:40], PEM[30:], "--password ", "<token>", "€", "\n", "-----", *VENDOR_KEYS[:4]),
    ]
)


@settings(max_examples=400)
@example(["token", ": ", "ann@example.org", "}"])
@example(["<secret:1>", "=", "hunter2"])
@given(st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=14))
def test_redacted_text_has_no_match_left(pieces):
    redactor = Redactor()

    redacted = redactor.redact("".join(pieces))

    assert redactor.redact(redacted) == redacted
    assert Redactor().redact(redacted) == redacted


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
@given(st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=6), st.lists(PIECES, max_size=6))
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


@given(
    st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=6, max_size=30).filter(
        lambda text: re.fullmatch(r"[A-Za-z0-9!#%^+/_~-]+", text) and len(set(text)) > 4
    )
)
def test_a_password_beside_its_name_never_stays(password):
    password = f"Q9{password}Q9"
    for text in (
        f"password={password}",
        f'{{"passwd":"{password}"}}',
        f"db://a:{password}@h/",
        f"secret: {password}",
    ):
        assert password not in Redactor().redact(text)


class StepCounter:
    """Counts the characters that a pattern was led over: a measure of work that no busy machine blurs."""

    def __init__(self, pattern):
        self.pattern = re.compile(pattern, re.ASCII)
        self.searched = 0

    def search(self, text, pos=0):
        match = self.pattern.search(text, pos)
        self.searched += (match.end() if match else len(text)) - pos
        return match


HOSTILE = {
    "names": "password=token=secret: ",
    "quotes": 'password="\\',
    "escaped quotes": r"password=\"\\",
    "backslashes": "\\",
    "closers": "token=)))",
    "keys that never end": "-----BEGIN PRIVATE KEY-----\n",
    "ends of keys": "AAAA\n-----END PRIVATE KEY-----",
    "dashes": "----- PRIVATE KEY",
    "addresses": "a://b:c@",
    "at signs": "a@a.",
    "dots": "a.b@c.d.e.f.g.h.",
    "tokens": "eyJeyJeyJeyJ.",
    "digits": "4111 ",
    "card numbers": "4111 1111 1111 1112 ",
    "long word": "password",
    "spaces": "password          ",
    "placeholders": "<secret:1>",
    "half placeholders": "<secret:1",
    "prose": "token: word ",
    "vendor prefixes": "sk-sk_ghp_xoxb-",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_twice_the_text_costs_twice_the_search(piece):
    def searched(size):
        counters = {rule.pattern: StepCounter(rule.pattern) for rule in DEFAULT_RULES}
        Redactor(compile_pattern=counters.__getitem__).redact((piece * size)[:size])
        return sum(counter.searched for counter in counters.values())

    small, large = searched(4_000), searched(16_000)

    assert large <= 5 * small + 1000


LOGS = Path(os.environ.get("LOGPITH_DATA", Path(__file__).parents[2].parent / "shared" / "data")) / "loghub"


@pytest.mark.skipif(not LOGS.is_dir(), reason="no LogHub samples beside the checkout; set LOGPITH_DATA")
def test_real_logs_keep_999_of_1000_lines():
    lines = [
        line
        for path in LOGS.glob("*/*_2k.log")
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    redactor = Redactor()

    touched = [line for line in lines if redactor.redact(line) != line]

    assert len(lines) >= 10_000
    assert len(touched) <= len(lines) / 1000


def test_a_rule_is_data():
    rule = Rule(kind="x", pattern="y", triggers=("y",))

    assert pickle.loads(pickle.dumps(rule)) == rule
    assert sys.getsizeof(rule) < 200


def test_placeholders_of_ones_own_are_known_again():
    redactor = Redactor(placeholder=lambda kind, value: f"<{kind}:{len(value)}>")

    once = redactor.redact("mail ann@example.org password=hunter2")

    assert once == "mail <email:15> password=<secret:7>"
    assert redactor.redact(once) == Redactor().redact(once) == once
    assert redactor.counts["email"] == 1
    assert Redactor(placeholder=lambda _kind, _value: "").redact("to ann@example.org") == "to "
