"""A template's regex: it matches all of its bodies, from end to end, in RE2 and in Python."""

import re

import pytest
import re2
from hypothesis import example, given
from hypothesis import strategies as st

from logpith.templates.mine import mine
from logpith.templates.shapes import ShapeTable, shape_table_of

PIECES = st.sampled_from(
    [
        *(
            "user",
            "anna",
            "bert",
            "10.0.0.7",
            "42",
            "31 KB",
            "0x1f KB",
            "Jul 4 12:00:01 2005",
            "Jul 4 b12",
            "é",
        ),
        *("=", "key=", "()", "(a b)", '="two words"', "='x'", "=Point(x=1)", "true", "/a/b", "é\xff", "…"),
        *(", ", ": ", "\t", "  ", ".", "*", "\\", "\\x", "\0", "\x0b", "\r", "^$", "[", "]", "|", "-1", "%"),
    ]
)
BODIES = st.lists(
    st.lists(PIECES | st.text(max_size=3), min_size=1, max_size=8)
    .map(" ".join)
    .map(lambda text: text.replace("\n", " ").encode("latin-1", "replace")),
    min_size=1,
    max_size=40,
)


def templates_of(bodies):
    table, codes = shape_table_of(bodies)
    templates = mine(table)
    return [
        (body, templates.templates[place])
        for body, place in zip(bodies, templates.of_shape[codes], strict=True)
    ]


def as_text(body):
    return body.decode("utf-8", "replace")


@given(BODIES)
@example([b"a\\\0b 1"])
@example([b"a 0x1f KB", b"a 31 KB"])
@example([b"\rx= \x0b"])
@example([b"word " * 400, b"word " * 300 + b"end"])
def test_the_regex_of_a_template_matches_all_of_its_bodies(bodies):
    for body, template in templates_of(bodies):
        assert template.regex is not None
        assert re2.search(template.regex, as_text(body))
        assert re.search(template.regex, as_text(body))


def test_a_regex_matches_whole_bodies_only():
    ((_, template),) = templates_of([b"user 42 logged in (ok?)"])

    assert re2.search(template.regex, "user 7 logged in (ok?)")
    assert not re2.search(template.regex, "no user 7 logged in (ok?)")
    assert not re2.search(template.regex, "user 7 logged in (ok?) again")
    assert not re2.search(template.regex, "user 7 logged in (o)")
    assert not re2.search(template.regex, "user 7 and 8 logged in (ok?)")


@pytest.mark.parametrize(
    "bodies",
    [
        (b"delete blk_1601 blk_1602", b"delete blk_1603"),
        (
            b"close, 12 bytes sent, 13 bytes received, lifetime 00:12",
            b"close, 12 bytes (1.2 KB) sent, 13 bytes received, lifetime 00:12",
        ),
    ],
)
def test_members_that_are_written_differently_are_alternatives(bodies):
    found = templates_of(bodies)

    assert len({template.id for _, template in found}) == 1
    assert all(re2.search(template.regex, as_text(body)) for body, template in found)


def test_too_many_alternatives_have_no_regex():
    lists = [b"nodes " + b" ".join(b"n%d0" % node for node in range(length)) for length in range(1, 120)]

    (template,) = {template.id: template for _, template in templates_of(lists)}.values()

    assert template.regex is None


def test_each_labelled_body_matches_the_regex_of_its_template(loghub):
    for name in ("BGL", "HPC", "Linux", "Spark"):
        bodies = (loghub / name / f"{name}_2k.log").read_bytes().splitlines()
        table, codes = shape_table_of(bodies)
        templates = mine(ShapeTable.union([table]))
        compiled = [re2.compile(template.regex) for template in templates.templates]
        assert all(
            compiled[place].search(as_text(body))
            for body, place in zip(bodies, templates.of_shape[codes].tolist(), strict=True)
        )
