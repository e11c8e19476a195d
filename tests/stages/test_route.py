import json

import pytest

from logpith.batch import make_batch
from logpith.query.of_batch import which_match
from logpith.stages.route import RouteStage
from logpith_emit.errors import BadArgument


def test_records_get_another_service_class_and_stream():
    batch = make_batch([b"audit: login", b"other"], observed_ns=1, source="app", services=["a", "b"])

    with RouteStage(only="audit", service="audit", retention_class="long", stream="apart").open() as apply:
        first, second = (kept := apply(batch).kept).to_pylist()

    assert (first["service"], first["source"]) == ("audit", "apart")
    assert json.loads(first["extra"]) == {"original_source": "app", "retention_class": "long"}
    assert second == batch.to_pylist()[1]
    assert which_match("source:apart AND retention_class:long")(kept).tolist() == [True, False]


def test_a_route_to_nowhere_is_refused():
    with pytest.raises(BadArgument, match="says nothing"):
        RouteStage(only="audit")
