"""Elasticsearch: index templates, data streams, `_bulk`, search and aggregations.

Its archive for tests has few modules: no `GET /`, so no `ping()` or `info()` of a client; no ILM, ingest or painless.
`LOGPITH_TEST_ELASTICSEARCH=8.19.5` tests against another version, once that is prepared.
"""

import os
import re

from .cache import PREPARE
from .java import JAVA_OPTIONS, java_home, prepare_java
from .search_node import SearchNode

JAVA_MODULE = "jdk.jdi"
"""What it wants of Java besides what every runtime has."""

# Of the options that come with the server: what sizes it, what writes beside its program, and a module of Java that
# makes vector search faster and that not every runtime has.
UNWANTED = re.compile(r"-Xm[sx]|Xlog|File=|Path=|UseG1GC|incubator")


class Elasticsearch(SearchNode):
    name = "elasticsearch"
    version = os.environ.get("LOGPITH_TEST_ELASTICSEARCH", "9.5.3")
    archive = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{version}:zip"
    more_settings = "xpack.security.enabled: false\n"

    @classmethod
    def missing(cls) -> str:
        is_here = cls.home().exists() and java_home(JAVA_MODULE)
        return "" if is_here else f"Elasticsearch is not here: {PREPARE} elasticsearch"

    @classmethod
    def prepare(cls) -> None:
        prepare_java(JAVA_MODULE)
        cls.fetch()

    @property
    def pid(self) -> int:
        """What we start is a launcher, which ends with the server; the server says who it is itself."""
        return int((self.folder / "pid").read_text())

    def lay_out(self) -> None:
        super().lay_out()
        (self.folder / "config" / "jvm.options.d").mkdir(exist_ok=True)
        shipped = (self.home() / "config" / "jvm.options").read_text().splitlines()
        options = [*(line for line in shipped if not UNWANTED.search(line)), *JAVA_OPTIONS]
        (self.folder / "config" / "jvm.options").write_text("\n".join(options) + "\n")

    def command(self) -> list[str]:
        return [str(self.home() / "bin" / "elasticsearch"), "-p", str(self.folder / "pid")]

    def environment(self) -> dict[str, str]:
        return {
            "ES_JAVA_HOME": str(java_home(JAVA_MODULE)),
            "ES_PATH_CONF": str(self.folder / "config"),
            "ES_TMPDIR": str(self.folder / "temporary"),
            "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1",  # of the launcher
        }
