"""What tests of the base share, which also run alone."""

from interruptible import let_be_interrupted


def pytest_configure():
    let_be_interrupted()
