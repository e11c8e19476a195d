"""A destination that was dead soon gets what it should; one that is slow gets what it can take."""

import pytest

from logpith_emit.shipping.pace import Pace

WHOLE = 1_000


def deliver(pace, records, can_take):
    """How many records each try has had; one that has too many fails."""
    tries = []
    failures = 0
    while records:
        asked = min(records, pace.most or records)
        tries.append(asked)
        if asked > can_take:
            failures += 1
            pace.failed(is_dead=failures >= 5)
        else:
            failures = 0
            records -= asked
            pace.went(was_all=not records)
    return tries


def test_who_never_fails_gets_all_at_once():
    assert deliver(Pace(WHOLE), WHOLE, WHOLE) == [WHOLE]


@pytest.mark.parametrize("can_take", [1, 2, 7, 130, 300])
def test_who_is_slow_gets_most_of_what_it_can_take(can_take):
    pace = Pace(WHOLE)

    first, second = deliver(pace, WHOLE, can_take), deliver(pace, WHOLE, can_take)

    assert first[:6] == [WHOLE] * 5 + [1]
    assert WHOLE not in second, "what was learned holds for the next records"
    assert len(second) <= 4 * WHOLE / can_take


def test_who_is_back_gets_all_at_once_again():
    pace = Pace(WHOLE)
    for is_dead in [False] * 4 + [True] * 3:
        pace.failed(is_dead=is_dead)

    assert deliver(pace, 3_000, WHOLE)[:4] == [1, 2, 4, 7]
    assert pace.most is None


def test_who_is_back_gets_the_next_few_as_they_are():
    """Nothing says that it is slow, and what fails then comes again as it was."""
    pace = Pace(WHOLE)
    pace.failed(is_dead=True)

    assert deliver(pace, 3, WHOLE) == [1, 2]
    pace.failed(is_dead=False)
    assert pace.most is None
