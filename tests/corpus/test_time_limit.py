"""A reading that may take only so long: what was read until then is a corpus, and asking again goes on."""

import numpy as np
import pytest

from logpith.corpus.desk import Desk, record_of
from logpith.corpus.reading import Deadline
from logpith.corpus.refs import make_ref, read_ref
from logpith.files import text as text_module
from logpith_emit.errors import NotFound

LINES = [
    f"2026-11-20 13:{i // 60:02d}:{i % 60:02d} INFO call {i} answered in {i % 7} ms" for i in range(2000)
]


class Clock:
    """Each look at it takes so long."""

    def __init__(self, step_s):
        self.step_s = step_s
        self.now_s = 0.0

    def __call__(self):
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture(autouse=True)
def small_blocks(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 8 << 10)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("\n".join(LINES) + "\n")
    return path


def hurried(clock=None):
    return Desk(time_limit_s=5, clock=clock or Clock(1.0))


def test_reading_stops_at_the_limit_and_says_how_far_it_came(log):
    corpus = hurried().open([str(log)])

    size = sum(int(length) + 1 for length in corpus.columns.length)
    assert not corpus.whole
    assert 0 < len(corpus) < len(LINES)
    assert corpus.texts(range(len(corpus))) == [line.encode() for line in LINES[: len(corpus)]]
    share = 100 * size // log.stat().st_size
    assert corpus.skipped == (f"stopped after 5 s: {share} % of {log} read; ask again to go on",)


def test_asking_again_goes_on_until_all_is_read_and_the_whole_is_what_one_reading_gives(log):
    desk = hurried()
    seen = [desk.open([str(log)])]
    while not seen[-1].whole:
        seen.append(desk.open([str(log)]))

    counts = [len(corpus) for corpus in seen]
    assert len(seen) > 2
    assert counts == sorted(set(counts))
    at_once = Desk().open([str(log)])
    for name in ("start", "length", "line", "time_ns", "severity", "service", "shape", "source"):
        assert np.array_equal(getattr(at_once.columns, name), getattr(seen[-1].columns, name)), name
    assert [template.text for template in seen[-1].templates.templates] == [
        template.text for template in at_once.templates.templates
    ]
    assert seen[-1].skipped == ()
    assert desk.open([str(log)]) is seen[-1]


def test_a_corpus_given_out_does_not_change_while_reading_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 100)
    path = tmp_path / "trace.log"
    path.write_text("2026-11-20 13:45:00 ERROR failed\n" + "  at some.place\n" * 2000)
    desk = hurried()

    first = desk.open([str(path)])
    length, lines = first.columns.length.tolist(), first.columns.lines.tolist()
    desk.open([str(path)])

    assert first.columns.length.tolist() == length
    assert first.columns.lines.tolist() == lines


def test_without_a_limit_the_clock_is_not_asked(log):
    clock = Clock(1.0)

    assert Desk(clock=clock).open([str(log)]).whole
    assert clock.now_s == 0


def test_what_is_read_in_time_is_whole(log):
    corpus = hurried(Clock(0.0)).open([str(log)])

    assert corpus.whole
    assert len(corpus) == len(LINES)


def test_a_limit_that_is_over_at_once_still_reads_some(log):
    desk = hurried(Clock(100.0))

    counts = [len(desk.open([str(log)])) for _ in range(4)]

    assert counts[0] > 0
    assert counts == sorted(set(counts))


def test_sources_that_were_not_begun_are_counted(tmp_path, log):
    for name in ("b.log", "c.log"):
        (tmp_path / name).write_text(log.read_text())

    corpus = hurried().open([str(tmp_path / "*.log")])

    assert corpus.skipped[0].endswith("read, nothing of 2 more sources; ask again to go on")


def test_a_file_that_has_changed_meanwhile_is_begun_anew(log):
    desk = hurried()
    before = desk.open([str(log)])
    with log.open("a") as file:
        file.write("2026-11-20 14:00:00 INFO one more\n")

    assert len(desk.open([str(log)])) == len(before)


def test_a_ref_beyond_what_was_read_is_told_apart_from_one_that_was_rotated_away(log):
    desk = hurried()
    corpus = desk.open([str(log)])
    source = corpus.sources[0]
    beyond = read_ref(make_ref(len(LINES), source.key, LINES[-1].encode()))
    changed = read_ref(make_ref(1, source.key, b"another text"))

    with pytest.raises(NotFound, match="beyond what could be read in time"):
        record_of(corpus, source, beyond)
    with pytest.raises(NotFound, match="is not what it was"):
        record_of(corpus, source, changed)


def test_a_deadline_counts_from_when_it_was_made():
    now_s = [100.0]
    deadline = Deadline(5, lambda: now_s[0])

    now_s[0] = 104.9
    assert not deadline.is_over()
    now_s[0] = 105.0
    assert deadline.is_over()
