"""A folder with logs, in which one line holds a secret and one what a terminal would obey."""

from __future__ import annotations

from pathlib import Path

import pytest

HOSTILE = (
    "\x1b]0;owned\x07 \x1b]52;c;aGk=\x07 \x1b[2J\x1b[31m \x1bP$qm\x1b\\ \x9b5n "
    "\u202edesrever\u2066 \x7f [bold red]no[/]"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [
        f"2026-11-20T10:{n // 60:02}:{n % 60:02}Z INFO call {n} answered in {n % 97} ms" for n in range(600)
    ]
    lines[300] = "2026-11-20T10:05:00Z ERROR upload failed, password=hunter2zz"
    lines[301] = f"2026-11-20T10:05:01Z ERROR title {HOSTILE}"
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n")
    return tmp_path
