"""Templates against Drain3 (its defaults), by the labels of eight sets of 2,000 lines.

Scored by the scorer beside the samples: GA and FGA for grouping, PA and FTA for the texts. `Content` is the message
without its header, each line a whole body (`--format raw`); raw lines are read as anybody's file. On raw lines
texts cannot be compared where the truth has no header, so only GA and FGA count there.
"""

from __future__ import annotations

import csv
import importlib.util
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import Row, Setting
from benchmarks.measuring import LOGPITH, run

SETS = ("Apache", "BGL", "HDFS", "HPC", "Linux", "OpenSSH", "Spark", "Zookeeper")
FIGURES = ("GA", "PA", "FGA", "FTA")
Score = Callable[[Sequence[str], Sequence[str]], dict[str, float]]


def measure(setting: Setting) -> Iterator[Row]:
    """A row for each set and one for the mean, on `Content`; the mean on raw lines."""
    if setting.shared is None or not (setting.shared / "data" / "loghub").is_dir():
        setting.say(
            "templates_accuracy: no labelled samples here, left out (name their folder with --shared)"
        )
        return
    csv.field_size_limit(1 << 27)
    score = _scorer(setting.shared)
    scores: dict[str, list[dict[str, float]]] = {"ours": [], "drain3": [], "raw": [], "drain3 raw": []}
    for name in SETS:
        log = setting.shared / "data" / "loghub" / name / f"{name}_2k.log"
        truth = _column(Path(f"{log}_structured_corrected.csv"), "EventTemplate")
        contents = _column(Path(f"{log}_structured_corrected.csv"), "Content")
        bodies = setting.folder / f"{name}.content"
        bodies.write_text("".join(f"{content}\n" for content in contents), encoding="utf-8")
        scores["ours"].append(score(_labels(setting, bodies, raw=True), truth))
        scores["drain3"].append(score(_drain3(contents), truth))
        scores["raw"].append(score(_labels(setting, log, raw=False), truth))
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        scores["drain3 raw"].append(score(_drain3(lines), truth))
        yield _row(f"{name}, Content, GA/PA/FGA/FTA", scores["ours"][-1:], scores["drain3"][-1:], FIGURES)
    yield _row("**mean, Content**, GA/PA/FGA/FTA", scores["ours"], scores["drain3"], FIGURES)
    yield _row("**mean, raw lines**, GA/FGA", scores["raw"], scores["drain3 raw"], ("GA", "FGA"))


def _row(
    what: str, ours: list[dict[str, float]], peer: list[dict[str, float]], figures: Sequence[str]
) -> Row:
    means = [[sum(one[figure] for one in some) / len(some) for figure in figures] for some in (ours, peer)]
    shown = [" / ".join(f"{mean:.3f}" for mean in some) for some in means]
    ratio = " / ".join(f"{a / b:.2f}" if b else "-" for a, b in zip(*means, strict=True))
    return Row(what, shown[0], f"Drain3 {shown[1]}", ratio)


def _labels(setting: Setting, log: Path, *, raw: bool) -> list[str]:
    out = setting.folder / "labels.csv"
    run([*LOGPITH, "cluster", str(log), "--labels", str(out), *(("--format", "raw") if raw else ())])
    return _column(out, "EventTemplate")


def _column(path: Path, name: str) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row[name] for row in csv.DictReader(file)]


def _drain3(lines: Sequence[str]) -> list[str]:
    from drain3 import TemplateMiner  # noqa: PLC0415  a peer need not be here
    from drain3.template_miner_config import TemplateMinerConfig  # noqa: PLC0415

    logging.disable(logging.INFO)
    miner = TemplateMiner(config=TemplateMinerConfig())
    clusters = [miner.add_log_message(line)["cluster_id"] for line in lines]
    texts = {
        cluster.cluster_id: re.sub(r"<[^<> ]+>", "<*>", cluster.get_template())
        for cluster in miner.drain.clusters
    }
    return [texts[cluster] for cluster in clusters]


def _scorer(shared: Path) -> Score:
    path = shared / "tools" / "score_templates.py"
    spec = importlib.util.spec_from_file_location("score_templates", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    score: Score = module.score
    return score
