r"""Paired differences of scores between forecasts, with intervals and tests.

Two forecasts are scored on the same cases, so the difference is taken case by case and resampled as
one field: what both find hard cancels. The side of the blocks comes from the dependence of the
difference itself (`automatic_block`), unless it is given. With several forecasts the p-values are
adjusted for their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import FloatArray, UndefinedScoreError, as_finite
from stats.resampling.block_bootstrap import mean_of, statistic_of_sums
from stats.resampling.block_length import BlockLength, automatic_block
from stats.resampling.interval import Interval
from stats.resampling.shifted_blocks import ShiftedDraws, shifted_block_draws
from stats.spatial.discovery import Control, adjusted_p_values


@dataclass(frozen=True, eq=False)
class PairedDifference:
    """Difference of the mean scores of two forecasts on the same cases; lower scores are better.

    Attributes:
        first: name of the first forecast.
        second: name of the second, the reference.
        first_mean: mean score of the first.
        second_mean: mean score of the second.
        difference: first minus second; below 0 where the first is better.
        skill: 1 - first / second; above 0 where the first is better. None where the reference's
            mean is not above 0.
        p_value: two-sided, of no difference.
        q_value: the same, adjusted for the number of forecasts compared.
        naive_sd: standard deviation of the difference, were the cases independent.
        sd: standard deviation with dependence.
        n: number of cases.
        block: how the side of the blocks was found; None where it was given.
        note: what to know before using it; empty if nothing.
    """

    first: str
    second: str
    first_mean: float
    second_mean: float
    difference: Interval
    skill: Interval | None
    p_value: float
    q_value: float
    naive_sd: float
    sd: float
    n: int
    block: BlockLength | None
    note: str


def _skill_of(sums: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sums[:, 1] > 0.0, 1.0 - sums[:, 0] / sums[:, 1], np.nan)


def two_sided_p(drawn: ShiftedDraws) -> float:
    """P-value of a statistic of 0: Student's t of value over standard error, by effective units.

    Example:
        >>> draws = np.random.default_rng(0).normal(2.0, 1.0, 4000)
        >>> round(two_sided_p(ShiftedDraws(2.0, draws, draws, 1000.0, 1.0, 8)), 2)
        0.05
    """
    error = drawn.standard_error
    if error == 0.0:
        return 1.0 if drawn.value == 0.0 else 0.0
    return float(2.0 * special.stdtr(drawn.n_units - 1.0, -abs(drawn.value) / error))


def compare_forecasts(
    terms: Mapping[str, ArrayLike],
    reference: str,
    x_m: ArrayLike,
    y_m: ArrayLike,
    *,
    cell_m: float,
    rng: np.random.Generator,
    side_m: float | None = None,
    draws: int = 800,
    lattices: int = 8,
    level: float = 0.95,
    control: Control = "bh",
) -> tuple[PairedDifference, ...]:
    """Every forecast against a reference: paired difference, skill, interval and p-value.

    Args:
        terms: (case,) score terms by name of forecast, all on the same cases; lower is better.
        reference: name of the forecast the others are held against.
        x_m: (case,) eastings of cell centres [m]; cases of a place share its blocks.
        y_m: (case,) northings of cell centres [m].
        cell_m: side of a cell [m].
        rng: source of randomness.
        side_m: side of the blocks [m]; from each difference's own dependence by default.
        draws: number of draws.
        lattices: number of lattices of blocks.
        level: coverage of the intervals.
        control: adjustment of the p-values for the number of forecasts.

    Raises:
        ValueError: the reference is missing, nothing is compared with it, or lengths differ.
        UndefinedScoreError: the study is too small for blocks.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y, x = (axis.ravel() * 1e3 for axis in np.mgrid[:40, :40])
        >>> hard = rng.gamma(1.0, 1.0, 1600)
        >>> terms = {"zero": hard, "model": 0.8 * hard + 0.1 * rng.normal(size=1600)}
        >>> found, = compare_forecasts(terms, "zero", x, y, cell_m=1e3, rng=rng)
        >>> round(found.difference.value, 2), found.difference.excludes(0.0), found.difference.unit
        (-0.21, True, '2 km block, 8 lattices')
    """
    columns = {name: as_finite(name, values).reshape(-1) for name, values in terms.items()}
    if reference not in columns or len(columns) < 2:
        raise ValueError(f"found forecasts {sorted(columns)}; expected {reference!r} and another")
    base = columns[reference]
    if any(column.shape != base.shape for column in columns.values()):
        sizes = ", ".join(f"{name} {column.size}" for name, column in columns.items())
        raise ValueError(f"lengths differ: {sizes}")
    names = [name for name in columns if name != reference]
    found = []
    for name in names:
        gap = columns[name] - base
        block: BlockLength | None = None
        note = ""
        if float(np.ptp(gap)) == 0.0:
            raise UndefinedScoreError(
                f"{name} and {reference} differ by the same amount everywhere"
            )
        if side_m is None:
            block = automatic_block(gap, x_m, y_m, cell_m=cell_m)
            if block.bounded:
                note = "the dependence reaches too far for this study: intervals are too short"
        side = block.side_m if block is not None else float(side_m or 0.0)
        pair = np.stack([columns[name], base], axis=1)
        # The same draws serve the difference and the skill.
        state = rng.bit_generator.state
        difference = shifted_block_draws(
            partial(mean_of, gap), x_m, y_m, side_m=side, rng=rng, draws=draws, lattices=lattices
        )
        skill = None
        if base.mean() > 0.0:
            rng.bit_generator.state = state
            ratio = partial(statistic_of_sums, pair, function=_skill_of)
            skill = shifted_block_draws(
                ratio, x_m, y_m, side_m=side, rng=rng, draws=draws, lattices=lattices
            ).interval(level=level)
        one = PairedDifference(
            first=name, second=reference, first_mean=float(columns[name].mean()),
            second_mean=float(base.mean()), difference=difference.interval(level=level),
            skill=skill, p_value=two_sided_p(difference), q_value=float("nan"),
            naive_sd=float(gap.std(ddof=1)) / gap.size**0.5, sd=difference.standard_error,
            n=gap.size, block=block, note=note,
        )  # fmt: skip
        found.append(one)
    adjusted = adjusted_p_values([one.p_value for one in found], control=control)
    return tuple(replace(one, q_value=float(q)) for one, q in zip(found, adjusted, strict=True))
