"""Gauss nodes that stand for many areas."""

import numpy as np
import pytest

from stats.sizes import double_pareto
from stats.sizes.empirical_nodes import NODES_PER_BIN, weighted_nodes

RNG = np.random.default_rng(1)
LOG_AREAS = np.log(double_pareto.sample(25_000, 1.4, 2.3, 800.0, rng=RNG, lower=100.0))


@pytest.mark.parametrize(("alpha", "error"), [(0.5, 1e-9), (1.4, 1e-9), (3.0, 1e-9), (6.0, 1e-7)])
def test_nodes_reproduce_the_sum_in_the_likelihood(alpha: float, error: float) -> None:
    nodes, weights = weighted_nodes(LOG_AREAS)
    assert nodes.size < 300

    def bend(y: np.ndarray) -> np.ndarray:
        return np.logaddexp(0.0, -alpha * (y - np.log(800.0)))

    assert abs(weights @ bend(nodes) - bend(LOG_AREAS).sum()) < error


def test_moments_of_each_bin_are_exact_and_one_more_is_not() -> None:
    y = np.sort(RNG.random(500)) * 0.2
    nodes, weights = weighted_nodes(y)
    assert nodes.size == NODES_PER_BIN
    x, z = (y - 0.1) / 0.1, (nodes - 0.1) / 0.1
    gaps = [abs(weights @ z**k - (x**k).sum()) for k in range(2 * NODES_PER_BIN + 1)]
    assert max(gaps[:-1]) < 1e-9
    assert gaps[-1] > 1e-4


def test_few_or_repeated_areas_stay_as_they_are() -> None:
    nodes, weights = weighted_nodes(np.log([300.0, 325.0, 325.0, 350.0]))
    np.testing.assert_array_equal(np.exp(nodes).round(6), [300.0, 325.0, 350.0])
    np.testing.assert_array_equal(weights, [1.0, 2.0, 1.0])


def test_weights_count_as_repeats() -> None:
    y = RNG.normal(size=400)
    counts = RNG.integers(1, 4, 400)
    weighted = weighted_nodes(y, counts.astype(np.float64))
    repeated = weighted_nodes(np.repeat(y, counts))
    np.testing.assert_allclose(weighted[0], repeated[0], rtol=1e-9)
    np.testing.assert_allclose(weighted[1], repeated[1], rtol=1e-9)
