"""Whatever a program logs through, its records stand in the spool with their fields."""

import json
import logging
import sys

import loguru
import pytest
import structlog

from logpith_emit import EmitSettings
from logpith_emit.emitter import RECORD_KIND, Emitter
from logpith_emit.handlers import LogpithHandler, LogpithProcessor, intercept, loguru_sink
from logpith_emit.spool import Spool


@pytest.fixture
def emitter(tmp_path):
    made = Emitter(EmitSettings(service="shop", folder=tmp_path, level="debug"))
    yield made
    made.close()


@pytest.fixture
def said(emitter):
    def read():
        spool = Spool(folder=emitter.folder)
        frames = (frame for segment in spool.segments() for frame in spool.read(segment))
        return [json.loads(frame.payload) for frame in frames if frame.kind == RECORD_KIND]

    return read


@pytest.fixture
def stdlib(emitter):
    logger = logging.getLogger("shop.pay")
    handler = LogpithHandler(emitter=emitter)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.removeHandler(handler)


@pytest.fixture
def root():
    """The root logger, which is afterwards as it was, and so are all others."""
    logger = logging.getLogger()
    known = [logger, *(one for one in logger.manager.loggerDict.values() if isinstance(one, logging.Logger))]
    before = [(one, list(one.handlers), one.propagate) for one in known]
    level = logger.level
    yield logger
    logger.setLevel(level)
    for one, handlers, propagates in before:
        one.handlers[:] = handlers
        one.propagate = propagates


def test_the_standard_librarys_records_come_with_extra_and_place(stdlib, said):
    stdlib.warning("call %s failed", "CA16", extra={"duration_ms": 31})

    (record,) = said()
    assert (record["level"], record["message"], record["logger"]) == ("warn", "call CA16 failed", "shop.pay")
    assert (record["duration_ms"], record["module"]) == (31, "test_handlers")
    assert not {"args", "msg", "exc_info"} & record.keys()


def test_exceptions_come_with_their_traceback(stdlib, said):
    try:
        raise KeyError("x")
    except KeyError:
        stdlib.exception("it failed")

    (record,) = said()
    assert (record["level"], record["error_type"]) == ("error", "KeyError")
    assert "test_handlers.py" in record["exception"]


def test_arguments_that_do_not_fit_lose_no_record(stdlib, said):
    # By the handler alone: pytest's own minds such arguments.
    stdlib.handlers[0].handle(logging.LogRecord("shop.pay", 20, "x.py", 7, "%d of %d", ("x",), None))

    assert said()[0]["message"] == "%d of %d"


def test_secrets_of_others_are_blanked_out_too(stdlib, said):
    stdlib.info("password=%s", "hunter2x")

    assert "hunter2x" not in said()[0]["message"]


@pytest.fixture
def guru():
    loguru.logger.remove()
    yield loguru.logger
    loguru.logger.remove()


def test_loguru_comes_with_what_was_bound(guru, emitter, said):
    guru.add(lambda message: loguru_sink(message, emitter), format="{message}")

    guru.bind(call_id="CA16").success("answered in {} ms", 31)
    try:
        raise ValueError("gone")
    except ValueError:
        guru.exception("it failed")

    good, bad = said()
    assert (good["message"], good["call_id"], good["level"]) == ("answered in 31 ms", "CA16", "info")
    assert (bad["error_type"], bad["error_message"]) == ("ValueError", "gone")


def test_structlog_comes_with_its_events(emitter, said):
    given = []
    log = structlog.wrap_logger(
        None, processors=[structlog.stdlib.add_log_level, LogpithProcessor(emitter=emitter), drop_into(given)]
    ).bind(user_id=7)

    log.error("it failed", reason="quota")
    try:
        raise ValueError("gone")
    except ValueError:
        log.error("again", exc_info=True)
        log.error("once more", exc_info=sys.exc_info())

    first, second, third = said()
    assert (first["message"], first["level"], first["user_id"], first["reason"]) == (
        "it failed",
        "error",
        7,
        "quota",
    )
    assert second["error_type"] == third["error_type"] == "ValueError"
    assert given[0]["event"] == "it failed"


@pytest.mark.parametrize("name", ["mcp.server.lowlevel", "uvicorn.error", "httpx", "py.warnings"])
def test_libraries_that_speak_of_themselves_say_so(emitter, said, name):
    LogpithHandler(emitter=emitter).handle(logging.LogRecord(name, 20, "x.py", 7, "started", (), None))
    structlog.wrap_logger(
        logging.getLogger(name), processors=[LogpithProcessor(emitter=emitter), drop_into([])]
    ).info("x")

    assert [record["log_type"] for record in said()] == ["framework", "framework"]


def test_what_the_program_says_by_them_has_no_type_but_its_own(stdlib, guru, emitter, said):
    guru.add(lambda message: loguru_sink(message, emitter), format="{message}")

    stdlib.info("a")
    guru.info("b")
    logging.LoggerAdapter(stdlib, {"log_type": "audit"}).info("c")
    LogpithHandler(emitter=emitter).handle(logging.LogRecord("mcp_shop", 20, "x.py", 7, "d", (), None))

    assert [record.get("log_type") for record in said()] == [None, None, "audit", None]


def drop_into(given):
    def take(_logger, _method, event):
        given.append(event)
        raise structlog.DropEvent

    return take


def test_intercepting_leaves_one_place_for_all(guru, root, emitter, said, capsys):
    root.addHandler(logging.StreamHandler())

    intercept(emitter=emitter)
    logging.getLogger("other").debug("by the standard library")
    guru.info("by loguru")

    assert [record["message"] for record in said()] == ["by the standard library", "by loguru"]
    assert capsys.readouterr().err == ""


@pytest.fixture
def others():
    """Two loggers that give nothing on; the first has a handler of its own."""
    server, silent = logging.getLogger("uvicorn_of_a_test"), logging.getLogger("silent_of_a_test")
    server.addHandler(logging.StreamHandler())
    server.propagate = silent.propagate = False
    yield server, silent
    for one in (server, silent):
        one.handlers.clear()
        one.propagate = True


def test_intercepting_takes_over_servers_that_have_handlers_of_their_own(others, root, emitter, said, capsys):
    server, silent = others
    silent.handlers[:] = [logging.NullHandler()]  # for pytest gives handlers to whatever gives nothing on

    intercept(emitter=emitter)
    server.getChild("error").info("started")
    silent.error("x")

    assert [record["message"] for record in said()] == ["started"]
    assert capsys.readouterr().err == ""


class Mute:
    def __str__(self):
        raise ValueError

    def __repr__(self):
        return "<mute>"


def test_a_message_whose_words_cannot_be_asked_for_is_shown(emitter, said):
    LogpithHandler(emitter=emitter).handle(logging.makeLogRecord({"msg": Mute(), "levelno": logging.INFO}))
    LogpithProcessor(emitter=emitter)(None, "info", {"event": Mute()})

    assert [record["message"] for record in said()] == ["<mute>", "<mute>"]
