"""The exam of the overview: does it show the line that names the cause among the first suspects?"""

from dataclasses import dataclass
from pathlib import Path

from logpith.answer import Answer
from logpith.app import ask
from logpith.corpus.desk import Desk
from logpith.demo import Day, Truth, write_day
from logpith.demo.incidents import Incident
from logpith.timerange import parse_time
from logpith.tools import tools

END_NS = parse_time("2026-11-20T22:00:00Z", now_ns=0)
LINES = 20_000
SEEDS = (7, 11)
ENOUGH = 3
"""The cause is found when it is among so many suspects."""


@dataclass(frozen=True)
class Exam:
    """A day, and what the overview says of it."""

    truth: Truth
    answer: Answer

    @property
    def place(self) -> int | None:
        """The place of the first suspect that names the cause, the first being 1; None when no suspect does."""
        suspects = [item for item in self.answer.items if item["kind"] == "suspect"]
        for place, (item, line) in enumerate(zip(suspects, self.answer.evidence, strict=False), 1):
            if self.truth.cause in str(item["template"]) or self.truth.cause in line.text:
                return place
        return None

    @property
    def suspects(self) -> str:
        """What it names instead, for who reads why a test fails."""
        lines = [
            f"{item['why']}: {item['template']}" for item in self.answer.items if item["kind"] == "suspect"
        ]
        return "\n".join([self.answer.summary, *lines])


def sit_exam(folder: Path, incident: type[Incident], seed: int) -> Exam:
    """Writes a day on which that goes wrong, and asks for the overview as anybody would."""
    truth = write_day(Day(lines=LINES, seed=seed, end_ns=END_NS), folder, incident=incident)
    answer = ask(tools()["log_overview"](sources=(str(folder / "*.log"),)), Desk())
    return Exam(truth, answer)
