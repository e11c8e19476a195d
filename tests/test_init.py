"""Programs that have all of logpith log by it without naming the ground floor."""

import json
from contextlib import closing

import pytest

import logpith
from logpith_emit import configure
from logpith_emit.spool import Spool


def test_a_program_that_has_all_of_logpith_logs_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr("logpith_emit.logger._EMITTER", None)
    from logpith import get_logger

    with closing(configure(folder=tmp_path, console=False)):
        get_logger("shop").info("paid", request_id="r-1", user_id=7, operation="pay", duration_ms=31.5)

    spool = Spool(folder=tmp_path)
    (frame,) = [frame for segment in spool.segments() for frame in spool.read(segment)]
    record = json.loads(frame.payload)
    assert [record[name] for name in ("message", "request_id", "user_id", "operation", "duration_ms")] == [
        "paid",
        "r-1",
        7,
        "pay",
        31.5,
    ]


def test_what_it_has_not_is_told_as_of_any_module():
    with pytest.raises(AttributeError, match="'logpith' has no attribute 'get_loger'"):
        logpith.get_loger  # noqa: B018 - which is what raises
