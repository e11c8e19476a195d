"""Stands for hypothesis where it is not installed: whatever asks for examples is skipped."""

from typing import Any

import pytest


class Anything:
    """Whatever is asked of it, it is."""

    def __getattr__(self, name: str) -> "Anything":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_args: object, **_more: object) -> "Anything":
        return self

    def __or__(self, _other: object) -> "Anything":
        return self

    __ror__ = __or__

    def __iter__(self) -> Any:
        return iter(())


def given(*_args: object, **_more: object) -> Any:
    """A test that is skipped, and needs nothing."""

    def skipped(_test: object) -> Any:
        def needs_hypothesis() -> None:
            pytest.skip("hypothesis is not installed")

        return needs_hypothesis

    return skipped


def example(*_args: object, **_more: object) -> Any:
    return lambda test: test


settings = example
strategies = Anything()
HealthCheck = Anything()
