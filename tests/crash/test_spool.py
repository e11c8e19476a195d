"""Processes that use a spool are killed in the middle of everything; what they had promised is kept."""

import random
import subprocess
import sys

import pytest

from logpith_emit.spool import Damage, Spool

# Each says on its output what it has promised, line by line: the checker lives on, and holds it to that.

LOGGER = """
import itertools, sys, threading
from pathlib import Path
from logpith_emit.spool import Spool

run = sys.argv[2]
with Spool(folder=Path(sys.argv[1]), segment_bytes=3000).open() as writer:
    def work(thread):
        for number in itertools.count():
            name = f"{run}/{thread}/{number}"
            writer.append(name.encode() + b"." * (number % 100))
            sys.stdout.write(f"accepted {name}\\n")
            sys.stdout.flush()
    for thread in range(3):
        threading.Thread(target=work, args=(thread,), daemon=True).start()
    sys.stdin.read()
"""

OUTBOX = """
import itertools, sys, threading
from pathlib import Path
from logpith_emit.spool import Spool

run = sys.argv[2]
spool = Spool(folder=Path(sys.argv[1]), segment_bytes=2000)
lock = threading.Lock()

def say(word, names):
    with lock:
        sys.stdout.write("".join(f"{word} {name}\\n" for name in names))
        sys.stdout.flush()

with spool.open_durable() as writer:
    def accept(thread):
        for number in itertools.count():
            names = [f"{run}/{thread}/{number}/{part}" for part in range(number % 4 + 1)]
            for name in names:
                writer.append(name.encode() + b"." * (number % 100))
            writer.sync()
            say("accepted", names)
            if number % 50 == 49:
                writer.roll()
    def deliver():
        reader = spool.reader("r")
        while True:
            names = [frame.payload.decode().rstrip(".") for _, frame in reader.read()]
            say("delivered", names)
            reader.commit()
            say("committed", names)
    for work in (lambda: accept(0), lambda: accept(1), deliver):
        threading.Thread(target=work, daemon=True).start()
    sys.stdin.read()
"""


def killed(program, folder, run, lines):
    """What a process has said when it was killed, which was after about so many lines."""
    argv = [sys.executable, "-c", program, str(folder), str(run)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    return [tuple(line.split()) for line in said if line.endswith("\n")]


def names_left(spool, damage):
    return [
        frame.payload.decode().rstrip(".")
        for segment in spool.segments()
        for frame in spool.read(segment, damage=damage)
    ]


def kill_loggers(folder, kills, seed):
    chance = random.Random(seed)
    spool = Spool(folder=folder)
    accepted = []
    for run in range(kills):
        accepted += [name for _, name in killed(LOGGER, folder, run, chance.randint(1, 400))]
        if run % 10 == 9 or run == kills - 1:
            damage = Damage()
            left = names_left(spool, damage)

            assert len(left) == len(set(left)), seed
            assert set(accepted) <= set(left), seed
            assert damage.places == 0, seed
            spool.remove(*spool.segments())
            accepted.clear()


def kill_outboxes(folder, kills, seed):
    chance = random.Random(seed)
    spool = Spool(folder=folder)
    accepted, delivered, committed = [], [], []
    of = {"accepted": accepted, "delivered": delivered, "committed": committed}
    for run in range(kills):
        for word, name in killed(OUTBOX, folder, run, chance.randint(1, 1500)):
            of[word].append(name)
    damage = Damage()
    left = [frame.payload.decode().rstrip(".") for _, frame in spool.reader("r").read()]
    names_left(spool, damage)

    assert len(left) == len(set(left)), seed
    assert set(accepted) <= set(delivered) | set(left), seed
    assert not set(committed) & set(left), seed
    assert len(committed) == len(set(committed)), seed
    assert committed, seed
    assert damage.places == 0, seed


def test_what_a_killed_logger_had_appended_is_there(tmp_path):
    kill_loggers(tmp_path / "spool", kills=20, seed=1)


def test_what_a_killed_outbox_had_accepted_is_delivered_and_what_it_committed_is_not_delivered_again(
    tmp_path,
):
    kill_outboxes(tmp_path / "spool", kills=20, seed=2)


@pytest.mark.crash
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kill", [kill_loggers, kill_outboxes])
def test_two_hundred_kills(tmp_path, kill):
    kill(tmp_path / "spool", kills=200, seed=3)
