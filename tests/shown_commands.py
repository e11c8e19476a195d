"""Commands that the documentation shows, for tests that run them as they stand there."""

import re
import shlex
from pathlib import Path

DESTINATIONS = Path(__file__).parents[1] / "docs" / "how-to" / "destinations.md"


def shown_command(program: str) -> list[str]:
    """The words of the first command of a program on the page of destinations."""
    shown = re.search(
        rf"(?:^|`)({re.escape(program)} [^`\n]+)", DESTINATIONS.read_text("utf-8"), re.MULTILINE
    )
    assert shown, f"{DESTINATIONS} shows no {program}"
    return shlex.split(shown[1])
