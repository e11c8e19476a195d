import json
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.query import And, Comparison, Not, Or, Substring, Word, matches, parse, value_matcher
from logpith.timerange import parse_time
from logpith_emit.errors import BadArgument
from strategies import queries


@dataclass(frozen=True)
class Record:
    """A record as a query sees it."""

    text: str = ""
    columns: dict = field(default_factory=dict)
    attributes: dict = field(default_factory=dict)

    def column(self, name):
        return self.columns.get(name)

    def attribute(self, path):
        value = self.attributes
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value


TIME = "2026-11-20T13:45:02.123Z"
RECORD = Record(
    text=r'{"msg":"Quota exceeded: 2 credits\nValueError: x","status":200,"user":"Alice B"}',
    columns={
        "timestamp": parse_time(TIME, now_ns=0),
        "severity_number": 13,
        "severity_text": "WARNING",
        "service": "voice-api",
        "body": "Quota exceeded: 2 credits\nValueError: x",
        "source": "app.log",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    },
    attributes={
        "status": 200,
        "ratio": 0.5,
        "user": "Alice B",
        "count": "17",
        "ok": True,
        "empty": "",
        "nothing": None,
        "http": {"path": "/api/v1/users"},
        "tags": ["red", "Blue", [7]],
    },
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quota",
        "QUOTA exceeded",
        '"quota exceeded: 2"',
        "quot*",
        "ValueError",
        "/Quota .* 2/",
        "/(?i)quota/",
        "quota OR nothing",
        "-missing",
        "_contains_:UOTA",
        "_contains_exactly_:uota",
        # severity
        "level>=warn",
        "level>=WARNING",
        "log_level<=warn",
        "severity<error",
        "level>info",
        "level:warn",
        "level=warning",
        "level!=error",
        "level:[info TO error]",
        "level:*",
        "level:war*",
        "level:/WARN/",
        "severity_number>=13",
        "severity_number=13",
        "NOT level:error",
        # time
        "timestamp>=2026-11-20",
        "timestamp<2026-11-20T13:45:02.124Z",
        f"timestamp={TIME}",
        'timestamp:"2026-11-20 13:45:02.123"',
        "timestamp:[2026-11-20 TO 2026-11-21}",
        "timestamp:2026-11-20T13*",
        # columns and attributes
        "service:voice",
        "service:voice-api",
        "service=VOICE-API",
        "service:(web OR voice*)",
        "body:credits",
        "message:quota",
        "source:app.log",
        "status:200",
        "status=200.0",
        "status=2e2",
        "status>=200",
        "status:[200 TO *]",
        "status:{199 TO 201}",
        "status!=404",
        "ratio<1",
        "count>9",
        "count=17",
        "user:alice",
        'user="alice b"',
        'user>="Aa"',
        "ok:true",
        "ok=TRUE",
        'empty=""',
        "http.path:/api/v1/users",
        "http.path:/v1/",
        "http.path:v1",
        "http.path:/api/*",
        "http:*",
        "tags:blue",
        "tags=red",
        "tags:7",
        "NOT nothing:*",
    ],
)
def test_a_record_matches(text):
    assert matches(parse(text), RECORD)


@pytest.mark.parametrize(
    "text",
    [
        "missing",
        "quot",
        '"credits exceeded"',
        "/quota/",
        "NOT quota",
        "quota missing",
        "_contains_exactly_:UOTA",
        "level>warn",
        "level>=error",
        "level!=warn",
        "level:err*",
        "severity_number>13",
        "timestamp>2026-11-21",
        "timestamp<2026-11-20",
        "service:voic",
        "service=voice",
        "status:404",
        "status:20",
        "status>200",
        "status:{200 TO *]",
        "status>=abc",
        "user>5",
        "count=17.0",
        "count<9",
        "ratio:5",
        "ok:1",
        "empty:*",
        "nothing:*",
        "nothing!=5",
        "missing!=5",
        "missing:x",
        "http:api",
        "tags:{7 TO *]",
        "host:*",
    ],
)
def test_a_record_does_not_match(text):
    assert not matches(parse(text), RECORD)


@pytest.mark.parametrize(
    "text", ["level>=trace", "level<error", "level!=error", "level:info", "level:*", "severity_number<5"]
)
def test_an_unknown_severity_matches_no_comparison(text):
    assert not matches(parse(text), Record(columns={"severity_number": 0}))
    assert not matches(parse(text), Record())


@pytest.mark.parametrize(
    "text", ["timestamp>=1970-01-01", "timestamp<2026-01-01", "timestamp!=2026-01-01", "timestamp:*"]
)
def test_a_record_without_a_time_matches_no_comparison_of_time(text):
    assert not matches(parse(text), Record())


def test_the_start_of_1970_is_a_time():
    assert matches(
        parse("timestamp:1970-01-01 timestamp:* timestamp>=1970-01-01"), Record(columns={"timestamp": 0})
    )


@pytest.mark.parametrize("text", ["call_id:CA16", "callId:CA16", "call_sid=ca16", "callId:*"])
def test_one_query_finds_an_id_in_every_spelling(text):
    assert matches(parse(text), Record(columns={"ids": {"call": "CA16"}}))
    assert not matches(parse(text), Record(columns={"ids": {"request": "CA16"}}))


@pytest.mark.parametrize("text", ["event:login", "when>=2026-11-20", "priority:high", "service_name:api"])
def test_a_name_that_spells_a_column_means_the_attribute_or_the_column(text):
    moment = parse_time(TIME, now_ns=0)
    attributes = {"event": "login", "when": TIME, "priority": "high", "service_name": "api"}
    columns = {"body": "login", "timestamp": moment, "severity_text": "high", "service": "api"}

    assert matches(parse(text), Record(attributes=attributes))
    assert matches(parse(text), Record(columns=columns))
    assert not matches(parse(text), Record())


def test_severities_have_their_order():
    texts = ["debug", "info", "warning", "error", "critical"]
    numbers = [5, 9, 13, 17, 21]

    for lowest, text in enumerate(texts):
        found = [
            n for n in numbers if matches(parse(f"level>={text}"), Record(columns={"severity_number": n}))
        ]
        assert found == numbers[lowest:]


def test_no_element_of_a_list_alone_in_the_range_is_no_match():
    record = Record(attributes={"sizes": [1, 100]})

    assert not matches(parse("sizes:[10 TO 50]"), record)
    assert matches(parse("sizes>=10 sizes<=50"), record)


def test_a_substring_is_what_grep_finds_in_the_raw_text():
    assert matches(Substring(r"credits\nValue"), RECORD)
    assert not matches(Substring("credits\nValue"), RECORD)
    assert not matches(Substring("quota", ignore_case=False), RECORD)


@pytest.mark.parametrize("pattern", ["?" * 1024, "*a" * 512, "é*" * 341, "-?" * 512])
def test_the_longest_wildcards_can_be_asked(pattern):
    assert not matches(parse(f"body:{pattern}"), RECORD)


def test_values_of_one_field_can_be_asked_alone():
    is_wanted = value_matcher(parse("source:app*"))

    assert [source for source in ("app.log", "web.log", "/var/app.log") if is_wanted(source)] == [
        "app.log",
        "/var/app.log",
    ]
    with pytest.raises(ValueError, match="one field"):
        value_matcher(parse("app"))


def test_a_moving_time_in_a_built_tree_is_refused():
    with pytest.raises(BadArgument, match="moves"):
        matches(Comparison("timestamp", ">=", "10m"), RECORD)


def test_an_unknown_severity_in_a_built_tree_matches_nothing():
    assert not matches(Comparison("level", ">=", "banana"), RECORD)
    assert not matches(Word("banana", "level"), RECORD)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


def records():
    """Records of any text and values."""
    columns = st.fixed_dictionaries(
        {},
        optional={
            "timestamp": st.integers(-(2**63), 2**63 - 1),
            "severity_number": st.integers(0, 24),
            "severity_text": st.text(max_size=5),
            "service": st.text(max_size=5),
            "body": st.text(),
        },
    )
    attributes = st.dictionaries(st.sampled_from(["user", "duration_ms", "a", "x-request-id"]), VALUES)
    return st.builds(Record, st.text(), columns, attributes)


@given(queries(), queries(), records())
def test_operators_follow_logic(one, other, record):
    is_one, is_other = matches(one, record), matches(other, record)

    assert matches(Not(one), record) is not is_one
    assert matches(And((one, other)), record) == (is_one and is_other)
    assert matches(Or((one, other)), record) == (is_one or is_other)


@given(st.integers(-100, 100), st.integers(-100, 100), st.sampled_from(["<", "<=", ">", ">="]))
def test_numbers_compare_as_numbers_however_they_are_written(value, wanted, operator):
    query = Comparison("n", operator, str(wanted))
    expected = {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[
        operator
    ]

    assert matches(query, Record(attributes={"n": value})) == expected
    assert matches(query, Record(attributes={"n": float(value)})) == expected
    assert matches(query, Record(attributes={"n": str(value)})) == expected


def test_the_query_package_is_light_until_a_regex_is_parsed():
    program = (
        "import sys, json, logpith.query as q\n"
        "q.matches(q.parse('a OR level>=warn'), type('View', (), {'text': 'a'})())\n"
        "before = [name for name in ('numpy', 're2') if name in sys.modules]\n"
        "q.parse('/a/')\n"
        "print(json.dumps([before, 're2' in sys.modules]))"
    )

    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert json.loads(shown) == [[], True]
