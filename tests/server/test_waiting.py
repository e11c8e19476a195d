"""Who waits is told of progress that grows, and ends the work by leaving."""

import pytest

from logpith.server.waiting import CURRENT, NobodyWaits, Step, Waiting, note_progress


def test_only_what_is_further_is_told():
    waiting = Waiting()
    assert waiting.step_after(0) is None

    waiting.note(Step(10, 100, 1))

    assert waiting.step_after(0) == Step(10, 100, 1)
    assert waiting.step_after(10) is None


def test_work_for_nobody_goes_on_silently():
    assert CURRENT.get() is None

    note_progress(1, 2, 3)


def test_work_ends_at_its_next_step_when_nobody_waits_any_more():
    waiting = Waiting()
    token = CURRENT.set(waiting)
    note_progress(1, 2, 3)

    waiting.end()

    with pytest.raises(NobodyWaits):
        note_progress(2, 2, 3)
    CURRENT.reset(token)
