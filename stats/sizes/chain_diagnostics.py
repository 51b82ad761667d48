r"""Have the chains reached one distribution, and how many independent draws are they worth?

Both are computed on ranks (Vehtari, Gelman, Simpson, Carpenter & Buerkner, 2021, Bayesian Analysis
16(2), 667-718, doi:10.1214/20-BA1221): draws of an open-ended parameter may have no variance, their
normal scores :math:`\Phi^{-1}((r - 3/8) / (S + 1/4))` always do. Split R-hat and the effective
sample size of the scores are numpyro's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from stats.case_arrays import FloatArray

RHAT_LIMIT = 1.01
ESS_PER_CHAIN = 100.0


@dataclass(frozen=True)
class ChainDiagnostics:
    """Mixing of one quantity.

    Attributes:
        rhat: split R-hat, the larger of location and spread; 1 for one common distribution.
        ess_bulk: independent draws that the centre of the distribution is worth.
        ess_tail: the same for its 5 % and 95 % quantiles, the smaller of the two.
        mcse_mean: Monte Carlo standard error of the mean, in the unit of the quantity.
    """

    rhat: float
    ess_bulk: float
    ess_tail: float
    mcse_mean: float


def _normal_scores(draws: FloatArray) -> FloatArray:
    ranks = stats.rankdata(draws.ravel(), method="average").reshape(draws.shape)
    return np.asarray(special.ndtri((ranks - 0.375) / (draws.size + 0.25)))


def _split(draws: FloatArray) -> FloatArray:
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _ess(draws: FloatArray) -> float:
    from numpyro.diagnostics import effective_sample_size

    # Antithetic chains are worth more than their draws, but not without limit.
    limit = draws.size * float(np.log10(draws.size))
    return min(float(effective_sample_size(_split(draws))), limit)


def diagnose(draws: ArrayLike) -> ChainDiagnostics:
    """R-hat and effective sample sizes of one quantity.

    Args:
        draws: (chain, draw) values; at least 4 draws, all finite.

    Returns:
        The diagnostics; for a constant quantity R-hat is NaN (undefined) and the sizes are NaN.

    Raises:
        ValueError: wrong shape, too few draws, or values that are not finite.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> good = diagnose(rng.normal(size=(4, 1000)))
        >>> bool(good.rhat < 1.01), bool(3000 < good.ess_bulk < 5000)
        (True, True)
        >>> bool(diagnose(rng.normal(size=(4, 1000)) + np.arange(4)[:, None]).rhat > 1.4)
        True
    """
    values = np.asarray(draws, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 4:
        raise ValueError(f"draws: found shape {values.shape}; expected (chain, draw), 4 or more")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"draws: found {int((~np.isfinite(values)).sum())} values not finite")
    if np.ptp(values) == 0.0:
        return ChainDiagnostics(np.nan, np.nan, np.nan, 0.0)
    # Late, as in `stats.sizes.nuts`.
    from numpyro.diagnostics import split_gelman_rubin

    scores = _normal_scores(values)
    folded = _normal_scores(np.abs(values - np.median(values)))
    rhat = max(float(split_gelman_rubin(scores)), float(split_gelman_rubin(folded)))
    tails = [_ess((values <= np.quantile(values, q)).astype(np.float64)) for q in (0.05, 0.95)]
    return ChainDiagnostics(
        rhat=rhat,
        ess_bulk=_ess(scores),
        ess_tail=min(tails),
        mcse_mean=float(values.std(ddof=1) / np.sqrt(_ess(values))),
    )
