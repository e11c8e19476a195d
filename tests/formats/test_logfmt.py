"""logfmt: time, level, service and message wherever their keys stand; lines that only hold pairs are no such lines."""

import pytest

from logpith.formats.logfmt import fields_of


def test_columns_come_from_keys_wherever_they_stand(read):
    one = read('took=12 msg="slow \\"q\\" again" service=db level=warn ok path=/a ts=2026-11-20T13:45:02.5Z')

    assert one.formats == {"logfmt"}
    assert one.times == ["2026-11-20T13:45:02.500Z"]
    assert (one.severities, one.services) == ([13], ["db"])
    assert one.templates == ['slow "q" again']
    assert one.found("took>11 AND ok:true AND path:/a") == [0]
    assert one.found('body:"slow \\"q\\" again"') == [0]


def test_an_error_beside_the_message_makes_another_template(read):
    one = read('level=error msg="call failed" err="timeout"\nlevel=error msg="call failed" err="quota"')

    assert len(set(one.templates)) >= 1
    assert "err" not in one.templates[0]
    assert one.found("err:quota") == [1]


def test_without_a_message_the_line_is_mined(read):
    one = read("level=info at=router status=200\n")

    assert one.templates[0].startswith("level=info")


@pytest.mark.parametrize(
    "line",
    [
        "user=anna logged in from ip=10.0.0.7",
        "rhost=x user=root",
        "a=1",
        'msg="never closed',
        "type=CWD msg=audit(1.2:3): cwd",
        "x = y level=info",
        "",
    ],
)
def test_what_is_no_line_of_pairs_is_read_as_text(read, line):
    assert "logfmt" not in read(f"{line}\n").formats


def test_fields_of_other_text_are_none():
    assert fields_of("no pairs here") is None
    assert fields_of("a=1 b c d e") is None
    assert fields_of('a="x\\ty" b=') == {"a": "x\ty", "b": ""}
