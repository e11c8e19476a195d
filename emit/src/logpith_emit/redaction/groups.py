"""Groups of rules, and the fewest questions that tell which of them may match a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache

from logpith_emit.redaction.rule import Rule
from logpith_emit.redaction.runs import has_digit_run, has_word_run

_HAS_RUN: dict[str, Callable[[bytes], bool] | None] = {
    "": None,
    "word": has_word_run,
    "digits": has_digit_run,
}


@lru_cache(maxsize=16)
def groups_of(rules: tuple[Rule, ...]) -> tuple[Group, ...]:
    """All rules, each in one of the groups."""
    return tuple(
        Group([(place, rule) for place, rule in enumerate(rules) if rule.run == run], _HAS_RUN[run])
        for run in ("", "word", "digits")
        if any(rule.run == run for rule in rules)
    )


class Group:
    """Rules that ask for the same run, and the fewest questions that tell which of them may match."""

    def __init__(self, placed: Sequence[tuple[int, Rule]], has_run: Callable[[bytes], bool] | None) -> None:
        self.has_run = has_run
        self.always = [(place, rule) for place, rule in placed if not rule.triggers]
        triggers = {trigger for _, rule in placed for trigger in rule.triggers}
        # Where "private key" is, "key" is: if that is asked for anyway, once is enough.
        asked = [one for one in sorted(triggers) if not any(two in one for two in triggers - {one})]
        self.rules_of = {
            trigger: [(place, rule) for place, rule in placed if any(trigger in one for one in rule.triggers)]
            for trigger in asked
        }
        # Asking for one character takes half as long as asking for a word, and answers for many of them.
        marks = {trigger: next((mark for mark in "_-." if mark in trigger), "") for trigger in asked}
        self.triggers_by_mark = [
            (mark, [trigger for trigger in asked if marks[trigger] == mark])
            for mark in sorted(set(marks.values()))
        ]

    def asking(self, triggers: tuple[str, ...]) -> Group:
        """The same for texts that hold no other trigger."""
        group = copy(self)
        asked = [(mark, [one for one in some if one in triggers]) for mark, some in self.triggers_by_mark]
        group.triggers_by_mark = [(mark, some) for mark, some in asked if some]
        return group
