r"""Randomised probability integral transform and quantile residuals of predictive laws.

With an atom, such as the mass 1 - p of a hurdle law at zero, F(y) is not uniform even for a perfect
forecast. Observed zeros are spread evenly over (0, 1 - p], values at any other atom over its jump;
values between take F(y). With few positives most of a single randomisation is injected noise, so 20
or more are made and looked at together, or the randomisation is integrated out exactly
(`pit_terms`, `pit_distribution`).

J. B. Brockwell (2007), Statistics & Probability Letters 77, 1473-1478;
P. K. Dunn & G. K. Smyth (1996), JCGS 5, 236-244, doi:10.1080/10618600.1996.10474708;
C. Czado, T. Gneiting & L. Held (2009), Biometrics 65, 1254-1261,
doi:10.1111/j.1541-0420.2009.01191.x.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import BoolArray, FloatArray, as_probability
from stats.laws.predictive import PredictiveLaw, observed

MINIMUM_RANDOMISATIONS = 20


def _jump(
    law: PredictiveLaw, value: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """(case,) F(y-), the mass at y, 1 - F(y), and whether y is an atom or was called impossible.

    A zero is spread over its jump even where a hurdle gives it no mass: it is at the lower end.
    """
    y = observed(law, value)
    above, mass = law.sf(y), law.mass(y)
    return np.clip(1.0 - above - mass, 0.0, 1.0), mass, above, (mass > 0.0) | (y == 0.0)


def _tails(
    law: PredictiveLaw, value: ArrayLike, rng: np.random.Generator, randomisations: int
) -> tuple[FloatArray, FloatArray]:
    """(randomisation, case) probabilities below and above, each with its own precision."""
    start, mass, end, atom = _jump(law, value)
    if randomisations < MINIMUM_RANDOMISATIONS:
        raise ValueError(
            f"randomisations: found {randomisations}; expected {MINIMUM_RANDOMISATIONS} or more"
        )
    above = np.broadcast_to(end, (randomisations, *end.shape)).copy()
    below = 1.0 - above
    # 1 - random() lies in (0, 1]: never exactly 0, whose residual would be infinite.
    share = 1.0 - rng.random((randomisations, int(atom.sum())))
    below[:, atom] = start[atom] + share * mass[atom]
    above[:, atom] = end[atom] + (1.0 - share) * mass[atom]
    return below, above


def randomised_pit(
    law: PredictiveLaw,
    value: ArrayLike,
    *,
    rng: np.random.Generator,
    randomisations: int = MINIMUM_RANDOMISATIONS,
) -> FloatArray:
    """(randomisation, case) transforms, uniform on (0, 1) for a forecast that is right.

    Args:
        law: (case,) predictive laws.
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
    law: PredictiveLaw,
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


def pit_terms(law: PredictiveLaw, value: ArrayLike, levels: ArrayLike) -> FloatArray:
    """(case, level) chance that the randomised transform of a case is at or below each level.

    The randomisation is integrated out, and the terms are addable: their mean over any cases, or
    over the cases of resampled blocks, is the distribution of the transform there.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0], upper=np.inf)
        >>> pit_terms(law, [0.0, 1.0], [0.4, 0.9, 1.0])
        array([[0.5, 1. , 1. ],
               [0. , 1. , 1. ]])
    """
    start, mass, end = (np.asarray(a).reshape(-1, 1) for a in _jump(law, value)[:3])
    u = as_probability(levels, "levels").reshape(1, -1)
    wide = mass > 0.0
    part = np.clip((u - start) / np.where(wide, mass, 1.0), 0.0, 1.0)
    return np.where(wide, part, (1.0 - end <= u).astype(np.float64))


def pit_distribution(law: PredictiveLaw, value: ArrayLike, levels: ArrayLike) -> FloatArray:
    """(level,) share of transforms at or below each level, the randomisation integrated out.

    Equal to `levels` for a calibrated forecast; differences between neighbouring levels are the
    bars of a PIT histogram without injected noise.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal([0.2, 0.2], [0.0, 0.0], [1.0, 1.0])
        >>> pit_distribution(law, [0.0, 0.0], [0.0, 0.4, 0.8, 1.0])
        array([0. , 0.5, 1. , 1. ])
    """
    u = as_probability(levels, "levels")
    start, mass, end = (np.asarray(a).reshape(-1) for a in _jump(law, value)[:3])
    wide = mass > 0.0
    low, jump = start[wide], mass[wide]
    points = np.sort(1.0 - end[~wide])
    spread = _spread_sums(low, jump, u.reshape(-1)).reshape(u.shape)
    return (spread + np.searchsorted(points, u, side="right")) / start.size


def _spread_sums(low: FloatArray, jump: FloatArray, u: FloatArray) -> FloatArray:
    """(level,) sum over cases of the part of the jump from `low` that lies below each level."""
    if low.any():
        # Level by level: a (case, level) array of a large map would not fit.
        return np.array([np.clip((level - low) / jump, 0.0, 1.0).sum() for level in u])
    # Jumps from 0 need one sort: those ended count 1 each, of the others u / jump.
    ends = np.sort(jump)
    inverse = np.concatenate([[0.0], np.cumsum(1.0 / ends[::-1])])[::-1]
    passed = np.searchsorted(ends, u, side="right")
    return passed + u * inverse[passed]
