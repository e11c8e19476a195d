"""Webhook: records that other programs bring by calling us, such as log drains of platforms and callbacks of telephony.

A body is an array of JSON objects, one of them, one a line, a form, or plain lines. Who calls signs the body with a
secret that both know (HMAC, RFC 2104); where the secret is set, nothing without a right signature is taken.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Literal
from urllib.parse import parse_qsl

import msgspec

from logpith import timerange
from logpith.batch import MOST_RECORDS, Batch, dated, empty_batch
from logpith.sources import Delivery, Source
from logpith.sources.reading import LineReader, attributes_of
from logpith_emit.errors import BadArgument, Refused
from logpith_emit.secret import Secret

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000
_RAW = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, kw_only=True)
class WebhookSource(Source):
    """Records that are brought to `/hooks/NAME`."""

    type: ClassVar[str] = "webhook"

    secret: Secret = Secret("")  # noqa: RUF009  # a Secret is a text, which nobody can change
    """What callers sign with, best as `${VAR}`. Without one they need a token of this server."""

    signature_header: str = "x-signature"
    """The header with the signature."""

    signature_prefix: str = ""
    """What stands before the signature in it: `sha256=`, `v1=`."""

    signed: Literal["body", "timestamp.body", "url+form"] = "body"
    """What is signed: the body; the time in `timestamp_header`, a dot and the body; or the address in `url` and then
    each field of the form, sorted, its name and value behind each other, as telephony providers do."""

    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    """The hash of the HMAC."""

    encoding: Literal["hex", "base64"] = "hex"
    """How the signature is written."""

    timestamp_header: str = ""
    """The header with the seconds since 1970 at which the body was signed."""

    tolerance_s: int = field(default=300, metadata={"minimum": 1, "maximum": 86_400})
    """By how much that time may differ from ours."""

    url: str = ""
    """The address that callers call, as they know it; for `url+form`."""

    def __post_init__(self) -> None:
        if self.signed == "timestamp.body" and not self.timestamp_header:
            raise BadArgument(
                "timestamp_header: it is missing", remedy="Name the header with the time of signing"
            )
        if self.signed == "url+form" and not self.url:
            raise BadArgument(
                "url: it is missing", remedy="Write the address that is called, as callers know it"
            )

    @property
    def is_signed(self) -> bool:
        """Whether `deliver` refuses whoever cannot sign."""
        return bool(self.secret)

    @contextmanager
    def open(self, name: str, position: str | None) -> Iterator[LiveWebhook]:
        """See `Source.open`."""
        yield LiveWebhook(self, name)

    def named(self, name: str) -> LiveWebhook:
        """What takes the calls for the source of that name in the settings."""
        return LiveWebhook(self, name)

    def deliver(self, body: bytes, headers: Mapping[str, str], now_ns: int | None = None) -> Batch:
        """See `LiveWebhook.deliver`; the records' source is `webhook`."""
        return LiveWebhook(self, self.type).deliver(body, headers, now_ns)


class LiveWebhook:
    """A source that is called."""

    def __init__(self, source: WebhookSource, name: str) -> None:
        self._source = source
        self._name = name
        self._attributes = attributes_of(source.attributes)

    @property
    def is_signed(self) -> bool:
        """See `WebhookSource.is_signed`."""
        return self._source.is_signed

    def poll(self, now_ns: int, *, at_once: bool = False) -> Iterator[Delivery]:
        """Nothing: records are brought, not fetched."""
        return iter(())

    def deliver(self, body: bytes, headers: Mapping[str, str], now_ns: int | None = None) -> Batch:
        """The records of a call, at most MOST_RECORDS.

        Raises:
            Refused: it is not signed as it should be, or holds too many.
        """
        observed_ns = timerange.now_ns() if now_ns is None else now_ns
        told = {name.lower(): value for name, value in headers.items()}
        kind = told.get("content-type", "").partition(";")[0].strip().lower()
        if self._source.secret:
            check_signature(self._source, body, told, observed_ns, is_form=kind == _FORM)
        lines = lines_in(body, kind)
        if not lines:
            return empty_batch()
        if len(lines) > MOST_RECORDS:
            raise Refused(f"{len(lines):,} records came at once", remedy=f"Send at most {MOST_RECORDS:,}")
        reader = LineReader(self._name, service=self._source.service, extra=self._attributes)
        return dated(reader.read_text(b"".join(line + b"\n" for line in lines), observed_ns).batch)


def check_signature(
    source: WebhookSource, body: bytes, headers: Mapping[str, str], now_ns: int, *, is_form: bool
) -> None:
    """Nothing, when a body was signed with the source's secret; header names are in lower case.

    How long it takes does not tell how much of a signature was right.

    Raises:
        Refused: it was not, or not lately.
    """
    refused = Refused("the signature is not right", remedy="Sign with the secret that both sides know")
    told = headers.get(source.signature_header.lower(), "")
    signature = _signature(source, _signed_text(source, body, headers, now_ns, is_form=is_form))
    offered = [one.strip() for one in told.split(",")]
    rights = [
        hmac.compare_digest(one.removeprefix(source.signature_prefix).encode(), signature)
        for one in offered
        if one.startswith(source.signature_prefix)
    ]
    if not any(rights):
        raise refused


def _signed_text(
    source: WebhookSource, body: bytes, headers: Mapping[str, str], now_ns: int, *, is_form: bool
) -> bytes:
    if source.signed == "timestamp.body":
        told = headers.get(source.timestamp_header.lower(), "")
        seconds = int(told) if told.isascii() and told.isdigit() and len(told) <= 12 else 0
        if abs(now_ns // 1_000_000_000 - seconds) > source.tolerance_s:
            raise Refused("the signature is not of now", remedy="Check both clocks, or send it anew")
        return told.encode() + b"." + body
    if source.signed == "url+form":
        fields = _form(body) if is_form else []
        return (source.url + "".join(name + value for name, value in sorted(fields))).encode()
    return body


def _signature(source: WebhookSource, text: bytes) -> bytes:
    digest = hmac.new(source.secret.reveal().encode(), text, source.algorithm).digest()
    return b64encode(digest) if source.encoding == "base64" else digest.hex().encode()


def lines_in(body: bytes, kind: str) -> Sequence[bytes]:
    """The records of a body, each as the text of one line; `kind` is its content type."""
    if kind == _FORM:
        return [_form_as_json(body)] if body.strip() else []
    stripped = body.strip()
    if stripped.startswith(b"["):
        try:
            return [_as_line(bytes(item)) for item in _RAW.decode(stripped)]
        except msgspec.DecodeError:
            pass  # lines that begin with a bracket
    if stripped.startswith(b"{") and kind == "application/json":
        try:
            return [_as_line(stripped)]
        except msgspec.DecodeError:
            pass  # one object a line, called what it is not
    return [line for line in body.replace(b"\r\n", b"\n").split(b"\n") if line.strip()]


def _as_line(value: bytes) -> bytes:
    """A JSON value on one line; a text as it is.

    Raises:
        msgspec.DecodeError: it is no JSON.
    """
    if value.lstrip().startswith(b'"'):
        return msgspec.json.decode(value, type=str).encode("utf-8", "surrogatepass")
    msgspec.json.decode(value)
    return msgspec.json.format(value, indent=-1) if b"\n" in value or b"\r" in value else value.strip()


def _form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form.

    Raises:
        Refused: there are too many.
    """
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Refused("the form has too many fields", remedy=f"Send at most {_MOST_FIELDS:,}") from error


def _form_as_json(body: bytes) -> bytes:
    """A form as a JSON object; a field that is there several times is an array."""
    told: dict[str, list[str]] = {}
    for name, value in _form(body):
        told.setdefault(name, []).append(value)
    return msgspec.json.encode(
        {name: values[0] if len(values) == 1 else values for name, values in told.items()}
    )
