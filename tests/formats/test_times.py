from hypothesis import given
from hypothesis import strategies as st

from logpith.formats.times import times_of
from logpith.timerange import NS_PER_S, format_ns

NOW_NS = 1_795_255_502 * NS_PER_S  # 2026-11-21T10:05:02Z


def test_times_are_read_in_whichever_way_logs_write_them():
    texts = (
        "2026-11-20T12:00:00.5Z",
        "Nov 20 13:45:02",
        "20/Nov/2026:13:45:02 +0100",
        "1732104302",
        "2026/11/20 13:45:02,123",
        "nonsense",
        "",
        "Nov 20\n13:45:03",
    )

    assert [time and format_ns(time) for time in times_of(texts, NOW_NS)] == [
        "2026-11-20T12:00:00.500Z",
        "2026-11-20T13:45:02Z",
        "2026-11-20T12:45:02Z",
        "2024-11-20T12:05:02Z",
        "2026-11-20T13:45:02.123Z",
        None,
        None,
        "2026-11-20T13:45:03Z",
    ]


@given(st.lists(st.text(max_size=20), max_size=5))
def test_any_text_has_a_time_or_none(texts):
    assert len(times_of(texts, NOW_NS)) == len(texts)
