"""What a program says comes to its destination as entries, whoever's that is, and the program never waits for it."""

import asyncio
import logging
import os
import subprocess
import sys
import threading

import loguru
import pytest

import logpith_emit.logger
from logpith_emit import correlated, get_logger
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.emitter import EmitSettings
from logpith_emit.errors import BadArgument
from logpith_emit.tools import logged_tool
from logpith_emit.unified import (
    CompositeDestination,
    LogDestination,
    RetryWrapper,
    SpooledDestination,
    UnifiedLogger,
)
from logpith_emit.unified.face import NoDestination
from logpith_emit.unified.logger import Feeder

SOON_S = 60
"""A deadline, not a wait."""


@pytest.fixture(autouse=True)
def program(monkeypatch):
    """The program's ways of logging, which are afterwards as they were."""
    monkeypatch.setattr(logpith_emit.logger, "_EMITTER", None)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    UnifiedLogger.close(SOON_S)
    UnifiedLogger._feeder = None
    root.handlers[:] = handlers
    root.setLevel(level)
    loguru.logger.remove()
    loguru.logger.add(sys.stderr)


@pytest.fixture
def spooled(tmp_path):
    """spooled(level): one of ours, and what it has got so far."""

    def make(level="trace"):
        memory = MemoryDestination()
        made = SpooledDestination(
            EmitSettings(
                service="shop", level=level, folder=tmp_path / "spool", destinations={"memory": memory}
            )
        )

        def got():
            assert made.emitter.shipper.flush(SOON_S)
            return [record.entry for record in memory.records.values()]

        return made, got

    return make


class Kept(LogDestination):
    """Somebody's own."""

    def __init__(self):
        self.entries = []
        self.threads = set()
        self.is_closed = False

    async def write(self, entry):
        self.threads.add(threading.current_thread().name)
        self.entries.append(entry)

    async def query(self, **filters):
        return self.entries

    async def close(self):
        self.is_closed = True


class Held(Kept):
    """Does not answer before it may."""

    def __init__(self):
        super().__init__()
        self.may = threading.Event()
        self.begun = threading.Event()

    async def write(self, entry):
        self.begun.set()
        await asyncio.to_thread(self.may.wait)
        await super().write(entry)


# ── what an entry says ──────────────────────────────────────────────────────────────────────────────────────


def say_by_loguru(text):
    loguru.logger.bind(correlation_id="c-16", tool_name="charge", credits=3).info(text)


def say_by_logging(text):
    logging.getLogger("shop.pay").info(
        text, extra={"correlation_id": "c-16", "tool_name": "charge", "credits": 3}
    )


@pytest.mark.parametrize("say", [say_by_loguru, say_by_logging])
def test_a_record_is_one_entry_that_knows_where_it_was_said(spooled, say):
    destination, got = spooled()
    UnifiedLogger.initialize(destination)

    thread = threading.Thread(target=say, args=("charging {} %s",), name="payer")
    thread.start()
    thread.join()

    (entry,) = got()
    assert (entry.message, entry.level, entry.log_type) == ("charging {} %s", "INFO", "internal")
    assert (entry.module, entry.function) == (__name__.rpartition(".")[2], say.__name__)
    assert entry.line == say.__code__.co_firstlineno + 1
    assert (entry.thread_name, entry.process_id) == ("payer", os.getpid())
    assert (entry.correlation_id, entry.tool_name) == ("c-16", "charge")
    assert entry.extra_data["credits"] == 3
    assert entry.timestamp.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("say", [loguru.logger.info, logging.getLogger("shop").info, get_logger("shop").info])
def test_what_is_said_in_a_block_has_its_correlation_id(spooled, say):
    destination, got = spooled()
    UnifiedLogger.initialize(destination)

    with correlated("c-17", call_id="CA16"):
        say("inside")
    say("outside")

    inside, outside = got()
    assert (inside.correlation_id, inside.extra_data["call_id"]) == ("c-17", "CA16")
    assert (outside.correlation_id, "call_id" in (outside.extra_data or {})) == ("", False)


@pytest.mark.parametrize("say", [loguru.logger.exception, logging.getLogger("shop").exception])
def test_an_exception_comes_with_its_traceback_and_no_values_of_variables(spooled, say):
    destination, got = spooled()
    UnifiedLogger.initialize(destination)

    try:
        api_key = "sk-" + "hunter2" * 5
        raise ValueError("quota exceeded")
    except ValueError:
        say("call failed")

    (entry,) = got()
    assert (entry.message, entry.level, entry.error_message) == ("call failed", "ERROR", "quota exceeded")
    assert entry.extra_data["error_type"] == "ValueError"
    assert "raise ValueError" in entry.extra_data["exception"]
    assert api_key not in str(entry)


def test_entries_have_the_type_of_who_says_them(spooled):
    destination, got = spooled()
    UnifiedLogger.initialize(destination)

    @logged_tool
    def charge(credits: int) -> int:
        return credits

    charge(3)
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("shop").info("mine")
    loguru.logger.bind(log_type="tool_execution").info("told")

    assert [entry.log_type for entry in got()] == [
        "tool_execution",
        "framework",
        "internal",
        "tool_execution",
    ]


def test_levels_of_others_have_a_name_that_every_destination_knows(spooled):
    destination, got = spooled()
    UnifiedLogger.initialize(destination)

    logging.getLogger("shop").log(35, "between")
    loguru.logger.success("well")
    loguru.logger.log(33, "numbered")

    assert [entry.level for entry in got()] == ["WARNING", "INFO", "WARNING"]


def test_arguments_that_do_not_fit_and_fields_that_raise_stop_nobody(spooled, capsys):
    class Odd:
        def __str__(self):
            raise RuntimeError("odd")

        __repr__ = __str__

    destination, got = spooled()
    UnifiedLogger.initialize(destination)

    logging.getLogger("shop").info("%d of %d", *["x"])
    logging.getLogger("shop").info("odd", extra={"correlation_id": Odd()})
    loguru.logger.bind(correlation_id=Odd()).info("odd")
    logging.getLogger("shop").info("goes on")

    assert [entry.message for entry in got()] == ["%d of %d", "odd", "odd", "goes on"]
    assert UnifiedLogger.dropped() == {}


def test_secrets_are_blanked_out_for_somebodys_destination_too():
    kept = Kept()
    UnifiedLogger.initialize(kept)

    logging.getLogger("shop").info(
        "token=sk-live-0123456789abcdef", extra={"password": "hunter2", "credits": 3}
    )
    assert UnifiedLogger.close(SOON_S)

    (entry,) = kept.entries
    assert "hunter2" not in str(entry)
    assert "0123456789abcdef" not in str(entry)
    assert entry.extra_data["credits"] == 3


# ── which are kept ──────────────────────────────────────────────────────────────────────────────────────────

SAID = ("DEBUG", "INFO", "WARNING", "ERROR")


def say_all():
    for level in SAID:
        logging.getLogger("shop").log(getattr(logging, level), "by logging")
        loguru.logger.log(level, "by loguru")


@pytest.mark.parametrize("level", SAID)
def test_ours_keeps_what_its_own_level_says(spooled, level):
    destination, got = spooled(level.lower())
    UnifiedLogger.initialize(destination)

    say_all()

    wanted = SAID[SAID.index(level) :]
    assert [entry.level for entry in got()] == [each for each in wanted for _ in range(2)]
    assert logging.getLogger("shop").isEnabledFor(getattr(logging, level))
    assert not logging.getLogger("shop").isEnabledFor(getattr(logging, level) - 10)


def test_ours_keeps_what_is_said_of_it_instead(spooled):
    destination, got = spooled("debug")
    UnifiedLogger.initialize(destination, "error")

    say_all()
    get_logger("shop").warning("not severe enough")

    assert [entry.level for entry in got()] == ["ERROR", "ERROR"]


@pytest.mark.parametrize(("level", "wanted"), [(None, SAID[1:]), ("error", SAID[3:]), ("TRACE", SAID)])
def test_somebodys_keeps_what_is_said_of_it(level, wanted):
    kept = Kept()
    UnifiedLogger.initialize(kept, level)

    say_all()
    UnifiedLogger.close(SOON_S)

    assert [entry.level for entry in kept.entries] == [each for each in wanted for _ in range(2)]


def test_a_level_that_is_none_is_refused_and_all_stays_as_it_was():
    kept = Kept()
    UnifiedLogger.initialize(kept)

    with pytest.raises(BadArgument, match="'loud' is no level"):
        UnifiedLogger.initialize(Kept(), "loud")

    logging.getLogger("shop").info("goes on")
    UnifiedLogger.close(SOON_S)
    assert [entry.message for entry in kept.entries] == ["goes on"]


# ── somebody's own destination ──────────────────────────────────────────────────────────────────────────────


def test_it_gets_what_our_own_loggers_say_too(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_EMIT_FOLDER", str(tmp_path / "spools"))
    kept = Kept()
    UnifiedLogger.initialize(CompositeDestination([kept]))

    @logged_tool
    def charge(credits: int, card_token: str) -> int:
        get_logger("shop").info("charging", level="gold", call_id="CA16")
        return credits

    with correlated("c-18"):
        charge(3, card_token="tok-0123456789")
    get_logger("shop").debug("not severe enough")
    assert UnifiedLogger.close(SOON_S)

    said, tool = kept.entries
    assert (said.message, said.level, said.log_type) == ("charging", "INFO", "internal")
    assert said.extra_data == {"logger": "shop", "level_": "gold", "call_id": "CA16"}
    assert (tool.tool_name, tool.log_type, tool.status) == ("charge", "tool_execution", "ok")
    assert tool.input_args["credits"] == 3
    assert "tok-0123456789" not in str(tool)
    assert said.correlation_id == tool.correlation_id == "c-18"
    assert not (tmp_path / "spools").exists()


def test_who_has_switched_all_off_has_nothing_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_EMIT_FOLDER", str(tmp_path / "spools"))
    UnifiedLogger.initialize(NoDestination())

    say_all()
    get_logger("shop").error("said")

    assert UnifiedLogger.close(SOON_S)
    assert UnifiedLogger.dropped() == {}
    assert not (tmp_path / "spools").exists()


def test_it_is_fed_in_order_by_a_thread_of_its_own_and_closed_there():
    kept = Kept()
    UnifiedLogger.initialize(kept)

    for number in range(500):
        logging.getLogger("shop").info("entry %d", number)
    assert UnifiedLogger.close(SOON_S)

    assert [entry.message for entry in kept.entries] == [f"entry {number}" for number in range(500)]
    assert kept.threads == {"logpith-emit entries"}
    assert kept.is_closed
    assert UnifiedLogger.dropped() == {}


def test_wrappers_get_on_while_nothing_is_said(spooled):
    """A try that waits for its turn does not wait for the next entry."""

    class Twice(Kept):
        calls = 0
        done = threading.Event()

        async def write(self, entry):
            self.calls += 1
            if self.calls == 1:
                raise ConnectionError("gone")
            await super().write(entry)
            self.done.set()

    twice, (ours, got) = Twice(), spooled()
    UnifiedLogger.initialize(CompositeDestination([RetryWrapper(twice, retry_delay_ms=1), ours]))

    loguru.logger.info("one")

    assert twice.done.wait(SOON_S)
    assert twice.calls == 2
    assert UnifiedLogger.close(SOON_S)
    assert [entry.message for entry in got()] == ["one"] == [entry.message for entry in twice.entries]


def test_while_it_hangs_nobody_waits_and_the_oldest_are_dropped_and_counted(capsys):
    held = Held()
    feeder = Feeder(held, most_waiting=100)
    UnifiedLogger._feeder = feeder
    UnifiedLogger._take_over(feeder)

    logging.getLogger("shop").info("first")
    assert held.begun.wait(SOON_S)
    for number in range(1_000):
        logging.getLogger("shop").info("entry %d", number)
    written_by_then, waiting = len(held.entries), UnifiedLogger.waiting()
    held.may.set()
    assert UnifiedLogger.close(SOON_S)

    assert (written_by_then, waiting) == (0, 100)
    assert [entry.message for entry in held.entries] == [
        "first",
        *(f"entry {number}" for number in range(900, 1_000)),
    ]
    assert UnifiedLogger.dropped() == {"queue_full": 900}
    assert capsys.readouterr().err.count("was lost: 100 wait already") == 1


def test_a_write_that_never_ends_is_given_up_after_its_time():
    class Once(Kept):
        calls = 0

        async def write(self, entry):
            self.calls += 1
            if self.calls == 1:
                await asyncio.Event().wait()
            await super().write(entry)

    once = Once()
    feeder = Feeder(once, timeout_s=0.01)
    UnifiedLogger._take_over(feeder)

    logging.getLogger("shop").info("one")
    logging.getLogger("shop").info("two")
    assert feeder.close(SOON_S)

    assert [entry.message for entry in once.entries] == ["two"]
    assert feeder.dropped == {"TimeoutError": 1}


def test_one_that_raises_in_every_method_stops_nobody(capsys):
    class Raising(LogDestination):
        async def write(self, entry):
            raise OSError("postgresql://app:hunter2@db refused")

        async def query(self, **filters):
            raise OSError

        async def close(self):
            raise OSError("no")

    UnifiedLogger.initialize(Raising())

    for _ in range(100):
        loguru.logger.info("said")
    assert UnifiedLogger.close(SOON_S)

    assert UnifiedLogger.dropped() == {"OSError": 100}
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "hunter2" not in told


def test_what_it_logs_itself_is_not_logged_for_ever():
    done = threading.Event()

    class Chatty(Kept):
        async def write(self, entry):
            logging.getLogger("chatty").info("writing")
            await asyncio.to_thread(loguru.logger.info, "writing in a thread")
            await super().write(entry)
            done.set()

    chatty = Chatty()
    UnifiedLogger.initialize(chatty)

    logging.getLogger("shop").info("one")
    assert done.wait(SOON_S)
    assert UnifiedLogger.close(SOON_S)

    assert [entry.message for entry in chatty.entries] == ["one"]
    assert UnifiedLogger.dropped() == {"recursive": 2}


def test_what_is_said_after_the_end_goes_nowhere_and_is_counted():
    kept = Kept()
    UnifiedLogger.initialize(kept)
    feeder = UnifiedLogger._feeder
    assert UnifiedLogger.close(SOON_S)

    logging.getLogger("shop").info("too late")
    feeder.take(kept)

    assert not logging.getLogger().handlers
    assert kept.entries == []
    assert UnifiedLogger.dropped() == {"closed": 1}


def test_another_destination_takes_over_and_the_one_before_is_closed_with_all_it_got(spooled):
    kept, (ours, got) = Kept(), spooled()
    UnifiedLogger.initialize(kept)
    logging.getLogger("shop").info("one")

    UnifiedLogger.initialize(ours, deadline_s=SOON_S)
    UnifiedLogger.initialize(ours)  # again: nothing is closed, nothing comes twice
    logging.getLogger("shop").info("two")
    loguru.logger.info("three")

    assert ([entry.message for entry in kept.entries], kept.is_closed) == (["one"], True)
    assert [entry.message for entry in got()] == ["two", "three"]


# ── the ends of a program ───────────────────────────────────────────────────────────────────────────────────

ENDING = """
import asyncio, logging, os, sys
from logpith_emit.unified import LogDestination, UnifiedLogger

class Theirs(LogDestination):
    async def write(self, entry):
        if {hangs}:
            await asyncio.Event().wait()
        os.write(1, (entry.message + "\\n").encode())
    async def query(self, **filters):
        return []
    async def close(self):
        os.write(1, b"closed\\n")

UnifiedLogger.initialize(Theirs(), deadline_s={deadline_s})
log = logging.getLogger("shop")
if {forks}:
    log.info("before")
    if os.fork() == 0:
        log.info("of the child")
        sys.exit(0)
    os.wait()
for number in range(3):
    log.info("entry %d", number)
"""


def run(**how):
    return subprocess.run(
        [
            sys.executable,
            "-c",
            ENDING.format(**{"hangs": False, "forks": False, "deadline_s": SOON_S, **how}),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=SOON_S,
    )


def test_the_end_of_the_program_waits_for_somebodys_destination():
    assert run().stdout.splitlines() == ["entry 0", "entry 1", "entry 2", "closed"]


def test_the_end_of_the_program_waits_no_longer_than_the_deadline_for_one_that_hangs():
    done = run(hangs=True, deadline_s=0.2)

    assert done.stdout == ""
    assert "entries were lost: they waited at the end" in done.stderr


def test_a_forked_child_brings_its_own_entries_and_none_of_its_parents():
    said = run(forks=True).stdout.splitlines()

    assert sorted(said) == sorted(
        ["before", "of the child", "entry 0", "entry 1", "entry 2", "closed", "closed"]
    )
