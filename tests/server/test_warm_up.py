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
from numba.core.dispatcher import Dispatcher
import logpith.server.mcp as mcp
from logpith.tools import tools

def compiled():
    return sum(
        len(value.signatures)
        for name, module in list(sys.modules.items()) if name.startswith("logpith.")
        for value in vars(module).values() if isinstance(value, Dispatcher)
    )

desk = mcp.LazyDesk(["."])
desk.load(tools())
before = compiled()
for name, given in json.loads(sys.argv[1]):
    assert not mcp.answer_call(desk, tools()[name], given).is_error
print(before, compiled())
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
