"""Records that others bring by calling us."""

import hmac
import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_door import READER, opened
from logpith.settings import Settings
from logpith.sources.webhook import LiveWebhook, WebhookSource, lines_in
from logpith_emit.errors import BadArgument, Refused
from logpith_emit.secret import Secret

NOW = 1_795_168_800_000_000_000
JSON = {"Content-Type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
KEY = b"k3y"


def texts(batch):
    return batch["line"].to_pylist()


def bring(body, headers=JSON, **settings):
    return WebhookSource(**settings).deliver(body, headers, NOW)


def test_a_drain_s_array_is_a_record_each():
    body = json.dumps(
        [
            {
                "timestamp": 1_795_168_800_123,
                "level": "error",
                "message": "boom",
                "projectName": "shop",
                "deploymentId": "d1",
            },
            {"timestamp": 1_795_168_800_124, "level": "info", "message": "two\nlines", "projectName": "shop"},
        ],
        indent=2,
    ).encode()

    rows = bring(body, service="frontend", attributes=("drain=web",)).to_pylist()

    assert [json.loads(row["line"])["message"] for row in rows] == ["boom", "two\nlines"]
    assert json.loads(rows[0]["line"])["deploymentId"] == "d1"
    assert [row["severity_number"] for row in rows] == [17, 9]
    assert rows[0]["timestamp"] == 1_795_168_800_123_000_000
    assert rows[0] | {"service": "frontend", "source": "webhook", "extra": '{"drain":"web"}'} == rows[0]
    assert rows[0]["observed_timestamp"] == NOW


def test_lines_are_a_record_each():
    for kind in ("application/x-ndjson", "application/json", "application/logplex-1", ""):
        batch = bring(b'{"a":1}\n{"a":2}\r\n\n', {"content-type": kind})

        assert texts(batch) == [b'{"a":1}', b'{"a":2}']


def test_a_call_of_a_telephony_platform_is_one_record():
    rows = bring(b"CallSid=CA16&CallStatus=failed&Empty=&Tag=a&Tag=b+c", FORM, service="calls").to_pylist()

    assert [json.loads(row["line"]) for row in rows] == [
        {"CallSid": "CA16", "CallStatus": "failed", "Empty": "", "Tag": ["a", "b c"]}
    ]


def test_texts_and_broken_bodies_are_kept_as_they_are():
    assert texts(bring(b'["plain", {"a": 1}, 7]')) == [b"plain", b'{"a": 1}', b"7"]
    assert texts(bring(b"[12:00:01] not JSON\n[12:00:02] at all")) == [
        b"[12:00:01] not JSON",
        b"[12:00:02] at all",
    ]
    assert texts(bring(b'{"a": broken')) == [b'{"a": broken']
    assert texts(bring(b"")) == []
    assert texts(bring(b" \n ", FORM)) == []


@given(
    st.binary(max_size=200),
    st.sampled_from(["", "application/json", "application/x-www-form-urlencoded", "text/plain"]),
)
def test_no_body_whatever_it_holds_does_any_harm(body, kind):
    lines = lines_in(body, kind)

    assert all(b"\n" not in line for line in lines if body[:1] not in b'["')
    assert bool(lines) == bool(body.strip()) or body.strip() in (b"[]",) or b"\x00" not in body


def signed(body, algorithm="sha256", key=KEY):
    return hmac.new(key, body, algorithm)


SECRET = {"secret": Secret(KEY.decode())}


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "sha512"])
def test_a_body_signed_in_hex(algorithm):
    body = b'{"a":1}'
    source = WebhookSource(
        **SECRET, algorithm=algorithm, signature_header="X-Hub-Signature", signature_prefix=f"{algorithm}="
    )
    right = f"{algorithm}={signed(body, algorithm).hexdigest()}"

    assert source.is_signed
    assert source.deliver(body, {"x-hub-signature": right}, NOW).num_rows == 1
    assert source.deliver(body, {"X-Hub-Signature": f"{algorithm}=00, {right}"}, NOW).num_rows == 1


@pytest.mark.parametrize(
    "told",
    [
        "",
        "sha256=",
        "sha256=00",
        signed(b'{"a":1}').hexdigest(),
        f"sha256={signed(b'x').hexdigest()}",
        "sha256=\xe9",
    ],
)
def test_what_is_not_signed_rightly_is_refused(told):
    source = WebhookSource(**SECRET, signature_prefix="sha256=")

    with pytest.raises(Refused, match="the signature is not right"):
        source.deliver(b'{"a":1}', {"x-signature": told}, NOW)
    with pytest.raises(Refused, match="the signature is not right"):
        source.deliver(b'{"a":1}', {}, NOW)


def test_a_signature_of_long_ago_is_refused():
    source = WebhookSource(**SECRET, signed="timestamp.body", timestamp_header="x-time", tolerance_s=60)

    def call(seconds, signed_seconds=None):
        text = f"{signed_seconds or seconds}.".encode() + b"body"
        return source.deliver(b"body", {"x-time": str(seconds), "x-signature": signed(text).hexdigest()}, NOW)

    now = NOW // 1_000_000_000
    assert call(now - 60).num_rows == 1
    for seconds in (now - 61, now + 61, "soon", "", "9" * 40, "-5"):
        with pytest.raises(Refused, match="not of now"):
            call(seconds)
    with pytest.raises(Refused, match="not right"):
        call(now, now - 1)


def test_the_address_and_the_sorted_fields_may_be_what_is_signed():
    url = "https://logs.example/hooks/calls"
    source = WebhookSource(
        **SECRET,
        signed="url+form",
        url=url,
        algorithm="sha1",
        encoding="base64",
        signature_header="x-signature",
    )
    right = b64encode(signed(f"{url}CallSidCA16CallStatusfailed".encode(), "sha1").digest()).decode()

    batch = source.deliver(b"CallStatus=failed&CallSid=CA16", {**FORM, "x-signature": right}, NOW)

    assert json.loads(texts(batch)[0]) == {"CallStatus": "failed", "CallSid": "CA16"}
    with pytest.raises(Refused):
        source.deliver(b"CallStatus=failed&CallSid=CA17", {**FORM, "x-signature": right}, NOW)


def test_too_much_at_once_is_refused():
    with pytest.raises(Refused, match=r"65,537 records"):
        bring(b"\n" * 3 + b"x\n" * 65_537)
    with pytest.raises(Refused, match="too many fields"):
        bring(b"a=1&" * 2000, FORM)


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(BadArgument, match="timestamp_header"):
        WebhookSource(signed="timestamp.body")
    with pytest.raises(BadArgument, match="url"):
        WebhookSource(signed="url+form")


def test_it_is_called_and_not_polled():
    with WebhookSource().open("drain", None) as live:
        assert isinstance(live, LiveWebhook)
        assert not live.is_signed
        assert list(live.poll(NOW)) == []
        assert live.deliver(b"hi", {}, NOW)["source"].to_pylist() == ["drain"]


def test_a_running_server_stores_what_is_signed_and_refuses_the_rest(tmp_path):
    table = {"type": "webhook", "secret": KEY.decode(), "service": "telephony"}
    body = b"CallSid=CA16&CallStatus=failed"
    right = {**FORM, "x-signature": signed(body).hexdigest()}

    with opened(tmp_path, collecting=Settings(sources={"calls": table})) as door:
        with door.as_(None) as client:
            taken = client.post("/hooks/calls", content=body, headers=right)
            refused = client.post("/hooks/calls", content=body + b"&x=1", headers=right)
        with door.as_(READER) as client:
            told = client.post("/tools/log_grep", json={"pattern": "CA16"}).text

    assert (taken.status_code, taken.json()) == (200, {"accepted": 1})
    assert refused.status_code == 422
    assert "CA16" in told
    assert '"source":"calls"' in told


def test_its_secret_is_shown_nowhere():
    source = WebhookSource(**SECRET)

    with pytest.raises(Refused) as raised:
        source.deliver(b"x", {}, NOW)
    assert KEY.decode() not in repr(source) + str(raised.value)


def test_a_call_that_tells_no_time_happened_when_it_came():
    assert bring(b'{"CallStatus": "failed"}')["timestamp"].to_pylist() == [NOW]
    assert bring(b'{"time": 1795168801, "CallStatus": "failed"}')["timestamp"].to_pylist() == [NOW + 10**9]
