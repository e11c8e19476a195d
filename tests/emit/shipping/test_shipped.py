"""What became of records is read as it was written down, or not at all."""

from collections import Counter

import pytest

from logpith_emit.shipping.shipped import Shipped, further, load_shipped, remove_shipped, save_shipped
from logpith_emit.spool import Spool

KNOWN = Shipped(type="file", sent=5, dropped=Counter(too_old=2), position={"1-a": [1, 20, 3, 3]})


@pytest.fixture
def spool(tmp_path):
    return Spool(folder=tmp_path)


def test_it_is_read_as_it_was_written(spool):
    assert load_shipped(spool, "d") is None

    save_shipped(spool, "d", KNOWN)
    assert load_shipped(spool, "d") == KNOWN

    remove_shipped(spool, "d")
    assert load_shipped(spool, "d") is None


def test_with_any_byte_changed_it_is_not_believed(spool, tmp_path):
    save_shipped(spool, "d", KNOWN)
    path = tmp_path / "d.shipped"
    good = path.read_bytes()

    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert load_shipped(spool, "d") is None
        path.write_bytes(good[:place])
        assert load_shipped(spool, "d") is None


def test_of_two_positions_the_later_one_counts_for_each_writer():
    one = {"a": [1, 50, 9, 9], "b": [2, 0, 4, 0]}
    other = {"a": [2, 0, 9, 0], "c": [1, 1, 1, 1]}

    assert (
        further(one, other)
        == further(other, one)
        == {"a": [2, 0, 9, 0], "b": [2, 0, 4, 0], "c": [1, 1, 1, 1]}
    )
