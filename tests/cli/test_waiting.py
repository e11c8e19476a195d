"""Who waits for compiling is told of it."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from logpith.cli.waiting import COMPILING, COMPILING_MORE, told_of_compiling
from logpith.scan import kernel


class _Heard(io.StringIO):
    """A stream that tells when somebody has written to it."""

    def __init__(self):
        super().__init__()
        self.has_text = threading.Event()

    def flush(self):
        self.has_text.set()


def test_who_waits_for_compiling_is_told_once(monkeypatch):
    heard = _Heard()
    monkeypatch.setattr(sys, "stderr", heard)

    with told_of_compiling(["search"]):
        for _ in range(2):
            with kernel._compiling:
                assert heard.has_text.wait(60)

    assert heard.getvalue() in (f"logpith: {COMPILING}\n", f"logpith: {COMPILING_MORE}\n")


@pytest.mark.parametrize("words", [["search"], ["mcp"], ["--version"]])
def test_who_waits_for_nothing_is_told_nothing(words, monkeypatch):
    heard = _Heard()
    monkeypatch.setattr(sys, "stderr", heard)

    with told_of_compiling(words):
        pass

    assert heard.getvalue() == ""
