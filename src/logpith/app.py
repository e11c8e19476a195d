"""Where all doors meet: whoever asks, the answer is made here, and is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from logpith.answer import Answer, fit

if TYPE_CHECKING:
    from logpith.corpus.desk import Desk
    from logpith.tools import Tool


def ask(tool: Tool, desk: Desk) -> Answer:
    """The tool's answer, within its budget.

    Raises:
        LogpithError: it cannot be answered; the remedy says what to change.
    """
    return fit(tool.answer(desk), tool.budget, tool.cursor_after)
