"""Redis: each sign is a level, and lines that only look similar stay as they are."""

import pytest


@pytest.mark.parametrize(("sign", "severity"), [(".", 5), ("-", 5), ("*", 10), ("#", 13)])
@pytest.mark.parametrize("process", ["1:M", "28948:C", "7:S", "7:X"])
def test_a_sign_is_a_level(read, process, sign, severity):
    one = read(f"{process} 20 Nov 2026 10:00:00.123 {sign} Background saving started by pid 7\n" * 5)

    assert one.formats == {"redis"}
    assert set(one.times) == {"2026-11-20T10:00:00.123Z"}
    assert set(one.severities) == {severity}
    assert set(one.templates) == {"Background saving started by pid <*>"}


@pytest.mark.parametrize(
    "line",
    ["1:Q 20 Nov 2026 10:00:00.123 # x", "a 20 Nov 2026 10:00:00.123 # x", "1:M 20 Nov 2026 10:00:00 #x"],
)
def test_what_only_looks_similar_is_plain(read, line):
    one = read(f"{line}\n" * 5)

    assert one.formats == {"plain"}
    assert set(one.times) <= {"2026-11-20T10:00:00Z", "2026-11-20T10:00:00.123Z"}
