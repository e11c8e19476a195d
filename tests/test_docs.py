"""The docs tell the truth: their examples run, their links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from logpith.cli import main
from logpith.query import parse

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("emit/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_story_in_the_readme_is_what_the_command_line_prints(tmp_path, monkeypatch, capsys):
    block = re.search(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    commands = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
    shown = block.split(f"$ {commands[-1]}\n")[1].rstrip("\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))
    for command in commands:
        name, *words = shlex.split(command)
        if name == "cd":
            monkeypatch.chdir(words[0])
            continue
        words = [
            file
            for word in words
            for file in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
        ]
        capsys.readouterr()
        assert main(words) == 0

    printed = re.sub(r"@[0-9a-f]{8}", "@…", capsys.readouterr().out)

    assert printed.startswith(shown)


def queries():
    text = (ROOT / "docs" / "reference" / "query.md").read_text()
    return [row[1] for row in re.finditer(r"^\| `([^`]+)` \|", text, re.MULTILINE)]


@pytest.mark.parametrize("query", queries())
def test_each_query_of_the_reference_is_read_and_written_back(query):
    tree = parse(query, now_ns=10**18, end_ns=10**18)

    assert parse(str(tree), now_ns=10**18, end_ns=10**18) == tree


def test_the_readme_has_the_two_commands():
    text = (ROOT / "README.md").read_text()
    script = (ROOT / ".ci" / "run").read_text()

    assert "python3 -m pip install ./emit . && logpith demo" in text
    assert "python3 -m pip install -e ./emit -e '.[test,dev]' && python3 -m pytest" in text
    assert "-e ./emit -e '.[test,dev]'" in script
    assert script.rstrip().endswith("python3 -m pytest")
