"""Memory: what a process does not use any more goes back to the system."""

import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from logpith import memory

_GROWN = """
import ctypes
from logpith.memory import Rest, own_bytes

rest = Rest()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
# Each of them is too small to have pages of its own, and the last one keeps the end of the heap in use.
pieces = [libc.malloc(60_000) for _ in range(1_000)]
for piece in pieces:
    ctypes.memset(piece, 1, 60_000)
grown = own_bytes()
told = [rest.look()]
for piece in pieces[:-1]:
    libc.free(piece)
told += [rest.look(), rest.look()]
print(*told, grown - own_bytes() > 50_000_000)
"""


def test_a_process_that_has_grown_and_rests_gives_back_what_is_free():
    done = subprocess.run([sys.executable, "-c", _GROWN], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True", "False", "True"]


@given(st.lists(st.integers(0, 100), max_size=30))
def test_what_works_is_left_alone_and_what_rests_is_trimmed_once(sizes):
    ahead = iter([0, *(size << 20 for size in sizes for _ in range(2))])
    now = 0
    given_back = []

    def measure():
        nonlocal now
        now = next(ahead)
        return now

    rest = memory.Rest(measure, lambda: given_back.append(now))
    least = last = 0
    for size in (size << 20 for size in sizes):
        least = min(least, size)
        is_time = size <= last + memory.STEADY_BYTES and size >= least + memory.LEAST_GROWN_BYTES

        assert rest.look() is is_time

        last = size
        if is_time:
            assert given_back.pop() == size
            least = size
        else:
            next(ahead)  # measured once only
    assert not given_back


def test_what_this_process_has_is_told_by_the_page():
    assert memory.own_bytes() > 10 << 20
    assert memory.own_bytes() % os.sysconf("SC_PAGE_SIZE") == 0


def test_arrow_takes_its_memory_where_the_rest_does_unless_somebody_says_otherwise():
    script = (
        "from logpith.cli import main; main(['--version']); import pyarrow; "
        "print(pyarrow.default_memory_pool().backend_name)"
    )

    def backend(**more):
        environment = {key: value for key, value in os.environ.items() if key != "ARROW_DEFAULT_MEMORY_POOL"}
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()[-1]

    assert backend() == "system"
    assert backend(ARROW_DEFAULT_MEMORY_POOL="mimalloc") == "mimalloc"
