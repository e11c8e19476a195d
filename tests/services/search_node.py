"""What Elasticsearch and OpenSearch, which were one program once, have in common: a node that is asked over HTTP."""

import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

from .cache import keep, kept, maven
from .ports import free_port
from .server import Server

SETTINGS = """\
cluster.name: tests
node.name: one
path.data: {folder}/data
path.logs: {folder}/logs
http.host: {host}
http.port: {port}
transport.host: {host}
transport.port: {transport_port}
discovery.type: single-node
# However full the disk is, indices may be written.
cluster.routing.allocation.disk.threshold_enabled: false
"""


class SearchNode(Server):
    """A node, fetched as the archive that its makers publish for integration tests: no security, few plugins."""

    version: ClassVar[str]
    archive: ClassVar[str]
    """What Maven knows the archive as."""

    more_settings: ClassVar[str] = ""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.transport_port = free_port()

    @classmethod
    def home(cls) -> Path:
        """The unpacked server."""
        return kept(f"{cls.name}-{cls.version}") / f"{cls.name}-{cls.version}"

    @classmethod
    def fetch(cls) -> None:
        keep(
            cls.home().name,
            lambda part: maven(part, "unpack", artifact=cls.archive, outputDirectory=str(part)),
        )

    def lay_out(self) -> None:
        config = self.folder / "config"
        for each in ("config", "data", "logs", "temporary"):
            (self.folder / each).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.home() / "config" / "log4j2.properties", config / "log4j2.properties")
        (config / f"{self.name}.yml").write_text(
            SETTINGS.format(
                folder=self.folder, host=self.host, port=self.port, transport_port=self.transport_port
            )
            + self.more_settings
        )

    def answers(self) -> bool:
        """Whether all that was kept can be read and written."""
        return self.ask("/_cluster/health")["status"] in ("green", "yellow")

    def ask(self, path: str, body: object = None, method: str = "") -> Any:
        """What it answers, from JSON; a body is sent as JSON, or as it is if it is text."""
        sent = body if isinstance(body, str) or body is None else json.dumps(body)
        request = urllib.request.Request(
            self.url + path,
            data=None if sent is None else sent.encode(),
            headers={"Content-Type": "application/json"},
            method=method or ("GET" if sent is None else "POST"),
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
