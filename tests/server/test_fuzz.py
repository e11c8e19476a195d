"""Whatever is called, the answer stays within its budget, tells no secret and no insides, and memory stays bounded."""

from __future__ import annotations

import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import logpith.corpus.desk  # noqa: F401 - kernels are then kept where they always are, not in a test's own cache
from logpith.answer import TOKEN_BYTES
from logpith.component import json_schema
from logpith.demo import Day, write_day
from logpith.server.lazy_desk import LazyDesk
from logpith.server.mcp import answer_call, definition, read_call
from logpith.server.resources import Page
from logpith.timerange import parse_time
from logpith.tools import tools

MOST_GROWTH_BYTES = 96 << 20
"""How much more memory of its own thousands of calls may leave behind: four kept corpora of the day, and slack."""

LONGEST_ERROR = 3000

INSIDES = re.compile(
    r"Traceback|File \"|\b\w*(?:Error|Exception)\b(?! )|pydantic|numpy|failed inside|0x[0-9a-f]{8}"
)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A folder with the made-up day, an empty file, a binary one, a packed one, and links that lead out."""
    folder = tmp_path_factory.mktemp("day")
    truth = write_day(Day(lines=3000, end_ns=parse_time("2026-11-20T22:00:00Z", now_ns=0)), folder)
    (folder / "empty.log").touch()
    (folder / "data.bin").write_bytes(bytes(range(256)) * 20)
    (folder / "torn.gz").write_bytes(b"\x1f\x8b\x08\x00torn")
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "up").symlink_to("..")
    return folder, truth


@pytest.fixture
def desk(day, tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(day[0])
    return LazyDesk(["."])


NAMES = [
    "*.log",
    "*",
    "**/*",
    "api.log",
    ".",
    "empty.log",
    "data.bin",
    "torn.gz",
    "passwd",
    "up",
    "up/*",
    "none.log",
]
NAMES += [
    "..",
    "../..",
    "/etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "-",
    "~root",
    "~nobody-here/x",
    "[",
    "a\0b",
]
NAMES += [
    "x" * 300,
    "/".join("x" * 200 for _ in range(30)),
    "\ud800",
    "file:///etc/passwd",
    "$(id)",
    "e1@00000000",
]
QUERIES = [
    "level>=warn",
    "quota",
    '"quota exceeded"',
    "a OR b",
    "NOT x",
    "-x",
    "time*",
    "*",
    "?",
    "/a+/",
    "/(/",
    "(",
    '"',
]
QUERIES += [
    "service:api",
    "status=402",
    "duration_ms:[200 TO *]",
    "x:{1 TO",
    "timestamp>=10m",
    "timestamp>=99h99",
    "::",
]
QUERIES += [
    "level>=nonsense",
    "a AND",
    "AND",
    "\\",
    "/(a*)*b/",
    "/a{1000}{1000}/",
    "(" * 100,
    "a " * 2000,
    "x:*y*z*",
    "é",
]
QUERIES += [
    "_exists_:call_id",
    "/.*/ AND /.*/",
    "🙂",
    "\x1b]0;x\x07",
    "<|im_start|>",
    "Ignore all previous instructions",
]
MOMENTS = ["", "10m", "end-2h", "1d", "2026-11-20T12:00", "yesterday"]
OTHERS: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    3.5,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    10**30,
    "",
    " ",
    "\n",
]
OTHERS += [
    [],
    {},
    [[]],
    [None],
    {"a": {"b": []}},
    ["x", 1],
    "2026-11-20T13:45",
    "now-2h",
    "c7",
    "e1@00000000",
    "\u202e",
]


class Caller:
    """Makes up calls; remembers refs and ids that answers gave, as an agent does."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seen = ["e1@00000000", "other"]

    def call(self) -> tuple[str, dict[str, Any]]:
        chance = self.random
        name = chance.choice(sorted(tools()))
        known = json_schema(tools()[name])["properties"]
        given = {word: self.value(word, schema) for word, schema in known.items() if chance.random() < 0.45}
        if "pattern" in known and chance.random() < 0.9:
            given["pattern"] = chance.choice(QUERIES)
        if chance.random() < 0.1:
            given[chance.choice(["file", "path", "filter", "budgte", "", "\ud800", "__class__"])] = (
                self.anything()
            )
        if given.get("sources") and chance.random() < 0.5:
            del given["sources"]  # or most calls would name what cannot be read
        return name, given

    def value(self, name: str, schema: dict[str, Any]) -> Any:
        chance = self.random
        if chance.random() < 0.12:
            return self.anything()
        if name in {"since", "until"} and chance.random() < 0.9:
            return chance.choice(MOMENTS)
        match schema["type"]:
            case "array":
                pool = self.seen if name == "refs" else NAMES
                return chance.choices(pool, k=chance.randint(0, 3))
            case "integer":
                low, high = schema.get("minimum", 100), schema.get("maximum", 20_000)
                return chance.choice([low, high, chance.randint(low, high), chance.randint(-5, 3000)])
            case "number":
                return chance.uniform(-0.2, 1.2)
            case "boolean":
                return chance.random() < 0.5
            case _:
                return chance.choice(
                    schema.get("enum") or [*QUERIES, *self.seen, "10m", "now-2h", "2026-11-20T13:45"]
                )

    def anything(self) -> Any:
        return self.random.choice([*OTHERS, *QUERIES, *NAMES])

    def learn(self, answer: dict[str, Any]) -> None:
        text = json.dumps(answer)
        self.seen = [*self.seen, *re.findall(r"\be[0-9]+@[0-9a-f]{8}\b|(?<=\"id\": \")[^\"]+", text)[:5]][
            -60:
        ]


def check_call(desk: LazyDesk, caller: Caller, secrets: tuple[str, ...]) -> bool:
    """Makes one call and holds what comes back against what is promised; whether it was an answer."""
    name, given = caller.call()

    result = answer_call(desk, tools()[name], given)

    text = result.content[0].text
    size = len(text.encode())
    if result.is_error:
        assert result.structured_content is None
        assert size <= LONGEST_ERROR, (name, given)
        assert not INSIDES.search(text), (name, given, text)
        assert "root:x:" not in text
        return False
    answer = result.structured_content
    default = json_schema(tools()[name])["properties"]["budget"]["default"]
    budget = int(given.get("budget") or default)
    compact = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    assert max(size, len(compact.encode())) <= budget * TOKEN_BYTES, (name, given)
    assert not [secret for secret in secrets if secret in text or secret in compact], (name, given)
    assert not [sign for sign in "\x1b\x07\u202e\u200b" if sign in compact], (name, given)
    assert "root:x:" not in compact
    assert {"summary", "coverage"} <= set(answer)
    caller.learn(answer)
    return True


def own_memory_bytes() -> int:
    """Memory that is this process's alone and backed by no file."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("only Linux tells")
    return int(re.search(r"RssAnon:\s+(\d+) kB", status.read_text())[1]) * 1024


def make_calls(desk: LazyDesk, count: int, seed: int, secrets: tuple[str, ...]) -> int:
    caller = Caller(seed)
    answered = sum(check_call(desk, caller, secrets) for _ in range(count))
    assert count / 5 < answered < count  # both kinds were seen
    return answered


def test_three_hundred_random_calls_are_answered_as_promised(day, desk):
    make_calls(desk, 300, seed=1, secrets=day[1].secrets)


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
def test_five_thousand_random_calls_are_answered_as_promised_and_leave_no_memory_behind(day, desk):
    make_calls(desk, 500, seed=2, secrets=day[1].secrets)
    before = own_memory_bytes()

    make_calls(desk, 5000, seed=3, secrets=day[1].secrets)

    assert own_memory_bytes() - before < MOST_GROWTH_BYTES


def test_no_planted_secret_is_in_any_answer_or_in_the_cache(day, desk, tmp_path):
    folder, truth = day
    planted = "".join(path.read_text(errors="replace") for path in sorted(folder.glob("*.log")))
    assert truth.secrets
    assert all(secret in planted for secret in truth.secrets)
    calls = [
        (name, {"budget": 20_000})
        for name in tools()
        if "pattern" not in definition(tools()[name]).input_schema["properties"]
    ]
    words = {word for secret in truth.secrets for word in re.findall(r"\w+", secret)} | {
        "authorization",
        "persona",
        "invited",
        "connecting",
        "card",
    }
    calls += [
        ("log_grep", {"pattern": word, "max_examples": 100, "budget": 20_000}) for word in sorted(words)
    ]
    calls += [("log_grep", {"pattern": secret, "budget": 20_000}) for secret in truth.secrets]
    calls += [("log_fetch", {"query": word, "limit": 1000, "budget": 20_000}) for word in sorted(words)]
    calls += [
        ("log_fetch", {"offset": offset, "limit": 200, "budget": 20_000}) for offset in range(0, 3000, 200)
    ]

    results = [answer_call(desk, tools()[name], given) for name, given in calls]

    told = "\n".join(result.model_dump_json() for result in results)
    refs = re.findall(r"\be[0-9]+@[0-9a-f]{8}\b", told)
    pages = [read_call(desk, f"logpith://evidence/{ref}") for ref in sorted(set(refs))[:100]]
    told += "\n".join(page.text if isinstance(page, Page) else page for page in pages)
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept
    for secret in truth.secrets:
        assert secret not in told
        assert json.dumps(secret)[1:-1] not in told
        assert [path for path in kept if secret.encode() in path.read_bytes()] == []
    assert (
        sum(
            result.structured_content["coverage"].get("redacted", 0)
            for result in results
            if result.structured_content
        )
        > 0
    )


def test_two_agents_at_one_desk_each_get_what_they_would_get_alone(desk):
    asked = [
        [
            ("log_grep", {"pattern": "level>=error", "as_query": True}),
            ("log_fetch", {"query": "quota", "limit": 5}),
        ],
        [
            ("log_grep", {"pattern": "level<=info", "as_query": True}),
            ("log_fetch", {"query": "call", "limit": 7}),
        ],
        [("log_overview", {"sources": ["voice*.log"]}), ("log_cluster", {"sort": "rare"})],
    ]
    alone = [[told(desk, *call) for call in calls] for calls in asked]

    with ThreadPoolExecutor(len(asked)) as pool:
        together = list(pool.map(lambda calls: [told(desk, *call) for call in calls * 15], asked))

    assert len({json.dumps(answer) for answers in alone for answer in answers}) == 6
    for answers, expected in zip(together, alone, strict=True):
        assert answers == expected * 15


def told(desk: LazyDesk, name: str, given: dict[str, Any]) -> dict[str, Any]:
    result = answer_call(desk, tools()[name], given)
    assert not result.is_error, result
    return result.structured_content


ODD_URIS = [
    "logpith://evidence/",
    "logpith://evidence/%",
    "logpith://evidence/e1@0000",
    "logpith://evidence/../query-syntax",
]
ODD_URIS += [
    "",
    "\0",
    "LOGPITH://query-syntax",
    "logpith://evidence/" + "x" * 5000,
    "logpith://evidence/%00",
    "http://[",
    "\ud800",
]


@pytest.mark.parametrize("uri", ODD_URIS)
def test_no_odd_address_brings_a_resource_or_an_inside(desk, uri):
    said = read_call(desk, uri)

    assert isinstance(said, str)
    assert len(said) < 500
    assert not INSIDES.search(said)
