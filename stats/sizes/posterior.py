"""What a Bayesian fit returns: draws, their summaries, and what the reader must know of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stats.case_arrays import FloatArray
from stats.sizes.chain_diagnostics import ESS_PER_CHAIN, RHAT_LIMIT, ChainDiagnostics, diagnose
from stats.sizes.law import Law, law_named
from stats.sizes.predictive_checks import PredictiveCheck
from stats.sizes.priors import Prior
from stats.sizes.recording import Recording

_WEAK_CONTRACTION = 0.5


@dataclass(frozen=True)
class PosteriorEstimate:
    """Posterior of one quantity.

    Attributes:
        name: quantity.
        unit: its unit.
        median: posterior median.
        mean: posterior mean.
        sd: posterior standard deviation.
        low: lower end of the equal-tailed interval.
        high: its upper end.
        level: probability of the interval.
        exists: share of the draws in which the quantity exists (a rollover need not); the other
            figures are of those draws.
        diagnostics: mixing of the chains, None where the quantity is missing from some draws.
    """

    name: str
    unit: str
    median: float
    mean: float
    sd: float
    low: float
    high: float
    level: float
    exists: float
    diagnostics: ChainDiagnostics | None

    @property
    def value(self) -> float:
        """The median, under the name that maximum-likelihood estimates have."""
        return self.median


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Draws from the posterior of a size law, with all that is needed to judge them.

    Attributes:
        law: name of the law.
        recording: how the areas were recorded.
        n: number of areas.
        priors: as they were used, in the order of `coordinates`.
        coordinates: (chain, draw, k) draws of the coordinates.
        draws: name -> (chain, draw) draws of the parameters, of `rollover_m2` (NaN where the
            density has none), of `pdf_slope`, and of a fitted detection curve.
        estimates: name -> summary.
        contraction: coordinate -> 1 - posterior variance / prior variance.
        divergences: draws at which the integrator lost the density.
        checks: posterior predictive checks.
        error_of_nodes: largest error of the log-likelihood through its nodes, less a constant.
        notes: what the reader must know.
    """

    law: str
    recording: Recording
    n: int
    priors: tuple[Prior, ...]
    coordinates: FloatArray
    draws: Mapping[str, FloatArray]
    estimates: Mapping[str, PosteriorEstimate]
    contraction: Mapping[str, float]
    divergences: int
    checks: tuple[PredictiveCheck, ...]
    error_of_nodes: float
    notes: tuple[str, ...] = field(default=())

    @property
    def converged(self) -> bool:
        """No divergence, R-hat at most 1.01, 100 independent draws a chain, for every quantity."""
        chains = self.coordinates.shape[0]
        found = [e.diagnostics for e in self.estimates.values() if e.diagnostics is not None]
        return self.divergences == 0 and all(
            d.rhat <= RHAT_LIMIT and min(d.ess_bulk, d.ess_tail) >= ESS_PER_CHAIN * chains
            for d in found
        )

    def theta(self) -> FloatArray:
        """(chain x draw, k) draws of the parameters, in the order of the law."""
        return np.stack([self.draws[p].ravel() for p in law_named(self.law).names], axis=1)


def summarise(name: str, unit: str, draws: FloatArray, level: float) -> PosteriorEstimate:
    """Summary of (chain, draw) draws, of which some may be NaN (the quantity does not exist).

    Example:
        >>> draws = np.random.default_rng(1).normal(2.0, 1.0, (4, 1000))
        >>> found = summarise("alpha", "1", draws, 0.95)
        >>> bool(abs(found.low - 0.04) < 0.1 and abs(found.high - 3.96) < 0.1), found.exists
        (True, 1.0)
    """
    there = draws[np.isfinite(draws)]
    exists = there.size / draws.size
    if there.size < 2:
        nothing = (math.nan,) * 5
        return PosteriorEstimate(name, unit, *nothing, level, exists, None)
    tail = 0.5 * (1.0 - level)
    low, median, high = (float(q) for q in np.quantile(there, (tail, 0.5, 1.0 - tail)))
    mean, sd = float(there.mean()), float(there.std(ddof=1))
    mixing = diagnose(draws) if exists == 1.0 else None
    return PosteriorEstimate(name, unit, median, mean, sd, low, high, level, exists, mixing)


def posterior_notes(
    family: Law,
    recording: Recording,
    estimates: Mapping[str, PosteriorEstimate],
    contraction: Mapping[str, float],
    divergences: int,
    draws: Mapping[str, FloatArray],
) -> tuple[str, ...]:
    """What the reader of a posterior must know: limits of the law, weak data, mixing."""
    centre = np.array([estimates[name].median for name in family.names])
    notes = list(family.notes(centre, *recording.edges()))
    for name, share in contraction.items():
        if share < _WEAK_CONTRACTION:
            notes.append(
                f"{name}: the data removed {max(share, 0.0):.0%} of the prior variance; the prior "
                "decides much of the answer"
            )
    rollover = draws.get("rollover_m2")
    if rollover is not None:
        missing = float(np.mean(np.isnan(rollover)))
        if missing > 0.0:
            notes.append(f"rollover_m2: none in {missing:.0%} of the posterior")
        below = float(np.mean(rollover < recording.edges()[0]))
        if below > 0.025:
            notes.append(
                f"rollover_m2: below the detection limit in {below:.0%} of the posterior, where "
                "it is an extrapolation of the law"
            )
    if divergences:
        notes.append(f"{divergences} divergent draws: intervals may be too narrow")
    for name, estimate in estimates.items():
        mixing = estimate.diagnostics
        if mixing is not None and mixing.rhat > RHAT_LIMIT:
            notes.append(f"{name}: R-hat {mixing.rhat:.3f}; the chains have not met, run longer")
    return tuple(notes)
