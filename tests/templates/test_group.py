"""Clusters: alike templates together, unlike kinds apart, all counted."""

from hypothesis import given
from hypothesis import strategies as st

from logpith.templates.group import group

TEXTS = st.lists(
    st.lists(
        st.sampled_from(["user", "login", "<*>", "failed", "disk", "is", "full"]), min_size=1, max_size=6
    ).map(" ".join),
    min_size=1,
    max_size=30,
    unique=True,
)


@given(TEXTS, st.floats(0, 1), st.randoms())
def test_every_template_is_in_one_cluster_and_counts_add_up(texts, threshold, chance):
    counts = [chance.randrange(1, 100) for _ in texts]
    kinds = [chance.randrange(3) for _ in texts]

    clusters = group(texts, counts, kinds, threshold)

    assert sorted(member for cluster in clusters for member in cluster.members) == list(range(len(texts)))
    for cluster in clusters:
        assert cluster.count == sum(counts[member] for member in cluster.members)
        assert {kinds[member] for member in cluster.members} == {kinds[cluster.leader]}
        assert counts[cluster.leader] == max(counts[member] for member in cluster.members)
    assert [cluster.count for cluster in clusters] == sorted(
        (cluster.count for cluster in clusters), reverse=True
    )


def test_a_threshold_of_one_keeps_all_apart_and_zero_joins_each_kind():
    texts = ["a b c", "a b d", "x y z"]

    assert len(group(texts, [3, 2, 1], [0, 0, 0], 1.0)) == 3
    assert len(group(texts, [3, 2, 1], [0, 0, 1], 0.0)) == 2
