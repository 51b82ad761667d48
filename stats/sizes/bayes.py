r"""Bayesian fit of one inventory: posterior of the parameters, the rollover and the slope.

The posterior is sampled by NUTS in the coordinates of `stats.sizes.priors`, whose priors stand in
the result. What the data did not decide is said: `contraction` is the share of the prior variance
of a coordinate that the data removed, and near 0 the answer is the prior's.

Every interval is an equal-tailed posterior interval. The rollover exists only in the draws with
one; their share is part of the answer, and so is the chance that it lies below the detection limit,
where it is an extrapolation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import jax
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.precision import in_float64
from stats.sizes.chain_diagnostics import ESS_PER_CHAIN, RHAT_LIMIT, diagnose
from stats.sizes.law import Law, law_named
from stats.sizes.nuts import Chains, run_chains
from stats.sizes.posterior import Posterior, posterior_notes, summarise
from stats.sizes.posterior_density import Target, error_of_nodes, log_posterior, prepared_areas
from stats.sizes.predictive_checks import predictive_checks
from stats.sizes.priors import (
    Prior,
    check_priors,
    default_priors,
    derived_of,
    theta_of,
    to_coordinates,
)
from stats.sizes.recording import RecordedAreas, Recording, check_areas

LEAST_AREAS = 5
# Truncated inventories have curved ridges: longer steps than this diverge on them.
TARGET_ACCEPT = 0.95
# (acceptance, transitions per draw) of the second attempt, where the first did not converge.
_PATIENT = (0.99, 5)
# Error of the log-likelihood that is far below the Monte Carlo error of any summary.
NODE_ERROR = 1e-3


def check_law(law: str, recording: Recording) -> Law:
    """The law, or a ValueError where it needs a limit that the recording does not have."""
    family = law_named(law)
    if family.needs_lower and recording.edges()[0] <= 0.0:
        raise ValueError(
            f"law: found {law} with lower_m2 = 0; expected a detection limit above 0 (or law dps)"
        )
    if family.needs_upper and not math.isfinite(recording.upper_m2):
        raise ValueError(f"law: found {law} with no upper limit; expected a finite upper_m2")
    return family


def check_sampling(*, chains: int, draws: int, warmup: int, level: float) -> None:
    """Refuse settings of which no diagnostics can be computed.

    Raises:
        ValueError: naming the setting.
    """
    for name, value, least in (("chains", chains, 1), ("draws", draws, 4), ("warmup", warmup, 20)):
        if value < least:
            raise ValueError(f"{name}: found {value}; expected at least {least}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a probability between 0 and 1")


@in_float64
def first_positions(
    law: str, areas_m2: FloatArray, recording: Recording, chains: int, seed: int
) -> FloatArray:
    """(chain, k) scattered first positions: start values of the law, moved at random."""
    family = law_named(law)
    lower, upper = recording.edges()
    starts = np.asarray(family.starts(areas_m2, lower, upper))
    z = np.asarray(jax.vmap(to_coordinates(law))(starts))
    z = z[np.all(np.isfinite(z), axis=1)]
    if not z.size:
        z = np.array([[prior.mean for prior in default_priors(law)]])
    rng = np.random.default_rng(seed)
    return z[np.arange(chains) % z.shape[0]] + 0.2 * rng.normal(size=(chains, family.k))


def _mixed(run: Chains) -> bool:
    """No divergence, and R-hat and effective sizes in order for every coordinate."""
    chains, _, coordinates = run.z.shape
    found = [diagnose(run.z[..., j]) for j in range(coordinates)]
    return not run.diverging.any() and all(
        d.rhat <= RHAT_LIMIT and min(d.ess_bulk, d.ess_tail) >= ESS_PER_CHAIN * chains
        for d in found
    )


def _fitted_curve(recording: Recording, chains: int, seed: int) -> FloatArray:
    """(chain, 2) first positions of a detection curve that is fitted, (chain, 0) without one."""
    curve = recording.detection
    if curve is None or curve.covariance is None:
        return np.zeros((chains, 0))
    rng = np.random.default_rng([seed, 1])
    centre = np.log([curve.half_area_m2, curve.width])
    return rng.multivariate_normal(centre, np.asarray(curve.covariance), size=chains)


def fit_bayes(
    areas_m2: ArrayLike,
    law: str = "dps_extended",
    recording: Recording | None = None,
    *,
    priors: Sequence[Prior] | None = None,
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    above_m2: Sequence[float] = (1e3, 1e4, 1e5),
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Posterior:
    """Posterior of a size law given the areas of one inventory.

    Chains that diverge or do not meet are sampled once more with shorter steps, twice the warm-up
    and five transitions a draw; what then still fails stands in `notes`.

    Args:
        areas_m2: (n,) areas [m2].
        law: name of the law.
        recording: how the areas were recorded; None for exact areas without limits.
        priors: of the law's coordinates; None for `stats.sizes.priors.default_priors`.
        chains: independent chains, from scattered starts.
        draws: kept draws of each.
        warmup: adaptation draws of each, dropped.
        seed: of starts, draws and replicates.
        level: probability of the intervals.
        above_m2: areas whose exceedance is checked [m2].
        threads: chains at a time; None for the available cores.
        progress: called with the number of chains that ended.

    Returns:
        The posterior with diagnostics, checks and notes. Look at `converged` and `notes` first.

    Raises:
        ValueError: bad areas, a law that needs another recording, wrong priors or settings.

    Example:
        >>> from stats.sizes import double_pareto
        >>> areas = double_pareto.sample(
        ...     2000, 1.4, 2.3, 800.0, rng=np.random.default_rng(1), lower=100.0
        ... )
        >>> found = fit_bayes(areas, recording=Recording(lower_m2=100.0), draws=500)
        >>> alpha = found.estimates["alpha"]
        >>> found.converged, alpha.low < 1.4 < alpha.high
        (True, True)
        >>> print(found.priors[0])
        ln alpha ~ Normal(0.336, 0.5): alpha 0.53 to 3.7 (95 %)
    """
    recording = recording or Recording()
    check_sampling(chains=chains, draws=draws, warmup=warmup, level=level)
    family = check_law(law, recording)
    chosen = check_priors(law, priors)
    areas = check_areas(areas_m2, recording, least=LEAST_AREAS)
    starts = np.concatenate(
        [
            first_positions(law, areas, recording, chains, seed),
            _fitted_curve(recording, chains, seed),
        ],
        axis=1,
    )
    mean, sd = np.array([p.mean for p in chosen]), np.array([p.sd for p in chosen])

    def sample(data: RecordedAreas, target_accept: float, thin: int) -> Chains:
        return run_chains(
            log_posterior(law),
            starts,
            Target(data, mean, sd),
            seed=seed,
            warmup=warmup if thin == 1 else 2 * warmup,
            draws=draws,
            thin=thin,
            target_accept=target_accept,
            threads=threads,
            progress=progress if thin == 1 else None,
        )

    data = prepared_areas(areas, recording)
    run = sample(data, TARGET_ACCEPT, 1)
    rows = run.z.reshape(-1, run.z.shape[2])
    rows = rows[:: max(1, rows.shape[0] // 32)]
    error = error_of_nodes(law, rows, areas, recording, data)
    if error > NODE_ERROR:
        data, error = prepared_areas(areas, recording, nodes=False), 0.0
        run = sample(data, TARGET_ACCEPT, 1)
    if not _mixed(run):
        run = sample(data, *_PATIENT)
    k = family.k
    z, curve = run.z[..., :k], run.z[..., k:]
    theta = theta_of(law, z)
    found = {p.name: theta[..., i] for i, p in enumerate(family.parameters)}
    units = {p.name: p.unit for p in family.parameters}
    for name, values in derived_of(law, theta).items():
        found[name], units[name] = values, "m2" if name == "rollover_m2" else "1"
    for i, (name, unit) in enumerate((("half_area_m2", "m2"), ("width", "1"))[: curve.shape[-1]]):
        found[name], units[name] = np.exp(curve[..., i]), unit
    estimates = {name: summarise(name, units[name], v, level) for name, v in found.items()}
    shrunk = 1.0 - z.reshape(-1, k).var(axis=0, ddof=1) / sd**2
    contraction = {p.coordinate: float(c) for p, c in zip(chosen, shrunk, strict=True)}
    divergences = int(run.diverging.sum())
    known = recording.detection
    if known is not None and not curve.shape[-1]:
        at = np.log([known.half_area_m2, known.width])
        curve = np.broadcast_to(at, (*z.shape[:2], 2))
    checks = predictive_checks(
        law,
        theta.reshape(-1, k),
        areas,
        recording,
        curve=curve.reshape(-1, 2) if known is not None else None,
        above_m2=above_m2,
        rng=np.random.default_rng([seed, 2]),
    )
    return Posterior(
        law=law,
        recording=recording,
        n=areas.size,
        priors=chosen,
        coordinates=z,
        draws=found,
        estimates=estimates,
        contraction=contraction,
        divergences=divergences,
        checks=checks,
        error_of_nodes=error,
        notes=posterior_notes(family, recording, estimates, contraction, divergences, found),
    )
