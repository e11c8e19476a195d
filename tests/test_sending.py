"""Files into the store of a server that runs: as if there were none, each record once, whatever is lost on the way."""

import json

import pytest

from http_door import ADMIN, WRITER, opened
from logpith import cli, sending
from logpith.batch import make_batch
from logpith.ingest import ingest
from logpith.pipeline import redaction_key, stages_of
from logpith.sending import Server, send
from logpith.server.here import ADDRESS_FILE
from logpith.settings import QualitySettings, Settings
from logpith.store import open_store
from logpith_emit.errors import Refused, Unavailable
from logpith_emit.secret import Secret
from ssh_server import free_port
from stores import rows_in, snapshot_of

NOW_NS = 1_795_212_000 * 10**9
STRICT = Settings(quality=QualitySettings(strict=True, required_fields=("timestamp",)))


def write(path, first, count, mode="w"):
    with path.open(mode) as log:
        for number in range(first, first + count):
            log.write(
                f"2026-11-20T10:{number // 60 % 60:02}:{number % 60:02}Z ERROR step {number} of ann@example.org\n"
            )
            log.write("Traceback (most recent call last):\n\n  what failed\n" if number % 7 == 0 else "")
    return path


def server_of(door, token=ADMIN, **more):
    return Server(url=door.url, token=Secret(token), **more)


@pytest.fixture
def door(tmp_path):
    with opened(tmp_path / "data", collecting=STRICT) as door:
        yield door


@pytest.fixture
def folder(door, tmp_path):
    (found,) = {path.parent for path in (tmp_path / "data").rglob("FORMAT")}
    return found


def lines_of(folder):
    snapshot = snapshot_of(folder, NOW_NS)
    assert snapshot.damaged == ()
    return sorted(row["line"] for row in rows_in(snapshot.segments))


def as_stored(folder):
    """All that matters of each record; when it came differs from run to run."""
    rows = rows_in(snapshot_of(folder, NOW_NS).segments)
    return sorted(
        json.dumps({**row, "observed_timestamp": 0, "line": row["line"].decode("latin-1")}) for row in rows
    )


def test_what_a_server_stores_is_what_would_be_stored_without_it(door, folder, tmp_path):
    log = write(tmp_path / "app.log", 0, 200)
    (tmp_path / "odd.log").write_bytes(b"no time, caf\xe9\n2026-11-20T10:00:00Z INFO after\n")
    paths = [str(log), str(tmp_path / "odd.log")]
    key = redaction_key(folder.parent)
    with open_store(tmp_path / "alone" / "store") as store:
        alone = ingest(store, paths, stages_of(STRICT, key), NOW_NS, service="{name}")

    done = send(server_of(door), folder, paths, NOW_NS, service="{name}")

    assert (done.records, done.dead, done.files) == (alone.records, alone.dead, alone.files)
    assert done.counters == alone.counters
    assert done.oldest_ns == alone.oldest_ns
    assert as_stored(folder) == as_stored(tmp_path / "alone" / "store")


def test_a_second_run_sends_only_what_was_appended(door, folder, tmp_path):
    log = write(tmp_path / "app.log", 0, 50)

    counts = [send(server_of(door), folder, [str(log)], NOW_NS).records]
    counts.append(send(server_of(door), folder, [str(log)], NOW_NS).records)
    write(log, 50, 5, mode="a")
    counts.append(send(server_of(door), folder, [str(log)], NOW_NS).records)

    assert counts == [50, 0, 5]
    assert len(lines_of(folder)) == 55


def test_a_server_goes_on_where_a_run_without_one_has_ended(tmp_path):
    log = write(tmp_path / "app.log", 0, 50)
    with opened(tmp_path / "data"):
        pass
    (folder,) = {path.parent for path in (tmp_path / "data").rglob("FORMAT")}
    with open_store(folder) as store:
        ingest(store, [str(log)], (), NOW_NS)
    write(log, 50, 5, mode="a")

    with opened(tmp_path / "data") as door:
        assert send(server_of(door), folder, [str(log)], NOW_NS).records == 5
    with open_store(folder) as store:
        assert ingest(store, [str(log)], (), NOW_NS).records == 0


@pytest.mark.parametrize("lost", range(1, 6))
def test_an_answer_that_is_lost_doubles_and_loses_nothing(door, folder, tmp_path, monkeypatch, lost):
    log = write(tmp_path / "app.log", 0, 200)
    server = server_of(door, body_bytes=4_000)
    count = 0

    def fetch_and_lose(request):
        nonlocal count
        answer = fetch(request)
        count += request.body is not None
        if count == lost and request.body is not None:
            raise Unavailable("the line is cut", remedy="Try again")
        return answer

    fetch = sending.fetch
    monkeypatch.setattr(sending, "fetch", fetch_and_lose)
    monkeypatch.setattr(sending, "TRIES", 1)
    with pytest.raises(Unavailable, match="the line is cut"):
        send(server, folder, [str(log)], NOW_NS)
    send(server, folder, [str(log)], NOW_NS)

    assert count > 5
    assert len(lines_of(folder)) == 200


def test_a_cut_line_is_tried_again_by_itself(door, folder, tmp_path, monkeypatch):
    log = write(tmp_path / "app.log", 0, 20)
    cut = []

    def fetch_or_cut(request):
        answer = fetch(request)
        if request.body is not None and len(cut) < 2:
            cut.append(request)
            raise Unavailable("the line is cut", remedy="Try again")
        return answer

    fetch = sending.fetch
    monkeypatch.setattr(sending, "fetch", fetch_or_cut)
    monkeypatch.setattr(sending, "WAIT_S", 0)

    send(server_of(door), folder, [str(log)], NOW_NS)

    assert len(cut) == 2
    assert len(lines_of(folder)) == 20


def test_who_may_not_bring_records_ready_made_is_told(door, folder, tmp_path):
    log = write(tmp_path / "app.log", 0, 3)

    with pytest.raises(Refused, match="answers 403: this needs the role log_admin"):
        send(server_of(door, WRITER), folder, [str(log)], NOW_NS)
    with pytest.raises(Refused, match="answers 401"):
        send(server_of(door, "nobody-0123456789abcdef"), folder, [str(log)], NOW_NS)

    assert lines_of(folder) == []


def test_a_server_that_is_not_there_is_told_before_anything_is_read(tmp_path):
    nowhere = Server(url=f"http://127.0.0.1:{free_port()}", token=Secret(""))

    with pytest.raises(Unavailable, match="cannot be asked"):
        send(nowhere, tmp_path, [str(tmp_path / "not there")], NOW_NS)


@pytest.mark.parametrize(
    "body", [b"", b"no arrow", b"\xff\xff\xff\xff\0\0\0\0", "cut", "other", "extra", "severe"]
)
def test_a_body_that_is_no_stream_of_records_is_refused(door, folder, body):
    batch = make_batch([b"a", b"b"], observed_ns=NOW_NS, source="x", severities=[9, 9], extras=[{"a": 1}, {}])
    if body == "cut":
        body = sending._spelled(batch)[:-40]
    elif body == "other":
        body = sending._spelled(batch).replace(b"severity_number", b"severity_nombre")
    elif body == "extra":
        body = sending._spelled(batch).replace(b'{"a":1}', b'{"a":1]')
    elif body == "severe":
        body = sending._spelled(make_batch([b"a"], observed_ns=NOW_NS, source="x", severities=[200]))
    with door.as_(ADMIN) as client:
        answer = client.post("/api/v1/logs", content=body, headers={"content-type": sending.CONTENT_TYPE})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_batches")
    assert lines_of(folder) == []


@pytest.mark.parametrize("position", ["gateway", '["gateway", "1"]', "[1, 2]"])
def test_a_position_of_something_else_is_refused(door, position):
    with door.as_(ADMIN) as client:
        answer = client.post(
            "/api/v1/logs", content=b"a", headers={"content-type": "text/plain", "X-Position": position}
        )

    assert answer.status_code == 400


def test_the_command_brings_files_to_the_server_that_has_the_store_open(
    tmp_path, compiled, monkeypatch, capsys
):
    compiled(tmp_path / "cache")
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("LOGPITH_TOKEN", ADMIN)
    monkeypatch.setenv("LOGPITH_STORE_RETENTION", "36500d")  # whatever the day is
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "app.log", 0, 30)
    with opened(tmp_path / "data") as door:
        folder = tmp_path / "data" / "store"
        (folder.parent / ADDRESS_FILE).write_text(f"{door.url}\n")

        codes = [cli.main(["ingest", "app.log"]) for _ in range(2)]

    assert codes == [0, 0]
    assert capsys.readouterr().out.splitlines() == [
        "30 records of 1 file are stored.",
        "0 records of 0 files are stored.",
        "1 file had nothing new.",
    ]
    assert len(lines_of(folder)) == 30
