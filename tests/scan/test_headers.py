"""Headers: level, logger and message of the layouts that loggers use, and texts that only look like them."""

import numpy as np
import pytest

from logpith.formats.recognise import Recognised
from logpith.scan.records import PADDING, read_records

TIME = "2026-11-20 13:45:02,123"


def read(line):
    """(severity, logger, message) of a line behind a time."""
    data = f"{TIME}{line}\n".encode()
    buf = np.frombuffer(data + b"\0" * PADDING, np.uint8)
    recognised = Recognised(newest_ns=1_795_000_000 * 10**9)
    records = read_records(buf, 0, len(data), recognised.look_at(buf, 0, len(data)))
    message = data[records.body_start[0] : records.body_end[0]].decode().strip()
    logger = records.services[records.service[0] - 1].decode() if records.service[0] else ""
    return int(records.severity[0]), logger, message


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (" INFO dfs.DataNode$PacketResponder: got block", (9, "dfs.DataNode$PacketResponder", "got block")),
        (" 148 WARN dfs.FSNamesystem: got block", (13, "dfs.FSNamesystem", "got block")),
        (" ERROR [main] com.example.App - it broke", (17, "com.example.App", "it broke")),
        (" [main] ERROR com.example.App - it broke", (17, "com.example.App", "it broke")),
        (" [main] ERROR com.example.App: it broke", (17, "com.example.App", "it broke")),
        (" - INFO  [QuorumPeer[id=1]/0:0:Fast@774] - now 3 s", (9, "", "now 3 s")),
        (" - app.db - WARNING - slow", (13, "app.db", "slow")),
        (" | INFO     | app.db:connect:12 - done", (9, "app.db:connect:12", "done")),
        ("  INFO 17 --- [nio-8080-exec-1] c.e.App  : up", (9, "c.e.App", "up")),
        (" [error] 7#7: *1 open() failed", (17, "", "7#7: *1 open() failed")),
        (" ERROR: duplicate key", (17, "", "duplicate key")),
        (" UTC [12] LOG:  checkpoint complete", (9, "", "checkpoint complete")),
        (" UTC [12] LOG:  duration: 1.2 ms  statement: x", (9, "", "duration: 1.2 ms  statement: x")),
        (" ERROR: app.db: no connection", (17, "app.db", "no connection")),
        (" WARNING: disk: full", (13, "", "disk: full")),
        (" INFO started", (9, "", "started")),
        (" warning: disk is filling", (13, "", "disk is filling")),
        (" DEBUG root: x", (5, "root", "x")),
    ],
)
def test_a_header_tells_level_and_logger(line, expected):
    assert read(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        " error occurred in module x",
        " info desk opened",
        " [client 10.0.0.1] refused",
        " user: anna logged in",
        " connection - closed",
        " 148 blocks written",
        " HTTP request done",
        " Informational text",
        " [main] started",
        "",
    ],
)
def test_a_message_that_only_looks_like_a_header_stays_whole(line):
    severity, _, message = read(line)

    assert severity == 0
    assert message == line.strip()
