r"""Do residuals depend on a predictor, in their mean or in their spread?

A forecast that is right leaves scores with mean 0 and known variance, the information, whatever
the predictor. With a smooth basis b of the predictor's ranks (Legendre polynomials) or the
indicators of its classes, centred by information so that an overall bias does not count,

.. math:: U = \sum_i b_i s_i, \qquad T = U^\top V^{-1} U \sim \chi^2_d .

On the scores of location (or presence) this asks for dependence of the mean; on the scores of
scale, for heteroscedasticity. Without basis the same sum asks for overall bias and dispersion. A
presence of 0 or 1 has no spread of its own: its variance is set by its mean, so only the first
question exists for it.

V is the information ("model"), the squared scores of the cases ("cases", safe against a wrong
tail), or those of whole blocks ("blocks", safe against residuals that neighbours share; the law is
then Hotelling's). The p-values of all predictors are adjusted together.

J. Neyman (1937), Skandinavisk Aktuarietidskrift 20, 149-199 (smooth tests); T. S. Breusch & A. R.
Pagan (1979), Econometrica 47, 1287-1294, doi:10.2307/1911963 (scale scores against predictors).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from stats.case_arrays import FloatArray, IntArray, UndefinedScoreError, as_finite
from stats.spatial.discovery import Control, adjusted_p_values
from stats.spatial.residuals import HurdleResiduals, ScoreResiduals

Covariance = Literal["model", "cases", "blocks"]
OVERALL = "overall"
_SMALLEST_CLASS = 10


@dataclass(frozen=True)
class ResidualTest:
    """One question put to residuals.

    Attributes:
        residual: direction of the scores, such as "presence" or "scale".
        against: name of the predictor; "overall" for bias and dispersion.
        statistic: T.
        df: number of basis functions.
        p_value: its tail.
        q_value: adjusted for all questions asked together.
        effect: correlation of the residuals with the predictor's ranks, weighted by information;
            overall, the mean residual. None for classes.
        n: number of cases.
        n_blocks: number of blocks behind V; None where it is not made of blocks.
    """

    residual: str
    against: str
    statistic: float
    df: int
    p_value: float
    q_value: float
    effect: float | None
    n: int
    n_blocks: int | None


def rank_basis(predictor: ArrayLike, *, degree: int = 3) -> FloatArray:
    """(case, degree) Legendre polynomials of the mid-ranks, on (-1, 1); ties share theirs.

    Args:
        predictor: (case,) values.
        degree: highest degree.

    Example:
        >>> rank_basis([1.0, 5.0, 9.0], degree=1).ravel().round(3)
        array([-1.155,  0.   ,  1.155])
    """
    u = 2.0 * (stats.rankdata(as_finite("predictor", predictor)) - 0.5) / np.size(predictor) - 1.0
    return np.stack(
        [np.sqrt(2.0 * k + 1.0) * special.eval_legendre(k, u) for k in range(1, degree + 1)], axis=1
    )


def class_basis(predictor: ArrayLike) -> FloatArray:
    """(case, class - 1) indicators of all classes but the first; rare ones are pooled.

    Classes of fewer than 10 cases are taken together.

    Example:
        >>> class_basis(np.repeat([3, 7], [10, 12])).sum(axis=0)
        array([12.])
    """
    values, number, count = np.unique(
        np.asarray(predictor), return_inverse=True, return_counts=True
    )
    kept = np.flatnonzero(count >= _SMALLEST_CLASS)
    if kept.size == 0 or values.size < 2:
        raise UndefinedScoreError("a predictor of classes needs two of them with 10 cases")
    pooled = kept.size < values.size and count[count < _SMALLEST_CLASS].sum() >= _SMALLEST_CLASS
    chosen = kept if pooled else kept[1:]
    if not chosen.size:
        raise UndefinedScoreError("a predictor of classes needs two of them with 10 cases")
    return (number.reshape(-1)[:, None] == chosen).astype(np.float64)


def _basis(predictor: ArrayLike, degree: int) -> tuple[FloatArray, bool]:
    """Basis of a predictor and whether it has an order: integers and bools are classes."""
    array = np.asarray(predictor)
    if array.dtype == np.bool_ or np.issubdtype(array.dtype, np.integer):
        return class_basis(array), False
    distinct = np.unique(array).size
    if distinct < 2:
        raise UndefinedScoreError("a constant predictor explains nothing")
    return rank_basis(array, degree=min(degree, distinct - 1)), True


def _block_scores(contributions: FloatArray, block: IntArray) -> FloatArray:
    """(block, basis) sums."""
    _, number = np.unique(block, return_inverse=True)
    flat = number.reshape(-1)
    return np.stack([np.bincount(flat, column) for column in contributions.T], axis=1)


def score_test(
    residuals: ScoreResiduals,
    basis: FloatArray | None,
    *,
    covariance: Covariance = "model",
    block: ArrayLike | None = None,
    finer_block: ArrayLike | None = None,
) -> tuple[float, int, float, int | None]:
    """Statistic, degrees of freedom, p-value and number of blocks of one question.

    Args:
        residuals: scores with their information.
        basis: (case, k) functions of a predictor; None for the overall sum.
        covariance: "model", "cases" or "blocks".
        block: (case,) block of each case, for "blocks".
        finer_block: (case,) blocks of half the side; V is then enlarged for the covariance that
            block boundaries cut.

    Raises:
        UndefinedScoreError: the basis is constant, or too few blocks for it.

    Example:
        >>> from stats.spatial.residuals import presence_residuals
        >>> coins = presence_residuals(np.full(100, 0.5), np.arange(100) < 60)
        >>> statistic, df, p_value, _ = score_test(coins, None)
        >>> statistic, df, round(p_value, 4)
        (4.0, 1, 0.0455)
    """
    live = residuals.defined
    score, information = residuals.score[live], residuals.information[live]
    if not score.size:
        raise UndefinedScoreError(f"no {residuals.name} residual is defined")
    if basis is None:
        columns = np.ones((score.size, 1))
    else:
        columns = basis[live] - (information @ basis[live]) / information.sum()
    contributions = columns * score[:, None]
    total = contributions.sum(axis=0)
    scale = np.sqrt(np.maximum((information[:, None] * columns**2).sum(axis=0), 1e-300))
    kept = scale > 1e-9 * np.sqrt(information.sum())
    if not kept.any():
        raise UndefinedScoreError("the predictor does not vary where residuals are defined")
    columns, contributions, total = columns[:, kept], contributions[:, kept], total[kept]
    if covariance == "model":
        variance = columns.T @ (information[:, None] * columns)
    elif covariance == "cases":
        variance = contributions.T @ contributions
    elif covariance == "blocks":
        if block is None:
            raise ValueError("covariance 'blocks' needs the block of each case")
        sums = _block_scores(contributions, np.asarray(block)[live])
        finer = None
        if finer_block is not None:
            finer = _block_scores(contributions, np.asarray(finer_block)[live])
        return _hotelling(sums, finer)
    else:
        raise ValueError(f"covariance: found {covariance!r}; expected model, cases or blocks")
    statistic, rank = _quadratic(total, variance)
    return statistic, rank, float(special.chdtrc(rank, statistic)), None


def _quadratic(total: FloatArray, variance: FloatArray) -> tuple[float, int]:
    """U' V^-1 U over the directions in which V is not null, and their number."""
    root = np.sqrt(np.diag(variance))
    root = np.where(root > 0.0, root, 1.0)
    values, vectors = np.linalg.eigh(variance / np.outer(root, root))
    kept = values > 1e-10 * values.max()
    turned = (total / root) @ vectors[:, kept]
    return float(np.sum(turned**2 / values[kept])), int(np.count_nonzero(kept))


def _hotelling(sums: FloatArray, finer: FloatArray | None) -> tuple[float, int, float, int]:
    """Test that block sums have mean 0, by their own spread."""
    n_blocks = len(sums)
    if n_blocks <= sums.shape[1] + 1:
        raise UndefinedScoreError(f"{n_blocks} blocks are too few for {sums.shape[1]} directions")
    mean = sums.mean(axis=0)
    variance = np.atleast_2d(np.cov(sums, rowvar=False)) / n_blocks
    statistic, rank = _quadratic(mean, variance)
    if finer is not None:
        # Variance of the total; it falls short by a share that goes with the inverse side.
        half, whole = (len(part) * part.var(axis=0, ddof=1) for part in (finer, sums))
        live = whole > 0.0
        statistic /= max(1.0, 2.0 - float(np.mean(half[live] / whole[live])))
    ratio = (n_blocks - rank) / (rank * (n_blocks - 1)) * statistic
    return statistic, rank, float(special.fdtrc(rank, n_blocks - rank, ratio)), n_blocks


def _effect(residuals: ScoreResiduals, basis: FloatArray | None) -> float:
    """Correlation with the first basis function, or the mean, weighted by information."""
    live = residuals.defined
    score, information = residuals.score[live], residuals.information[live]
    if basis is None:
        return float(score.sum() / np.sqrt(information.sum() * score.size))
    line = basis[live][:, 0]
    line = line - information @ line / information.sum()
    return float(score @ line / np.sqrt((information @ line**2) * score.size))


def residual_tests(
    residuals: ScoreResiduals | HurdleResiduals,
    predictors: Mapping[str, ArrayLike],
    *,
    degree: int = 3,
    covariance: Covariance = "model",
    block: ArrayLike | None = None,
    finer_block: ArrayLike | None = None,
    control: Control = "bh",
) -> tuple[ResidualTest, ...]:
    """Every direction of the residuals against nothing and against every predictor.

    Args:
        residuals: of one direction, or of a hurdle law (all five).
        predictors: (case,) values by name; integers and bools are classes (land cover, epoch),
            floats are taken by rank. Give the forecast itself too.
        degree: highest polynomial of the ranks.
        covariance: "model", "cases" or "blocks".
        block: (case,) block of each case, for "blocks".
        finer_block: (case,) blocks of half the side, which correct for what boundaries cut.
        control: adjustment for the number of questions.

    Raises:
        ValueError: a predictor has another length, or holds a value that is not finite.
        UndefinedScoreError: a predictor is constant, or has a single class.

    Example:
        >>> from stats.spatial.residuals import presence_residuals
        >>> rng = np.random.default_rng(0)
        >>> slope = rng.random(2000)
        >>> outcome = rng.random(2000) < 0.1 + 0.2 * slope
        >>> rows = residual_tests(presence_residuals(np.full(2000, 0.2), outcome), {"slope": slope})
        >>> [(row.against, row.q_value < 0.01) for row in rows]
        [('overall', False), ('slope', True)]
    """
    parts = residuals.parts() if isinstance(residuals, HurdleResiduals) else (residuals,)
    size = parts[0].value.size
    bases: dict[str, tuple[FloatArray | None, bool]] = {OVERALL: (None, True)}
    for name, values in predictors.items():
        if np.shape(values) != (size,):
            raise ValueError(f"{name}: found shape {np.shape(values)}; expected ({size},)")
        try:
            bases[name] = _basis(values, degree)
        except UndefinedScoreError as error:
            raise UndefinedScoreError(f"{name}: {error}") from error
    found = []
    for part in parts:
        for name, (basis, ordered) in bases.items():
            statistic, df, p_value, n_blocks = score_test(
                part, basis, covariance=covariance, block=block, finer_block=finer_block
            )
            effect = _effect(part, basis) if ordered else None
            row = ResidualTest(
                residual=part.name, against=name, statistic=statistic, df=df, p_value=p_value,
                q_value=float("nan"), effect=effect, n=int(np.count_nonzero(part.defined)),
                n_blocks=n_blocks,
            )  # fmt: skip
            found.append(row)
    adjusted = adjusted_p_values([row.p_value for row in found], control=control)
    return tuple(replace(row, q_value=float(q)) for row, q in zip(found, adjusted, strict=True))
