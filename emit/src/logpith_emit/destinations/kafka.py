"""Kafka: a message for each record, acknowledged by all replicas that are in step.

librdkafka does the work. It sends what was not acknowledged again by itself, and brokers know by its numbers what they
have; that holds as long as one producer lives. So a producer is kept as long as it gets its answers in time. One that
does not is emptied and ended: what it still had would else arrive behind our back, beside what is written again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import Destination, LiveDestination, Outgoing, Written, write_only
from logpith_emit.encoding import encode
from logpith_emit.entry import shown
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.extras import library
from logpith_emit.secret import Secret, without_password

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

_ID_HEADER = "id"

_SERVER = re.compile(r"(?:[A-Za-z_]+://)?(?:[^\s:/@\[\]]+|\[[0-9A-Fa-f:.%]+\])(?::([0-9]{1,5}))?")
"""A broker; its port is the group."""

# Records are handed over within milliseconds, and sent at once after the last of them. This is how long the first may
# wait for the others, so that they go in few, well compressed batches.
_LINGER_MS = 50

_PROFILES: Mapping[str, Mapping[str, Any]] = {
    "safe": {
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "zstd",
        "linger.ms": _LINGER_MS,
    },
    "latency": {
        "acks": 0,
        "enable.idempotence": False,
        "compression.type": "none",
        "linger.ms": 0,
    },
}

# Brokers take 1,048,588 bytes by default.
_MOST_BATCH_BYTES = 1_000_000

_FRAME_BYTES = 1_024
"""What a message has beside its value: key, header, lengths."""

_SILENT = 0
_LAST_REPORTS_S = 1.0

_FIRST_LOOK_S = 0.1

# A broker that takes no batch with such a record in it does not say which one it is, or says it of all.
_ABOUT_RECORDS = frozenset(
    {"MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_RECORD", "INVALID_TIMESTAMP"}
    | {"_INVALID_DIFFERENT_RECORD"}
)

_NO_ANSWER = frozenset({"_PURGE_QUEUE", "_PURGE_INFLIGHT", "_MSG_TIMED_OUT", "_TIMED_OUT", "_TRANSPORT"})

_REMEDIES = {
    "TOPIC_AUTHORIZATION_FAILED": "Let it write to that topic; the records wait",
    "CLUSTER_AUTHORIZATION_FAILED": "Let it write there; the records wait",
    "UNKNOWN_TOPIC_OR_PART": "Make that topic; the records wait",
    "_UNKNOWN_TOPIC": "Make that topic; the records wait",
    "_AUTHENTICATION": "Mend the login; the records wait",
    "_SSL": "Name the certificates to trust as ca_file",
}


@dataclass(frozen=True, kw_only=True)
class KafkaDestination(Destination):
    """Writes records to a topic of Kafka, as JSON.

    A message's key is the correlation id, so that what belongs together stays in its order; its header `id` is the
    record's own id, by which a consumer tells what came twice.
    """

    type: ClassVar[str] = "kafka"

    bootstrap_servers: tuple[str, ...] | str = ("localhost:9092",)
    """Some brokers, `host:port`, as a list or with commas; the others are found by them."""

    topic: str = "mcp-logs"
    """Where records go. Brokers that may not make it must have it."""

    profile: Literal["safe", "latency"] = "safe"
    """What counts: `safe`, that all replicas have a record before it counts as sent; `latency`, that it is on its way
    at once. Then nobody acknowledges it, so that nobody notices when it is lost."""

    compression: Literal["zstd", "lz4", "snappy", "gzip", "none"] | None = None
    """How messages are made smaller; else by zstd, which brokers before 2.1 do not know, and not at all in the profile
    `latency`."""

    most_record_bytes: int = 32 << 20
    """Larger records are refused without asking; of smaller ones the topic's own limit decides."""

    tls: bool = False
    """Whether to speak TLS."""

    ca_file: Path | None = None
    """Certificates to trust instead of those of the machine."""

    certificate_file: Path | None = None
    """The certificate to show, where brokers want one; with its key if that has no file of its own."""

    key_file: Path | None = None
    """The key of that certificate."""

    key_password: Secret = Secret("")  # noqa: RUF009 - a value that nobody can change
    """What opens that key."""

    insecure: bool = False
    """Trusts whatever certificate a broker shows, and tells passwords to brokers without TLS."""

    username: str = ""
    """Who logs in, by SASL."""

    password: Secret = Secret("")  # noqa: RUF009 - as above
    """Their password."""

    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    """How they log in."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.servers:
            raise BadArgument("No broker is named", remedy="Give bootstrap_servers one, host:port")
        for server in self.servers.split(","):
            named = _SERVER.fullmatch(server)
            if named is None or not 0 < int(named[1] or 9092) < 1 << 16:
                raise BadArgument(f"{without_password(server)!r} is no broker", remedy="Write host:port")
        if not self.topic:
            raise BadArgument("No topic is named", remedy="Leave it out for its default")
        if (self.ca_file or self.certificate_file) and not self.tls:
            raise BadArgument("There are certificates, but no TLS", remedy="Set tls = true")
        if self.password and not self.username:
            raise BadArgument("There is a password, but nobody whose it is", remedy="Set username")
        if self.username and self.mechanism == "PLAIN" and not self.tls and not self.insecure:
            raise BadArgument(
                "PLAIN tells the password to whoever listens", remedy="Set tls = true, or insecure = true"
            )

    @property
    def caution(self) -> str:
        return (
            "nobody acknowledges what is sent, so nobody notices what is lost (profile 'latency')"
            if self.profile == "latency"
            else ""
        )

    @property
    def servers(self) -> str:
        """The brokers, with commas."""
        given = self.bootstrap_servers
        each = given.split(",") if isinstance(given, str) else given
        return ",".join(server.strip() for server in each if server.strip())

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        live = _Kafka(self, library("confluent_kafka", "kafka"))
        try:
            yield live
        finally:
            live.close()


class _Kafka:
    def __init__(self, settings: KafkaDestination, client: ModuleType) -> None:
        self._settings = settings
        self._client = client
        self._producer: _Producer | None = None

    def write(self, records: Sequence[Outgoing]) -> Written:
        until_ns = SYSTEM_CLOCK.monotonic_ns() + int(self._settings.timeout_s * 1e9)
        messages = [_message(record) for record in records]
        if self._producer is None:
            self._producer = _Producer(self._settings, self._client)
        is_usable = False
        try:
            self._producer.connect(until_ns)
            errors = self._producer.send(messages, until_ns)
            is_usable = not self._producer.is_over
            return self._written(len(records), errors)
        finally:
            if not is_usable:
                self.close()

    def _written(self, number: int, errors: Mapping[str, KafkaError]) -> Written:
        refused = {known: error.str() for known, error in errors.items() if error.name() in _ABOUT_RECORDS}
        again = frozenset(errors.keys() - refused.keys())
        if not again or self._producer is None:
            return Written(refused=refused, again=again)
        why = self._producer.unavailable(errors[next(iter(again))])
        if len(again) == number:
            raise why
        return Written(refused=refused, again=again, why_again=why)

    query = write_only

    def close(self) -> None:
        """Ends the producer; what it has not delivered is never delivered."""
        if self._producer is not None:
            self._producer.close()
            self._producer = None


@dataclass(frozen=True, slots=True)
class _Message:
    id: str
    key: bytes | None
    value: bytes


def _message(record: Outgoing) -> _Message:
    entry = record.entry
    return _Message(record.id, entry.correlation_id.encode() or None, encode(shown(entry)))


class _Told:
    """What a producer says of itself."""

    def __init__(self) -> None:
        self.last: KafkaError | None = None
        self.is_down = False
        self.is_over = False

    def __call__(self, error: KafkaError) -> None:
        self.is_over |= error.fatal()
        if error.name() == "_ALL_BROKERS_DOWN":
            self.is_down = True
        else:
            self.last = error


class _Producer:
    """A producer of librdkafka, until it fails."""

    def __init__(self, settings: KafkaDestination, client: ModuleType) -> None:
        self._settings = settings
        self._client = client
        self._told = _Told()
        try:
            self._producer: Producer = client.Producer({**_options(settings), "error_cb": self._told})
        except client.KafkaException as error:  # certificates that cannot be read
            raise Unavailable(
                f"Kafka cannot be spoken to: {error.args[0].str()}",
                remedy="Check ca_file, certificate_file and key_file; the records wait",
            ) from error
        self._is_connected = False
        self.is_over = False
        """Whether it must not be used again."""

    def connect(self, until_ns: int) -> None:
        """Returns once a broker has answered.

        Raises:
            Unavailable: none does in time, or all refuse.
        """
        look_s = _FIRST_LOOK_S
        while not self._is_connected:
            try:
                found = self._producer.list_topics(self._settings.topic, min(look_s, _left_s(until_ns)))
            except self._client.KafkaException as error:
                self._producer.poll(0)
                if self._told.is_down or not _left_s(until_ns):
                    raise self.unavailable(self._told.last or error.args[0]) from error
                look_s *= 2  # the way to a broker may be long
            else:
                self._is_connected = True
                self._told.last = found.topics[self._settings.topic].error

    def send(self, messages: Sequence[_Message], until_ns: int) -> dict[str, KafkaError]:
        """Id → why, of those that are not acknowledged in time."""
        errors = self._send(messages, until_ns)
        suspects = [
            message
            for message in messages
            if message.id in errors and errors[message.id].name() in _ABOUT_RECORDS
        ]
        if len(suspects) > 1:
            middle = len(suspects) // 2
            for half in (suspects[:middle], suspects[middle:]):
                errors = {known: errors[known] for known in errors.keys() - {one.id for one in half}}
                errors |= self.send(half, until_ns)
        return errors

    def _send(self, messages: Sequence[_Message], until_ns: int) -> dict[str, KafkaError]:
        timed_out = self._client.KafkaError(self._client.KafkaError._TIMED_OUT)
        errors: dict[str, KafkaError] = {message.id: timed_out for message in messages}
        for message in messages:
            try:
                self._producer.produce(
                    self._settings.topic,
                    message.value,
                    message.key,
                    headers=[(_ID_HEADER, message.id.encode())],
                    on_delivery=partial(_keep, errors, message.id),
                )
            except self._client.KafkaException as error:
                errors[message.id] = error.args[0]
        if self._producer.flush(_left_s(until_ns)):
            self.is_over = True
            self._producer.purge()
            self._producer.flush(_LAST_REPORTS_S)
        self.is_over |= self._told.is_over or any(error.name() == "_FATAL" for error in errors.values())
        if not errors:
            self._told.last = None
        return errors

    def unavailable(self, error: KafkaError) -> Unavailable:
        """What may be told of it."""
        where = f"Kafka at {self._settings.servers}, topic {self._settings.topic}"
        told = self._told.last if error.name() in _NO_ANSWER else error
        if told is None:
            return Unavailable(f"{where}, does not answer", remedy="See to those brokers")
        remedy = _REMEDIES.get(told.name(), "See to those brokers")
        return Unavailable(f"{where}, says: {told.str()}", remedy=remedy)

    def close(self) -> None:
        """Ends it at once."""
        self._producer.purge()
        self._producer.flush(_LAST_REPORTS_S)
        del self._producer  # which ends its threads


def _keep(errors: dict[str, KafkaError], identity: str, error: KafkaError | None, _message: Message) -> None:
    if error is None:
        del errors[identity]
    else:
        errors[identity] = error


def _left_s(until_ns: int) -> float:
    return max((until_ns - SYSTEM_CLOCK.monotonic_ns()) / 1e9, 0.0)


def _options(settings: KafkaDestination) -> dict[str, Any]:
    """What librdkafka is told."""
    half_ms = max(int(settings.timeout_s * 500), 10)
    options: dict[str, Any] = {
        "bootstrap.servers": settings.servers,
        "client.id": "logpith-emit",
        **_PROFILES[settings.profile],
        "batch.size": min(settings.batch_bytes, _MOST_BATCH_BYTES),
        "message.max.bytes": settings.most_record_bytes + _FRAME_BYTES,
        # The same key comes to the same partition as from a program in Java.
        "partitioner": "murmur2_random",
        # We say when it is enough, so that librdkafka need not: it tries a second time within our time.
        "message.timeout.ms": 0,
        "request.timeout.ms": half_ms,
        "socket.timeout.ms": half_ms,
        "socket.connection.setup.timeout.ms": max(half_ms, 1_000),
        # While nothing is written nobody takes the news that there is no broker: it must not come often.
        "reconnect.backoff.max.ms": 30_000,
        "queue.buffering.max.messages": 0,
        "queue.buffering.max.kbytes": 2_147_483_647,
        "log_level": _SILENT,
        "security.protocol": ("sasl_" if settings.username else "")
        + ("ssl" if settings.tls else "plaintext"),
    }
    if settings.compression is not None:
        options["compression.type"] = settings.compression
    if settings.username:
        options |= {
            "sasl.mechanisms": settings.mechanism,
            "sasl.username": settings.username,
            "sasl.password": settings.password.reveal(),
        }
    if settings.tls:
        options["enable.ssl.certificate.verification"] = not settings.insecure
        if settings.insecure:
            options["ssl.endpoint.identification.algorithm"] = "none"
        if settings.ca_file is not None:
            options["ssl.ca.location"] = str(settings.ca_file)
        if settings.certificate_file is not None:
            options["ssl.certificate.location"] = str(settings.certificate_file)
            options["ssl.key.location"] = str(settings.key_file or settings.certificate_file)
        if settings.key_password:
            options["ssl.key.password"] = settings.key_password.reveal()
    return options
