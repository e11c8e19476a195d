"""Ports of this machine that nobody else will take."""

import random
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 10_000


def free_port() -> int:
    """A port of loopback that nothing listens on, and that stays free while its server is down.

    It lies below those that the system gives to outgoing connections. Among them a program that tries a dead server's
    port again and again may be given that very port for its own end, and is then connected to itself.
    """
    first_given = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
    while True:
        port = random.randrange(LOWEST, max(first_given, LOWEST + 10_000))
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue  # taken: the next is as good
            return port
