"""Each real server takes something from a real client, dies, and still has it when it is started again.

Those that run on Java take seconds to start, so that only `-m crash` asks that of them here. `emit/destinations` kills
Elasticsearch and Kafka in every run, with a destination in the midst of its writing.
"""

import json
import socket
import urllib.request

import confluent_kafka
import msgspec
import obstore
import psycopg
import pytest
import redis
from obstore.store import S3Store


@pytest.mark.crash
def test_elasticsearch_keeps_what_it_acknowledged(elasticsearch):
    assert kept_over_death(elasticsearch, "kept") == {"body": "kept"}


@pytest.mark.crash
def test_opensearch_keeps_what_it_acknowledged(opensearch):
    assert kept_over_death(opensearch, "kept") == {"body": "kept"}


def kept_over_death(node, body):
    sent = '{"create": {"_id": "one"}}\n' + json.dumps({"body": body}) + "\n"
    (done,) = node.ask("/told/_bulk", sent)["items"]
    assert done["create"]["status"] == 201

    node.kill()
    node.start()

    return node.ask("/told/_doc/one")["_source"]


def test_the_collector_hands_on_what_comes_by_otlp(otelcol):
    record = {"body": {"stringValue": "kept"}, "attributes": [{"key": "tries", "value": {"intValue": "3"}}]}
    service = {"key": "service.name", "value": {"stringValue": "shop"}}
    sent = {
        "resourceLogs": [{"resource": {"attributes": [service]}, "scopeLogs": [{"logRecords": [record]}]}]
    }
    otelcol.kill()
    otelcol.start()
    otelcol.forget()

    request = urllib.request.Request(
        f"{otelcol.url}/v1/logs", json.dumps(sent).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).close()

    (taken,) = otelcol.taken(1)
    assert (taken.body, taken.attributes, taken.resource) == ("kept", {"tries": 3}, {"service.name": "shop"})


def test_the_collector_hands_on_what_comes_by_the_forward_protocol(otelcol):
    otelcol.forget()

    with socket.create_connection((otelcol.host, otelcol.fluent_port), timeout=30) as connection:
        told = ["shop", 1_795_000_000, {"message": "kept"}, {"chunk": "one"}]
        connection.sendall(msgspec.msgpack.encode(told))
        assert msgspec.msgpack.decode(connection.recv(1000)) == {"ack": "one"}

    (taken,) = otelcol.taken(1, by="fluent")
    assert (taken.body, taken.attributes) == ("kept", {"fluent.tag": "shop"})


def test_postgres_keeps_what_it_committed(postgres):
    database = postgres.new_database()
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE told (body text)")
        connection.execute("INSERT INTO told VALUES ('kept')")

    died = postgres.pid
    postgres.kill()
    postgres.start()

    assert postgres.pid != died
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT body FROM told").fetchall() == [("kept",)]


def test_redis_keeps_what_it_acknowledged(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        client.xadd("told", {"body": "kept"})

    redis_server.kill()
    redis_server.start()

    with redis.Redis(port=redis_server.port, decode_responses=True) as client:
        assert [fields for _, fields in client.xrange("told")] == [{"body": "kept"}]


@pytest.mark.crash
def test_kafka_keeps_what_it_acknowledged(kafka):
    def tell(body):
        producer = confluent_kafka.Producer({"bootstrap.servers": kafka.address, "enable.idempotence": True})
        producer.produce("told", body)
        assert producer.flush(60) == 0

    tell(b"kept")
    kafka.kill()
    kafka.start()
    tell(b"kept too")

    assert {message.value() for message in kafka.read("told", 2)} == {b"kept", b"kept too"}


def test_s3_keeps_objects_while_it_runs(s3):
    bucket = s3.new_bucket()
    store = S3Store(
        bucket,
        endpoint=s3.url,
        access_key_id=s3.access_key,
        secret_access_key=s3.secret_key,
        region=s3.region,
        client_options={"allow_http": True},
    )

    obstore.put(store, "told/one", b"kept")

    assert bytes(obstore.get(store, "told/one").bytes()) == b"kept"
