"""The Hering-Genton test: its sums, its level under spatial correlation, and its power."""

import numpy as np
import pytest
from scipy import ndimage

from stats.case_arrays import UndefinedScoreError
from stats.spatial.predictive_ability import hering_genton, place_field, variance_of_mean
from stats.spatial.variogram_model import VariogramModel

SHAPE = (90, 120)


def ellipse():
    y, x = np.indices(SHAPE)
    return ((y - 45) / 45) ** 2 + ((x - 60) / 60) ** 2 < 1.0


def smooth(rng, range_cells):
    wide = ndimage.gaussian_filter(rng.standard_normal(np.add(SHAPE, 60)), range_cells)
    return (wide / wide.std())[30:-30, 30:-30]


def test_the_variance_of_the_mean_is_the_double_sum_over_cells():
    rng = np.random.default_rng(0)
    mask = rng.random((9, 12)) < 0.7
    model = VariogramModel("exponential", 0.3, 1.2, 2.5, 0.0, True)
    points = np.argwhere(mask).astype(float)
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    covariance = np.where(distance == 0.0, 1.5, 1.2 * np.exp(-distance / 2.5))
    assert variance_of_mean(mask, model) == pytest.approx(covariance.mean(), rel=1e-10)


def test_the_level_holds_under_spatial_correlation_where_independence_fails():
    """Two forecasts whose losses differ by chance, in smooth patches."""
    rng, mask = np.random.default_rng(1), ellipse()
    worlds = 250
    for range_cells in (1.0, 3.0):
        rejected, naive = 0, 0
        for _ in range(worlds):
            shared = rng.gamma(1.0, 1.0, SHAPE)
            first, second = (shared + smooth(rng, range_cells) + 0.5 * rng.normal(size=SHAPE)
                             for _ in range(2))  # fmt: skip
            found = hering_genton(first, second, mask, workers=1)
            rejected += found.p_value() <= 0.05
            naive += abs(found.difference / found.naive_sd) > 1.96
        print(f"smoothing {range_cells:g} cells: rejected {rejected / worlds:.3f}, "
              f"as if independent {naive / worlds:.3f}")  # fmt: skip
        # Binomial error: 0.014.
        assert rejected / worlds == pytest.approx(0.05, abs=0.042)
        assert naive / worlds > 0.4


def test_a_better_forecast_is_found_and_its_interval_holds_the_truth():
    rng, mask = np.random.default_rng(2), ellipse()
    found = [
        hering_genton(smooth(rng, 2.0), smooth(rng, 2.0) + 0.45, mask, workers=1) for _ in range(60)
    ]
    assert np.mean([one.p_value("less") <= 0.05 for one in found]) > 0.8
    inside = [one.interval()[0] <= -0.45 <= one.interval()[1] for one in found]
    # Binomial error: 0.028.
    assert np.mean(inside) >= 0.88


def test_few_patches_make_the_reference_law_wider():
    rng, mask = np.random.default_rng(6), ellipse()
    zero = np.zeros(SHAPE)
    found = [
        hering_genton(smooth(rng, 6.0) + 0.5 * rng.normal(size=SHAPE), zero, mask)
        for _ in range(15)
    ]
    # Correlation is 0.05 at 2 * 6 * sqrt(ln 20) = 20.8 cells.
    known = mask.sum() / (np.pi * 20.8**2)
    assert 0.6 * known < np.median([one.df for one in found]) < 1.6 * known
    low, high = found[0].interval()
    assert (high - low) / found[0].sd > 4.2
    assert found[0].p_value() == pytest.approx(
        2 * min(found[0].p_value("less"), found[0].p_value("greater"))
    )


def test_noise_is_not_given_a_range_that_its_variogram_has_by_chance():
    rng, mask = np.random.default_rng(7), ellipse()
    found = [hering_genton(rng.normal(size=SHAPE), np.zeros(SHAPE), mask) for _ in range(60)]
    inflated = [one.sd > 1.5 * one.naive_sd for one in found]
    assert np.mean([one.model.partial_sill == 0.0 for one in found]) > 0.75
    assert np.mean(inflated) < 0.15


def test_epochs_of_a_place_are_summed_before_anything_is_tested():
    """The same smooth patches in every epoch: ten epochs tell no more than one."""
    rng, mask = np.random.default_rng(3), ellipse()
    first, second = smooth(rng, 2.0), smooth(rng, 2.0)
    one = hering_genton(first, second, mask)
    ten = hering_genton(np.stack([first] * 10), np.stack([second] * 10), mask)
    assert ten.statistic == pytest.approx(one.statistic)
    assert ten.difference == pytest.approx(one.difference)


def test_cells_with_fewer_epochs_weigh_less():
    rng = np.random.default_rng(4)
    difference, inside = rng.normal(size=(3, 6, 7)), rng.random((3, 6, 7)) < 0.7
    field, mask, mean = place_field(np.where(inside, difference, 0.0), inside)
    assert mean == pytest.approx(difference[inside].mean())
    assert field[mask].mean() == pytest.approx(mean)


def test_losses_that_do_not_differ_are_refused():
    losses = np.random.default_rng(5).random((20, 20))
    with pytest.raises(UndefinedScoreError):
        hering_genton(losses, losses)
    with pytest.raises(ValueError, match="same shape"):
        hering_genton(losses, losses[1:])
    trend = np.add.outer(np.arange(20.0), np.arange(20.0))
    assert "not determined" in hering_genton(trend, np.zeros((20, 20))).note
