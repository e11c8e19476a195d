import pytest

from logpith.batch import make_batch
from logpith.stages.drop import DropStage
from logpith_emit.errors import BadArgument


def test_what_is_selected_is_left_out_and_counted_by_its_reason():
    batch = make_batch([b"GET /health 200", b"GET /calls 200", b"GET /health 500"], observed_ns=1, source="s")

    with DropStage(only='"/health"', reason="health").open() as apply:
        outcome = apply(batch)

    assert outcome.kept["line"].to_pylist() == [b"GET /calls 200"]
    assert outcome.dropped == {"health": 2}


def test_dropping_everything_by_mistake_is_refused():
    with pytest.raises(BadArgument, match="would drop everything"):
        DropStage()
