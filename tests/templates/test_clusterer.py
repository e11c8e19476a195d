"""Miners of lines: all of them keep the same promises."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.templates.blocks import BlockMiner, TokenWeights, longest
from logpith.templates.clusterer import Miner, TemplateMiner

MINERS = {
    "templates": TemplateMiner,
    "blocks": BlockMiner,
    "blocks, longest first": partial(BlockMiner, choice=longest, least_block=3),
    "blocks, words only": partial(BlockMiner, weights=TokenWeights(number=0.0, sign=0.0), threshold=0.7),
}
WORDS = st.sampled_from(
    [
        "user",
        "anna",
        "bert",
        "carl",
        "dora",
        "login",
        "from",
        "10.0.0.7",
        "42",
        "(ok)",
        "x=",
        "=y",
        "\t",
        "ä",
        "<*>",
    ]
)
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), min_size=1, max_size=30)
ANY_LINES = st.lists(st.text(max_size=12).filter(str.strip), min_size=1, max_size=8)


each_miner = pytest.mark.parametrize("make", MINERS.values(), ids=MINERS)


@each_miner
@given(lines=LINES | ANY_LINES)
def test_every_line_is_counted_and_every_id_leads_to_a_cluster(make, lines):
    miner: Miner = make()

    ids = [miner.add(line, timestamp) for timestamp, line in enumerate(lines)]

    clusters = miner.get_stats()
    assert sum(cluster.count for cluster in clusters) == len(lines)
    assert [cluster.count for cluster in clusters] == sorted(
        (cluster.count for cluster in clusters), reverse=True
    )
    assert {miner.get_cluster(name) for name in ids} == set(clusters)
    assert len({cluster.id for cluster in clusters}) == len(clusters)
    assert min(cluster.first for cluster in clusters) == 0
    assert max(cluster.last for cluster in clusters) == len(lines) - 1
    for cluster in clusters:
        assert miner.get_cluster(cluster.id) == cluster
        assert 1 <= len(cluster.examples) <= 5
        assert set(cluster.examples) <= set(lines)
        assert "<*>".join(cluster.static_parts).strip() in cluster.template


@each_miner
@given(lines=LINES, other=LINES)
def test_ids_that_were_shown_still_lead_somewhere_after_more_lines(make, lines, other):
    miner: Miner = make()
    shown = [miner.add(line) for line in lines]
    shown += [cluster.id for cluster in miner.get_stats()]

    shown += [miner.add(line) for line in other]

    assert {miner.get_cluster(name) for name in shown} <= set(miner.get_stats())


@each_miner
@given(lines=LINES)
def test_a_line_that_comes_again_is_where_it_was(make, lines):
    miner: Miner = make()
    first = [miner.add(line) for line in lines]

    again = [miner.add(line) for line in lines[-1:]]

    assert miner.get_cluster(again[0]) == miner.get_cluster(first[-1])


@each_miner
@given(lines=LINES, line=LINES.map(lambda lines: lines[0]), threshold=st.floats(0, 1))
def test_a_line_is_tried_on_the_nearest_cluster_or_left_out(make, lines, line, threshold):
    miner: Miner = make()
    for one in lines:
        miner.add(one)
    likeness, before = miner.similarity(line), miner.get_stats()

    name = miner.try_add(line, threshold)

    assert 0 <= likeness <= 1
    if name is None:
        assert likeness < threshold or likeness == 0
        assert miner.get_stats() == before
    else:
        assert likeness >= threshold
        assert sum(cluster.count for cluster in miner.get_stats()) == len(lines) + 1
        assert miner.get_cluster(name).count >= 1


@each_miner
def test_a_line_like_those_of_a_cluster_is_as_similar_as_can_be(make):
    miner: Miner = make()
    for name in ("anna", "bert", "carl", "dora", "emil"):
        miner.add(f"session opened for user {name} by root")

    assert miner.similarity("session opened for user anna by root") == 1
    assert miner.similarity("session opened for user fritz by root") > 0.8
    assert miner.similarity("zzz") == 0
    assert miner.try_add("zzz", 0.0) is None


@each_miner
def test_what_is_shared_stays_and_what_is_not_becomes_a_value(make):
    miner: Miner = make()
    ids = [
        miner.add(f"the call {number} to voice finished in {number * 7} ms now") for number in range(11, 16)
    ]

    (cluster,) = miner.get_stats()

    assert cluster.template == "the call <*> to voice finished in <*> ms now"
    assert cluster.static_parts == ("the call ", " to voice finished in ", " ms now")
    assert cluster.count == 5
    assert (cluster.first, cluster.last) == (None, None)
    assert {miner.get_cluster(name).id for name in ids} == {cluster.id}


@each_miner
def test_a_miner_without_lines_has_nothing(make):
    miner: Miner = make()

    assert miner.get_stats() == ()
    assert miner.similarity("a") == 0
    assert miner.try_add("a", 0.0) is None
    with pytest.raises(KeyError):
        miner.get_cluster("0123456789ab")


@given(lines=LINES, chance=st.randoms())
def test_templates_do_not_depend_on_the_order_of_lines(lines, chance):
    shuffled = list(lines)
    chance.shuffle(shuffled)
    miners = []
    for order in (lines, shuffled):
        miners.append(TemplateMiner())
        for line in order:
            miners[-1].add(line)

    first, second = ([(one.template, one.count) for one in miner.get_stats()] for miner in miners)

    assert first == second
