"""Ids of templates: whatever is mined next, an id that was shown once leads to a template."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.templates.ids import Named, TemplateIds
from logpith.templates.mine import mine, template_id
from logpith.templates.shapes import ShapeTable, shape_table_of

WORDS = st.sampled_from(
    [
        "user",
        "anna",
        "bert",
        "carl",
        "dora",
        "login",
        "from",
        "10.0.0.7",
        "port",
        "42",
        "ok",
        "[a]",
        "x=",
        "=y",
    ]
)
BODIES = st.lists(
    st.lists(WORDS, min_size=1, max_size=5).map(" ".join).map(str.encode), min_size=1, max_size=80
)


def table_of(bodies):
    return shape_table_of(bodies)[0]


def shapes_by_id(table, templates):
    hashes = table.hashes.tolist()
    return {
        template.id: frozenset(hashes[shape] for shape in template.shapes) for template in templates.templates
    }


@given(BODIES)
def test_as_a_stream_grows_every_id_leads_to_a_template_and_unchanged_ones_keep_theirs(bodies):
    ids, shown, before = TemplateIds(), set(), {}
    for tenth in range(1, 11):
        table = table_of(bodies[: -(-len(bodies) * tenth // 10)])

        ids, templates = ids.after(table, mine(table))
        ids = TemplateIds.from_plain(json.loads(json.dumps(ids.to_plain())))

        now = shapes_by_id(table, templates)
        shown |= now.keys()
        assert len(now) == len(templates.templates)
        assert all(ids.resolve(name) in templates.by_id for name in shown)
        for name, shapes in before.items():
            if shapes in now.values():
                assert now[name] == shapes
        before = now


@given(BODIES, BODIES, BODIES)
def test_books_of_two_files_become_one_in_either_order(first, second, later):
    books, shown = [], set()
    for bodies in (first, second):
        ids = TemplateIds()
        for part in (bodies[: len(bodies) // 2], bodies):
            if part:
                ids, templates = ids.after(table_of(part), mine(table_of(part)))
                shown |= templates.by_id.keys()
        books.append(ids)

    both = TemplateIds.union(books)
    table = ShapeTable.union(map(table_of, (first, second, later)))
    after, templates = both.after(table, mine(table))

    assert both == TemplateIds.union(reversed(books))
    assert all(both.resolve(name) in both.present for name in shown)
    assert all(after.resolve(name) in templates.by_id for name in shown)


@given(BODIES, BODIES)
def test_ids_outlive_a_file_that_holds_none_of_their_records(first, second):
    ids, templates = TemplateIds().after(table_of(first), mine(table_of(first)))
    shown = set(templates.by_id)

    ids, other = ids.after(table_of(second), mine(table_of(second)))
    shown |= other.by_id.keys()
    both = ShapeTable.union([table_of(first), table_of(second)])
    ids, templates = ids.after(both, mine(both))

    assert all(ids.resolve(name) in templates.by_id for name in shown)


@given(BODIES)
def test_the_first_ids_are_hashes_of_the_texts(bodies):
    mined = mine(table_of(bodies))

    _, named = TemplateIds().after(table_of(bodies), mined)

    assert named.templates == mined.templates
    assert all(template.id == template_id(template.text) for template in named.templates)


@given(BODIES)
def test_mining_the_same_again_changes_nothing(bodies):
    table = table_of(bodies)
    once, templates = TemplateIds().after(table, mine(table))

    again, same = once.after(table, mine(table))

    assert again == once
    assert same.templates == templates.templates


def test_a_template_that_grows_wider_keeps_the_id_of_its_text_before():
    few = table_of([b"session opened for anna by 10.0.0.7"] * 5)
    ids, templates = TemplateIds().after(few, mine(few))
    (first,) = templates.templates
    more = ShapeTable.union(
        [few, table_of([b"session opened for %s by 10.0.0.7" % name for name in (b"bert", b"carl", b"dora")])]
    )

    ids, templates = ids.after(more, mine(more))

    (template,) = templates.templates
    assert template.text == "session opened for <*> by <*>"
    assert first.text != template.text
    assert template.id == first.id


def test_ids_that_are_merged_lead_to_what_they_became():
    names = (b"anna", b"bert", b"carl", b"dora")
    bodies = [b"session opened for %s by 10.0.0.7" % name for name in names]
    ids, shown = TemplateIds(), []
    for body in bodies:
        ids, templates = ids.after(table_of([body]), mine(table_of([body])))
        shown.append(templates.templates[0].id)
    all_of_them = table_of(bodies)

    ids, templates = ids.after(all_of_them, mine(all_of_them))

    assert len(set(shown)) == len(names)
    assert {ids.resolve(name) for name in shown} == {templates.templates[0].id} == {min(shown)}


def test_a_new_text_whose_hash_is_another_templates_id_gets_another_id():
    old, table = table_of([b"tea is hot"]), table_of([b"tea is hot", b"coffee was cold"])
    first = template_id("coffee was cold")
    book = TemplateIds({first: Named("coffee was cold", frozenset(old.hashes.tolist()))})

    ids, templates = book.after(table, mine(table))

    by_text = {template.text: template.id for template in templates.templates}
    assert by_text["tea is hot"] == first
    assert by_text["coffee was cold"] not in (first, template_id("tea is hot"))
    assert set(ids.present) == set(by_text.values())


def test_an_id_that_was_never_given_leads_nowhere():
    assert TemplateIds().resolve("0123456789ab") is None


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"version": 2},
        {"version": 1, "present": {}},
        {"version": 1, "present": {"a": {"text": "x"}}, "retired": {}},
        {"version": 1, "present": {}, "retired": {"a": {"text": "x", "shapes": [], "now": "b"}}},
        {"version": 1, "present": {"a": {"text": "x", "shapes": ["no hex"]}}, "retired": {}},
    ],
)
def test_what_is_no_book_is_refused(plain):
    with pytest.raises(ValueError, match=r"book|literal"):
        TemplateIds.from_plain(plain)
