"""What wraps a line can be told by how the line begins."""

import re2
from hypothesis import example, given
from hypothesis import strategies as st

from logpith.formats.fields import HEADS, fields_if_wrapped, fields_in

WRAPPED = (
    "2026-11-20T13:45:02.1Z stderr F level=error boom",
    "0|api  | started",
    "12:00:01 web.1  | started",
    "api-1  | started",
    "<34>1 2026-11-20T13:45:02Z web-1 su - ID47 - failed",
    "<34>Nov 20 13:45:02 web-1 sshd[7]: failed",
    "1 2026-11-20T13:45:02Z web-1 su - ID47 - failed",
    "Nov 20 13:45:02 web-1 sshd[7]: failed",
    "2026-11-20T13:45:02.1+00:00 web-1 sshd: failed",
    '10.0.0.1 - ann [20/Nov/2026:13:45:02 +0000] "GET / HTTP/1.1" 200 512',
    'example.org 10.0.0.1 - - [20/Nov/2026:13:45:02 +0000] "GET / HTTP/1.1" 200 512',
    "E1120 13:45:02.123456    7 server.go:9] failed",
    "\u0662\u0660\u0662\u0666-\u0661\u0661-\u0662\u0660T13 web-1 sshd: failed",  # digits in Arabic
)
PIECES = st.sampled_from(
    (
        *WRAPPED,
        " ",
        "\n",
        "|",
        "<",
        "1 ",
        "Nov ",
        " stdout P ",
        '[x] "GET /" 200',
        ": ",
        "a",
        "é",
        "\udcff",
        "\xa0",
    )
)
BYTES = re2.Options()
BYTES.encoding = re2.Options.Encoding.LATIN1
BEGINS = re2.compile(f"(?m)^(?:{HEADS})".encode(), BYTES)


@given(st.lists(PIECES, max_size=4).map("".join))
@example("")
def test_every_wrapped_text_begins_as_heads_say(text):
    fields = fields_if_wrapped(text)

    if fields is not None and not text.startswith("{"):
        assert BEGINS.search(text.encode("utf-8", "surrogateescape")) is not None
        assert fields == fields_in(text)


def test_all_of_these_are_wrapped():
    assert [text for text in WRAPPED if fields_if_wrapped(text) is None] == []
