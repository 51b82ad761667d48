"""Predicted against reference inventory: summaries, residuals and differences with intervals."""

import math

import numpy as np
import pytest

from stats.sizes import double_pareto as dps
from stats.sizes.comparison import (
    compare_epochs,
    difference_of_fits,
    residuals,
    summarise_areas,
)
from stats.sizes.fit import fit_sizes
from stats.sizes.recording import Recording

LOWER = 100.0
RECORDING = Recording(lower_m2=LOWER)


def sample(n, seed, alpha=1.4, beta=2.3, t=800.0):
    return dps.sample(n, alpha, beta, t, rng=np.random.default_rng(seed), lower=LOWER)


def differences(ours, theirs, seed=0, **options):
    fits = [fit_sizes(a, recording=RECORDING) for a in (ours, theirs)]
    found = difference_of_fits(
        fits[0], ours, fits[1], theirs, rng=np.random.default_rng(seed), **options
    )
    return {d.quantity: d for d in found}


def test_a_planted_difference_of_exponents_is_found_and_its_slope_is_the_negative():
    found = differences(sample(1500, 1, alpha=1.8), sample(1500, 2), draws=200)
    alpha, slope, rollover = (found[q] for q in ("alpha", "pdf_slope", "rollover_m2"))
    assert alpha.identified
    assert 0.0 < alpha.low < 0.4 < alpha.high
    assert slope.value == pytest.approx(-alpha.value)
    assert (slope.low, slope.high) == pytest.approx((-alpha.high, -alpha.low))
    assert rollover.identified
    assert rollover.low <= rollover.value <= rollover.high


def test_the_same_landslides_drawn_together_differ_by_nothing():
    """Identical inventories, matched one to one: every draw gives the same fit on both sides."""
    areas = sample(400, 3)
    group = np.arange(areas.size)
    paired = differences(areas, areas, predicted_group=group, reference_group=group, draws=50)
    alone = differences(areas, areas, draws=50)
    assert abs(paired["alpha"].high - paired["alpha"].low) < 1e-3
    assert alone["alpha"].high - alone["alpha"].low > 0.2
    assert paired["alpha"].unit == "group of matched landslides"
    assert alone["alpha"].unit == "landslide"


def test_no_rollover_is_a_reason_and_not_a_number():
    found = differences(sample(800, 4, beta=0.4), sample(800, 5), draws=50)["rollover_m2"]
    assert not found.identified
    assert "predicted" in found.reason
    assert math.isnan(found.value)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_summaries_and_epochs():
    both = compare_epochs({"a": [300.0, 500.0]}, {"a": [400.0], "b": [100.0]})
    assert list(both) == ["a", "b"]
    predicted, reference = both["a"]
    assert (predicted.n, predicted.total_m2, predicted.mean_m2) == (2, 800.0, 400.0)
    assert (reference.minimum_m2, reference.maximum_m2) == (400.0, 400.0)
    assert both["b"][0].n == 0
    assert math.isnan(both["b"][0].mean_m2)
    assert summarise_areas([2.0, 1.0, 9.0]).median_m2 == 2.0


def test_residual_quartiles():
    found = residuals([90.0, 100.0, 130.0, 200.0], [100.0, 100.0, 100.0, 100.0])
    assert found.quartiles_m2 == (-2.5, 15.0, 47.5)
    assert found.quartiles_ratio == pytest.approx((0.975, 1.15, 1.475))
    assert found.mean_m2 == 30.0
    assert found.share_larger == 0.5
    with pytest.raises(ValueError, match="matched pairs"):
        residuals([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="matched pairs"):
        residuals([], [])


def test_groups_must_come_for_both():
    areas = sample(50, 1)
    fit = fit_sizes(areas, recording=RECORDING)
    options = {"rng": np.random.default_rng(0), "draws": 10}
    with pytest.raises(ValueError, match="both, or none"):
        difference_of_fits(fit, areas, fit, areas, predicted_group=np.arange(50), **options)
    other = fit_sizes(areas, law="lognormal", recording=RECORDING)
    with pytest.raises(ValueError, match="the same"):
        difference_of_fits(fit, areas, other, areas, **options)


def test_an_exponent_that_runs_to_infinity_has_no_difference():
    ended = np.linspace(300.0, 900.0, 40)
    tailed = dps.sample(400, 1.4, 2.3, 800.0, rng=np.random.default_rng(8), lower=300.0)
    cut = Recording(lower_m2=300.0)
    fits = [fit_sizes(areas, recording=cut, stability=False) for areas in (ended, tailed)]
    assert fits[0].limit.startswith("ridge: alpha")
    found = difference_of_fits(
        fits[0], ended, fits[1], tailed, rng=np.random.default_rng(9), draws=40
    )
    for row in found:
        if row.quantity in ("alpha", "pdf_slope"):
            assert not row.identified
            assert np.isnan(row.value)
            assert "predicted" in row.reason
