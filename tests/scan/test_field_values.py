"""A field of a record is found without parsing it, and never another than parsing finds."""

import json

from hypothesis import given
from hypothesis import strategies as st

from logpith.batch import make_batch, text_spans
from logpith.scan.field_values import ABSENT, ASK, BARE, TEXT, FieldName, find_values
from logpith_emit.record import flat, normalised

SPELLINGS = {"message": 1, "msg": 2, "@m": 3}
NAMES = ("message", "Mes_Sage", "msg", "m", "@m", "@message", "deep", "n", "_", "a.msg", "other")
VALUES = st.one_of(
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.text(alphabet='ab"\\\n é', max_size=4),
)
OBJECTS = st.dictionaries(
    st.sampled_from(NAMES), VALUES | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3), max_size=5
)


def found(text, name, spellings=SPELLINGS):
    buf, starts, ends = text_spans(make_batch([text], observed_ns=0, source="s")["line"])
    kinds, spans = find_values(buf, starts, ends, FieldName.of(name, spellings))
    first, last = spans[0].tolist()
    return int(kinds[0]), bytes(buf[first:last])


@given(told=OBJECTS, name=st.sampled_from(("n", "deep.msg", "message")), spaced=st.booleans())
def test_what_is_found_in_json_is_what_parsing_finds(told, name, spaced):
    text = json.dumps(told, ensure_ascii=False, separators=None if spaced else (",", ":")).encode()
    spellings = SPELLINGS if name == "message" else {}
    fields = {key: value for key, value in flat(told) if value not in (None, "", {})}
    keys = [key for key in fields if key == name or normalised(key) in spellings]
    best = min((0 if key == name else spellings[normalised(key)] for key in keys), default=None)

    kind, value = found(text, name, spellings)

    if kind == ABSENT:
        assert not keys
    elif kind != ASK:
        wanted = [key for key in keys if best == (0 if key == name else spellings[normalised(key)])]
        assert [str(fields[key]) if kind == TEXT else fields[key] for key in wanted] == [
            value.decode() if kind == TEXT else json.loads(value)
        ]


@given(st.text(alphabet="-+.0123eEtrufalse", min_size=1, max_size=8))
def test_a_bare_value_is_one_that_json_reads(value):
    try:
        json.loads(value)
        is_read = True
    except ValueError:
        is_read = False

    kind, _ = found(f'{{"n": {value}}}'.encode(), "n", {})

    assert (kind == BARE) == is_read


def test_keys_of_pairs_are_found_by_their_spellings_too():
    assert found(b"x=1 Mes_sage=hello other=2", "message") == (TEXT, b"hello")
    assert found(b"@m=short m=long", "message") == (TEXT, b"short")
    assert found(b"massage=no mess=no", "message") == (ABSENT, b"")
    assert found(b"n=7", "n", {}) == (TEXT, b"7")
