"""Tail: what is shown of the end of a log, and of what comes while it is followed."""

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from logpith import tail
from logpith.cli import main
from logpith.files.roots import Roots
from logpith.tail import FollowedFile, FollowedSpools, follow
from logpith_emit.spool import Spool


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))


def line(second, said, level="INFO"):
    return f"2026-11-20 10:00:{second:02},000 {level} app: {said}\n"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("".join(line(second, f"call {second} ended") for second in range(20)))
    return path


def followed(log, *steps, query=""):
    """What is told when each step is done in turn while the file is followed."""
    waiting = iter([*steps])

    def wait():
        step = next(waiting, None)
        if step is not None:
            step()
        return step is not None

    shown = list(follow([FollowedFile.at_end(log, Roots())], query, wait))
    return [one.said or one.record.text for one in shown]


def appends(log, text):
    def step():
        with log.open("a") as file:
            file.write(text)

    return step


def test_the_last_records_are_shown_as_they_stand(log, capsys):
    assert main(["tail", "-n", "2", str(log)]) == 0

    assert capsys.readouterr().out == line(18, "call 18 ended") + line(19, "call 19 ended")


def test_a_query_chooses_and_json_tells_what_is_known(log, capsys):
    appends(log, line(30, "no", "ERROR"))()
    appends(log, line(31, "password=hunter2secret tried"))()

    assert main(["tail", "--json", "-q", "level>=error OR password", str(log)]) == 0

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["severity"], first["time"]) == ("error", "2026-11-20T10:00:30Z")
    assert "hunter2secret" not in second["text"]


def test_nothing_that_matches_is_told_by_the_exit_code(log):
    assert main(["tail", "-q", "nothing_of_that_kind", str(log)]) == 1


@pytest.mark.parametrize(
    "words", [["tail", "-n", "x", "f"], ["tail", "-q", "level>=", "f"], ["tail", "-n", "-1"]]
)
def test_a_wrong_call_says_what_is_right(words, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("logpith: ")


def test_what_is_appended_is_shown_once_its_line_is_whole(log):
    shown = followed(
        log,
        appends(log, line(21, "first") + line(22, "second")[:-9]),
        appends(log, line(22, "second")[-9:]),
        lambda: None,
        appends(log, line(23, "third")),
    )

    assert [text.split(": ", 1)[1] for text in shown] == ["first", "second", "third"]


def test_only_what_matches_is_shown_while_following(log):
    shown = followed(log, appends(log, line(21, "fine") + line(22, "bad", "ERROR")), query="level>=error")

    assert shown == [line(22, "bad", "ERROR").strip()]


def test_a_trace_that_comes_in_two_pieces_is_shown_whole(log):
    shown = followed(
        log,
        appends(log, line(21, "failed", "ERROR") + "Traceback (most recent call last):\n"),
        appends(log, "ValueError: no\n" + line(22, "on")),
    )

    assert shown[1] == "ValueError: no"
    assert shown[2] == line(22, "on").strip()


def test_a_file_that_is_rotated_is_followed_under_its_name(log):
    def rotate():
        log.rename(log.with_suffix(".log.1"))

    shown = followed(log, rotate, appends(log, line(1, "in the new file")))

    assert "was rotated" in shown[0]
    assert shown[1].endswith("in the new file")


def test_what_was_written_just_before_a_rotation_is_shown(log):
    def rotate():
        appends(log, line(30, "just before") + "2026-11-20 10:00:31,000 WARN app: cut")()
        log.rename(log.with_suffix(".log.1"))
        log.write_text(line(32, "in the new file"))

    shown = followed(log, rotate)

    assert "was rotated" in shown[0]
    assert [text.rpartition(" app: ")[2].strip() for text in shown[1:]] == [
        "just before",
        "cut",
        "in the new file",
    ]


def test_what_came_after_the_last_shown_record_is_not_passed_over(log):
    shown_bytes = log.stat().st_size
    appends(log, line(30, "while the others were shown"))()
    file = FollowedFile.at_end(log, Roots(), shown_bytes)
    turns = iter([True, False])

    shown = list(follow([file], "", lambda: next(turns)))

    assert [one.record.text for one in shown] == [line(30, "while the others were shown").strip()]


def test_a_line_without_an_end_does_not_fill_memory(log, monkeypatch):
    monkeypatch.setattr(tail, "_MOST_BYTES", 1000)
    file = FollowedFile.at_end(log, Roots())
    appends(log, "x" * 10_000)()

    lengths = [len(one) for _ in range(12) for one in file.news()[0]]
    file.close()

    assert sum(lengths) + len(file.waiting) == 10_000
    assert max(len(file.waiting), *lengths) <= 2000


def test_a_file_that_is_truncated_is_followed_from_its_beginning(log):
    def truncate():
        os.truncate(log, 0)

    shown = followed(log, truncate, appends(log, line(1, "anew")))

    assert "was truncated" in shown[0]
    assert "may be lost" in shown[0]
    assert shown[1].endswith("anew")


def test_what_programs_say_by_logpith_emit_is_followed_across_processes(tmp_path):
    spool = Spool(folder=tmp_path / "shop")
    with spool.open() as before:
        before.append(b'{"level":"info","message":"before"}', 1)
    later = Spool(folder=tmp_path / "later")
    rounds = iter(["one", "two", "three", None])

    def wait():
        text = next(rounds)
        if text is not None:
            with (later if text == "three" else spool).open() as writer:
                writer.append(b'{"level":"error","message":"%b"}' % text.encode(), 1)
        return text is not None

    shown = list(follow([FollowedSpools(tmp_path)], "level:error", wait))

    assert [json.loads(one.record.text)["message"] for one in shown] == ["one", "two", "three"]


def spilling(folder, other):
    """Where a program logs whose folder has room for a few records."""
    return Spool(folder=folder, limit_bytes=500, segment_bytes=1, overflow="spill", spill_folder=other)


def test_what_a_program_had_no_room_for_is_followed_where_it_goes_on_once_and_in_order(tmp_path):
    spool = spilling(tmp_path / "base" / "shop", tmp_path / "base" / "other")
    turns = iter(range(4))

    with spool.open() as writer:

        def wait():
            turn = next(turns)
            for number in range(10 * turn, 10 * turn + 10):
                writer.append(b'{"level":"info","message":"%d"}' % number, 1)
            return turn < 3

        shown = list(follow([FollowedSpools(tmp_path / "base")], "", wait))

    assert list(spool.spill_folder.glob("*.spool"))
    assert [int(json.loads(one.record.text)["message"]) for one in shown] == list(range(30))


@pytest.mark.parametrize("named", [["base"], ["base/shop"], ["base/shop", "other/shop"], ["other/shop"]])
def test_what_a_program_had_no_room_for_is_shown_with_the_rest(tmp_path, monkeypatch, capsys, named):
    spool = spilling(tmp_path / "base" / "shop", tmp_path / "other" / "shop")
    with spool.open() as writer:
        for number in range(20):
            writer.append(b'{"timestamp":%d,"message":"%d"}' % (number, number), 1)
    first = len(list(spool.folder.glob("*.spool")))
    monkeypatch.setenv("LOGPITH_EMIT_FOLDER", str(tmp_path / "base"))
    words = [] if named == ["base"] else [str(tmp_path / name) for name in named]
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)

        assert main(["tail", "-n", "100", *words]) == 0

    shown = [int(json.loads(text)["message"]) for text in capsys.readouterr().out.splitlines()]
    assert shown == list(range(first if named == ["other/shop"] else 0, 20))


def test_a_spool_of_which_all_was_brought_elsewhere_holds_nothing_to_show(tmp_path, capsys):
    spool = spilling(tmp_path / "shop", tmp_path / "other")
    with spool.open() as writer:
        for number in range(20):
            writer.append(b"%d" % number, 1)
    spool.remove(*spool.segments())

    assert main(["tail", str(spool.folder)]) == 2
    assert "there is no file in" in capsys.readouterr().err


KILLED = """
import os, signal
from logpith_emit import get_logger
log = get_logger("shop")
for number in range(50):
    log.info("call answered", call_id=f"CA{number}")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_without_a_path_it_shows_every_line_of_a_program_that_was_killed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("LOGPITH_EMIT_FOLDER", raising=False)
    done = subprocess.run([sys.executable, "-c", KILLED], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)

        assert main(["tail", "-n", "100"]) == 0

    shown = [json.loads(text)["call_id"] for text in capsys.readouterr().out.splitlines()]
    assert shown == [f"CA{number}" for number in range(50)]


def test_where_no_program_has_logged_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert main(["tail"]) == 2

    assert "no program has logged by logpith-emit. Write logpith tail PATH…" in capsys.readouterr().err


def test_where_all_was_brought_elsewhere_it_says_that(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = tmp_path / "logpith" / "emit" / "shop"
    folder.mkdir(parents=True)
    (folder / "local.shipped").write_text("")

    assert main(["tail"]) == 2

    assert "was brought to its destinations. Ask there" in capsys.readouterr().err


def test_a_spool_may_be_named_by_its_folder_or_its_files(tmp_path, capsys):
    spool = Spool(folder=tmp_path / ".spool")
    with spool.open() as writer:
        writer.append(b'{"level":"info","message":"said"}', 1)
    (spool.folder / "local.shipped").write_text('{"what no program": "said"}')

    for word in (spool.folder, spool.segments()[0].path):
        assert main(["tail", str(word)]) == 0
        assert capsys.readouterr().out == '{"level":"info","message":"said"}\n'


def says(folder, text):
    """A step in which a program logs there."""

    def step():
        with Spool(folder=folder).open() as writer:
            writer.append(b'{"message":"%b"}' % text.encode(), 1)

    return step


def followed_by_command(monkeypatch, words, *steps):
    """Does each step in turn while the command follows what it is told to."""
    waiting = iter(steps)

    def wait():
        step = next(waiting, None)
        if step is not None:
            step()
        return step is not None

    monkeypatch.setattr(tail, "_wait", wait)
    return main(["tail", "-f", *map(str, words)])


def test_in_an_empty_folder_what_comes_is_waited_for_files_and_spools(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "logs"
    (folder / "deep").mkdir(parents=True)
    log = folder / "app.log"

    code = followed_by_command(
        monkeypatch,
        [folder],
        lambda: None,
        log.touch,
        appends(log, line(1, "first")),
        says(folder / "shop", "spoken"),
        appends(folder / "deep" / "b.log", line(2, "deep")),
        says(folder / "till", "later"),
        appends(log, line(3, "second")),
    )

    told = capsys.readouterr()
    assert code == 1, "nothing was there to begin with"
    assert told.out.splitlines() == [
        line(1, "first").strip(),
        f'{folder}: {{"message":"spoken"}}',
        f"{folder}/deep/b.log: {line(2, 'deep').strip()}",
        f'{folder}: {{"message":"later"}}',
        f"{log}: {line(3, 'second').strip()}",
    ]
    assert told.err.splitlines() == [
        f"logpith: there is no log in {folder} yet; what comes there is shown",
        f"logpith: {log} has come, and is followed",
        f"logpith: {folder}/deep/b.log has come, and is followed",
    ]


def test_an_empty_folder_among_others_delays_none_of_them(log, tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()

    followed_by_command(monkeypatch, [log, tmp_path / "empty"], appends(log, line(21, "on")))

    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == line(21, "on").strip()
    assert told.err.count("there is no log in") == 1


def test_an_empty_folder_that_nobody_waits_for_is_an_error(tmp_path, capsys):
    assert main(["tail", str(tmp_path)]) == 2

    assert "there is no file in" in capsys.readouterr().err


def test_in_a_folder_logs_that_come_are_followed_and_pieces_of_others_are_not_shown_again(
    tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "logs"
    folder.mkdir()
    log, other = folder / "app.log", folder / "other.log"
    log.write_text(line(1, "before"))
    (folder / "app.log.1").write_text(line(0, "long before"))

    def rotate():
        (folder / "app.log.1").rename(folder / "app.log.2")
        log.rename(folder / "app.log.1")
        log.write_text(line(2, "anew"))

    def copy_and_truncate():
        (folder / "app.log.3").write_text(log.read_text())
        os.truncate(log, 0)

    followed_by_command(
        monkeypatch,
        [folder],
        rotate,
        lambda: (folder / "packed.gz").write_bytes(gzip.compress(line(9, "packed").encode())),
        lambda: (folder / "noise.log").write_bytes(bytes(range(256)) * 20),
        copy_and_truncate,
        lambda: log.rename(folder / "moved.log"),
        appends(other, line(3, "other")),
        other.unlink,
        appends(folder / "app-2026-11-20.log", line(4, "another day")),
        lambda: None,
    )

    said = [text.rpartition(" app: ")[2] for text in capsys.readouterr().out.splitlines()]
    assert said == ["long before", "before", "anew", "other"]


def test_the_last_records_of_several_files_are_the_last_in_time(tmp_path, capsys):
    for name, seconds in (("a.log", (1, 3, 5, 7)), ("b.log", (2, 4, 6))):
        (tmp_path / name).write_text("".join(line(second, f"call {second}") for second in seconds))

    assert main(["tail", "-n", "4", str(tmp_path / "a.log"), str(tmp_path / "b.log")]) == 0

    shown = capsys.readouterr().out.splitlines()
    assert [int(text.rpartition(" ")[2]) for text in shown] == [4, 5, 6, 7]
