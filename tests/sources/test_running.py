"""Other people's programs, held short."""

import ast
import os
import select
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import logpith
from logpith.sources.running import Limits, end_all, fill_in, run
from logpith_emit.errors import BadArgument, Refused, Unavailable

LIMITS = Limits(timeout_s=30, most_bytes=1 << 20)


def python(program, limits=LIMITS):
    return run([sys.executable, "-c", program], limits)


def test_it_gives_what_a_program_writes_and_how_it_ended():
    done = python("import sys; print('out'); print('first\\nlast', file=sys.stderr); sys.exit(3)")

    assert (done.output, done.status, done.complaint) == (b"out\n", 3, "last")


def test_a_program_reads_no_input():
    assert python("import sys; print(repr(sys.stdin.read()))").output == b"''\n"


def test_a_program_knows_only_the_variables_it_may(monkeypatch):
    monkeypatch.setenv("CLOUD_TOKEN", "t0ken")
    monkeypatch.setenv("OTHER_SECRET", "hidden")

    told = python(
        "import os; print(sorted(os.environ))", Limits(timeout_s=30, most_bytes=9999, passed=("CLOUD_TOKEN",))
    )

    assert b"CLOUD_TOKEN" in told.output
    assert b"OTHER_SECRET" not in told.output


def test_whoever_leaves_ends_what_still_runs(tmp_path):
    os.mkfifo(tmp_path / "began")
    program = f"import time; open({str(tmp_path / 'began')!r}, 'w').close(); time.sleep(600)"
    with ThreadPoolExecutor() as beside:
        waiting = beside.submit(python, program)
        (tmp_path / "began").read_text()  # which waits for it

        end_all()

        assert waiting.result().status == -signal.SIGKILL


def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    pids = tmp_path / "pids"
    # Of programs that are started in a moment, so that all of them are there long before the time is up.
    program = 'for child in 1 2; do sleep 600 & echo $! >> "$1"; done; wait'

    with pytest.raises(Unavailable, match=r"did not end within 3 s"):
        run(["/bin/sh", "-c", program, "sh", str(pids)], Limits(timeout_s=3, most_bytes=1000))

    ended = [_has_ended(int(pid)) for pid in pids.read_text().split()]
    assert ended == [True, True]


def test_a_program_that_never_ends_writing_is_refused():
    with pytest.raises(Refused, match="more than 1,000,000 bytes"):
        python("while True: print('x' * 1000)", Limits(timeout_s=60, most_bytes=1_000_000))


def test_a_program_that_explodes_on_stderr_is_no_danger():
    done = python("import sys\nfor _ in range(20000): sys.stderr.write('x' * 1000)\nprint('done')")

    assert done.output == b"done\n"
    assert len(done.complaint) == 300


def test_a_child_that_keeps_the_output_open_is_not_waited_for():
    child = "import time; time.sleep(600)"
    program = f"import subprocess,sys; subprocess.Popen([sys.executable,'-c',{child!r}]); print('over')"

    assert python(program).output == b"over\n"


def test_a_program_that_closes_its_output_is_waited_for_and_ended():
    with pytest.raises(Unavailable, match="did not end"):
        python(
            "import os,time; os.close(1); os.close(2); time.sleep(600)", Limits(timeout_s=2, most_bytes=100)
        )


def test_a_program_that_there_is_not_is_refused():
    with pytest.raises(Refused, match="there is no program /no/such"):
        run(["/no/such"], LIMITS)


def test_a_whole_command_line_in_one_word_is_refused_with_its_words():
    with pytest.raises(Refused, match=r'the list of its words: \["no-such", "-n", "5"\]'):
        run(["no-such -n 5"], LIMITS)
    with pytest.raises(Refused, match=r'\["sh", "-c", "no-such \| tail"\]'):
        run(["no-such | tail"], LIMITS)


def test_a_file_that_is_no_program_is_refused(tmp_path):
    (tmp_path / "text").write_text("hello")

    with pytest.raises(Refused, match="cannot be started"):
        run([str(tmp_path / "text")], LIMITS)


def test_what_a_terminal_would_obey_is_taken_out_of_complaints():
    assert python("import sys; sys.stderr.write('\\x1b[2Jboo\\x07')").complaint == "?[2Jboo?"


@pytest.mark.parametrize(
    "name",
    ["; touch X", "$(touch X)", "--output=X", "-n", "a b", "a\nb", "../x", "", "\0", "`id`", "x" * 200],
)
def test_only_plain_names_of_services_are_given_to_programs(name):
    if name:
        with pytest.raises(BadArgument, match="cannot be given to a program"):
            fill_in(["x", "{service}"], service=name, lines=1)
    else:
        assert fill_in(["x", "{service}"], service=name, lines=1) == ["x", ""]


@given(st.text(), st.integers())
def test_whatever_is_filled_in_stays_one_argument(text, lines):
    try:
        words = fill_in(["p", "--app={service}", "-n", "{lines}"], service=text, lines=lines)
    except BadArgument:
        return
    assert words == ["p", f"--app={text}", "-n", str(lines)]


def test_no_part_of_the_product_asks_a_shell():
    for path in Path(logpith.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                named = ast.unparse(node.func)
                assert named not in ("os.system", "os.popen", "subprocess.getoutput", "pty.spawn"), path
                assert not any(word.arg == "shell" for word in node.keywords), path


def _has_ended(pid):
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(descriptor, "rb", buffering=0):
        return bool(select.select([descriptor], [], [], 30)[0])
