import pytest

from logpith_emit.clock import SYSTEM_CLOCK, Clock, ManualClock

HOUR_NS = 3_600_000_000_000


def test_a_manual_clock_stands_still_until_it_is_moved():
    clock = ManualClock(now_ns=5)

    assert (clock.now_ns(), clock.now_ns(), clock.monotonic_ns()) == (5, 5, 0)


def test_time_that_passes_moves_both_scales():
    clock = ManualClock(now_ns=5)

    clock.advance(HOUR_NS)

    assert (clock.now_ns(), clock.monotonic_ns()) == (HOUR_NS + 5, HOUR_NS)


def test_setting_the_time_of_day_leaves_the_monotonic_clock_alone():
    clock = ManualClock(now_ns=HOUR_NS)
    clock.advance(1)

    clock.set_now(0)

    assert (clock.now_ns(), clock.monotonic_ns()) == (0, 1)


def test_time_does_not_pass_backwards():
    with pytest.raises(ValueError, match="-1 ns"):
        ManualClock().advance(-1)


def test_the_system_clock_counts_from_1970_and_never_goes_back():
    clock: Clock = SYSTEM_CLOCK

    first, second = clock.monotonic_ns(), clock.monotonic_ns()

    assert clock.now_ns() > 1_600_000_000_000_000_000
    assert second >= first
