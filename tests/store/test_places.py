"""Places: folders and buckets keep the same promises."""

import pytest

from logpith.store.places import place_at
from logpith_emit.errors import BadArgument, Unavailable


@pytest.fixture(scope="module")
def bucket_server():
    """The address of an object store on this machine that speaks as S3 does."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def bucket(bucket_server, monkeypatch, request):
    """The address of a bucket of this test alone, with the keys for it where its tools take them."""
    from pyarrow import fs

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    name = f"logs-{abs(hash(request.node.name)) % 10**9}"
    files = fs.S3FileSystem(
        endpoint_override=bucket_server.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
    )
    files.create_dir(name)
    return f"s3://{name}/deep/prefix?endpoint={bucket_server}"


@pytest.fixture(params=["folder", "bucket"])
def place(request, tmp_path):
    if request.param == "bucket":
        return place_at(request.getfixturevalue("bucket"))
    return place_at(str(tmp_path / "deep" / "place"))


def test_what_was_put_is_there_whole(place):
    assert place.sizes("") == {}
    with pytest.raises(FileNotFoundError):
        place.read("a/b/c")

    place.put("a/b/c", b"first")
    place.put("a/b/c", b"other")
    place.put("a/d", b"")

    assert place.read("a/b/c") == b"other"
    assert place.sizes("") == {"a/b/c": 5, "a/d": 0}
    assert place.sizes("a") == {"b/c": 5, "d": 0}
    assert place.sizes("nothing") == {}


def test_what_was_removed_is_gone(place):
    place.put("a/b", b"1")
    place.put("a/c", b"2")

    place.remove("a/b")

    assert place.sizes("") == {"a/c": 1}


def test_a_store_goes_into_a_bucket_and_comes_back(bucket, tmp_path):
    from logpith.store import open_store
    from logpith.store.copies import create_snapshot, restore_snapshot, snapshot_names, verify_snapshot
    from stores import NOW_NS, batch_of, stored_names

    with open_store(tmp_path / "store") as store:
        store.append(batch_of("a", "b"))
        store.seal(NOW_NS)
        store.append(batch_of("c"))
        first = create_snapshot(tmp_path / "store", place_at(bucket), "first", NOW_NS)
        store.append(batch_of("d"))
        store.seal(NOW_NS)
        second = create_snapshot(tmp_path / "store", place_at(bucket), "second", NOW_NS)

    assert (first.copied, second.copied) == (2, 1)
    assert snapshot_names(place_at(bucket)) == ["first", "second"]
    assert verify_snapshot(place_at(bucket), "second").problems == ()
    restore_snapshot(place_at(bucket), "second", tmp_path / "new")
    assert stored_names(tmp_path / "new") == ["a", "b", "c", "d"]


def test_a_bucket_that_cannot_be_reached_says_so(bucket):
    name = bucket.partition("?")[0]

    with pytest.raises(Unavailable, match="s3://") as unavailable:
        place_at(bucket.replace("logs-", "others-")).put("a", b"1")
    assert "AWS_ACCESS_KEY_ID" in unavailable.value.remedy
    assert name not in str(unavailable.value)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("", "is no folder"),
        ("file://relative", "is no folder"),
        ("s3://", "names no bucket"),
        ("s3://key:s3cr3t@bucket/logs", "keys do not belong"),
        ("s3://bucket/logs?regoin=eu", "no parameter 'regoin'"),
        ("nothing://somewhere/logs", "no address of a folder or a bucket"),
    ],
)
def test_an_address_that_is_none_is_refused_with_what_to_write(address, problem):
    with pytest.raises(BadArgument, match=problem) as refused:
        place_at(address)

    assert "s3cr3t" not in str(refused.value)


def test_a_file_address_is_its_folder(tmp_path):
    place_at(f"file://{tmp_path}/copies").put("a", b"1")

    assert (tmp_path / "copies" / "a").read_bytes() == b"1"
