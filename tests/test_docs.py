"""The docs tell the truth: their examples run, their links lead somewhere."""

import re
from pathlib import Path

import pytest

from docs import examples, settings
from logpith.query import parse

ROOT = Path(__file__).parents[1]
PAGES = examples.PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A folder with the logs of a demo day."""
    folder = tmp_path_factory.mktemp("docs")
    with examples.inside(folder):
        assert examples.run(examples.DAY).code == 0
    return folder / "day"


@pytest.fixture(autouse=True)
def cache(tmp_path, compiled):
    compiled(tmp_path / "cache")


def pages_with(kind):
    """The pages with a fence of a kind."""
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page in PAGES
        if any(map(kind, examples.fences(page.read_text())))
    ]


@pytest.mark.parametrize("page", pages_with(lambda fence: fence.language == "console"))
def test_a_page_shows_what_its_commands_print(page, tmp_path):
    """`python docs/examples.py` writes it anew."""
    folder = tmp_path / "page"
    folder.mkdir()

    assert examples.session(page.read_text(), folder) == page.read_text()


@pytest.mark.parametrize("page", pages_with(lambda fence: fence.is_run and fence.commands))
def test_the_commands_of_a_page_run(page, day):
    with examples.inside(day):
        for fence in examples.fences(page.read_text()):
            for command in fence.commands if fence.is_run else ():
                done = examples.run(command)

                assert done.code in (0, 1), f"{command}: {done.output}"


@pytest.mark.parametrize(
    "page", pages_with(lambda fence: fence.language == "python" and "import " in fence.body)
)
def test_the_programs_of_a_page_run(page, day, capsys):
    with examples.inside(day):
        for fence in examples.fences(page.read_text()):
            if fence.language == "python":
                exec(compile(fence.body, page, "exec"), {})

    assert any(capsys.readouterr())


def test_each_command_has_its_help_in_the_reference():
    with examples.inside(ROOT):
        listed = examples.run("logpith --help").output.partition("Commands:\n")[2].partition("\n\n")[0]
    names = re.findall(r"^  (\S+)", listed, re.MULTILINE)

    text = (ROOT / "docs" / "reference" / "commands.md").read_text()

    assert names
    assert re.findall(r"^\$ logpith (\S+) --help$", text, re.MULTILINE) == names


def test_the_reference_of_the_settings_is_what_the_code_says():
    """`python docs/settings.py` writes it anew."""
    assert settings.PAGE.read_text(encoding="utf-8") == settings.page()


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
