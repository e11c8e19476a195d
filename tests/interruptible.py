"""Tests that interrupt programs, also where whoever runs them has let nobody be interrupted."""

import signal


def let_be_interrupted() -> None:
    """A shell lets what it starts in the background ignore SIGINT, and so would all that tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
