"""What can be called besides tools: how the server is, and points that are kept as records."""

import json
import shlex
import subprocess

import pytest

from http_door import ADMIN, READER, opened
from services import outside_program

# As they stand in the server's founding document, but for the address.
COMMANDS = (
    """curl -X POST {address} \\
  -H "Content-Type: application/json" \\
  -d '{{"tool": "get_server_status", "arguments": {{}}}}'""",
    """curl -X POST {address} \\
  -H "Content-Type: application/json" \\
  -d '{{
    "tool": "collect_metrics",
    "arguments": {{
      "source": "health_check",
      "metrics": [{{"name": "test_metric", "value": 1, "metric_type": "gauge"}}]
    }}
  }}'""",
)


def test_two_commands_for_a_server_of_another_name_work_with_the_address_changed(tmp_path):
    program = outside_program("curl", "apt-get install curl")
    with opened(tmp_path, tokens=None, name="logfire-mcp") as door:
        answers = []
        for command in COMMANDS:
            words = shlex.split(command.format(address=f"{door.url}/logfire-mcp").replace("\\\n", " "))
            done = subprocess.run([program, "--fail-with-body", *words[1:]], capture_output=True, check=False)
            assert done.returncode == 0, done.stdout
            answers.append(json.loads(done.stdout))
        with door.as_(None) as client:
            query = {"pattern": "test_metric", "query": "metric:test_metric AND value>0"}
            found = client.post("/logfire-mcp", json={"tool": "log_grep", "arguments": query}).json()

    status, collected = answers
    assert status["status"] == "ok"
    assert status["sources"] == []
    assert collected.pop("timestamp")
    assert collected == {"status": "success", "collected_count": 1, "source": "health_check"}
    assert len(found["evidence"]) == 1


def collect(door, *points, token=ADMIN, source="billing"):
    with door.as_(token) as client:
        return client.post("/tools/collect-metrics", json={"source": source, "metrics": list(points)})


def test_a_point_is_a_record_with_its_time_and_tags(tmp_path):
    with opened(tmp_path) as door:
        point = {"name": "depth", "value": 2.5, "tags": {"host": "a"}, "timestamp": "2026-11-20T10:00:00Z"}
        collect(door, point, {"name": "depth", "value": 4})

        with door.as_(READER) as client:
            told = client.get(
                "/tools/grep", params={"pattern": "depth", "query": "tags.host:a AND value:2.5"}
            ).json()

    (line,) = told["evidence"]
    assert (line["time"], line["source"]) == ("2026-11-20T10:00:00Z", "metrics")
    assert json.loads(line["text"])["metric"] == "depth"


def test_a_point_that_is_none_is_told_by_its_place_and_its_neighbours_are_kept(tmp_path):
    with opened(tmp_path) as door:
        answer = collect(
            door,
            {"name": "a", "value": 1},
            {"name": "b", "value": "many"},
            {"name": "", "value": 1},
            {"name": "c", "value": 1, "timestamp": "yesterdayish"},
            {"name": "d", "value": 1, "metric_type": "guess"},
            {"name": "e", "value": 1, "unit": "s"},
        ).json()

    assert (answer["status"], answer["collected_count"]) == ("success", 1)
    assert [one["index"] for one in answer["rejected"]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "`source` must be a text"),
        ({"source": "a", "metrics": []}, "`metrics` must be a list"),
        ({"source": "a", "metrics": [{}], "more": 1}, "there is no argument named 'more'"),
    ],
)
def test_a_call_that_is_wrong_is_told(tmp_path, arguments, told):
    with opened(tmp_path) as door, door.as_(ADMIN) as client:
        answer = client.post("/tools/collect_metrics", json=arguments)

    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]


def test_who_only_reads_brings_nothing(tmp_path):
    with opened(tmp_path) as door:
        assert collect(door, {"name": "a", "value": 1}, token=READER).json()["error"]["code"] == "forbidden"
        with door.as_(READER) as client:
            assert client.get("/tools/get_server_status").json()["status"] == "ok"
        with door.as_(ADMIN) as client:
            assert client.get("/tools/overview").json()["coverage"]["records"] == 0
