"""A name tells that a field holds a secret."""

import pytest

from logpith_emit.redaction import Redactor


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
