r"""What a predictive law must answer, whatever family it is of: the one interface of all scores.

A law here is a record of parameter arrays, one law per case, of a quantity that cannot be negative.
Scores, transforms and intervals are written once against these questions; a family with a closed
form answers in closed form, any other by quadrature, and the score cannot tell.

Two integrals carry the continuous ranked probability score of every such law:

.. math:: A(x) = \int_0^x (1 - F)\,dx = \mathrm{E}\min(X, x), \qquad
          J(r) = \int_r^\infty (1 - F)^2\,dx,

and the partial expectations follow from the first: :math:`\mathrm{E}[X; X \le x] = A(x) -
x\,(1 - F(x))` and :math:`\mathrm{E}(X - x)_+ = \mathrm{E} X - A(x)`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_nonnegative


class PredictiveLaw(Protocol):
    """Laws of a quantity of 0 or more, one per case, with or without atoms."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the cases."""

    def cdf(self, x: ArrayLike, /) -> FloatArray:
        """F(x) = P(X <= x)."""

    def sf(self, x: ArrayLike, /) -> FloatArray:
        """1 - F(x), with its own precision where F is near 1."""

    def mass(self, x: ArrayLike, /) -> FloatArray:
        """P(X = x): 0 but for the atoms of the law."""

    def log_density(self, x: ArrayLike, /) -> FloatArray:
        """Log of the density: per unit of length, or of the mass where the law has an atom."""

    def quantile(self, level: ArrayLike, /) -> FloatArray:
        """Smallest x with F(x) >= level."""

    def mean(self) -> FloatArray:
        """E[X]; infinite where the tail has none."""

    def variance(self) -> FloatArray:
        """Var[X]; infinite where the tail has none."""

    def limited_mean(self, x: ArrayLike, /) -> FloatArray:
        """A(x) = E min(X, x); finite for every law."""

    def squared_survival(self, above: ArrayLike = 0.0, /) -> FloatArray:
        """J(above), the integral of (1 - F)^2 from `above` upwards."""

    def sample(self, rng: np.random.Generator, /) -> FloatArray:
        """One draw per case."""


def observed(law: PredictiveLaw, value: ArrayLike) -> FloatArray:
    """Observed values of the cases of a law, checked.

    Raises:
        ValueError: a value is missing or below 0, or the shapes differ.

    Example:
        >>> from stats.laws.bernoulli import Bernoulli
        >>> observed(Bernoulli(np.array([0.2])), [1.0, 0.0])
        Traceback (most recent call last):
        ValueError: shapes differ: law (1,), value (2,)
    """
    y = as_nonnegative("value", value)
    if y.shape != law.shape:
        raise ValueError(f"shapes differ: law {law.shape}, value {y.shape}")
    return y


def partial_mean(law: PredictiveLaw, x: ArrayLike) -> FloatArray:
    """E[X; X <= x], the part of the mean that lies at or below x.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2], [0.0], [1.0], upper=np.inf)
        >>> partial_mean(law, 1.0).round(5), partial_mean(law, 1e9).round(5)
        (array([0.05232]), array([0.32974]))
    """
    value = as_nonnegative("x", x)
    return law.limited_mean(value) - value * law.sf(value)


def expected_excess(law: PredictiveLaw, x: ArrayLike) -> FloatArray:
    """E max(X - x, 0), what is expected above x; infinite where the law has no mean.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2], [0.0], [1.0], upper=np.inf)
        >>> expected_excess(law, [0.0, 1.0]).round(5)
        array([0.32974, 0.17743])
    """
    value = as_nonnegative("x", x)
    return np.maximum(law.mean() - law.limited_mean(value), 0.0)
