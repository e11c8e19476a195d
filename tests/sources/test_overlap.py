"""What is new in the last lines of a log."""

from hypothesis import given
from hypothesis import strategies as st

from logpith.sources.overlap import MOST_KNOWN, Known, News, news_in


def known(*lines, is_all=False):
    return Known(is_all=is_all).followed_by(
        [b"%d" % line if isinstance(line, int) else line for line in lines]
    )


def numbers(*values):
    return [b"%d" % value for value in values]


def test_all_is_new_when_nothing_is_known():
    assert news_in(numbers(1, 2), Known()) == News(range(2))


def test_what_was_seen_is_left_out():
    assert news_in(numbers(2, 3, 4), known(1, 2, 3)) == News(range(2, 3))
    assert news_in(numbers(1, 2, 3), known(1, 2, 3)) == News(range(3, 3))


def test_a_window_that_reaches_further_back_than_what_is_known_is_no_news():
    assert news_in(numbers(0, 1, 2, 3, 4), known(2, 3)) == News(range(4, 5))


def test_a_gap_is_told():
    assert news_in(numbers(7, 8), known(1, 2, 3)) == News(range(2), has_gap=True)


def test_of_equal_lines_no_one_is_taken_twice():
    assert news_in([b"a"] * 5, known(b"a", b"a", b"a")) == News(range(5, 5))


def test_equal_lines_are_told_apart_by_the_log_s_beginning():
    assert news_in([b"a"] * 5, known(b"a", b"a", b"a", is_all=True)) == News(range(3, 5))


def test_logs_that_are_told_one_behind_the_other_are_told_apart_by_their_lines():
    seen = known(b"a1", b"a2", b"a3", b"b1", b"b2", b"b3")

    news = news_in([b"a2", b"a3", b"a4", b"b1", b"b2", b"b3"], seen)

    assert news == News([2], is_mixed=True)


def test_a_late_line_between_known_ones_is_new():
    assert news_in(numbers(1, 2, 3, 4, 5), known(1, 2, 4)) == News([2, 4], is_mixed=True)


def test_a_few_lines_that_are_equal_by_chance_do_not_hide_a_gap():
    seen = known(b"up", *range(10))

    assert news_in([b"x", b"up", b"y", b"z", b"v", b"w"], seen).has_gap


def test_of_more_lines_than_are_known_the_older_ones_are_no_news():
    assert news_in(numbers(-2, -1, 1, 2, 3, 4), known(1, 2, 4)) == News([4], is_mixed=True)


def test_what_is_known_is_bounded_and_survives_being_spelled():
    much = Known(is_all=True).followed_by(numbers(*range(MOST_KNOWN + 5)))

    assert not much.is_all
    assert len(much.hashes) == MOST_KNOWN * 6
    assert Known.read(much.spelled()) == much
    assert Known.read(known(1, is_all=True).spelled()) == known(1, is_all=True)


def test_what_is_no_spelling_is_nothing_known():
    assert Known.read("%%%") == Known()
    assert Known.read("YQ==") == Known()


def windows(log, draw_count, draw_width, *, overlap):
    """Windows of a log that grows: (lines until then, how many of the last ones are told)."""
    told = 0
    while told < len(log):
        grown = min(len(log), told + max(1, draw_count))
        width = max(grown - told + overlap, draw_width)
        yield log[max(0, grown - width) : grown], width >= grown
        told = grown


def taken(log, growth, width, overlap):
    seen, stored, gaps = Known(), [], 0
    for lines, is_all in windows(log, growth, width, overlap=overlap):
        if not stored:
            seen = Known(is_all=is_all)
            news = News(range(len(lines)))
        else:
            news = news_in(lines, seen)
        gaps += news.has_gap
        new = [lines[place] for place in news.places]
        stored += new
        seen = (Known() if news.has_gap else seen).followed_by(new)
    return stored, gaps


@given(st.integers(1, 1500), st.integers(1, 700), st.integers(1, 900), st.integers(1, 40))
def test_overlapping_windows_of_a_growing_log_give_each_line_once(size, growth, width, overlap):
    log = numbers(*range(size))

    assert taken(log, growth, width, overlap) == (log, 0)


@given(
    st.lists(st.sampled_from([b"a", b"b", b""]), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(1, 20),
)
def test_lines_that_repeat_are_never_stored_more_often_than_they_were_written(log, growth, width):
    stored, _ = taken(log, growth, width, overlap=1)

    assert len(stored) <= len(log)
    behind = iter(log)
    assert all(line in behind for line in stored)  # in their order


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_windows_that_do_not_overlap_tell_a_gap_and_store_what_they_have(first, missed, second):
    seen = known(*range(first))
    lines = numbers(*range(first + missed, first + missed + second))

    assert news_in(lines, seen) == News(range(second), has_gap=True)
