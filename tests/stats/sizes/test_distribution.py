"""Frozen size laws: moments, modes, sampling, support and refusals."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from stats.sizes.distribution import SizeLaw, size_law
from stats.sizes.law import law_named
from tests.stats.sizes.law_cases import LAWS, central, integral, names


@pytest.mark.parametrize("case", names)
def test_moments_agree_with_quadrature_or_are_infinite(case):
    law = LAWS[case]
    slope = law.pdf_slope()
    low, high = law.support()
    for order in (1, 2):
        if slope is not None and math.isinf(high) and order >= -slope - 1.0:
            assert law.moment(order) == math.inf
            continue
        # A power tail beyond `end` is added in closed form, any other is gone by there.
        end = high if math.isfinite(high) else float(law.isf(1e-120 if slope is None else 1e-13))
        start = max(low, float(law.ppf(1e-15)), 1e-12)
        total = integral(lambda x, k=order: x**k * law.pdf(x), start, end, panels=200)
        if math.isinf(high) and slope is not None:
            alpha = -slope - 1.0
            total += end**order * float(law.sf(end)) * alpha / (alpha - order)
        assert law.moment(order) == pytest.approx(total, rel=3e-7), order


def test_closed_moments_agree_with_scipy():
    dps = size_law("dps", alpha=3.4, beta=2.3, t=800.0)
    burr = stats.burr(c=3.4, d=2.3 / 3.4, scale=800.0)
    assert dps.mean() == pytest.approx(burr.mean(), rel=1e-9)
    assert dps.var() == pytest.approx(burr.var(), rel=1e-8)
    gpd = size_law("gpd", sigma=800.0, xi=0.2)
    assert gpd.mean() == pytest.approx(1000.0, rel=1e-10)
    assert gpd.var() == pytest.approx(stats.genpareto(0.2, scale=800.0).var(), rel=1e-9)
    # Slow tails: alpha barely above the order.
    slow = size_law("dps_extended", alpha=1.01, beta=2.3, t=800.0, lower=1e-9)
    closed = size_law("dps", alpha=1.01, beta=2.3, t=800.0).mean()
    assert slow.mean() == pytest.approx(closed, rel=1e-9)
    whole = size_law("ig", rho=3.4, a=1280.0, s=-1e-9)
    assert whole.mean() == pytest.approx(1280.0 / 2.4, rel=1e-9)
    ends = size_law("power", alpha=1.0, lower=10.0, upper=1000.0)
    assert ends.mean() == pytest.approx(10.0 * math.log(100.0) / 0.99, rel=1e-12)


@pytest.mark.parametrize("case", names)
def test_mode_is_the_numerical_maximum_or_absent(case):
    law = LAWS[case]
    low, high = (float(v) for v in law.ppf([1e-9, 1.0 - 1e-6]))
    x = np.geomspace(max(low, 1e-9), high, 4001)
    best = int(np.argmax(law.logpdf(x)))
    mode = law.mode()
    if mode is None:
        assert best == 0, "the density rises although no mode is named"
        return
    assert 0 < best < x.size - 1
    found = optimize.minimize_scalar(
        lambda v: -float(law.logpdf(np.exp(v))),
        bracket=tuple(np.log(x[[best - 1, best, best + 1]])),
        options={"xtol": 1e-10},
    )
    assert math.exp(found.x) == pytest.approx(mode, rel=1e-5)


def test_rollover_outside_the_support_is_not_reported():
    assert size_law("dps", alpha=1.4, beta=2.3, t=800.0).mode() == pytest.approx(516.3, abs=0.05)
    assert size_law("dps", alpha=1.4, beta=2.3, t=800.0, lower=600.0).mode() is None
    assert size_law("ig", rho=1.4, a=100.0, s=-132.0).mode() is None
    assert size_law("ig", rho=1.4, a=1280.0, s=-132.0).mode() == pytest.approx(401.3, abs=0.05)


@pytest.mark.parametrize("case", names)
def test_samples_follow_the_law(case):
    law = LAWS[case]
    areas = law.rvs(4000, np.random.default_rng(11))
    assert stats.kstest(areas, law.cdf).pvalue > 1e-3
    low, high = law.support()
    assert areas.min() >= low
    assert areas.max() <= high


def test_samples_have_the_shape_asked_for_and_repeat_with_the_seed():
    law = LAWS["dps"]
    first = law.rvs((3, 5), np.random.default_rng(2))
    assert first.shape == (3, 5)
    np.testing.assert_array_equal(first, law.rvs((3, 5), np.random.default_rng(2)))
    assert law.pdf(np.ones((2, 3))).shape == (2, 3)
    assert law.pdf(5.0).shape == ()
    assert law.rvs(0, np.random.default_rng(2)).shape == (0,)


def test_outside_the_support_there_is_no_density_and_at_its_ends_there_is():
    law = LAWS["dp"]
    np.testing.assert_array_equal(law.pdf([-1.0, 0.0, 29.9, 3.1e5]), 0.0)
    np.testing.assert_array_equal(law.cdf([-1.0, 30.0, 3e5, np.inf]), [0.0, 0.0, 1.0, 1.0])
    np.testing.assert_array_equal(law.sf([-1.0, 30.0, 3e5, np.inf]), [1.0, 1.0, 0.0, 0.0])
    assert law.pdf(30.0) == pytest.approx(float(law.pdf(30.0 + 1e-9)), rel=1e-8)
    end = size_law("gpd", sigma=800.0, xi=-0.3)
    assert end.support()[1] == pytest.approx(800.0 / 0.3)
    np.testing.assert_array_equal(end.pdf([2700.0]), 0.0)
    np.testing.assert_array_equal(law.ppf([0.0, 1.0]), [30.0, 3e5])
    assert LAWS["dps"].isf(0.0) == math.inf
    low, high = LAWS["dps"].interval(0.9)
    np.testing.assert_allclose(LAWS["dps"].cdf([low, high]), [0.05, 0.95], rtol=1e-12)


def test_values_outside_the_domain_are_refused_in_words():
    with pytest.raises(ValueError, match=r"alpha: found -1.0; expected a finite number between 0"):
        size_law("dps", alpha=-1.0, beta=2.0, t=800.0)
    with pytest.raises(ValueError, match=r"s: found 3.0; expected .* between -inf and 0"):
        size_law("ig", rho=1.0, a=2.0, s=3.0)
    with pytest.raises(ValueError, match=r"truncation: found \[5.0, 2.0\]"):
        size_law("dps", alpha=1.0, beta=2.0, t=800.0, lower=5.0, upper=2.0)
    with pytest.raises(ValueError, match="Double Pareto has two finite ends"):
        size_law("dp", alpha=1.0, beta=2.0, t=800.0, lower=5.0)
    with pytest.raises(ValueError, match="is a law only above a lower end"):
        size_law("power", alpha=1.0)
    with pytest.raises(ValueError, match="is a law only above a lower end inside its support"):
        size_law("gpd", sigma=800.0, xi=-0.3, lower=3000.0)
    with pytest.raises(ValueError, match="theta: found 2 values; expected alpha, beta, t"):
        SizeLaw(law_named("dps"), (1.0, 2.0))
    with pytest.raises(ValueError, match=r"dps: found parameters none; expected alpha, beta, t"):
        size_law("dps")
    with pytest.raises(ValueError, match="order: found 0"):
        LAWS["dps"].moment(0)
    with pytest.raises(ValueError, match="x: found 1 NaN"):
        LAWS["dps"].pdf([1.0, np.nan])
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        LAWS["dps"].ppf([0.5, np.nan])


@pytest.mark.parametrize("case", names)
def test_starts_lie_in_the_domain_and_give_finite_likelihoods(case):
    law = LAWS[case]
    areas = law.rvs(300, np.random.default_rng(4))
    low, high = law.lower, law.upper
    starts = law.law.starts(areas, low, high)
    assert starts.shape[0] >= 3
    finite = [math.isfinite(SizeLaw(law.law, tuple(t), low, high).loglik(areas)) for t in starts]
    assert sum(finite) >= 3


def test_laws_are_hashable_and_equal_by_value():
    assert size_law("power", alpha=1.4, lower=10.0) == size_law("power", alpha=1.4, lower=10.0)
    assert len({law_named("dps"), law_named("dps"), law_named("dp")}) == 2
    assert central(LAWS["dps"], 3).shape == (3,)
