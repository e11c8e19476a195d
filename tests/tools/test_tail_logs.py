"""tail_logs: what each service said last, and then only what is new, in whatever order it comes."""

import os

import pytest

from logpith.app import ask
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.tools import tools
from logpith_emit.errors import BadArgument, NotFound


def line(minute, service, text):
    return f'{{"ts":"2026-11-20T12:{minute:02d}:00Z","level":"info","service":"{service}","msg":"{text}"}}\n'


@pytest.fixture
def logs(tmp_path):
    """Two files with ten lines each, of three services."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.log").write_text("".join(line(i, ("api", "worker")[i % 2], f"a{i}") for i in range(10)))
    (folder / "b.log").write_text("".join(line(i, "db", f"b{i}") for i in range(10)))
    return folder


def tail(folder, desk=None, **arguments):
    return ask(build(tools()["tail_logs"], {"sources": [str(folder)], **arguments}), desk or Desk())


def texts(told):
    return [item["text"].rpartition('"msg":"')[2].removesuffix('"}') for item in told.items]


def test_the_last_lines_of_each_service_come_newest_first(logs):
    told = tail(logs, lines=2, budget=5000)

    assert texts(told) == ["b9", "a9", "b8", "a8", "a7", "a6"]
    assert {item["service"] for item in told.items} == {"api", "worker", "db"}


def test_services_and_groups_are_chosen_by_name(logs):
    desk = Desk(groups={"backend": ["api", "DB"]})

    assert texts(tail(logs, desk, services=["worker"], lines=2)) == ["a9", "a7"]
    assert texts(tail(logs, desk, services=["backend"], lines=1)) == ["b9", "a8"]


def test_who_is_not_here_is_told_who_is(logs):
    with pytest.raises(NotFound, match="The services are api, db, worker"):
        tail(logs, services=["wroker"])


@pytest.mark.parametrize(("lines", "shown"), [(None, 20), (500, 20), (3, 9)])
def test_fifty_lines_of_each_unless_asked_otherwise(logs, lines, shown):
    told = tail(logs, budget=20_000, **({"lines": lines} if lines else {}))

    assert len(told.items) == shown


def test_no_line_at_all_is_refused_and_more_than_500_are_500(logs):
    with pytest.raises(BadArgument, match="at least 1"):
        tail(logs, lines=0)

    told = tail(logs, lines=501, budget=20_000)

    assert told.coverage.lowered == ("lines to 500",)
    assert len(told.items) == 20


def test_the_cursor_gives_only_what_has_come_since_also_when_it_is_late(logs):
    cursor = tail(logs).cursor
    with (logs / "a.log").open("a") as file:
        file.write(line(11, "api", "new") + line(0, "worker", "late"))

    told = tail(logs, cursor=cursor)
    again = tail(logs, cursor=told.cursor)

    assert texts(told) == ["new", "late"]
    assert again.items == ()
    assert again.summary == "Nothing has come since."
    assert not again.found


def test_what_the_budget_cuts_off_comes_next(logs):
    cursor = tail(logs).cursor
    with (logs / "a.log").open("a") as file:
        file.write("".join(line(20 + i, "api", f"new{i}") for i in range(30)))
    (logs / "c.log").write_text("".join(line(20 + i, "web", f"c{i}") for i in range(5)))

    seen = []
    for _ in range(40):
        told = tail(logs, cursor=cursor, budget=300)
        cursor = told.cursor
        if not told.items:
            break
        seen += texts(told)

    assert seen == [f"new{i}" for i in range(30)] + [f"c{i}" for i in range(5)]


def test_a_limit_on_new_lines_loses_none(logs):
    cursor = tail(logs).cursor
    with (logs / "a.log").open("a") as file:
        file.write("".join(line(20 + i, "api", f"new{i}") for i in range(7)))

    first = tail(logs, cursor=cursor, lines=5, budget=5000)
    second = tail(logs, cursor=first.cursor, lines=5, budget=5000)

    assert (texts(first), texts(second)) == ([f"new{i}" for i in range(5)], ["new5", "new6"])
    assert "7 new lines" in first.summary


def test_a_rotated_file_goes_on_where_it_was(logs):
    cursor = tail(logs).cursor
    with (logs / "a.log").open("a") as file:
        file.write(line(20, "api", "before"))
    (logs / "a.log").rename(logs / "a.log.1")
    (logs / "a.log").write_text(line(21, "api", "after"))

    assert sorted(texts(tail(logs, cursor=cursor))) == ["after", "before"]


def test_a_truncated_file_is_new_from_its_beginning(logs):
    cursor = tail(logs).cursor
    with (logs / "a.log").open("r+") as file:
        os.ftruncate(file.fileno(), 0)
        file.write(line(30, "api", "anew"))

    assert texts(tail(logs, cursor=cursor)) == ["anew"]


@pytest.mark.parametrize("cursor", ["x", "cursor=", "cursor=f1.zz", "offset=3", "s"])
def test_what_is_no_cursor_is_refused(logs, cursor):
    with pytest.raises(BadArgument, match="no cursor of tail_logs"):
        tail(logs, cursor=cursor)
