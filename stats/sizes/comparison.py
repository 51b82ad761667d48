r"""A predicted inventory against a reference one: sizes, residuals, exponent and rollover.

The two inventories map the same ground, so their areas are not independent samples: what is
resampled is the group of landslides that belong together (`stats.sizes.matching`), with its members
on both sides, missed and false ones included. Where no outlines are at hand each inventory is
resampled by itself, which makes the interval of a difference too wide, not too short, as long as
the two agree on what is large.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray, IntArray, as_finite
from stats.precision import in_float64
from stats.sizes.bootstrap import refit_many
from stats.sizes.fit import SizeFit
from stats.sizes.law import law_named

DRAWS = 500
QUANTITIES = ("alpha", "pdf_slope", "rollover_m2")


@dataclass(frozen=True, kw_only=True)
class AreaSummary:
    """Sizes of one inventory [m2].

    Attributes:
        n: number of landslides.
        total_m2: sum of their areas.
        minimum_m2: smallest area; NaN where there is none.
        maximum_m2: largest area.
        mean_m2: mean area.
        median_m2: median area.
    """

    n: int
    total_m2: float
    minimum_m2: float
    maximum_m2: float
    mean_m2: float
    median_m2: float


def summarise_areas(areas_m2: ArrayLike) -> AreaSummary:
    """Number, total, smallest, largest, mean and median area.

    Example:
        >>> summary = summarise_areas([300.0, 500.0, 1000.0])
        >>> summary.n, summary.total_m2, summary.mean_m2, summary.median_m2
        (3, 1800.0, 600.0, 500.0)
    """
    areas = as_finite("areas_m2", areas_m2).ravel()
    if not areas.size:
        nan = math.nan
        return AreaSummary(
            n=0, total_m2=0.0, minimum_m2=nan, maximum_m2=nan, mean_m2=nan, median_m2=nan
        )
    return AreaSummary(
        n=areas.size,
        total_m2=float(areas.sum()),
        minimum_m2=float(areas.min()),
        maximum_m2=float(areas.max()),
        mean_m2=float(areas.mean()),
        median_m2=float(np.median(areas)),
    )


def compare_epochs(
    predicted: Mapping[str, ArrayLike], reference: Mapping[str, ArrayLike]
) -> dict[str, tuple[AreaSummary, AreaSummary]]:
    """Sizes per epoch, predicted and reference; an epoch of one side alone is empty on the other.

    Example:
        >>> both = compare_epochs({"2015": [300.0]}, {"2015": [400.0], "2016": [500.0]})
        >>> {epoch: (p.n, r.n) for epoch, (p, r) in both.items()}
        {'2015': (1, 1), '2016': (0, 1)}
    """
    epochs = [*predicted, *(epoch for epoch in reference if epoch not in predicted)]
    return {
        epoch: (
            summarise_areas(predicted.get(epoch, ())),
            summarise_areas(reference.get(epoch, ())),
        )
        for epoch in epochs
    }


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """Predicted less reference areas of matched landslides.

    Attributes:
        n: matched landslides, or groups of them.
        quartiles_m2: first, second and third quartile of the differences [m2].
        mean_m2: their mean.
        quartiles_ratio: the same quartiles of predicted over reference area.
        share_larger: share with a larger predicted area.
    """

    n: int
    quartiles_m2: tuple[float, float, float]
    mean_m2: float
    quartiles_ratio: tuple[float, float, float]
    share_larger: float


def residuals(predicted_m2: ArrayLike, reference_m2: ArrayLike) -> Residuals:
    """Quartiles of the residuals of matched areas.

    Raises:
        ValueError: shapes that differ, or no pairs.

    Example:
        >>> residuals([90.0, 100.0, 130.0], [100.0, 100.0, 100.0]).quartiles_m2
        (-5.0, 0.0, 15.0)
    """
    predicted = as_finite("predicted_m2", predicted_m2)
    reference = as_finite("reference_m2", reference_m2)
    if predicted.shape != reference.shape or not predicted.size:
        raise ValueError(
            f"found shapes {predicted.shape} and {reference.shape}; expected matched pairs"
        )
    difference = predicted - reference
    first, second, third = np.quantile(difference, (0.25, 0.5, 0.75))
    low, middle, high = np.quantile(predicted / reference, (0.25, 0.5, 0.75))
    return Residuals(
        n=predicted.size,
        quartiles_m2=(float(first), float(second), float(third)),
        mean_m2=float(difference.mean()),
        quartiles_ratio=(float(low), float(middle), float(high)),
        share_larger=float((difference > 0.0).mean()),
    )


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Predicted less reference value of one quantity.

    Attributes:
        quantity: "alpha", "pdf_slope" or "rollover_m2".
        predicted: value of the predicted inventory; NaN where it has none.
        reference: value of the reference inventory.
        value: their difference.
        low: lower end of its bootstrap interval; -inf where too many draws have no value.
        high: upper end.
        level: nominal coverage.
        draws: bootstrap draws with a value on both sides.
        lost_draws: draws without one (no rollover, no convergence).
        unit: what was resampled.
        identified: both values exist, and nine draws in ten have a difference.
        reason: why not; empty where identified.
    """

    quantity: str
    predicted: float
    reference: float
    value: float
    low: float
    high: float
    level: float
    draws: int
    lost_draws: int
    unit: str
    identified: bool
    reason: str = ""


def difference_of_fits(
    predicted: SizeFit,
    predicted_m2: ArrayLike,
    reference: SizeFit,
    reference_m2: ArrayLike,
    *,
    rng: np.random.Generator,
    predicted_group: ArrayLike | None = None,
    reference_group: ArrayLike | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
) -> tuple[Difference, ...]:
    """Differences of exponent and rollover with percentile intervals of a bootstrap.

    Args:
        predicted: fit of the predicted inventory.
        predicted_m2: (n,) the areas of that fit.
        reference: fit of the reference inventory, of the same law.
        reference_m2: (m,) the areas of that fit.
        rng: source of the draws.
        predicted_group: (n,) group of each predicted landslide; with `reference_group`.
        reference_group: (m,) group of each reference landslide: equal numbers belong together and
            are drawn together. None: the inventories are drawn independently.
        draws: bootstrap draws.
        level: nominal coverage.

    Raises:
        ValueError: two laws, one group without the other, or shapes that differ.
    """
    if predicted.law != reference.law:
        raise ValueError(f"found laws {predicted.law} and {reference.law}; expected the same")
    ours = as_finite("predicted_m2", predicted_m2)
    theirs = as_finite("reference_m2", reference_m2)
    weights = _draw_weights(
        ours.size, theirs.size, predicted_group, reference_group, rng=rng, draws=draws
    )
    values = [
        _quantities(fit, areas, weight)
        for fit, areas, weight in (
            (predicted, ours, weights[0]),
            (reference, theirs, weights[1]),
        )
    ]
    unit = "landslide" if predicted_group is None else "group of matched landslides"
    return tuple(
        _difference(name, at, values, draws=draws, level=level, unit=unit)
        for at, name in enumerate(QUANTITIES)
    )


def _draw_weights(
    n: int,
    m: int,
    predicted_group: ArrayLike | None,
    reference_group: ArrayLike | None,
    *,
    rng: np.random.Generator,
    draws: int,
) -> tuple[FloatArray, FloatArray]:
    if (predicted_group is None) != (reference_group is None):
        raise ValueError("found groups of one inventory; expected those of both, or none")
    if predicted_group is None or reference_group is None:
        return _counts(rng, n, draws), _counts(rng, m, draws)
    left: IntArray = np.asarray(predicted_group, dtype=np.int64)
    right: IntArray = np.asarray(reference_group, dtype=np.int64)
    if left.shape != (n,) or right.shape != (m,):
        raise ValueError(f"groups: found shapes {left.shape}, {right.shape}; expected {n}, {m}")
    used, where = np.unique(np.r_[left, right], return_inverse=True)
    counts = _counts(rng, used.size, draws)
    return counts[:, where[:n]], counts[:, where[n:]]


def _counts(rng: np.random.Generator, n: int, draws: int) -> FloatArray:
    """(draw, n) how often each of n units appears among n drawn with replacement."""
    return rng.multinomial(n, np.full(n, 1.0 / n), size=draws).astype(np.float64)


@in_float64
def _quantities(fit: SizeFit, areas: FloatArray, weights: FloatArray) -> FloatArray:
    """(1 + draw, quantity) of the fit and of its refits; NaN where there is none."""
    law = law_named(fit.law)
    refits = refit_many(fit.law, areas, fit.recording, fit.parameters, weights=weights)
    theta = np.where(refits.converged[:, None], refits.theta, np.nan)
    theta = np.concatenate([fit.parameters[None], theta])
    exponent = np.array(jax.vmap(law.tail_exponent)(jnp.asarray(theta)), dtype=np.float64)
    if (fit.limit or "").startswith("ridge: alpha"):
        # The likelihood rises for ever along alpha: where the search stopped is no exponent.
        exponent[0] = np.nan
    rollover = np.exp(np.asarray(jax.vmap(law.log_rollover)(jnp.asarray(theta))))
    # A mode below the detection limit is not in the data.
    rollover = np.where(rollover > fit.recording.lower_m2, rollover, np.nan)
    return np.stack([exponent, -(exponent + 1.0), rollover], axis=1)


def _difference(
    name: str, at: int, values: list[FloatArray], *, draws: int, level: float, unit: str
) -> Difference:
    ours, theirs = values[0][:, at], values[1][:, at]
    difference = ours[1:] - theirs[1:]
    defined = difference[np.isfinite(difference)]
    lost = draws - defined.size
    lacking = [
        side
        for side, value in (("predicted", ours[0]), ("reference", theirs[0]))
        if not np.isfinite(value)
    ]
    reason = ""
    if lacking:
        reason = f"the {' and the '.join(lacking)} inventory has none above its cut"
    elif lost > 0.1 * draws:
        reason = f"{lost} of {draws} draws have none"
    low, high = -math.inf, math.inf
    if not reason:
        low, high = np.quantile(defined, (0.5 - 0.5 * level, 0.5 + 0.5 * level))
    return Difference(
        quantity=name,
        predicted=float(ours[0]),
        reference=float(theirs[0]),
        value=float(ours[0] - theirs[0]),
        low=float(low),
        high=float(high),
        level=level,
        draws=int(defined.size),
        lost_draws=int(lost),
        unit=unit,
        identified=not reason,
        reason=reason,
    )
