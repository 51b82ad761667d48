r"""False discoveries among many tests: which cells, predictors or epochs to believe.

The false discovery rate is the expected share of false ones among those declared. Benjamini and
Hochberg hold it at the level for independent tests and for positively dependent ones (neighbouring
cells of a map); Benjamini and Yekutieli hold it under any dependence, at a price of about ln m.

Field significance asks one question of the whole family: is any of the effects there? Counting
local rejections against a binomial is wrong where tests depend on each other, so it is answered by
the smallest adjusted p-value (D. S. Wilks 2016).

Y. Benjamini & Y. Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300,
doi:10.1111/j.2517-6161.1995.tb02031.x; Y. Benjamini & D. Yekutieli (2001), Annals of Statistics
29, 1165-1188, doi:10.1214/aos/1013699998; D. S. Wilks (2016), Bulletin of the American
Meteorological Society 97, 2263-2273, doi:10.1175/BAMS-D-15-00267.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, UndefinedScoreError, as_probability

Control = Literal["bh", "by", "holm", "none"]


@dataclass(frozen=True, eq=False)
class Discoveries:
    """What survives the control of false discoveries.

    Attributes:
        q_value: adjusted p-values in the shape of the tests, NaN where there was none.
        discovered: where the adjusted p-value is at or below the level.
        level: rate that is held.
        control: "bh", "by", "holm" or "none".
        n_tests: number of tests in the family.
    """

    q_value: FloatArray
    discovered: BoolArray
    level: float
    control: str
    n_tests: int

    @property
    def n_discovered(self) -> int:
        """Number of tests declared."""
        return int(np.count_nonzero(self.discovered))

    @property
    def field_p(self) -> float:
        """The p-value of the whole family: the smallest adjusted one.

        Raises:
            UndefinedScoreError: the p-values were not adjusted.
        """
        if self.control == "none":
            raise UndefinedScoreError("field significance needs adjusted p-values")
        return float(np.nanmin(self.q_value))


def adjusted_p_values(p_value: ArrayLike, *, control: Control = "bh") -> FloatArray:
    r"""Adjusted p-values: the smallest level at which each test would still be declared.

    With the p-values in increasing order and m tests,

    .. math:: q_{(i)} = \min_{j \ge i} \min(1, c\, m\, p_{(j)} / j),

    c = 1 (Benjamini-Hochberg) or the sum of 1/j up to m (Benjamini-Yekutieli). Holm's (1979) hold
    the probability of a single false one instead.

    Args:
        p_value: (test,) p-values.
        control: "bh", "by", "holm" or "none".

    Example:
        >>> adjusted_p_values([0.01, 0.02, 0.03, 0.9])
        array([0.04, 0.04, 0.04, 0.9 ])
    """
    p = as_probability(p_value, "p_value")
    if p.ndim != 1 or not p.size:
        raise ValueError(f"p_value: found shape {p.shape}; expected (test,) with 1 or more")
    order = np.argsort(p, kind="stable")
    rank = np.arange(1, p.size + 1)
    ordered = p[order]
    if control in ("bh", "by"):
        price = float((1.0 / rank).sum()) if control == "by" else 1.0
        steps = np.minimum.accumulate((ordered * (price * p.size) / rank)[::-1])[::-1]
    elif control == "holm":
        steps = np.maximum.accumulate(ordered * (p.size + 1 - rank))
    elif control == "none":
        steps = ordered
    else:
        raise ValueError(f"control: found {control!r}; expected 'bh', 'by', 'holm' or 'none'")
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def discoveries(
    p_value: ArrayLike,
    *,
    level: float = 0.05,
    control: Control = "bh",
    valid: ArrayLike | None = None,
) -> Discoveries:
    """Tests declared at a false discovery rate, on arrays of any shape.

    Args:
        p_value: p-values, a map for example.
        level: rate to hold.
        control: "bh", "by" (any dependence), "holm" (no false one at all) or "none".
        valid: where there is a test; everywhere by default.

    Raises:
        ValueError: a p-value of a test is missing or outside 0 and 1.

    Example:
        >>> found = discoveries([[1e-6, 0.3], [0.6, np.nan]], valid=[[True, True], [True, False]])
        >>> found.discovered.tolist(), found.n_tests
        ([[True, False], [False, False]], 3)
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: found {level}; expected a number between 0 and 1")
    p = np.asarray(p_value, dtype=np.float64)
    live = np.ones(p.shape, dtype=bool) if valid is None else np.asarray(valid, dtype=bool)
    if live.shape != p.shape:
        raise ValueError(f"p_value {p.shape} and valid {live.shape}; expected the same shape")
    q = np.full(p.shape, np.nan)
    q[live] = adjusted_p_values(p[live], control=control)
    with np.errstate(invalid="ignore"):
        found = q <= level
    return Discoveries(q, found, level, control, int(np.count_nonzero(live)))


@dataclass(frozen=True)
class FieldSignificance:
    """Whether a family of local tests says anything at all.

    Attributes:
        p_value: of the whole family, from the false discovery rate.
        walker_p: from the smallest p-value alone, for independent tests.
        n_local: local tests at or below the level, unadjusted.
        n_expected: number of those expected if nothing is there.
        n_tests: number of tests.
        level: level of the local tests.
    """

    p_value: float
    walker_p: float
    n_local: int
    n_expected: float
    n_tests: int
    level: float


def field_significance(
    p_value: ArrayLike, *, level: float = 0.05, control: Control = "bh"
) -> FieldSignificance:
    """Field significance by the false discovery rate and by Walker's test.

    Walker's p, 1 - (1 - min p)^m, holds for independent tests and is conservative for positively
    dependent ones. The counts are for the eye: no p-value is made of them.

    Args:
        p_value: p-values of the local tests, of any shape.
        level: level of the local tests.
        control: "bh" or "by".

    Example:
        >>> found = field_significance([0.001, 0.2, 0.5, 0.9])
        >>> found.p_value, round(found.walker_p, 6), found.n_local, found.n_expected
        (0.004, 0.003994, 1, 0.2)
    """
    p = as_probability(p_value, "p_value").reshape(-1)
    smallest = float(p.min())
    walker = 1.0 if smallest == 1.0 else -math.expm1(p.size * math.log1p(-smallest))
    return FieldSignificance(
        p_value=discoveries(p, level=level, control=control).field_p, walker_p=walker,
        n_local=int(np.count_nonzero(p <= level)), n_expected=level * p.size, n_tests=p.size,
        level=level,
    )  # fmt: skip
