"""Runs the benchmarks and prints a Markdown table."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import benchmarks
from benchmarks import Row, Setting


def main() -> int:
    """The exit code."""
    names = benchmarks.names()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument(
        "--only", choices=names, action="append", help="run this one; may be given several times"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    parser.add_argument(
        "--shared", type=Path, help="the folder with data/loghub and tools/score_templates.py"
    )
    parser.add_argument("--lines", type=int, help="so many lines of data, for benchmarks that make some")
    parser.add_argument("--lines-file", type=Path, help="of `store`: keep and ask these lines")
    parser.add_argument(
        "--sketch", type=Path, help="of `store`: the folder with the sketch's final.py and f_q.py"
    )
    parser.add_argument(
        "--peer",
        type=address,
        action="append",
        default=[],
        metavar="NAME=URL",
        help="of `store`: ask this running server too, victorialogs or elasticsearch; its logs are replaced",
    )
    arguments = parser.parse_args()
    beside = Path(__file__).parents[2] / "shared"
    shared = arguments.shared or (beside if beside.is_dir() else None)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="logpith-bench-") as folder:
        for name in arguments.only or names:
            _say(f"{name} …")
            setting = Setting(
                folder=Path(folder),
                shared=shared,
                quick=arguments.quick,
                say=_say,
                wanted_lines=arguments.lines,
                lines_file=arguments.lines_file,
                sketch=arguments.sketch and arguments.sketch.resolve(),
                peers=dict(arguments.peer),
            )
            rows += importlib.import_module(f"benchmarks.{name}").measure(setting)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return 0
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    print("| what | logpith | peer | ratio |\n| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row.what} | {row.ours} | {row.peer} | {row.ratio} |")
    return 0


def address(text: str) -> tuple[str, str]:
    """`NAME=URL` taken apart; refuses what no benchmark knows."""
    name, _, url = text.partition("=")
    if name not in ("victorialogs", "elasticsearch") or not url.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(
            f"{text!r} is none of victorialogs=http://… and elasticsearch=http://…"
        )
    return name, url.rstrip("/")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
