r"""Members of an ensemble as one forecast.

The forecast is the mixture of the members: $p = \overline{p_k}$, and the density given presence is
the mixture of the members' laws with weights $w_k = p_k / \sum p_k$. Its mean is the mixture's, so
that $p\,E[D \mid D > 0]$ is exactly the mean of the members' expected densities. One lognormal with
the mixture's first two moments of ln density stands for its shape:

$$ \mu = \sum_k w_k \mu_k, \qquad
   \sigma^2 = \sum_k w_k (\sigma_k^2 + \mu_k^2) - \mu^2 $$
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hazard.forecast import FULL_CELL_PERCENT
from stats.laws.lognormal import TruncatedLognormal

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class MemberForecasts:
    """What each member says, (member, epoch, cell) each.

    Attributes:
        score: probability as the network gave it.
        probability: after class weights were undone or scores recalibrated.
        mu: location of ln percent given presence.
        sigma: its spread.
        mean_percent: E[density | density > 0]; None: that of the truncated lognormal.
    """

    score: Array
    probability: Array
    mu: Array
    sigma: Array
    mean_percent: Array | None = None


def same_forecasts(a: MemberForecasts, b: MemberForecasts, where: Array) -> bool:
    """True where two ensembles forecast the same for all cell-epochs of `where` (epoch, cell)."""
    return all(
        np.array_equal(getattr(a, name)[:, where], getattr(b, name)[:, where], equal_nan=True)
        for name in ("probability", "mu", "sigma")
    )


def combine(members: MemberForecasts, *, base_rate: float) -> dict[str, Array]:
    """Fields of the archive on (epoch, cell), and members on (member, epoch, cell).

    Args:
        members: forecasts; NaN (in all fields alike) where nothing is predicted.
        base_rate: share of training cell-epochs with landslides; members disagree where they lie
            on different sides of it.

    Example:
        >>> one = np.full((1, 1, 1), 0.2)
        >>> fields = combine(MemberForecasts(score=one, probability=one, mu=one * 0, sigma=one * 5),
        ...                  base_rate=0.1)
        >>> float(fields["probability"][0, 0]), float(fields["disagreement"][0, 0])
        (0.2, 0.0)
    """
    p, mu, sigma = (
        np.asarray(v, dtype=np.float64) for v in (members.probability, members.mu, members.sigma)
    )
    k = p.shape[0]
    mean = members.mean_percent
    if mean is None:
        mean = law_of(mu, sigma, "mean")
    mean = np.asarray(mean, dtype=np.float64)
    # Members that all say 0 still have a law, weighed alike.
    total = p.sum(axis=0)
    weight = np.where(total > 0, p / np.where(total > 0, total, 1.0), 1.0 / k)
    location = (weight * mu).sum(axis=0)
    spread = np.sqrt(np.maximum((weight * (sigma**2 + mu**2)).sum(axis=0) - location**2, 1e-12))
    yes = (p > base_rate).sum(axis=0)
    pairs = k * (k - 1) / 2
    missing = np.isnan(total)

    def spread_of(values: Array) -> Array:
        return values.std(axis=0, ddof=1) if k > 1 else np.full(values.shape[1:], np.nan)

    disagreement = yes * (k - yes) / pairs if k > 1 else np.zeros(p.shape[1:])
    return {
        "score": members.score.mean(axis=0),
        "probability": p.mean(axis=0),
        "mu": location,
        "sigma": np.where(missing, np.nan, spread),
        "mean_percent": (weight * mean).sum(axis=0),
        "median_percent": law_of(location, np.where(missing, np.nan, spread), "median"),
        "probability_spread": spread_of(p),
        "mean_percent_spread": spread_of(mean),
        "expected_spread": spread_of(p * mean),
        "disagreement": np.where(missing, np.nan, disagreement),
        "member_probability": p,
        "member_mean_percent": mean,
    }


def law_of(mu: Array, sigma: Array, what: str) -> Array:
    """Mean or median of the truncated lognormal; NaN where its parameters are."""
    known = np.isfinite(mu) & np.isfinite(sigma)
    out = np.full(np.shape(mu), np.nan)
    if known.any():
        law = TruncatedLognormal(mu[known], sigma[known], FULL_CELL_PERCENT)
        out[known] = law.mean() if what == "mean" else law.median()
    return out


def exceedance(probability: Array, mu: Array, sigma: Array, level_percent: float) -> Array:
    """P(density > level), for thresholds above 0; the probability itself at 0."""
    if level_percent == 0:
        return np.asarray(probability)
    known = np.isfinite(mu) & np.isfinite(sigma)
    out = np.full(np.shape(mu), np.nan)
    law = TruncatedLognormal(mu[known], sigma[known], FULL_CELL_PERCENT)
    out[known] = np.asarray(probability)[known] * law.sf(level_percent)
    return out
