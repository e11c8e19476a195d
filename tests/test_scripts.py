"""Scripts show what a query finds, for readers who know no Python: `tests/scripts/*.test`.

    load            lines of a log, each behind a letter
    ask  QUERY      and below it the letters of the lines that match, or the error

`pytest --golden` writes the answers anew; whoever reviews the change reads the difference.
"""

from pathlib import Path

import pytest

from logpith.app import ask
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.corpus.selection import select_records
from logpith.tools import tools
from logpith_emit.errors import LogpithError

FOLDER = Path(__file__).parent / "scripts"
SCRIPTS = sorted(FOLDER.glob("*.test"))
NOTHING = "nothing"


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_queries_find_what_the_script_says(script, tmp_path, request):
    told = run(script.read_text(), tmp_path)

    if request.config.getoption("--golden"):
        script.write_text(told)
    assert told == script.read_text()


def test_there_are_enough_of_them():
    asked = [
        line for script in SCRIPTS for line in script.read_text().splitlines() if line.startswith("ask ")
    ]

    assert len(set(asked)) >= 60


def run(script: str, folder: Path) -> str:
    """The script with the answers that are given now."""
    lines = script.splitlines()
    written: list[str] = []
    letters: list[str] = []
    path = folder / "app.log"
    mode = ""
    desk = Desk()
    for line in lines:
        if line.startswith("  "):
            if mode == "load":
                letter, _, text = line.strip().partition("  ")
                letters.append(letter)
                with path.open("a") as file:
                    file.write(f"{text}\n")
                written.append(line)
            continue
        mode, _, rest = line.partition(" ")
        written.append(line)
        if mode == "ask":
            written.append(f"  {answer(desk, path, letters, rest.strip())}")
        elif mode == "load":
            path.write_text("")
            letters = []
    return "\n".join(written) + "\n"


def answer(desk: Desk, path: Path, letters: list[str], query: str) -> str:
    """The letters of the lines that match; the tool must count as many."""
    try:
        corpus = desk.open([str(path)])
        found = select_records(corpus, query, "", "", desk.now_ns()).records
        told = ask(
            build(tools()["search_logs"], {"sources": [str(path)], "query": query, "budget": 20_000}), desk
        )
    except LogpithError as error:
        return f"error: {error.problem.splitlines()[0]}"
    total = sum(told.items[0]["services"].values()) if told.items else 0
    assert total == len(found)
    return " ".join(letters[int(corpus.first_line[record]) - 1] for record in found.tolist()) or NOTHING
