"""Canonical forms: what is one value, and what has the same structure."""

import pytest

from logpith.templates.canonical import MOST_WORDS, WILDCARD, canonical
from logpith.templates.slots import render


def written(body):
    form = canonical(body.encode())
    return render(form.delimiters, form.words, [form.values])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("started at Mon Jul  4 12:00:01 UTC 2005 on host", "started at <*> on host"),
        ("at Jul 4 12:00:01 2005", "at <*>"),
        ("in May we rest", "in May we rest"),
        ("wrote 31 KB in all", "wrote <*> in all"),
        ("enabled=TRUE", "enabled=<*>"),
        ('tag="Audio Mix", uid=1', 'tag="<*>", uid=<*>'),
        ("tag='Audio Mix' uid=1", "tag='<*>' uid=<*>"),
        ('tag="RILJ", uid=1', 'tag="RILJ", uid=<*>'),
        ("ws=WorkSource{10113 com.x}, uid=1", "ws=<*>, uid=<*>"),
        ("p=Point(x=1, y=Pair[2, 3]) done", "p=<*> done"),
        ("p=Point(x=1", "p=Point(x=<*>"),
        ('he said "hello there" twice', 'he said "hello there" twice'),
    ],
)
def test_what_is_one_value_becomes_one_slot(body, expected):
    assert written(body) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rhost= user=anna", "rhost=db user=anna"),
        ("list: []", "list: [a]"),
        ("call()", "call(x)"),
        ("a  b", "a\tb"),
        ("ws=null, uid=1", "ws=WorkSource{1 c}, uid=2"),
    ],
)
def test_bodies_that_differ_in_values_have_the_same_structure(one, other):
    assert canonical(one.encode()).delimiters == canonical(other.encode()).delimiters


def test_there_is_a_delimiter_around_each_word():
    form = canonical(b"user=anna (10.0.0.7) ok")

    assert len(form.delimiters) == len(form.words) + 1 == len(form.values) + 1
    assert form.words == ("user", "anna", WILDCARD, "ok")


def test_a_body_of_thousands_of_words_is_mined_by_its_head():
    form = canonical(b"word " * 5000)

    assert len(form.words) == MOST_WORDS
    assert form.delimiters[-1] == " …"
