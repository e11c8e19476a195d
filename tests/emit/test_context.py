"""What is said while a task runs has its id and its fields, and nobody else's."""

import asyncio
import threading

import pytest

from logpith_emit.context import (
    context_fields,
    correlated,
    correlation_id,
    correlation_in,
    new_correlation_id,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_outside_of_everything_there_is_nothing():
    assert correlation_id() == ""
    assert context_fields() == {}


def test_a_block_has_an_id_and_the_one_within_it_the_same():
    with correlated(user_id=7) as outer:
        with correlated(step="pay") as inner:
            assert correlation_id() == inner == outer
            assert context_fields() == {"user_id": 7, "step": "pay"}
        assert context_fields() == {"user_id": 7}

    assert correlation_id() == ""


def test_an_id_that_is_known_is_kept():
    with correlated("CA16"):
        assert correlation_id() == "CA16"


def test_ids_are_made_anew():
    assert len({new_correlation_id() for _ in range(100)}) == 100


def test_tasks_and_threads_do_not_share_theirs():
    async def task(name):
        with correlated(name):
            await asyncio.sleep(0)
            return correlation_id()

    async def both():
        return await asyncio.gather(task("a"), task("b"))

    seen = []
    with correlated("c"):
        thread = threading.Thread(target=lambda: seen.append(correlation_id()))
        thread.start()
        thread.join()

    assert asyncio.run(both()) == ["a", "b"]
    assert seen == [""]


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (
            {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
            "0af7651916cd43dd8448eb211c80319c",
        ),
        ({"X-Correlation-ID": "a-1", "X-Request-ID": "b-2"}, "a-1"),
        ({"x-request-id": "b-2"}, "b-2"),
        ({"correlationId": "c-3"}, "c-3"),
        ({"traceparent": "nonsense", "x-request-id": "b-2"}, "b-2"),
        ({"x-request-id": "two words"}, ""),
        ({"x-request-id": "x" * 300}, ""),
        ({"x-request-id": 7}, ""),
        ({}, ""),
    ],
)
def test_callers_bring_their_id_along(told, found):
    assert correlation_in(told) == found
