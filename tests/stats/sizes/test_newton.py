"""The ascent proves what it claims: convergence, bounds, and where there is no maximum."""

import jax.numpy as jnp
import numpy as np

from stats.precision import in_float64
from stats.sizes.newton import Box, Optimum, newton
from stats.sizes.truncated_dps import Evaluation

WIDE = ((-10.0, -10.0), (10.0, 10.0), (1.0, 1.0))


def _bowl(u: jnp.ndarray) -> Evaluation:
    """-(x - 1)^2 - cosh(y - 2x): one maximum at (1, 2), curved enough to need damping."""
    x, y = u[0], u[1]
    sinh, cosh = jnp.sinh(y - 2 * x), jnp.cosh(y - 2 * x)
    gradient = jnp.stack([-2 * (x - 1) + 2 * sinh, -sinh])
    rows = [jnp.stack([-2 - 4 * cosh, 2 * cosh]), jnp.stack([2 * cosh, -cosh])]
    return Evaluation(-((x - 1) ** 2) - cosh, gradient, jnp.stack(rows))


def _saddle(u: jnp.ndarray) -> Evaluation:
    gradient = jnp.stack([-2 * u[0], 2 * u[1]])
    hessian = jnp.asarray([[-2.0, 0.0], [0.0, 2.0]])
    return Evaluation(u[1] ** 2 - u[0] ** 2, gradient, hessian)


@in_float64
def climb(evaluate: object, start: tuple, box: tuple = WIDE) -> Optimum:
    bounds = Box(*(jnp.asarray(part) for part in box))
    return newton(evaluate, jnp.asarray(start), bounds)  # type: ignore[arg-type]


def test_it_finds_the_maximum_and_proves_it() -> None:
    found = climb(_bowl, (-5.0, 5.0))
    np.testing.assert_allclose(found.u, (1.0, 2.0), atol=1e-6)
    assert found.converged
    assert found.definite
    assert found.decrement < 1e-10
    assert found.free.all()


def test_a_maximum_at_a_bound_is_held_there() -> None:
    found = climb(_bowl, (0.0, 0.0), ((-10.0, -10.0), (0.5, 10.0), (1.0, 1.0)))
    np.testing.assert_allclose(found.u, (0.5, 1.0), atol=1e-6)
    assert found.converged
    assert found.free.tolist() == [False, True]
    assert found.gradient[0] > 0.0


def test_a_stationary_point_that_is_no_maximum_is_not_called_converged() -> None:
    found = climb(_saddle, (0.0, 0.0))
    assert not found.definite
    assert not found.converged


def test_a_corner_of_the_box_ends_the_ascent_of_a_saddle() -> None:
    found = climb(_saddle, (1.0, 0.1))
    np.testing.assert_allclose(found.u, (0.0, 10.0), atol=1e-6)
    assert found.converged
