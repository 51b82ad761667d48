r"""Q-Q and P-P plots of a fitted size law with envelopes that know that it was fitted.

Inventories are drawn from the fitted law and refitted. A P-P curve sets the model probabilities of
the sorted areas against :math:`p_i = (i - 1/2)/n`; a Q-Q curve the sorted areas against the model's
quantiles at :math:`p_i`, on log axes. Every simulated curve is taken against *its own refit*, as
the real one is: envelopes without refit are too wide, and misfits stay hidden in them.

Pointwise envelopes hold a share `level` of the curves at each point, so a curve leaves them
somewhere far more often than 1 - level. The simultaneous ones hold whole curves: curves are ranked
at each point from both sides, a curve is as extreme as its sorted ranks in lexicographic order, and
the envelope spans the curves that are left when the share 1 - level of the most extreme is taken
away. The p-value of that ranking is a goodness-of-fit test whose reason for rejection can be seen
in the plot.

M. Myllymaki, T. Mrkvicka, P. Grabarnik, H. Seijo & U. Hahn (2017), Global envelope tests for
spatial processes, Journal of the Royal Statistical Society B 79, 381-404, doi:10.1111/rssb.12172.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from stats.case_arrays import FloatArray, IntArray
from stats.sizes.fit import SizeFit
from stats.sizes.goodness import refitted_blocks
from stats.sizes.recording import check_areas
from stats.sizes.simulation import probabilities, quantiles

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Envelope:
    """A curve of a fitted law with its envelopes, at chosen ranks of the sorted areas.

    Attributes:
        rank: (point,) rank of the area, from 1.
        model: (point,) P-P: p_i; Q-Q: the model's quantile [m2].
        observed: (point,) P-P: model probability of the area; Q-Q: the area [m2].
        pointwise_low: (point,) envelope at each point alone.
        pointwise_high: (point,) likewise.
        simultaneous_low: (point,) envelope of whole curves.
        simultaneous_high: (point,) likewise.
        inside: the observed curve stays within the simultaneous envelope.
        p_value: of the observed curve among the simulated ones.
        level: share of curves held.
        draws: simulated inventories.
    """

    rank: IntArray
    model: FloatArray
    observed: FloatArray
    pointwise_low: FloatArray
    pointwise_high: FloatArray
    simultaneous_low: FloatArray
    simultaneous_high: FloatArray
    inside: bool
    p_value: float
    level: float
    draws: int


@dataclass(frozen=True)
class FitEnvelopes:
    """P-P and Q-Q curves of one fit from the same simulated inventories.

    Attributes:
        pp: probabilities against probabilities.
        qq: areas against quantiles.
        unconverged: simulated inventories left out because their refit was not proven.
    """

    pp: Envelope
    qq: Envelope
    unconverged: int


def chosen_ranks(n: int, points: int) -> IntArray:
    """At most `points` ranks of n, dense at both ends, where tails are judged.

    Example:
        >>> chosen_ranks(5, 100)
        array([1, 2, 3, 4, 5])
        >>> chosen_ranks(10_000, 9)
        array([    1,     8,    71,   595,  5000,  5001,  9406,  9930,  9993,
               10000])
    """
    if n <= points:
        return np.arange(1, n + 1)
    near = np.geomspace(1.0, n / 2.0, (points + 1) // 2)
    ranks = np.concatenate([near, n + 1 - near])
    return np.unique(np.round(ranks).astype(np.int64))


def rank_envelope(curves: FloatArray, level: float) -> tuple[FloatArray, FloatArray, float]:
    """Simultaneous envelope of curves and the p-value of the first of them.

    Args:
        curves: (1 + draw, point) curves, the observed one first.
        level: share of whole curves that the envelope holds.

    Returns:
        Lower and upper envelope (point,), and the p-value of the first curve.

    Example:
        >>> curves = np.random.default_rng(0).normal(size=(200, 5))
        >>> curves[0, 2] = 6.0
        >>> low, high, p_value = rank_envelope(curves, 0.95)
        >>> bool(high[2] < 6.0), p_value
        (True, 0.045)
    """
    below = rankdata(curves, axis=0)
    ranks = np.sort(np.minimum(below, curves.shape[0] + 1.0 - below), axis=1)
    order = np.lexsort(ranks.T[::-1])
    # Curves as extreme as the first, itself and its equals included.
    first = ranks[0].tolist()
    as_extreme = sum(row <= first for row in ranks.tolist())
    kept = order[int((1.0 - level) * curves.shape[0] + 1e-9) :]
    return curves[kept].min(axis=0), curves[kept].max(axis=0), as_extreme / curves.shape[0]


def fit_envelopes(
    fit: SizeFit,
    areas_m2: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = 999,
    level: float = 0.95,
    points: int = 160,
    progress: Progress | None = None,
) -> FitEnvelopes:
    """P-P and Q-Q curves of a fit with pointwise and simultaneous envelopes.

    Args:
        fit: the fit, made of these areas.
        areas_m2: (n,) the areas [m2].
        rng: source of the simulated inventories.
        draws: their number; at least 1 / (1 - level) times a few.
        level: share of curves held.
        points: ranks shown, dense at both ends.
        progress: called with the number of inventories done after each block.

    Raises:
        ValueError: other areas than the fit's, a weighted fit, too few draws for the level.

    Example:
        >>> from stats.sizes.fit import fit_sizes
        >>> from stats.sizes.recording import Recording
        >>> areas = 300.0 * (1.0 + np.random.default_rng(0).pareto(1.5, 100))
        >>> fit = fit_sizes(areas, "power", Recording(lower_m2=300.0), intervals=None)
        >>> found = fit_envelopes(fit, areas, rng=np.random.default_rng(1), draws=99)
        >>> found.pp.inside, found.qq.model.shape
        (True, (100,))
    """
    if not 0.0 < level < 1.0 or draws * (1.0 - level) < 2.0:
        raise ValueError(
            f"envelopes: found level {level} and {draws} draws; expected a level in (0, 1) and "
            "at least 2 / (1 - level) draws"
        )
    areas = np.sort(check_areas(areas_m2, fit.recording, least=1))
    if areas.size != fit.n or fit.weight != fit.n:
        raise ValueError(
            f"envelopes: found {areas.size} areas and a fit of {fit.n} with weight "
            f"{fit.weight:g}; expected the areas of the fit, each counted once"
        )
    rank = chosen_ranks(fit.n, points)
    share = (rank - 0.5) / fit.n
    law, record = fit.law, fit.recording

    def curves(theta: FloatArray, sorted_areas: FloatArray) -> tuple[FloatArray, FloatArray]:
        below = np.exp(probabilities(law, theta, sorted_areas, record).log_below[:, rank - 1])
        model = quantiles(law, theta, share, record)
        return below, np.log(sorted_areas[:, rank - 1]) - np.log(model)

    pp, qq = ([part] for part in curves(fit.parameters[None], areas[None]))
    unconverged = 0
    for block in refitted_blocks(law, fit.parameters, fit.n, record, draws=draws, rng=rng):
        proven = block.converged
        unconverged += int((~proven).sum())
        found = curves(block.theta[proven], np.sort(block.areas_m2[proven], axis=1))
        pp.append(found[0])
        qq.append(found[1])
        if progress is not None:
            progress(len(proven))
    if unconverged > 0.5 * draws:
        raise ValueError(f"envelopes: {unconverged} of {draws} refits were not proven")
    model = quantiles(law, fit.parameters, share, record)[0]
    return FitEnvelopes(
        _envelope(np.concatenate(pp), rank, share, level),
        _envelope(np.concatenate(qq), rank, model, level, scale=model),
        unconverged,
    )


def _envelope(
    curves: FloatArray,
    rank: IntArray,
    model: FloatArray,
    level: float,
    scale: FloatArray | None = None,
) -> Envelope:
    """Envelopes of curves, observed first; with `scale` the curves are ln ratios to it."""
    low, high, p_value = rank_envelope(curves, level)
    tail = 0.5 * (1.0 - level)
    point_low, point_high = np.quantile(curves[1:], [tail, 1.0 - tail], axis=0)
    observed = curves[0]
    inside = bool(np.all((low <= observed) & (observed <= high)))
    factor: float | FloatArray = 1.0
    if scale is not None:
        factor, observed, low, high = scale, *(np.exp(part) for part in (observed, low, high))
        point_low, point_high = np.exp(point_low), np.exp(point_high)
    return Envelope(
        rank,
        model,
        factor * observed,
        factor * point_low,
        factor * point_high,
        factor * low,
        factor * high,
        inside,
        p_value,
        level,
        len(curves) - 1,
    )
