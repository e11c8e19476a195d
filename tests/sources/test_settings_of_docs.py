"""The settings that the docs show are settings."""

import re
import tomllib
from pathlib import Path

import pytest

from logpith.component import configure
from logpith.sources import source_types

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "collect.md"


def shown():
    for block in re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        for name, table in tomllib.loads(block)["sources"].items():
            yield pytest.param(table, id=name)


@pytest.mark.parametrize("table", list(shown()))
def test_a_source_that_the_page_shows_can_be_built(table):
    kind = table.pop("type")

    assert configure(source_types()[kind], table, "sources.x").type == kind


def test_the_page_tells_of_every_kind():
    text = PAGE.read_text()

    assert [name for name in source_types() if f"| `{name}` |" not in text] == []
