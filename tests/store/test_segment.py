"""A segment gives back what went into it, byte by byte, or says that it is damaged: never another record."""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_lines import log_lines
from logpith.batch import make_batch
from logpith.scan.timestamps import NO_TIME
from logpith.store.rows import rows_of, table_of
from logpith.store.segment import Segment, segment_table, spell_head
from logpith.store.segment_writer import (
    DATA,
    FORMAT,
    HEAD,
    LETTERS,
    NUMBERS,
    ROLLUP,
    SHAPES,
    TEMPLATES,
    VALUES,
    WORDS,
    build_segment,
    digest,
)
from logpith.timerange import NS_PER_D, NS_PER_S
from logpith_emit.disk import Disk
from logpith_emit.errors import Damaged, Refused, Unavailable
from stores import DAY_NS, NOW_NS

DAY = DAY_NS // NS_PER_D
FORMAT_1 = Path(__file__).parent / "format_1"
TIMES = st.none() | st.integers(0, NS_PER_D - 1).map(lambda ns: DAY_NS + ns)
RECORDS = st.lists(
    st.tuples(
        log_lines(),
        TIMES,
        st.integers(0, 24),
        st.sampled_from(("", "api", "größer")),
        st.dictionaries(
            st.sampled_from(("team", "host.name", "n")), st.integers() | st.text(max_size=5), max_size=2
        ),
    ),
    min_size=1,
    max_size=20,
)
SAMPLE = [
    (b'{"ms":12,"user":"u1"}', DAY_NS, 9, "api", {}),
    (b'{"ms":250,"user":"u2"}', DAY_NS + NS_PER_S, 17, "api", {"team": "voice"}),
    (b"quota of 10.0.0.1 exceeded", None, 0, "", {}),
    (b"\x11 and\nanother line", DAY_NS + 2 * NS_PER_S, 0, "", {}),
]


def table_with(records):
    lines, times, severities, services, extras = zip(*records, strict=True)
    batch = make_batch(
        lines,
        observed_ns=NOW_NS,
        source="app",
        timestamps=times,
        severities=severities,
        services=services,
        extras=extras,
    )
    return table_of([batch])


def built_of(records, **options):
    return build_segment(rows_of(table_with(records)), "name", DAY, NOW_NS, **options)


def written(folder, built):
    """The folder of a segment in a store."""
    home = folder / "days" / "2024-10-04" / built.id
    home.mkdir(parents=True)
    for name, data in {**built.files, HEAD: spell_head(built.head)}.items():
        (home / name).write_bytes(data)
    return home


def in_time_order(rows):
    """As a segment has its rows: undated ones stay behind the one before."""
    filled = list(
        itertools.accumulate(
            (row["timestamp"] for row in rows), lambda last, time: last if time is None else time
        )
    )
    return [
        row
        for _, row in sorted(
            zip(filled, rows, strict=True), key=lambda pair: -(2**63) if pair[0] is None else pair[0]
        )
    ]


@given(RECORDS, st.integers(1, 7), st.sampled_from((1, 10, 1 << 16)))
def test_what_comes_out_is_what_went_in(records, block_records, least_part_bytes):
    table = table_with(records)

    segment = Segment.of(built_of(records, block_records=block_records, least_part_bytes=least_part_bytes))

    assert segment_table(segment).to_pylist() == in_time_order(table.to_pylist())
    assert segment_table(segment).schema == table.schema


@given(RECORDS)
def test_putting_a_segment_together_anew_changes_nothing(records):
    first = Segment.of(built_of(records))

    again = Segment.of(build_segment(rows_of(segment_table(first)), "name", DAY, NOW_NS))

    assert segment_table(again).equals(segment_table(first))


@given(RECORDS, st.integers(1, 7), st.data())
def test_lines_of_some_templates_are_made_of_their_parts_of_the_values(records, block_records, data):
    segment = Segment.of(built_of(records, block_records=block_records, least_part_bytes=1))
    blocks = sorted(data.draw(st.sets(st.integers(0, segment.blocks - 1), min_size=1)))
    wanted = np.zeros(len(segment.templates), np.bool_)
    wanted[list(data.draw(st.sets(st.integers(0, len(wanted) - 1))))] = True
    template = segment.column("template", blocks).to_numpy()
    rows, times = np.flatnonzero(wanted[template]), segment.times(blocks)

    of_parts, of_all = (
        segment.lines(rows, template, times, segment.values(blocks, template, some))
        for some in (wanted, None)
    )

    assert bytes(of_parts[0][: of_parts[2]]) == bytes(of_all[0][: of_all[2]])
    assert of_parts[1].tolist() == of_all[1].tolist()


@given(RECORDS)
def test_the_head_counts_what_is_there(records):
    head = built_of(records).head

    times = [time for _, time, *_ in records if time is not None]
    assert (head.records, head.undated) == (len(records), len(records) - len(times))
    assert (head.start_ns, head.end_ns) == ((min(times), max(times)) if times else (NO_TIME, NO_TIME))
    assert head.lines == sum(line.count(b"\n") + 1 for line, *_ in records)
    assert head.text_bytes == sum(len(line) + 1 for line, *_ in records)
    assert head.severities == [sum(severity == n for _, _, severity, *_ in records) for n in range(25)]
    assert head.services == {
        name: sum(service == name for *_, service, _ in records)
        for name in {service for *_, service, _ in records}
    }
    assert head.sources == {"app": len(records)}


@pytest.mark.parametrize(
    "times",
    [
        [-(2**63) + 1, 2**63 - 1],
        [0, -1],
        [NS_PER_S * 7],
        [1_000_000 * 7, None],
        [1_000, None],
        [1],
        [None],
    ],
)
def test_any_time_comes_back(times):
    records = [(b"a", time, 0, "", {}) for time in times]

    segment = Segment.of(built_of(records))

    assert sorted(segment_table(segment)["timestamp"].to_pylist(), key=str) == sorted(times, key=str)


@given(RECORDS, st.integers(1, 5), TIMES, TIMES)
def test_a_block_without_a_record_of_a_period_is_left_out_and_no_other(records, block_records, start, end):
    segment = Segment.of(built_of(records, block_records=block_records))
    times = segment.times()

    found = segment.blocks_between(start, end)

    for block in range(segment.blocks):
        dated = [time for time in times[segment.rows_of(block)].tolist() if time != NO_TIME]
        is_inside = (
            bool(dated) and (start is None or max(dated) >= start) and (end is None or min(dated) < end)
        )
        if dated:
            assert found[block] == is_inside
        elif start is not None or end is not None:
            assert not found[block]


# ── Damage ─────────────────────────────────────────────────────────────────────────────────────────────────────


def numbers_in(segment, name):
    """(rows, numbers) of an attribute that is a column."""
    template = segment.column("template").to_numpy()
    return segment.numbered(template), segment.numbers(name, range(segment.blocks))


def everything_in(segment):
    """All that can be asked of a segment, as plain values."""
    templates = segment.templates
    return (
        segment_table(segment).to_pylist(),
        [[column.tolist() for column in numbers_in(segment, name)] for name in segment.head.numbers],
        segment.column("length").to_pylist(),
        segment.blocks_between(DAY_NS, DAY_NS + NS_PER_S).tolist(),
        templates.shape.tolist(),
        templates.records.tolist(),
    )


READ = {
    DATA: everything_in,
    VALUES: everything_in,
    NUMBERS: everything_in,
    TEMPLATES: lambda segment: segment.templates.texts.tolist(),
    WORDS: lambda segment: segment.may_hold_words([b"quota", b"absent"]).tolist(),
    LETTERS: lambda segment: segment.may_hold_letters(b"quota").tolist(),
    ROLLUP: lambda segment: [column.tolist() for column in vars(segment.rollup).values()],
    SHAPES: lambda segment: segment.shapes,
    HEAD: lambda segment: segment.head,
}


def check_flips(home, name, masks):
    good = (home / name).read_bytes()
    expected = READ[name](Segment.open(home, Disk()))
    told = 0
    for place, mask in itertools.product(range(len(good)), masks):
        flipped = bytearray(good)
        flipped[place] ^= mask or 1 << place % 8
        (home / name).write_bytes(flipped)
        try:
            found = READ[name](Segment.open(home, Disk()))
        except Refused:
            told += 1
        else:
            assert found == expected, (place, mask)

    # The marks at the beginning of a Parquet file are not looked at.
    assert told >= (len(good) - 4) * len(masks)


@pytest.mark.parametrize("name", list(READ))
def test_a_flipped_bit_anywhere_is_told_or_does_not_matter(tmp_path, name):
    check_flips(written(tmp_path, built_of(SAMPLE)), name, [0])


@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", list(READ))
def test_any_flipped_bit_is_told_or_does_not_matter(tmp_path, name):
    records = [*SAMPLE, *SAMPLE[::-1]] * 3
    check_flips(written(tmp_path, built_of(records, block_records=5)), name, [1 << bit for bit in range(8)])


@pytest.mark.parametrize("name", list(READ))
@pytest.mark.parametrize("change", ["half", "empty", "longer", "missing"])
def test_a_file_that_is_cut_or_gone_is_told(tmp_path, name, change):
    home = written(tmp_path, built_of(SAMPLE))
    data = (home / name).read_bytes()
    if change == "missing":
        (home / name).unlink()
    else:
        (home / name).write_bytes(
            {"half": data[: len(data) // 2], "empty": b"", "longer": data + b"\0"}[change]
        )

    problem = FileNotFoundError if (name, change) == (HEAD, "missing") else Refused
    with pytest.raises(problem):
        READ[name](Segment.open(home, Disk()))


def test_what_is_damaged_is_known_from_then_on(tmp_path):
    home = written(tmp_path, built_of(SAMPLE))
    data = bytearray((home / DATA).read_bytes())
    data[100] ^= 1
    (home / DATA).write_bytes(data)
    segment = Segment.open(home, Disk())
    assert segment.damage == ""

    with pytest.raises(Damaged, match=r"name/data\.parquet is damaged") as told:
        segment_table(segment)

    assert segment.damage == told.value.problem


def test_a_segment_of_the_first_format_is_read():
    """Values and numbers stand beside the other columns there. It was written when that was the format."""
    segment = Segment.open(FORMAT_1, Disk())

    rows = segment_table(segment).to_pylist()

    lines = [
        b'{"time":"2024-10-04T00:00:%02dZ","ms":%d,"status":%d,"user":"u%d"}'
        % (n, n * 37 % 500, 200 + n % 2 * 300, n)
        if n % 2
        else b"2024-10-04T00:00:%02dZ ERROR quota of 10.0.0.%d exceeded by %d%%" % (n, n, n * 3)
        for n in range(24)
    ]
    assert segment.head.format == 1
    assert [row["line"] for row in rows] == [*lines, b"\x11 and\nanother line"]
    assert [row["timestamp"] for row in rows] == [*(DAY_NS + n * NS_PER_S for n in range(24)), None]
    assert rows[-1]["extra"] == '{"team":"voice"}'
    numbered, numbers = numbers_in(segment, "ms")
    assert dict(zip(numbered[1::2].tolist(), numbers[1::2].tolist(), strict=True)) == {
        n: n * 37 % 500 for n in range(1, 24, 2)
    }


def test_a_later_format_is_refused_with_a_remedy(tmp_path):
    built = built_of(SAMPLE)
    home = written(tmp_path, built)
    body = json.loads((home / HEAD).read_bytes().partition(b"\n")[0])
    later = json.dumps({**body, "format": FORMAT + 1}).encode()
    (home / HEAD).write_bytes(later + b"\n" + digest(later).encode() + b"\n")

    with pytest.raises(Refused, match="later one"):
        Segment.open(home, Disk())


# ── The trash ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_segment_that_is_dropped_is_read_on_from_the_trash(tmp_path):
    home = written(tmp_path, built_of(SAMPLE))
    expected = everything_in(Segment.open(home, Disk()))
    fresh, begun = Segment.open(home, Disk()), Segment.open(home, Disk())
    begun.times()
    (tmp_path / "trash").mkdir()
    home.rename(tmp_path / "trash" / "123-name")

    assert everything_in(fresh) == everything_in(begun) == expected


def test_a_segment_that_has_gone_says_that_asking_again_helps(tmp_path):
    home = written(tmp_path, built_of(SAMPLE))
    segment = Segment.open(home, Disk())
    shutil.rmtree(home)

    with pytest.raises(Unavailable, match="Ask again"):
        everything_in(segment)

    assert segment.damage == ""
