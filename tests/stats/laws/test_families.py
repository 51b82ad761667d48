"""Every family against SciPy's laws and adaptive quadrature, cut to 100 percent and whole."""

import numpy as np
import pytest

from tests.stats.laws.families import cases

CASES = cases()
EACH = pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
LEVELS = np.array([1e-6, 0.01, 0.3, 0.5, 0.8, 0.99, 1.0 - 1e-6])


def points(case):
    return np.array([float(case.law.quantile(u)[0]) for u in LEVELS])


@EACH
def test_distribution_density_and_quantile(case):
    x = points(case)
    assert (np.diff(x) > 0.0).all()
    for u, value in zip(LEVELS, x, strict=True):
        assert case.law.cdf([value])[0] == pytest.approx(u, rel=1e-9)
        assert case.law.sf([value])[0] == pytest.approx(case.sf(value), rel=1e-7, abs=1e-13)
        density = case.reference.pdf(value) / case.mass()
        assert np.exp(case.law.log_density([value])[0]) == pytest.approx(density, rel=1e-9)
    assert case.law.log_density([0.0])[0] == -np.inf
    assert case.law.cdf([0.0])[0] == 0.0
    assert case.law.mass([x[3]])[0] == 0.0
    if np.isfinite(case.upper):
        assert case.law.quantile([1.0])[0] == case.upper
        assert case.law.sf([case.upper])[0] == case.law.sf([2.0 * case.upper])[0] == 0.0
        assert case.law.log_density([case.upper * 1.01])[0] == -np.inf


@EACH
def test_partial_expectations_against_quadrature(case):
    for value in (0.0, *points(case)[1:6:2]):
        expected = case.integral(1, 0.0, value)
        assert case.law.limited_mean([value])[0] == pytest.approx(expected, rel=1e-10, abs=1e-13)


@EACH
def test_integral_of_the_squared_survival_against_quadrature(case):
    whole = case.integral(2, 0.0, np.inf)
    for start in (0.0, *points(case)[1:6:2]):
        expected = case.integral(2, start, np.inf) if start else whole
        found = case.law.squared_survival([start])[0]
        assert found == pytest.approx(expected, rel=1e-9, abs=2e-11 * whole)


@EACH
def test_moments_against_quadrature(case):
    law = case.law
    mean, variance = float(law.mean()[0]), float(law.variance()[0])
    index = float(law._tail_index()[0]) if hasattr(law, "_tail_index") else np.inf
    if np.isinf(case.upper) and index <= 1.0:
        assert mean == variance == np.inf
        return
    if np.isfinite(case.upper) or index > 1.5:
        assert mean == pytest.approx(case.integral(1, 0.0, np.inf), rel=1e-7)
    if np.isinf(case.upper) and index <= 2.0:
        assert variance == np.inf
        return
    if np.isfinite(case.upper) or index > 3.5:
        second = 2.0 * case.integral(1, 0.0, np.inf, order=2)
        assert variance == pytest.approx(second - mean**2, rel=1e-6)
