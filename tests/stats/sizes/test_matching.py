"""Groups of landslides from overlaps: planted kinds, and properties on random graphs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats.sizes.matching import KINDS, match


def kinds(matching):
    return [KINDS[k] for k in matching.kind]


def test_every_kind_is_told_apart():
    pairs = [[0, 0], [1, 1], [1, 2], [2, 3], [3, 3], [4, 4], [4, 5], [5, 5]]
    shared = [9.0] * len(pairs)
    matching = match(pairs, shared, np.full(7, 10.0), np.full(7, 10.0))
    assert kinds(matching) == ["1:1", "1:n", "n:1", "n:m", "false", "missed"]
    assert {k: matching.count(k) for k in KINDS} == dict.fromkeys(KINDS, 1)
    assert matching.missed.tolist() == [6]
    assert matching.false.tolist() == [6]
    assert matching.n_predicted.tolist() == [1, 1, 2, 2, 1, 0]
    assert matching.n_reference.tolist() == [1, 2, 1, 2, 0, 1]


def test_a_sliver_of_overlap_chains_nothing():
    pairs, areas = [[0, 0], [0, 1], [1, 1]], [100.0, 100.0]
    strict = match(pairs, [80.0, 9.0, 80.0], areas, areas)
    assert kinds(strict) == ["1:1", "1:1"]
    loose = match(pairs, [80.0, 9.0, 80.0], areas, areas, least_overlap=0.05)
    assert kinds(loose) == ["n:m"]


def test_a_small_one_inside_a_large_one_counts():
    matching = match([[0, 0]], [10.0], [10_000.0], [10.0])
    assert kinds(matching) == ["1:1"]


def test_the_main_reference_shares_most():
    matching = match([[0, 0], [0, 1], [0, 2]], [20.0, 50.0, 50.0], [200.0], [60.0, 90.0, 70.0])
    assert matching.main_reference.tolist() == [1]
    assert matching.main_overlap_m2.tolist() == [50.0]


def test_empty_inventories():
    nothing = np.empty((0, 2), int)
    assert kinds(match(nothing, [], [], [5.0, 6.0])) == ["missed", "missed"]
    assert kinds(match(nothing, [], [5.0], [])) == ["false"]
    assert kinds(match(nothing, [], [], [])) == []


@st.composite
def overlap_graphs(draw):
    n, m = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    cells = draw(st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, m - 1)), max_size=20))
    pairs = np.array(sorted(cells), dtype=int).reshape(-1, 2)
    shared = draw(st.lists(st.floats(0.0, 1.0), min_size=len(pairs), max_size=len(pairs)))
    return n, m, pairs, np.asarray(shared)


@given(overlap_graphs())
def test_groups_partition_both_sides_and_swap_with_them(graph):
    n, m, pairs, shared = graph
    matching = match(pairs, shared, np.ones(n), np.ones(m))
    assert matching.n_predicted.sum() == n
    assert matching.n_reference.sum() == m
    assert sum(matching.count(k) for k in KINDS) == matching.kind.size
    # Both ends of a pair that counts lie in one group.
    left, right = matching.pairs.T
    assert (matching.predicted_group[left] == matching.reference_group[right]).all()
    swapped = match(pairs[:, ::-1], shared, np.ones(m), np.ones(n))
    mirror = {"1:n": "n:1", "n:1": "1:n", "missed": "false", "false": "missed"}
    for kind in KINDS:
        assert matching.count(kind) == swapped.count(mirror.get(kind, kind))
    assert (matching.main_reference >= 0).sum() == n - matching.false.size
    lonely = ~np.isin(np.arange(n), left)
    assert (matching.main_overlap_m2[lonely] == 0).all()


@pytest.mark.parametrize(
    ("pairs", "shared", "options", "message"),
    [
        ([[0, 2]], [1.0], {}, "reference landslide 2"),
        ([[-1, 0]], [1.0], {}, "predicted landslide -1"),
        ([[0, 0], [0, 0]], [1.0, 1.0], {}, "twice"),
        ([[0, 0]], [11.0], {}, "shared by outlines"),
        ([[0, 0]], [1.0, 2.0], {}, "shape"),
        ([[0, 0]], [1.0], {"least_overlap": 1.5}, "least_overlap"),
    ],
)
def test_wrong_overlaps_are_refused(pairs, shared, options, message):
    with pytest.raises(ValueError, match=message):
        match(pairs, shared, [10.0, 10.0], [10.0, 10.0], **options)
