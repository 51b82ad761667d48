"""The sampler against densities whose moments are known."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stats.sizes import nuts
from stats.sizes.chain_diagnostics import diagnose
from stats.sizes.nuts import run_chains

COVARIANCE = np.array([[1.0, 1.8], [1.8, 4.0]])


def correlated(z: jax.Array, precision: Any) -> jax.Array:
    return -0.5 * z @ precision @ z


def scaled(z: jax.Array, scale: Any) -> jax.Array:
    return -0.5 * ((z / scale) ** 2).sum()


def funnel(z: jax.Array, width: Any) -> jax.Array:
    return -0.5 * (z[0] / width) ** 2 - 0.5 * (z[1] * jnp.exp(-z[0])) ** 2 - z[0]


def test_moments_of_a_correlated_normal_within_monte_carlo_error() -> None:
    starts = np.array([[3.0, -3.0], [-3.0, 3.0], [2.0, 2.0], [0.0, 0.0]])
    chains = run_chains(correlated, starts, np.linalg.inv(COVARIANCE), seed=1, draws=2000)
    assert chains.z.shape == (4, 2000, 2)
    for j in range(2):
        found = diagnose(chains.z[..., j])
        assert found.rhat < 1.01
        assert abs(chains.z[..., j].mean()) < 4.0 * found.mcse_mean
    np.testing.assert_allclose(np.cov(chains.z.reshape(-1, 2).T), COVARIANCE, rtol=0.12)
    assert not chains.diverging.any()


def test_draws_depend_on_the_seed_and_not_on_the_number_of_threads() -> None:
    starts = np.zeros((4, 1))

    def draw(**changes: Any) -> np.ndarray:
        settings = {"seed": 5, "warmup": 100, "draws": 50} | changes
        return run_chains(scaled, starts, 2.0, **settings).z

    one = draw(threads=1)
    np.testing.assert_array_equal(one, draw(threads=1))
    np.testing.assert_allclose(one, draw(threads=2), rtol=1e-9)
    np.testing.assert_allclose(one, draw(threads=3), rtol=1e-9)
    assert not np.allclose(one, draw(threads=1, seed=6))


def test_each_data_set_has_its_own_chain_on_one_compilation() -> None:
    scales = np.array([0.1, 1.0, 10.0, 100.0, 1000.0])
    reported: list[int] = []
    settings = {"seed": 2, "warmup": 300, "draws": 1500, "shared": False, "threads": 2}
    chains = run_chains(scaled, np.ones((5, 1)), scales, progress=reported.append, **settings)
    np.testing.assert_allclose(chains.z.std(axis=(1, 2)) / scales, 1.0, atol=0.12)
    assert sum(reported) == 5
    kept = len(nuts._COMPILED)
    again = run_chains(scaled, np.ones((5, 1)), 2.0 * scales, **settings)
    assert len(nuts._COMPILED) == kept
    assert again.z.std() > 1.5 * chains.z.std()


def test_a_funnel_is_reported_as_divergent() -> None:
    chains = run_chains(funnel, np.zeros((4, 2)), 3.0, seed=3, warmup=300, draws=500)
    assert chains.diverging.sum() > 0


@pytest.mark.parametrize("mode", [False, True])
def test_draws_are_double_precision_whatever_the_mode_of_the_caller(mode: bool) -> None:
    with jax.enable_x64(mode):
        chains = run_chains(scaled, np.zeros((2, 1)), 1.0, seed=1, warmup=50, draws=10)
    assert chains.z.dtype == np.float64
