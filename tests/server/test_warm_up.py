"""After the warm-up no real question compiles or loads machine code any more."""

import json
import subprocess
import sys

CALLS = [
    ("log_overview", {}),
    ("log_cluster", {"sort": "severity"}),
    ("log_grep", {"pattern": "quota"}),
    ("log_grep", {"pattern": "/quota [a-z]+/ level>=info", "as_query": True}),
    ("log_fetch", {"query": '"quota exceeded" OR call*'}),
]

SCRIPT = """
import json, sys
import logpith.server.mcp as mcp
from logpith.scan.kernel import loaded
from logpith.tools import tools

desk = mcp.LazyDesk(["."])
desk.load(tools())
before = loaded()
for name, given in json.loads(sys.argv[1]):
    assert not mcp.answer_call(desk, tools()[name], given).is_error
print(len(before), len(loaded()))
"""


def test_real_questions_find_every_kernel_loaded(tmp_path):
    lines = [
        '{"time": "2026-11-20T13:45:00Z", "level": "error", "msg": "quota exceeded", "service": "api"}',
        "2026-11-20 13:45:01,123 INFO app call 7 answered in 31 ms",
        "2026-11-20 13:45:02,123 ERROR app quota gone",
        '  File "a.py", line 7, in run',
    ]
    (tmp_path / "app.log").write_text("\n".join(lines * 20) + "\n")

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(CALLS)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    before, after = map(int, done.stdout.split())
    assert before == after > 0


STORED = """
import sys
from pathlib import Path
import logpith.server.mcp as mcp
from logpith.scan.kernel import loaded
from logpith.settings import Settings, StoreSettings
from logpith.tools import tools

source = {"type": "file", "paths": ["app.log"]}
settings = Settings(store=StoreSettings(folder=Path("data/store").absolute()), sources={"app": source})
desk = mcp.LazyDesk(["."], settings=settings)
desk.load(tools())
before = loaded()
by_time = {"by": ["time:5m"]}
for name, given in (("search_logs", {"query": "quota"}), ("log_overview", {}), ("triage", {}), ("log_count", by_time)):
    assert not mcp.answer_call(desk, tools()[name], given).is_error
print(len(before), sorted(name for name, _ in loaded() - before))
"""


def test_questions_about_a_store_find_every_kernel_loaded(tmp_path):
    (tmp_path / "app.log").write_text("2026-11-20 13:45:02,123 ERROR app quota gone\n" * 20)

    done = subprocess.run(
        [sys.executable, "-c", STORED], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    count, _, missed = done.stdout.strip().partition(" ")
    assert int(count) > 0
    assert missed == "[]"
