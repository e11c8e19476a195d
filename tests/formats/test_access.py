"""Access logs: fields, the status as severity, and requests grouped by method and status."""

import pytest

from logpith.formats.access import fields_of

TIME = "[20/Nov/2026:13:45:02 +0000]"
COMBINED = (
    f'10.0.0.7 - anna {TIME} "GET /a/b?x=1 HTTP/1.1" 502 512 "https://x.org/" "Mozilla/5.0 (X11)" 0.004'
)


def test_every_field_of_a_combined_line_can_be_asked_for(read):
    one = read(COMBINED)

    assert one.formats == {"access log"}
    assert one.times == ["2026-11-20T13:45:02Z"]
    for query in (
        "status>=500",
        "client:10.0.0.7",
        "user:anna",
        "method=GET",
        "path:/a/b",
        "size>500",
        "referer:x.org",
        "agent:Mozilla",
        "request_time<0.01",
        "level:error",
    ):
        assert one.found(query) == [0], query
    assert one.found("status<500") == []


@pytest.mark.parametrize(
    ("status", "severity"),
    [("200", 9), ("101", 9), ("304", 9), ("404", 13), ("499", 13), ("500", 17), ("-", 9)],
)
def test_the_status_is_the_severity(read, status, severity):
    assert read(f'10.0.0.7 - - {TIME} "GET / HTTP/1.1" {status} 5').severities == [severity]


def test_a_virtual_host_may_stand_before_the_client(read):
    one = read(f'shop.example:443 10.0.0.7 - - {TIME} "POST /pay HTTP/2.0" 404 -')

    assert one.severities == [13]
    assert one.found("vhost:shop.example AND client:10.0.0.7 AND path:/pay") == [0]


def test_requests_are_grouped_by_method_and_status_and_never_across_them(read):
    lines = [
        f'10.0.0.{k} - - {TIME} "{method} /item/{k} HTTP/{version}" {status} {k} "-" "agent {k} {"x" * (k % 5)}"'
        for k in range(40)
        for method, version, status in (("GET", "1.1", 200), ("GET", "2.0", 502), ("PUT", "1.1", 200))
    ]

    one = read("\n".join(lines))

    assert set(one.templates) == {
        '"GET <*> HTTP/<*>" 200',
        '"GET <*> HTTP/<*>" 502',
        '"PUT <*> HTTP/<*>" 200',
    }


@pytest.mark.parametrize("asked", ["-", "", r"\x16\x03\x01", r"GET /\"x HTTP/1.1", "GET /a b HTTP/1.1"])
def test_odd_requests_are_access_lines_too(read, asked):
    one = read(f'10.0.0.7 - - {TIME} "{asked}" 400 5 "-" "-"')

    assert one.formats == {"access log"}
    assert one.severities == [13]
    assert fields_of(f'10.0.0.7 - - {TIME} "{asked}" 400 5 "-" "-"')["status"] == 400


def test_a_request_that_a_program_logs_is_told_apart_too(read):
    lines = [
        f'2026-11-20 13:45:02 INFO web: "GET /a/{k} HTTP/1.1" {200 if k % 2 else 500}' for k in range(20)
    ]

    assert set(read("\n".join(lines)).templates) == {'"GET <*> HTTP/<*>" 200', '"GET <*> HTTP/<*>" 500'}
