"""Syslog: structured data as fields, and what is JSON or pairs behind a header read as such."""


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
