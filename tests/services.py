"""Outside programs for tests: present, or the test is skipped with its reason, or failed where they are required."""

import os
import shutil
from pathlib import Path

import pytest


def outside_program(name: str, how_to_get: str) -> str:
    """The path of an outside program; without it the test ends here."""
    tools = os.environ.get("LOGPITH_TEST_TOOLS")
    found = shutil.which(name) or (
        shutil.which(name, path=str(Path(tools) / "node_modules" / ".bin")) if tools else None
    )
    if found:
        return found
    missing = f"{name} is not here: {how_to_get}"
    if os.environ.get("LOGPITH_REQUIRE_SERVICES") == "1":
        pytest.fail(missing)
    pytest.skip(missing)
