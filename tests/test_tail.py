"""Tail: what is shown of the end of a log, and of what comes while it is followed."""

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
from logpith.tail import FollowedFile, FollowedSpools, follow, wait_for_files
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


def test_a_folder_without_files_and_a_glob_are_waited_for_which_is_said_once(tmp_path):
    said = []
    steps = iter([said.copy, (tmp_path / "app.log").touch, (tmp_path / "a.txt").touch])

    wait_for_files([str(tmp_path), f"{tmp_path}/*.txt"], said.append, lambda: next(steps)() is None)

    assert said == [f"there is no file in {tmp_path} yet; waiting for one"]
    assert next(steps, None) is None


def test_a_log_that_comes_to_a_folder_that_was_empty_is_shown(tmp_path, compiled):
    compiled(tmp_path / "compiled")
    folder = tmp_path / "logs"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "logpith", "tail", "-f", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            assert (
                program.stderr.readline() == f"logpith: there is no file in {folder} yet; waiting for one\n"
            )
            (folder / "new").write_text(line(1, "begun"))
            (folder / "new").rename(folder / "app.log")

            assert program.stdout.readline() == line(1, "begun")
        finally:
            program.kill()


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


def test_the_last_records_of_several_files_are_the_last_in_time(tmp_path, capsys):
    for name, seconds in (("a.log", (1, 3, 5, 7)), ("b.log", (2, 4, 6))):
        (tmp_path / name).write_text("".join(line(second, f"call {second}") for second in seconds))

    assert main(["tail", "-n", "4", str(tmp_path / "a.log"), str(tmp_path / "b.log")]) == 0

    shown = capsys.readouterr().out.splitlines()
    assert [int(text.rpartition(" ")[2]) for text in shown] == [4, 5, 6, 7]
