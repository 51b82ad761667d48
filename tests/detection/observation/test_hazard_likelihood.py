"""hazard takes what detection says of its error: the same file, and the same likelihood."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks import detection_error as benchmark
from detection.observation.estimate import estimate
from detection.observation.layer import observation_layer, write_observation_layer
from detection.observation.presence import fit_presence
from hazard.cube.observation import read_observation
from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.training.losses.recorded import recorded_log_loss

N, DRAWS = 3000, 150
BETA = np.array([-1.2, 0.7])


@pytest.fixture(scope="module")
def cells():
    """Landslides at a log-linear rate; half of them recorded, fewer where there are more."""
    rng = np.random.default_rng(5)
    x = np.stack([np.ones(N), rng.standard_normal(N)], axis=1)
    pi = np.clip(0.5 - 0.15 * x[:, 1], 0.1, 0.9)
    phi = np.full(N, 0.02)
    present = rng.random(N) < -np.expm1(-np.exp(x @ BETA) * pi - phi)
    return present, x, pi, phi


def by_the_loss(present, x, pi, phi):
    """Coefficients of least loss of hazard, the logit being that of 1 - exp(-rate)."""
    one = jnp.ones(N)

    def loss(beta):
        rate = jnp.exp(jnp.asarray(x, jnp.float32) @ beta)
        logit = jnp.log(jnp.expm1(rate))
        return recorded_log_loss(logit, present * one, one, pi * one, phi * one).value

    run = jax.jit(jax.value_and_grad(loss))

    def wrapped(beta):
        value, slope = run(jnp.asarray(beta, jnp.float32))
        return float(value), np.asarray(slope, np.float64)

    return minimize(wrapped, np.array([-1.0, 0.0]), jac=True, method="BFGS",
                    options={"gtol": 2e-6}).x  # fmt: skip


def by_detection(present, x, pi, phi):
    return fit_presence(
        present, x, observation=np.tile(pi, (DRAWS, 1)), false_rate=np.tile(phi, (DRAWS, 1)),
        rng=np.random.default_rng(0),
    )  # fmt: skip


def test_both_likelihoods_have_the_same_estimate(cells):
    fit = by_detection(*cells)
    sd = fit.beta.std(axis=0)
    # The draws scatter about the estimate; their mean is within 4 standard errors of it.
    found = by_the_loss(*cells)
    assert np.abs(found - fit.beta.mean(axis=0)).max() < (4 * sd / np.sqrt(DRAWS)).max()
    assert (np.abs(found - BETA) < 3 * sd).all()
    hazard = -np.expm1(-np.exp(cells[1] @ found)).mean()
    low, high = fit.interval(0.99)
    assert low < hazard < high


def test_both_are_wrong_alike_where_the_error_is_ignored(cells):
    present, x, *_ = cells
    one = np.ones(N)
    fit = by_detection(present, x, one, 0 * one)
    found = by_the_loss(present, x, one, 0 * one)
    assert np.abs(found - fit.beta.mean(axis=0)).max() < 0.02
    truth = -np.expm1(-np.exp(x @ BETA)).mean()
    assert -np.expm1(-np.exp(x @ found)).mean() < 0.75 * truth


def test_the_file_of_detection_is_the_input_of_hazard(tmp_path):
    rng = np.random.default_rng(3)
    model = estimate(benchmark.calibration_of(rng, blocks=40), rng=rng, draws=20)
    grid = Grid.from_bounds("EPSG:32654", (0, 0, 3000, 2000), cell_m=1000)
    slope = np.array([[20.0, 30.0, 40.0], [30.0, 30.0, np.nan]])
    share = np.ones((2, 2, 3))
    share[1, 0, 0] = 0.0
    names = ["2011, first", "2012"]
    made = observation_layer(
        model, grid, slope_deg=slope, seen_share=share, areas_m2=np.geomspace(300, 3e4, 50),
        epochs=names,
    )  # fmt: skip
    path = tmp_path / "observation.nc"
    write_observation_layer(path, made)
    found = read_observation(path, grid, names)
    np.testing.assert_array_equal(found.probability, made["observation_probability"].values)
    np.testing.assert_array_equal(found.false_alarms, made["false_alarms"].values)
    assert found.probability[1, 0, 0] == 0
    assert np.isnan(found.probability[:, 1, 2]).all()
    with pytest.raises(DataError, match="2 epochs 2011, first, 2012; expected 2 epochs 2012"):
        read_observation(path, grid, names[::-1])
