"""Benchmarks: each says what it measures, and the folder is the registry. None of them is run here."""

import importlib

import pytest

import benchmarks
from benchmarks.measuring import interleaved, rate


@pytest.mark.parametrize("name", benchmarks.names())
def test_a_benchmark_measures_and_says_what(name):
    module = importlib.import_module(f"benchmarks.{name}")

    assert callable(module.measure)
    assert "against" in module.__doc__


def test_repeats_are_interleaved_and_the_median_counts():
    turns = []
    figures = iter([1.0, 10.0, 3.0, 30.0, 2.0, 20.0])

    def way(name):
        turns.append(name)
        return next(figures)

    assert interleaved({"a": lambda: way("a"), "b": lambda: way("b")}, 3) == {"a": 2.0, "b": 20.0}
    assert turns == ["a", "b"] * 3
    assert rate(1_234_000, 1.0) == "1,234,000 lines/s"
