"""What programs have said by logpith-emit is shown from their spools as it stands, and nothing is compiled for it."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.spooled import last_spooled, spooled, wanted_by
from logpith_emit.spool import Spool

NOW_NS = 1_795_000_000_000_000_000


def spool_of(folder, *payloads):
    """The file that a writer of its own made of these."""
    before = set(folder.glob("*.spool"))
    with Spool(folder=folder).open() as writer:
        for payload in payloads:
            writer.append(payload if isinstance(payload, bytes) else json.dumps(payload).encode(), 1)
    (path,) = set(folder.glob("*.spool")) - before
    return path


@given(
    said=st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=8).map(sorted), min_size=1, max_size=4),
    count=st.integers(0, 12),
    least=st.integers(0, 60),
)
def test_the_last_of_all_files_are_the_last_in_time(tmp_path_factory, said, count, least):
    folder = tmp_path_factory.mktemp("shop")
    for times in said:
        path = spool_of(
            folder, *({"timestamp": time, "level": "info", "message": str(time)} for time in times)
        )
        os.utime(path, ns=(times[-1], times[-1]))

    shown = last_spooled(spooled(folder), wanted_by(f"message>={least}", NOW_NS), count)

    every = sorted(time for times in said for time in times if time >= least)
    assert [record.time_ns for record in shown] == every[max(0, len(every) - count) :]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [1, 2, 3]),
        ("level>=warn", [2]),
        ("refused", [2]),
        ("call_id:CA3", [3]),
        ("duration_ms:[200 TO *]", [2]),
        ("service:shop NOT refused", [1, 3]),
        ("timestamp>=5m", [3]),
    ],
)
def test_a_query_means_what_it_means_everywhere(tmp_path, query, found):
    said = [
        {"level": "info", "call_id": "CA1", "duration_ms": 100, "message": "answered"},
        {"level": "error", "call_id": "CA2", "duration_ms": 200, "message": "refused"},
        {"level": "info", "call_id": "CA3", "message": "answered"},
    ]
    minute_ns = 60_000_000_000
    spool_of(
        tmp_path,
        *(
            {"timestamp": NOW_NS - (9 - 3 * place) * minute_ns, "service": "shop", "number": place + 1, **one}
            for place, one in enumerate(said)
        ),
    )

    shown = last_spooled(spooled(tmp_path), wanted_by(query, NOW_NS), 10)

    assert [record.column("number") or record.attribute("number") for record in shown] == found


def test_what_is_no_record_is_shown_behind_the_one_before(tmp_path):
    spool_of(tmp_path, {"timestamp": 5, "m": 1}, b"no JSON at all", {"timestamp": 7, "m": 2})
    spool_of(tmp_path, {"timestamp": 6, "m": 3})

    shown = [record.text for record in last_spooled(spooled(tmp_path), wanted_by("", NOW_NS), 3)]

    assert shown == ["no JSON at all", '{"timestamp": 6, "m": 3}', '{"timestamp": 7, "m": 2}']


def test_on_a_new_machine_nothing_is_compiled_and_nothing_told(tmp_path):
    environment = {
        **os.environ,
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "LOGPITH_CACHE_DIR": str(tmp_path / "cache"),
    }
    folder = tmp_path / "data" / "logpith" / "emit" / "shop"
    folder.mkdir(parents=True)
    spool_of(folder, *({"timestamp": NOW_NS + i, "level": "info", "message": f"call {i}"} for i in range(9)))

    told = subprocess.run(
        [sys.executable, "-m", "logpith", "tail", "-n", "2", "-q", "level:info"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )

    assert (told.returncode, told.stderr) == (0, b"")
    assert [json.loads(line)["message"] for line in told.stdout.splitlines()] == ["call 7", "call 8"]
    assert not list(tmp_path.glob("cache/**/*.code"))
