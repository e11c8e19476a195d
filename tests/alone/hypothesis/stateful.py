"""See the package."""

from hypothesis import example as initialize
from hypothesis import example as rule


def invariant() -> object:
    return lambda method: method


class RuleBasedStateMachine:
    """One that is never run."""

    class TestCase:
        """Holds no test."""


__all__ = ["RuleBasedStateMachine", "initialize", "invariant", "rule"]
