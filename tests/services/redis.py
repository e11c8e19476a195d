"""Redis, which keeps every write before it answers."""

import socket

from .server import Server, program

HOW = "apt-get install redis-server"


class Redis(Server):
    name = "redis"

    @classmethod
    def missing(cls) -> str:
        return "" if program("redis-server") else f"redis-server is not here: {HOW}"

    def command(self) -> list[str]:
        settings = {
            "--bind": self.host,
            "--port": str(self.port),
            "--dir": str(self.folder),
            "--appendonly": "yes",
            "--appendfsync": "always",
            "--save": "",
        }
        return [program("redis-server"), *(word for pair in settings.items() for word in pair)]

    def answers(self) -> bool:
        with socket.create_connection((self.host, self.port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64) == b"+PONG\r\n"

    @property
    def url(self) -> str:
        return f"redis://{self.address}/0"
