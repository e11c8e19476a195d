"""The S3 API by moto, in memory: its objects are gone when it stops. Any key and secret will do."""

import importlib.util
import itertools
import sys
import urllib.request
from pathlib import Path

from .server import Server


class S3(Server):
    name = "s3"
    access_key = "test"
    secret_key = "test-secret"
    region = "us-east-1"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._numbers = itertools.count(1)

    @classmethod
    def missing(cls) -> str:
        return "" if importlib.util.find_spec("moto") else "moto is not here: pip install 'moto[server]'"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", self.host, "-p", str(self.port)]

    def answers(self) -> bool:
        with urllib.request.urlopen(f"{self.url}/moto-api/", timeout=2) as answer:
            return answer.status == 200

    def new_bucket(self) -> str:
        """The name of a bucket of its own, empty."""
        name = f"bucket-{next(self._numbers)}"
        made = urllib.request.Request(f"{self.url}/{name}", method="PUT")
        with urllib.request.urlopen(made, timeout=30):
            return name
