"""A line of words finds its command; what goes wrong is one line and an exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from logpith import __version__
from logpith.cli import main
from typed import LOGPITH, complaints, logpith


def test_version_is_told_without_loading_anything_heavy():
    script = (
        "import sys; from logpith.cli import main; code = main(['--version']);"
        "print(sorted({'numpy', 'numba', 'rich', 'mcp', 'duckdb', 're2', 'asyncio'} & set(sys.modules)), code)"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == f"logpith {__version__}\n[] 0\n"


def test_help_loads_nothing_heavy_and_teaches_every_command():
    script = (
        "import sys; from logpith.cli import main; main(['--help']); main(['grep', '--help']);"
        "print(sorted({'numpy', 'numba', 'rich', 'mcp', 'duckdb', 're2', 'asyncio'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.endswith("\n[]\n")
    for command in ("overview", "cluster", "diff", "fetch", "grep", "timeline", "tail", "demo", "mcp"):
        assert f"\n  {command} " in done.stdout


def test_a_path_alone_asks_for_the_overview(folder):
    short = logpith(folder, "app.log")
    long = logpith(folder, "overview", "app.log")

    assert short.returncode == 0
    assert short.stdout == long.stdout
    assert short.stdout.startswith(b"600 lines")
    assert b"\x1b" not in short.stdout


def test_with_a_closed_stderr_the_answer_and_the_exit_code_are_the_same(folder):
    def closed(*words):
        command = [sys.executable, "-m", "logpith", *words]
        return subprocess.run(
            ["sh", "-c", '"$@" 2>&-', "sh", *command], cwd=folder, capture_output=True, check=False
        )

    assert closed("app.log").stdout.startswith(b"600 lines")
    assert closed("absent.log").returncode == 2


def test_alone_with_nothing_piped_in_it_shows_help(folder):
    done = logpith(folder)

    assert done.returncode == 0
    assert done.stdout.startswith(b"logpith: the pith of your logs.")


def test_exit_codes_tell_found_nothing_and_error(folder):
    (folder / "empty.log").write_text("")

    assert logpith(folder, "grep", "upload", "app.log").returncode == 0
    assert logpith(folder, "grep", "never written", "app.log").returncode == 1
    assert logpith(folder, "empty.log").returncode == 1
    assert logpith(folder, "absent.log").returncode == 2


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["ap.log"], "app.log"),
        (["--jsn", "app.log"], "Did you mean '--json'?"),
        (
            ["--budget", "5", "app.log"],
            "--budget must be a whole number from 100 to 20000, not 5. Try --budget 100",
        ),
        (["--budget", "many", "app.log"], 'not "many"'),
        (["--budget"], "option --budget requires argument."),
        (["grep"], "PATTERN is missing. Write logpith grep PATTERN PATH…"),
        (["grep", "-E", "(", "app.log"], "."),
        (["cluster", "--sort", "rarest", "app.log"], "Try --sort rare"),
        (["timeline", "--buckets", "many", "app.log"], "logpith timeline --help lists the options"),
        (["/proc/self/mem"], "/proc/self/mem: "),
        (["cluster"], "there is nothing to read."),
        (["fetch", "e1@00000000"], "."),
        (["grep", "-q", "level>=", "app.log"], "level>=\n"),
        (["mcp", "logs"], "Write logpith mcp --root logs"),
        (["\x1b[2J.log"], r"\x1b[2J.log"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(folder, monkeypatch, capsys, words, complaint):
    monkeypatch.chdir(folder)
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)

        code = main(words)

    printed, told = capsys.readouterr()
    assert code == 2
    assert printed == ""
    assert told.startswith("logpith: ")
    assert all(line.startswith("  ") for line in told.splitlines()[1:])
    assert complaint in told
    assert "log_" not in told
    assert "Traceback" not in told
    assert "\x1b" not in told


def test_a_fault_of_ours_is_one_line_and_the_traceback_is_for_who_asks(folder):
    script = folder / "faulty.py"
    script.write_text(
        "import sys\n"
        "from logpith import cli\n"
        "def fail(words):\n"
        "    raise ZeroDivisionError('log text')\n"
        "cli._run = fail\n"
        "sys.exit(cli.main(['x']))\n"
    )
    run = [sys.executable, str(script)]

    quiet = subprocess.run(run, capture_output=True, text=True, check=False)
    loud = subprocess.run(
        run, capture_output=True, text=True, check=False, env={**os.environ, "LOGPITH_DEBUG": "1"}
    )

    assert quiet.returncode == 2
    assert quiet.stderr.startswith("logpith: ZeroDivisionError in logpith itself.")
    assert quiet.stderr.count("\n") == 1
    assert "Traceback" in loud.stderr


def test_a_reader_that_has_seen_enough_ends_it_quietly(folder):
    with subprocess.Popen(
        [*LOGPITH, "fetch", "--limit", "1000", "--budget", "20000", "app.log"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        assert complaints(process.stderr.read().decode()) == []
        assert process.wait(60) == 0


def test_an_answer_that_cannot_be_written_is_told_as_such(folder):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*LOGPITH, "app.log"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    (told,) = complaints(done.stderr.decode())
    assert done.returncode == 2
    assert told.startswith("logpith: the answer cannot be written: No space left on device")


def test_without_a_standard_output_it_ends_with_an_error_and_no_traceback(folder):
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *LOGPITH, "app.log"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )

    assert done.returncode == 2
    assert complaints(done.stderr.decode()) == []


def test_an_interrupt_ends_it_without_a_traceback(folder):
    os.mkfifo(folder / "pipe")
    with (
        subprocess.Popen(
            [*LOGPITH, "pipe"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
        (folder / "pipe").open("wb"),
    ):  # opens when the other side does: it is reading now
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        told = process.stderr.read()

    assert process.returncode == 130
    assert b"Traceback" not in told


def test_a_file_of_a_commands_name_is_read_by_its_path(folder):
    (folder / "grep").write_text("one line\n")

    assert logpith(folder, "./grep").stdout.startswith(b"1 line")


@pytest.mark.parametrize("name", ["log-overview", "log_overview", "overview"])
def test_a_tool_may_be_called_as_agents_call_it_with_dashes_or_without(tmp_path, capsys, name):
    path = tmp_path / "app.log"
    path.write_text("2026-11-20 13:00:00 INFO started\n")

    assert main([name, str(path), "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["coverage"]["lines"] == 1


def test_a_misspelled_command_is_told_with_the_nearest(capsys):
    assert main(["ovreview", "app.log"]) == 2

    assert "Did you mean 'overview'? logpith --help" in capsys.readouterr().err


def test_a_file_named_like_a_misspelled_command_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "overvie").write_text("2026-11-20 10:00:00 INFO one\n")

    assert main(["overvie"]) == 0


def test_help_may_stand_before_a_command(capsys):
    assert main(["help", "search"]) == main(["search", "--help"]) == 0
    first, second = capsys.readouterr().out.split("Usage: ")[1:]

    assert first == second
