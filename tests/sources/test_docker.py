"""Containers' logs in the files of Docker's json-file driver."""

import json

from hypothesis import given
from hypothesis import strategies as st

from logpith.sources.docker import DockerSource, join, whole_bytes
from logpith.sources.reading import as_block
from logpith.testing.sources import Place, check_source

NOW = 1_795_000_000_000_000_000
PIECE = 16 * 1024


def logged(text, stream="stdout", second=0):
    """What Docker's json-file driver writes of a text: lines cut at 16 KiB."""
    written = b""
    for line in text.splitlines(keepends=True):
        for place in range(0, len(line), PIECE):
            told = {
                "log": line[place : place + PIECE],
                "stream": stream,
                "time": f"2026-11-20T10:00:{second:02}.5Z",
            }
            written += json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    return written


def container(folder, name="shop-web-1", labels=None):
    place = folder / "containers" / ("c0ffee" + name)
    place.mkdir(parents=True)
    config = {"ID": place.name, "Name": f"/{name}", "Config": {"Image": "shop:7", "Labels": labels or {}}}
    (place / "config.v2.json").write_text(json.dumps(config))
    return place / f"{place.name}-json.log"


def source_in(folder, **settings):
    return DockerSource(paths=(f"{folder}/containers/*/*-json.log*",), **settings)


def rows(source, at_once=True):
    with source.open("docker", None) as live:
        return [row for delivery in live.poll(NOW, at_once=at_once) for row in delivery.batch.to_pylist()]


def text_of(row):
    return json.loads(row["line"])["log"]


def test_the_container_tells_the_service_and_the_stream_is_kept(tmp_path):
    container(tmp_path, labels={"com.docker.compose.service": "web"}).write_bytes(
        logged("hello\n") + logged("ERROR oh no\n", "stderr")
    )
    container(tmp_path, "lonely").write_bytes(logged("hi\n"))

    told = rows(source_in(tmp_path, service="other"))

    assert [(row["service"], text_of(row)) for row in told] == [
        ("lonely", "hi\n"),
        ("web", "hello\n"),
        ("web", "ERROR oh no\n"),
    ] or [row["service"] for row in told] == ["web", "web", "lonely"]
    web = [row for row in told if row["service"] == "web"]
    assert [json.loads(row["line"])["stream"] for row in web] == ["stdout", "stderr"]
    assert [row["severity_number"] for row in web] == [0, 17]
    assert web[0]["timestamp"] == 1_795_168_800_500_000_000
    assert json.loads(web[0]["extra"]) == {
        "container.id": "c0ffeeshop-web-1",
        "container.image.name": "shop:7",
        "container.name": "shop-web-1",
    }


def test_a_container_of_which_nothing_else_is_known(tmp_path):
    log = container(tmp_path)
    (log.parent / "config.v2.json").write_text("{broken")
    log.write_bytes(logged("hello\n"))

    (row,) = rows(source_in(tmp_path, service="other"))

    assert row["service"] == "other"


def test_a_long_line_is_one_record(tmp_path):
    long = json.dumps({"msg": "x" * 50_000, "level": "error"}) + "\n"
    container(tmp_path).write_bytes(
        logged("before\n") + logged(long, second=1) + logged("behind\n", second=2)
    )

    told = rows(source_in(tmp_path))

    assert [text_of(row) for row in told] == ["before\n", long, "behind\n"]
    assert told[1]["severity_number"] == 17


def test_pieces_of_one_stream_may_have_lines_of_the_other_between_them(tmp_path):
    pieces = logged("x" * 40_000 + "\n").splitlines(keepends=True)
    between = logged("warning\n", "stderr")
    container(tmp_path).write_bytes(pieces[0] + between + pieces[1] + pieces[2] + logged("last\n"))

    told = rows(source_in(tmp_path))

    assert [text_of(row) for row in told] == ["x" * 40_000 + "\n", "warning\n", "last\n"]


def test_a_short_line_without_an_end_is_no_piece(tmp_path):
    container(tmp_path).write_bytes(logged("password: ") + logged("started anew\n"))

    assert [text_of(row) for row in rows(source_in(tmp_path))] == ["password: ", "started anew\n"]


def test_it_keeps_the_contract_with_pieces_that_come_one_by_one(tmp_path):
    runs = iter(range(1000))
    long = "y" * 40_000 + "\n"
    pieces = logged(long).splitlines(keepends=True)
    other = logged("between\n", "stderr")

    def make():
        folder = tmp_path / str(next(runs))
        log = container(folder)

        def append(data):
            with log.open("ab") as file:
                file.write(data)

        def rotate():
            log.rename(f"{log}.1")
            log.write_bytes(logged("new\n"))

        steps = [
            lambda: append(logged("first\n") + pieces[0]),
            lambda: append(other + pieces[1] + pieces[2][:100]),
            lambda: append(pieces[2][100:] + logged("then\n")),
            rotate,
        ]
        return Place(source=source_in(folder), steps=steps)

    expected = logged("first\n") + logged(long) + other + logged("then\n") + logged("new\n")
    buf, end = as_block(expected)
    joined = join(buf, 0, end)
    lines = bytes(joined[0]).rstrip(b"\0").splitlines()

    check_source(make, lines, now_ns=NOW)


streams = st.sampled_from(["stdout", "stderr"])
texts = st.sampled_from(
    ["a\n", "tail\\n\n", "é\n", "x" * PIECE + "\n", "y" * (2 * PIECE + 7) + "\n", 'q"\\' * 9000 + "\n"]
)


@given(st.lists(st.tuples(streams, texts), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_whatever_is_interleaved_each_line_is_whole_again(said, dice):
    waiting = {"stdout": [], "stderr": []}
    for stream, text in said:
        waiting[stream] += logged(text, stream).splitlines(keepends=True)
    written = b""
    while any(waiting.values()):
        stream = dice.choice([name for name, pieces in waiting.items() if pieces])
        written += waiting[stream].pop(0)
    buf, end = as_block(written)

    assert whole_bytes(buf, 0, end) == end
    joined = join(buf, 0, end)
    lines = written.splitlines() if joined is None else bytes(joined[0]).rstrip(b"\0").splitlines()

    told = [json.loads(line) for line in lines]
    for stream in ("stdout", "stderr"):
        mine = [one["log"] for one in told if one["stream"] == stream]
        assert mine == [text for name, text in said if name == stream]
    if joined is not None:
        closed = [place for place in joined[1].tolist() if place >= 0]
        assert closed[-1] == end
        assert closed == sorted(closed)


def test_a_piece_to_which_nothing_comes_is_taken_in_the_end(tmp_path):
    log = container(tmp_path)
    log.write_bytes(logged("x" * PIECE * 2))
    with source_in(tmp_path, flush_after_s=2).open("docker", None) as live:
        assert list(live.poll(NOW, at_once=True)) == []

        (delivery,) = live.poll(NOW + 10**10)

    assert text_of(delivery.batch.to_pylist()[0]) == "x" * PIECE * 2


@given(st.integers(1, 4), st.integers(0, 3))
def test_an_open_piece_is_waited_for(pieces, lines):
    text = logged("x" * (PIECE * (pieces + 1)) + "\n").splitlines(keepends=True)
    before = logged("a\n" * lines)
    buf, end = as_block(before + b"".join(text[:pieces]) + logged("b\n", "stderr"))

    assert whole_bytes(buf, 0, end) == len(before)
