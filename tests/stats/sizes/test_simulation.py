"""Tests of simulated inventories and of the model probabilities of recorded areas."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from stats.sizes.detection import DetectionCurve
from stats.sizes.recording import Recording
from stats.sizes.simulation import probabilities, quantiles, simulate

DPS = [1.4, 2.3, 800.0]
CURVE = DetectionCurve(half_area_m2=400.0, width=0.5)


def _dagum(x):
    return scipy_stats.burr(c=1.4, d=2.3 / 1.4, scale=800.0).cdf(x)


@pytest.mark.parametrize(
    ("law", "theta", "cdf"),
    [
        ("dps", DPS, _dagum),
        ("lognormal", [7.0, 1.0], scipy_stats.lognorm(s=1.0, scale=math.exp(7.0)).cdf),
    ],
)
@pytest.mark.parametrize("limits", [(0.0, math.inf), (500.0, math.inf), (500.0, 3e4)])
def test_areas_and_shares_follow_the_truncated_law(law, theta, cdf, limits):
    record = Recording(lower_m2=limits[0], upper_m2=limits[1])
    areas = simulate(law, theta, 20_000, record, rng=np.random.default_rng(1))[0]
    low, high = cdf(np.array(limits))
    expected = (cdf(np.sort(areas)) - low) / (high - low)
    found = probabilities(law, theta, areas, record)
    np.testing.assert_allclose(np.exp(found.log_below[0]), expected, atol=2e-5)
    np.testing.assert_allclose(np.exp(found.log_above[0]), 1.0 - expected, atol=2e-5)
    assert scipy_stats.kstest(expected, "uniform").pvalue > 0.01


def test_far_tail_keeps_its_digits():
    found = probabilities("dps", DPS, [1e9], Recording(lower_m2=100.0))
    survival = (2.3 / 1.4) * (1e9 / 800.0) ** -1.4 / (1.0 - _dagum(100.0))
    assert math.exp(found.log_above[0, 0]) == pytest.approx(survival, rel=1e-6)


@pytest.mark.parametrize(
    "record",
    [
        Recording(detection=CURVE),
        Recording(lower_m2=100.0, upper_m2=1e5, detection=CURVE),
        Recording(lower_m2=300.0, pixel_m2=25.0, detection=CURVE),
    ],
)
def test_a_detection_curve_thins_like_rejection_does(record):
    """Independent way: draw from the law as cut, keep each area with its probability."""
    rng = np.random.default_rng(3)
    lower, upper = record.edges()
    whole = simulate("dps", DPS, 60_000, Recording(lower_m2=lower, upper_m2=upper), rng=rng)[0]
    kept = whole[rng.random(whole.size) < CURVE(whole)]
    if record.pixel_m2 is not None:
        kept = np.rint(kept / 25.0) * 25.0
    ours = simulate("dps", DPS, kept.size, record, rng=rng)[0]
    assert scipy_stats.ks_2samp(ours, kept).pvalue > 0.01
    below = np.exp(probabilities("dps", DPS, kept, record).log_below[0])
    assert scipy_stats.kstest(below, "uniform").pvalue > 0.01
    # Without the curve the same areas look wrong.
    plain = Recording(lower_m2=record.lower_m2, upper_m2=record.upper_m2, pixel_m2=record.pixel_m2)
    wrong = np.exp(probabilities("dps", DPS, kept, plain).log_below[0])
    assert scipy_stats.kstest(wrong, "uniform").pvalue < 1e-6


def test_whole_pixels_spread_over_their_bin():
    record = Recording(lower_m2=300.0, pixel_m2=100.0)
    areas = simulate("dps", DPS, 5000, record, rng=np.random.default_rng(2))[0]
    assert np.all(areas % 100.0 == 0.0)
    assert areas.min() == 300.0
    below = np.exp(probabilities("dps", DPS, areas, record).log_below[0])
    assert np.unique(below).size == 5000
    assert scipy_stats.kstest(below, "uniform").pvalue > 0.01
    edge = (_dagum(350.0) - _dagum(250.0)) / (1.0 - _dagum(250.0))
    first = below[areas[np.argsort(areas)] == 300.0]
    assert first.max() < edge < below[first.size]


def test_each_draw_has_its_own_parameters():
    theta = [[1.4, 2.3, 800.0], [1.4, 2.3, 8000.0]]
    areas = simulate("dps", theta, 4000, Recording(), rng=np.random.default_rng(0))
    assert 8.0 < np.median(areas[1]) / np.median(areas[0]) < 12.0
    middle = quantiles("dps", theta, [0.5], Recording())
    np.testing.assert_allclose(middle[:, 0], [1267.8, 12678.0], rtol=1e-4)


def test_bad_input_is_named():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"expected \(draw, 3\)"):
        simulate("dps", [1.4, 2.3], 5, Recording(), rng=rng)
    with pytest.raises(ValueError, match="not finite"):
        simulate("dps", [1.4, math.nan, 800.0], 5, Recording(), rng=rng)
    with pytest.raises(ValueError, match="outside the domain of dps"):
        simulate("dps", [1.4, 2.3, -800.0], 5, Recording(), rng=rng)
    with pytest.raises(ValueError, match="n: found 0"):
        simulate("dps", DPS, 0, Recording(), rng=rng)
    with pytest.raises(ValueError, match="2 draws for 1 sets"):
        probabilities("dps", DPS, np.ones((2, 3)), Recording())
    with pytest.raises(ValueError, match="shares"):
        quantiles("dps", DPS, [1.5], Recording())
    fitted = DetectionCurve(half_area_m2=400.0, width=0.5, covariance=((0.1, 0.0), (0.0, 0.1)))
    with pytest.raises(ValueError, match="give its fitted values as known"):
        simulate("dps", DPS, 5, Recording(detection=fitted), rng=rng)
