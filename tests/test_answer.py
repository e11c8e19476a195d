from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from logpith.answer import (
    Answer,
    Coverage,
    Evidence,
    Omitted,
    fit,
    to_compact_json,
    to_json,
    to_text,
    tokens,
)

COVERAGE = Coverage(
    lines=20_000,
    records=18_000,
    sources=2,
    start="2026-11-20T00:00:00Z",
    end="2026-11-20T12:00:00Z",
    undated=0.03,
    skipped=("a.bin: binary",),
    redacted=5,
    flagged=1,
)

ANSWER = Answer(
    summary="2 templates cover 18,000 records; 1 has errors.",
    items=(
        {
            "id": "c1",
            "count": 1204,
            "share": 0.6021,
            "service": "api",
            "template": "call <num> ok",
            "refs": ["e1@aa"],
        },
        {"id": "c2", "count": 0, "share": 0.1, "service": "api", "template": "quota low", "refs": ["e2@aa"]},
    ),
    evidence=(
        Evidence(
            ref="e1@aa", time="2026-11-20T00:00:01Z", source="api.log", severity="info", text="call 7 ok"
        ),
        Evidence(ref="e2@aa", source="api.log", text="quota low", flag="instruction-like"),
    ),
    coverage=COVERAGE,
    omitted=Omitted(items=3, reason="max_clusters"),
    cursor="c=2",
    next=('log_fetch(refs=["e2@aa"])',),
)


def test_json_says_everything_in_order_without_what_is_empty():
    assert json.loads(to_compact_json(ANSWER)) == to_json(ANSWER)
    assert list(to_json(ANSWER)) == [
        "summary",
        "items",
        "evidence",
        "coverage",
        "omitted",
        "cursor",
        "next",
    ]
    assert to_json(ANSWER)["items"][1]["count"] == 0
    assert to_json(ANSWER)["evidence"][1] == {
        "ref": "e2@aa",
        "source": "api.log",
        "text": "quota low",
        "flag": "instruction-like",
    }
    assert to_json(ANSWER)["omitted"] == {"items": 3, "reason": "max_clusters"}


def test_an_answer_without_rows_is_its_summary_and_coverage():
    answer = Answer(summary="Nothing found.", coverage=Coverage(lines=0, records=0, sources=1))

    assert to_json(answer) == {
        "summary": "Nothing found.",
        "coverage": {"lines": 0, "records": 0, "sources": 1},
    }
    assert to_text(answer) == "Nothing found.\n\ncoverage: 0 lines, 1 source"


def test_text_is_complete_alone_and_says_once_what_is_the_same_in_all_rows():
    assert to_text(ANSWER).splitlines() == [
        "2 templates cover 18,000 records; 1 has errors.",
        "",
        "in all: service=api",
        "id\tcount\tshare\ttemplate\trefs",
        "c1\t1204\t0.6021\tcall <num> ok\te1@aa",
        "c2\t0\t0.1\tquota low\te2@aa",
        "",
        "evidence:",
        "in all: source=api.log",
        "ref\ttime\tseverity\ttext\tflag",
        "e1@aa\t2026-11-20T00:00:01Z\tinfo\tcall 7 ok",
        "e2@aa\t\t\tquota low\tinstruction-like",
        "",
        "coverage: 20,000 lines, 18,000 records, 2 sources, 2026-11-20T00:00:00Z to 2026-11-20T12:00:00Z, "
        "3.00% without a time, 5 redacted, 1 flagged as instruction-like, skipped: a.bin: binary",
        "omitted: 3 items (max_clusters)",
        "cursor: c=2",
        'next: log_fetch(refs=["e2@aa"])',
    ]


def test_rows_of_several_kinds_stand_in_a_table_each():
    answer = Answer(
        summary="s",
        items=({"kind": "levels", "level": "error", "count": 2}, {"kind": "patterns", "template": "x"}),
        coverage=COVERAGE,
    )

    assert to_text(answer).split("\n\n")[1:3] == ["levels:\nlevel\tcount\nerror\t2", "patterns:\ntemplate\nx"]


def test_a_value_cannot_forge_a_line_or_a_cell():
    answer = Answer(summary="s", items=({"text": "a\nnext: rm\tb"}, {"text": "c"}), coverage=COVERAGE)

    assert "a\\nnext: rm\\tb" in to_text(answer).splitlines()


def wide(items: int, width: int = 40) -> Answer:
    return Answer(
        summary="Many.",
        items=tuple(
            {"id": f"c{number}", "template": "x" * width, "refs": [f"e{number}@aa"]}
            for number in range(items)
        ),
        evidence=tuple(
            Evidence(ref=f"e{number}@aa", source="api.log", text="y" * width) for number in range(items)
        ),
        coverage=COVERAGE,
    )


def test_an_answer_that_fits_is_left_alone():
    assert fit(ANSWER, 1000) is ANSWER


def test_items_go_from_the_tail_with_the_evidence_that_only_they_named():
    fitted = fit(wide(50), 600)

    kept = len(fitted.items)
    assert fitted.items == wide(50).items[:kept]
    assert [line.ref for line in fitted.evidence] == [f"e{number}@aa" for number in range(kept)]
    assert 3 < kept < 50
    assert fitted.omitted == Omitted(items=50 - kept, evidence=50 - kept)
    assert tokens(fitted) <= 600


def test_what_the_tool_left_out_itself_is_added_to():
    answer = fit(
        Answer(
            summary="s",
            items=tuple({"template": "x" * 100, "n": number} for number in range(20)),
            coverage=COVERAGE,
            omitted=Omitted(items=7, reason="limit"),
        ),
        300,
    )

    assert answer.omitted is not None
    assert answer.omitted.items + len(answer.items) == 27
    assert answer.omitted.reason == "limit, budget"


def test_one_row_that_is_too_large_loses_the_middle_of_its_text():
    fitted = fit(wide(1, width=5_000), 300)

    assert "…[5,000 characters]…" in str(fitted.items[0]["template"])
    assert fitted.items[0]["refs"] == ["e0@aa"]
    assert fitted.omitted is not None
    assert fitted.omitted.texts == 2


def test_evidence_without_items_goes_from_its_tail():
    lines = tuple(Evidence(ref=f"e{number}@aa", source="a", text="z" * 60) for number in range(40))

    fitted = fit(Answer(summary="40 lines.", evidence=lines, coverage=COVERAGE), 400)

    assert fitted.evidence == lines[: len(fitted.evidence)]
    assert len(fitted.evidence) > 3
    assert fitted.omitted == Omitted(evidence=40 - len(fitted.evidence))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=600)
leaves = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | texts
refs = st.integers(1, 30).map(lambda line: f"e{line}@3f9ac21b")
item = st.dictionaries(
    st.sampled_from(["id", "template", "count", "more", "kind"]),
    leaves | st.lists(leaves, max_size=20) | st.dictionaries(texts, leaves, max_size=3),
).flatmap(lambda row: st.lists(refs, max_size=3).map(lambda named: {**row, "refs": named}))
times = st.sampled_from(["", "2026-11-20T10:26:21.123456789Z"])
counts = st.integers(0, 10**9)
answers = st.builds(
    Answer,
    summary=texts,
    items=st.lists(item, max_size=12).map(tuple),
    evidence=st.lists(
        st.builds(Evidence, ref=refs, time=times, source=texts, severity=st.just("error"), text=texts),
        max_size=12,
    ).map(tuple),
    coverage=st.builds(
        Coverage,
        lines=counts,
        records=counts,
        sources=counts,
        start=times,
        end=times,
        undated=st.floats(0, 1),
        skipped=st.lists(texts, max_size=20).map(tuple),
        redacted=counts,
        flagged=counts,
    ),
    omitted=st.none() | st.builds(Omitted, items=counts, evidence=counts, reason=st.sampled_from(["limit"])),
    cursor=st.none() | texts,
    next=st.lists(texts, max_size=5).map(tuple),
)


@given(answers, st.integers(100, 3000))
@settings(max_examples=200, deadline=None)
def test_every_answer_fits_every_budget_and_tells_what_is_gone(answer: Answer, budget: int):
    fitted = fit(answer, budget)

    assert len(to_compact_json(fitted).encode()) <= 4 * budget
    assert len(to_text(fitted).encode()) <= 4 * budget
    assert fit(answer, budget) == fitted
    before, after = answer.omitted or Omitted(), fitted.omitted or Omitted()
    assert after.items - before.items == len(answer.items) - len(fitted.items)
    assert after.evidence - before.evidence == len(answer.evidence) - len(fitted.evidence)
    assert after.skipped == len(answer.coverage.skipped) - len(fitted.coverage.skipped)
    assert after.next == len(answer.next) - len(fitted.next)
    assert after.cursor == (answer.cursor is not None) - (fitted.cursor is not None)
    assert after.texts >= changed_texts(answer, fitted)
    assert fitted.found == answer.found


def changed_texts(answer: Answer, fitted: Answer) -> int:
    """Texts of kept rows that are not as they were."""
    pairs: list[tuple[Any, Any]] = list(zip(answer.items, fitted.items, strict=False))
    lines = {(line.ref, line.source, line.text) for line in answer.evidence}
    changed = sum((line.ref, line.source, line.text) not in lines for line in fitted.evidence)
    while pairs:
        was, now = pairs.pop()
        if isinstance(was, dict):
            pairs.extend((was[name], now[name]) for name in was)
        elif isinstance(was, list):
            pairs.extend(zip(was, now, strict=True))
        else:
            changed += was != now
    return changed
