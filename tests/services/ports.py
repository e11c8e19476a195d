"""Ports of this machine that nobody else will take."""

import os
import socket
from collections import deque
from pathlib import Path
from random import SystemRandom

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 10_000

WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
"""Which of those that run tests beside each other this is."""

_chance = SystemRandom()  # which no test makes give the same again, as it may others
_given: deque[int] = deque(maxlen=1_000)


def free_port() -> int:
    """A port of loopback that nothing listens on, and that stays free until its server listens, and while that is down.

    It lies below those that the system gives to outgoing connections. Among them a program that tries a dead server's
    port again and again may be given that very port for its own end, and is then connected to itself. Each worker has
    ports of its own: a server may take a minute to listen, and another worker would be given its port meanwhile.
    """
    first_given = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
    while True:
        port = _chance.randrange(LOWEST, max(first_given, LOWEST + 10_000) - WORKERS)
        port += WORKER - port % WORKERS
        if port in _given:
            continue
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue  # taken: the next is as good
        _given.append(port)
        return port
