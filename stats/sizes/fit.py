r"""Maximum-likelihood fit of a size law to recorded areas, with the proof that it is one.

The likelihood is climbed from several starts by a damped Newton method (`stats.sizes.newton`); the
result carries its gradient, its Hessian's definiteness and the log-likelihood still to be gained.
A maximum at a limit of the family is named instead of printed as numbers that would have run on:
``frechet`` (beta to infinity, t to 0), ``log`` (beta = 0), ``pareto`` (no bend inside the data).
A maximum that the data cannot tell from such a limit is a ridge, named ``ridge towards ...``.

A quantity is called identified only if its profile interval is closed and its estimate stays
within a factor of 2 when the smallest areas are cut away (`stats.sizes.stability`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, as_weights
from stats.precision import in_float64
from stats.sizes.ascent import PARETO, free_climb, limit_of, maximise
from stats.sizes.describe import describe
from stats.sizes.intervals import covariance, estimates_of, ridge_towards
from stats.sizes.law import Law, law_named
from stats.sizes.newton import Optimum
from stats.sizes.profile import profile_of, root_target
from stats.sizes.quantities import Estimate
from stats.sizes.recording import RecordedAreas, Recording, check_areas, recorded_areas
from stats.sizes.stability import CutFits, fits_above_cuts

__all__ = ["Estimate", "SizeFit", "fit_sizes"]

Intervals = Literal["profile", "delta"]
# A profile that meets a higher point restarts the ascent there, this often.
_RESTARTS = 3


@dataclass(frozen=True, kw_only=True)
class SizeFit:
    """A fitted size law.

    Attributes:
        law: name of the law.
        recording: how the areas were recorded.
        theta: parameter -> value, for use in the law's functions; at a limit the member of the
            family next to it (what is printed are the `estimates`).
        n: number of areas.
        weight: total weight (n without weights).
        log_likelihood: at the maximum.
        aic: Akaike's criterion; a parameter that stands at a limit is not counted.
        bic: Schwarz's criterion likewise, with `weight` as the sample size.
        z: (k,) estimate on the law's unconstrained scale.
        covariance: (k, k) inverse observed information on that scale; infinite variances where a
            limit or a ridge leaves a direction free.
        u: coordinates in which it was climbed, with those of a fitted detection curve.
        gradient_norm: largest component of the score per unit of weight, free coordinates.
        decrement: log-likelihood still to be gained, by the quadratic model.
        hessian_definite: the Hessian of the free coordinates is negative definite.
        converged: decrement below the tolerance, Hessian definite, nothing higher met.
        limit: "frechet", "log", "pareto", "ridge ..." or None.
        estimates: name -> Estimate of every parameter, `rollover_m2`, `pdf_slope`, at the Frechet
            limit its `frechet_scale_m2`, and of a fitted detection curve.
        cuts: fits above higher cuts, by which stability was judged; None if none were made.
        notes: what the reader must know.
    """

    law: str
    recording: Recording
    theta: Mapping[str, float]
    n: int
    weight: float
    log_likelihood: float
    aic: float
    bic: float
    z: FloatArray
    covariance: FloatArray
    u: FloatArray
    gradient_norm: float
    decrement: float
    hessian_definite: bool
    converged: bool
    limit: str | None
    estimates: Mapping[str, Estimate]
    cuts: CutFits | None
    notes: tuple[str, ...]

    @property
    def parameters(self) -> FloatArray:
        """(k,) theta as an array, in the order of the law."""
        return np.array(list(self.theta.values()))


def _gradient_norm(found: Optimum, weight: float) -> float:
    gradient = np.abs(np.asarray(found.gradient)[np.asarray(found.free)])
    return float(gradient.max(initial=0.0)) / weight


def _check_ends(law: Law, recording: Recording) -> None:
    if law.needs_upper and not math.isfinite(recording.upper_m2):
        raise ValueError(f"{law.name}: found no upper limit; expected a recording with upper_m2")
    # The extended family falls back to beta > 0 where nothing is cut.
    if law.needs_lower and law.name != "dps_extended" and recording.edges()[0] == 0.0:
        raise ValueError(f"{law.name}: found no lower limit; expected a recording with lower_m2")


@in_float64
def fit_sizes(
    areas_m2: ArrayLike,
    law: str = "dps_extended",
    recording: Recording | None = None,
    weights: ArrayLike | None = None,
    *,
    intervals: Intervals | None = "profile",
    level: float = 0.95,
    stability: bool = True,
) -> SizeFit:
    """Fit a size law by maximum likelihood.

    Args:
        areas_m2: (n,) areas [m2], all within the recording.
        law: name of the law (`stats.sizes.law.LAWS`).
        recording: limits, pixels and detection curve; none: exact areas from 0 on.
        weights: (n,) how often each area counts.
        intervals: "profile" (likelihood intervals), "delta" (normal ones on the search scale,
            faster and blind to open ends) or None.
        level: coverage of the intervals.
        stability: refit above higher cuts, and call nothing identified that changes by more than
            a factor of 2 (only with profile intervals).

    Returns:
        The fit with its proof of convergence.

    Raises:
        ValueError: bad, too few or out-of-range areas, unknown law, a limit that the law needs.

    Example:
        >>> from stats.sizes.double_pareto import sample
        >>> areas = sample(
        ...     3000, 1.4, 2.3, 800.0, rng=np.random.default_rng(2), lower=100.0
        ... )
        >>> fit = fit_sizes(areas, recording=Recording(lower_m2=100.0))
        >>> fit.converged, fit.limit, fit.estimates["alpha"].identified
        (True, None, True)
        >>> fit.estimates["alpha"].low < 1.4 < fit.estimates["alpha"].high
        True
    """
    family = law_named(law)
    setting = Recording() if recording is None else recording
    areas = check_areas(areas_m2, setting, least=family.k + 2)
    _check_ends(family, setting)
    given = None if weights is None else as_weights(weights, areas.shape)
    target = root_target(level)
    found, data = maximise(family, areas, recorded_areas(areas, setting, given))
    ends, higher = None, False
    for _ in range(_RESTARTS if intervals == "profile" else 0):
        ends = profile_of(family, found, data, target)
        higher = ends.better is not None
        if ends.better is None:
            break
        found = free_climb(family, ends.better, data)
    u = np.asarray(found.u)
    limit = limit_of(family, u, data)
    if ends is not None and (limit is None or limit.startswith("ridge")):
        # A density that ends at the largest area is a little higher than any tail, also Pareto's.
        towards = ridge_towards(family, u, float(found.value), data, target)
        limit = "; ".join(part for part in (limit, towards) if part) or None
    cuts = None
    if ends is not None and stability:
        cuts = fits_above_cuts(family, u, data, setting)
    total = float(areas.size if given is None else given.sum())
    shown = describe(family, u)
    theta = shown.theta
    value = float(found.value)
    counted = 1 if limit == PARETO else int(np.count_nonzero(np.asarray(found.free)[: family.k]))
    estimates = estimates_of(
        family, found, shown, data, ends, limit, cuts, level=level, kind=intervals
    )
    lower, upper = setting.edges()
    return SizeFit(
        law=law,
        recording=setting,
        theta=dict(zip(family.names, (float(v) for v in theta), strict=True)),
        n=areas.size,
        weight=total,
        log_likelihood=value,
        aic=2.0 * counted - 2.0 * value,
        bic=counted * math.log(total) - 2.0 * value,
        z=shown.z,
        covariance=covariance(family, found, shown),
        u=u,
        gradient_norm=_gradient_norm(found, total),
        decrement=float(found.decrement),
        hessian_definite=bool(found.definite),
        converged=bool(found.converged) and not higher,
        limit=limit,
        estimates=estimates,
        cuts=cuts,
        notes=_notes(family, theta, limit, lower, upper, data),
    )


def _notes(
    law: Law,
    theta: FloatArray,
    limit: str | None,
    lower: float,
    upper: float,
    data: RecordedAreas,
) -> tuple[str, ...]:
    notes = law.notes(theta, lower, upper)
    if limit is not None:
        notes = (f"the maximum lies at or near a limit of the family: {limit}", *notes)
    if data.curve_precision is not None:
        notes = (*notes, "the log-likelihood includes the prior of the detection curve")
    return notes
