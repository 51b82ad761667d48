"""Curves for plots agree with the frozen laws, and their bands hold the truth."""

import numpy as np
import pytest

from stats.sizes import double_pareto as dps
from stats.sizes.curves import density_and_survival, fitted_curves
from stats.sizes.distribution import size_law
from stats.sizes.fit import fit_sizes
from stats.sizes.recording import Recording


@pytest.mark.parametrize("upper", [np.inf, 1e5])
def test_curves_are_those_of_the_frozen_law(upper):
    grid = np.geomspace(101.0, 9e4, 40)
    theta = np.array([[1.4, 2.3, 800.0], [0.9, 0.6, 300.0]])
    density, survival = density_and_survival("dps", theta, grid, 100.0, upper)
    for row, (alpha, beta, t) in enumerate(theta):
        law = size_law("dps", alpha=alpha, beta=beta, t=t, lower=100.0, upper=upper)
        np.testing.assert_allclose(density[row], law.pdf(grid), rtol=1e-10)
        np.testing.assert_allclose(survival[row], law.sf(grid), rtol=1e-10)


def test_the_survival_ends_at_the_upper_limit():
    _, survival = density_and_survival(
        "dps", np.array([[1.4, 2.3, 800.0]]), np.array([100.0, 1e5]), 100.0, 1e5
    )
    assert survival[0].tolist() == [1.0, 0.0]


def test_the_band_holds_the_fit_and_mostly_the_truth():
    areas = dps.sample(400, 1.4, 2.3, 800.0, rng=np.random.default_rng(3), lower=100.0)
    fit = fit_sizes(areas, recording=Recording(lower_m2=100.0), intervals=None)
    curves = fitted_curves(fit, areas, rng=np.random.default_rng(4), draws=60)
    assert curves.draws + curves.unconverged == 60
    assert curves.area_m2[0] == pytest.approx(100.0)
    inside = (curves.survival_low <= curves.survival) & (curves.survival <= curves.survival_high)
    assert inside[1:].mean() > 0.95
    truth = dps.survival(curves.area_m2, 1.4, 2.3, 800.0, lower=100.0)
    assert ((curves.survival_low <= truth) & (truth <= curves.survival_high))[1:].mean() > 0.5
    without = fitted_curves(fit, areas, rng=np.random.default_rng(4), draws=0)
    np.testing.assert_allclose(without.density_per_m2, curves.density_per_m2)
    assert np.isnan(without.density_low).all()
