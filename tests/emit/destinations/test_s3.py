"""What goes to S3 stands there in objects, one for each batch, whatever becomes of the way to it."""

import json
import multiprocessing
from pathlib import Path

import obstore
import pytest
import zstandard
from obstore.store import S3Store

from delivering import OVER_HTTP, by_number, check_faults, delivering
from fault_proxy import Answer, CutRequest, CutResponse, Hang, Slow, fault_proxy
from logpith_emit.destinations import ALL_WRITTEN, Outgoing
from logpith_emit.destinations.s3 import S3Destination
from logpith_emit.entry import entry_of
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.secret import Secret
from logpith_emit.testing import check_destination, numbered
from services.certificates import signed_certificate
from web_stand_in import reply, web_server


class Bucket:
    """One at the server, and another client that reads it."""

    def __init__(self, server):
        self.name = server.new_bucket()
        self.login = {
            "access_key_id": Secret(server.access_key),
            "secret_access_key": Secret(server.secret_key),
            "region": server.region,
        }
        self.given = {"bucket": self.name, "endpoint_url": server.url, **self.login}
        self._store = S3Store(
            self.name,
            endpoint=server.url,
            region=server.region,
            access_key_id=server.access_key,
            secret_access_key=server.secret_key,
            client_options={"allow_http": True},
        )

    @property
    def keys(self):
        return sorted(each["path"] for each in obstore.list(self._store).collect())

    def lines(self, key):
        packed = obstore.get(self._store, key).bytes().to_bytes()
        return zstandard.decompress(packed, max_output_size=64 << 20).splitlines(keepends=True)

    @property
    def records(self):
        return [json.loads(line) for key in self.keys for line in self.lines(key)]

    @property
    def messages(self):
        """In the order of the keys, where each batch's first one is its own."""
        return [record["message"] for record in self.records]


@pytest.fixture
def bucket(s3):
    return Bucket(s3)


def test_it_keeps_its_promises(bucket):
    check_destination(S3Destination(**bucket.given), lambda: [entry_of(record) for record in bucket.records])


def test_an_object_has_the_lines_of_a_batch_below_its_hour(bucket):
    with S3Destination(**bucket.given).open() as live:
        assert live.write(numbered(3)) == ALL_WRITTEN
        live.write([Outgoing("a/../b%", b"{}")])

    assert bucket.keys == [
        "logs/date=1970-01-01/hour=00/a%2F..%2Fb%25.ndjson.zst",
        "logs/date=2026-03-14/hour=09/7f-0123456789ab-1.ndjson.zst",
    ]
    assert bucket.lines(bucket.keys[1]) == [record.text + b"\n" for record in numbered(3)]


@pytest.mark.parametrize(("prefix", "key"), [("", "date=2026"), ("a/b=c", "a/b=c/date=2026")])
def test_keys_begin_with_the_prefix(bucket, prefix, key):
    with S3Destination(prefix=prefix, **bucket.given).open() as live:
        live.write(numbered(1))

    (found,) = bucket.keys
    assert found.startswith(key)


def test_a_batch_that_comes_again_replaces_itself(bucket):
    with S3Destination(**bucket.given).open() as live:
        live.write(numbered(10))
        live.write(numbered(1))  # as one that is taken for dead is asked
        live.write(numbered(9, first=2))

    assert sorted(bucket.messages) == sorted(f"record {number}" for number in range(1, 11))


def test_what_is_said_now_and_then_is_one_object_in_the_end(bucket, tmp_path):
    with delivering(tmp_path / "spool", S3Destination(**bucket.given)) as quiet:
        said = quiet.say(2)
        while quiet.shipped.state != "gathering":
            pass
        said += quiet.say(2) + quiet.say(1)
        assert bucket.keys == []

    assert sorted(bucket.messages) == sorted(said)
    assert len(bucket.keys) == 1


def test_the_login_may_stand_in_the_environment(bucket, s3, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "horse")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    asked = []

    def answer(handler, _):
        asked.append(handler.headers["Authorization"])
        reply(handler, b"", ETag='"x"')

    with (
        web_server(answer) as url,
        S3Destination(bucket="logs", endpoint_url=url).open() as live,
        S3Destination(**{**bucket.given, "bucket": "logs", "endpoint_url": url}).open() as told,
    ):
        live.write(numbered(1))
        told.write(numbered(1))

    by_environment, by_settings = asked
    assert "Credential=of-the-environment/" in by_environment
    assert "/eu-central-1/s3/" in by_environment
    assert f"Credential={s3.access_key}/" in by_settings
    assert f"/{s3.region}/s3/" in by_settings


def test_over_tls_it_trusts_the_authority_that_it_is_told(bucket, tmp_path):
    authority, tls = signed_certificate(tmp_path)
    with web_server(lambda handler, _: reply(handler, b"", ETag='"x"'), tls=tls) as url:
        given = {**bucket.given, "endpoint_url": url}
        with (
            S3Destination(**given).open() as live,
            pytest.raises(Unavailable, match="not trusted: name the authority as ca_file"),
        ):
            live.write(numbered(1))
        for trust in ({"ca_file": authority}, {"insecure": True}):
            with S3Destination(**given, **trust).open() as live:
                assert live.write(numbered(1)) == ALL_WRITTEN


def test_a_bucket_that_is_not_there_may_come(s3, bucket):
    with (
        S3Destination(**{**bucket.given, "bucket": "nowhere"}).open() as live,
        pytest.raises(Unavailable, match=r"^s3://nowhere at http://127.*NoSuchBucket: "),
    ):
        live.write(numbered(1))


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_is_refused_can_be_mended_and_is_not_told(bucket, s3, status):
    with fault_proxy(s3.port, http=True) as proxy:
        proxy.fault = Answer(status, {}, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        destination = S3Destination(**{**bucket.given, "endpoint_url": proxy.url})
        with destination.open() as live, pytest.raises(Unavailable, match="Mend the login") as error:
            live.write(numbered(1))

    assert s3.secret_key not in str(error.value) + repr(destination)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "'bucket' is missing"),
        ({"bucket": "a/b"}, "'a/b' is no bucket"),
        ({"bucket": "logs", "region": "Frankfurt am Main"}, "no region"),
        ({"bucket": "logs", "prefix": "/logs"}, "no prefix"),
        ({"bucket": "logs", "prefix": "a//b"}, "no prefix"),
        ({"bucket": "logs", "endpoint_url": "minio:9000"}, "no address of HTTP"),
        ({"bucket": "logs", "endpoint_url": "http://user:horse@minio"}, "has a password in it"),
        ({"bucket": "logs", "access_key_id": Secret("horse")}, "belong together"),
        (
            {"bucket": "logs", "access_key_id": Secret("horse"), "secret_access_key": Secret("horse\n")},
            "secret_access_key holds what cannot be sent",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given, problem):
    with pytest.raises(BadArgument, match=problem) as error:
        S3Destination(**given)

    assert "horse" not in str(error.value)


def test_certificates_that_are_not_there_can_be_mended(bucket):
    with (
        S3Destination(ca_file=Path("nowhere.pem"), **bucket.given).open() as live,
        pytest.raises(Unavailable, match=r"nowhere\.pem: No such file"),
    ):
        live.write(numbered(1))


# ── What goes wrong on the way ──────────────────────────────────────────────────────────────────────────────


def test_whatever_goes_wrong_all_stands_there(bucket, s3, tmp_path):
    elsewhere = Answer(307, {"Location": "http://127.0.0.1:9/"})
    odd = Answer(200, {}, b"<html>Log in</html>")
    with fault_proxy(s3.port, http=True) as proxy:
        destination = S3Destination(**{**bucket.given, "endpoint_url": proxy.url})
        faults = [*OVER_HTTP, CutRequest(600), elsewhere, odd]
        check_faults(tmp_path, destination, proxy, faults, lambda: by_number(bucket.messages))


def test_what_comes_again_replaces_itself_where_it_is_not_cut_in_another_way(bucket, s3, tmp_path):
    with fault_proxy(s3.port, http=True) as proxy:
        given = {**bucket.given, "endpoint_url": proxy.url, "batch_records": 1}
        destination = S3Destination(**given)
        faults = [Hang(), Slow(20), CutResponse(0), CutResponse(12)]
        check_faults(tmp_path, destination, proxy, faults, lambda: by_number(bucket.messages))

    assert len(set(bucket.messages)) == len(bucket.messages)


def written_by_a_child(given, login, pipe):
    try:
        with S3Destination(**given, **{name: Secret(text) for name, text in login.items()}).open() as live:
            live.write(numbered(1))
        pipe.send("written")
    except Unavailable as error:
        pipe.send(str(error))


# From Python 3.12 on a fork beside threads is warned of, and here it is the subject.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize(("method", "outcome"), [("fork", "A forked process cannot"), ("spawn", "written")])
def test_a_child_brings_records_if_it_can_and_never_hangs(bucket, s3, method, outcome):
    with S3Destination(**bucket.given).open() as live:
        live.write(numbered(1))
    given = {"bucket": bucket.name, "endpoint_url": s3.url}
    login = {"access_key_id": s3.access_key, "secret_access_key": s3.secret_key}
    context = multiprocessing.get_context(method)
    here, there = context.Pipe()
    child = context.Process(target=written_by_a_child, args=[given, login, there])
    child.start()

    assert here.poll(60)
    assert here.recv().startswith(outcome)
    child.join()
