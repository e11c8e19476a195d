"""What every source owes, as a check that the test of each source calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from logpith.batch import MOST_RECORDS, SCHEMA
from logpith.sources import Delivery, LiveSource, Source

NAME = "checked"
_MOST_POLLS = 50


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place made for one run of the check, with what happens there."""

    source: Source
    """What reads it."""

    steps: Sequence[Callable[[], None]]
    """What happens there, one after the other; the source is polled after each."""


def check_source(make_place: Callable[[], Place], expected: Sequence[bytes], *, now_ns: int) -> None:
    """Nothing, when the source keeps what its kind promises.

    The place is made anew for each run. In the first nothing goes wrong. In the others the program is killed once:
    behind each delivery, before and after it was stored; the next one opens from the position that was stored. Every
    run stores the expected texts, each once; their order is free. A source that listens can be given nothing again:
    what it gave when the program was killed is lost, and that alone; and while nobody was killed, what could not be
    stored is given again.

    Raises:
        AssertionError: it does not.
    """
    wanted = sorted(expected)
    deliveries = _run(make_place(), now_ns, killed_at=-1, is_stored=True)
    _require(sorted(_texts(deliveries)) == wanted, f"an undisturbed run stores {_short(_texts(deliveries))}")
    for delivery in deliveries:
        _check_delivery(delivery, now_ns)
    for killed_at in range(len(deliveries)):
        for is_stored in (False, True):
            place = make_place()
            stored = _texts(_run(place, now_ns, killed_at=killed_at, is_stored=is_stored))
            moment = f"killed {'after' if is_stored else 'before'} delivery {killed_at} was stored"
            lost = (
                _texts(deliveries[killed_at : killed_at + 1])
                if place.source.listens and not is_stored
                else []
            )
            _require(sorted([*stored, *lost]) == wanted, f"{moment}, it stores {_short(stored)}")
    if deliveries and make_place().source.listens:
        given = _texts(_run_hindered(make_place(), now_ns))
        _require(sorted(given) == wanted, f"when each delivery fails once, it stores {_short(given)}")


def _run(place: Place, now_ns: int, *, killed_at: int, is_stored: bool) -> list[Delivery]:
    """What was stored of a place, when the program was killed at one delivery."""
    stored: list[Delivery] = []
    given = 0
    with ExitStack() as opened:
        live = opened.enter_context(place.source.open(NAME, None))
        for step in (*place.steps, _nothing):
            step()
            is_killed = True
            while is_killed:
                is_killed = False
                for delivery in _polled(live, now_ns):
                    is_killed = given == killed_at
                    given += 1
                    if not is_killed or is_stored:
                        stored.append(delivery)
                    if is_killed:
                        opened.close()
                        position = stored[-1].position if stored else None
                        live = opened.enter_context(place.source.open(NAME, position))
                        break
    return stored


def _run_hindered(place: Place, now_ns: int) -> list[Delivery]:
    """What was stored of a place, when each delivery could be stored only when it came for the second time."""
    stored: list[Delivery] = []
    with place.source.open(NAME, None) as live:
        for step in (*place.steps, _nothing):
            step()
            refused: Delivery | None = None
            for _ in range(_MOST_POLLS):
                delivery = None
                for delivery in live.poll(now_ns, at_once=True):
                    if refused is None:
                        refused = delivery
                        break
                    is_same = delivery.batch.equals(refused.batch)
                    _require(is_same, "what could not be stored comes again as something else")
                    stored.append(delivery)
                    refused = None
                if delivery is None:
                    break
    return stored


def _polled(live: LiveSource, now_ns: int) -> Iterator[Delivery]:
    """Everything that is there: until a poll gives nothing."""
    for _ in range(_MOST_POLLS):
        empty = True
        for delivery in live.poll(now_ns, at_once=True):
            empty = False
            yield delivery
        if empty:
            return
    raise AssertionError(f"the source still gives something new after {_MOST_POLLS} polls")


def _check_delivery(delivery: Delivery, now_ns: int) -> None:
    batch = delivery.batch
    batch.validate(full=True)
    _require(batch.schema.equals(SCHEMA), f"its batch has the columns {batch.schema}")
    _require(batch.num_rows <= MOST_RECORDS, f"a batch holds {batch.num_rows} records")
    _require(set(batch["source"].to_pylist()) <= {NAME}, "a record does not tell its source by name")
    observed = set(batch["observed_timestamp"].to_pylist())
    _require(observed <= {now_ns}, f"records were observed at {observed}, not at {now_ns}")
    _require(all(lost >= 0 for lost in delivery.losses.values()), f"it tells losses {delivery.losses}")


def _texts(deliveries: Sequence[Delivery]) -> list[bytes]:
    return [text for delivery in deliveries for text in delivery.batch["line"].to_pylist()]


def _nothing() -> None:
    """The last step: nothing happens any more."""


def _short(texts: Sequence[bytes]) -> str:
    shown = b" | ".join(texts[:5]).decode("utf-8", "replace")
    return f"{len(texts)} records: {shown}"


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise AssertionError(problem)
