"""OpenSearch: the server with its usual modules and no plugin, so no ISM."""

from .search_node import SearchNode


class OpenSearch(SearchNode):
    name = "opensearch"
    version = "3.6.0"
    archive = f"org.opensearch.distribution.integ-test-zip:opensearch:{version}:zip"
    prefix = "OPENSEARCH"
