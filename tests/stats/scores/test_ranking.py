"""ROC and precision-recall: scikit-learn with ties and weights, invariances, block resamples."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from stats.case_arrays import UndefinedScoreError
from stats.scores import ranking
from stats.scores.ranking import average_precision, rank_curves, rank_table, roc_auc

TIED = arrays.arrays(np.float64, 15, elements=some.sampled_from([-1.0, 0.0, 0.25, 0.5, 3.0]))
OUTCOMES = arrays.arrays(np.bool_, 15)
WEIGHTS = arrays.arrays(np.int64, 15, elements=some.integers(0, 3))


@given(score=TIED, y=OUTCOMES, w=WEIGHTS)
def test_areas_agree_with_scikit_learn_under_ties_and_weights(score, y, w):
    assume((w * y).any() and (w * ~y).any())
    kept = w > 0  # scikit-learn keeps thresholds of weight 0
    expected = roc_auc_score(y[kept], score[kept], sample_weight=w[kept])
    assert roc_auc(score, y, weights=w) == pytest.approx(expected, abs=1e-12)
    expected = average_precision_score(y[kept], score[kept], sample_weight=w[kept])
    assert average_precision(score, y, weights=w) == pytest.approx(expected, abs=1e-12)


@given(score=TIED, y=OUTCOMES, seed=some.integers(0, 1000))
def test_areas_ignore_order_of_cases_and_increasing_changes(score, y, seed):
    assume(y.any() and not y.all())
    order = np.random.default_rng(seed).permutation(15)
    auc, ap = roc_auc(score, y), average_precision(score, y)
    assert roc_auc(score[order], y[order]) == pytest.approx(auc, abs=1e-12)
    assert average_precision(score[order], y[order]) == pytest.approx(ap, abs=1e-12)
    assert roc_auc(np.exp(score), y) == pytest.approx(auc, abs=1e-12)
    assert roc_auc(-score, y) == pytest.approx(1.0 - auc, abs=1e-12)
    assert roc_auc(score, ~y) == pytest.approx(1.0 - auc, abs=1e-12)


@given(score=TIED, y=OUTCOMES)
def test_area_is_the_share_of_pairs_won_with_ties_as_halves(score, y):
    assume(y.any() and not y.all())
    gap = score[y][:, None] - score[~y][None, :]
    assert roc_auc(score, y) == pytest.approx(np.mean((gap > 0) + 0.5 * (gap == 0)), abs=1e-12)


def test_known_limits():
    y = np.array([0, 0, 0, 1, 1])
    assert roc_auc(y, y) == average_precision(y, y) == 1.0
    assert roc_auc(np.zeros(5), y) == 0.5
    assert average_precision(np.zeros(5), y) == pytest.approx(0.4)


@given(score=TIED, y=OUTCOMES, block=arrays.arrays(np.int64, 15, elements=some.integers(0, 3)))
def test_block_multiplicities_are_repetitions_of_the_cases_of_a_block(score, y, block):
    table = rank_table(score, y, block=block, n_blocks=4)
    times = np.random.default_rng(12).multinomial(4, np.full(4, 0.25), size=6)
    aucs = table.roc_auc(times.astype(float))
    aps = table.average_precision(times.astype(float))
    for row, auc, ap in zip(times, aucs, aps, strict=True):
        index = np.repeat(np.arange(15), row[block])
        if y[index].any():
            expected = average_precision_score(y[index], score[index])
            assert ap == pytest.approx(expected, abs=1e-12)
        else:
            assert np.isnan(ap)
        if y[index].any() and not y[index].all():
            assert auc == pytest.approx(roc_auc_score(y[index], score[index]), abs=1e-12)
        else:
            assert np.isnan(auc)


def test_chunks_of_draws_do_not_change_the_areas(monkeypatch):
    rng = np.random.default_rng(13)
    score, y = rng.random(500), rng.random(500) < 0.3
    table = rank_table(score, y, block=rng.integers(0, 9, 500))
    times = rng.multinomial(9, np.full(9, 1 / 9), size=50).astype(float)
    whole = table.roc_auc(times), table.average_precision(times)
    monkeypatch.setattr(ranking, "_LARGEST_PRODUCT", 700)
    np.testing.assert_array_equal(table.roc_auc(times), whole[0])
    np.testing.assert_array_equal(table.average_precision(times), whole[1])


def test_curves_agree_with_scikit_learn_and_with_the_areas():
    rng = np.random.default_rng(14)
    score = rng.integers(0, 20, 800) / 20
    y = rng.random(800) < score
    curves = rank_curves(score, y)
    fpr, tpr, _ = roc_curve(y, score, drop_intermediate=False)
    np.testing.assert_allclose(curves.false_positive_rate, fpr)
    np.testing.assert_allclose(curves.recall, tpr)
    area = np.trapezoid(curves.recall, curves.false_positive_rate)
    assert area == pytest.approx(roc_auc(score, y))
    gain = np.diff(curves.recall)
    assert np.sum(gain * curves.precision[1:]) == pytest.approx(average_precision(score, y))


def test_undefined_areas_and_bad_input_are_errors():
    with pytest.raises(UndefinedScoreError, match="with and without"):
        roc_auc([0.1, 0.2], [1, 1])
    with pytest.raises(UndefinedScoreError, match="needs an event"):
        average_precision([0.1, 0.2], [0, 0])
    with pytest.raises(UndefinedScoreError, match="with and without"):
        rank_curves([0.1, 0.2], [0, 0])
    with pytest.raises(ValueError, match="score: found 1 of 2"):
        roc_auc([0.1, np.nan], [0, 1])
    with pytest.raises(ValueError, match="block: found numbers -1"):
        rank_table([0.1, 0.2], [0, 1], block=[-1, 0])
    with pytest.raises(ValueError, match="expected \\(draw, 2\\)"):
        rank_table([0.1, 0.2], [0, 1], block=[0, 1]).roc_auc(np.ones((3, 5)))
