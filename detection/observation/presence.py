r"""Presence of landslides per cell under an imperfect detector: the thinned likelihood.

With a rate of :math:`\lambda_i = \exp(\eta_i)` landslides per cell and epoch, each recorded with
probability :math:`\pi_i`, and :math:`\phi_i` false alarms, a cell shows a landslide with the
probability

.. math:: 1 - \exp(-\lambda_i \pi_i - \phi_i)

because a thinned Poisson process is one. Splits change nothing of presence, and merges only across
cells. The hazard is :math:`1 - \exp(-\lambda_i)`. With :math:`\pi = 1, \phi = 0` it is the usual
complementary log-log regression, which calls every missed landslide an absence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_outcome

_STEPS = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class PresenceFit:
    """A regression of the rate of landslides per cell.

    Attributes:
        beta: (draw, p) coefficients: each with its own observation, and a draw of their normal
            sampling law.
        mean_hazard: (draw,) mean over cells of the probability of at least one landslide.
    """

    beta: FloatArray
    mean_hazard: FloatArray

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """Interval of the mean hazard."""
        low, high = np.quantile(self.mean_hazard, (0.5 - 0.5 * level, 0.5 + 0.5 * level))
        return float(low), float(high)


def fit_presence(
    present: ArrayLike,
    design: ArrayLike,
    *,
    observation: ArrayLike,
    false_rate: ArrayLike,
    rng: np.random.Generator,
) -> PresenceFit:
    """Fit the rate under draws of the observation.

    Args:
        present: (cell,) a landslide was recorded.
        design: (cell, p) predictors; first column ones.
        observation: (draw, cell) probability that a landslide is recorded; 0 where unseen.
        false_rate: (draw, cell) expected false alarms.
        rng: of the sampling law.

    Raises:
        ValueError: shapes that do not fit, or observations outside 0 to 1.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.random(4000) < 1 - np.exp(-0.2 * 0.5)
        >>> one = np.ones((4000, 1))
        >>> fit = fit_presence(y, one, observation=np.full((50, 4000), 0.5),
        ...     false_rate=np.zeros((50, 4000)), rng=rng)
        >>> bool(abs(fit.mean_hazard.mean() - (1 - np.exp(-0.2))) < 0.02)
        True
    """
    y = as_outcome(present, "present").astype(np.float64)
    x = np.asarray(design, dtype=np.float64)
    pi, phi = np.asarray(observation, np.float64), np.asarray(false_rate, np.float64)
    if x.shape[:1] != y.shape or pi.shape != phi.shape or pi.shape[1:] != y.shape:
        raise ValueError(
            f"found shapes {y.shape}, {x.shape}, {pi.shape}, {phi.shape}; expected (cell,), "
            "(cell, p), (draw, cell) twice"
        )
    if not ((pi >= 0.0) & (pi <= 1.0) & (phi >= 0.0)).all():
        raise ValueError("expected observations from 0 to 1 and false rates of 0 or more")
    rows, p = len(pi), x.shape[1]
    beta = np.zeros((rows, p))
    beta[:, 0] = np.log(max(y.mean(), 0.5 / y.size))
    # A weak normal prior (sd 10) keeps coefficients finite where all cells are alike.
    prior = np.full(p, 1e-2)
    information = np.empty((rows, p, p))
    for _ in range(_STEPS):
        rate = np.exp(np.clip(beta @ x.T, -30.0, 10.0)) * pi
        mu = np.maximum(rate + phi, 1e-12)
        odds = 1.0 / np.expm1(mu)
        gradient = ((y * odds - (1.0 - y)) * rate) @ x - beta * prior
        information = np.einsum("dn,ni,nj->dij", rate**2 * odds, x, x, optimize=True)
        information += np.diag(prior)
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        beta += np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-8:
            break
    half = np.linalg.cholesky(np.linalg.inv(information))
    drawn = beta + np.einsum("dij,dj->di", half, rng.standard_normal((rows, p)))
    hazard = -np.expm1(-np.exp(np.clip(drawn @ x.T, -30.0, 10.0)))
    return PresenceFit(beta=drawn, mean_hazard=hazard.mean(axis=1))
