"""A forecast is checked once, and its moments are those of its law."""

import numpy as np
import pytest

from hazard.forecast import Forecast

P = np.array([[0.0, 0.3], [1.0, 0.5]])


def test_moments_belong_to_the_truncated_law():
    mu, sigma = np.array([[0.0, 3.0], [-2.0, 4.0]]), np.array([[1.0, 2.0], [0.5, 1.5]])
    forecast = Forecast.from_lognormal(P, mu, sigma)
    rng = np.random.default_rng(0)
    draws = np.exp(mu + sigma * rng.normal(size=(400_000, 2, 2)))
    kept = np.ma.masked_greater(draws, 100.0)
    np.testing.assert_allclose(forecast.mean_percent, kept.mean(axis=0), rtol=0.02)
    np.testing.assert_allclose(forecast.median_percent, np.ma.median(kept, axis=0), rtol=0.02)
    np.testing.assert_allclose(forecast.expected_percent, P * forecast.mean_percent)
    np.testing.assert_allclose(forecast.law(np.ones_like(P, bool)).mean(),
                               forecast.expected_percent.ravel())  # fmt: skip


def test_a_wide_spread_does_not_explode_the_mean():
    forecast = Forecast.from_lognormal(P, 4.0, 6.0)
    assert forecast.mean_percent.max() < 100.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probability": P + 0.1}, "probability: found 0.1 to 1.1"),
        ({"probability": np.where(P > 0.9, np.nan, P)}, "probability: found 1 values"),
        ({"mu": np.full((2, 2), np.inf)}, "mu: found 4 values"),
        ({"sigma": np.zeros((2, 2))}, "sigma: found 0 to 0"),
        ({"mean_percent": np.full((2, 2), 101.0)}, "mean_percent: found 101"),
        ({"median_percent": np.zeros((2, 2))}, "median_percent: found 0"),
        ({"mu": np.zeros((2, 3))}, "mu: found shape"),
        ({"mu": np.zeros(())}, "mu: found shape"),
    ],
)
def test_wrong_values_are_refused_by_name(change, message):
    ones = np.ones((2, 2))
    values = {"probability": P, "mu": ones, "sigma": ones, "mean_percent": ones,
              "median_percent": ones}  # fmt: skip
    Forecast(**values)
    with pytest.raises(ValueError, match=message):
        Forecast(**{**values, **change})
