"""What a server still tells while its store cannot be read."""

import pytest

from http_door import ADMIN, GATEWAY_ONLY, NDJSON, READER, WRITER, ndjson, opened, said
from logpith.corpus.newest import MOST_OF_EACH
from logpith.server.running import store_folder
from logpith.settings import Settings, StoreSettings
from logpith.store import open_store
from logpith.timerange import now_ns

SERVICES = ("gateway", "auth")


def bring(door, *seconds):
    lines = [said(f"n{second}", second, service) for second in seconds for service in SERVICES]
    with door.as_(WRITER) as client:
        assert client.post("/api/v1/logs", content=ndjson(*lines), headers=NDJSON).is_success


def tail(door, token=READER, **more):
    with door.as_(token) as client:
        asked = {"lines": 500, "budget": 20_000, **more}
        answered = client.post("/tools/tail_logs", json=asked)
    assert answered.status_code == 200, answered.text
    return answered.json()


def told(answer, service):
    """The numbers of the records that an answer tells of a service, newest first."""
    texts = [item["text"] for item in answer["items"] if item["service"] == service]
    return [int(text.partition('"msg":"n')[2].partition('"')[0]) for text in texts]


LASTING = Settings(store=StoreSettings(retention="36500d"))
"""These records have a date of their own, and are not to be too old on the day that the tests run."""


def seal(folder, *seconds):
    """A store as a server before has left it: all in one segment."""
    with opened(folder, collecting=LASTING) as door:
        bring(door, *seconds)
    with open_store(store_folder(folder)) as store:
        store.seal(now_ns())


@pytest.fixture
def door(tmp_path):
    """A server that was started on 70 records of each service, and was brought 80 more, out of order."""
    seal(tmp_path, *range(70))
    with opened(tmp_path, toolsets="core,aggregate", collecting=LASTING) as door:
        door.running.remember()
        bring(door, *range(100, 150), *range(70, 100))
        forget(door)
        yield door


def forget(door):
    """Closes the segments that were read to remember them, as when others have taken their place."""
    desk = door.running.keep.desk()
    desk._corpora = None
    desk._reader()._open.clear()


def stop(folder):
    """The disk of the store goes."""
    store_folder(folder).rename(folder / "gone")


def check_last_hundred(answer):
    for service in SERVICES:
        assert told(answer, service)[:MOST_OF_EACH] == list(range(149, 49, -1))
    assert any("from memory" in note for note in answer["coverage"]["skipped"])


def test_the_last_hundred_of_each_service_are_told_when_the_store_has_gone(door, tmp_path):
    stop(tmp_path)

    check_last_hundred(tail(door))


def test_nothing_is_told_from_memory_while_the_store_is_there(door):
    answer = tail(door)

    assert told(answer, "gateway") == list(range(149, -1, -1))
    assert "skipped" not in answer["coverage"]


def test_the_same_when_it_goes_while_it_is_open(door, tmp_path):
    door.running.keep.desk().open()  # of segments only the heads are read
    stop(tmp_path)

    answer = tail(door)

    check_last_hundred(answer)
    assert len(told(answer, "auth")) == MOST_OF_EACH


def test_by_get_and_of_one_service_too(door, tmp_path):
    stop(tmp_path)

    with door.as_(READER) as client:
        answer = client.get("/tools/tail_logs", params={"service": "auth", "lines": 3}).json()

    assert told(answer, "auth") == [149, 148, 147]
    assert told(answer, "gateway") == []


def test_who_sees_one_service_sees_no_other_then(door, tmp_path):
    stop(tmp_path)

    answer = tail(door, GATEWAY_ONLY)

    assert told(answer, "gateway")[:MOST_OF_EACH] == list(range(149, 49, -1))
    assert told(answer, "auth") == []


def test_a_relay_is_told_that_the_store_has_gone(door, tmp_path):
    door.running.keep.desk().open()
    stop(tmp_path)

    with door.as_(ADMIN) as client:
        answered = client.post("/logs/fetch", json={"service": "gateway", "lines": 100})

    assert (answered.status_code, answered.json()["error"]["code"]) == (502, "source_failed")


def test_a_server_that_remembers_nothing_tells_what_is_still_there(tmp_path):
    seal(tmp_path, *range(70))
    with opened(tmp_path, toolsets="core,aggregate", collecting=LASTING) as door:
        bring(door, 70)
        stop(tmp_path)
        answer = tail(door)

    assert told(answer, "gateway") == [70]
    assert answer["coverage"]["skipped"]
