"""`logpith-emit ship` goes on while its settings change."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict

import pytest

from logpith_emit.clock import ManualClock
from logpith_emit.command import main
from logpith_emit.destinations.http import HttpDestination
from logpith_emit.secret import Secret
from logpith_emit.shipping import Shipper
from logpith_emit.spool import Spool
from logpith_emit.testing import numbered
from web_stand_in import reply, web_server

SOON_S = 60
"""A deadline, not a wait."""

TABLE = '[destinations.{name}]\ntype = "http"\nurl = "{url}/{name}"\ngzip = false\nmax_age_s = 0\n'


class Intake:
    """What has come to each destination, which is a path here."""

    def __init__(self):
        self._come = defaultdict(list)
        self._more = threading.Condition()

    def __call__(self, handler, body):
        with self._more:
            self._come[handler.path[1:]] += [json.loads(line)["message"] for line in body.splitlines()]
            self._more.notify_all()
        reply(handler, b"", 204)

    def told(self, name, number=0):
        """What has come to one of them, as soon as there are so many."""
        with self._more:
            assert self._more.wait_for(lambda: len(self._come[name]) >= number, SOON_S), self._come
            return list(self._come[name])


@pytest.fixture
def intake():
    return Intake()


@pytest.fixture
def shipping(tmp_path, intake):
    """shipping(*names): tells a running `logpith-emit ship` that these are the destinations."""
    settings, spool = tmp_path / "emit.toml", tmp_path / "spool"
    spool.mkdir()
    running = []

    def use(*names, extra=""):
        text = "".join(TABLE.format(name=name, url=url) for name in names) + extra
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

    with web_server(intake, keeps=True) as url:
        yield use
        for process in running:
            process.kill()
            process.communicate()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_destinations_are_switched_on_and_off_by_a_signal_and_nothing_is_lost(tmp_path, intake, shipping):
    spool = Spool(folder=tmp_path / "spool")
    said = 0

    def say(count):
        nonlocal said
        with spool.open() as writer:
            for record in numbered(count, first=said + 1):
                writer.append(record.text, 1)
        said += count

    say(50)
    process = shipping("one")
    intake.told("one", 50)
    while spool.segments():  # of which nothing is left for another one then
        assert process.poll() is None

    shipping("two")
    assert process.stderr.readline().endswith(
        "were read again: records go to two\n"
    )  # the other is off by then
    say(50)
    intake.told("two", 50)
    while_it_was_off = len(intake.told("one"))

    shipping("one", "two", extra="no = such = thing")
    assert "the settings stay as they were" in process.stderr.readline()

    shipping("one", "two")
    intake.told("one", 100)
    process.send_signal(signal.SIGTERM)

    assert process.wait(SOON_S) == 0
    assert while_it_was_off == 50
    assert intake.told("one") == [f"record {number}" for number in range(1, 101)]
    assert intake.told("two") == [f"record {number}" for number in range(51, 101)]


def test_a_program_that_logs_for_the_first_time_is_shipped_too(tmp_path, intake):
    def say(service, first):
        with Spool(folder=tmp_path / "logpith" / "emit" / service).open() as writer:
            for record in numbered(3, first=first):
                writer.append(record.text, 1)

    settings = tmp_path / "emit.toml"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOGPITH_EMIT_")}
    with web_server(intake, keeps=True) as url:
        settings.write_text("drain_s = 30\n" + TABLE.format(name="d", url=url))
        say("shop", 1)
        process = subprocess.Popen(
            [sys.executable, "-m", "logpith_emit", "ship", "--settings", settings],
            env={**environment, "XDG_DATA_HOME": str(tmp_path)},
        )
        try:
            intake.told("d", 3)
            say("another", 4)
            assert sorted(intake.told("d", 6)) == [f"record {number}" for number in range(1, 7)]
            process.send_signal(signal.SIGTERM)
            assert process.wait(SOON_S) == 0
        finally:
            process.kill()
            process.wait()


def test_the_status_tells_how_much_waits_since_when_and_why(tmp_path, capsys):
    spool = Spool(folder=tmp_path / "shop")
    with spool.open() as writer:
        for record in numbered(3):
            writer.append(record.text, 1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        destination = HttpDestination(
            url=f"http://127.0.0.1:{closed.getsockname()[1]}/",
            token=Secret("correct-horse"),
            first_retry_s=0.001,
            most_retry_s=0.002,
        )
        shipper = Shipper(spool, {"away": destination}, warn=lambda *_: None, clock=ManualClock())
        shipper.start()
        while shipper.shipped["away"].retried < 6:
            shipper.flush(0.01)
        (delivery,) = shipper._running.values()
        shipper.close(0)
        assert delivery.join(SOON_S)

    code = main(["status", "--folder", str(spool.folder)])

    first, second = capsys.readouterr().out.splitlines()
    assert code == 1
    assert re.fullmatch(
        r"shop  away \(ended\): 3 waiting since 2026-03-14 09:26:53 UTC, 0 sent, \d+ retried", first
    )
    assert re.fullmatch(r"    last error [-\d]+ [:\d]+ UTC: .*cannot be reached.*", second)
    assert "horse" not in second
