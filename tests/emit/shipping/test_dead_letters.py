"""Records that were refused are found again, whatever became of their file."""

from logpith_emit.shipping.dead_letters import MOST_BYTES, DeadLetters
from logpith_emit.spool import Spool
from logpith_emit.testing import numbered


def letters_in(tmp_path):
    return DeadLetters(Spool(folder=tmp_path), "d")


def refused(count, first=1):
    return [(record, "odd") for record in numbered(count, first=first)]


def test_they_are_read_as_they_were_kept(tmp_path):
    letters = letters_in(tmp_path)

    assert letters.keep(refused(2), 5) == 2

    assert [(one["reason"], one["refused_at"], one["record"]["message"]) for one in letters.read()] == [
        ("odd", 5, "record 1"),
        ("odd", 5, "record 2"),
    ]


def test_one_that_was_kept_twice_is_read_once(tmp_path):
    letters = letters_in(tmp_path)
    letters.keep(refused(2), 1)
    letters.keep(refused(3), 2)

    assert [one["record"]["message"] for one in letters.read()] == ["record 1", "record 2", "record 3"]


def test_a_torn_one_costs_no_other(tmp_path):
    letters = letters_in(tmp_path)
    letters.keep(refused(2), 1)
    letters.path.write_bytes(letters.path.read_bytes()[:-20])

    letters.keep(refused(1, first=3), 2)

    assert [one["record"]["message"] for one in letters.read()] == ["record 1", "record 3"]


def test_those_that_there_is_no_room_for_are_told(tmp_path):
    letters = letters_in(tmp_path)
    letters.keep(refused(1), 1)
    with letters.path.open(
        "r+b"
    ) as file:  # as long as it may be, but for some bytes, without taking the room
        file.truncate(MOST_BYTES - 10)

    assert letters.keep(refused(2), 1) == 0


def test_on_a_disk_that_refuses_none_is_kept(tmp_path):
    assert DeadLetters(Spool(folder=tmp_path / "nowhere"), "d").keep(refused(2), 1) == 0
