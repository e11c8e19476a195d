"""W3C logs: a header line names the columns."""

HEAD = "#Software: IIS\n#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent) time-taken\n"


def test_columns_are_named_by_the_header(read):
    one = read(
        f"{HEAD}2026-11-20 13:45:02 10.0.0.7 GET /a 503 Mozilla/5.0+(X) 15\n2026-11-20 13:45:03 - GET / 200 - 1\n"
    )

    assert one.formats == {"W3C", "plain"}
    assert one.times[2:] == ["2026-11-20T13:45:02Z", "2026-11-20T13:45:03Z"]
    assert one.severities[2:] == [17, 9]
    assert one.found("status>=500 AND client:10.0.0.7 AND agent:Mozilla AND time-taken>10") == [2]
    assert one.found("path:/a") == [2]
