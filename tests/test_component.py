from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.component import REQUIRED, Argument, bring_down, build, configure, describe, json_schema
from logpith_emit.errors import BadArgument


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where to look."""

    sources: tuple[str, ...] = ()
    """Files to read."""

    budget: int = field(default=1000, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens,
    4 bytes each."""


@dataclass(frozen=True, kw_only=True)
class Find(Place):
    """Find lines."""

    name: ClassVar[str] = "log_find"

    pattern: str
    """What to find."""

    sort: Literal["count", "rare"] = "count"
    share: float = field(default=0.5, metadata={"minimum": 0.0, "maximum": 1.0})
    near: str | None = None
    regex: bool = False


def test_a_component_is_described_by_its_fields_and_the_strings_under_them():
    arguments = describe(Find)

    assert [argument.name for argument in arguments] == [
        "pattern",
        "sort",
        "share",
        "near",
        "regex",
        "sources",
        "budget",
    ]
    assert arguments[0] == Argument(name="pattern", kind=str, default=REQUIRED, doc="What to find.")
    assert arguments[1].choices == ("count", "rare")
    assert arguments[3].optional
    assert arguments[5].many
    assert arguments[6].doc == "Most tokens, 4 bytes each."
    assert arguments[6].accepted == "a whole number from 100 to 20000"


def test_an_inherited_argument_that_is_given_another_default_stays_behind_the_own_ones():
    @dataclass(frozen=True, kw_only=True)
    class Brief(Place):
        budget: int = 300
        """Few tokens."""

        depth: int = 3

    assert [argument.name for argument in describe(Brief)] == ["depth", "sources", "budget"]
    assert describe(Brief)[2].default == 300


def test_a_class_written_inside_a_function_is_described_too():
    @dataclass(frozen=True, kw_only=True)
    class Local(Place):
        depth: int = 3
        """How deep."""

    assert describe(Local)[0].doc == "How deep."


def test_the_schema_is_flat_strict_and_small():
    schema = json_schema(Find)

    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == {
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "description": "What to find."},
            "sort": {"type": "string", "enum": ["count", "rare"], "default": "count"},
            "share": {"type": "number", "minimum": 0.0, "maximum": 1.0, "default": 0.5},
            "near": {"type": "string"},
            "regex": {"type": "boolean"},
            "sources": {"type": "array", "items": {"type": "string"}, "description": "Files to read."},
            "budget": {
                "type": "integer",
                "minimum": 100,
                "maximum": 20_000,
                "description": "Most tokens, 4 bytes each.",
                "default": 1000,
            },
        },
        "additionalProperties": False,
        "required": ["pattern"],
    }


def test_what_fits_is_built():
    found = build(Find, {"pattern": "quota", "sources": ["a.log"], "budget": 200.0, "share": 1})

    assert found == Find(pattern="quota", sources=("a.log",), budget=200, share=1.0)
    assert type(found.budget) is int
    assert type(found.share) is float


def test_none_for_an_argument_that_need_not_be_given_is_as_if_it_were_absent():
    assert build(Find, {"pattern": "x", "near": None, "budget": None}) == Find(pattern="x")


def test_an_unknown_name_is_refused_with_the_nearest_and_all_names():
    with pytest.raises(BadArgument) as caught:
        build(Find, {"patern": "quota"})

    assert caught.value.problem == 'there is no argument named "patern"'
    assert caught.value.remedy == (
        "Did you mean 'pattern'? The arguments are pattern, sort, share, near, regex, sources, budget. "
        'Call log_find(pattern="quota")'
    )


@pytest.mark.parametrize(
    ("given_arguments", "problem", "call"),
    [
        ({}, "pattern is missing: it is a text", 'log_find(pattern="...")'),
        ({"pattern": None}, "pattern must be a text, not null", 'log_find(pattern="null")'),
        ({"pattern": 5}, "pattern must be a text, not 5", 'log_find(pattern="5")'),
        (
            {"pattern": "x", "sources": "a.log"},
            'sources must be a list of texts, not "a.log"',
            'log_find(pattern="x", sources=["a.log"])',
        ),
        (
            {"pattern": "x", "budget": "300"},
            'budget must be a whole number from 100 to 20000, not "300"',
            'log_find(pattern="x", budget=300)',
        ),
        (
            {"pattern": "x", "budget": 5},
            "budget must be a whole number from 100 to 20000, not 5",
            'log_find(pattern="x", budget=100)',
        ),
        (
            {"pattern": "x", "budget": True},
            "budget must be a whole number from 100 to 20000, not true",
            'log_find(pattern="x", budget=100)',
        ),
        (
            {"pattern": "x", "sort": "rarest"},
            'sort must be one of count, rare, not "rarest"',
            'log_find(pattern="x", sort="rare")',
        ),
        (
            {"pattern": "x", "regex": "yes"},
            'regex must be true or false, not "yes"',
            'log_find(pattern="x")',
        ),
        ({"pattern": "x", "share": 7}, "share must be a number from 0.0 to 1.0, not 7", "share=1.0)"),
        (
            {"pattern": "x", "share": float("nan")},
            "share must be a number from 0.0 to 1.0, not NaN",
            'log_find(pattern="x")',
        ),
    ],
)
def test_a_wrong_value_is_told_with_what_is_accepted_and_the_corrected_call(given_arguments, problem, call):
    with pytest.raises(BadArgument) as caught:
        build(Find, given_arguments)

    assert caught.value.problem == problem
    assert caught.value.remedy.endswith(call)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["pattern", "sources", "budget", "sort", "share", "near", "regex"]) | st.text(),
        anything,
        max_size=5,
    )
)
def test_whatever_is_given_is_built_as_the_schema_says_or_refused_in_a_short_text(arguments: dict[str, Any]):
    present = {name: value for name, value in arguments.items() if value is not None or name == "pattern"}
    valid = jsonschema.Draft202012Validator(json_schema(Find)).is_valid(present)
    finite = present.get("share") == present.get("share")

    if valid and finite and set(arguments) <= set(json_schema(Find)["properties"]):
        build(Find, arguments)
    else:
        with pytest.raises(BadArgument) as caught:
            build(Find, arguments)
        assert len(str(caught.value)) < 4000


@pytest.mark.parametrize(
    ("given", "problem", "remedy"),
    [
        ({"patern": "x"}, 'sources.web: no setting named "patern"', "Did you mean 'pattern'?"),
        ({"pattern": "x", "zzz": 1}, 'sources.web: no setting named "zzz"', "There are: pattern"),
        ({"pattern": 5}, "sources.web.pattern must be a text, not 5", 'Write pattern = "5"'),
        (
            {"pattern": "x", "budget": 5},
            "sources.web.budget must be a whole number from 100",
            "Write budget = 100",
        ),
        ({}, "sources.web: 'pattern' is missing", "Give it a text"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_its_place(given, problem, remedy):
    with pytest.raises(BadArgument) as caught:
        configure(Find, given, "sources.web")

    assert caught.value.problem.startswith(problem)
    assert caught.value.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("journalctl -n 10", 'Write command = ["journalctl", "-n", "10"]'),
        ("grep 'a b' app.log", 'Write command = ["grep", "a b", "app.log"]'),
        ("dmesg | tail", 'Write command = ["sh", "-c", "dmesg | tail"]'),
        ("echo 'open", 'Write command = ["echo", "\'open"]'),
    ],
)
def test_a_program_given_as_a_text_is_told_as_the_words_that_would_run(given, remedy):
    @dataclass(frozen=True, kw_only=True)
    class Program:
        command: tuple[str, ...]

    with pytest.raises(BadArgument) as caught:
        configure(Program, {"command": given}, "sources.kernel")

    assert caught.value.remedy == remedy


def test_a_table_within_is_a_list_of_names_and_values_and_text_is_read():
    found = configure(
        Find, {"pattern": "x", "sources": {"a": "b", "n": 1, "t": True}, "budget": "200"}, "here"
    )

    assert found.sources == ("a=b", "n=1", "t=true")
    assert found.budget == 200


@given(st.integers(1, 10**40))
def test_more_than_the_most_is_taken_and_brought_down(wanted):
    @dataclass(frozen=True, kw_only=True)
    class Few(Place):
        limit: int = field(default=20, metadata={"minimum": 1, "most": 200})

    few, told = bring_down(build(Few, {"limit": wanted}))

    assert few.limit == min(wanted, 200)
    assert told == (() if wanted <= 200 else ("limit to 200",))


def test_less_than_the_least_is_refused_where_more_than_the_most_is_not():
    @dataclass(frozen=True, kw_only=True)
    class Few(Place):
        limit: int = field(default=20, metadata={"minimum": 1, "most": 200})

    with pytest.raises(BadArgument, match=r"limit must be a whole number of at least 1, not 0"):
        build(Few, {"limit": 0})
