"""Ids: found in free text by their looks, and hashes of content left alone."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.ids import Id, ids_in, ids_of, is_strong_key, read_id

CALL = "CA1678fb0732dac8edd1ea929e292743f2"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"audio stream opened call={CALL} codec=opus", [CALL]),
        (f"persona clerk loaded for call {CALL} in 36 ms", [CALL]),
        (f'{{"callId":"{CALL}","msg":"call answered"}}', [CALL]),
        (f"[{CALL}] ringing", [CALL]),
        ("order 550e8400-e29b-41d4-a716-446655440000 placed", ["550e8400-e29b-41d4-a716-446655440000"]),
        ("req-2744b318cb9e done", ["req-2744b318cb9e"]),
        ("charge pay_3MtwBwLkdIwHu7ix28a3tqPa refused", ["pay_3MtwBwLkdIwHu7ix28a3tqPa"]),
        ("trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7",
         ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"]),
        ("job 01ARZ3NDEKTSV4RRFFQ69G5FAV queued", ["01ARZ3NDEKTSV4RRFFQ69G5FAV"]),
        ("/calls/" + CALL + "/events?x=1", [CALL]),
    ],
)  # fmt: skip
def test_an_id_is_found_in_free_text(text, ids):
    assert list(ids_in(text)) == ids


@pytest.mark.parametrize(
    "text",
    [
        "sha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "commit d670460b4b4aece5915caf5c68d12f560a9fe3e4 built",
        "md5: 5d41402abc4b2a76b9719d911017c592 of the upload",
        'etag "5d41402abc4b2a76b9719d911017c592"',
        "digest 5d41402abc4b2a76b9719d911017c592",
        "checksum=5d41402abc4b2a76",
        "fingerprint SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        "image 5d41402abc4b2a76b9719d911017c592 pulled",
        "card 4242424242424242 and number 12345678901234567890123456789012",
        "nothing 00000000000000000000000000000000 nor 00000000-0000-0000-0000-000000000000",
        "build release-20261120 on worker-12345678 in us-east-1a",
        "user-agent python-requests/2.31.0, x-forwarded-for 10.0.0.9",
    ],
)
def test_a_hash_of_content_and_a_plain_name_are_no_ids(text):
    assert list(ids_in(text)) == []


@given(st.binary(max_size=40), st.sampled_from([hashlib.sha1, hashlib.sha256, hashlib.sha512]))
def test_long_hashes_are_never_ids(content, hashing):
    assert list(ids_in(f"stored {hashing(content).hexdigest()} in 3 ms")) == []


@given(st.uuids())
def test_every_uuid_but_the_empty_one_is_an_id(uuid):
    assert list(ids_in(f"order {uuid} placed")) == ([str(uuid)] if uuid.int else [])


STRONG = (
    "call_id callId CallSid call_sid x-request-id requestId correlation_id trace_id jobId order_id http.request.id"
    " session_id data.payment_id traceparent"
)


@pytest.mark.parametrize("key", STRONG.split())
def test_keys_of_what_ties_lines_together(key):
    assert is_strong_key(key)


@pytest.mark.parametrize(
    "key", ["user_id", "account_id", "client_id", "pid", "host", "ip", "tenantId", "name"]
)
def test_keys_of_what_is_on_too_many_lines(key):
    assert not is_strong_key(key)


def test_ids_of_fields_keep_the_key_that_they_were_met_under():
    fields = {"request_id": "req-8f31aa02bc", "job_id": 8841, "user_id": "u-123456789a", "msg": "x"}

    found = ids_of(fields, "request_id=req-8f31aa02bc job_id=8841 user_id=u-123456789a")

    assert [one.told for one in found] == ["request_id=req-8f31aa02bc", "job_id=8841"]
    assert [one.stands_alone for one in found] == [True, False]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (CALL, Id(CALL)),
        (f"call_id={CALL}", Id(CALL, "call_id")),
        (f'callId: "{CALL}"', Id(CALL, "callId")),
        (f" '{CALL}' ", Id(CALL)),
        ("jobId=8841", Id("8841", "jobId")),
    ],
)
def test_an_id_is_asked_for_alone_or_under_its_key(text, asked):
    assert read_id(text) == asked
