"""The hand-derived score and Hessian against finite differences, scipy and the law's own form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from stats.precision import in_float64
from stats.sizes import truncated_dps as by_hand
from stats.sizes.coordinates import to_theta
from stats.sizes.law import law_named
from stats.sizes.recording import RecordedAreas, log_likelihood_of

# Bulk, log limit and beside it, near the Pareto and the Frechet law, and at the Frechet bound.
POINTS = [
    (0.34, 0.27, 7.6),
    (0.3, 0.5, 7.0),
    (0.3, 0.503, 7.0),
    (0.1, 0.9, 6.0),
    (0.1, 0.02, 6.0),
    (0.1, 1e-5, 6.0),
]
ENDS = [(100.0, None), (100.0, 1e5), (None, None), (None, 1e5)]
CASES = [(u, ends) for u in POINTS for ends in ENDS if ends[0] is not None or u[1] < 0.5]


def some_areas() -> np.ndarray:
    return (
        stats.burr(c=1.4, d=2.3 / 1.4, scale=800.0)
        .rvs(200, random_state=np.random.default_rng(1))
        .clip(101.0, 0.9e5)
    )


def parts(lower: float | None, upper: float | None) -> RecordedAreas:
    return RecordedAreas(
        np.log(some_areas()),
        np.random.default_rng(2).uniform(0.5, 2.0, 200),
        lower=None if lower is None else np.asarray(lower),
        upper=None if upper is None else np.asarray(upper),
    )


@in_float64
def evaluate(u: np.ndarray, data: RecordedAreas) -> by_hand.Evaluation:
    log_x, weights = jnp.asarray(data.log_x), jnp.asarray(data.weights)
    ends = [None if end is None else jnp.log(end) for end in (data.lower, data.upper)]
    return by_hand.evaluate(jnp.asarray(u), log_x, weights, *ends)


@in_float64
def from_the_law(u: np.ndarray, data: RecordedAreas) -> np.ndarray:
    law = law_named("dps_extended")
    return log_likelihood_of(law, to_theta(law, jnp.asarray(u)), data)


@pytest.mark.parametrize(("u", "ends"), CASES)
def test_value_agrees_with_the_law(u: tuple, ends: tuple) -> None:
    data = parts(*ends)
    np.testing.assert_allclose(
        evaluate(np.array(u), data).value, from_the_law(np.array(u), data), rtol=1e-11
    )


@pytest.mark.parametrize(("u", "ends"), CASES)
def test_score_and_hessian_agree_with_finite_differences(u: tuple, ends: tuple) -> None:
    data, at = parts(*ends), np.array(u)
    found = evaluate(at, data)
    steps = np.array([1e-5, 1e-5 * min(1.0, 100.0 * at[1]), 1e-5])
    for i, step in enumerate(np.diag(steps)):
        ahead, behind = evaluate(at + step, data), evaluate(at - step, data)
        slope = (ahead.value - behind.value) / (2.0 * steps[i])
        scale = 1.0 + abs(slope)
        assert (
            abs(found.gradient[i] - slope) < 2e-6 * scale + 1e-9 * abs(found.value) / steps[i] / 1e3
        )
        curve = (ahead.gradient - behind.gradient) / (2.0 * steps[i])
        size = np.sqrt(np.abs(np.diagonal(found.hessian) * found.hessian[i, i])) + 1.0
        # At the Frechet bound the second derivative keeps about six digits (rounding / phi^2).
        np.testing.assert_allclose(found.hessian[i] / size, curve / size, atol=2e-5)


def test_coordinates_come_back() -> None:
    theta = np.array([[1.4, 2.3, 800.0], [0.9, -0.3, 50.0], [2.0, 0.0, 1e4], [0.8, 22.0, 41.0]])
    with jax.enable_x64(True):
        back = np.asarray(by_hand.to_theta(by_hand.from_theta(jnp.asarray(theta))))
    np.testing.assert_allclose(back, theta, rtol=1e-12, atol=1e-12)


def test_untruncated_value_is_that_of_scipys_burr() -> None:
    areas = some_areas()
    expected = stats.burr(c=1.4, d=2.3 / 1.4, scale=800.0).logpdf(areas).sum()
    with jax.enable_x64(True):
        u = by_hand.from_theta(jnp.asarray([1.4, 2.3, 800.0]))
        found = by_hand.evaluate(u, jnp.log(areas), None, None, None)
    assert float(found.value) == pytest.approx(expected, rel=1e-12)


def test_many_weightings_are_a_matrix_product() -> None:
    data = parts(100.0, None)
    with jax.enable_x64(True):
        u, log_x = jnp.asarray(POINTS[0]), jnp.asarray(data.log_x)
        weights = jnp.asarray(data.weights)
        product = weights @ by_hand.data_features(log_x, u)
        np.testing.assert_allclose(product, by_hand.data_sums(log_x, weights, u), rtol=1e-12)
