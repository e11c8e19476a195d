"""`logpith serve` is killed in the middle of everything, under load; what it had acknowledged is found, once.

Every record has a number of its own. Those who send know which batches were acknowledged, send what was not again under
the same id, or give up; the checker reads the store in another process than the server's, and counts the numbers.
"""

import http.client
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from logpith.store.check import check_store
from logpith.store.disk import DAYS, DRAFT
from logpith.store.reader import StoreReader
from logpith.store.segment import segment_table
from logpith.timerange import now_ns
from logpith_emit.disk import Disk

TOKEN = "crash-0123456789abcdef"
SENDERS = 4
SIZES = {1: 30, 7: 30, 50: 20, 300: 15, 2_000: 4, 70_000: 1}
"""Records of a batch, and how often: a body of more than 65,536 is stored in two pieces, a hundred thousand are
sealed."""

PATIENCE_S = 120
"""So long nobody waits where all is well."""

START_S = 1.5
"""So long a start takes, before one was seen."""

SETTINGS = """
[collect]
every = "1s"

[sources.followed]
type = "file"
paths = ["followed.log"]
"""


@dataclass(frozen=True)
class Sent:
    """A batch: the numbers of its records."""

    first: int
    count: int

    @property
    def end(self):
        return self.first + self.count

    def body(self):
        return "".join(
            f'{{"time":"2026-11-20T10:00:00Z","level":"info","service":"load","msg":"record {number} came"}}\n'
            for number in range(self.first, self.end)
        ).encode()


@dataclass
class Load:
    """Those who send, and what they know."""

    seed: int
    acknowledged: list[Sent] = field(default_factory=list)
    given_up: list[Sent] = field(default_factory=list)
    repeated: int = 0
    """Batches that a server had stored and could not acknowledge."""

    _port: int | None = None
    _servers: int = 0
    _is_over: bool = False
    _problem: BaseException | None = None
    _numbers: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def at(self, port):
        """While a server is there. Behind it the port may be somebody else's."""
        self._tell(_port=port, _servers=self._servers + 1)
        try:
            yield
        finally:
            self._tell(_port=None)

    def end(self):
        """Each finishes what it has begun, if there is a server."""
        self._tell(_is_over=True)

    def _tell(self, **changes):
        with self._changed:
            vars(self).update(changes)
            self._changed.notify_all()

    def wait_for(self, acknowledged):
        """Waits until so many batches are acknowledged."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_over or len(self.acknowledged) >= acknowledged, timeout=PATIENCE_S
            )
            assert len(self.acknowledged) >= acknowledged, self._problem or "nothing is acknowledged any more"

    def send(self, sender):
        """Sends batches until it is over."""
        chance = random.Random(f"{self.seed}/{sender}")
        try:
            while not self._is_over:
                with self._changed:
                    sent = Sent(self._numbers, chance.choices([*SIZES], weights=SIZES.values())[0])
                    self._numbers = sent.end
                is_patient = chance.random() < 0.8
                (self.acknowledged if self._bring(sent, is_patient) else self.given_up).append(sent)
                self._tell()
        except BaseException as problem:
            self._tell(_problem=problem)
            raise
        finally:
            self.end()

    def _bring(self, sent, is_patient):
        """Whether a batch was acknowledged, by this server or one of those behind it."""
        body, server = sent.body(), 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_over or (self._port and self._servers > server))  # noqa: B023  # it is called at once
                server, port = self._servers, self._port
            if port is None:
                return False
            try:
                status, told = post(port, body, f"batch-{sent.first}")
            except (OSError, http.client.HTTPException):
                if self._is_over or not is_patient:
                    return False
                continue
            if status in {429, 503}:  # it says: come again
                server -= 1
                continue
            assert status == 200, told
            assert (told["accepted"] + told["duplicates"], told["rejected"]) == (sent.count, 0), told
            self.repeated += told["duplicates"] > 0
            return True


def post(port, body, batch_id):
    """What a server says to a batch."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    headers = {
        "authorization": f"Bearer {TOKEN}",
        "content-type": "application/x-ndjson",
        "x-batch-id": batch_id,
    }
    try:
        connection.request("POST", "/api/v1/logs", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@contextmanager
def server_in(folder):
    """A server's process, as its user starts it; killed at the end."""
    command = [sys.executable, "-m", "logpith", "serve", "--data-dir", "data", "--listen", "127.0.0.1:0"]
    variables = {**os.environ, "LOGPITH_TOKEN": TOKEN}
    with subprocess.Popen(command, cwd=folder, env=variables, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def port_of(process):
    """Where a server listens; None when it ended before."""
    serving = (re.search(r"serving at http://127.0.0.1:(\d+)", line) for line in process.stderr)
    return next((int(found[1]) for found in serving if found), None)


@contextmanager
def followed_log(path):
    """A program that writes numbered lines all the time."""
    ended = threading.Event()

    def write():
        with path.open("a") as log:
            for number in itertools.count():
                log.write(f"2026-11-20T10:00:00Z INFO line {number} followed\n")
                log.flush()
                if ended.wait(0.005):
                    return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


MOMENTS = ("starting", "begun", "loaded", "loaded", "writing segments")


def kill_servers(folder, moments, seed, *, check_every=20):
    chance = random.Random(seed)
    (folder / "logpith.toml").write_text(SETTINGS)
    store = folder / "data" / "store"
    load = Load(seed)
    with followed_log(folder / "followed.log"), ThreadPoolExecutor(SENDERS) as threads:
        sending = [threads.submit(load.send, sender) for sender in range(SENDERS)]
        try:
            start_s = START_S
            for run, moment in enumerate(moments, 1):
                match moment:
                    case "starting":
                        kill_starting(folder, chance.uniform(0.5, 1) * start_s)
                    case "begun":
                        start_s = kill_under_load(folder, load, batches=0)
                    case "loaded":
                        start_s = kill_under_load(folder, load, batches=chance.randint(1, 80))
                    case "writing segments":
                        kill_writing(folder, load, segments=chance.randint(1, 2))
                if run % check_every == 0:
                    check(store, load, seed)
            with server_in(folder) as process:
                with load.at(port_of(process)):
                    load.end()
                    for one in sending:
                        one.result()
                process.send_signal(signal.SIGTERM)
                assert process.wait() == 0, seed
        finally:
            load.end()
    check(store, load, seed)
    assert check_store(store, Disk()).findings == (), seed
    return load


def kill_starting(folder, after_s):
    """Kills a server so many seconds after its start, or when it serves."""
    with server_in(folder) as process:
        killer = threading.Timer(after_s, process.kill)
        killer.start()
        port_of(process)
        killer.cancel()


def kill_under_load(folder, load, *, batches):
    """Kills a server when so many more batches are acknowledged; how long its start took."""
    began = time.monotonic()
    with server_in(folder) as process, load.at(port_of(process)):
        took_s = time.monotonic() - began
        load.wait_for(len(load.acknowledged) + batches)
        process.kill()
    return took_s


def kill_writing(folder, load, segments):
    """Kills a server in the middle of writing so many segments under load, though it may come to the end of some."""
    begun = set()
    with server_in(folder) as process, load.at(port_of(process)):
        while len(begun) < segments:
            load.wait_for(len(load.acknowledged) + 1)
            begun.update(folder.glob(f"data/store/{DAYS}/*/{DRAFT}*"))
        process.kill()


def check(store, load, seed):
    """Holds the store to what was acknowledged."""
    acknowledged, unsure = list(load.acknowledged), list(load.given_up)
    snapshot = StoreReader(store).snapshot(now_ns())
    lines = pa.chunked_array(
        [
            chunk.cast(pa.string())
            for segment in snapshot.segments
            for chunk in segment_table(segment)["line"].chunks
        ],
        pa.string(),
    )
    by_sender = np.bincount(numbers_in(lines, "record"))
    by_source = np.bincount(numbers_in(lines, "line"))

    assert snapshot.damaged == (), seed
    assert by_sender.max(initial=0) <= 1, seed
    assert by_sender.sum() + by_source.sum() == len(lines), seed
    for sent in acknowledged:
        assert by_sender[sent.first : sent.end].sum() == sent.count, (seed, sent)
    for sent in unsure:  # the pieces of a body are stored one by one
        assert by_sender[sent.first : sent.end].sum() in (0, min(sent.count, 65_536), sent.count), (
            seed,
            sent,
        )
    assert by_source.tolist() == [1] * len(by_source), seed


def numbers_in(lines, word):
    """The numbers behind a word in all lines that have it."""
    found = pc.extract_regex(lines, rf"\b{word} (?P<number>[0-9]+) ")
    return pc.cast(pc.struct_field(found.drop_null(), "number"), pa.int64()).to_numpy()


def test_what_a_killed_server_had_acknowledged_is_there_once(tmp_path):
    load = kill_servers(tmp_path, ["loaded", "writing segments"], seed=1)

    assert load.acknowledged


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_two_hundred_kills(tmp_path):
    load = kill_servers(tmp_path, random.Random(3).choices(MOMENTS, k=200), seed=2)

    assert load.repeated
    assert load.given_up
