"""Real servers and outside programs for tests: present, or the test is skipped with its reason, or failed where they
are required.

`outside_program` finds a program that a test runs by itself. The servers that destinations write to are one file each
beside this one, and one pytest fixture each in `fixtures.py`. What they need and no package of the test environment
brings is fetched once, by `python -m tests.services prepare`.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def outside_program(name: str, how_to_get: str) -> str:
    """The path of an outside program; without it the test ends here."""
    tools = os.environ.get("LOGPITH_TEST_TOOLS")
    found = shutil.which(name) or (
        shutil.which(name, path=str(Path(tools) / "node_modules" / ".bin")) if tools else None
    )
    if not found:
        lacking(f"{name} is not here: {how_to_get}")
    return found


def lacking(reason: str) -> NoReturn:
    """Ends a test that lacks something: it is skipped, or fails where nothing may be skipped."""
    if os.environ.get("LOGPITH_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
