"""Compiled functions of truncated size laws, one per law, question and padded length."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stats.sizes.law import Law, log_density

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@functools.partial(jax.jit, static_argnums=(0, 1))
def evaluate(law: Law, what: str, x: Any, lower: Any, upper: Any, theta: Any) -> jax.Array:
    """One elementwise function of the truncated law at x inside its support.

    Args:
        law: family.
        what: "logpdf", "logcdf", "logsf", "ppf", "isf", or "logmass" for the log mass of the ends.
        x: areas or shares.
        lower: lower end.
        upper: upper end.
        theta: (k,) parameters.
    """
    if what == "logmass":
        return law.log_mass(lower, upper, theta)
    if what == "logpdf":
        return log_density(law, x, theta, lower, upper)
    if what == "logcdf":
        return law.log_mass(lower, x, theta) - law.log_mass(lower, upper, theta)
    if what == "logsf":
        return law.log_mass(x, upper, theta) - law.log_mass(lower, upper, theta)
    inverse = law.inverse_mass if what == "ppf" else law.inverse_tail_mass
    return inverse(x, lower, upper, theta)


def _log_likelihood(
    law: Law, theta: Any, x: Any, weights: Any, lower: Any, upper: Any
) -> jax.Array:
    return jnp.sum(weights * log_density(law, x, theta, lower, upper))


DERIVATIVES: dict[str, Callable[..., jax.Array]] = {
    "loglik": jax.jit(_log_likelihood, static_argnums=0),
    "score": jax.jit(jax.grad(_log_likelihood, argnums=1), static_argnums=0),
    "hessian": jax.jit(jax.hessian(_log_likelihood, argnums=1), static_argnums=0),
}


def padded(values: FloatArray, fill: float) -> FloatArray:
    """Every length would be compiled anew; powers of two are few."""
    n = max(values.size, 8)
    room = (1 << (n - 1).bit_length()) - values.size
    return np.concatenate([values, np.full(room, fill)])
