"""Slots: the most particular type that all values have."""

import pytest

from logpith.templates.slots import fixed_start, slot_type


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["3f2504e0-4f89-41d3-9a0c-0305e82c3301"], "uuid"),
        (["00:1B:44:11:3A:B7"], "mac"),
        (["10.0.0.7", "10.0.0.8"], "ip"),
        (["fe80::1"], "ip"),
        (["10.0.0.7:80"], "ip:port"),
        (["db-1.example.com:5432"], "host:port"),
        (["https://example.com/a"], "url"),
        (["/var/log", "./x"], "path"),
        (["31 KB", "2MB"], "size"),
        (["31ms", "2.5s"], "duration"),
        (["12:00:01"], "time"),
        (["12", "-3.5"], "num"),
        (["0x1f", "beef"], "hex"),
        (["anna@example.com"], "email"),
        (["blk_-1608"], "id"),
        (["anna"], "word"),
        (["anna", ""], "word?"),
        ([None, None], "datetime"),
        (["a b"], "*"),
        ([], "*"),
    ],
)
def test_a_slot_has_the_type_of_all_its_values(values, expected):
    assert slot_type(values) == expected


def test_letters_that_all_values_begin_with_are_shown():
    assert fixed_start(["core.12", "core.7"]) == "core."
    assert fixed_start(["cpu-1", "cpu-2"]) == "cpu-"
    assert fixed_start(["cpu-1"]) == ""
    assert fixed_start(["core.12", "disk.7"]) == ""
    assert fixed_start([]) == ""
