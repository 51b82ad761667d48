"""Compiled areas of resamples agree with the table of ranks and with repeated cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from stats.scores.ranking import rank_table
from stats.scores.ranking_by_block import areas_by_block


@given(
    seed=st.integers(0, 10_000), n=st.integers(1, 60), levels=st.integers(1, 12),
    rate=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_areas_are_those_of_the_rank_table_with_ties_and_empty_draws(seed, n, levels, rate):
    rng = np.random.default_rng(seed)
    score, outcome = rng.integers(0, levels, n) / levels, rng.random(n) < rate
    block = rng.integers(0, 4, n)
    multiplicity = rng.multinomial(4, np.full(4, 0.25), size=6).astype(float)
    table = rank_table(score, outcome, block=block, n_blocks=4)
    auc, precision = areas_by_block(score, outcome, block, multiplicity)
    np.testing.assert_allclose(auc, table.roc_auc(multiplicity), atol=1e-12)
    np.testing.assert_allclose(precision, table.average_precision(multiplicity), atol=1e-12)


def test_a_draw_is_the_score_of_the_repeated_cases():
    rng = np.random.default_rng(0)
    score = rng.integers(0, 40, 500) / 40
    outcome = rng.random(500) < score
    block = rng.integers(0, 5, 500)
    times = np.array([[0, 2, 1, 1, 1], [1, 1, 1, 1, 1]], dtype=float)
    auc, precision = areas_by_block(score, outcome, block, times)
    for draw in range(2):
        again = np.repeat(np.arange(500), times[draw].astype(int)[block])
        assert auc[draw] == pytest.approx(roc_auc_score(outcome[again], score[again]))
        expected = average_precision_score(outcome[again], score[again])
        assert precision[draw] == pytest.approx(expected)


def test_more_draws_than_one_pass_holds_give_the_same_areas():
    rng = np.random.default_rng(1)
    score, outcome, block = rng.random(200), rng.random(200) < 0.3, rng.integers(0, 7, 200)
    many = rng.multinomial(7, np.full(7, 1 / 7), size=600).astype(float)
    together = areas_by_block(score, outcome, block, many)
    apart = areas_by_block(score, outcome, block, many[550:555])
    np.testing.assert_array_equal(together[0][550:555], apart[0])
    np.testing.assert_array_equal(together[1][550:555], apart[1])


def test_broken_tables_are_refused():
    with pytest.raises(ValueError, match="block"):
        areas_by_block([0.1, 0.2], [0, 1], [0, 2], np.ones((1, 2)))
    with pytest.raises(ValueError, match="multiplicity"):
        areas_by_block([0.1, 0.2], [0, 1], [0, 1], [[1.0, -1.0]])
