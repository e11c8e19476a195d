"""Slots: the most particular type that all values have."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.templates.slots import TYPE_NAMES, fixed_start, slot_type


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["3f2504e0-4f89-41d3-9a0c-0305e82c3301"], "uuid"),
        (["00:1B:44:11:3A:B7"], "mac"),
        (["00-1b-44-11-3a-b7"], "mac"),
        (["10.0.0.7", "10.0.0.8"], "ip"),
        (["/10.0.0.7"], "ip"),
        (["fe80::1"], "ip"),
        (["2001:db8:0:0:8:800:200c:417a", "::1"], "ip"),
        (["::ffff:10.0.0.7"], "ip"),
        (["10.0.0.7", "fe80::1"], "ip"),
        (["10.0.0.0/24"], "cidr"),
        (["10.0.0.7:80"], "ip:port"),
        (["/10.0.0.7:80", "db-1/10.0.0.8:80"], "ip:port"),
        (["[fe80::1]:80"], "ip:port"),
        (["db-1.example.com:5432"], "host:port"),
        (["localhost:5432"], "host:port"),
        (["https://example.com/a"], "url"),
        (["https://example.com/a?b=c&d=%20#e", "s3://bucket/key"], "url"),
        (["postgres://anna@db:5432/main"], "url"),
        (["/var/log", "./x", "../y", "~/z"], "path"),
        ([r"C:\Windows\x.dll", r"D:\y"], "path"),
        (["/srv/two words"], "path"),
        (["org/example/Main"], "path"),
        (["31 KB", "2MB", "913 B", "1.5GiB"], "size"),
        (["256K", "4Gi"], "size"),
        (["31ms", "2.5s", "1h30m", "1h 5m"], "duration"),
        (["10us", "3µs", "7 ns"], "duration"),
        (["PT1H5M"], "duration"),
        (["12:00:01", "12:00", "12:00:01.5"], "time"),
        (["2026-03-04", "2026-03-04T12:00:01Z"], "datetime"),
        (["2026/03/04", "2026-03-04 12:00:01"], "datetime"),
        (["04/Mar/2026:12:00:01", "06/10/2026"], "datetime"),
        ([None, None], "datetime"),
        ([None, "2026-03-04"], "datetime"),
        ([None, ""], "datetime?"),
        ([None, "anna"], "text"),
        (["12", "-3.5", "+7", "1,024", "6.02e23"], "num"),
        (["00030000", "007"], "num"),
        (["443", "50010"], "num"),
        (["7%", "99.5%"], "percent"),
        (["v1.2", "v2"], "version"),
        (["1.2.3", "1.2.4-rc1"], "version"),
        (["2.4.18-3smp", "5.10-generic"], "version"),
        (["1.2.3.400"], "version"),
        (["0x1f", "beef", "12"], "hex"),
        (["04ca80d8", "04CA80D9"], "hex"),
        (["add", "bad", "feed"], "word"),
        (["anna@example.com"], "email"),
        (["TRUE", "false"], "bool"),
        (["yes", "off"], "bool"),
        (["app.log", "app.log.1", "app.log.2.gz"], "file"),
        (["report 7.pdf"], "text"),
        (["libc.so", "x-1.2.jar"], "file"),
        (["ns.example.com", "10.0.0.7"], "host"),
        (["1-2-3-4.pool.example.net"], "host"),
        (["localhost", "db.internal"], "host"),
        (["java.home", "user.name"], "word"),
        (["blk_-1608", "blk_77"], "id"),
        (["task_2026_0024_m_000043"], "id"),
        (["org.example.Server@33557fe4"], "id"),
        (["core.123", "eth0", "node-7"], "id"),
        (["1001rts"], "id"),
        (["12", "blk_7"], "id"),
        (["anna"], "word"),
        (["anna", "b0b"], "word"),
        (["größe"], "word"),
        (["anna", ""], "word?"),
        (["7", ""], "num?"),
        (["/a", "null"], "path?"),
        (["null"], "word"),
        (["a b", "c"], "text"),
        (["a\nb"], "text"),
        ([], "*"),
        ([""], "*"),
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


@given(st.lists(st.none() | st.text(max_size=20), max_size=6))
def test_any_values_have_a_type(values):
    found = slot_type(values)

    assert found.removesuffix("?") in {*TYPE_NAMES, "*"}


@given(st.lists(st.integers(0, 10**20).map(str), min_size=1))
def test_decimals_are_numbers(values):
    assert slot_type(values) == "num"


@given(st.lists(st.ip_addresses().map(str), min_size=1))
def test_addresses_are_addresses(values):
    assert slot_type(values) == "ip"


@given(st.lists(st.uuids().map(str), min_size=1))
def test_uuids_are_uuids(values):
    assert slot_type(values) == "uuid"


@given(st.lists(st.datetimes().filter(lambda at: at.year >= 1000).map(datetime.isoformat), min_size=1))
def test_iso_times_are_dates(values):
    assert slot_type(values) == "datetime"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("piece", "expected"),
    [("1", "num"), ("a.", "word"), ("1.1", "version"), ("1s", "duration"), ("a-", "word")],
)
def test_a_long_value_is_told_by_its_head_before_patterns_take_forever(piece, expected):
    assert slot_type([piece * 100_000 + "!"]) == expected
