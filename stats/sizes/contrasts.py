r"""Did the exponent change, by how much, and how sure is that?

A contrast is the posterior of a difference, first minus second. It is reported with its interval,
with the probability of its direction (max of P(difference > 0) and P(difference < 0)), and with the
probability that it is practically nothing: smaller than a stated half-width of equivalence, 0.1
for exponents, which is what published ones are rounded to (Kruschke, 2018, Advances in Methods and
Practices in Psychological Science 1(2), 270-280, doi:10.1177/2515245918771304). Three answers are
possible: changed, practically equal, undecided; a wide interval around 0 is undecided, not equal.

Differences of partially pooled groups are drawn towards 0 as far as the groups are alike, which
keeps false alarms among many pairs rare. Two posteriors that were fitted separately are compared
by `difference` without pooling.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import FloatArray
from stats.sizes.hierarchical_posterior import HierarchicalPosterior

EQUIVALENCE = 0.1
CHANGED, EQUAL, UNDECIDED = "changed", "practically equal", "undecided"


@dataclass(frozen=True)
class Contrast:
    """Posterior of first minus second.

    Attributes:
        quantity: what is compared.
        first: group or level.
        second: group or level.
        difference: posterior median of first minus second.
        low: lower end of its equal-tailed interval.
        high: upper end.
        level: probability of the interval.
        ratio: posterior median of first / second.
        probability_above: P(first > second).
        probability_of_direction: probability of the more probable sign.
        equivalence: half-width below which a difference counts as nothing.
        probability_equivalent: P(abs(difference) < equivalence).
        exists: share of the draws in which both exist; the rest is left out.
        verdict: "changed" if the interval excludes 0, "practically equal" if it lies within the
            equivalence, else "undecided". Where both hold the change is real but negligible, and
            the verdict is "changed".
    """

    quantity: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    level: float
    ratio: float
    probability_above: float
    probability_of_direction: float
    equivalence: float
    probability_equivalent: float
    exists: float
    verdict: str


def difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    quantity: str = "alpha",
    names: tuple[str, str] = ("first", "second"),
    equivalence: float = EQUIVALENCE,
    level: float = 0.95,
) -> Contrast:
    """Contrast of two quantities from their joint (or independent) draws.

    Args:
        first: draws, any shape; NaN where the quantity does not exist.
        second: draws in the same shape.
        quantity: for the record.
        names: for the record.
        equivalence: half-width of practical equivalence, in the unit of the quantity.
        level: probability of the interval.

    Raises:
        ValueError: shapes differ, or a setting is out of range.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> found = difference(rng.normal(1.8, 0.1, 4000), rng.normal(1.4, 0.1, 4000))
        >>> round(found.difference, 1), round(found.probability_of_direction, 2), found.verdict
        (0.4, 1.0, 'changed')
    """
    a, b = np.asarray(first, dtype=np.float64).ravel(), np.asarray(second, np.float64).ravel()
    if a.shape != b.shape:
        raise ValueError(f"draws: found {a.size} of first, {b.size} of second; expected as many")
    if not (math.isfinite(equivalence) and equivalence > 0.0):
        raise ValueError(f"equivalence: found {equivalence}; expected a finite number above 0")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a probability between 0 and 1")
    there = np.isfinite(a) & np.isfinite(b)
    exists = float(there.mean())
    if there.sum() < 2:
        nothing = math.nan
        return Contrast(
            quantity, *names, nothing, nothing, nothing, level, nothing, nothing, nothing,
            equivalence, nothing, exists, UNDECIDED,
        )  # fmt: skip
    gap = a[there] - b[there]
    tail = 0.5 * (1.0 - level)
    low, middle, high = (float(q) for q in np.quantile(gap, (tail, 0.5, 1.0 - tail)))
    above = float(np.mean(gap > 0.0))
    verdict = UNDECIDED
    if low > 0.0 or high < 0.0:
        verdict = CHANGED
    elif -equivalence < low and high < equivalence:
        verdict = EQUAL
    return Contrast(
        quantity=quantity,
        first=names[0],
        second=names[1],
        difference=middle,
        low=low,
        high=high,
        level=level,
        ratio=float(np.median(a[there] / b[there])),
        probability_above=above,
        probability_of_direction=max(above, 1.0 - above),
        equivalence=equivalence,
        probability_equivalent=float(np.mean(np.abs(gap) < equivalence)),
        exists=exists,
        verdict=verdict,
    )


def _draws(posterior: HierarchicalPosterior, quantity: str) -> FloatArray:
    if quantity not in posterior.draws:
        raise ValueError(
            f"quantity: found {quantity!r}; expected one of {', '.join(posterior.draws)}"
        )
    return posterior.draws[quantity]


def group_contrast(
    posterior: HierarchicalPosterior,
    first: str,
    second: str,
    quantity: str = "alpha",
    *,
    equivalence: float = EQUIVALENCE,
    level: float = 0.95,
) -> Contrast:
    """Contrast of two groups of one fit.

    Args:
        posterior: of the groups.
        first: name of a group.
        second: name of another.
        quantity: a parameter, "rollover_m2" or "pdf_slope".
        equivalence: half-width of practical equivalence, in the unit of the quantity.
        level: probability of the interval.

    Raises:
        ValueError: no such group or quantity.
    """
    values = _draws(posterior, quantity)
    a, b = posterior.index(first), posterior.index(second)
    return difference(
        values[..., a],
        values[..., b],
        quantity=quantity,
        names=(first, second),
        equivalence=equivalence,
        level=level,
    )


def all_group_contrasts(
    posterior: HierarchicalPosterior,
    quantity: str = "alpha",
    *,
    equivalence: float = EQUIVALENCE,
    level: float = 0.95,
) -> tuple[Contrast, ...]:
    """Every pair of groups, in their order (later minus earlier)."""
    return tuple(
        group_contrast(posterior, b, a, quantity, equivalence=equivalence, level=level)
        for a, b in itertools.combinations(posterior.names, 2)
    )


def factor_contrast(
    posterior: HierarchicalPosterior,
    factor: str,
    first: str,
    second: str,
    quantity: str = "alpha",
    *,
    equivalence: float = EQUIVALENCE,
    level: float = 0.95,
) -> Contrast:
    """Contrast of two levels of a factor, other factors equal.

    Groups are compared within each combination of the other factors in which both levels occur,
    and these differences are averaged: an epoch that was mapped by one method only says nothing of
    the methods.

    Args:
        posterior: fitted with `factors` that include this one.
        factor: its name.
        first: a level.
        second: another.
        quantity: a parameter, "rollover_m2" or "pdf_slope".
        equivalence: half-width of practical equivalence, in the unit of the quantity.
        level: probability of the interval.

    Raises:
        ValueError: no such factor, level or quantity, or no combination with both levels.
    """
    if factor not in posterior.labels:
        raise ValueError(f"factor: found {factor!r}; expected one of {list(posterior.labels)}")
    of_group = posterior.labels[factor]
    for name in (first, second):
        if name not in of_group:
            raise ValueError(
                f"level of {factor}: found {name!r}; expected one of {sorted(set(of_group))}"
            )
    others = [labels for name, labels in posterior.labels.items() if name != factor]
    strata: dict[tuple[str, ...], list[int]] = {}
    for g in range(len(posterior.names)):
        strata.setdefault(tuple(labels[g] for labels in others), []).append(g)
    values = _draws(posterior, quantity)
    means = []
    for members in strata.values():
        a = [g for g in members if of_group[g] == first]
        b = [g for g in members if of_group[g] == second]
        if a and b:
            means.append((values[..., a].mean(axis=-1), values[..., b].mean(axis=-1)))
    if not means:
        raise ValueError(
            f"factor {factor}: found no combination of the other factors with both {first!r} and "
            f"{second!r}; expected one or more (they cannot be told from the other factors)"
        )
    return difference(
        np.mean([m[0] for m in means], axis=0),
        np.mean([m[1] for m in means], axis=0),
        quantity=quantity,
        names=(first, second),
        equivalence=equivalence,
        level=level,
    )
