"""How long a record has waited, whatever somebody does to the clock."""

import pytest

from logpith_emit.clock import ManualClock
from logpith_emit.shipping.age import Age

HOUR_NS = 3_600 * 10**9
HALF_AN_HOUR_S = 1_800


def test_what_has_waited_too_long_is_too_old():
    clock = ManualClock()
    age = Age(clock, HALF_AN_HOUR_S)
    said_ns = clock.now_ns()

    clock.advance(HOUR_NS // 2)
    age.look()
    assert not age.is_too_old(said_ns)

    clock.advance(1)
    age.look()
    assert age.is_too_old(said_ns)


@pytest.mark.parametrize("said_ns", [0, -1])
def test_what_does_not_say_when_it_was_said_never_is(said_ns):
    assert not Age(ManualClock(), 1).is_too_old(said_ns)


def test_without_a_limit_nothing_is():
    assert not Age(ManualClock(), 0).is_too_old(1)


def test_a_clock_that_is_set_forward_makes_nothing_old():
    clock = ManualClock()
    age = Age(clock, HALF_AN_HOUR_S)
    before_ns = clock.now_ns()
    clock.set_now(before_ns + HOUR_NS)
    age.look()
    after_ns = clock.now_ns()
    assert not age.is_too_old(before_ns)

    clock.advance(HOUR_NS // 2 + 1)
    age.look()
    assert age.is_too_old(before_ns)
    assert age.is_too_old(after_ns)


def test_a_clock_that_was_wrong_for_a_while_makes_nothing_old():
    clock = ManualClock()
    age = Age(clock, HALF_AN_HOUR_S)
    clock.set_now(clock.now_ns() - HOUR_NS)
    age.look()
    said_ns = clock.now_ns()
    clock.advance(10**9)
    clock.set_now(clock.now_ns() + HOUR_NS)
    age.look()

    assert not age.is_too_old(said_ns)
    assert age.is_too_old(said_ns - HOUR_NS)


def test_a_clock_that_is_set_back_makes_nothing_old():
    clock = ManualClock()
    age = Age(clock, HALF_AN_HOUR_S)
    said_ns = clock.now_ns()
    clock.set_now(said_ns - HOUR_NS)
    age.look()

    assert not age.is_too_old(said_ns)
    assert not age.is_too_old(said_ns - HOUR_NS)
