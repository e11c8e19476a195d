"""Redis, which keeps every write before it answers."""

import socket
from pathlib import Path

from .certificates import certificate
from .ports import free_port
from .server import Server, program

HOW = "apt-get install redis-server"


class Redis(Server):
    name = "redis"
    user, password = "app", "correct-horse"
    """Who may log in; nobody has to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.secure_port = free_port()
        """Where it speaks TLS."""

    @classmethod
    def missing(cls) -> str:
        return "" if program("redis-server") else f"redis-server is not here: {HOW}"

    def command(self) -> list[str]:
        shown = certificate(self.folder)
        settings = {
            "--bind": self.host,
            "--port": str(self.port),
            "--dir": str(self.folder),
            "--appendonly": "yes",
            "--appendfsync": "always",
            "--save": "",
            "--tls-port": str(self.secure_port),
            "--tls-cert-file": str(shown.cert),
            "--tls-key-file": str(shown.key),
            "--tls-auth-clients": "no",
        }
        user = ["--user", self.user, "on", f">{self.password}", "~*", "+@all"]
        return [program("redis-server"), *(word for pair in settings.items() for word in pair), *user]

    def answers(self) -> bool:
        with socket.create_connection((self.host, self.port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64) == b"+PONG\r\n"

    @property
    def url(self) -> str:
        return f"redis://{self.address}/0"
