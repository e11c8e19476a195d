import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.batch import make_batch
from logpith.stages.redact import RedactStage
from logpith.testing.stages import check_stage
from logpith_emit.errors import BadArgument
from logpith_emit.redaction import Redactor
from secret_samples import SECRETS_IN_TEXT

KEY = "a key of the tests"
STAGES = (
    RedactStage(key=KEY),
    RedactStage(key=KEY, mode="mask", ips=True, phones=True),
    RedactStage(key=KEY, mode="drop", rules=("employee=E-[0-9]{3,}", "pin=(?i)pin (\\d*)", "odd=[ßé]+")),
    RedactStage(key=KEY, rules=("begin=^AK[A-Z]", "end=[0-9]$", "kelvin=\u212a")),
)

# Made to be found, and to be nearly found.
PIECES = st.sampled_from(
    (
        *(
            "password=",
            "PassWord: ",
            "token",
            "api_key=",
            "Authorization: Bearer ",
            "basic ",
            "key",
            "=",
            ":",
            '"',
        ),
        *(
            "hunter2",
            "mF_9.B5f-4.1JqM",
            "AKIAIOSFODNN7EXAMPLE",
            "eyJhbGciOiJIUzI1NiJ9.e30.abc",
            "sk-" + "a1" * 12,
        ),
        *(
            "ann@example.org",
            "@",
            "://u:p@h/",
            "4111 1111 1111 1111",
            "4111111111111111",
            "3700 000000 00002",
        ),
        *(
            "-4111111111111111",
            "1695877174068630800",
            "E-1234",
            "pin 77",
            "10.0.0.1",
            "+49 170 1234567",
            "<secret:1>",
            "to\u212aen=abc1",
        ),
        *(
            " ",
            "\n",
            "\\",
            "ß",
            "\u212a",
            "\u0130",
            "to\u212aen=abcdef12",
            "\udcff",
            "-----BEGIN PRIVATE KEY-----",
        ),
    )
)
TEXTS = (
    st.lists(PIECES | st.text(max_size=6), max_size=12)
    .map("".join)
    .map(
        lambda text: (
            text.encode("utf-8", "surrogateescape")
            if all(not 0xD800 <= ord(sign) <= 0xDFFF or 0xDC80 <= ord(sign) <= 0xDCFF for sign in text)
            else text.encode("utf-8", "surrogatepass")
        )
    )
)


def redacted(stage, *lines, **columns):
    with stage.open() as apply:
        return apply(make_batch(lines, observed_ns=1, source="s", **columns))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.mode)
@given(lines=st.lists(TEXTS, min_size=1, max_size=10))
def test_in_bulk_each_line_becomes_what_the_redactor_makes_of_it(stage, lines):
    redactor = stage.redactor()

    kept = redacted(stage, *lines).kept["line"].to_pylist()

    alone = [redactor.redact(line.decode("utf-8", "surrogateescape")) for line in lines]
    assert kept == [line.encode("utf-8", "surrogateescape") for line in alone]


@given(lines=st.lists(TEXTS, max_size=6))
def test_what_was_redacted_is_not_redacted_again(lines):
    once = redacted(STAGES[0], *lines).kept

    with STAGES[0].open() as apply:
        again = apply(once)

    assert again.kept.equals(once)
    for line in once["line"].to_pylist():  # nor where it is shown
        text = line.decode("utf-8", "replace")
        assert Redactor().redact(text) == text


def test_the_same_value_has_the_same_placeholder_under_one_key_and_another_under_another():
    lines = (b"login of ann@example.org", b"mail to ann@example.org", b"mail to bob@example.org")

    here, there, bob = (
        line.split()[-1] for line in redacted(RedactStage(key="k"), *lines).kept["line"].to_pylist()
    )
    elsewhere = redacted(RedactStage(key="other"), lines[0]).kept["line"][0].as_py().split()[-1]

    assert here == there != bob
    assert here != elsewhere
    assert here.startswith(b"<email:")


def test_mask_gives_all_of_a_kind_one_placeholder_and_drop_leaves_nothing():
    lines = (b"to ann@example.org", b"to bob@example.org")

    assert redacted(RedactStage(mode="mask"), *lines).kept["line"].to_pylist() == [b"to <email:0>"] * 2
    assert redacted(RedactStage(mode="drop"), *lines).kept["line"].to_pylist() == [b"to "] * 2
    modes = RedactStage(mode="mask", modes=("email=drop",))
    assert (
        redacted(modes, b"ann@example.org password=hunter2").kept["line"][0].as_py()
        == b" password=<secret:0>"
    )


def test_a_field_is_hashed_wherever_it_stands_and_joins_with_the_same_value_elsewhere():
    stage = RedactStage(key="k", fields=("user.email=hash", "ssn=drop", "balance=mask"))
    lines = (
        b'{"user": {"email": "ann@example.org"}, "ssn": "1-2", "balance": 12.5}',
        b"user.email=ann@example.org ssn=1-2 balance=7",
        b'{"user": {"email": "a\\"b"}, "balance": null}',
        b"nothing here",
    )

    outcome = redacted(stage, *lines, extras=[{}, {}, {}, {"user": {"email": "ann@example.org"}}])

    first, second, third, fourth = outcome.kept["line"].to_pylist()
    told = json.loads(first)
    assert told == {"user": {"email": told["user"]["email"]}, "ssn": "", "balance": "<secret:0>"}
    assert second.decode() == f"user.email={told['user']['email']} ssn= balance=<secret:0>"
    assert "a" not in json.loads(third)["user"]["email"].replace("secret", "").replace("email", "")
    assert fourth == lines[3]
    assert json.loads(outcome.kept["extra"][3].as_py()) == {"user": {"email": told["user"]["email"]}}
    assert outcome.counters["redacted_fields"] == 8


def test_a_field_that_json_cannot_read_is_no_field():
    lines = [b'{"ssn": 1-2, "n": 1}', b'{"ssn": tru}', b'{"ssn": 01}', b'{"ssn": -1.5e+3}']

    with RedactStage(key=KEY, fields=("ssn=mask",)).open() as apply:
        kept = apply(make_batch(lines, observed_ns=1, source="s")).kept["line"].to_pylist()

    assert kept == [*lines[:3], b'{"ssn": "<secret:0>"}']


def test_attributes_and_services_are_redacted_too():
    extra = {"password": "hunter2", "note": "line\nAKIAIOSFODNN7EXAMPLE", "count": 4}

    kept = redacted(RedactStage(), b"x", extras=[extra], services=["api of ann@example.org"]).kept

    assert "hunter2" not in kept["extra"][0].as_py()
    assert "AKIA" not in kept["extra"][0].as_py()
    assert '"count":4' in kept["extra"][0].as_py()
    assert kept["service"][0].as_py().startswith("api of <email:")


def test_what_holds_no_secret_is_the_same_column_and_nothing_is_counted():
    batch = make_batch([b"GET /health 200", b'{"tokens": 185, "key": "value"}'], observed_ns=1, source="s")

    with RedactStage().open() as apply:
        outcome = apply(batch)

    assert outcome.kept.equals(batch)
    assert outcome.counters == {}


def test_only_the_chosen_records_are_redacted():
    kept = redacted(
        RedactStage(only="service:api"), b"password=hunter2", b"password=hunter2", services=["api", "web"]
    ).kept

    assert b"hunter2" not in kept["line"][0].as_py()
    assert kept["line"][1].as_py() == b"password=hunter2"


def test_it_counts_what_it_hides_by_kind():
    counters = redacted(RedactStage(), b"ann@example.org", b"password=hunter2 bob@example.org").counters

    assert counters == {"redacted_email": 2, "redacted_secret": 1}


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"fields": ("a=hsah",)}, "Did you mean 'hash'"),
        ({"modes": ("emial=mask",)}, "Did you mean 'email'"),
        ({"rules": ("x=[",)}, "cannot be read"),
        ({"rules": ("x=a*",)}, "matches everywhere"),
        ({"rules": ("X 1=a",)}, "cannot stand in a placeholder"),
        ({"rules": ("only a name",)}, "says nothing"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_with_a_remedy(settings, match):
    with pytest.raises(BadArgument, match=match):
        RedactStage(**settings)


def test_many_rules_of_a_user_still_agree_with_the_redactor():
    stage = RedactStage(key="k", rules=tuple(f"k{chr(97 + at)}=x{at}y+" for at in range(20)))

    kept = redacted(stage, b"x7yy and x19y", b"none").kept["line"].to_pylist()

    assert kept == [stage.redactor().redact("x7yy and x19y").encode(), b"none"]
    assert b"x7" not in kept[0]
    check_stage(stage)


@pytest.mark.parametrize(("text", "secret"), SECRETS_IN_TEXT)
def test_no_secret_gets_through_in_bulk(text, secret):
    line = text.replace("§", secret).encode()

    kept = redacted(RedactStage(), b"before", line, b"behind").kept["line"].to_pylist()

    assert secret.encode() not in kept[1]
    assert (kept[0], kept[2]) == (b"before", b"behind")
