"""Matching blocks: weights, the least block and the choice of blocks decide what a line shares with a cluster."""

import pytest

from logpith.templates.blocks import BlockMiner, TokenWeights, longest


def templates_of(miner, *lines):
    for line in lines:
        miner.add(line)
    return [cluster.template for cluster in miner.get_stats()]


def test_beyond_the_most_clusters_a_line_joins_the_nearest():
    miner = BlockMiner(most_clusters=2, threshold=0.9)

    assert templates_of(miner, "tea is hot", "rain fell down", "tea was cold") == [
        "tea <*>",
        "rain fell down",
    ]


def test_numbers_that_weigh_nothing_make_nothing_alike():
    weightless = TokenWeights(number=0.0)

    assert len(templates_of(BlockMiner(weights=weightless), "7 8 9", "7 8 9 10")) == 2
    assert len(templates_of(BlockMiner(), "7 8 9", "7 8 9 10")) == 1


def test_blocks_that_are_too_short_are_not_shared():
    lines = ("open file anna now", "open disk anna then")

    assert templates_of(BlockMiner(least_block=1), *lines) == ["open <*> anna <*>"]
    assert templates_of(BlockMiner(least_block=2, threshold=0.2), *lines) == ["open <*> anna <*>"]
    assert len(templates_of(BlockMiner(least_block=4, threshold=0.2), *lines)) == 2


def test_the_choice_decides_between_a_long_block_and_a_heavy_one():
    lines = ("a,b;1:2.3 then session opened", "then session opened a,b;1:2.3")
    light = TokenWeights(number=0.1, word=1.0, sign=0.0)

    by_weight = templates_of(BlockMiner(weights=light, threshold=0.1), *lines)
    by_length = templates_of(BlockMiner(weights=light, threshold=0.1, choice=longest), *lines)

    assert by_weight != by_length


def test_a_very_long_line_takes_no_time_to_speak_of():
    miner = BlockMiner()

    templates_of(miner, "a b " * 50_000, "a c " * 50_000)

    assert sum(cluster.count for cluster in miner.get_stats()) == 2


@pytest.mark.parametrize("wrong", [{"most_clusters": 0}, {"least_block": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="1 or more"):
        BlockMiner(**wrong)
