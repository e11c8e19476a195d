"""What goes to Kafka is there once it is acknowledged, whatever becomes of the way to it."""

import json
import os
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import confluent_kafka
import pytest
from confluent_kafka import admin

from delivering import ANYWHERE, SOON_S, by_number, check_faults, delivering, soon
from fault_proxy import CutRequest, CutResponse, Garbage, fault_proxy
from logpith_emit.command import main
from logpith_emit.destinations import ALL_WRITTEN, destination_of
from logpith_emit.destinations.kafka import KafkaDestination, _options
from logpith_emit.entry import LogEntry, shown
from logpith_emit.errors import BadArgument, Unavailable
from logpith_emit.secret import Secret
from logpith_emit.testing import FULL, check_destination, numbered, outgoing
from services.certificates import certificate
from shown_commands import shown_command

PARTITIONS = range(3)


@pytest.fixture
def asking(kafka):
    return admin.AdminClient({"bootstrap.servers": kafka.address, "log_level": 0})


@pytest.fixture
def topic(kafka, asking):
    """One of its own, made before: brokers take a second to make one that is written to."""
    topic = uuid4().hex
    made = admin.NewTopic(topic, num_partitions=len(PARTITIONS), replication_factor=1)
    asking.create_topics([made])[topic].result(SOON_S)
    while True:
        try:
            number_in(kafka, topic)
        except confluent_kafka.KafkaException:
            continue  # it is made, and nobody leads it yet
        return topic


def number_in(kafka, topic):
    """How many messages a topic has."""
    with closing(
        confluent_kafka.Consumer({"bootstrap.servers": kafka.address, "group.id": "x", "log_level": 0})
    ) as asking:
        ends = [
            asking.get_watermark_offsets(confluent_kafka.TopicPartition(topic, number), SOON_S)
            for number in PARTITIONS
        ]
    return sum(after - first for first, after in ends)


@pytest.fixture
def given(kafka, topic):
    """The settings of every destination here."""
    return {"bootstrap_servers": (kafka.address,), "topic": topic, "first_retry_s": 0.05}


@pytest.fixture
def read(kafka, topic):
    """read(): all messages of the topic."""
    return lambda: kafka.read(topic, number_in(kafka, topic))


@pytest.fixture
def told(read):
    """told(): what the messages of the topic say."""
    return lambda: [entry_in(message).message for message in read()]


@pytest.fixture
def told_once(read):
    """told_once(): the same in its order, to a consumer that passes by ids that it has seen."""

    def messages():
        by_id = {dict(message.headers())["id"]: entry_in(message).message for message in read()}
        return by_number(by_id.values())

    return messages


def entry_in(message):
    fields = json.loads(message.value())
    return LogEntry(**{**fields, "timestamp": datetime.fromisoformat(fields["timestamp"])})


def secured(kafka, given, **more):
    return KafkaDestination(
        **given
        | {"bootstrap_servers": f"{kafka.host}:{kafka.secure_port}", "username": kafka.user, "tls": True}
        | {"password": Secret(kafka.password), "mechanism": "PLAIN", "timeout_s": SOON_S}
        | {"ca_file": certificate(kafka.folder).cert}
        | more
    )


def test_it_keeps_its_promises(given, read):
    check_destination(KafkaDestination(**given), lambda: [entry_in(message) for message in read()])


def test_a_topic_is_made_when_it_is_first_written_to(kafka):
    topic = uuid4().hex
    with KafkaDestination(bootstrap_servers=kafka.address, topic=topic).open() as live:
        assert live.write(numbered(10)) == ALL_WRITTEN

    assert len(kafka.read(topic, 10)) == 10


def test_in_the_profile_latency_all_comes_from_a_broker_that_is_well_and_nobody_acknowledges_it(
    tmp_path, given, told, capsys
):
    destination = KafkaDestination(**given, profile="latency")
    with delivering(tmp_path / "spool", destination) as quick:
        said = quick.say(300)
        quick.wait()
        while len(told()) < len(said):  # which nobody has waited for
            pass
        assert sorted(told()) == sorted(said)

    (warning,) = quick.warnings
    assert "nobody notices what is lost" in warning[0]
    main(["status", "--folder", str(quick.spool.folder)])
    assert "careful: nobody acknowledges" in capsys.readouterr().out
    options = _options(destination)
    assert {name: options[name] for name in ("acks", "linger.ms", "compression.type")} == {
        "acks": 0,
        "linger.ms": 0,
        "compression.type": "none",
    }


def test_what_is_said_of_compression_counts_in_each_profile(given):
    for profile, usual in (("safe", "zstd"), ("latency", "none")):
        assert _options(KafkaDestination(**given, profile=profile))["compression.type"] == usual
        chosen = KafkaDestination(**given, profile=profile, compression="lz4")
        assert _options(chosen)["compression.type"] == "lz4"


def test_unless_it_is_told_otherwise_all_replicas_acknowledge():
    options = _options(KafkaDestination())
    assert (options["acks"], options["enable.idempotence"]) == ("all", True)
    assert KafkaDestination().caution == ""


def test_a_message_has_the_record_its_key_and_its_id(given, read):
    bare, full = numbered(1)[0], outgoing(FULL, 2)
    with KafkaDestination(**given).open() as live:
        assert live.write([bare, full]) == ALL_WRITTEN

    by_id = {dict(message.headers())["id"].decode(): message for message in read()}
    assert by_id.keys() == {bare.id, full.id}
    assert by_id[bare.id].key() is None
    assert by_id[full.id].key() == FULL.correlation_id.encode()
    assert json.loads(by_id[full.id].value()) == shown(FULL)


def test_what_belongs_together_stays_in_its_order(given, read):
    calls = [
        outgoing(replace(FULL, correlation_id=f"call {number % 7}", message=str(number)), number)
        for number in range(500)
    ]
    with KafkaDestination(**given).open() as live:
        for at in range(0, 500, 50):
            live.write(calls[at : at + 50])

    calls = {}
    for message in read():
        calls.setdefault(message.key(), []).append((message.partition(), int(entry_in(message).message)))
    assert len(calls) == 7
    for found in calls.values():
        assert len({partition for partition, _ in found}) == 1
        assert found == sorted(found)


@pytest.mark.parametrize(
    "servers",
    ["one:9092, two:9092", ["one:9092", "two:9092"], ("one:9092", "two:9092"), "one:9092,two:9092,"],
)
def test_brokers_are_a_list_or_a_text_with_commas(servers):
    table = {"type": "kafka", "bootstrap_servers": servers}

    assert KafkaDestination(bootstrap_servers=servers).servers == "one:9092,two:9092"
    assert destination_of(table, "destinations[0]").servers == "one:9092,two:9092"


# ── What is refused ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_that_is_too_large_is_refused_and_its_neighbours_are_not(given, told):
    before, after = numbered(100), numbered(100, first=101)
    large = outgoing(replace(FULL, message=os.urandom(2 << 20).hex()), 1_000)
    huge = outgoing(replace(FULL, message="x" * (3 << 20)), 1_001)
    with KafkaDestination(**given, most_record_bytes=5 << 20).open() as live:
        written = live.write([*before, large, huge, *after])

        assert written.refused.keys() == {large.id}
        assert "too large" in written.refused[large.id]
        assert not written.again
        assert live.write(numbered(1, first=201)) == ALL_WRITTEN

    assert sorted(message for message in told() if message[0] == "r") == sorted(
        f"record {number}" for number in range(1, 202)
    )


def test_a_record_larger_than_may_be_is_not_sent(given, told):
    large = outgoing(replace(FULL, message="x" * (2 << 20)), 1_000)
    with KafkaDestination(**given, most_record_bytes=1 << 20).open() as live:
        assert live.write([*numbered(3), large]).refused.keys() == {large.id}

    assert len(told()) == 3


def test_of_a_batch_that_a_topic_finds_too_large_only_the_large_records_are_refused(
    given, topic, asking, told
):
    limit = admin.ConfigEntry("max.message.bytes", "20000", incremental_operation=admin.AlterConfigOpType.SET)
    strict = admin.ConfigResource(admin.ResourceType.TOPIC, topic, incremental_configs=[limit])
    asking.incremental_alter_configs([strict])[strict].result(SOON_S)
    odd = [
        outgoing(replace(FULL, correlation_id="", message=os.urandom(2_000).hex()), 1_000 + number)
        for number in range(20)
    ]
    large = outgoing(replace(FULL, message=os.urandom(30_000).hex()), 2_000)
    with KafkaDestination(**given).open() as live:
        for _ in soon():  # the limit does not hold at once
            if live.write([large]).refused:
                break
        written = live.write([*odd[:10], large, *odd[10:]])

    assert written.refused.keys() == {large.id}
    assert not written.again
    found = [message for message in told() if message != large.entry.message]
    assert sorted(found) == sorted(record.entry.message for record in odd)


# ── What goes wrong on the way ──────────────────────────────────────────────────────────────────────────────


def test_whatever_goes_wrong_all_arrives(kafka, given, told_once, tmp_path, capfd):
    with fault_proxy(kafka.behind_port, port=kafka.proxy_port) as proxy:
        destination = KafkaDestination(**given | {"bootstrap_servers": proxy.address}, timeout_s=0.5)
        faults = [*ANYWHERE, CutRequest(1_000), CutResponse(60), Garbage(bytes(64))]
        check_faults(tmp_path, destination, proxy, faults, told_once, at_once=1_000)
    assert capfd.readouterr() == ("", "")


def test_a_broker_that_is_killed_and_one_that_comes_later_get_all(kafka, given, told_once, tmp_path, capfd):
    destination = KafkaDestination(**given, timeout_s=2, most_retry_s=0.1, batch_records=100)
    with delivering(tmp_path / "before", destination) as delivery:
        said = delivery.say(2_000)
        delivery.wait_until(lambda: delivery.shipped.sent > 0, look_every_s=0.001)
        kafka.kill()
        said += delivery.say(100)
        with delivering(tmp_path / "later", destination) as later:
            said += later.say(10)
            later.wait_for_failures()
            delivery.wait_for_failures()
            kafka.start()
            delivery.wait()
            later.wait()

    assert told_once() == by_number(said)
    assert capfd.readouterr() == ("", "")


# ── Logging in ──────────────────────────────────────────────────────────────────────────────────────────────


def test_it_logs_in_over_tls(kafka, given, told):
    with secured(kafka, given).open() as live:
        assert live.write(numbered(10)) == ALL_WRITTEN

    assert len(told()) == 10


def test_it_logs_in_by_scram(kafka, given, asking, told):
    how = admin.ScramCredentialInfo(admin.ScramMechanism.SCRAM_SHA_512, 4_096)
    made = admin.UserScramCredentialUpsertion("scram", how, b"battery-staple")
    asking.alter_user_scram_credentials([made])["scram"].result(SOON_S)
    destination = secured(
        kafka, given, username="scram", password=Secret("battery-staple"), mechanism="SCRAM-SHA-512"
    )

    with destination.open() as live:
        write_at_last(live, numbered(10))

    assert len(told()) == 10


def write_on(live, records):
    """Writes them again and again, as long as they are taken."""
    for _ in soon():
        live.write(records)


def write_at_last(live, records):
    """Returns when they are written: what somebody may do from now on is not known everywhere at once."""
    for _ in soon():
        with suppress(Unavailable):
            if live.write(records) == ALL_WRITTEN:
                return


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"password": Secret("wrong-horse")}, "Authentication failed.*Mend the login"),
        ({"ca_file": None}, "certificate.*as ca_file"),
        ({"ca_file": Path("nowhere.pem")}, "ssl.ca.location failed.*Check ca_file"),
        ({"tls": False, "ca_file": None, "mechanism": "SCRAM-SHA-512"}, "Kafka at 127"),
    ],
)
def test_who_cannot_log_in_waits_and_tells_no_password(kafka, given, wrong, problem, capfd):
    destination = secured(kafka, given, **wrong)

    with destination.open() as live, pytest.raises(Unavailable, match=problem) as error:
        live.write(numbered(1))

    assert "horse" not in str(error.value) + repr(destination)
    assert capfd.readouterr() == ("", "")


def test_a_certificate_that_nobody_knows_may_be_trusted(kafka, given, told):
    with secured(kafka, given, ca_file=None, insecure=True).open() as live:
        assert live.write(numbered(1)) == ALL_WRITTEN

    assert told() == ["record 1"]


def test_a_topic_that_one_may_not_write_to_can_be_mended(kafka, given, topic, asking, told):
    denied = admin.AclBinding(
        admin.ResourceType.TOPIC, topic, admin.ResourcePatternType.LITERAL, f"User:{kafka.user}", "*",
        admin.AclOperation.WRITE, admin.AclPermissionType.DENY,
    )  # fmt: skip
    asking.create_acls([denied])[denied].result(SOON_S)
    with secured(kafka, given).open() as live:
        with pytest.raises(Unavailable, match=r"authorization failed.*Let it write to that topic"):
            write_on(live, numbered(3))
        asking.delete_acls([filter_of(denied)])

        write_at_last(live, numbered(3))

    assert set(told()) == {"record 1", "record 2", "record 3"}


def filter_of(binding):
    return admin.AclBindingFilter(
        binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host,
        binding.operation, binding.permission_type,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"bootstrap_servers": " , "}, "No broker"),
        ({"topic": ""}, "No topic"),
        ({"ca_file": Path("ca.pem")}, "tls = true"),
        ({"username": "app", "mechanism": "PLAIN"}, "PLAIN tells the password"),
        ({"password": Secret("correct-horse")}, "Set username"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given, problem):
    with pytest.raises(BadArgument, match=problem):
        KafkaDestination(**given)


def test_kafkas_own_console_consumer_shows_what_came_by_the_command_of_the_docs(kafka, topic, given):
    records = [outgoing(FULL, 1), *numbered(2, first=2)]
    with KafkaDestination(**given).open() as live:
        assert live.write(records) == ALL_WRITTEN
    _, *arguments = shown_command("kafka-console-consumer.sh")
    here = {"broker1:9092": kafka.address, "mcp-logs": topic}

    printed = kafka.console_consumer(
        *(here.get(word, word) for word in arguments),
        *("--max-messages", str(len(records)), "--timeout-ms", "60000"),
        *("--formatter-property", "print.key=true", "--formatter-property", "print.headers=true"),
    )

    came = sorted(line.split("\t") for line in printed.splitlines())
    assert [(headers, key, json.loads(value)) for headers, key, value in came] == [
        (f"id:{record.id}", record.entry.correlation_id or "null", shown(record.entry)) for record in records
    ]
