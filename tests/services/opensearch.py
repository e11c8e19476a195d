"""OpenSearch: the server with its usual modules and no plugin, so no ISM."""

from pathlib import Path

from .java import JavaServer
from .search_node import SearchNode


class OpenSearch(SearchNode, JavaServer):
    name = "opensearch"
    version = "3.6.0"
    archive = f"org.opensearch.distribution.integ-test-zip:opensearch:{version}:zip"
    main_class = "org.opensearch.bootstrap.OpenSearch"

    @classmethod
    def jars(cls) -> Path:
        return cls.home() / "lib"

    def java_options(self) -> list[str]:
        """Those of its own script that it needs, but for the agent that guards against plugins; there are none here.

        The agent rewrites classes as they are loaded, which would take a third of the time of a start.
        """
        return [
            f"-Xbootclasspath/a:{self.home()}/agent/opensearch-agent-bootstrap-{self.version}.jar",
            "--add-opens=java.base/java.nio=org.apache.arrow.memory.core,ALL-UNNAMED",
            "-Xss1m",
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={self.folder / 'temporary'}",
            "-Djna.nosys=true",
            "-Dio.netty.noUnsafe=true",
            "-Dlog4j2.disable.jmx=true",
            "-Dlog4j.shutdownHookEnabled=false",
            f"-Dopensearch.path.home={self.home()}",
            f"-Dopensearch.path.conf={self.folder / 'config'}",
            "-Dopensearch.distribution.type=zip",
            "-Dopensearch.bundled_jdk=false",
        ]
