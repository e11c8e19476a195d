"""The five places are one: what was collected from all of them answers one question, at both doors of agents.

Run with `-s` it prints how long each answer took and what it saves its reader.
"""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2
import mcp
import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from http_door import NO_TLS
from logpith.answer import TOKEN_BYTES
from logpith.store.reader import StoreReader
from logpith.store.segment import segment_table
from logpith.timerange import NS_PER_MIN, now_ns
from services import outside_program
from ssh_server import free_port, ssh_server

TOKEN = "acceptance-0123456789abcdef"
LOGPITH = [sys.executable, "-m", "logpith"]


@contextmanager
def serving(folder, *words):
    """The address of a real server in a process of its own, ended by its pid."""
    variables = {**os.environ, "LOGPITH_TOKEN": TOKEN}
    command = [*LOGPITH, *words, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=folder, env=variables, stderr=subprocess.PIPE, text=True) as server:
        try:
            told = iter(server.stderr)
            yield next(found[1] for line in told if (found := re.search(r"serving at (\S+) ", line)))
            server.send_signal(signal.SIGTERM)
            assert [line for line in told if "ended" in line]
            assert server.wait() == 0
        finally:
            server.kill()


@asynccontextmanager
async def over_http(address):
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=120, trust_env=False, verify=NO_TLS) as http,
        mcp.Client(streamable_http_client(f"{address}/mcp", http_client=http)) as agent,
    ):
        yield agent


@asynccontextmanager
async def over_stdio(folder, *words):
    started = StdioServerParameters(
        command=LOGPITH[0], args=[*LOGPITH[1:], "mcp", *words], env=dict(os.environ), cwd=str(folder)
    )
    async with mcp.Client(stdio_client(started)) as agent:
        yield agent


def asked(door, questions):
    """What the official client gets at a door; how long each took is printed. A question may hang on the answers so
    far."""

    async def run():
        answers = []
        async with door as agent:
            for question in questions:
                name, arguments = question(answers) if callable(question) else question
                began = time.perf_counter()
                answer = await agent.call_tool(name, arguments)
                took_ms = 1000 * (time.perf_counter() - began)
                assert not answer.is_error, answer.content[0].text
                say(f"{name} {json.dumps(arguments)}: {took_ms:.0f} ms, {tokens(answer)} tokens")
                answers.append(answer)
        return answers

    return asyncio.run(run())


def say(text):
    sys.stdout.write(f"{text}\n")


def tokens(answer):
    """What an answer costs its reader, whichever of both forms is read."""
    as_json = json.dumps(answer.structured_content, ensure_ascii=False, separators=(",", ":"))
    return max(len(answer.content[0].text.encode()), len(as_json.encode())) // TOKEN_BYTES


def hits(answer):
    return [item for item in answer.structured_content["items"] if item.get("kind") != "counts"]


# ── The demo ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    with serving(folder, "demo", "--serve", "--dir", "day", "--lines", "40000") as address:
        yield folder, address


@pytest.fixture(params=["http", "stdio"])
def door(request, demo):
    """Opens a door of the demo: over HTTP to its server, and over standard input to a process beside it."""
    folder, address = demo
    if request.param == "http":
        return lambda: over_http(address)
    return lambda: over_stdio(folder, "--data-dir", "day")


def raw_tokens(folder, minutes):
    """What it costs to read every line of the last minutes, as they stand in the logs."""
    begin_ns = now_ns() - minutes * NS_PER_MIN
    tables = [segment_table(one) for one in StoreReader(folder / "day" / "store").snapshot(now_ns()).segments]
    lines = [
        line
        for table in tables
        for line, time_ns in zip(table["line"].to_pylist(), table["timestamp"].to_pylist(), strict=True)
        if time_ns is not None and time_ns >= begin_ns
    ]
    return sum(len(line) + 1 for line in lines) // TOKEN_BYTES


def test_the_demo_answers_the_founding_questions_briefly(demo, door):
    folder, _ = demo
    services = ["gateway", "voice-pipeline"]

    def call_in(answers):
        """The beginning of an id is enough."""
        return re.search(r"call=(CA[0-9a-f]{20,})", json.dumps(hits(answers[0])))[1]

    found, quota, broken, story, tail, triage = asked(
        door(),
        [
            ("search_logs", {"query": "quota_exceeded"}),
            ("search_logs", {"query": "quota_exceeded", "limit": 3}),
            ("search_logs", {"query": "error OR quota OR failed", "since": "10m", "limit": 20}),
            lambda answers: ("get_call_logs", {"call_id": call_in(answers)}),
            ("tail_logs", {"services": services, "lines": 20}),
            ("triage", {"since": "10m"}),
        ],
    )

    raw = raw_tokens(folder, 10)
    say(f"all lines of the last ten minutes: {raw} tokens")
    assert "quota_exceeded" in hits(quota)[0]["text"]
    assert tokens(quota) <= 300
    assert hits(broken)
    assert tokens(broken) <= raw / 10
    assert tokens(triage) <= raw / 10
    assert {"quota_exceeded"} <= set(re.findall(r"\w+", json.dumps(triage.structured_content)))
    assert call_in([found]) in json.dumps(story.structured_content)
    assert len({item.get("service") for item in story.structured_content["items"]} - {None}) >= 3
    assert {item["service"] for item in hits(tail)} == set(services)


def test_three_hits_fit_300_tokens(door):
    query = "quota_exceeded OR (upstream AND timed) OR (cache AND refresh)"

    (told,) = asked(door(), [("search_logs", {"query": query})])

    assert len(hits(told)) == 3
    assert tokens(told) <= 300


# ── Real places ─────────────────────────────────────────────────────────────────────────────────────────────

ORDER = "order-4711"

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log {folder}/access.log combined;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 "ok"; }}
    location = /board {{ access_log off; alias {folder}/board.txt; }}
  }}
}}
"""


@contextmanager
def nginx(folder):
    """A real nginx that writes an access log, and a way to ask it for pages."""
    folder.mkdir()
    port = free_port()
    (folder / "board.txt").write_text(f"2026-11-20T10:00:03Z ERROR no reply for {ORDER}\n")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    program = outside_program("nginx", "apt-get install nginx-light")
    with subprocess.Popen(
        [program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    ) as server:
        try:
            while not listens(port):
                assert server.poll() is None, "nginx ended before it listened"
            yield server, f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def curl(*words, text=None):
    program = outside_program("curl", "apt-get install curl")
    done = subprocess.run([program, "-sS", "--fail", *words], input=text, capture_output=True, check=True)
    return done.stdout


def bring(server, record):
    """Sends a record to a server as a program would."""
    headers = ("-H", f"Authorization: Bearer {TOKEN}", "-H", "Content-Type: application/x-ndjson")
    body = json.dumps(record).encode()
    told = curl(*headers, "--data-binary", "@-", f"{server}/api/v1/logs?service=gateway", text=body)
    assert json.loads(told)["accepted"] == 1


def visit(address, path):
    """Asks nginx for a page; it has written that down when it answers the second question on the connection."""
    curl(f"{address}{path}", f"{address}/next")


def rotate(server, folder):
    """What logrotate does: another name, and the signal to begin anew."""
    (folder / "access.log").rename(folder / "access.log.1")
    server.send_signal(signal.SIGUSR1)
    while not (folder / "access.log").exists():
        assert server.poll() is None


EXPORT = f"""__CURSOR=s=1;i=1
__REALTIME_TIMESTAMP=1795168803000000
PRIORITY=3
_SYSTEMD_UNIT=payments.service
SYSLOG_IDENTIFIER=payments
MESSAGE=card refused for {ORDER}

"""

SETTINGS = """
[sources.web]
type = "file"
paths = ["{folder}/nginx/access.log"]
service = "web"

[sources.journal]
type = "journald"
file = "{folder}/payments.export"

[sources.shop]
type = "command"
command = ["tail", "-n", "{{lines}}", "{folder}/shop.txt"]
service = "shop"

[sources.voice]
type = "ssh"
host = "127.0.0.1"
port = {port}
user = "{user}"
key_file = "{key}"
known_hosts = "{known_hosts}"
command = ["tail", "-n", "{{lines}}", "{folder}/voice.txt"]
service = "voice"
allow_root = true

[sources.board]
type = "http_lines"
url = "{address}/board"
service = "board"

[collect]
max_staleness = "1ms"
refresh_within = "1m"
"""


def written(folder: Path, sshd, address):
    """The settings of all places, and what they tell at first."""
    (folder / "payments.export").write_text(EXPORT)
    (folder / "shop.txt").write_text(f"2026-11-20T10:00:01Z ERROR no stock for {ORDER}\n")
    (folder / "voice.txt").write_text(f"2026-11-20T10:00:02Z WARN call about {ORDER} fell silent\n")
    (folder / "logpith.toml").write_text(
        SETTINGS.format(
            folder=folder,
            address=address,
            port=sshd.port,
            user=sshd.user,
            key=sshd.key_file,
            known_hosts=sshd.known_hosts,
        )
    )


QUESTION = ("search_logs", {"query": f'"{ORDER}"', "budget": 2000})


def services_told(answer):
    counts = next(item for item in answer.structured_content["items"] if item.get("kind") == "counts")
    return counts["services"]


def test_one_question_asks_six_kinds_of_places_while_logs_rotate_and_a_place_goes(tmp_path):
    (tmp_path / "ssh").mkdir()
    with nginx(tmp_path / "nginx") as (web, address):
        with ssh_server(tmp_path / "ssh") as sshd:
            written(tmp_path, sshd, address)
            visit(address, f"/buy/{ORDER}?step=1")
            with serving(tmp_path, "serve", "--data-dir", "data") as server:
                bring(server, {"time": "2026-11-20T10:00:00Z", "level": "error", "msg": f"{ORDER} lost"})
                (before,) = asked(over_http(server), [QUESTION])
                rotate(web, tmp_path / "nginx")
                visit(address, f"/buy/{ORDER}?step=2")
                (after,) = asked(over_http(server), [QUESTION])

        # The machine behind ssh has gone, and so has the server: the agent's own process collects.
        visit(address, f"/buy/{ORDER}?step=3")
        (alone,) = asked(over_stdio(tmp_path, "--data-dir", "data"), [QUESTION])

    assert "skipped" not in before.structured_content["coverage"]
    once = {"board": 1, "shop": 1, "voice": 1, "payments": 1, "gateway": 1}
    assert services_told(before) == {**once, "web": 1}
    assert services_told(after) == {**once, "web": 2}
    assert services_told(alone) == {**once, "web": 3}
    assert "skipped" not in after.structured_content["coverage"]
    assert [told.partition(":")[0] for told in alone.structured_content["coverage"]["skipped"]] == ["voice"]
