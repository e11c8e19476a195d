"""What goes to Kafka is there once it is acknowledged, whatever becomes of the way to it."""

import json
from contextlib import closing
from datetime import datetime
from uuid import uuid4

import confluent_kafka
import pytest

from logpith_emit.destinations.kafka import KafkaDestination
from logpith_emit.entry import LogEntry
from logpith_emit.testing import check_destination

PARTITIONS = range(3)


@pytest.fixture
def topic():
    return uuid4().hex


@pytest.fixture
def read(kafka, topic):
    """read(): all messages of the topic."""

    def all_of_them():
        with closing(
            confluent_kafka.Consumer({"bootstrap.servers": kafka.address, "group.id": "x"})
        ) as asking:
            ends = [
                asking.get_watermark_offsets(confluent_kafka.TopicPartition(topic, number), 30)
                for number in PARTITIONS
                if asking.list_topics(topic, 30).topics[topic].partitions
            ]
        return kafka.read(topic, sum(after - first for first, after in ends))

    return all_of_them


def entry_in(message):
    fields = json.loads(message.value())
    return LogEntry(**{**fields, "timestamp": datetime.fromisoformat(fields["timestamp"])})


def test_it_keeps_its_promises(kafka, topic, read):
    check_destination(
        KafkaDestination(bootstrap_servers=(kafka.address,), topic=topic),
        lambda: [entry_in(message) for message in read()],
    )
