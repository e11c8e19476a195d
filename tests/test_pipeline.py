"""Records on their way: none lost, none stored twice, each counted, whatever sources and stores do."""

import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.batch import make_batch, with_column
from logpith.pipeline import (
    CHANGED,
    DEAD_LETTER,
    FIRST_RETRY_NS,
    LOST,
    MOST_RETRY_NS,
    POLLS,
    Pipeline,
    SourceStatus,
    dead_letters,
    open_stages,
    redaction_key,
    retry_after_ns,
    revived,
    sources_of,
    stages_of,
)
from logpith.query.of_batch import which_match
from logpith.settings import QualitySettings, Settings
from logpith.sources import Delivery, Source
from logpith.sources.file import FileSource
from logpith.stages.dedupe import DedupeStage
from logpith.stages.drop import DropStage
from logpith.stages.redact import RedactStage
from logpith.stages.validate import ValidateStage
from logpith.store.writer import open_store
from logpith.timerange import NS_PER_MIN, NS_PER_S, format_ns
from logpith_emit.errors import BadArgument, NotFound, Refused, Unavailable
from secret_samples import SECRETS_IN_TEXT

NOW_NS = 1_795_255_502 * NS_PER_S
LONG_NS = 60 * NS_PER_S
"""How long tests wait for what must come; they fail then."""

STRICT = ValidateStage(strict=True, required_fields=("service",))


@dataclass(frozen=True, kw_only=True)
class Well(Source):
    """A source that a test fills; a list of texts is a delivery, an error is raised, a function called."""

    type: ClassVar[str] = "well"
    given: list = field(default_factory=list)
    opened: list = field(default_factory=list)

    @contextmanager
    def open(self, name, position):
        self.opened.append(position)
        yield _Live(self, name, int(position or 0))


class _Live:
    def __init__(self, well, name, at):
        self.well, self.name, self.at = well, name, at

    def poll(self, now_ns, *, at_once=False):
        while self.at < len(self.well.given):
            one = self.well.given[self.at]
            if isinstance(one, Exception):
                self.well.given.pop(self.at)
                raise one
            if callable(one):
                one()
                self.well.given.pop(self.at)
                continue
            texts, losses = one if isinstance(one, tuple) else (one, {})
            self.at += 1
            batch = make_batch(texts, observed_ns=now_ns, source=self.name, services=["api"] * len(texts))
            yield Delivery(batch=batch, position=str(self.at), losses=losses)


class Clock:
    def __init__(self):
        self.now_ns = NOW_NS

    def __call__(self):
        return self.now_ns


class Hindered:
    """A store that a test hinders now and then."""

    def __init__(self, store):
        self.store = store
        self.errors = []

    def append(self, batch, **told):
        if self.errors:
            raise self.errors.pop()
        return self.store.append(batch, **told)

    def position(self, source):
        return self.store.position(source)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "store") as opened:
        yield opened


def texts(store):
    return [line for batch in store.hot() for line in batch["line"].to_pylist()]


def rows(store):
    return [row for batch in store.hot() for row in batch.to_pylist()]


def refreshed(pipeline, *names):
    return pipeline.refresh(names, within_ns=LONG_NS)


def piped(store, sources, stages=(), every_ns=None, clock=None):
    return Pipeline(sources, stages, store, every_ns=every_ns, clock=clock or Clock())


# ── From source to store ────────────────────────────────────────────────────────────────────────────────────


def test_what_a_source_gives_is_stored_behind_its_stages_with_its_position(store):
    well = Well(given=[[b"one", b"noise"], [b"password=hunter2"]])

    with piped(store, {"w": well}, (RedactStage(key="k"), DropStage(only="noise"))).running() as pipeline:
        assert refreshed(pipeline) == {}
        (status,) = pipeline.status()
        pipeline.ledger.check()

    assert [line[:17] for line in texts(store)] == [b"one", b"password=<secret:"]
    assert store.position("w") == "2"
    assert (status.state, status.records, status.last_success_ns) == ("idle", 3, NOW_NS)
    account = pipeline.ledger.account()
    assert (account.accepted, account.stored, account.dropped) == (3, 2, {"unwanted": 1})
    assert pipeline.telemetry.value(CHANGED, source="w", stage="redact", name="redacted_secret") == 1


def test_the_next_process_goes_on_where_this_one_ended(tmp_path):
    well = Well(given=[[b"one"], [b"two"]])
    for expected in ([b"one", b"two"], [b"one", b"two", b"three"]):
        with open_store(tmp_path / "store") as store, piped(store, {"w": well}).running() as pipeline:
            refreshed(pipeline)
            assert texts(store) == expected
        well.given.append([b"three"]) if len(well.given) < 3 else None

    assert well.opened == [None, "2"]


def test_a_delivery_of_which_nothing_is_kept_moves_the_position_too(store):
    with piped(store, {"w": Well(given=[[b"noise"]])}, (DropStage(only="noise"),)).running() as pipeline:
        refreshed(pipeline)

    assert store.position("w") == "1"
    assert texts(store) == []


def test_sources_are_read_when_their_time_has_come(store):
    clock, well = Clock(), Well()
    read = threading.Event()
    well.given.append([b"one"])

    with piped(store, {"w": well}, every_ns=NS_PER_S, clock=clock).running() as pipeline:
        assert wait_for(pipeline, lambda status: status.records == 1)
        well.given.extend([[b"two"], read.set])
        clock.now_ns += 2 * NS_PER_S
        pipeline.wake()
        assert read.wait(LONG_NS / NS_PER_S)

    assert texts(store) == [b"one", b"two"]


def test_what_grows_is_collected_each_minute_and_nothing_twice(store, tmp_path):
    """Three minutes of a service that writes every seven seconds, by the clock of the test."""
    clock, log = Clock(), tmp_path / "gateway.log"
    log.touch()
    settings = Settings(sources={"w": {"type": "file", "paths": [str(log)]}})
    every_ns = settings.collect.every_ns
    written = {}

    with piped(store, sources_of(settings), every_ns=every_ns, clock=clock).running() as pipeline:
        assert wait_for(pipeline, lambda status: status.last_success_ns == NOW_NS)
        for second in range(1, 181):
            clock.now_ns = NOW_NS + second * NS_PER_S
            if second % 7 == 0:
                text = f"{format_ns(clock.now_ns)} INFO request {second}"
                written[text.encode()] = clock.now_ns
                with log.open("a") as growing:
                    growing.write(text + "\n")
                os.utime(log, ns=(clock.now_ns, clock.now_ns))
            pipeline.wake()
            if second % 60 == 0:
                assert wait_for(pipeline, lambda status: status.last_success_ns == clock.now_ns)
        polls = pipeline.telemetry.value(POLLS, outcome="ok")

    kept = {row["line"]: row["observed_timestamp"] for row in rows(store)}
    assert every_ns == NS_PER_MIN
    assert polls == 4  # at the start, and once a minute
    assert sorted(texts(store)) == sorted(written)
    assert all(0 <= kept[text] - written[text] <= NS_PER_MIN for text in written)


def test_what_is_written_right_before_a_look_is_taken_by_a_second_one_and_no_third(store, tmp_path):
    """A busy log: a line each half second. Each look finds the last one unsettled."""
    clock, log = Clock(), tmp_path / "gateway.log"
    sources = {"w": FileSource(paths=(str(log),))}
    looked = []

    def write_at(now_ns):
        with log.open("a") as growing:
            growing.write(f"{format_ns(now_ns)} INFO request\n")
        os.utime(log, ns=(now_ns, now_ns))
        clock.now_ns = now_ns

    write_at(NOW_NS)
    with piped(store, sources, every_ns=NS_PER_MIN, clock=clock).running() as pipeline:
        assert wait_for(pipeline, lambda status: status.last_success_ns == NOW_NS)
        for half_seconds in range(1, 2 * 61):
            write_at(NOW_NS + half_seconds * NS_PER_S // 2)
            pipeline.wake()
            if half_seconds in (2, 120):
                assert wait_for(pipeline, lambda status: status.last_success_ns == clock.now_ns)
            looked.append((half_seconds, pipeline.telemetry.value(POLLS, outcome="ok")))

    assert [polls for half_seconds, polls in looked if half_seconds in (1, 2, 119, 120)] == [1, 2, 2, 3]
    arrived = [row["observed_timestamp"] - NOW_NS for row in rows(store)]
    assert arrived[:2] == [NS_PER_S, NS_PER_S]


def wait_for(pipeline, is_met):
    """Whether the source `w` comes to be so."""
    return pipeline.wait_for("w", is_met, within_ns=LONG_NS)


def test_no_byte_of_a_secret_is_in_any_file_of_the_data_folder(tmp_path):
    """Spool, segments, dead letters, positions: all of it was written behind the redaction."""
    log = tmp_path / "app.log"
    samples = [text.replace("§", secret) for text, secret in SECRETS_IN_TEXT]
    log.write_text("".join(f"2026-11-20 12:00:{at % 60:02} INFO {text}\n" for at, text in enumerate(samples)))
    settings = Settings(
        sources={"app": {"type": "file", "paths": [str(log)]}}, quality=QualitySettings(strict=True)
    )
    data = tmp_path / "data"

    stages = stages_of(settings, redaction_key(data))
    with (
        open_store(data / "store") as store,
        Pipeline(sources_of(settings), stages, store, every_ns=None).running() as pipeline,
    ):
        assert refreshed(pipeline) == {}
        assert pipeline.ledger.account().dead_lettered > 0
        spooled = written(data)
        store.seal(NOW_NS)

    for name, content in [*spooled, *written(data)]:
        for _, secret in SECRETS_IN_TEXT:
            for piece in secret.split("\n"):
                assert len(piece) < 5 or piece.encode() not in content, (name, piece)


def written(folder):
    """Every file in a folder, with its bytes."""
    return [(path.name, path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]


# ── Sources that fail ───────────────────────────────────────────────────────────────────────────────────────


def test_a_source_that_fails_is_told_and_stops_no_other(store):
    sources = {
        "gone": Well(given=[Unavailable("web-1 does not answer", remedy="Look at it")]),
        "wrong": Well(given=[Refused("no such unit", remedy="Name another")]),
        "broken": Well(given=[ValueError("a secret of the source")]),
        "good": Well(given=[[b"one"]]),
    }

    with piped(store, sources).running() as pipeline:
        failed = refreshed(pipeline)
        states = {status.name: status.state for status in pipeline.status()}

    assert failed["gone"] == "web-1 does not answer. Look at it"
    assert failed["wrong"] == "no such unit. Name another"
    assert "ValueError" in failed["broken"]
    assert "a secret" not in failed["broken"]
    assert "good" not in failed
    assert states == {"gone": "failing", "wrong": "refused", "broken": "failing", "good": "idle"}
    assert texts(store) == [b"one"]
    assert pipeline.telemetry.value(POLLS, outcome="failing") == 2


def test_a_change_of_a_source_is_told_once_and_not_each_time_it_is_read(store):
    told = []
    fault = Unavailable("web-1 does not answer", remedy="Look at it")
    clock = Clock()
    well = Well(given=[fault, fault, [b"one"]])
    with Pipeline(
        {"web": well}, (), store, every_ns=None, clock=clock, tell=told.append
    ).running() as pipeline:
        for _ in range(4):
            refreshed(pipeline)
            clock.now_ns += NS_PER_MIN

    assert told == ["source web fails: web-1 does not answer. Look at it", "source web works again"]


def test_records_that_are_older_than_is_kept_are_counted_and_told_once(store):
    told = []
    times = [NOW_NS - 2 * NS_PER_MIN, NOW_NS, None]

    @dataclass(frozen=True, kw_only=True)
    class Old(Well):
        @contextmanager
        def open(self, name, position):
            yield self

        def poll(self, now_ns, *, at_once=False):
            for position in "12":
                batch = make_batch([b"a", b"b", b"c"], observed_ns=now_ns, source="old", timestamps=times)
                yield Delivery(batch=batch, position=position)

    pipeline = Pipeline(
        {"old": Old()}, (), store, every_ns=None, clock=Clock(), tell=told.append, retention_ns=NS_PER_MIN
    )
    with pipeline.running():
        assert refreshed(pipeline) == {}
        (status,) = pipeline.status()

    assert (status.records, status.old) == (6, 2)
    (line,) = told
    assert line.startswith("source old: some records are older than what is kept (1 min)")


def test_what_was_given_before_it_failed_is_stored_once(store):
    clock = Clock()
    well = Well(given=[[b"one"], Unavailable("gone", remedy="Wait"), [b"two"]])

    with piped(store, {"w": well}, clock=clock).running() as pipeline:
        assert "w" in refreshed(pipeline)
        clock.now_ns += FIRST_RETRY_NS
        assert refreshed(pipeline) == {}
        (status,) = pipeline.status()

    assert texts(store) == [b"one", b"two"]
    assert well.opened == [None]
    assert (status.problem, status.failures) == ("", 0)


def test_a_failing_source_is_left_alone_until_its_time_has_come(store):
    clock = Clock()
    well = Well(given=[Unavailable("gone", remedy="Wait"), [b"one"]])

    with piped(store, {"w": well}, clock=clock).running() as pipeline:
        assert refreshed(pipeline) == refreshed(pipeline) == {"w": "gone. Wait"}
        assert texts(store) == []
        clock.now_ns += FIRST_RETRY_NS
        assert refreshed(pipeline) == {}

    assert texts(store) == [b"one"]


def test_a_failing_source_is_tried_again_by_itself(store):
    clock = Clock()
    well = Well(given=[Unavailable("gone", remedy="Wait"), [b"one"]])

    with piped(store, {"w": well}, every_ns=LONG_NS, clock=clock).running() as pipeline:
        assert wait_for(pipeline, lambda status: status.failures == 1)
        clock.now_ns += FIRST_RETRY_NS
        pipeline.wake()
        assert wait_for(pipeline, lambda status: status.records == 1)


@pytest.mark.parametrize(
    "error", [Unavailable("the store is busy", remedy="Wait"), OSError(28, "No space left")]
)
def test_what_could_not_be_stored_comes_again_to_stages_that_do_not_remember_it(store, error):
    hindered, clock = Hindered(store), Clock()
    hindered.errors = [error]
    well = Well(given=[[b"one"]])

    with piped(hindered, {"w": well}, (DedupeStage(window="1h"),), clock=clock).running() as pipeline:
        assert "w" in refreshed(pipeline)
        pipeline.ledger.check()
        clock.now_ns += FIRST_RETRY_NS
        assert refreshed(pipeline) == {}
        pipeline.ledger.check()

    assert texts(store) == [b"one"]
    assert well.opened == [None, None]
    assert pipeline.ledger.account().accepted == 1


def test_a_source_that_hangs_is_told_and_does_not_keep_the_pipeline(store):
    going_on, hangs = threading.Event(), threading.Event()

    def hang():
        hangs.set()
        going_on.wait(LONG_NS / NS_PER_S)

    pipeline = piped(store, {"hanging": Well(given=[hang]), "good": Well(given=[[b"one"]])})
    with pipeline.running(stop_within_s=0):
        assert pipeline.refresh(["hanging"], within_ns=0) == {"hanging": "it was not read in time"}
        assert hangs.wait(LONG_NS / NS_PER_S)
        assert refreshed(pipeline, "good") == {}
        (status, _) = pipeline.status()
    going_on.set()

    assert (status.state, status.reading_since_ns) == ("reading", NOW_NS)
    assert texts(store) == [b"one"]


def test_an_endless_source_is_stored_as_it_comes_and_ends_with_the_pipeline(store):
    well = Well(given=[[b"first"]])
    many = threading.Event()

    def more():
        many.set() if len(well.given) > 50 else None
        well.given.extend([[b"more"], more])

    well.given.append(more)
    with piped(store, {"w": well}).running() as pipeline:
        pipeline.refresh(within_ns=0)
        assert many.wait(LONG_NS / NS_PER_S)

    (status,) = pipeline.status()
    assert status.state == "ended"
    assert len(texts(store)) == status.records == int(store.position("w"))
    pipeline.ledger.check()


def test_losses_are_counted_by_reason(store):
    well = Well(given=[([b"one"], {"truncated_bytes": 7}), ([b"two"], {"truncated_bytes": 3, "gone": 0})])

    with piped(store, {"w": well}).running() as pipeline:
        refreshed(pipeline)
        (status,) = pipeline.status()

    assert status.lost == {"truncated_bytes": 10, "gone": 0}
    assert pipeline.telemetry.value(LOST, source="w", reason="truncated_bytes") == 10


def test_failures_wait_twice_as_long_each_time_and_refusals_longest():
    def after(failures, state="failing"):
        return retry_after_ns(SourceStatus(name="w", type="well", state=state, failures=failures))

    assert [after(failures) for failures in (1, 2, 3)] == [
        FIRST_RETRY_NS,
        2 * FIRST_RETRY_NS,
        4 * FIRST_RETRY_NS,
    ]
    assert after(1000) == after(1, "refused") == MOST_RETRY_NS


# ── Refreshing ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_read_lately_is_not_read_again(store):
    clock, well = Clock(), Well(given=[[b"one"]])

    with piped(store, {"w": well}, clock=clock).running() as pipeline:
        refreshed(pipeline)
        well.given.append([b"two"])
        clock.now_ns += 5 * NS_PER_S
        assert pipeline.refresh(within_ns=LONG_NS, older_than_ns=10 * NS_PER_S) == {}
        assert texts(store) == [b"one"]
        clock.now_ns += 5 * NS_PER_S
        assert pipeline.refresh(within_ns=LONG_NS, older_than_ns=10 * NS_PER_S) == {}

    assert texts(store) == [b"one", b"two"]


def test_a_source_that_there_is_not_is_refused_with_the_nearest(store):
    with piped(store, {"gateway": Well()}).running() as pipeline, pytest.raises(NotFound, match="'gateway'"):
        pipeline.refresh(["gatway"], within_ns=0)


def test_behind_its_end_nothing_is_taken_and_a_refresh_says_so(store):
    with piped(store, {"w": Well()}).running() as pipeline:
        pass

    assert refreshed(pipeline) == {"w": "it is not read any more"}
    with pytest.raises(Refused, match="has ended"):
        pipeline.take(make_batch([b"x"], observed_ns=1, source="http"))


# ── What others bring ───────────────────────────────────────────────────────────────────────────────────────


def test_what_is_brought_goes_through_the_stages_and_is_taken_once(store):
    brought = make_batch([b"password=hunter2", b"noise"], observed_ns=1, source="http")

    with piped(store, {}, (RedactStage(key="k"), DropStage(only="noise"))).running() as pipeline:
        assert pipeline.take(brought, batch_id="b1")
        assert not pipeline.take(brought, batch_id="b1")
        pipeline.ledger.check()

    assert len(texts(store)) == 1
    assert b"hunter2" not in texts(store)[0]
    assert pipeline.ledger.account().dropped == {"unwanted": 1, "duplicate": 2}
    assert 'logpith_stored_records_total{destination="store"} 1' in rendered(pipeline)


def rendered(pipeline):
    from logpith.telemetry import to_prometheus

    return to_prometheus(pipeline.families())


def test_what_could_not_be_taken_is_taken_when_it_comes_again(store):
    hindered = Hindered(store)
    hindered.errors = [Unavailable("busy", remedy="Wait")]
    brought = make_batch([b"one"], observed_ns=1, source="http")

    with piped(hindered, {}, (DedupeStage(window="1h"),)).running() as pipeline:
        with pytest.raises(Unavailable):
            pipeline.take(brought)
        assert pipeline.take(brought)

    assert texts(store) == [b"one"]
    pipeline.ledger.check()


def test_many_bring_at_once_and_each_record_is_there_once(store):
    with piped(store, {}, (RedactStage(key="k"), ValidateStage())).running() as pipeline:

        def bring(who):
            for at in range(20):
                name = f"{who}-{at}"
                pipeline.take(make_batch([name.encode()], observed_ns=1, source="http"), batch_id=name)

        threads = [threading.Thread(target=bring, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pipeline.ledger.check()

    assert sorted(texts(store)) == sorted(f"{who}-{at}".encode() for who in range(4) for at in range(20))


def test_a_batch_of_which_nothing_is_kept_is_taken_once_too(store):
    noise = make_batch([b"noise"], observed_ns=1, source="http")

    with piped(store, {}, (DropStage(only="noise"),)).running() as pipeline:
        assert pipeline.take(noise, batch_id="b")
        assert not pipeline.take(noise, batch_id="b")

    assert pipeline.ledger.account().dropped == {"unwanted": 1, "duplicate": 1}


# ── Dead letters ────────────────────────────────────────────────────────────────────────────────────────────


def test_dead_letters_are_found_in_the_store_and_replayed_once(store):
    good = {"team": "voice"}
    bad = make_batch([b"x", b"fine"], observed_ns=1, source="app", services=["", "api"], extras=[good, {}])

    with piped(store, {}, (RedactStage(key="k"), STRICT)).running() as pipeline:
        pipeline.take(bad)
        (letter,) = [row for row in rows(store) if row["source"] == DEAD_LETTER]
        batch = next(batch for batch in store.hot())
        found = which_match("source:dead_letter AND dead_letter.reason:missing_service")(batch).tolist()
        account = pipeline.ledger.account()
    with piped(store, {}).running() as mended:
        assert mended.replay(batch, batch_id="replay 1")
        assert not mended.replay(batch, batch_id="replay 1")

    assert json.loads(letter["extra"]) == {
        "dead_letter.reason": "missing_service",
        "dead_letter.stage": "validate",
        "dead_letter.source": "app",
        "team": "voice",
    }
    assert found == [False, True]
    assert (account.stored, account.dead_lettered, account.missing) == (1, 1, 0)
    replayed = rows(store)[-1]
    assert (replayed["source"], json.loads(replayed["extra"]), replayed["line"]) == ("app", good, b"x")
    assert mended.ledger.account().accepted == 2


LETTERS = st.lists(
    st.tuples(
        st.binary(max_size=9), st.text(max_size=5), st.dictionaries(st.text(max_size=5), st.integers(0, 9))
    ),
    max_size=5,
)


@given(LETTERS)
def test_a_dead_letter_that_is_revived_is_the_record_that_it_was(letters):
    lines, sources, extras = ([letter[at] for letter in letters] for at in range(3))
    batch = make_batch(lines, observed_ns=1, source="x", extras=extras)
    batch = with_column(batch, "source", pa.array(sources, pa.string()))

    assert revived(dead_letters(batch, "stage", "reason")).equals(batch)
    assert revived(batch).num_rows == 0


# ── From the settings ───────────────────────────────────────────────────────────────────────────────────────


def types_of(**settings):
    return [stage.type for stage in stages_of(Settings(**settings), "key")]


def test_redaction_comes_first_and_validation_last_without_being_named():
    assert types_of() == ["redact", "validate"]
    assert types_of(stages=({"type": "drop", "only": "x"},)) == ["redact", "drop", "validate"]
    assert types_of(stages=({"type": "redact", "mode": "mask"}, {"type": "validate"})) == [
        "redact",
        "validate",
    ]
    assert types_of(stages=({"type": "redact", "only": "x"},)) == ["redact", "redact", "validate"]
    assert types_of(redact=False) == ["validate"]


def test_nothing_stands_before_redaction():
    with pytest.raises(BadArgument, match=r"stages\[1\].*sees secrets"):
        types_of(stages=({"type": "drop", "only": "x"}, {"type": "redact"}))


def test_the_default_stages_take_their_settings():
    settings = Settings(quality=QualitySettings(required_fields=("a",), strict=True, most_line_bytes="64kB"))

    redact, validate = stages_of(settings, "key")

    assert redact.key == "key"
    assert (validate.required_fields, validate.strict, validate.most_line_bytes) == (("a",), True, 64_000)


def test_sources_and_stages_are_built_and_mistakes_have_their_place(tmp_path):
    good = {"type": "file", "paths": ["x.log"], "attributes": {"host.name": "web-1"}}

    assert sources_of(Settings(sources={"web": good}))["web"].attributes == ("host.name=web-1",)
    for sources, match in (
        ({"web": {**good, "pth": 1}}, r"sources.web: no setting named \"pth\". Did you mean 'paths'"),
        ({"web": {"type": "fil"}}, r"sources.web: there is no type 'fil'. Did you mean 'file'"),
        ({"web": {}}, "sources.web: it has no type"),
        ({"dead_letter": good}, "the name is taken"),
    ):
        with pytest.raises(BadArgument, match=match):
            sources_of(Settings(sources=sources))
    with pytest.raises(BadArgument, match=r"stages\[0\].every must be a whole number"):
        stages_of(Settings(stages=({"type": "sample", "every": "many"},)))


def test_the_key_of_a_store_is_made_once_and_read_by_its_user_only(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "redaction.key").write_text("cut off")

    key = redaction_key(tmp_path / "store")

    assert len(key) == 64
    assert redaction_key(tmp_path / "store") == key
    assert redaction_key(tmp_path / "other") != key
    assert (tmp_path / "store" / "redaction.key").stat().st_mode & 0o077 == 0


def test_stages_of_one_type_have_names_of_their_own():
    stages = (DropStage(only="a"), DropStage(only="b"), STRICT)
    with open_stages(stages) as chain:
        passed = chain(make_batch([b"a", b"b", b"c"], observed_ns=1, source="s"))

    assert passed.counters == {("validate", "missing_service"): 1}
    assert passed.dropped == {"unwanted": 2}
    assert passed.dead.num_rows == 1
