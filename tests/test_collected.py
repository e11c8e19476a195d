"""What was collected can be asked without a server: what is stale is collected first, and nobody waits in vain."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from logpith.app import ask
from logpith.batch import make_batch
from logpith.collected import StateFile, collected_desk, is_due, store_for
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.corpus.refs import read_ref
from logpith.corpus.scope import ScopedDesk
from logpith.corpus.states import SourceState
from logpith.files.roots import Roots
from logpith.settings import CollectSettings, Settings, StoreSettings
from logpith.timerange import NS_PER_MIN, NS_PER_S
from logpith.tools import tools
from logpith_emit.errors import BadArgument, NotFound

NOW_NS = 1_795_255_502 * NS_PER_S


@dataclass
class Place:
    """A folder with logs, a store beside them, and a clock."""

    folder: Path
    collect: CollectSettings = field(default_factory=CollectSettings)
    now_ns: int = NOW_NS
    sources: dict = field(default_factory=dict)
    groups: dict = field(default_factory=dict)

    @property
    def settings(self):
        return Settings(
            store=StoreSettings(folder=self.folder / "data" / "store"),
            sources=self.sources,
            groups=self.groups,
            collect=self.collect,
        )

    def add(self, name, *lines):
        """Lines of a service in its file, which is a source of its name."""
        path = self.folder / f"{name}.log"
        with path.open("a") as log:
            log.writelines(f"{line}\n" for line in lines)
        self.sources.setdefault(name, {"type": "file", "paths": [str(path)], "service": name})

    def add_failing(self, name="broken"):
        self.sources[name] = {"type": "command", "command": ["/no/such/program"]}

    def desk(self, **options):
        return collected_desk(self.settings, clock=lambda: self.now_ns, **options)

    def ask(self, name, desk=None, /, **arguments):
        return ask(build(tools()[name], arguments), desk or self.desk())


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def line(text, second=0):
    return f"2026-11-20T22:04:{second:02}Z ERROR {text}"


def texts(told):
    return sorted(
        item["text"].partition("ERROR ")[2] or item["text"] for item in told.items if "text" in item
    )


def test_a_question_finds_what_nobody_has_collected_yet(place):
    place.add("gateway", line("quota_exceeded for account 7"))

    told = place.ask("search_logs", query="quota_exceeded")

    assert texts(told) == ["quota_exceeded for account 7"]
    assert told.coverage.skipped == ()


def test_a_source_is_read_anew_once_what_was_read_of_it_is_stale(place):
    place.add("gateway", line("one"))
    desk = place.desk()
    place.ask("tail_logs", desk)
    place.add("gateway", line("two", 1))

    at_once = place.ask("tail_logs", desk)
    another_process = place.ask("tail_logs")
    place.now_ns += place.collect.max_staleness_ns
    later = place.ask("tail_logs", desk)

    assert texts(at_once) == texts(another_process) == ["one"]
    assert texts(later) == ["one", "two"]


def test_a_question_may_want_all_sources_read_and_none(place):
    place.add("gateway", line("one"))
    assert texts(place.ask("tail_logs")) == ["one"]
    place.add("gateway", line("two", 1))

    place.now_ns += NS_PER_MIN
    without = place.ask("tail_logs", place.desk(when="never"))
    place.now_ns -= NS_PER_MIN
    forced = place.ask("tail_logs", place.desk(when="now"))

    assert texts(without) == ["one"]
    assert texts(forced) == ["one", "two"]


def test_settings_may_say_that_questions_collect_nothing_unless_they_want_it(place):
    place.collect = CollectSettings(refresh_before_search=False)
    place.add("gateway", line("one"))

    with pytest.raises(NotFound, match="there is no store"):
        place.ask("tail_logs")
    assert texts(place.ask("tail_logs", place.desk(when="now"))) == ["one"]


def test_asking_often_stores_nothing_twice(place):
    place.add("gateway", *(line(f"call {second}", second) for second in range(30)))
    for _ in range(4):
        place.ask("tail_logs")
        place.now_ns += NS_PER_MIN

    assert place.ask("tail_logs").coverage.records == 30


def test_a_source_that_fails_is_told_and_the_others_answer(place):
    place.add("gateway", line("one"))
    place.add_failing()

    told = place.ask("tail_logs")

    assert texts(told) == ["one"]
    (skipped,) = told.coverage.skipped
    assert skipped.startswith("broken: there is no program /no/such/program")


def test_a_source_that_cannot_be_built_is_told_and_the_others_answer(place):
    place.add("gateway", line("one"))
    place.sources["odd"] = {"type": "fiel", "paths": ["x"]}

    told = place.ask("tail_logs")

    assert texts(told) == ["one"]
    assert "Did you mean 'file'?" in told.coverage.skipped[0]


def test_when_all_that_there_is_fails_the_answer_says_so_and_is_none_of_nothing(place):
    place.add_failing()

    told = place.ask("tail_logs")

    assert not told.found
    assert told.coverage.skipped[0].startswith("broken: ")


def test_a_failing_source_is_left_alone_for_a_while_but_not_when_its_settings_have_changed(place, tmp_path):
    counted = tmp_path / "counted"
    script = f"echo >> {counted}; exit 3"
    place.sources["flaky"] = {"type": "command", "command": ["sh", "-c", script]}
    for _ in range(3):
        place.ask("tail_logs")
    assert len(counted.read_text()) == 1

    place.now_ns += NS_PER_S
    place.ask("tail_logs")
    assert len(counted.read_text()) == 2

    place.sources["flaky"] = {"type": "command", "command": ["sh", "-c", script + " "]}
    place.ask("tail_logs")
    assert len(counted.read_text()) == 3


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (SourceState(name="a"), True),
        (SourceState(name="a", tried_ns=NOW_NS - 9, success_ns=NOW_NS - 9), False),
        (SourceState(name="a", tried_ns=NOW_NS - 10, success_ns=NOW_NS - 10), True),
        (SourceState(name="a", tried_ns=NOW_NS + 1, success_ns=NOW_NS + 1), True),
        (SourceState(name="a", tried_ns=NOW_NS - 10, problem="no", failures=1), False),
        (SourceState(name="a", tried_ns=NOW_NS - NS_PER_S, problem="no", failures=1), True),
        (SourceState(name="a", tried_ns=NOW_NS - NS_PER_S, problem="no", failures=2), False),
        (SourceState(name="a", tried_ns=NOW_NS - 5 * NS_PER_MIN, problem="no", failures=99), True),
        (SourceState(name="a", tried_ns=NOW_NS + 1, problem="no", failures=99), True),
    ],
)
def test_what_is_due(state, due):
    assert is_due(state, NOW_NS, staleness_ns=10) is due


def test_a_question_does_not_wait_for_a_source_that_hangs(place):
    os.mkfifo(place.folder / "never")
    place.collect = CollectSettings(refresh_within="1ms")
    place.sources["slow"] = {"type": "command", "command": ["cat", str(place.folder / "never")]}

    told = place.ask("tail_logs")

    assert told.coverage.skipped == ("slow: it was not read in time",)
    os.close(os.open(place.folder / "never", os.O_WRONLY))  # cat opens it, and ends


def test_beside_a_process_that_has_the_store_it_is_only_read(place):
    place.add("gateway", line("from the file"))
    with store_for(place.settings) as (store, _):
        store.append(make_batch([line("brought").encode()], observed_ns=NOW_NS, source="http"))

        told = place.ask("tail_logs")

    assert texts(told) == ["brought"]
    assert texts(place.ask("tail_logs")) == ["brought", "from the file"]


def test_where_the_store_cannot_be_written_it_is_read_and_that_is_told(place):
    place.add("gateway", line("one"))
    place.ask("tail_logs")
    lock = place.settings.store.folder / "LOCK"
    lock.unlink()
    lock.mkdir()
    place.now_ns += NS_PER_MIN

    told = place.ask("tail_logs")

    assert texts(told) == ["one"]
    assert told.coverage.skipped[0].startswith("nothing could be collected: ")


def test_a_wrong_stage_is_told_with_what_to_do(place):
    place.add("gateway", line("one"))
    place.ask("tail_logs")
    place.now_ns += NS_PER_MIN
    wrong = replace(place.settings, stages=({"type": "dorp"},))

    told = place.ask("tail_logs", collected_desk(wrong, clock=lambda: place.now_ns))

    assert texts(told) == ["one"]
    assert "Did you mean 'drop'?" in told.coverage.skipped[0]


def test_what_is_called_by_others_and_what_is_piped_in_is_not_read_by_a_question(place):
    place.add("gateway", line("one"))
    place.sources["calls"] = {"type": "webhook"}
    place.sources["pipe"] = {"type": "stdin"}

    told = place.ask("tail_logs")

    assert texts(told) == ["one"]
    assert told.coverage.skipped == ()


def test_secrets_are_blanked_out_before_anything_is_stored(place):
    place.add("gateway", line("login with password=hunter2zz failed"))
    place.ask("tail_logs")

    kept = b"".join(path.read_bytes() for path in (place.folder / "data").rglob("*") if path.is_file())

    assert kept
    assert b"hunter2zz" not in kept


# ── Names ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def several(place):
    for second, name in enumerate(("gateway", "auth", "billing")):
        place.add(name, line(f"{name} failed", second), line(f"{name} is back", second + 10))
    place.groups = {"front": ("gateway", "auth")}
    return place


@pytest.mark.parametrize("tool", ["tail_logs", "get_call_logs", "search_logs", "log_fetch"])
@pytest.mark.parametrize(
    ("sources", "there"),
    [
        (["auth"], {"auth"}),
        (["front"], {"gateway", "auth"}),
        (["billing", "front"], {"gateway", "auth", "billing"}),
    ],
)
def test_names_of_sources_and_groups_choose_their_records(several, tool, sources, there):
    arguments = {"get_call_logs": {"call_id": "failed"}, "search_logs": {"query": "failed OR back"}}

    told = several.ask(tool, sources=sources, **arguments.get(tool, {}))

    shown = " ".join(text for text in map(str, told.items) if "failed" in text or "back" in text)
    assert {name for name in ("gateway", "auth", "billing") if name in shown} == there


def test_a_name_adds_to_what_the_query_asks_and_takes_nothing_from_it(several):
    told = several.ask(
        "log_grep", pattern="failed OR back", as_query=True, query="failed OR nothing", sources=["auth"]
    )

    assert [line.text.partition("ERROR ")[2] for line in told.evidence] == ["auth failed"]


def test_a_wrong_query_is_told_as_it_was_written(several):
    with pytest.raises(BadArgument) as wrong:
        several.ask("search_logs", query="failed AND (", sources=["auth"])

    assert "source" not in str(wrong.value)


def test_two_sources_can_be_compared(several):
    told = several.ask("log_diff", sources=["auth"], baseline="billing")

    assert told.summary.startswith("1 source against 1 source: 2 records against 2.")


def test_an_unknown_name_is_told_with_the_known_ones(several):
    with pytest.raises(
        NotFound, match=r"no source named 'atuh'\. Did you mean 'auth'\?.*auth, billing, front, gateway"
    ):
        several.ask("tail_logs", sources=["atuh"])


def test_what_was_brought_and_is_in_no_settings_has_a_name_too(several):
    with store_for(several.settings) as (store, _):
        store.append(make_batch([line("drained").encode()], observed_ns=NOW_NS, source="drain"))

    assert texts(several.ask("tail_logs", sources=["drain"])) == ["drained"]


def test_files_are_asked_where_files_are_named_and_inside_the_roots(several, tmp_path):
    desk = several.desk(files=Desk(Roots.of([tmp_path])))

    assert several.ask("log_overview", desk, sources=["auth.log"]).coverage.records == 2
    assert several.ask("log_overview", desk, sources=["*.log"]).coverage.records == 6
    assert several.ask("log_overview", desk, sources=["auth"]).coverage.records == 6
    with pytest.raises(BadArgument, match=r"'auth\.log' is a file"):
        several.ask("log_overview", desk, sources=["auth.log", "billing"])
    with pytest.raises(NotFound, match=r"neither a source nor a file named 'nothing\.log'"):
        several.ask("log_overview", desk, sources=["nothing.log"])
    for outside in ("/etc/passwd", "../../no-such-file"):
        with pytest.raises(Exception, match="outside the folders"):
            several.ask("log_overview", desk, sources=[outside])


def test_refs_lead_to_records_of_the_store_and_of_files(several, tmp_path):
    desk = several.desk(files=Desk(Roots.of([tmp_path])))
    stored = several.ask("search_logs", desk, query="auth failed").items[-1]["ref"]
    filed = several.ask("log_grep", desk, pattern="auth failed", sources=["auth.log"]).evidence[0].ref
    assert read_ref(stored).source_key != read_ref(filed).source_key

    shown = several.ask("log_fetch", desk, refs=[stored, filed])

    assert [item["source"].rpartition("/")[2] for item in shown.items] == ["auth", "auth.log"]


def test_who_sees_some_services_only_learns_no_names_of_others(several):
    desk = ScopedDesk(several.desk(), frozenset(["auth"]))

    assert texts(several.ask("tail_logs", desk, sources=["auth"])) == ["auth failed", "auth is back"]
    told = set()
    for name in ("billing", "front", "no-such-source"):
        with pytest.raises(NotFound) as refused:
            several.ask("tail_logs", desk, sources=[name])
        told.add(str(refused.value))
    assert len(told) == 1
    assert desk.states() == ()


# ── What is noted ───────────────────────────────────────────────────────────────────────────────────────────


def test_states_are_told_to_other_processes_and_survive_a_damaged_file(place):
    place.add("gateway", line("one"))
    place.add_failing()
    place.ask("tail_logs")

    states = {state.name: state for state in place.desk(when="never").states()}
    assert states["gateway"].success_ns == NOW_NS
    assert "/no/such/program" in states["broken"].problem

    (place.folder / "data" / "store.sources").write_bytes(b'{"gateway": [')
    assert [state.success_ns for state in place.desk(when="never").states()] == [0, 0]
    assert texts(place.ask("tail_logs")) == ["one"]


def test_nothing_is_noted_where_nothing_is_collected(place):
    StateFile(place.settings).write([])

    assert not (place.folder / "data").exists()
