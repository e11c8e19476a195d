"""Where it may listen, how patient it is, and how it ends."""

import signal
import socket
import ssl
import subprocess
import sys
import threading

import httpx2
import pytest

from http_door import ADMIN, NDJSON, NO_TLS, READER, ndjson, opened, said
from logpith.cli import main
from logpith.server import listening
from logpith.server.listening import Listening, check_listening, open_socket
from logpith.settings import is_loopback
from logpith_emit.errors import Refused, Unavailable

OPEN = "0.0.0.0"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_only(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", [OPEN, "::", "192.0.2.1", "logs.example.org", "localhost.example.org", ""])
def test_others_too(host):
    assert not is_loopback(host)


def test_beyond_this_machine_it_takes_tls_and_tokens(tmp_path):
    secured = Listening(host=OPEN, certificate=tmp_path / "c.pem", key=tmp_path / "k.pem")

    with pytest.raises(Refused, match="TLS"):
        check_listening(Listening(host=OPEN), has_tokens=True, insecure=False)
    for insecure in (True, False):
        with pytest.raises(Refused, match="without tokens"):
            check_listening(secured, has_tokens=False, insecure=insecure)
    check_listening(secured, has_tokens=True, insecure=False)
    check_listening(Listening(host=OPEN), has_tokens=True, insecure=True)
    check_listening(Listening(), has_tokens=False, insecure=False)


def test_a_port_that_is_taken_is_told():
    with open_socket(Listening(port=0)) as first:
        first.listen()
        with pytest.raises(Unavailable, match="--listen"):
            open_socket(Listening(port=first.getsockname()[1]))


def link_to(door):
    return socket.create_connection(("127.0.0.1", door.port), timeout=60)


@pytest.mark.parametrize(
    "said_before",
    [
        b"",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: ",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\nGET",
    ],
)
def test_who_does_not_come_to_the_point_is_cut_off(tmp_path, monkeypatch, said_before):
    monkeypatch.setattr(listening, "HEADER_LIMIT_S", 0.1)
    monkeypatch.setattr(listening, "IDLE_LIMIT_S", 0.1)
    with opened(tmp_path) as door, link_to(door) as link:
        link.sendall(said_before)
        heard = b""
        while piece := _received(link):
            heard += piece

    assert heard == b"" or heard.startswith(b"HTTP/1.1 200")


def _received(link):
    try:
        return link.recv(4096)
    except ConnectionResetError:
        return b""


def test_idle_connections_keep_nobody_out(tmp_path):
    with opened(tmp_path) as door:
        idle = [link_to(door) for _ in range(300)]
        with door.as_(READER) as client:
            statuses = {client.get("/tools").status_code for _ in range(20)}
        for link in idle:
            link.close()

    assert statuses == {200}


def test_beyond_the_most_connections_further_ones_are_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(listening, "MOST_CONNECTIONS", 3)
    with opened(tmp_path) as door:
        with link_to(door), link_to(door), link_to(door), link_to(door) as fourth:
            assert _received(fourth) == b""
        with httpx2.Client(
            base_url=door.url, trust_env=False, transport=httpx2.HTTPTransport(retries=5)
        ) as client:
            while True:
                try:
                    assert client.get("/health").status_code == 200
                    break
                except httpx2.TransportError:  # until those that left are forgotten
                    continue


def test_headers_have_an_end(tmp_path):
    with opened(tmp_path) as door:
        with link_to(door) as link:
            link.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 100_000)
            answered = _received(link)
        with door.as_(None) as client:
            assert client.get("/health").status_code == 200

    assert answered == b"" or b" 400 " in answered.split(b"\r\n")[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += [
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
    ]
    subprocess.run([*command, "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


class Served:
    """`logpith serve` as a process of its own."""

    def __init__(self, folder, *options, program=("serve",)):
        command = [sys.executable, "-m", "logpith", *program, "--listen", "127.0.0.1:0", *options]
        if program == ("serve",):
            command += ["--data-dir", str(folder / "data")]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        self.told = []
        while "serving at" not in (line := self.process.stderr.readline()):
            assert line, self.told
            self.told.append(line)
        self.url = line.split("serving at ")[1].split()[0]
        self.told.append(line)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=120)
        return self.process.returncode, rest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    @property
    def token(self):
        (line,) = [line for line in self.told if "shown this once" in line]
        return line.rsplit(": ", 1)[1].strip()

    def status(self, path, token=None, **headers):
        with self.client(token) as client:
            return client.get(path, headers=headers).status_code

    def client(self, token=None, **more):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        given = {"base_url": self.url, "headers": headers, "timeout": 120, "trust_env": False}
        if self.url.startswith("http:"):
            given["verify"] = NO_TLS
        return httpx2.Client(**{**given, **more})


@pytest.fixture
def alone(monkeypatch):
    for name in ("LOGPITH_TOKEN", "LOGPITH_CONFIG", "LOGPITH_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_it_makes_a_token_serves_ends_at_either_signal_and_remembers(tmp_path, alone):
    with Served(tmp_path) as served:
        token = served.token
        with served.client(token) as client:
            assert client.post("/api/v1/logs", content=ndjson(said("kept")), headers=NDJSON).is_success
        assert served.status("/tools") == 401
        assert served.end(signal.SIGINT) == (0, "logpith: ended\n")

    with Served(tmp_path) as served:
        assert token not in "".join(served.told)
        with served.client(token) as client:
            assert (
                client.get("/tools/grep", params={"pattern": "kept"}).json()["summary"].startswith("1 of 1")
            )
        assert served.end(signal.SIGTERM) == (0, "logpith: ended\n")


def test_an_end_finishes_what_was_begun_and_tells_those_who_listen(tmp_path, alone):
    with Served(tmp_path) as served:
        token = served.token
        host = served.url.removeprefix("http://")
        body = ndjson(*(said("x" * 500, second) for second in range(60)))
        name, port = host.split(":")
        with (
            served.client(token) as listener,
            listener.stream("GET", "/api/v1/tail/stream") as heard,
            socket.create_connection((name, int(port)), timeout=60) as link,
        ):
            lines = heard.iter_lines()
            assert next(lines) == ": listening"
            head = f"POST /api/v1/logs HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n"
            head += f"content-type: application/x-ndjson\r\ncontent-length: {len(body)}\r\n\r\n"
            link.sendall(head.encode() + body[:1000])
            served.process.send_signal(signal.SIGTERM)
            rest = list(lines)  # ends: from now on nothing new is let in
            link.sendall(body[1000:])
            answered = b"".join(iter(lambda: link.recv(4096), b""))
        _, said_last = served.process.communicate(timeout=120)

    assert not [line for line in rest if line.startswith("data")]
    assert answered.startswith(b"HTTP/1.1 200")
    assert b'"accepted":60' in answered
    assert (served.process.returncode, said_last) == (0, "logpith: ended\n")


def test_one_store_has_one_server(tmp_path, alone, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with Served(tmp_path):
        code = main(["serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")])

    said_why = capsys.readouterr().err
    assert code == 2
    assert said_why.startswith("logpith: ")
    assert "Traceback" not in said_why
    assert "serving at" not in said_why


def test_it_is_served_with_tls(tmp_path, alone, certificate):
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with Served(tmp_path, "--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])) as served:
        assert served.url.startswith("https://")
        with served.client(served.token, verify=context) as client:
            assert client.get("/tools").status_code == 200
        with served.client() as stranger, pytest.raises(httpx2.ConnectError):
            stranger.get("/health")
        old = ssl.create_default_context(cafile=str(certificate[0]))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with served.client(verify=old) as client:
            assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--listen", "0.0.0.0:0"], "there is no TLS"),
        (["--listen", "0.0.0.0:0", "--no-token"], "without tokens"),
        (["--listen", "0.0.0.0:0", "--no-token", "--insecure-listen"], "without tokens"),
        (["--listen", "nonsense"], "listen"),
        (["--token", "short"], "no token"),
        (["--tls-cert", "c.pem"], "certificate and its key"),
        (["--tls-cert", "c.pem", "--tls-key", "k.pem"], "cannot be read"),
        (["--config", "missing.toml"], "no settings file"),
        (["--toolsets", "nonsense"], "no toolset"),
        (["--ship", "nosuch.toml"], "nosuch.toml"),
        (["word"], "one word too many"),
    ],
)
def test_what_it_cannot_do_safely_it_does_not_start(tmp_path, alone, monkeypatch, capsys, options, told):
    monkeypatch.chdir(tmp_path)

    code = main(["serve", "--data-dir", str(tmp_path / "data"), *options])

    said_why = capsys.readouterr().err
    assert code == 2
    assert told in said_why
    assert "Traceback" not in said_why
    assert "serving at" not in said_why
    assert "the token of this server" not in said_why
    assert not (tmp_path / "data" / "token").exists()


ANSWERS = '[[server.tokens]]\nname = "edge"\ntoken = "${EDGE_TOKEN}"\n'
ASKS = (
    '[sources.edge]\ntype = "relay"\nurl = "https://edge.example.org/logs/fetch"\nservices = ["gateway"]\n'
    'token = "${EDGE_TOKEN}"\n'
)


@pytest.mark.parametrize(
    ("settings", "token", "told"),
    [
        (ANSWERS, None, "server.tokens[0].token: the environment variable EDGE_TOKEN is not set. Set it"),
        (ANSWERS, "", "the token of 'edge' is no token. Take 16 characters or more"),
        (ASKS, None, "sources.edge.token: the environment variable EDGE_TOKEN is not set. Set it"),
    ],
)
def test_a_relay_whose_token_is_not_set_is_not_started(
    tmp_path, alone, monkeypatch, capsys, settings, token, told
):
    (tmp_path / "logpith.toml").write_text(settings)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGE_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("EDGE_TOKEN", token)

    code = main(["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"])

    said_why = capsys.readouterr().err
    assert code == 2
    assert f"logpith: {told}" in said_why.splitlines()[-1]
    assert "serving at" not in said_why
    assert not (tmp_path / "data" / "store").exists()


def test_settings_and_the_environment_name_tokens(tmp_path, alone, monkeypatch):
    (tmp_path / "logpith.toml").write_text(
        '[[server.tokens]]\nname = "reader"\ntoken = "${READER}"\nroles = ["log_reader"]\n'
        '[server]\npublic_metrics = true\nallowed_hosts = ["logs.example.org"]\n'
    )
    monkeypatch.setenv("READER", READER)
    monkeypatch.setenv("LOGPITH_TOKEN", ADMIN)
    with Served(tmp_path) as served:
        assert not [line for line in served.told if "shown this once" in line]
        assert served.status("/tools", READER) == 200
        assert served.status("/api/v1/status", READER) == 403
        assert served.status("/api/v1/status", ADMIN) == 200
        assert served.status("/metrics") == 200
        assert served.status("/health", host="logs.example.org") == 200


def test_the_demo_is_served_as_it_happens(tmp_path, alone):
    with Served(tmp_path, "--no-token", "--lines", "60000", program=("demo", "--serve")) as served:
        with served.client() as client:
            told = client.get("/tools/grep", params={"pattern": "quota_exceeded", "since": "now-10m"}).json()
            metrics = client.get("/metrics").text
        assert served.end()[0] == 0

    assert not told["summary"].startswith("None")
    assert 'logpith_stored_records_total{destination="store"}' in metrics


def test_threads_end_with_the_server(tmp_path):
    before = set(threading.enumerate())
    with opened(tmp_path) as door, door.as_(None) as client:
        client.get("/health")

    left = {thread for thread in set(threading.enumerate()) - before if not thread.daemon}
    assert not {thread.name for thread in left if not thread.name.startswith("AnyIO")}
