"""Block bootstrap: agreement with repeating cases, pairing, infinities, undefined draws."""

import numpy as np
import pytest

from stats.case_arrays import UndefinedScoreError
from stats.resampling.block_bootstrap import (
    difference,
    draw_blocks,
    draw_epochs,
    draw_spatial_blocks,
    mean_of,
    ratio_of,
    statistic_of_sums,
    statistic_of_weights,
)
from stats.resampling.interval import interval_of_draws
from stats.scores.contingency import count_terms, f1_of_counts
from stats.scores.point import moment_terms, pearson_of_sums, pearson_r
from stats.scores.ranking import average_precision, rank_table, roc_auc


@pytest.fixture
def cases():
    rng = np.random.default_rng(20)
    n = 600
    block = rng.integers(0, 12, n) * 5 + 3
    score = rng.random(n)
    y = rng.random(n) < score
    drawn = draw_blocks(block, draws=40, rng=np.random.default_rng(1), unit="20 km block")
    return drawn, score, y


def repeated(drawn, row):
    return np.repeat(np.arange(drawn.block.size), row[drawn.block].astype(int))


def test_every_statistic_of_draws_is_the_statistic_of_the_repeated_cases(cases):
    drawn, score, y = cases
    error = (score - y) ** 2
    fast = {
        "mean": mean_of(error, drawn.block),
        "subset": mean_of(error, drawn.block, weights=score > 0.5),
        "ratio": ratio_of(score, y, drawn.block),
        "f1": statistic_of_sums(count_terms(score > 0.4, y), drawn.block, f1_of_counts),
        "r": statistic_of_sums(moment_terms(score, y * score), drawn.block, pearson_of_sums),
        "auc": rank_table(score, y, block=drawn.block).roc_auc,
        "ap": rank_table(score, y, block=drawn.block).average_precision,
        "general": statistic_of_weights(lambda w: roc_auc(score, y, weights=w), drawn.block),
    }
    slow = {
        "mean": lambda i: error[i].mean(),
        "subset": lambda i: error[i][score[i] > 0.5].mean(),
        "ratio": lambda i: score[i].sum() / y[i].sum(),
        "f1": lambda i: float(f1_of_counts(count_terms(score[i] > 0.4, y[i]).sum(axis=0))),
        "r": lambda i: pearson_r(score[i], (y * score)[i]),
        "auc": lambda i: roc_auc(score[i], y[i]),
        "ap": lambda i: average_precision(score[i], y[i]),
        "general": lambda i: roc_auc(score[i], y[i]),
    }
    for name, statistic in fast.items():
        expected = [slow[name](repeated(drawn, row)) for row in drawn.multiplicity]
        np.testing.assert_allclose(statistic(drawn.multiplicity), expected, rtol=1e-9, err_msg=name)


def test_record_names_what_was_resampled(cases):
    drawn, score, y = cases
    result = drawn.interval(mean_of((score - y) ** 2, drawn.block), level=0.9)
    assert (result.n, result.unit, result.level, result.draws) == (12, "20 km block", 0.9, 40)
    assert result.low < result.value < result.high
    assert result.value == pytest.approx(np.mean((score - y) ** 2))


def test_differences_are_paired(cases):
    drawn, score, y = cases
    first = mean_of((score - y) ** 2, drawn.block)
    shifted = mean_of((score - y) ** 2 + 0.01, drawn.block)
    gap = drawn.interval(difference(shifted, first))
    assert (gap.low, gap.high) == pytest.approx((0.01, 0.01))
    assert gap.excludes(0.0)
    assert not drawn.interval(difference(first, first)).excludes(0.0)


def test_same_seed_same_draws_and_another_seed_other_draws(cases):
    drawn, *_ = cases
    again = draw_blocks(drawn.block, draws=40, rng=np.random.default_rng(1))
    other = draw_blocks(drawn.block, draws=40, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(drawn.multiplicity, again.multiplicity)
    assert (drawn.multiplicity != other.multiplicity).any()


def test_standard_error_of_independent_blocks_is_the_textbook_one():
    rng = np.random.default_rng(21)
    x = rng.normal(size=2000)
    drawn = draw_blocks(np.arange(2000), draws=4000, rng=rng, unit="cell")
    spread = mean_of(x, drawn.block)(drawn.multiplicity).std()
    assert spread == pytest.approx(x.std() / np.sqrt(2000), rel=0.04)


def test_infinite_log_score_stays_infinite_where_its_block_is_drawn():
    terms = np.array([np.inf, 1.0, 2.0, 3.0])
    statistic = mean_of(terms, np.arange(4))
    values = statistic(np.array([[1.0, 1, 1, 1], [0, 2, 1, 1], [0, 0, 0, 4]]))
    np.testing.assert_array_equal(values, [np.inf, 1.75, 3.0])
    drawn = draw_blocks(np.arange(4), draws=200, rng=np.random.default_rng(0))
    result = drawn.interval(statistic)
    assert np.isinf(result.value)
    assert np.isinf(result.high)
    assert np.isfinite(result.low)


def test_draws_without_an_event_are_left_out_and_counted():
    y = np.array([1, 0, 0, 0, 0, 0])
    block = np.array([0, 0, 1, 1, 2, 2])
    drawn = draw_blocks(block, draws=500, rng=np.random.default_rng(0))
    score = np.array([0.9, 0.1, 0.2, 0.95, 0.3, 0.4])
    result = drawn.interval(rank_table(score, y, block=drawn.block).roc_auc)
    absent = int((drawn.multiplicity[:, 0] == 0).sum())
    assert result.undefined_draws == absent > 100
    with pytest.raises(UndefinedScoreError, match="no value on all cases"):
        drawn.interval(rank_table(score, np.zeros(6), block=drawn.block).roc_auc)


def test_widening_scales_the_interval_about_its_value_and_never_narrows_it(cases):
    drawn, score, y = cases
    statistic = mean_of((score - y) ** 2, drawn.block)
    plain = drawn.interval(statistic)
    values = statistic(drawn.multiplicity)
    calm = plain.value + 0.5 * (values - plain.value)
    wide = drawn.interval(statistic, finer_values=calm)
    factor = np.sqrt(2.0 - 0.25)
    assert wide.high - wide.value == pytest.approx(factor * (plain.high - plain.value))
    assert wide.value - wide.low == pytest.approx(factor * (plain.value - plain.low))
    wild = drawn.interval(statistic, finer_values=plain.value + 3.0 * (values - plain.value))
    assert (wild.low, wild.high) == (plain.low, plain.high)


def test_statistic_that_is_undefined_in_most_draws_has_no_interval():
    values = np.full(10, np.nan)
    values[:4] = 1.0
    with pytest.raises(UndefinedScoreError, match="no value in 6 of 10 draws"):
        interval_of_draws(1.0, values, n=5, unit="block")


def test_spatial_blocks_hold_a_place_in_every_epoch_together():
    x = np.tile(np.arange(0.0, 60e3, 1e3), 3)
    drawn = draw_spatial_blocks(
        x, np.zeros_like(x), side_m=20e3, draws=5, rng=np.random.default_rng(0)
    )
    assert drawn.unit == "20 km block"
    assert drawn.n_blocks == 3
    np.testing.assert_array_equal(drawn.block[:60], drawn.block[60:120])


def test_epochs_need_five():
    with pytest.raises(UndefinedScoreError, match="at least 5"):
        draw_epochs([1, 2, 3, 4, 4], draws=5, rng=np.random.default_rng(0))
    drawn = draw_epochs([1, 2, 3, 4, 5, 5], draws=5, rng=np.random.default_rng(0))
    assert (drawn.unit, drawn.n_blocks) == ("epoch", 5)


def test_bad_input_is_refused(cases):
    drawn, score, _ = cases
    with pytest.raises(ValueError, match="terms: found 1 of"):
        mean_of(np.where(np.arange(600) == 3, np.nan, score), drawn.block)
    with pytest.raises(ValueError, match="expected integers"):
        draw_blocks([0.5, 1.0], draws=5, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="same cases"):
        statistic_of_sums(score[:5], drawn.block, lambda s: s[:, 0])
    with pytest.raises(ValueError, match="at least 2 resampled units"):
        draw_blocks([1, 1], draws=5, rng=np.random.default_rng(0)).interval(
            mean_of([1.0, 2.0], [0, 0])
        )
    with pytest.raises(ValueError, match="level: found 95"):
        drawn.interval(mean_of(score, drawn.block), level=95)
