"""Leaving: the end of a server's process, whatever its threads still do."""

from __future__ import annotations

import os
import sys
import threading


def end_without_threads() -> None:
    """Ends the process now, and well, when a thread still compiles, or works for nobody; all must be closed before.

    Python's own end would take from such a thread what it works with, and stop it within LLVM, which aborts.
    """
    if threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
