from __future__ import annotations

import io
import threading

import pytest

from logpith.progress import ProgressLine, size_in_words


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def line_of(clock: Clock) -> ProgressLine:
    return ProgressLine(io.StringIO(), "reading", clock=clock)


def test_the_line_says_how_far_the_work_is_and_how_fast():
    clock = Clock()
    line = line_of(clock)
    clock.now_s += 2

    line(50_000_000, 200_000_000, 1_000_000)

    assert line.text() == "━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  25%  50 MB of 200 MB, 1,000,000 lines, 500,000 lines/s"


def test_the_line_tells_what_is_done_while_nothing_is_told():
    assert line_of(Clock()).text() == "⠋ reading"


def test_of_unknown_length_only_what_was_read_is_told():
    clock = Clock()
    line = line_of(clock)
    clock.now_s += 1

    line(1_500_000, 0, 3_000)

    assert line.text() == "⠋ 1.5 MB, 3,000 lines, 3,000 lines/s"


def test_when_all_is_read_the_line_says_so():
    clock = Clock()
    line = line_of(clock)

    line(10, 10, 1)

    assert line.text() == "⠋ 1 line, finding out what they say"


def test_work_that_counts_lines_tells_lines():
    clock = Clock()
    line = ProgressLine(io.StringIO(), "writing", counts="lines", clock=clock)
    clock.now_s += 2

    line(500, 1_000, 500)

    assert line.text() == "━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌  50%  500 of 1,000 lines, 250 lines/s"


class Screen(io.StringIO):
    """Tells when something was drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = threading.Event()

    def write(self, text: str) -> int:
        self.drawn.set()
        return super().write(text)


def test_a_line_that_was_drawn_is_wiped_away():
    screen = Screen()

    with ProgressLine(screen, "reading"):
        assert screen.drawn.wait(60)

    assert "reading" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_short_work_draws_nothing():
    screen = Screen()

    with ProgressLine(screen, "reading") as line:
        line(1, 2, 1)

    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (120_794_200, "121 MB"), (2 * 10**12, "2.0 TB")],
)
def test_sizes_are_told_in_decimal_units(size_bytes, words):
    assert size_in_words(size_bytes) == words


def test_the_line_says_what_all_work_waits_for():
    line = line_of(Clock())
    line(1, 2, 3)
    waits_for = ["compiling", ""]
    line.waits_for = lambda: waits_for.pop(0)

    assert line.text() == "⠋ compiling"
    assert "3 lines" in line.text()
