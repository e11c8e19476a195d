"""What is looked for is found and blanked out, all else stays, and no text takes long."""

import dataclasses
import os
import pickle
import re
import sys
from pathlib import Path

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from logpith_emit.redaction import DEFAULT_RULES, IP_RULE, PHONE_RULE, Redactor, Rule
from secret_samples import PEM, SECRETS_IN_TEXT


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


def test_a_key_cut_at_its_beginning_is_blanked_to_its_end():
    redacted = Redactor().redact(PEM[45:] + "\nnext")

    assert redacted == "<private_key:1>\nnext"


def test_addresses_and_telephones_are_redacted_when_asked_for():
    text = "10.0.0.1:80 and fe80::1 of +43 660 1234567, version 1.2.3.4.5, at 12:30:45"

    assert Redactor().redact(text) == text
    assert Redactor([IP_RULE, PHONE_RULE]).redact(text) == (
        "<ip:1>:80 and <ip:2> of <phone:1>, version 1.2.3.4.5, at 12:30:45"
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


LOGS = Path(os.environ.get("LOGPITH_DATA", Path(__file__).parents[3].parent / "shared" / "data")) / "loghub"


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
