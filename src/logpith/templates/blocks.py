"""Clusters by matching blocks: a line joins the cluster with which it shares the heaviest runs of tokens.

What is shared stays, what is not becomes `<*>`. After the matching blocks of Ratcliff and Obershelp (as in Python's
difflib), on tokens instead of characters, with three things to set: what a token weighs, how short a block may be, and
which of several blocks is taken first. Each line is compared with each cluster, so this is for thousands of lines; a
`TemplateMiner` is for millions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from logpith.templates.clusterer import LineCluster, Span
from logpith.templates.mine import template_id

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_DIGIT = re.compile(r"\d")
_MOST_EXAMPLES = 5
# Comparing takes time with the square of the tokens: what stands behind these is one token.
_MOST_TOKENS = 200

Token = str | None
"""A piece of a template; None for `<*>`."""


class Block(NamedTuple):
    """A run of tokens that a template and a line share."""

    at: int
    """In the template."""

    there: int
    """In the line."""

    length: int
    weight: float


BlockChoice = Callable[[Block], float]
"""Says which block is taken first: the one for which this is largest, and the longest of those."""


def heaviest(block: Block) -> float:
    """Takes the block with the weightiest tokens first."""
    return block.weight


def longest(block: Block) -> float:
    """Takes the block with most tokens first, blanks and signs counted."""
    return block.length


@dataclass(frozen=True)
class TokenWeights:
    """What tokens weigh when lines are compared. Blanks weigh nothing."""

    word: float = 1.0
    number: float = 0.3
    """Of a token with a digit: a value more often than not."""

    sign: float = 0.1

    def of(self, token: Token) -> float:
        """The weight of a token."""
        if token is None or token.isspace():
            return 0.0
        if _DIGIT.search(token):
            return self.number
        return self.word if token[0].isalnum() or token[0] == "_" else self.sign


@dataclass
class _Growing:
    """A cluster while lines come in."""

    id: str
    pattern: list[Token]
    count: int = 0
    examples: list[str] = field(default_factory=list)
    span: Span = field(default_factory=Span)


class BlockMiner:
    """A `clusterer.Miner` that compares each line with the clusters there are.

    A line joins the most similar cluster from `threshold` on, else it founds one. Beyond `most_clusters` it joins the
    most similar whatever the threshold: no line is dropped.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.4,
        most_clusters: int = 1_000,
        weights: TokenWeights | None = None,
        least_block: int = 1,
        choice: BlockChoice = heaviest,
    ) -> None:
        if most_clusters < 1 or least_block < 1:
            raise ValueError("most_clusters and least_block are 1 or more")
        self._threshold = threshold
        self._most_clusters = most_clusters
        self._weights = weights or TokenWeights()
        self._least_block = least_block
        self._choice = choice
        self._clusters: dict[str, _Growing] = {}

    def add(self, line: str, timestamp: int | None = None) -> str:
        """See `clusterer.Miner.add`."""
        found = self._nearest(line)
        is_full = len(self._clusters) >= self._most_clusters
        if found and (is_full or (found[0] > 0 and found[0] >= self._threshold)):
            return self._join(found[1], line, timestamp)
        name = next(name for name in _names(line) if name not in self._clusters)
        self._clusters[name] = _Growing(name, list(_tokens(line)))
        return self._join(self._clusters[name], line, timestamp)

    def try_add(self, line: str, threshold: float, timestamp: int | None = None) -> str | None:
        """See `clusterer.Miner.try_add`."""
        found = self._nearest(line)
        if found is None or found[0] <= 0 or found[0] < threshold:
            return None
        return self._join(found[1], line, timestamp)

    def similarity(self, line: str) -> float:
        """See `clusterer.Miner.similarity`."""
        found = self._nearest(line)
        return found[0] if found else 0.0

    def get_cluster(self, id: str) -> LineCluster:
        """See `clusterer.Miner.get_cluster`."""
        growing = self._clusters[id]
        text = "".join("<*>" if token is None else token for token in growing.pattern)
        return LineCluster(
            id=growing.id,
            template=text.strip(),
            static_parts=tuple(part for part in _static_parts(growing.pattern) if part),
            count=growing.count,
            examples=tuple(growing.examples),
            first=growing.span.first,
            last=growing.span.last,
        )

    def get_stats(self) -> tuple[LineCluster, ...]:
        """See `clusterer.Miner.get_stats`."""
        return tuple(
            sorted(map(self.get_cluster, self._clusters), key=lambda one: (-one.count, one.template))
        )

    def _nearest(self, line: str) -> tuple[float, _Growing] | None:
        """The most similar cluster, the largest of several, and how similar it is."""
        tokens = _tokens(line)
        known = {token for token in tokens if self._weights.of(token) > 0}
        best: tuple[float, _Growing] | None = None
        for cluster in sorted(self._clusters.values(), key=lambda one: -one.count):
            if _holds(cluster.pattern, line):
                return 1.0, cluster
            found = 0.0 if known.isdisjoint(cluster.pattern) else self._likeness(cluster.pattern, tokens)
            if best is None or found > best[0]:
                best = (found, cluster)
        return best

    def _likeness(self, pattern: Sequence[Token], tokens: Sequence[str]) -> float:
        weight = sum(map(self._weights.of, pattern))
        blocks = self._blocks(pattern, tokens)
        shared = sum(block.weight for block in blocks)
        if not shared:
            return 0.0
        # What stands where the template has a value costs nothing.
        open_weight = sum(
            sum(map(self._weights.of, tokens[start:stop]))
            for where, (start, stop) in _gaps(blocks, len(pattern), len(tokens))
            if pattern[slice(*where)] and all(token is None for token in pattern[slice(*where)])
        )
        return shared / max(weight, sum(map(self._weights.of, tokens)) - open_weight)

    def _join(self, cluster: _Growing, line: str, timestamp: int | None) -> str:
        if not _holds(cluster.pattern, line):
            tokens = _tokens(line)
            pattern: list[Token] = []
            blocks = self._blocks(cluster.pattern, tokens)
            gaps = _gaps(blocks, len(cluster.pattern), len(tokens))
            for (where, there), block in zip(gaps, [*blocks, None], strict=True):
                if where[0] < where[1] or there[0] < there[1]:
                    pattern.append(None)
                if block:
                    pattern += cluster.pattern[block.at : block.at + block.length]
            cluster.pattern = pattern
        cluster.count += 1
        cluster.span.take(timestamp, timestamp)
        if len(cluster.examples) < _MOST_EXAMPLES and line not in cluster.examples:
            cluster.examples.append(line)
        return cluster.id

    def _blocks(self, pattern: Sequence[Token], tokens: Sequence[str]) -> list[Block]:
        """The blocks that both share, none crossing another, in their order."""
        found: list[Block] = []
        regions = [(0, len(pattern), 0, len(tokens))]
        while regions:
            start, stop, there, end = regions.pop()
            block = self._best_block(pattern, tokens, (start, stop, there, end))
            if block:
                found.append(block)
                regions.append((start, block.at, there, block.there))
                regions.append((block.at + block.length, stop, block.there + block.length, end))
        return sorted(found)

    def _best_block(
        self, pattern: Sequence[Token], tokens: Sequence[str], region: tuple[int, int, int, int]
    ) -> Block | None:
        start, stop, there, end = region
        places: dict[str, list[int]] = {}
        for place in range(there, end):
            places.setdefault(tokens[place], []).append(place)
        best: Block | None = None
        # For each place in the line the length and weight of the run that ends there and at the token before.
        runs: dict[int, tuple[int, float]] = {}
        for at in range(start, stop):
            token = pattern[at]
            longer: dict[int, tuple[int, float]] = {}
            for place in places.get(token, ()) if token is not None else ():
                length, weight = runs.get(place - 1, (0, 0.0))
                run = longer[place] = (length + 1, weight + self._weights.of(token))
                block = Block(at - run[0] + 1, place - run[0] + 1, *run)
                may_be = run[0] >= self._least_block and run[1] > 0
                # Of equals the longer: the blanks beside a word are shared too.
                if may_be and (best is None or self._rank(block) > self._rank(best)):
                    best = block
            runs = longer
        return best

    def _rank(self, block: Block) -> tuple[float, int]:
        return self._choice(block), block.length


def _tokens(line: str) -> list[str]:
    found = _TOKEN.findall(line)
    return [*found[:_MOST_TOKENS], "".join(found[_MOST_TOKENS:])] if len(found) > _MOST_TOKENS else found


def _static_parts(pattern: Sequence[Token]) -> Iterator[str]:
    """The text before, between and behind the values: one part more than there are values."""
    part: list[str] = []
    for token in pattern:
        if token is None:
            yield "".join(part)
            part = []
        else:
            part.append(token)
    yield "".join(part)


def _holds(pattern: Sequence[Token], line: str) -> bool:
    """Whether a line is the template with some values; never for a template of values alone."""
    first, *others = _static_parts(pattern)
    if not others:
        return line == first
    *middle, last = others
    if not any((first, *others)) or not line.startswith(first):
        return False
    place = len(first)
    for part in middle:
        place = line.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return line.endswith(last) and len(line) - len(last) >= place


def _gaps(
    blocks: Sequence[Block], length: int, tokens: int
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """What stands before, between and behind the blocks, in the template and in the line."""
    at, there = 0, 0
    for block in blocks:
        yield (at, block.at), (there, block.there)
        at, there = block.at + block.length, block.there + block.length
    yield (at, length), (there, tokens)


def _names(line: str) -> Iterator[str]:
    yield template_id(line)
    turn = 2
    while True:
        yield template_id(f"{line}\0{turn}")
        turn += 1
