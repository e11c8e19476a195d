"""Lines with an uptime: no time is claimed, levels are read, and the uptime is no part of the template."""

import pytest

TEN = [f"{n}.{n:03}" for n in range(10)]


def test_lines_of_the_kernel_have_no_time(read):
    one = read("".join(f"[{uptime + '000':>12}] usb 1-1: device {uptime[0]} is new\n" for uptime in TEN))

    assert one.formats == {"kernel"}
    assert set(one.times) == {""}
    assert one.lines == [1] * 10
    assert set(one.templates) == {"usb <*>: device <*> is new"}


def test_the_priority_of_a_kernel_line_is_its_severity(read):
    one = read("<6>[    1.500000] a disk is there\n<3>[    1.600000] a disk is gone\n" * 5)

    assert one.formats == {"kernel"}
    assert one.severities == [9, 17] * 5


@pytest.mark.parametrize(("level", "severity"), [("info", 9), ("warning", 13), ("debug  ", 5), ("error", 17)])
def test_a_line_of_the_jvm_tells_its_level(read, level, severity):
    one = read("".join(f"[{uptime}s][{level}][gc,heap   ] regions: {uptime[0]}\n" for uptime in TEN))

    assert one.formats == {"jvm"}
    assert set(one.times) == {""}
    assert set(one.severities) == {severity}
    assert set(one.templates) == {"[gc,heap ] regions: <*>"}


def test_a_date_before_the_uptime_of_the_jvm_is_the_time(read):
    one = read("[2026-11-20T10:00:00.123+0000][1.234s][warning][gc,init] CPUs: 2 slow\n" * 5)

    assert set(one.times) == {"2026-11-20T10:00:00.123Z"}
    assert set(one.severities) == {13}
    assert set(one.templates) == {"[gc,init] CPUs: <*> slow"}
    assert one.formats == {"jvm"}
    assert set(one.services) == {""}


@pytest.mark.parametrize("head", ["[12]", "[1.2.3]", "[a.5]", "[.5]"])
def test_other_numbers_in_brackets_are_no_uptime(read, head):
    assert read(f"{head} one thing\n" * 9).formats == {"plain"}
