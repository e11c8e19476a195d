import copy
import json
import pickle
import traceback
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith_emit.errors import Refused
from logpith_emit.secret import Secret, without_password


@dataclass(frozen=True)
class Login:
    user: str
    password: Secret


PRINTERS = {
    "str": str,
    "repr": repr,
    "format": lambda secret: f"{secret} {secret:>20} {secret!r} {secret!s} {secret!a}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 the old operator is what is tested
    "json": lambda secret: json.dumps({"password": secret}),
    "join": lambda secret: "".join(["a", secret]) + secret,
    "encode": lambda secret: secret.encode().decode(),
    "slice": lambda secret: secret[:] + secret.upper(),
    "pickle": lambda secret: repr(pickle.dumps(secret)),
    "oldest pickle": lambda secret: repr(pickle.dumps(secret, protocol=0)),
    "reduce": lambda secret: repr(secret.__reduce_ex__(4)) + repr(secret.__getstate__()),
    "dataclass": lambda secret: repr(Login("ann", secret)) + json.dumps(asdict(Login("ann", secret))),
    "error": lambda secret: "".join(traceback.format_exception(ValueError(secret))),
}


@pytest.mark.parametrize("printer", PRINTERS.values(), ids=PRINTERS.keys())
def test_a_secret_shows_its_value_nowhere(printer):
    assert "hunter2" not in printer(Secret("hunter2")).lower()


def test_a_secret_gives_its_value_when_asked():
    assert Secret("hunter2").reveal() == "hunter2"
    assert type(Secret("hunter2").reveal()) is str


def test_a_secret_of_a_secret_is_the_same_secret():
    assert Secret(Secret("hunter2")).reveal() == "hunter2"


def test_secrets_are_equal_when_their_values_are():
    assert Secret("a") == Secret("a")
    assert Secret("a") == "a"
    assert Secret("a") != Secret("b")
    assert Secret("a") != "***"
    assert Secret("a") != 1
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_secret_is_false():
    assert not Secret("")
    assert Secret("x")


def test_a_copied_secret_keeps_its_value():
    login = Login("ann", Secret("hunter2"))

    assert copy.copy(login.password).reveal() == "hunter2"
    assert copy.deepcopy(login).password.reveal() == "hunter2"


def test_a_pickled_secret_says_that_its_value_is_gone():
    secret = pickle.loads(pickle.dumps(Secret("hunter2")))

    assert repr(secret) == "***"
    assert secret != Secret("hunter2")
    with pytest.raises(Refused, match="Load the settings again"):
        secret.reveal()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgres://app:hunter2@db:5432/logs", "postgres://app:***@db:5432/logs"),
        ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
        ("http://a:p@ss@host/x@y", "http://a:***@host/x@y"),
        ("postgres://app:hun/ter2@db/logs", "postgres://app:***@db/logs"),
        ("postgres://app:hun#ter?2@db/logs", "postgres://app:***@db/logs"),
        ("http://host:8080/path@x", "http://host:8080/path@x"),
        ("http://[::1]:8080/path@x", "http://[::1]:8080/path@x"),
        ("http://[::1]/path@x", "http://[::1]/path@x"),
        ("https://git@host/x", "https://git@host/x"),
        ("https://host/x?user=a&password=b&n=1", "https://host/x?user=a&password=***&n=1"),
        ("https://host/x?Api_Key=b", "https://host/x?Api_Key=***"),
        ("no address: at all@", "no address: at all@"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_password(address, shown):
    assert without_password(address) == shown


@given(
    user=st.text("abc", max_size=5),
    password=st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=1, max_size=20),
)
def test_no_password_survives_in_front_of_a_host(user, password):
    shown = without_password(f"amqp://{user}:Q{password}Q@host/path")

    assert f"Q{password}Q" not in shown
