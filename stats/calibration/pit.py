r"""Randomised probability integral transform and quantile residuals of hurdle laws.

With a mass 1 - p at zero, F(y) is not uniform even for a perfect forecast. Observed zeros are
spread evenly over (0, 1 - p]; values above take F(y). With few positives most of a single
randomisation is injected noise, so 20 or more are made and looked at together, or the
randomisation is integrated out exactly (`pit_distribution`).

J. B. Brockwell (2007), Statistics & Probability Letters 77, 1473-1478;
P. K. Dunn & G. K. Smyth (1996), JCGS 5, 236-244, doi:10.1080/10618600.1996.10474708;
C. Czado, T. Gneiting & L. Held (2009), Biometrics 65, 1254-1261,
doi:10.1111/j.1541-0420.2009.01191.x.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray, as_nonnegative, as_probability, require_same_shape
from stats.laws.hurdle import Hurdle

MINIMUM_RANDOMISATIONS = 20


def _observed(law: Hurdle, value: ArrayLike) -> FloatArray:
    y = as_nonnegative("value", value)
    require_same_shape(law=law.probability, value=y)
    return y


def _tails(
    law: Hurdle, value: ArrayLike, rng: np.random.Generator, randomisations: int
) -> tuple[FloatArray, FloatArray]:
    """(randomisation, case) probabilities below and above, each with its own precision."""
    y = _observed(law, value)
    if randomisations < MINIMUM_RANDOMISATIONS:
        raise ValueError(
            f"randomisations: found {randomisations}; expected {MINIMUM_RANDOMISATIONS} or more"
        )
    zero = y == 0.0
    above = np.broadcast_to(law.sf(y), (randomisations, *y.shape)).copy()
    below = 1.0 - above
    # 1 - random() lies in (0, 1]: never exactly 0, whose residual would be infinite.
    below[:, zero] = (1.0 - rng.random((randomisations, int(zero.sum())))) * (
        1.0 - law.probability[zero]
    )
    above[:, zero] = 1.0 - below[:, zero]
    return below, above


def randomised_pit(
    law: Hurdle,
    value: ArrayLike,
    *,
    rng: np.random.Generator,
    randomisations: int = MINIMUM_RANDOMISATIONS,
) -> FloatArray:
    """(randomisation, case) transforms, uniform on (0, 1) for a forecast that is right.

    Args:
        law: (case,) hurdle laws.
        value: (case,) observed values, 0 or more.
        rng: source of randomness.
        randomisations: 20 or more.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0])
        >>> u = randomised_pit(law, [0.0, 1.0], rng=np.random.default_rng(0))
        >>> u.shape, bool((u[:, 0] <= 0.8).all()), float(u[0, 1].round(4))
        ((20, 2), True, 0.9)
    """
    return _tails(law, value, rng, randomisations)[0]


def quantile_residuals(
    law: Hurdle,
    value: ArrayLike,
    *,
    rng: np.random.Generator,
    randomisations: int = MINIMUM_RANDOMISATIONS,
) -> FloatArray:
    """(randomisation, case) standard normal scores of the randomised transform.

    A value that the forecast called impossible (above 0 where p = 0, 0 where p = 1, at the upper
    end of the law) gives an infinite residual.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([1.0], [0.0], [1.0], upper=np.inf)
        >>> quantile_residuals(law, [np.e], rng=np.random.default_rng(0))[0].round(6)
        array([1.])
    """
    below, above = _tails(law, value, rng, randomisations)
    return np.where(below < above, special.ndtri(below), -special.ndtri(above))


def pit_distribution(law: Hurdle, value: ArrayLike, levels: ArrayLike) -> FloatArray:
    """(level,) share of transforms at or below each level, the randomisation integrated out.

    Equal to `levels` for a calibrated forecast; differences between neighbouring levels are the
    bars of a PIT histogram without injected noise.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0])
        >>> pit_distribution(law, [0.0, 0.0], [0.0, 0.4, 0.8, 1.0])
        array([0. , 0.5, 1. , 1. ])
    """
    y = _observed(law, value).reshape(-1)
    u = as_probability(levels, "levels")
    p = law.probability.reshape(-1)
    zero = y == 0.0
    mass = np.sort(1.0 - p[zero])
    # A zero contributes min(u / mass, 1); sums by sorted mass avoid a (level, case) array.
    certain = mass > 0.0
    inverse = np.concatenate([[0.0], np.cumsum(1.0 / mass[certain][::-1])])[::-1]
    passed = np.searchsorted(mass[certain], u, side="right")
    zeros = passed + u * inverse[passed] + np.count_nonzero(~certain)
    positive = np.sort(law.cdf(y.reshape(law.shape)).reshape(-1)[~zero])
    return (zeros + np.searchsorted(positive, u, side="right")) / y.size
