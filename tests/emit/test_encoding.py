"""Whatever is said becomes one line of JSON, whoever writes it."""

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith_emit import encoding
from logpith_emit.encoding import encode, plain_encoder, represent

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters() | st.just("\ud800"))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner), max_leaves=10
)


@pytest.fixture(params=["found", "json"])
def by(request, monkeypatch):
    """With the encoder that is found here, and with the standard library's."""
    if request.param == "json":
        monkeypatch.setattr(encoding, "_found", encoding._BY_JSON)
    return request.param


class Odd:
    def __repr__(self):
        raise ValueError("no words for it")


class Said:
    def __repr__(self):
        return "x" * 5_000


def test_what_json_has_is_written_as_it_is(by):
    fields = {"text": 'é\n"', "number": 7, "share": 0.5, "flag": True, "none": None, "list": [1, {"a": 2}]}

    assert json.loads(encode(fields)) == fields


def test_the_plain_encoder_writes_what_json_has_and_asks_no_object(by):
    fields = {"text": 'é\n"', "number": 7, "share": 0.5, "flag": True, "none": None}

    assert plain_encoder()(fields) == encode(fields)
    for odd in (Odd(), [Odd()], {"b": Odd()}):
        with pytest.raises(TypeError):
            plain_encoder()({"a": odd})


@given(st.dictionaries(st.text(), VALUES))
def test_anything_is_one_line_of_json(fields):
    with pytest.MonkeyPatch.context() as patch:
        for found in (encoding._find(), encoding._BY_JSON):
            patch.setattr(encoding, "_found", found)
            written = encode(fields)

            assert b"\n" not in written
            read = json.loads(written)
            assert isinstance(read, dict)
            json.dumps(read, ensure_ascii=False).encode()  # nothing in it that cannot be written again


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (datetime(2026, 11, 20, 13, 45, tzinfo=UTC), "2026-11-20T13:45:00+00:00"),
        (timedelta(seconds=90), 90.0),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"a\xff", "a\\xff"),
        (frozenset({1}), [1]),
        (ValueError("gone"), "ValueError: gone"),
        (Odd(), "<Odd whose repr raises ValueError>"),
    ],
)
def test_objects_are_put_into_words(value, found):
    assert represent(value) == found


@pytest.mark.parametrize("put", [lambda value: value, lambda value: [value], lambda value: {"k": (value,)}])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_put_into_words_wherever_they_are(by, put, kind):
    fields = {"a": put(kind(b"password=x"))}

    assert b"password=x" in encode(fields)
    with pytest.raises(TypeError):
        plain_encoder()(fields)


def test_long_words_are_cut(by):
    assert len(json.loads(encode({"a": Said()}))["a"]) == encoding.MOST_REPR + 1


def test_what_holds_itself_or_is_very_deep_ends(by):
    ring = {"name": "ring"}
    ring["ring"] = ring
    deep = []
    for _ in range(100_000):
        deep = [deep]

    assert json.loads(encode({"a": ring}))["a"] == {"name": "ring", "ring": "<holds itself>"}
    shown = json.loads(encode({"a": deep}))["a"]
    for _ in range(31):
        (shown,) = shown
    assert shown == "<list nested too deep to be shown>"


def test_numbers_that_json_has_not_are_no_broken_json(by):
    read = json.loads(encode({"a": math.nan, "b": math.inf, "c": 10**400}))

    assert read["a"] in (None, "nan")
    assert read["b"] in (None, "inf")


def test_texts_and_numbers_of_types_of_ones_own_are_what_they_are(by):
    class Safe(str):
        __slots__ = ()

        def __str__(self):
            return self

    class Metres(float):
        pass

    told = {"message": Safe("<b>"), "far": Metres(1.5), "more": [Safe("x"), {"y": Safe("y")}]}
    assert json.loads(encode(told)) == {"message": "<b>", "far": 1.5, "more": ["x", {"y": "y"}]}


class Colour(Enum):
    RED = "red"


def test_decimals_and_members_of_enums_are_their_values(by):
    assert json.loads(encode({"a": Decimal("1.50"), "b": Colour.RED})) == {"a": "1.50", "b": "red"}


def test_numbers_of_numpy_are_numbers(by):
    numpy = pytest.importorskip("numpy")

    told = {"a": numpy.int64(3), "b": numpy.float32(0.5), "c": numpy.bool_(True), "d": numpy.arange(2)}
    assert json.loads(encode(told)) == {"a": 3, "b": 0.5, "c": True, "d": "array([0, 1])"}
