"""The OpenTelemetry Collector: takes OTLP over HTTP and the forward protocol of Fluentd, and hands on to the test.

Its own builder builds it from the parts named here.
"""

import json
import shutil
import socket
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from .cache import PREPARE, keep, kept, run
from .ports import free_port
from .server import NotReadyError, Server, program

VERSION, PROVIDER_VERSION = "0.149.0", "1.55.0"
CORE = "go.opentelemetry.io/collector"
CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib"

MANIFEST = f"""\
dist: {{name: otelcol, output_path: ./source, version: {VERSION}}}
receivers:
  - gomod: {CORE}/receiver/otlpreceiver v{VERSION}
  - gomod: {CONTRIB}/receiver/fluentforwardreceiver v{VERSION}
exporters:
  - gomod: {CORE}/exporter/otlphttpexporter v{VERSION}
providers:
  - gomod: {CORE}/confmap/provider/envprovider v{PROVIDER_VERSION}
  - gomod: {CORE}/confmap/provider/fileprovider v{PROVIDER_VERSION}
"""

# Nothing is batched or queued: who sends by OTLP is answered when the test has the records.
SETTINGS = """\
receivers:
  otlp: {{protocols: {{http: {{endpoint: "{host}:{port}"}}}}}}
  fluentforward: {{endpoint: "{host}:{fluent_port}"}}
exporters:
  otlphttp/otlp: {{logs_endpoint: "{test_url}/otlp", {how}}}
  otlphttp/fluent: {{logs_endpoint: "{test_url}/fluent", {how}}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: warn}}}}
  pipelines:
    logs/otlp: {{receivers: [otlp], exporters: [otlphttp/otlp]}}
    logs/fluent: {{receivers: [fluentforward], exporters: [otlphttp/fluent]}}
"""

HOW = "encoding: json, compression: none, sending_queue: {enabled: false}, retry_on_failure: {enabled: false}"


@dataclass(frozen=True)
class Taken:
    """A log record as the collector understood it."""

    body: Any
    attributes: dict[str, Any]
    resource: dict[str, Any]
    """The attributes of what it is about."""

    scope: str
    record: dict[str, Any]
    """All of it, in OTLP's JSON."""


class OtelCollector(Server):
    name = "otelcol"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fluent_port = free_port()
        self._taken: dict[str, list[Taken]] = {"otlp": [], "fluent": []}
        self._more = threading.Condition()
        self._open = ExitStack()
        self._test_url = ""

    @classmethod
    def missing(cls) -> str:
        return "" if collector().exists() else f"The collector is not here: {PREPARE} otelcol"

    @classmethod
    def prepare(cls) -> None:
        keep(collector().parent.name, build)

    def start(self) -> Self:
        if not self._test_url:
            from web_stand_in import web_server

            self._test_url = self._open.enter_context(web_server(self._take))
        return super().start()

    def close(self) -> None:
        super().close()
        self._open.close()

    def lay_out(self) -> None:
        (self.folder / "config.yaml").write_text(
            SETTINGS.format(
                host=self.host, port=self.port, fluent_port=self.fluent_port, test_url=self._test_url, how=HOW
            )
        )

    def command(self) -> list[str]:
        return [str(collector()), f"--config={self.folder / 'config.yaml'}"]

    def answers(self) -> bool:
        for port in (self.port, self.fluent_port):
            socket.create_connection((self.host, port), timeout=5).close()
        return True

    def taken(self, number: int, by: str = "otlp", timeout_s: float = 30) -> list[Taken]:
        """The records taken by `otlp` or `fluent`, as soon as there are `number` of them; fewer after the deadline."""
        with self._more:
            self._more.wait_for(lambda: len(self._taken[by]) >= number, timeout_s)
            return list(self._taken[by])

    def forget(self) -> None:
        """Lets a test begin with none."""
        with self._more:
            for records in self._taken.values():
                records.clear()

    def _take(self, handler: Any, body: bytes) -> None:
        from web_stand_in import reply

        records = [
            Taken(
                body=plain(record.get("body", {})),
                attributes=plain_attributes(record),
                resource=plain_attributes(about.get("resource", {})),
                scope=scope.get("scope", {}).get("name", ""),
                record=record,
            )
            for about in json.loads(body).get("resourceLogs", [])
            for scope in about.get("scopeLogs", [])
            for record in scope.get("logRecords", [])
        ]
        with self._more:
            self._taken[handler.path.strip("/")] += records
            self._more.notify_all()
        reply(handler, b"{}", content_type="application/json")


def plain_attributes(of: dict[str, Any]) -> dict[str, Any]:
    return {each.get("key", ""): plain(each.get("value", {})) for each in of.get("attributes", [])}


def plain(value: dict[str, Any]) -> Any:
    """A value of OTLP's JSON, where 64-bit integers are text, as Python has it."""
    if "arrayValue" in value:
        return [plain(each) for each in value["arrayValue"].get("values", [])]
    if "kvlistValue" in value:
        return {
            each.get("key", ""): plain(each.get("value", {}))
            for each in value["kvlistValue"].get("values", [])
        }
    if "intValue" in value:
        return int(value["intValue"])
    if "doubleValue" in value:  # written as a whole number where it is one
        return float(value["doubleValue"])
    return next(iter(value.values()), None)


def collector() -> Path:
    return kept(f"otelcol-{VERSION}") / "otelcol"


def build(part: Path) -> None:
    if not program("go"):
        raise NotReadyError("go is not here, which builds the collector")
    (part / "manifest.yaml").write_text(MANIFEST)
    run(part, "go", "install", f"{CORE}/cmd/builder@v{VERSION}", GOBIN=str(part))
    run(part, str(part / "builder"), "--config=manifest.yaml")
    (part / "source" / "otelcol").rename(part / "otelcol")
    shutil.rmtree(part / "source")
