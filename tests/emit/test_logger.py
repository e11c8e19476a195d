"""What a program says stands in the spool, however the program ends."""

import ast
import json
import logging
import math
import os
import pwd
import signal
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from logpith_emit import EmitSettings, correlated, logger
from logpith_emit.clock import ManualClock
from logpith_emit.destinations.memory import MemoryDestination
from logpith_emit.emitter import RECORD_KIND, Emitter, default_folder, destinations_of
from logpith_emit.errors import BadArgument
from logpith_emit.logger import Logger, configure, error_fields, get_logger, settings_of
from logpith_emit.severity import INFO
from logpith_emit.shipping import Shipper
from logpith_emit.spool import Spool


def said_in(folder):
    """All records of a spool, in the order of their writers."""
    spool = Spool(folder=folder)
    frames = (frame for segment in spool.segments() for frame in spool.read(segment))
    return [json.loads(frame.payload) for frame in frames if frame.kind == RECORD_KIND]


@pytest.fixture
def emitter(tmp_path):
    made = Emitter(EmitSettings(service="shop", folder=tmp_path / "spool"), clock=ManualClock())
    yield made
    made.close()


@pytest.fixture
def log(emitter):
    return Logger("shop.pay", {}, emitter)


@pytest.fixture
def said(emitter):
    return lambda: said_in(emitter.folder)


def test_a_record_says_what_was_said_and_by_whom(log, said):
    log.info("call answered", call_id="CA16", duration_ms=31)

    (record,) = said()
    assert record == {
        "timestamp": ManualClock().now_ns(),
        "level": "info",
        "service": "shop",
        "logger": "shop.pay",
        "process_id": os.getpid(),
        "thread_name": threading.current_thread().name,
        "message": "call answered",
        "call_id": "CA16",
        "duration_ms": 31,
    }


@pytest.mark.parametrize("name", ["trace", "debug", "info", "warn", "warning", "error", "critical"])
def test_each_level_has_its_name(tmp_path, name):
    emitter = Emitter(EmitSettings(folder=tmp_path, level="trace"))

    getattr(Logger("", {}, emitter), name)("x")

    assert said_in(tmp_path)[0]["level"] == {"warning": "warn", "critical": "fatal"}.get(name, name)


def test_what_is_less_severe_is_not_written(log, said):
    log.debug("x")

    assert said() == []


def test_bound_fields_and_those_of_the_task_are_said_too(log, said):
    with correlated("req-1", tenant="acme"):
        log.bind(user_id=7).info("a", step=1)
    log.info("b")

    first, second = said()
    assert (first["user_id"], first["tenant"], first["correlation_id"], first["step"]) == (
        7,
        "acme",
        "req-1",
        1,
    )
    assert not {"user_id", "tenant", "correlation_id"} & second.keys()


def test_fields_that_are_called_as_ours_are_kept_beside_them(log, said):
    log.info("x", level="mine", timestamp=3)

    (record,) = said()
    assert (record["level"], record["level_"], record["timestamp_"]) == ("info", "mine", 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hunter2x"},
        {"text": "Authorization: Bearer abcdefghijklmnopqrstuvwxyz012345"},
        {"nested": {"api_key": "0123456789abcdef0123456789abcdef"}},
        {"url": "https://user:hunter2x@host/"},
        {"error": ValueError("password=hunter2x")},
        {"many": ["password=hunter2x"]},
    ],
)
def test_no_secret_is_written(log, emitter, said, fields):
    log.info("x", **fields)

    written = b"".join(path.read_bytes() for path in emitter.folder.iterdir())
    for secret in (b"hunter2x", b"abcdefghijklmnop", b"0123456789abcdef"):
        assert secret not in written
    assert len(said()) == 1


def test_secrets_in_a_message_are_not_written_and_may_be_where_that_is_wanted(tmp_path):
    for redact in (True, False):
        folder = tmp_path / str(redact)
        Logger("", {}, Emitter(EmitSettings(folder=folder, redact=redact))).info("password=hunter2x")
        assert ("hunter2x" in said_in(folder)[0]["message"]) is not redact


def test_an_exception_is_told_with_where_it_came_from(log, said):
    try:
        raise ValueError("no more credits")
    except ValueError:
        log.exception("it failed", call_id="CA16")

    (record,) = said()
    assert (record["level"], record["error_type"], record["error_message"]) == (
        "error",
        "ValueError",
        "no more credits",
    )
    assert "test_logger.py" in record["exception"]


def test_an_exception_that_says_nothing_is_told_too():
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError

    told = error_fields(MuteError())

    assert (told["error_type"], told["error_message"]) == ("MuteError", "")
    assert error_fields(None) == {}


def test_a_span_is_one_record_with_its_time_and_end(log, said):
    with log.span("fetch", url="/a") as told:
        log.info("inside")
        told["bytes"] = 7
    with pytest.raises(KeyError), log.span("fetch", url="/b"):
        raise KeyError("x")

    inside, good, bad = said()
    assert (good["message"], good["status"], good["bytes"], good["url"]) == ("fetch", "ok", 7, "/a")
    assert good["duration_ms"] >= 0
    assert inside["span_id"] == good["span_id"] != bad["span_id"]
    assert (bad["level"], bad["status"], bad["error_type"]) == ("error", "error", "KeyError")


def test_odd_things_are_said_all_the_same(log, emitter, said):
    class Odd:
        def __repr__(self):
            raise ValueError

    log.info("\ud800", a=Odd(), b=float("nan"), c={1: {2}})

    assert len(said()) == 1
    assert emitter.dropped == {}


def test_a_message_that_has_no_words_is_said_with_its_values(log, said):
    class Odd:
        def __repr__(self):
            raise ValueError

    log.info(Odd(), 31)

    assert [record["message"] for record in said()] == ["<Odd whose repr raises ValueError> 31"]


def test_names_of_fields_may_be_anything(emitter, said):
    for _ in range(2):
        emitter.emit(INFO, "x", {1: "a", None: "b", 'a":"b': "c", "api.key": "0123456789", "": "d"})

    assert [
        (record["1"], record["None"], record['a":"b'], record["api.key"], record[""]) for record in said()
    ] == [("a", "b", "c", "<secret:1>", "d")] * 2


def test_what_logs_while_it_is_logged_does_not_go_round(log, emitter, said):
    class Talking:
        def __repr__(self):
            log.info("again")
            return "talking"

    log.info("x", a=Talking())

    assert [record["a"] for record in said()] == ["talking"]
    assert emitter.dropped == {"recursive": 1}


def test_what_interrupts_a_record_is_written_too(tmp_path):
    """As a signal's handler does that logs."""

    class Interrupted(ManualClock):
        interrupts = 1

        def now_ns(self):
            if self.interrupts:
                self.interrupts -= 1
                log.info("the signal")
            return super().now_ns()

    emitter = Emitter(EmitSettings(folder=tmp_path), clock=Interrupted())
    log = Logger("", {}, emitter)

    log.info("x")

    assert [record["message"] for record in said_in(tmp_path)] == ["the signal", "x"]
    assert emitter.dropped == {}


def test_each_thread_says_its_name(log, said):
    threads = [threading.Thread(target=log.info, args=["x"], name=name) for name in ("one", "two")]
    for thread in threads:
        thread.start()
        thread.join()

    assert [record["thread_name"] for record in said()] == ["one", "two"]


def test_a_folder_that_cannot_be_written_is_counted_and_said_once_a_minute(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    clock = ManualClock()
    emitter = Emitter(EmitSettings(folder=tmp_path / "file" / "spool"), clock=clock)
    log = Logger("", {}, emitter)

    for _ in range(3):
        log.info("x")
    clock.advance(61 * 10**9)
    log.info("x")

    assert sum(emitter.dropped.values()) == 4
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert "a record was lost" in told[0]


def test_listeners_see_what_is_written(log, emitter, said):
    seen = []
    emitter.listeners = (seen.append,)

    log.info("x", password="hunter2x")

    assert seen == said()


def test_settings_come_from_the_environment_and_from_calls(tmp_path, monkeypatch):
    monkeypatch.setattr(logger, "_EMITTER", None)
    told = {
        "LOGPITH_EMIT_SERVICE": "shop",
        "LOGPITH_EMIT_LEVEL": "debug",
        "LOGPITH_EMIT_FOLDER": str(tmp_path),
    }

    assert settings_of(told) == EmitSettings(service="shop", level="debug", folder=tmp_path)
    emitter = configure(settings_of(told), level="error", console=False)
    get_logger().warning("not said")
    get_logger("x").error("said")
    assert [record["message"] for record in said_in(tmp_path)] == ["said"]
    emitter.close()
    with pytest.raises(BadArgument, match="'loud' is no level"):
        configure(level="loud")


def test_the_spool_is_in_the_data_folder_of_the_user():
    assert str(default_folder({"HOME": "/home/x"})) == "/home/x/.local/share/logpith/emit"
    assert str(default_folder({"XDG_DATA_HOME": "/data", "HOME": "/home/x"})) == "/data/logpith/emit"
    assert str(default_folder({"LOGPITH_EMIT_FOLDER": "/spool"})) == "/spool"


def test_a_user_whom_nobody_knows_and_who_has_no_home_spools_at_the_root(monkeypatch):
    """As in a container that runs under a number of its own."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)

    assert str(default_folder({})) == "/.local/share/logpith/emit"


# ── Endings ─────────────────────────────────────────────────────────────────────────────────────────────────────

COUNT = 2_000
PROGRAM = f"""
import os, signal, sys, threading
from logpith_emit import get_logger
log = get_logger("p")
for number in range({COUNT}):
    log.info("said", number=number)
"""
ENDINGS = {
    "exit": ("", 0),
    "exception": ("raise ValueError", 1),
    "sys.exit": ("sys.exit(3)", 3),
    "os._exit": ("os._exit(4)", 4),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "SIGINT": ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "thread": (f"threading.Thread(target=log.info, args=['said'], kwargs={{'number': {COUNT}}}).start()", 0),
}


def run(program, folder):
    environment = {**os.environ, "LOGPITH_EMIT_FOLDER": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, check=False, stderr=subprocess.DEVNULL
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_record_is_there_however_a_program_ends(tmp_path, ending):
    last, code = ENDINGS[ending]

    assert run(PROGRAM + last, tmp_path).returncode == code

    numbers = [record["number"] for record in said_in(tmp_path) if record["message"] == "said"]
    assert numbers == list(range(COUNT + (ending == "thread")))


def test_forked_children_and_threads_say_theirs_once(tmp_path):
    program = """
import os, threading
from logpith_emit import get_logger
log = get_logger("p")
def say(name):
    for number in range(200):
        log.info("said", who=name, number=number, pid=os.getpid())
threads = [threading.Thread(target=say, args=[f"thread-{number}"]) for number in range(4)]
for thread in threads:
    thread.start()
children = []
for number in range(5):
    child = os.fork()
    if not child:
        say(f"child-{number}")
        os._exit(0)
    children.append(child)
for thread in threads:
    thread.join()
for child in children:
    os.waitpid(child, 0)
"""
    assert run(program, tmp_path).returncode == 0

    records = said_in(tmp_path)
    assert all(record["pid"] == record["process_id"] for record in records)
    said = [(record["who"], record["number"]) for record in records]
    names = [f"thread-{number}" for number in range(4)] + [f"child-{number}" for number in range(5)]
    assert sorted(said) == sorted((name, number) for name in names for number in range(200))


def test_importing_it_loads_nothing_of_others():
    program = (
        "import sys; before = set(sys.modules); import logpith_emit; logpith_emit.get_logger;"
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    program = (
        "import sys; before = set(sys.modules); import logpith_emit; print(sorted(set(sys.modules) - before))"
    )
    bare = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['logpith_emit']"
    assert bare.stdout.strip() == "['__future__', 'logpith_emit']"
    assert logging.getLogger("logpith_emit").handlers == []


def test_a_field_called_message_leaves_the_message_as_it_is(log, said):
    log.info("the real text", message="a field")
    with correlated("x", message="of the task"):
        log.info("another")

    assert [(record["message"], record["message_"]) for record in said()] == [
        ("the real text", "a field"),
        ("another", "of the task"),
    ]


def test_what_the_spool_drops_is_said(tmp_path, capsys):
    emitter = Emitter(EmitSettings(folder=tmp_path, limit_bytes=20_000))
    log = Logger("x", {}, emitter)
    for number in range(1_000):
        log.info("x" * 50, number=number)
    emitter.close()

    told = capsys.readouterr().err
    assert told.count("records are dropped (drop_oldest)") == 1
    assert emitter.dropped["drop_oldest"] > 0


BAD = """
service = "shop"
drain_s = 60

[destinations.good]
type = "file"
path = "{good}"

[destinations.bad]
type = "file"
paht = "x"
"""


def test_one_wrong_destination_turns_off_no_other_and_moves_no_record(tmp_path, monkeypatch, capsys):
    settings, good = tmp_path / "emit.toml", tmp_path / "good.ndjson"
    settings.write_text(BAD.format(good=good))
    monkeypatch.setattr(logger, "_EMITTER", None)
    monkeypatch.setenv("LOGPITH_EMIT_SETTINGS", str(settings))
    monkeypatch.setenv("LOGPITH_EMIT_FOLDER", str(tmp_path / "spool"))

    get_logger("x").info("one")
    logger.the_emitter().close()

    assert json.loads(good.read_bytes())["message"] == "one"
    assert logger.the_emitter().folder == tmp_path / "spool"
    assert "destinations.bad: no setting named 'paht'; going on without it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("[destinations.'no name']\ntype = 'memory'\n", "'no name' is no name for a destination"),
        ("[destinations]\nbad = 5\n", "destinations.bad must be a table, not int"),
    ],
)
def test_what_is_no_destination_at_all_lets_a_program_go_on(tmp_path, monkeypatch, capsys, table, problem):
    settings = tmp_path / "emit.toml"
    settings.write_text(table)
    monkeypatch.setattr(logger, "_EMITTER", None)
    monkeypatch.setenv("LOGPITH_EMIT_SETTINGS", str(settings))
    monkeypatch.setenv("LOGPITH_EMIT_FOLDER", str(tmp_path / "spool"))

    get_logger("x").info("one")
    logger.the_emitter().close()

    assert [record["message"] for record in said_in(tmp_path / "spool")] == ["one"]
    assert f"{problem}; going on without it" in capsys.readouterr().err


def test_where_nothing_of_the_settings_can_be_read_records_go_where_they_would(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(logger, "_EMITTER", None)
    monkeypatch.setenv("LOGPITH_EMIT_SETTINGS", str(tmp_path / "none.toml"))
    monkeypatch.setenv("LOGPITH_EMIT_FOLDER", str(tmp_path / "spool"))
    monkeypatch.setenv("LOGPITH_EMIT_SERVICE", "shop")

    get_logger("x").info("one")
    logger.the_emitter().close()

    assert [record["service"] for record in said_in(tmp_path / "spool")] == ["shop"]
    assert "There is no settings file" in capsys.readouterr().err


SAYS = "from logpith_emit import get_logger; get_logger('x').info('said'); os.write(1, b'goes on')"


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("os.environ['LOGPITH_EMIT_OVERFLOW'] = 'spill'", "a spill_folder go together"),
        ("os.environ['LOGPITH_EMIT_SPILL_FOLDER'] = '/tmp'", "a spill_folder go together"),
        ("sys.stderr.close(); sys.stderr = None", ""),
        ("sys.stderr = open(os.devnull, 'w'); sys.stderr.close(); atexit.register(os._exit, 0)", ""),
        ("sys.stderr = type('Window', (), {'write': str, 'flush': str})", ""),
        ("del sys.argv", ""),
        ("os.chdir(sys.argv[1]); os.rmdir(sys.argv[1])", ""),
        (
            "os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); os.environ['LOGPITH_EMIT_FOLDER'] = 'here'",
            "a record was lost",
        ),
    ],
)
def test_a_program_goes_on_wherever_it_runs(tmp_path, program, told):
    gone = tmp_path / "gone"
    gone.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", f"import atexit, os, sys\n{program}\n{SAYS}", gone],
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "goes on"), done.stderr
    assert told in done.stderr


def test_what_a_spool_has_no_room_for_is_spilt_and_comes_to_its_destinations_all_the_same(tmp_path):
    memory = MemoryDestination()
    emitter = Emitter(
        EmitSettings(
            folder=tmp_path / "spools" / "shop",
            limit_bytes=20_000,
            overflow="spill",
            spill_folder=tmp_path / "other",
        )
    )
    log = Logger("x", {}, emitter)
    for number in range(1_000):
        log.info("x" * 50, number=number)
    emitter.close()
    assert emitter.dropped == {}
    assert list((tmp_path / "other" / "shop").glob("*.spool"))

    shipper = Shipper(emitter.spool, {"m": memory}, warn=lambda *_: None)
    shipper.start()
    assert shipper.close(30)
    assert [record.fields["number"] for record in memory.records.values()] == list(range(1_000))


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ([{"type": "sqlite"}], "mapping from names to tables, not list"),
        (["sqlite"], "mapping from names to tables, not list"),
        ("sqlite", "mapping from names to tables, not str"),
        (MemoryDestination(), "mapping from names to tables, not MemoryDestination"),
        ({1: {"type": "sqlite"}}, "1 is no name for a destination"),
        ({"local": "sqlite"}, "destinations.local must be a table, not str"),
    ],
)
def test_destinations_that_are_no_tables_by_name_are_refused_with_an_example(tmp_path, told, problem):
    with pytest.raises(BadArgument, match=problem) as refused:
        configure(folder=tmp_path, destinations=told)

    if "mapping" in problem:
        example = refused.value.remedy.removeprefix("Write destinations=")
        assert destinations_of(EmitSettings(destinations=ast.literal_eval(example)))


def test_a_folder_may_be_told_as_text(tmp_path, monkeypatch):
    monkeypatch.setattr("logpith_emit.logger._EMITTER", None)

    with closing(configure(folder=str(tmp_path))):
        get_logger("shop").info("x")

    assert said_in(tmp_path)[0]["message"] == "x"


class RaisesWords:
    def __str__(self):
        raise ValueError

    __repr__ = __str__


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (("took %d ms for %s", 31, "ann"), "took 31 ms for ann"),
        (("%(a)s and %(b)s", {"a": 1, "b": 2}), "1 and 2"),
        (("positional", 5), "positional 5"),
        (("%d ms", "slow"), "%d ms 'slow'"),
        (("%s %s", 1), "%s %s 1"),
        (("%s", RaisesWords()), "%s <RaisesWords whose repr raises ValueError>"),
        (("100 %",), "100 %"),
    ],
)
def test_values_are_put_into_the_message_as_in_the_standard_library(log, said, told, message):
    log.info(*told, user_id=7)
    log.log(INFO, *told)

    assert [record["message"] for record in said()] == [message, message]
    assert said()[0]["user_id"] == 7


@pytest.mark.parametrize(
    ("severity", "level"), [("warning", "warn"), ("E", "error"), (None, "info"), ("x", "info")]
)
def test_a_severity_may_be_told_by_its_name(log, said, severity, level):
    log.log(severity, "x")

    assert said()[0]["level"] == level


@pytest.mark.parametrize(
    "told",
    [
        {"overflow": "nosuch"},
        {"limit_bytes": "abc"},
        {"limit_bytes": -1},
        {"spill_limit_bytes": 0.5},
        {"block_s": math.nan},
        {"drain_s": "x"},
        {"drain_s": 1e300},
    ],
)
def test_settings_that_cannot_be_are_refused_when_they_are_told(told):
    (name,) = told
    with pytest.raises(BadArgument, match=name):
        EmitSettings(**told)
