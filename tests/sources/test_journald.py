"""systemd's journal: real journals, written from samples and read by journalctl, and files in export format."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.sources.journald import JournaldSource, read_entries
from logpith.testing.sources import Place, check_source
from logpith_emit.errors import BadArgument, Refused, Unavailable
from services import outside_program

NOW = 1_795_000_000_000_000_000
START_US = 1_795_168_800_000_000
BOOT = "b" * 32


def exported(fields, number=0):
    """An entry in export format."""
    when = f"m={number:x};t={START_US + number:x}"
    cursor = f"s={'a' * 32};i={number + 1:x};b={BOOT};{when};x={number:x}"
    told = {
        b"__CURSOR": cursor.encode(),
        b"__REALTIME_TIMESTAMP": str(START_US + number).encode(),
        b"__MONOTONIC_TIMESTAMP": str(number).encode(),
        b"_BOOT_ID": BOOT.encode(),
        **fields,
    }
    text = b""
    for name, value in told.items():
        is_plain = all(byte >= 32 or byte == 9 for byte in value) and b"\x7f" not in value
        text += (
            name + (b"=" + value if is_plain else b"\n" + len(value).to_bytes(8, "little") + value) + b"\n"
        )
    return text + b"\n"


def message(text, number=0, **fields):
    return exported(
        {b"MESSAGE": text, **{name.encode(): str(value).encode() for name, value in fields.items()}}, number
    )


def rows(source):
    with source.open("journal", None) as live:
        return [row for delivery in live.poll(NOW) for row in delivery.batch.to_pylist()]


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_entry_is_its_message_and_what_is_told_of_it(tmp_path):
    path = tmp_path / "journal.export"
    path.write_bytes(
        message(
            b"connection refused",
            PRIORITY=3,
            SYSLOG_IDENTIFIER="sshd",
            SYSLOG_FACILITY=10,
            _HOSTNAME="web-1",
            _PID=77,
            _SYSTEMD_UNIT="ssh.service",
        )
    )

    (row,) = rows(JournaldSource(file=str(path), attributes=("zone=a",)))

    assert json.loads(row.pop("extra")) == {
        "host.name": "web-1",
        "process.pid": 77,
        "syslog.facility": 10,
        "syslog.identifier": "sshd",
        "systemd.boot_id": BOOT,
        "systemd.unit": "ssh.service",
        "zone": "a",
    }
    assert row == {
        "line": b"connection refused",
        "timestamp": START_US * 1000,
        "observed_timestamp": NOW,
        "severity_number": 17,
        "service": "sshd",
        "source": "journal",
    }


@pytest.mark.parametrize(
    ("priority", "text", "severity"),
    [
        (0, "x", 23),
        (3, "INFO x", 17),
        (4, "x", 13),
        (6, "x", 9),
        (6, "ERROR x", 17),
        (6, "level=warn x", 13),
        ("", "ERROR x", 17),
        ("", "x", 0),
        (9, "x", 0),
    ],
)
def test_what_a_service_prints_tells_its_own_level(tmp_path, priority, text, severity):
    path = tmp_path / "journal.export"
    path.write_bytes(message(text.encode(), PRIORITY=priority))

    assert rows(JournaldSource(file=str(path)))[0]["severity_number"] == severity


@pytest.mark.parametrize(
    ("fields", "service"),
    [
        ({"CONTAINER_NAME": "web", "SYSLOG_IDENTIFIER": "c0ffee"}, "web"),
        ({"_SYSTEMD_UNIT": "nginx.service", "_COMM": "nginx"}, "nginx"),
        ({"_COMM": "cron"}, "cron"),
        ({}, "other"),
    ],
)
def test_the_service_is_the_best_name_that_is_told(tmp_path, fields, service):
    path = tmp_path / "journal.export"
    path.write_bytes(message(b"x", **fields))

    assert rows(JournaldSource(file=str(path), service="other"))[0]["service"] == service


def test_an_entry_without_a_message_is_kept_with_all_that_is_told(tmp_path):
    path = tmp_path / "journal.export"
    path.write_bytes(exported({b"COREDUMP_PID": b"7", b"COREDUMP_EXE": b"/bin/x\n"}))

    (row,) = rows(JournaldSource(file=str(path)))

    assert json.loads(row["line"]) == {"_BOOT_ID": BOOT, "COREDUMP_PID": "7", "COREDUMP_EXE": "/bin/x\n"}


def test_a_file_keeps_the_contract_with_entries_cut_anywhere(tmp_path, monkeypatch):
    monkeypatch.setattr("logpith.sources.journald.MOST_RECORDS", 3)
    monkeypatch.setattr("logpith.sources.journald._BLOCK_BYTES", 400)
    runs = iter(range(1000))
    texts = [b"line %d\nwith more \xff\x00" % number for number in range(20)]
    data = b"".join(message(text, number) for number, text in enumerate(texts))

    def make():
        path = tmp_path / f"{next(runs)}.export"
        path.touch()

        def append(part):
            with path.open("ab") as file:
                file.write(part)

        cuts = [0, 100, 433, 1500, 1501, len(data)]
        parts = [data[low:high] for low, high in itertools.pairwise(cuts)]
        return Place(
            source=JournaldSource(file=str(path)), steps=[lambda part=part: append(part) for part in parts]
        )

    check_source(make, texts, now_ns=NOW)


def test_a_file_that_is_not_there_or_no_export_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("logpith.sources.journald._BLOCK_BYTES", 100)
    monkeypatch.setattr("logpith.sources.journald._MOST_ENTRY_BYTES", 1000)
    with pytest.raises(Unavailable, match="cannot be read"):
        rows(JournaldSource(file=str(tmp_path / "no")))
    (tmp_path / "text").write_text("no export\n" * 1000)
    with pytest.raises(Refused, match="not in the journal's export format"):
        rows(JournaldSource(file=str(tmp_path / "text")))


fields = st.dictionaries(
    st.from_regex(rb"[A-Z_][A-Z0-9_]{0,10}", fullmatch=True), st.binary(max_size=40), min_size=1, max_size=5
)


@given(st.lists(fields, max_size=5))
def test_whatever_is_exported_is_read_as_it_was(entries):
    data = b"".join(exported(entry, number) for number, entry in enumerate(entries))

    read = list(read_entries(data))

    assert [
        {name: entry[name] for name in wanted} for wanted, (entry, _) in zip(entries, read, strict=True)
    ] == entries
    assert [place for _, place in read][-1:] == ([len(data)] if entries else [])


@given(st.binary(max_size=300))
def test_no_bytes_whatever_they_are_do_any_harm(data):
    places = [place for _, place in read_entries(data)]

    assert places == sorted(places)
    assert all(place <= len(data) for place in places)


# ── Journals ────────────────────────────────────────────────────────────────────────────────────────────────

REMOTE = "/lib/systemd/systemd-journal-remote"
HOW = "apt-get install systemd systemd-journal-remote"


def add_to_journal(folder, name, data):
    """Writes a real journal file from entries in export format."""
    folder.mkdir(exist_ok=True)
    program = outside_program(REMOTE, HOW)
    subprocess.run(
        [program, f"--output={folder}/{name}.journal", "-"], input=data, capture_output=True, check=True
    )


@pytest.mark.service
def test_a_real_journal_keeps_the_contract(tmp_path, monkeypatch):
    outside_program("journalctl", HOW)
    monkeypatch.setattr("logpith.sources.journald._BLOCK_BYTES", 1500)
    runs = iter(range(1000))
    texts = [b"line %d\nand more" % number for number in range(30)]

    def make():
        folder = tmp_path / str(next(runs))

        def add(low, high):
            entries = b"".join(message(texts[number], number, PRIORITY=4) for number in range(low, high))
            add_to_journal(folder, f"part-{low}", entries)

        steps = [lambda: add(0, 10), lambda: add(10, 30)]
        return Place(source=JournaldSource(directory=str(folder)), steps=steps)

    check_source(make, texts, now_ns=NOW)


@pytest.mark.service
def test_at_first_only_the_last_entries_of_a_journal_are_fetched_and_only_those_that_match(tmp_path):
    outside_program("journalctl", HOW)
    entries = [
        message(b"%d" % number, number, _TRANSPORT="kernel" if number % 2 else "stdout")
        for number in range(300)
    ]
    add_to_journal(tmp_path / "journal", "all", b"".join(entries))

    source = JournaldSource(
        directory=str(tmp_path / "journal"), matches=("_TRANSPORT=kernel",), backfill_lines=3
    )

    assert [row["line"] for row in rows(source)] == [b"295", b"297", b"299"]


def test_a_journalctl_that_fails_says_why(tmp_path):
    program = tmp_path / "journalctl"
    program.write_text(f"#!{sys.executable}\nimport sys; sys.exit('No journal files were opened')\n")
    program.chmod(0o755)

    with pytest.raises(Unavailable, match="No journal files were opened"):
        rows(JournaldSource(program=str(program)))


@pytest.mark.parametrize(
    "wrong", [{"matches": ("--all",)}, {"matches": ("x",)}, {"units": ("-x",)}, {"units": ("a b",)}]
)
def test_settings_that_could_be_taken_for_options_are_refused(wrong):
    with pytest.raises(BadArgument):
        JournaldSource(**wrong)


@pytest.mark.parametrize("position", ["", "{", '{"cursor":7}'])
def test_a_position_that_cannot_be_read_begins_anew(tmp_path, position):
    path = Path(tmp_path / "journal.export")
    path.write_bytes(message(b"x"))

    with JournaldSource(file=str(path)).open("journal", position) as live:
        assert [delivery.batch.num_rows for delivery in live.poll(NOW)] == [1]
