"""Apache Kafka: one node, which is broker and its own controller. Topics come into being when first written to."""

import base64
import shutil
import socket
import struct
import subprocess
import time
import uuid
from contextlib import closing
from pathlib import Path

from . import lacking
from .cache import PREPARE, keep, kept, maven, run
from .certificates import certificate
from .java import JavaServer, java
from .ports import free_port

VERSION, SCALA, LOG4J = "4.4.0", "2.13", "2.25.5"

# The broker never loads kafka-tools-api, and not every repository has it.
POM = f"""\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_{SCALA}</artifactId>
      <version>{VERSION}</version>
      <exclusions>
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId></exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J}</version>
    </dependency>
  </dependencies>
</project>
"""

# Not every repository has kafka-tools as new as the broker, and the tools work with clients of their own version only.
CONSOLE = "4.3.1"
CONSOLE_POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId>
  <artifactId>kafka-console</artifactId>
  <version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""
CONSOLE_DEPENDENCY = """
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>{artifact}</artifactId>
      <version>{version}</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>
"""

PARTITIONS = 3

# Whatever is kept for the cluster itself is kept once, in few partitions: they are made at the first start.
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=true
num.partitions={partitions}
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
# One that was killed is known to be gone, and comes in again, after seconds.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""

LOGGING = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
"""

# Beside the plain way in, one that is told to clients as going through somebody in between, and one that is secured.
MORE_WAYS_IN = """\
listeners=PLAINTEXT://{host}:{port},BEHIND://{host}:{behind_port},SECURE://{host}:{secure_port},\
CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},BEHIND://{host}:{proxy_port},SECURE://{host}:{secure_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,BEHIND:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={certificate}
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{user}="{password}";
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
"""

METADATA_REQUEST, METADATA_VERSION = 3, 4


class Kafka(JavaServer):
    name = "kafka"
    version = VERSION
    main_class = "kafka.Kafka"
    user, password = "app", "correct-horse"
    """Who may log in by PLAIN."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.controller_port = free_port()
        self.behind_port, self.proxy_port = free_port(), free_port()
        """Where somebody in between connects to, and where clients are told to find them."""
        self.secure_port = free_port()
        """Where one logs in, over TLS."""

    @classmethod
    def jars(cls) -> Path:
        return kept(f"kafka-{VERSION}")

    @classmethod
    def fetch(cls) -> None:
        keep(cls.jars().name, fetch_jars)
        keep(cls.console_jars().name, fetch_console_jars)

    @classmethod
    def console_jars(cls) -> Path:
        """The folder that holds those of Kafka's own tools which the broker has not."""
        return kept(f"kafka-console-{CONSOLE}")

    def lay_out(self) -> None:
        data = self.folder / "data"
        (self.folder / "log4j2.properties").write_text(LOGGING)
        (self.folder / "server.properties").write_text(
            SETTINGS.format(
                host=self.host,
                port=self.port,
                controller_port=self.controller_port,
                data=data,
                partitions=PARTITIONS,
            )
            + MORE_WAYS_IN.format(
                host=self.host,
                port=self.port,
                controller_port=self.controller_port,
                behind_port=self.behind_port,
                proxy_port=self.proxy_port,
                secure_port=self.secure_port,
                certificate=certificate(self.folder).both,
                user=self.user,
                password=self.password,
            )
        )
        if not data.exists():
            shutil.copytree(self.jars() / "formatted", data)

    def java_options(self) -> list[str]:
        return [f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"]

    def arguments(self) -> list[str]:
        return [str(self.folder / "server.properties")]

    def answers(self) -> bool:
        """Whether it names a broker, as it does once the controller has let it in."""
        no_topic, make_none = 0, False
        request = struct.pack(
            ">hhih5si?", METADATA_REQUEST, METADATA_VERSION, 1, 5, b"tests", no_topic, make_none
        )
        with socket.create_connection((self.host, self.port), timeout=5) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.makefile("rb").read(16)
        if len(answer) < 16:
            return False
        _size_bytes, _correlation_id, _throttled_ms, brokers = struct.unpack(">iiii", answer)
        return bool(brokers >= 1)

    def read(self, topic: str, number: int, timeout_s: float = 60) -> list:
        """The first `number` messages of a topic, by partition and in the order of each; fewer after the deadline."""
        import confluent_kafka

        beginning = confluent_kafka.OFFSET_BEGINNING
        found: list = []
        deadline = time.monotonic() + timeout_s
        with closing(
            confluent_kafka.Consumer({"bootstrap.servers": self.address, "group.id": "tests", "log_level": 0})
        ) as reading:
            reading.assign(
                [confluent_kafka.TopicPartition(topic, number, beginning) for number in range(PARTITIONS)]
            )
            while len(found) < number and time.monotonic() < deadline:
                found += [
                    message for message in reading.consume(number - len(found), 0.1) if not message.error()
                ]
        return sorted(found, key=lambda message: (message.partition(), message.offset()))

    def console_consumer(self, *arguments: str) -> str:
        """What `kafka-console-consumer.sh` prints, told to end."""
        if not self.console_jars().exists():
            lacking(f"Kafka's console consumer is not here: {PREPARE} {self.name}")
        classes = f"{self.console_jars()}/*:{self.jars()}/*"
        command = [*java(), "-cp", classes, "org.apache.kafka.tools.consumer.ConsoleConsumer", *arguments]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True, timeout=120
        ).stdout


def fetch_console_jars(part: Path) -> None:
    """Those of which the broker has none, or others; the rest it has."""
    dependencies = "".join(
        CONSOLE_DEPENDENCY.format(artifact=artifact, version=CONSOLE)
        for artifact in ("kafka-tools", "kafka-clients", "kafka-server-common")
    )
    (part / "pom.xml").write_text(CONSOLE_POM.format(dependencies=dependencies))
    maven(part, "copy-dependencies", includeScope="runtime", outputDirectory=str(part))


def fetch_jars(part: Path) -> None:
    """The broker's jars, and beside them its data as they are before the first start, the same for every test."""
    (part / "pom.xml").write_text(POM)
    maven(part, "copy-dependencies", includeScope="runtime", outputDirectory=str(part))
    (part / "format.properties").write_text(
        SETTINGS.format(
            host="127.0.0.1", port=1, controller_port=2, data=part / "formatted", partitions=PARTITIONS
        )
    )
    cluster = base64.urlsafe_b64encode(uuid.UUID(int=1).bytes).rstrip(b"=").decode()
    format_it = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(part / "format.properties")]
    run(part, *java(), "-cp", f"{part}/*", *format_it)
