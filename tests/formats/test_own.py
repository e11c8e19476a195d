"""A user's own formats: regex and grok from a file, read into columns and fields; mistakes named with their place."""

import pytest

from logpith.formats.own import formats_file, own_formats, read_formats
from logpith_emit.errors import BadArgument, NotFound

FILE = r"""
[patterns]
CALL = "CA[0-9a-f]{4}"
REST = "%{NUMBER:cost:float} %{GREEDYDATA:message}"

[[format]]
name = "billing"
grok = '%{TIMESTAMP_ISO8601:time} ~%{LOGLEVEL:level}~ <%{NOTSPACE:service}> %{CALL:call.sid} %{REST}'

[[format]]
name = "meter"
regex = '^@(?P<time>\d{10}) (?P<unit>\w+)=(?P<amount>[\d.]+)$'
"""
LINES = """2026-11-20T13:45:02.5Z ~WARN~ <pay> CA12ef 0.25 charged 5 "credits"
@1795182303 chars=17
nothing of the kind
"""


def test_groups_are_columns_and_fields(read):
    one = read(LINES, own=read_formats(FILE, "formats.toml"))

    assert one.formats == {"billing", "meter", "plain"}
    assert one.times == ["2026-11-20T13:45:02.500Z", "2026-11-20T13:45:03Z", ""]
    assert one.severities == [13, 0, 0]
    assert one.services == ["pay", "", ""]
    assert one.templates[0] == 'charged <*> "credits"'
    assert one.found("call.sid:CA12ef AND cost<0.3") == [0]
    assert one.found("unit:chars AND amount>=17") == [1]


def test_a_trace_behind_an_own_line_belongs_to_it(read):
    text = "@1795182303 chars=17\nTraceback (most recent call last):\n  File x\nValueError: y\n@1795182304 chars=18"

    assert read(text, own=read_formats(FILE, "formats.toml")).lines == [4, 1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[format]]\nname = 'a'", r"format\[0\] has no regex"),
        ("[[format]]\nname = 'a'\nregex = '(?P<x>'", r"format\[0\]: RE2"),
        ("[[format]]\nname = 'a'\nregex = 'x'", r"format\[0\] names no group"),
        ("[[format]]\nname = 'a'\ngrok = '%{NOPE:x}'", r"format\[0\]: no grok pattern is named 'NOPE'"),
        ("[patterns]\nA = '%{B}'\nB = '%{A}'\n[[format]]\nname = 'a'\ngrok = '%{A:x}'", "holds itself"),
        ("[[format]]\nnme = 'a'", "nme"),
        ("x =", "formats.toml"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(text, problem):
    with pytest.raises(BadArgument, match=problem):
        read_formats(text, "formats.toml")


def test_the_file_is_named_by_the_environment_or_in_the_folder_of_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("LOGPITH_FORMATS", raising=False)
    assert formats_file() is None
    assert own_formats() == ()

    (tmp_path / "formats.toml").write_text(FILE)
    assert [form.name for form in own_formats()] == ["billing", "meter"]

    monkeypatch.setenv("LOGPITH_FORMATS", str(tmp_path / "absent.toml"))
    with pytest.raises(NotFound):
        own_formats()
