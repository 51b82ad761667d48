"""The elementary functions under the laws, against long arithmetic and through their joints."""

import jax
import numpy as np
import pytest
from mpmath import mp

from stats.precision import in_float64
from stats.sizes.laws import stable

FUNCTIONS = {
    "log1mexp": (lambda y: mp.log(-mp.expm1(-y)), np.geomspace(1e-12, 700.0, 40)),
    "log_expm1_ratio": (
        lambda y: mp.log(-mp.expm1(-y) / y) if y else mp.mpf(0),
        np.concatenate([-np.geomspace(1e-9, 600.0, 30), np.geomspace(1e-9, 600.0, 30)]),
    ),
    "log1p_ratio": (
        lambda v: mp.log1p(v) / v if v else mp.mpf(1),
        np.concatenate([-np.linspace(0.999, 1e-9, 30), np.geomspace(1e-9, 1e6, 30)]),
    ),
    "log_softplus": (lambda q: mp.log(mp.log1p(mp.exp(q))), np.linspace(-700.0, 700.0, 61)),
    "log_expm1": (lambda s: mp.log(mp.expm1(s)), np.geomspace(1e-12, 700.0, 40)),
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_values_and_two_derivatives_agree_with_long_arithmetic(name):
    reference, points = FUNCTIONS[name]
    function = getattr(stable, name)
    # The joints of the branches lie at ln 2, 0.5, 0.04 and -15.
    joints = [v for v in (np.log(2.0), 0.5, -0.5, 0.04, -0.04, -15.0) if points[0] < v < points[-1]]
    near = np.array([v * (1.0 + e) for v in joints for e in (-1e-9, 1e-9)])
    points = np.concatenate([points, near])

    @in_float64
    def run(x):
        first, second = jax.grad(function), jax.grad(jax.grad(function))
        return function(x), jax.vmap(first)(x), jax.vmap(second)(x)

    found = run(points)
    with mp.workdps(60):
        for order in range(3):
            exact = np.array([float(mp.diff(reference, mp.mpf(float(p)), order)) for p in points])
            scale = np.abs(points) ** order if order else 1.0
            error = np.abs(found[order] - exact) / (np.abs(exact) + 1e-300)
            small = np.abs((found[order] - exact) * scale) < (1e-14, 1e-14, 1e-12)[order]
            assert ((error < (1e-13, 1e-12, 1e-9)[order]) | small).all(), (name, order)
