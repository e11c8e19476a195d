"""Processes that write a store are killed in the middle of everything; what they had acknowledged is kept, once."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from logpith.store import open_store
from stores import NOW_NS, names_in, stored_names

# It says on its output what it was promised, line by line: the checker lives on, and holds the store to that. Whoever
# sends with an id sends what was not acknowledged again; a source goes on from its stored position.

WRITER = """
import itertools, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from logpith.store import StoreLimits, open_store
from stores import NOW_NS, batch_of

run = sys.argv[2]
unsure = sys.argv[4:]
lock = threading.Lock()

def say(*words):
    with lock:
        sys.stdout.write(" ".join(map(str, words)) + "\\n")
        sys.stdout.flush()

with open_store(Path(sys.argv[1]), limits=StoreLimits(segment_records=4_000)) as store:
    def bring(thread):
        for batch_id in unsure[thread::2]:
            store.append(batch_of(batch_id, f"{batch_id}+"), batch_id=batch_id)
            say("stored", batch_id)
        for number in itertools.count():
            batch_id = f"{run}/{thread}/{number}"
            say("sending", batch_id)
            store.append(batch_of(batch_id, f"{batch_id}+"), batch_id=batch_id)
            say("stored", batch_id)

    def collect():
        number = int(store.position("f") or 0)
        while True:
            number += 1
            store.append(batch_of(f"f{number}"), position=("f", str(number)))
            say("collected", number)

    def keep():
        for turn in itertools.count(1):
            store.seal(NOW_NS)
            if turn % 3 == 0:
                store.compact(NOW_NS)
                store.empty_trash(2 * NOW_NS)
            if turn % 7 == 0:
                name = f"{run}/added/{turn}"
                say("sending", name)
                store.add([batch_of(name, f"{name}+")], newest_ns=NOW_NS)
                say("stored", name)

    for work in (lambda: bring(0), lambda: bring(1), collect, keep):
        threading.Thread(target=work, daemon=True).start()
    sys.stdin.read()
"""


TESTS = str(Path(__file__).parents[1])


def killed(folder, run, unsure, lines):
    """What a process has said when it was killed, which was after about so many lines."""
    argv = [sys.executable, "-c", WRITER, str(folder), str(run), TESTS, *unsure]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    return [tuple(line.split()) for line in said if line.endswith("\n")]


def kill_writers(folder, kills, seed):
    chance = random.Random(seed)
    sent, stored = {}, set()
    collected = 0
    with open_store(folder):
        pass
    for run in range(kills):
        unsure = [name for name in sent if name not in stored and "added" not in name]
        for word, name in killed(folder, run, unsure, chance.randint(1, 250)):
            if word == "collected":
                collected = int(name)
            elif word == "stored":
                stored.add(name)
            else:
                sent[name] = None
        counts = Counter(stored_names(folder))
        by_sender = {name for name in counts if not name.startswith("f")}
        by_source = [name for name in counts if name.startswith("f")]

        assert set(counts.values()) <= {1}, seed
        assert stored <= by_sender, seed
        assert by_sender <= {name for one in sent for name in (one, f"{one}+")}, seed
        assert all(
            name.removesuffix("+") in counts and f"{name.removesuffix('+')}+" in counts for name in by_sender
        ), seed
        assert sorted(by_source, key=lambda name: int(name[1:])) == [
            f"f{n + 1}" for n in range(len(by_source))
        ], seed
        assert len(by_source) >= collected, seed
    with open_store(folder) as store:
        assert store.damage.places == 0, seed
        assert int(store.position("f") or 0) == len(by_source), seed
        store.seal(NOW_NS)
        store.compact(NOW_NS)
        assert names_in(map(store.segment, store.manifest.segments)) == sorted(counts), seed
    assert stored
    assert collected


def test_what_a_killed_writer_had_acknowledged_is_there_once(tmp_path):
    kill_writers(tmp_path / "store", kills=8, seed=1)


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_two_hundred_kills(tmp_path):
    kill_writers(tmp_path / "store", kills=200, seed=2)
