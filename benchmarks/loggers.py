"""Programs that log, one for each way of logging: what `emit_call` measures, each in a process of its own.

    python -P loggers.py WAY FOLDER [URL]

A program says `ready`, then follows what comes on stdin, a line at a time, and answers with a line of JSON:

    paced N          N calls, one a millisecond: nanoseconds of each
    running N        N calls, one after the other: nanoseconds of each
    tight N THREADS  N calls in all, from so many threads: seconds
    end N HOW        N calls, and then the process ends, one way or another

It stands on the standard library and what a way needs, so that it runs where nothing is installed (`python -S`). A
call says a message with a number in it, and five fields, whose values are there already.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

Say = Callable[[int, str, int, float, str, str], None]
"""One call."""

FORMAT = (
    "%(asctime)s %(levelname)s %(name)s %(message)s call_id=%(call_id)s user_id=%(user_id)s "
    "duration_ms=%(duration_ms)s route=%(route)s region=%(region)s"
)
LOGURU_FORMAT = (
    "{time} {level} {name} {message} call_id={extra[call_id]} user_id={extra[user_id]} "
    "duration_ms={extra[duration_ms]} route={extra[route]} region={extra[region]}"
)


def values_of(number: int) -> tuple[int, str, int, float, str, str]:
    """A number and the five fields."""
    return number, f"CA{number:08d}", number % 977, number % 310 + 0.5, "/pay/confirm", "eu-west-1"


# ── Ways ────────────────────────────────────────────────────────────────────────────────────────────────────


def file_handler(folder: Path, _url: str) -> Say:
    """The standard library's FileHandler, a line of text."""
    return _by_logging(_to_file(folder))


def queue_handler(folder: Path, _url: str) -> Say:
    """The standard library's QueueHandler, with a listener that writes to a file."""
    waiting: queue.SimpleQueue[object] = queue.SimpleQueue()
    logging.handlers.QueueListener(waiting, _to_file(folder)).start()
    return _by_logging(logging.handlers.QueueHandler(waiting))


def loguru(folder: Path, _url: str, *, enqueue: bool = False) -> Say:
    """Loguru, to a file."""
    log = import_module("loguru").logger
    log.remove()
    log.add(folder / "said.log", format=LOGURU_FORMAT, enqueue=enqueue)
    return _with_template(log.info)


def loguru_enqueue(folder: Path, _url: str) -> Say:
    """Loguru with `enqueue=True`, to a file."""
    return loguru(folder, "", enqueue=True)


def structlog(folder: Path, _url: str) -> Say:
    """Structlog as its page on performance has it, to a file."""
    library: Any = import_module("structlog")
    library.configure(
        cache_logger_on_first_use=True,
        wrapper_class=library.make_filtering_bound_logger(logging.INFO),
        processors=[
            library.contextvars.merge_contextvars,
            library.processors.add_log_level,
            library.processors.TimeStamper(fmt="iso", utc=True),
            library.processors.JSONRenderer(serializer=import_module("orjson").dumps),
        ],
        logger_factory=library.BytesLoggerFactory((folder / "said.log").open("wb")),
    )
    return _with_text(library.get_logger().info)


def opentelemetry(_folder: Path, url: str) -> Say:
    """OpenTelemetry's SDK: its handler of logging, the batch processor, OTLP over HTTP."""
    logs: Any = import_module("opentelemetry.sdk._logs")
    export: Any = import_module("opentelemetry.sdk._logs.export")
    exporter: Any = import_module("opentelemetry.exporter.otlp.proto.http._log_exporter")
    provider = logs.LoggerProvider()
    sent_by = exporter.OTLPLogExporter(endpoint=f"{url}/v1/logs")
    provider.add_log_record_processor(export.BatchLogRecordProcessor(sent_by))
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    return _by_logging(logs.LoggingHandler(logger_provider=provider))


def logfire(_folder: Path, url: str) -> Say:
    """Logfire's SDK, sending to another address."""
    library: Any = import_module("logfire")
    library.configure(
        token="of-a-benchmark",
        send_to_logfire=True,
        console=False,
        inspect_arguments=False,
        metrics=False,
        service_name="shop",
        advanced=library.AdvancedOptions(base_url=url),
    )
    return _with_template(library.info)


def logpith(folder: Path, url: str, *, encoder: str = "msgspec") -> Say:
    """logpith_emit; with an address, what stands in its spool is posted there."""
    for library in {"msgspec", "orjson"} - {encoder}:
        sys.modules[library] = None  # type: ignore[assignment]  # which is how Python says that there is none
    emit: Any = import_module("logpith_emit")
    there = {"there": {"type": "http", "url": f"{url}/logs"}} if url else {}
    emit.configure(folder=folder, service="shop", console=False, destinations=there)
    return _with_text(emit.get_logger("shop.pay").info)


def logpith_orjson(folder: Path, url: str) -> Say:
    """The same with orjson."""
    return logpith(folder, url, encoder="orjson")


def logpith_json(folder: Path, url: str) -> Say:
    """The same with the standard library's JSON."""
    return logpith(folder, url, encoder="")


def bare_write(folder: Path, _url: str) -> Say:
    """What no logger of this kind can do without: the fields, msgspec, one `os.write`. No redaction, no checksums."""
    encode: Any = import_module("msgspec").json.Encoder().encode
    descriptor = os.open(folder / "said.ndjson", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    own = {"level": "info", "service": "shop", "logger": "shop.pay", "process_id": os.getpid()}

    def info(message: str, **fields: object) -> None:
        os.write(descriptor, encode({"timestamp": time.time_ns(), **own, "message": message, **fields}))

    return _with_text(info)


def file_handler_disabled(folder: Path, _url: str) -> Say:
    """The standard library below its level."""
    file_handler(folder, "")
    return _with_text_and_extra(logging.getLogger("shop.pay").debug)


def logpith_disabled(folder: Path, _url: str) -> Say:
    """logpith_emit below its level."""
    logpith(folder, "")
    emit: Any = import_module("logpith_emit")
    return _with_text(emit.get_logger("shop.pay").debug)


def _to_file(folder: Path) -> logging.Handler:
    handler = logging.FileHandler(folder / "said.log")
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


def _by_logging(handler: logging.Handler) -> Say:
    log = logging.getLogger("shop.pay")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    return _with_text_and_extra(log.info)


def _with_text_and_extra(method: Callable[..., None]) -> Say:
    def say(number: int, call_id: str, user_id: int, duration_ms: float, route: str, region: str) -> None:
        method(
            "call %d answered",
            number,
            extra={
                "call_id": call_id,
                "user_id": user_id,
                "duration_ms": duration_ms,
                "route": route,
                "region": region,
            },
        )

    return say


def _with_template(method: Callable[..., None]) -> Say:
    def say(number: int, call_id: str, user_id: int, duration_ms: float, route: str, region: str) -> None:
        method(
            "call {number} answered",
            number=number,
            call_id=call_id,
            user_id=user_id,
            duration_ms=duration_ms,
            route=route,
            region=region,
        )

    return say


def _with_text(method: Callable[..., None]) -> Say:
    def say(number: int, call_id: str, user_id: int, duration_ms: float, route: str, region: str) -> None:
        method(
            f"call {number} answered",
            call_id=call_id,
            user_id=user_id,
            duration_ms=duration_ms,
            route=route,
            region=region,
        )

    return say


WAYS: dict[str, Callable[[Path, str], Say]] = {
    way.__name__: way
    for way in (
        file_handler,
        queue_handler,
        loguru,
        loguru_enqueue,
        structlog,
        opentelemetry,
        logfire,
        logpith,
        logpith_orjson,
        logpith_json,
        bare_write,
        file_handler_disabled,
        logpith_disabled,
    )
}


# ── Orders ──────────────────────────────────────────────────────────────────────────────────────────────────


def paced(say: Say, count: int) -> list[int]:
    """Nanoseconds of each of so many calls, one a millisecond."""
    return _each(say, count, 1_000_000)


def running(say: Say, count: int) -> list[int]:
    """Nanoseconds of each of so many calls, one after the other."""
    return _each(say, count, 0)


def _each(say: Say, count: int, pause_ns: int) -> list[int]:
    taken = []
    clock = time.perf_counter_ns
    due = clock()
    for number in range(count):
        due += pause_ns
        if (early := due - clock()) > 0:
            time.sleep(early / 1e9)
        values = values_of(number)
        began = clock()
        say(*values)
        taken.append(clock() - began)
    return taken


def tight(say: Say, count: int, threads: int) -> float:
    """Seconds that so many calls take, from so many threads."""

    def part() -> None:
        for number in range(count // threads):
            say(*values_of(number))

    crowd = [threading.Thread(target=part) for _ in range(threads)]
    began = time.perf_counter()
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    return time.perf_counter() - began


def end(say: Say, count: int, how: str) -> None:
    """So many calls, and then an end."""
    for number in range(count):
        say(*values_of(number))
    if how == "exception":
        raise ValueError("as wanted")
    if how == "sys.exit":
        sys.exit(3)
    if how == "os._exit":
        os._exit(4)
    if how != "exit":
        os.kill(os.getpid(), signal.Signals[how])
        time.sleep(60)  # where a signal is taken, and ends the process a little later


def main() -> None:
    """Follows what stdin says."""
    way, folder = sys.argv[1:3]
    say = WAYS[way](Path(folder), "".join(sys.argv[3:]))
    print("ready", flush=True)
    for line in sys.stdin:
        order, count, *rest = line.split()
        if order == "end":
            end(say, int(count), rest[0])
            return
        if order == "tight":
            answer: object = tight(say, int(count), int(rest[0]))
        else:
            answer = {"paced": paced, "running": running}[order](say, int(count))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
