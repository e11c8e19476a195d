"""Syslog: structured data as fields, and what is JSON or pairs behind a header read as such."""

import pytest


def test_structured_data_becomes_fields(read):
    one = read(
        '<165>1 2026-11-20T13:45:02Z web su 77 ID47 [a@1 k="say \\"x\\" \\]" n="5"][b c="d"] \ufeffready'
    )

    assert one.formats == {"syslog 5424"}
    assert one.severities == [10]
    assert one.templates == ["ready"]
    assert one.found('k="say \\"x\\" ]" AND n:5 AND c:d AND a@1.n:5') == [0]
    assert one.found("host:web AND pid:77 AND msgid:ID47 AND facility:20") == [0]


def test_json_and_pairs_behind_a_header_are_read(read):
    head = "Nov 20 13:45:02 web api[7]: "

    one = read(
        f'{head}{{"level":"error","msg":"bad","n":5}}\n{head}level=warn msg="slow" n=5\n{head}5 words\n'
    )

    assert one.severities == [17, 13, 0]
    assert one.templates == ["bad", "slow", "<*> words"]
    assert one.services == ["api"] * 3
    assert one.found("n:5") == [0, 1]


@pytest.mark.parametrize("level", ["[INFO]", "INFO", "info", "[info]"])
def test_a_level_where_a_host_would_stand_makes_no_syslog(read, level):
    one = read(f"2026-11-20T10:00:00Z {level} worker-1: job 7 done\n" * 9)

    assert one.formats == {"plain"}
    assert set(one.services) == {"worker-1"}
    assert set(one.severities) == {9}
    assert set(one.templates) == {"job <*> done"}


def test_a_host_makes_syslog(read):
    one = read("2026-11-20T10:00:00Z web-1 worker: job 7 done\n" * 9)

    assert one.formats == {"syslog 3164"}
    assert set(one.services) == {"worker"}
