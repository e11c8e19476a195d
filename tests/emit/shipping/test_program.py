"""A program that names destinations finds its records there, however it ends."""

import json
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from logpith_emit.destinations.file import FileDestination
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.emitter import EmitSettings, Emitter, folder_name
from logpith_emit.errors import BadArgument
from logpith_emit.logger import Logger
from logpith_emit.shipping import status_of
from logpith_emit.spool import DROPPED_KIND, Spool

SOON_S = 60
"""A deadline, not a wait."""


def messages(path):
    return [json.loads(line)["message"] for line in path.read_bytes().splitlines()]


def test_what_is_said_comes_to_each_destination(tmp_path):
    memory, path = MemoryDestination(), tmp_path / "out.ndjson"
    emitter = Emitter(
        EmitSettings(
            service="shop",
            folder=tmp_path / "spool",
            drain_s=SOON_S,
            destinations={"memory": memory, "file": {"type": "file", "path": str(path)}},
        )
    )
    log = Logger("shop", {}, emitter)

    log.info("one")
    log.info("two", token="hunter2")
    emitter.close()

    assert (
        messages(path) == [record.fields["message"] for record in memory.records.values()] == ["one", "two"]
    )
    assert "hunter2" not in path.read_text()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"path": "x"}, "destinations.local: 'type' is missing"),
        ({"type": "fiel"}, "destinations.local: No destination is called 'fiel'"),
        ({"type": "file", "pth": "x"}, "destinations.local: no setting named 'pth'"),
        ({"type": "file", "path": "x", "timeout_s": 0}, "destinations.local: timeout_s must be more than 0"),
    ],
)
def test_a_destination_that_is_none_is_refused_with_its_place(tmp_path, table, problem):
    with pytest.raises(BadArgument) as error:
        Emitter(EmitSettings(folder=tmp_path, destinations={"local": table}))

    assert problem in str(error.value)


def test_what_a_destination_logs_by_itself_is_not_logged_for_ever(tmp_path):
    said = []

    class Chatty(MemoryDestination):
        def open(self):
            log.error("opening")
            said.append("opening")
            return super().open()

    destinations = {"chatty": (chatty := Chatty())}
    emitter = Emitter(EmitSettings(folder=tmp_path / "spool", drain_s=SOON_S, destinations=destinations))
    log = Logger("x", {}, emitter)
    log.info("one")
    emitter.close()

    assert said == ["opening"]
    assert [record.fields["message"] for record in chatty.records.values()] == ["one"]
    assert emitter.lost == {"recursive": 1}


ENDS = """
import os, signal, sys, threading
from logpith_emit import configure, get_logger
configure(service="shop", console=False)
log = get_logger("shop")
for number in range(200):
    log.info("record", number=number)
ending = sys.argv[1]
if ending == "raise":
    raise SystemError("on purpose")
if ending == "exit":
    sys.exit(3)
if ending == "_exit":
    os._exit(0)
if ending in ("SIGTERM", "SIGKILL", "SIGINT"):
    os.kill(os.getpid(), getattr(signal, ending))
    signal.pause()
"""

SETTINGS = """
drain_s = 60

[destinations.local]
type = "file"
path = "{path}"
"""


@pytest.mark.parametrize("ending", ["end", "raise", "exit", "_exit", "SIGTERM", "SIGINT", "SIGKILL"])
def test_however_a_program_ends_all_of_it_is_delivered_in_the_end(tmp_path, ending):
    settings, out = tmp_path / "emit.toml", tmp_path / "out.ndjson"
    settings.write_text(SETTINGS.format(path=out))
    environment = {
        **os.environ,
        "LOGPITH_EMIT_SETTINGS": str(settings),
        "LOGPITH_EMIT_FOLDER": str(tmp_path / "spool"),
    }

    subprocess.run(
        [sys.executable, "-c", ENDS, ending],
        env=environment,
        capture_output=True,
        check=False,
        timeout=2 * SOON_S,
    )
    shipped = subprocess.run(
        [sys.executable, "-m", "logpith_emit", "ship", "--once"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * SOON_S,
    )

    assert (shipped.returncode, shipped.stderr) == (0, "")
    numbers = [json.loads(line)["number"] for line in out.read_bytes().splitlines()]
    assert sorted(set(numbers)) == list(range(200))
    if ending in ("end", "raise", "exit"):
        assert numbers == list(range(200))
    (status,) = status_of(Spool(folder=tmp_path / "spool"))
    assert status.waiting == 0


def test_a_service_of_any_name_has_a_folder():
    assert folder_name("shop") == "shop"
    assert folder_name("../a b") == "%2E.%2Fa%20b"


def test_wrong_settings_of_the_environment_do_not_stop_a_program(tmp_path):
    environment = {**os.environ, "LOGPITH_EMIT_LEVEL": "loud", "XDG_DATA_HOME": str(tmp_path)}

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from logpith_emit import get_logger; get_logger('x').info('said'); print('goes on')",
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "goes on\n"
    assert "'loud' is no level" in done.stderr
    assert list((tmp_path / "logpith" / "emit" / "python").glob("*.spool"))


__all__ = ["FileDestination", "signal", "sqlite3"]


SAYS_FOR_LONG = """
import json, sys
from resource import RUSAGE_SELF, getrusage
import logpith_emit

records, folder = int(sys.argv[1]), sys.argv[2]
dead = {"type": "http", "url": "http://127.0.0.1:9/logs"}
emitter = logpith_emit.configure(folder=folder, limit_bytes=1 << 25, drain_s=0.1, destinations={"dead": dead})
log = logpith_emit.get_logger("shop")
for number in range(records):
    log.info(f"call {number} answered", call_id=f"CA{number:08d}", duration_ms=number % 310)
    if number == records // 10:
        while not emitter.shipper.shipped["dead"].retried:  # it has loaded what it needs, and holds its first batch
            emitter.shipper.flush(0.01)
        early = getrusage(RUSAGE_SELF).ru_maxrss
late = getrusage(RUSAGE_SELF).ru_maxrss
emitter.close()
print(json.dumps([late - early, dict(emitter.dropped)]))
"""


def assert_all_kept_or_counted(folder, records):
    """In a program that says so many records while its destination is dead, and takes no more memory for that."""
    ended = subprocess.run(
        [sys.executable, "-c", SAYS_FOR_LONG, str(records), str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    grown_kib, dropped = json.loads(ended.stdout)
    spool = Spool(folder=folder)
    kept = sum(frame.kind != DROPPED_KIND for segment in spool.segments() for frame in spool.read(segment))

    assert grown_kib < 4 * 1024
    assert set(dropped) <= {"drop_oldest"}
    assert kept + dropped.get("drop_oldest", 0) == records


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell what a process takes so")
def test_what_a_dead_destination_does_not_take_is_kept_or_counted(tmp_path):
    assert_all_kept_or_counted(tmp_path, 200_000)


@pytest.mark.crash
@pytest.mark.timeout(1_800)
def test_ten_million_records_for_a_dead_destination_are_kept_or_counted(tmp_path):
    assert_all_kept_or_counted(tmp_path, 10_000_000)
