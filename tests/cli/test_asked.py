"""Commands without a file ask what was collected."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from logpith.cli import main
from logpith.store.reader import StoreReader
from logpith.store.segment import segment_table
from logpith.timerange import now_ns
from typed import LOGPITH, complaints

SETTINGS = """
[sources.gateway]
type = "file"
paths = ["{folder}/gateway.log"]
service = "gateway"

[sources.billing]
type = "command"
command = ["tail", "-n", "{{lines}}", "{folder}/billing.txt"]
service = "billing"

[groups]
front = ["gateway"]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with settings, and no data yet."""
    (tmp_path / "gateway.log").write_text("2026-11-20T10:00:00Z ERROR quota_exceeded for account 7\n")
    (tmp_path / "billing.txt").write_text("2026-11-20T10:00:01Z WARN invoice 9 is late\n")
    (tmp_path / "logpith.toml").write_text(SETTINGS.format(folder=tmp_path))
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(*words, **given):
    return subprocess.Popen([*LOGPITH, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **given)


def piped(text, *words):
    """What a process prints that is told so much on its standard input."""
    with start(*words, stdin=subprocess.PIPE) as process:
        return process.communicate(text)[0].decode()


@pytest.fixture
def logpith(folder, capsys, monkeypatch):
    """logpith("search", "x"): exit code, what is printed, and what is told beside it, of a command without a pipe."""
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)

        def run(*words):
            capsys.readouterr()
            code = main(words)
            return code, *capsys.readouterr()

        yield run


class TestWithoutFiles:
    """In a folder with settings."""

    def test_one_question_asks_all_sources(self, logpith):
        code, out, _ = logpith("search", "quota_exceeded OR invoice")

        assert code == 0
        assert out.startswith("2 matches in 2 hits")
        assert "skipped" not in out

    def test_every_question_does(self, logpith):
        for words in (
            ["overview"],
            ["cluster"],
            ["count", "--by", "service"],
            ["triage"],
            ["last"],
            ["status"],
            ["call", "invoice"],
        ):
            code, out, err = logpith(*words)

            assert (code, complaints(err)) == (0, []), (words, err)
            assert "coverage: 2 lines, 2 sources" in out, words

    def test_what_it_proposes_can_be_typed_as_it_stands(self, logpith):
        _, out, _ = logpith("search", "quota_exceeded", "--config", "logpith.toml")
        (proposed,) = re.findall(r"^next: logpith (.*)$", out, re.MULTILINE)
        assert proposed.endswith("--config logpith.toml")

        code, shown, _ = logpith(*proposed.split())

        assert code == 0
        assert "quota_exceeded for account 7" in shown

    def test_names_of_sources_and_groups_choose(self, logpith):
        for names, told in (
            (["billing"], "1 line of 1 service"),
            (["front", "billing"], "2 lines of 2 services"),
        ):
            _, out, _ = logpith("last", *names)
            assert told in out, out

    def test_a_file_that_is_there_is_a_file(self, logpith, folder):
        (folder / "billing").write_text("2026-11-20T10:00:01Z INFO a file\n")

        _, out, _ = logpith("overview", "billing")

        assert "1 info" in out

    @pytest.mark.usefixtures("folder")
    def test_what_is_piped_in_is_asked_and_an_empty_pipe_is_none(self):
        some = piped(b"2026-11-20T10:00:01Z INFO nothing\n", "search", "quota_exceeded")
        empty = piped(b"", "search", "quota_exceeded")

        assert some.startswith("The one record does not match")
        assert empty.startswith("1 match in 1 hit")

    def test_new_lines_are_found_when_all_is_to_be_read_anew(self, logpith, folder):
        logpith("last")
        with (folder / "gateway.log").open("a") as log:
            log.write("2026-11-20T10:00:09Z ERROR and now this\n")

        without = logpith("search", "now", "--no-refresh")
        fresh = logpith("search", "now", "--refresh")

        assert without[0] == 1
        assert fresh[0] == 0

    def test_many_at_once_store_everything_once(self, logpith, folder):
        with (folder / "gateway.log").open("a") as log:
            log.writelines(f"2026-11-20T10:01:{n % 60:02}Z INFO call {n} answered\n" for n in range(2000))
        running = [start("search", "answered", stdin=subprocess.DEVNULL) for _ in range(3)]
        told = [process.communicate() for process in running]

        assert {process.returncode for process in running} <= {0, 1, 2}
        assert all(b"logpith itself" not in err for _, err in told)
        assert logpith("search", "answered", "--refresh")[0] == 0
        snapshot = StoreReader(folder / "data" / "store").snapshot(now_ns())
        lines = [line for segment in snapshot.segments for line in segment_table(segment)["line"].to_pylist()]
        assert len(lines) == len(set(lines)) == 2002

    def test_another_folder_of_data_may_be_named(self, logpith, folder):
        code, out, _ = logpith("last", "--data-dir", str(folder / "other"))

        assert code == 0
        assert "2 lines of 2 services" in out
        assert (folder / "other" / "store").is_dir()
        assert not (folder / "data").exists()

    def test_what_excludes_each_other_is_refused(self, logpith):
        code, _, err = logpith("last", "--refresh", "--no-refresh")

        assert (code, err) == (
            2,
            "logpith: --refresh and --no-refresh exclude each other. Give one of them\n",
        )


def test_without_files_settings_and_a_store_it_says_what_can_be_done(folder, logpith):
    (folder / "logpith.toml").unlink()

    code, _, told = logpith("search", "error")

    assert code == 2
    assert told.startswith("logpith: there is nothing to read. Name a file, a folder or a glob")
    assert "logpith.toml" in told


def test_what_was_collected_can_be_asked_when_the_settings_are_gone(folder, logpith):
    logpith("last")
    (folder / "logpith.toml").unlink()

    code, out, _ = logpith("search", "quota_exceeded")

    assert (code, out.partition(",")[0]) == (0, "1 match in 1 hit")


def test_broken_settings_do_not_keep_anybody_from_asking_files(folder, logpith):
    (folder / "logpith.toml").write_text("[sources")

    assert logpith("search", "quota_exceeded", "gateway.log")[0] == 0
    code, _, err = logpith("search", "quota_exceeded")
    assert code == 2
    assert "logpith.toml" in err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_settings_of_a_stranger_are_not_obeyed_unless_they_are_named(folder, logpith):
    os.chown(folder / "logpith.toml", 12345, 12345)

    code, _, err = logpith("search", "quota_exceeded")
    named, _, _ = logpith("search", "quota_exceeded", "--config", "logpith.toml")

    assert code == 2
    assert "belongs to another user" in err
    assert named == 0
