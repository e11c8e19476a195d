"""See the package."""

from hypothesis import Anything

_ANYTHING = Anything()


def __getattr__(name: str) -> Anything:
    if name.startswith("__"):
        raise AttributeError(name)
    return _ANYTHING
