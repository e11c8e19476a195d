"""Runs the benchmarks and prints a Markdown table."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import benchmarks
from benchmarks import Row, Setting


def main() -> int:
    """The exit code."""
    names = [
        info.name
        for info in pkgutil.iter_modules(benchmarks.__path__)
        if info.name not in ("__main__", "measuring")
    ]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument(
        "--only", choices=names, action="append", help="run this one; may be given several times"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    parser.add_argument(
        "--shared", type=Path, help="the folder with data/loghub and tools/score_templates.py"
    )
    arguments = parser.parse_args()
    beside = Path(__file__).parents[2] / "shared"
    shared = arguments.shared or (beside if beside.is_dir() else None)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="logpith-bench-") as folder:
        for name in arguments.only or names:
            _say(f"{name} …")
            setting = Setting(folder=Path(folder), shared=shared, quick=arguments.quick, say=_say)
            rows += importlib.import_module(f"benchmarks.{name}").measure(setting)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return 0
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    print("| what | logpith | peer | ratio |\n| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row.what} | {row.ours} | {row.peer} | {row.ratio} |")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
