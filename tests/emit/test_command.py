"""`logpith-emit ship` goes on while its settings change."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from logpith_emit.spool import Spool
from logpith_emit.testing import numbered

SOON_S = 60
"""A deadline, not a wait."""

TABLE = '[destinations.{name}]\ntype = "file"\npath = "{path}"\nmax_age_s = 0\n'


@pytest.fixture
def shipping(tmp_path):
    """shipping(*names): tells a running `logpith-emit ship` that these are the destinations, and has it read that."""
    settings, spool = tmp_path / "emit.toml", tmp_path / "spool"
    spool.mkdir()
    running = []

    def use(*names, extra=""):
        text = "".join(TABLE.format(name=name, path=tmp_path / name) for name in names) + extra
        settings.write_text("drain_s = 30\n" + text)
        if running:
            running[0].send_signal(signal.SIGHUP)
        else:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "logpith_emit", "ship", "--settings", settings, "--folder", spool],
                    stderr=subprocess.PIPE,
                    text=True,
                    env=os.environ | {"LOGPITH_EMIT_FOLDER": str(tmp_path)},
                )
            )
        return running[0]

    yield use
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_destinations_are_switched_on_and_off_by_a_signal_and_nothing_is_lost(tmp_path, shipping):
    said = 0

    def say(count):
        nonlocal said
        with Spool(folder=tmp_path / "spool").open() as writer:
            for record in numbered(count, first=said + 1):
                writer.append(record.text, 1)
        said += count

    def told(name):
        path = tmp_path / name
        *lines, _being_written = path.read_bytes().split(b"\n") if path.exists() else [b""]
        return [json.loads(line)["message"] for line in lines]

    def wait_until(is_so):
        deadline = time.monotonic() + SOON_S
        while not is_so():
            assert time.monotonic() < deadline, (told("one"), told("two"))
            time.sleep(0.01)

    say(50)
    process = shipping("one")
    wait_until(lambda: len(told("one")) == 50)

    shipping("two")
    wait_until((tmp_path / "spool" / "two.place").exists)  # the other is off by then
    say(50)
    wait_until(lambda: len(told("two")) == 50)
    while_it_was_off = len(told("one"))

    shipping("one", "two", extra="no = such = thing")
    assert "the settings stay as they were" in process.stderr.readline()

    shipping("one", "two")
    wait_until(lambda: len(told("one")) == 100)
    process.send_signal(signal.SIGTERM)

    assert process.wait(SOON_S) == 0
    assert while_it_was_off == 50
    assert told("one") == [f"record {number}" for number in range(1, 101)]
    assert told("two") == [f"record {number}" for number in range(51, 101)]
