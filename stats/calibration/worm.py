r"""Q-Q and worm plots of quantile residuals, in numbers, with envelopes that know the atoms.

The transform of a right forecast is uniform, its normal score standard normal. The curve of a Q-Q
plot is the quantile function of the normal scores of all cases against the normal one; a worm plot
is the same curve less the diagonal (S. van Buuren & M. Fredriks (2001), Statistics in Medicine 20,
1259-1277, doi:10.1002/sim.746): its height is a bias, its slope a wrong spread, a bow a wrong skew,
an S a wrong tail.

Where a law has an atom the randomisation is integrated out (`pit_terms`), as if infinitely many
randomisations were pooled. The curve then scatters less than that of as many independent normal
scores, and the usual envelope by order statistics would be too wide by far (with 85 percent zeros
by a factor of two or more in the middle). The envelopes here are simulated: values are drawn from
the forecast itself and go the same way. They come point by point and for the curve as a whole;
both take cases as independent of each other, which neighbouring cells are not. Envelopes from
`BlockDraws` are about the same curve where they are not: `curve_of_draws`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.calibration.pit import pit_distribution, pit_terms
from stats.case_arrays import FloatArray, IntArray, as_probability
from stats.laws.predictive import PredictiveLaw

DEFAULT_LEVELS = special.ndtr(np.linspace(-3.0, 3.0, 61))
# Grid on which the distribution of transforms is inverted: fine in both tails.
_GRID = special.ndtr(np.linspace(-4.5, 4.5, 361))


@dataclass(frozen=True, eq=False)
class QuantileCurve:
    """Quantiles of normal scores against those of a right forecast.

    Attributes:
        normal: (point,) standard normal quantiles, the abscissae.
        residual: (point,) quantiles of the forecast's normal scores.
        low: (point,) lower end of the envelope of each point alone.
        high: (point,) upper end.
        low_all: (point,) lower end of the envelope of the whole curve.
        high_all: (point,) upper end.
        level: nominal coverage of either envelope.
        p_value: share of simulated curves at least as far out as this one, itself among them.
        n: cases.
        draws: simulated curves.
    """

    normal: FloatArray
    residual: FloatArray
    low: FloatArray
    high: FloatArray
    low_all: FloatArray
    high_all: FloatArray
    level: float
    p_value: float
    n: int
    draws: int

    @property
    def worm(self) -> FloatArray:
        """(point,) residual less normal quantile: the ordinates of a worm plot."""
        return self.residual - self.normal


def _curve(distribution: FloatArray, levels: FloatArray) -> FloatArray:
    """(..., level) normal scores of the quantiles of transforms with (..., grid) distribution."""
    scores = special.ndtri(_GRID)
    flat = distribution.reshape(-1, _GRID.size)
    # Equal values carry no information on the quantile between them: a hair of slope parts them.
    risen = np.maximum.accumulate(flat, axis=1) + 1e-12 * np.arange(_GRID.size)
    curves = np.stack([np.interp(levels, row, scores) for row in risen])
    return curves.reshape(*distribution.shape[:-1], levels.size)


def quantile_curve(
    law: PredictiveLaw,
    value: ArrayLike,
    *,
    rng: np.random.Generator,
    levels: ArrayLike = DEFAULT_LEVELS,
    draws: int = 199,
    level: float = 0.95,
) -> QuantileCurve:
    """Q-Q curve of a forecast with its envelopes under the forecast itself.

    Args:
        law: (case,) predictive laws.
        value: (case,) observed values.
        rng: source of randomness.
        levels: (point,) levels of the curve, between 0 and 1; those of normal scores from -3 to 3
            by default.
        draws: simulated outcomes of all cases.
        level: coverage of the envelopes.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> rng = np.random.default_rng(0)
        >>> law = hurdle_lognormal(np.full(500, 0.3), np.zeros(500), np.ones(500))
        >>> found = quantile_curve(law, law.sample(rng), rng=rng, draws=99)
        >>> bool(found.p_value > 0.05), bool((found.low_all <= found.low + 1e-9).all())
        (True, True)
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a number between 0 and 1")
    if draws < 19:
        raise ValueError(f"draws: found {draws}; expected 19 or more")
    u = as_probability(levels, "levels").reshape(-1)
    seen = _curve(pit_distribution(law, value, _GRID), u)
    curves = np.stack(
        [_curve(pit_distribution(law, law.sample(rng), _GRID), u) for _ in range(draws)]
    )
    low, high, low_all, high_all, p_value = simultaneous_envelope(seen, curves, level)
    size = int(np.prod(law.shape))
    return QuantileCurve(
        special.ndtri(u), seen, low, high, low_all, high_all, level, p_value, size, draws
    )


def simultaneous_envelope(
    seen: FloatArray, curves: FloatArray, level: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, float]:
    """Envelopes of simulated curves, point by point and as a whole, and the p-value of one curve.

    Distances from the mean curve are measured in units of the spread on either side at each point,
    so that no part of the curve decides alone; the whole envelope holds the share `level` of the
    largest distances (M. Myllymäki, T. Mrkvička, P. Grabarnik, H. Seijo & U. Hahn (2017), JRSS B
    79, 381-404, doi:10.1111/rssb.12172, directional quantiles).

    Args:
        seen: (point,) the curve to be judged.
        curves: (draw, point) simulated curves.
        level: coverage.

    Returns:
        low, high of each point; low, high of the whole curve; p-value.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> curves = rng.normal(size=(999, 5))
        >>> *_, high_all, p = simultaneous_envelope(np.zeros(5), curves, 0.95)
        >>> bool((high_all > 2.3).all()), p > 0.9
        (True, True)
    """
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(curves, [tail, 1.0 - tail], axis=0)
    # The curve itself is one of the exchangeable draws.
    together = np.concatenate([seen[None], curves])
    centre = together.mean(axis=0)
    ends = np.quantile(together, [0.025, 0.975], axis=0)
    # Where most curves agree (an isotonic fit that is 0) a quantile says nothing of the spread.
    least = np.maximum(together.std(axis=0), 1e-12)
    below, above = np.maximum(centre - ends[0], least), np.maximum(ends[1] - centre, least)
    off = together - centre
    distance = np.where(off > 0.0, off / above, -off / below).max(axis=1)
    # Outside it are just the curves whose p-value is at most 1 - level.
    reach = float(np.sort(distance)[int(np.ceil(level * distance.size - 1e-9)) - 1])
    p_value = float(np.mean(distance >= distance[0] - 1e-12))
    return low, high, centre - reach * below, centre + reach * above, p_value


def curve_of_draws(
    law: PredictiveLaw,
    value: ArrayLike,
    block: IntArray,
    multiplicity: ArrayLike,
    *,
    levels: ArrayLike = DEFAULT_LEVELS,
) -> FloatArray:
    """(draw, point) Q-Q curves of block resamples: their spread holds for dependent cells.

    Args:
        law: (case,) predictive laws.
        value: (case,) observed values.
        block: (case,) block numbers from 0.
        multiplicity: (draw, block) how often each block was drawn.
        levels: (point,) levels of the curve.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> law = hurdle_lognormal(np.full(40, 0.5), np.zeros(40), np.ones(40))
        >>> y = law.sample(np.random.default_rng(0))
        >>> curve_of_draws(law, y, np.arange(40) // 10, np.ones((3, 4)), levels=[0.5, 0.9]).shape
        (3, 2)
    """
    times = np.asarray(multiplicity, dtype=np.float64)
    number = np.asarray(block).reshape(-1)
    u = as_probability(levels, "levels").reshape(-1)
    sums = np.zeros((times.shape[1], _GRID.size))
    # Blocks are summed before they are drawn: a draw is then one row of a small product.
    np.add.at(sums, number, pit_terms(law, value, _GRID))
    count = np.bincount(number, minlength=times.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (times @ sums) / (times @ count)[:, None]
    return _curve(shares, u)
