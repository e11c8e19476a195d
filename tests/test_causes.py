"""Each incident of the demo: the overview shows its cause among the first suspects, and on a quiet day claims none."""

import pytest

from exam import ENOUGH, SEEDS, sit_exam
from logpith.demo.incidents import find_incident, names


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "incident", [pytest.param(find_incident(name), id=name) for name in names() if name != "none"]
)
def test_the_cause_is_among_the_first_suspects(tmp_path, record_property, incident, seed):
    exam = sit_exam(tmp_path / "day", incident, seed)

    record_property("place", exam.place)
    assert exam.place is not None, exam.suspects
    assert exam.place <= ENOUGH, exam.suspects


@pytest.mark.parametrize("seed", SEEDS)
def test_on_a_quiet_day_nothing_is_claimed_to_be_new_or_to_grow(tmp_path, seed):
    exam = sit_exam(tmp_path / "day", find_incident("none"), seed)

    assert "new since" not in exam.answer.summary
    assert "times as often" not in exam.answer.summary
