"""Ports that tests give to servers."""

import socket
from itertools import count

from services import ports
from services.ports import free_port


def test_a_port_is_given_once_and_to_one_worker_though_nothing_listens_there(monkeypatch):
    one = {free_port() for _ in range(100)}
    monkeypatch.setattr(ports, "WORKERS", 7)
    of_worker = []
    for worker in (0, 6):
        monkeypatch.setattr(ports, "WORKER", worker)
        of_worker.append({free_port() % 7 for _ in range(100)})

    assert len(one) == 100
    assert of_worker == [{0}, {6}]


def test_a_port_at_which_somebody_listens_is_not_given(monkeypatch):
    monkeypatch.setattr(ports, "WORKERS", 1)
    monkeypatch.setattr(ports, "WORKER", 0)
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        choices = count(port)
        monkeypatch.setattr(ports._chance, "randrange", lambda *_: next(choices))
        monkeypatch.setattr(ports, "_given", [])

        assert free_port() > port
