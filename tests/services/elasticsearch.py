"""Elasticsearch: index templates, data streams, `_bulk`, search and aggregations.

Its archive for tests has few modules: no `GET /`, so no `ping()` or `info()` of a client; no ILM, ingest or painless.
"""

from .search_node import SearchNode


class Elasticsearch(SearchNode):
    name = "elasticsearch"
    version = "9.5.3"
    archive = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{version}:zip"
    prefix = "ES"
    java_modules = ("jdk.jdi",)
    more_settings = "xpack.security.enabled: false\n"

    @property
    def pid(self) -> int:
        """What we start is a launcher, which ends with the server; the server says who it is itself."""
        return int((self.folder / "pid").read_text())

    def command(self) -> list[str]:
        return [*super().command(), "-p", str(self.folder / "pid")]
