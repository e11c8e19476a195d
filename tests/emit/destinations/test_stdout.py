"""What goes to standard output stands there, whole, when it is said to."""

import json
import os
import subprocess
import sys

import pytest

from logpith_emit.destinations.stdout import StdoutDestination
from logpith_emit.entry import entry_of
from logpith_emit.errors import Unavailable
from logpith_emit.testing import check_destination, numbered


def test_it_keeps_its_promises(capfdbinary):
    written = bytearray()

    def read_back():
        written.extend(capfdbinary.readouterr().out)
        return [entry_of(json.loads(line)) for line in written.splitlines()]

    check_destination(StdoutDestination(), read_back)


def test_lines_for_people_can_go_to_standard_error(capfd):
    with StdoutDestination(stream="stderr", form="console").open() as live:
        live.write(numbered(2))

    told = capfd.readouterr()
    assert told.out == ""
    assert [
        number for number, line in enumerate(told.err.splitlines(), 1) if f"  record {number}  " in line
    ] == [1, 2]


def test_what_is_closed_is_unavailable(monkeypatch, tmp_path):
    closed = (tmp_path / "x").open("w")
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)

    with StdoutDestination().open() as live, pytest.raises(Unavailable, match="stdout cannot be written"):
        live.write(numbered(1))


ENDS_AT_ONCE = """
import os
from logpith_emit.destinations.stdout import StdoutDestination
from logpith_emit.testing import numbered
print("said before")
with StdoutDestination().open() as live:
    live.write(numbered(3))
    os._exit(0)
"""


def test_it_is_there_however_the_process_ends():
    done = subprocess.run(
        [sys.executable, "-c", ENDS_AT_ONCE], capture_output=True, check=True, env=dict(os.environ)
    )

    first, *lines = done.stdout.splitlines()
    assert first == b"said before"
    assert [json.loads(line)["message"] for line in lines] == ["record 1", "record 2", "record 3"]
