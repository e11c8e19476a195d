"""Commands run as people run them, in processes of their own: through pipes, and on a pseudo-terminal."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from logpith import __version__
from logpith.answer import to_json
from logpith.app import ask
from logpith.cli import main
from logpith.cli.answers import command_line
from logpith.cli.extras import EXTRAS, Extra
from logpith.cli.waiting import COMPILING, COMPILING_MORE, told_of_compiling
from logpith.cli.words import EXIT_CODES, Option
from logpith.scan import kernel
from logpith.tools import tools

LOGPITH = [sys.executable, "-m", "logpith"]


def logpith(
    folder: Path, *words: str, stdin: bytes | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    given: dict[str, object] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(
        [*LOGPITH, *words],
        cwd=folder,
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
        **given,
    )


IN_ONE_PROCESS = """
import json, sys
from logpith.cli import main
for words in json.loads(sys.argv[1]):
    print("\f", main(words))
"""


def many_on_a_terminal(folder: Path, *commands: list[str], columns: int = 100) -> list[tuple[str, int]]:
    """The same of several commands, in one process to spare a second for each."""
    argv = [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(commands)]
    sent, _ = sent_to_a_terminal(argv, folder, columns)
    told = re.findall(r"(.*?)\f (\d+)\r\n", sent, re.DOTALL)
    assert len(told) == len(commands)
    return [(text, int(code)) for text, code in told]


def on_a_terminal(folder: Path, *words: str, columns: int = 100, **environment: str) -> tuple[str, int]:
    """What a terminal of that width is sent on standard output, and the exit code."""
    return sent_to_a_terminal([*LOGPITH, *words], folder, columns, **environment)


def sent_to_a_terminal(argv: list[str], folder: Path, columns: int, **environment: str) -> tuple[str, int]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    process = subprocess.Popen(
        argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**variables, "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    sent = b""
    while piece := read_or_nothing(ours):
        sent += piece
    os.close(ours)
    process.communicate()
    return sent.decode(), process.returncode


def read_or_nothing(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError as error:
        if error.errno != errno.EIO:  # Linux's way to say that the other end is closed
            raise
        return b""


HOSTILE = (
    "\x1b]0;owned\x07 \x1b]52;c;aGk=\x07 \x1b[2J\x1b[31m \x1bP$qm\x1b\\ \x9b5n "
    "\u202edesrever\u2066 \x7f [bold red]no[/]"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [
        f"2026-11-20T10:{n // 60:02}:{n % 60:02}Z INFO call {n} answered in {n % 97} ms" for n in range(600)
    ]
    lines[300] = "2026-11-20T10:05:00Z ERROR upload failed, password=hunter2zz"
    lines[301] = f"2026-11-20T10:05:01Z ERROR title {HOSTILE}"
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n")
    return tmp_path


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


@pytest.mark.parametrize(
    "command",
    [
        "overview",
        "cluster",
        "diff",
        "fetch",
        "grep",
        "timeline",
        "tail",
        "demo",
        "mcp",
        "client-config",
        "skill",
    ],
)
def test_each_command_has_help_with_an_example_and_the_exit_codes(command, capsys):
    assert main([command, "--help"]) == 0

    told = capsys.readouterr().out
    assert told.startswith(f"Usage: logpith {command}")
    assert f"  logpith {command if command != 'overview' else ''}" in told.partition("Examples:")[2]
    assert told.rstrip().endswith(EXIT_CODES)
    assert "log_" not in told
    assert all(len(line) <= 110 for line in told.splitlines())


def test_a_path_alone_asks_for_the_overview(folder):
    short = logpith(folder, "app.log")
    long = logpith(folder, "overview", "app.log")

    assert short.returncode == 0
    assert short.stdout == long.stdout
    assert short.stdout.startswith(b"600 lines")
    assert b"\x1b" not in short.stdout


def test_what_is_piped_in_is_read(folder):
    text = (folder / "app.log").read_bytes()

    alone = logpith(folder, stdin=text)
    cluster = logpith(folder, "cluster", "--json", stdin=text)
    dash = logpith(folder, "grep", "upload failed", "-", stdin=text)

    assert alone.stdout.startswith(b"600 lines")
    assert json.loads(cluster.stdout)["coverage"]["lines"] == 600
    assert dash.returncode == 0
    assert b"next: \xe2\x80\xa6 | logpith fetch e301@" in dash.stdout


def test_alone_with_nothing_piped_in_it_shows_help(folder):
    done = logpith(folder)

    assert done.returncode == 0
    assert done.stdout.startswith(b"logpith: the pith of your logs.")


def test_json_is_one_line_and_the_answer_that_any_door_gives(folder, monkeypatch):
    from logpith.corpus.desk import Desk

    monkeypatch.chdir(folder)
    answer = ask(tools()["log_grep"](pattern="upload", sources=("app.log",)), Desk())  # type: ignore[call-arg]

    done = logpith(folder, "--json", "grep", "upload", "app.log")

    assert done.stdout.count(b"\n") == 1
    assert json.loads(done.stdout) == to_json(answer)


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

        assert process.stderr.read() == b""
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

    assert done.returncode == 2
    assert done.stderr.startswith(b"logpith: the answer cannot be written: No space left on device")


def test_without_a_standard_output_it_ends_with_an_error_and_no_traceback(folder):
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *LOGPITH, "app.log"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr == b""


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


SGR = re.compile(r"\x1b\[[0-9;]*m")
NOT_TEXT = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f]")


def test_a_terminal_gets_no_control_codes_but_our_colours(folder):
    commands = [
        ["app.log"],
        ["cluster", "app.log"],
        ["grep", "title", "app.log"],
        ["fetch", "app.log", "--offset", "295"],
    ]

    for sent, code in many_on_a_terminal(folder, *([*words, "--budget", "20000"] for words in commands)):
        text = SGR.sub("", sent.replace("\r\n", "\n"))
        assert code == 0
        assert SGR.search(sent)
        assert NOT_TEXT.findall(text) == []
        assert "hunter2zz" not in text
        assert r"\x1b]0;owned\x07" in text
        assert "[bold red]no[/]" in text


def test_words_that_were_looked_for_stand_out_for_a_person_and_not_in_json(folder):
    coloured, _ = on_a_terminal(folder, "search", "answered", "app.log")
    as_json, _ = on_a_terminal(folder, "search", "answered", "app.log", "--json")

    assert "\x1b[1;33manswered\x1b[0m" in coloured
    assert "highlights" not in SGR.sub("", coloured)
    assert "highlights" not in as_json


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_lines_are_as_wide_as_the_terminal_at_most(folder, columns):
    commands = [["app.log"], ["cluster", "app.log"], ["grep", "answered", "app.log"]]

    for sent, code in many_on_a_terminal(folder, *commands, columns=columns):
        lines = SGR.sub("", sent).split("\r\n")
        too_wide = [
            line for line in lines if len(line) > columns and not line.startswith(("next: ", "more: "))
        ]
        assert code == 0
        assert len(lines) > 5
        assert too_wide == []


@pytest.mark.parametrize(
    ("words", "environment"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})]
)
def test_colours_can_be_turned_off(folder, words, environment):
    sent, code = on_a_terminal(folder, "app.log", *words, **environment)

    assert code == 0
    assert "\x1b" not in sent


def test_words_that_look_like_refs_are_fetched_from_anywhere(folder):
    found = json.loads(logpith(folder, "grep", "upload", "app.log", "--json").stdout)
    ref = found["evidence"][0]["ref"]

    by_ref = logpith(folder, "fetch", ref, "--before", "1", "app.log")
    remembered = logpith(folder.parent, "fetch", ref, "--before", "1")

    for done in (by_ref, remembered):
        assert done.returncode == 0
        assert b"call 299 answered" in done.stdout
        assert b"upload failed, password=<secret:1>" in done.stdout


def test_a_file_of_a_commands_name_is_read_by_its_path(folder):
    (folder / "grep").write_text("one line\n")

    assert logpith(folder, "./grep").stdout.startswith(b"1 line")


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ('log_fetch(refs=["e12@3f9ac21b"], before=5)', "logpith fetch e12@3f9ac21b --before 5"),
        ('log_cluster(sort="severity")', "logpith cluster 'a b.log' --sort severity"),
        ('log_grep(pattern="it is", ignore_case=true)', "logpith grep 'it is' 'a b.log' -i"),
        ("log_overview()", "logpith overview 'a b.log'"),
        ("log_fetch(query=…) reads them", "log_fetch(query=…) reads them"),
        ("rm(path=1)", "rm(path=1)"),
    ],
)
def test_a_call_for_agents_becomes_a_command_line(call, line):
    assert command_line(call, ["a b.log"]) == line


def test_what_only_the_command_line_can_do_hangs_on_an_option_of_its_own(folder, monkeypatch, capsys):
    def count_lines(question, desk, options):
        sys.stdout.write(f"{len(desk.open(question.sources))} {options['labels']} {options['format']}\n")
        return 7

    labels, format_ = Option(name="labels", value="FILE", hidden=True), Option(name="format", value="NAME")
    extra = Extra(option=labels, further=(format_,), run=count_lines)
    monkeypatch.setitem(EXTRAS, "cluster", (extra,))

    code = main(["cluster", str(folder / "app.log"), "--labels", "out.csv", "--format", "raw"])

    assert code == 7
    assert capsys.readouterr().out == "600 out.csv raw\n"
    main(["cluster", "--help"])
    assert "--labels FILE" not in capsys.readouterr().out


@pytest.mark.parametrize("words", [["app.log"], ["*.log"], ["level:error OR level:info", "app.log"], ["."]])
def test_a_first_word_that_names_a_source_is_no_query(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.log").write_text("INFO: a\nERROR: b\n")

    code = main(["count", *words, "--by", "level", "--json"])

    assert code == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert {item["severity"]: item["count"] for item in items} == {"info": 1, "error": 1}


@pytest.mark.parametrize("name", ["log-overview", "log_overview", "overview"])
def test_a_tool_may_be_called_as_agents_call_it_with_dashes_or_without(tmp_path, capsys, name):
    path = tmp_path / "app.log"
    path.write_text("2026-11-20 13:00:00 INFO started\n")

    assert main([name, str(path), "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["coverage"]["lines"] == 1


def test_a_misspelled_command_is_told_with_the_nearest(capsys):
    assert main(["ovreview", "app.log"]) == 2

    assert "Did you mean 'overview'? logpith --help" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["count"], ["search"], ["explain"]])
def test_a_query_may_be_given_by_q_wherever_there_is_one(words, capsys):
    assert main([*words, "--help"]) == 0

    assert "-q, --query" in capsys.readouterr().out


def test_a_query_given_by_q_is_the_same_as_one_that_is_a_word(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.log").write_text("2026-11-20T10:00:00Z ERROR one\n2026-11-20T10:00:01Z INFO two\n")

    shown = []
    for words in (
        ["level>=error", "app.log"],
        ["-q", "level>=error", "app.log"],
        ["app.log", "--query", "level>=error"],
    ):
        assert main(["count", *words]) == 0
        shown.append(capsys.readouterr().out)

    assert shown[0].startswith("1 of 2")
    assert shown[0] == shown[1] == shown[2]


def test_to_grep_q_says_what_its_word_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.log").write_text("2026-11-20T10:00:00Z ERROR one\n2026-11-20T10:00:01Z INFO two\n")

    assert main(["grep", "-q", "level>=error", "app.log"]) == 0

    assert capsys.readouterr().out.startswith("1 of 2")


def test_at_the_command_line_tools_are_named_by_their_commands(capsys):
    names = [tool.name for tool in tools().values() if "_" in tool.name]
    for tool in tools().values():
        assert main([tool.command, "--help"]) == 0
        shown = capsys.readouterr().out
        assert not [name for name in names if re.search(rf"\b{name}\b", shown)]
    assert main(["last", "--cursor", "x", __file__]) == 2
    assert "this is no cursor of logpith last" in capsys.readouterr().err
    assert main(["my_logs/triage/app.log"]) == 2
    assert "there is no file my_logs/triage/app.log" in capsys.readouterr().err


def test_a_file_named_like_a_misspelled_command_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "overvie").write_text("2026-11-20 10:00:00 INFO one\n")

    assert main(["overvie"]) == 0


def test_a_query_for_a_field_that_no_record_has_says_so(tmp_path, capsys):
    path = tmp_path / "app.log"
    path.write_text('{"level":"info","msg":"a","took_ms":5}\n' * 3)

    assert main(["grep", "-q", "sevrity>=warn", str(path)]) == 1
    assert "sevrity" in capsys.readouterr().out
    assert main(["grep", "-q", "took_ms>9", str(path)]) == 1
    assert "no field" not in capsys.readouterr().out


class _Heard(io.StringIO):
    """A stream that tells when somebody has written to it."""

    def __init__(self):
        super().__init__()
        self.has_text = threading.Event()

    def flush(self):
        self.has_text.set()


def test_who_waits_for_compiling_is_told_once(monkeypatch):
    heard = _Heard()
    monkeypatch.setattr(sys, "stderr", heard)

    with told_of_compiling(["search"]):
        for _ in range(2):
            with kernel._compiling:
                assert heard.has_text.wait(60)

    assert heard.getvalue() in (f"logpith: {COMPILING}\n", f"logpith: {COMPILING_MORE}\n")


@pytest.mark.parametrize("words", [["search"], ["mcp"], ["--version"]])
def test_who_waits_for_nothing_is_told_nothing(words, monkeypatch):
    heard = _Heard()
    monkeypatch.setattr(sys, "stderr", heard)

    with told_of_compiling(words):
        pass

    assert heard.getvalue() == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["grep", "no", "route", "app.log"], "there is no file route. "),
        (["grep", "no", "route", "app.log"], "If that belongs to the PATTERN, quote it: 'no route'"),
        (["search", "no", "route", "app.log"], "If that belongs to the QUERY, quote it: 'no route'"),
        (
            ["fetch", "e12@3f9a", "app.log"],
            "'e12@3f9a' is no whole ref. Copy one as it is shown: e12@3f9ac21b",
        ),
        (["overview", ""], "a path is empty. "),
        (["grep", "a", ""], "a path is empty. "),
    ],
)
def test_what_a_shell_has_made_of_words_is_told(words, told, tmp_path, monkeypatch, capsys):
    (tmp_path / "app.log").write_text("2026-11-20 10:00:00 INFO a: no route to host\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))

    assert main(words) == 2

    assert told in capsys.readouterr().err


def test_help_may_stand_before_a_command(capsys):
    assert main(["help", "search"]) == main(["search", "--help"]) == 0
    first, second = capsys.readouterr().out.split("Usage: ")[1:]

    assert first == second
