"""OTLP: log records over HTTP, in OpenTelemetry's JSON, for its Collector and whatever else speaks it; also Logfire.

Follows https://opentelemetry.io/docs/specs/otlp/. Every `service` is a resource, every logger a scope; a field that has
no place of its own is an attribute of its name.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import unquote

from logpith_emit.destinations import ALL_WRITTEN, LiveDestination, Outgoing, Written
from logpith_emit.encoding import encode
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.http import Answer, address_of
from logpith_emit.posting import PostedDestination
from logpith_emit.secret import Secret
from logpith_emit.severity import severity_number

_LOGS = "/v1/logs"
_COLLECTOR = "http://localhost:4318"
_LOGFIRE = {region: f"https://logfire-{region}.pydantic.dev" for region in ("us", "eu")}
_REGION = re.compile(r"pylf_v\d+_([a-z]+)_")
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-fA-F]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-fA-F]{16}")
_HAVE_PLACES = frozenset({"timestamp", "level", "message", "logger", "service", "trace_id", "span_id"})
_DEEPEST = 32


@dataclass(frozen=True, kw_only=True)
class OtlpDestination(PostedDestination):
    """Sends records by OTLP over HTTP. Records that come again stand there twice, with the same `log.record.uid`."""

    type: ClassVar[str] = "otlp"

    endpoint: str = ""
    """`https://collector.example.org:4318`, to which `/v1/logs` is added; without it a collector on this machine."""

    headers: Secret = Secret("")  # noqa: RUF009 - a value that nobody can change
    """More headers, as `OTEL_EXPORTER_OTLP_HEADERS` has them: `name=value,name=value`, with `%2C` for a comma."""

    logfire_token: Secret = Secret("")  # noqa: RUF009 - a value that nobody can change
    """A write token of Logfire, which also tells where its project is, unless there is an `endpoint`."""

    service_name: str = ""
    """What all records say as `service.name`; without it each says its `service`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        address_of(self.url)
        self._given_headers()

    @property
    def url(self) -> str:
        """Where records are posted to."""
        region = _REGION.match(self.logfire_token.reveal())
        logfire = _LOGFIRE.get(region[1] if region else "", _LOGFIRE["us"])
        endpoint = (self.endpoint or (logfire if self.logfire_token else _COLLECTOR)).rstrip("/")
        return endpoint if endpoint.endswith(_LOGS) else endpoint + _LOGS

    def _given_headers(self) -> dict[str, str]:
        given: dict[str, str] = {}
        for pair in filter(str.strip, self.headers.reveal().split(",")):
            name, is_there, value = pair.partition("=")
            if not is_there or not name.strip():
                raise BadArgument("headers holds what is no header", remedy="Write name=value,name=value")
            given[name.strip()] = unquote(value.strip())
        return given

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        token = {"Authorization": self.logfire_token.reveal()} if self.logfire_token else {}
        headers = {**self._given_headers(), **token, "Content-Type": "application/json"}
        with self.posting(self.url, headers, self._request, self._outcome) as live:
            yield live

    def _request(self, records: Sequence[Outgoing]) -> bytes:
        """All records in one request, those of one service and logger together, in their order."""
        services: dict[str, dict[str, list[dict[str, object]]]] = {}
        for record in records:
            service = self.service_name or str(record.fields.get("service") or "unknown_service")
            loggers = services.setdefault(service, {})
            loggers.setdefault(str(record.fields.get("logger") or ""), []).append(_log_record(record))
        return encode(
            {
                "resourceLogs": [
                    {
                        "resource": {"attributes": _attributes({"service.name": service})},
                        "scopeLogs": [
                            {"scope": {"name": logger}, "logRecords": logs}
                            for logger, logs in loggers.items()
                        ],
                    }
                    for service, loggers in services.items()
                ]
            }
        )

    def _outcome(self, records: Sequence[Outgoing], answer: Answer) -> Written:
        """What became of them. Of rejected ones it is only told how many there are, and asking again would double the
        others: so all that were sent with them count as refused, and are kept."""
        rejected, why = self._rejected(answer)
        if rejected <= 0:
            return ALL_WRITTEN
        if rejected >= len(records):
            reason = f"rejected: {why}"
        else:
            reason = f"one of {len(records)} records, of which {rejected} were rejected without saying which: {why}"
        return Written(refused={record.id: reason for record in records})

    def _rejected(self, answer: Answer) -> tuple[int, str]:
        if not answer.body.strip():
            return 0, ""
        try:
            partial = json.loads(answer.body).get("partialSuccess") or {}
            return int(partial.get("rejectedLogRecords") or 0), str(partial.get("errorMessage") or "")[:300]
        except (ValueError, TypeError, AttributeError) as error:  # such as the page of somebody in between
            raise Unavailable(
                f"{self.url} gives an answer that is none of OTLP", remedy="See to that server"
            ) from error


def _log_record(record: Outgoing) -> dict[str, object]:
    fields = record.fields
    told = {name: value for name, value in fields.items() if name not in _HAVE_PLACES}
    made: dict[str, object] = {}
    if 0 < record.timestamp < 1 << 64:
        made["timeUnixNano"] = made["observedTimeUnixNano"] = str(record.timestamp)
    if level := str(fields.get("level") or ""):
        made["severityText"] = level
        made["severityNumber"] = severity_number(level)
    if "message" in fields:
        made["body"] = _value(fields["message"])
    trace_id = fields.get("trace_id", fields.get("correlation_id"))
    if isinstance(trace_id, str) and _TRACE_ID.fullmatch(trace_id):
        made["traceId"] = trace_id.lower()
    elif "trace_id" in fields:
        told["trace_id"] = trace_id
    span_id = fields.get("span_id")
    if isinstance(span_id, str) and _SPAN_ID.fullmatch(span_id):
        made["spanId"] = span_id.lower()
    elif "span_id" in fields:
        told["span_id"] = span_id
    made["attributes"] = _attributes({"log.record.uid": record.id, **told})
    return made


def _attributes(named: Mapping[str, object], deep: int = 0) -> list[dict[str, object]]:
    return [{"key": name, "value": _value(value, deep)} for name, value in named.items()]


def _value(value: Any, deep: int = 0) -> dict[str, object]:
    """A value as OTLP has it: its kind beside it, whole numbers as text."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return {"intValue": str(value)}
    if isinstance(value, float) and math.isfinite(value):
        return {"doubleValue": value}
    if isinstance(value, list) and deep < _DEEPEST:
        return {"arrayValue": {"values": [_value(item, deep + 1) for item in value]}}
    if isinstance(value, dict) and deep < _DEEPEST:
        return {"kvlistValue": {"values": _attributes(value, deep + 1)}}
    return {"stringValue": json.dumps(value)}
