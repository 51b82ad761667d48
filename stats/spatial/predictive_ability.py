r"""Equal predictive ability of two forecasts over a spatial field: the Hering-Genton test.

With the loss differential D(s) = loss of the first minus loss of the second forecast in cell s, the
hypothesis is E D = 0, and the statistic

.. math:: T = \frac{\bar D}{\sqrt{\frac1{n^2} \sum_{s, s'} \hat C(s - s')}}

is compared with the standard normal, or with Student's law where few patches as wide as the range
fit into the study: the covariance is then itself uncertain, by about 2 / df relative to its square
with df the number of such patches (over the squared share that dependence has in the variance).

The covariance comes from a model fitted to the variogram of D, which knows nothing of the mean
under test. The double sum runs over all pairs of cells, by offset: sum over h of N(h) C(h), with N
from one Fourier transform of the mask, so that no matrix of n x n is ever made. No block has to be
chosen. Student's law, and the check that the fitted dependence is more than noise, are additions to
the published test.

A. S. Hering & M. G. Genton (2011), Technometrics 53, 414-425, doi:10.1198/TECH.2011.10136.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from stats.case_arrays import BoolArray, FloatArray, UndefinedScoreError
from stats.spatial.correlogram import correlogram
from stats.spatial.lag_sums import Padded, lag_sums, mask_sums
from stats.spatial.lags import lag_classes
from stats.spatial.lattice import as_masked
from stats.spatial.moran import Alternative
from stats.spatial.variogram import variogram_of_sums
from stats.spatial.variogram_model import VariogramModel, fit_variogram

# One-sided 5 %: dependence that is not told from noise at this level is not modelled.
_SUPPORT = 1.645


@dataclass(frozen=True)
class PredictiveAbility:
    """Test of equal predictive ability.

    Attributes:
        difference: mean loss of the first forecast minus that of the second, over all cases.
        sd: its standard deviation with dependence between cells.
        naive_sd: its standard deviation were the cells independent.
        statistic: difference / sd.
        df: degrees of freedom of the statistic's Student law if both forecasts are equally good.
        n: number of cells.
        effective_n: number of independent cells that would tell as much.
        model: covariance model of the loss differential.
        note: what to know before believing it; empty if nothing.
    """

    difference: float
    sd: float
    naive_sd: float
    statistic: float
    df: float
    n: int
    effective_n: float
    model: VariogramModel
    note: str

    def p_value(self, alternative: Alternative = "two-sided") -> float:
        """Tail of the statistic; "less" asks whether the first forecast is the better one."""
        return student_tail(self.statistic, self.df, alternative)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Interval of the difference.

        Example:
            >>> model = VariogramModel("exponential", 1.0, 0.0, 1.0, 1.0, True)
            >>> found = PredictiveAbility(0.2, 0.1, 0.05, 2.0, 1e6, 400, 100.0, model, "")
            >>> [round(end, 3) for end in found.interval()]
            [0.004, 0.396]
        """
        reach = float(special.stdtrit(self.df, 0.5 + 0.5 * level)) * self.sd
        return self.difference - reach, self.difference + reach


def student_tail(t: float, df: float, alternative: Alternative) -> float:
    """Probability of a Student variable at least as extreme.

    Example:
        >>> round(student_tail(2.0, 1e9, "greater"), 4), round(student_tail(2.0, 5.0, "less"), 4)
        (0.0228, 0.949)
    """
    if alternative == "two-sided":
        return float(2.0 * special.stdtr(df, -abs(t)))
    if alternative not in ("greater", "less"):
        raise ValueError(f"alternative: found {alternative!r}")
    return float(special.stdtr(df, -t if alternative == "greater" else t))


def place_field(difference: FloatArray, inside: BoolArray) -> tuple[FloatArray, BoolArray, float]:
    r"""One (y, x) field whose mean is the mean over all cell-epochs, its mask, and that mean.

    Loss differentials of a place in several epochs depend on each other, so they are summed before
    anything is tested. Where cells have different numbers of epochs, the field of a ratio is used:
    :math:`\bar D + (\sum_t D_t - \bar D m) \, S / M` with m epochs of a cell, S cells, M
    cell-epochs.

    Args:
        difference: (epoch, y, x) differences, 0 outside the mask.
        inside: (epoch, y, x) mask.

    Example:
        >>> d = np.array([[[1.0, 3.0]], [[3.0, 0.0]]])
        >>> place_field(d, d > 0)
        (array([[1.88888889, 2.77777778]]), array([[ True,  True]]), 2.3333333333333335)
    """
    count = inside.sum(axis=0)
    total = difference.sum(axis=0)
    cells, cases = int(np.count_nonzero(count)), int(count.sum())
    if not cases:
        raise UndefinedScoreError("no cell is valid in any epoch")
    mean = float(total.sum() / cases)
    field = mean + (total - mean * count) * (cells / cases)
    return np.where(count > 0, field, 0.0), count > 0, mean


def variance_of_mean(inside: BoolArray, model: VariogramModel, *, workers: int = -1) -> float:
    """Variance of the mean over a mask of a field with the covariance of a model [cells as unit].

    Args:
        inside: (y, x) mask.
        model: model whose distances are in cells.
        workers: threads of a transform; -1 takes all cores.

    Example:
        >>> white = VariogramModel("exponential", 1.0, 0.0, 1.0, 1.0, True)
        >>> round(variance_of_mean(np.ones((5, 5), bool), white), 6)
        0.04
    """
    rows, columns = inside.shape
    plan = Padded((rows, columns), (rows - 1, columns - 1), workers)
    pairs = mask_sums(inside, plan).pairs
    dy = np.arange(1 - rows, rows)[:, None]
    dx = np.arange(1 - columns, columns)[None, :]
    covariance = model.covariance(np.hypot(dy, dx))
    return float(np.vdot(pairs, covariance)) / float(np.count_nonzero(inside)) ** 2


def _supported(
    field: FloatArray, mask: BoolArray, model: VariogramModel, reach: int, workers: int
) -> bool:
    """Whether cells within the model's range resemble each other more than dealt values do.

    A variogram of noise bends somewhere by chance, and a faint bend that reaches far would
    multiply the variance of the mean. One Moran's I over all pairs within the range decides.
    """
    if model.partial_sill == 0.0:
        return False
    radius = max(1.5, min(model.effective_range, float(reach)))
    within = lag_classes(edges=[0.5, radius * (1.0 + 1e-6)])
    return float(correlogram(field, mask, classes=within, workers=workers).z[0]) > _SUPPORT


def hering_genton(
    first_loss: ArrayLike,
    second_loss: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    lags: int | None = None,
    model: str | None = None,
    workers: int = -1,
) -> PredictiveAbility:
    """Test whether two forecasts are equally good over a field of square cells.

    Args:
        first_loss: (y, x) or (epoch, y, x) score terms of the first forecast, lower is better.
        second_loss: those of the second.
        valid: mask of the same shape, or (y, x) for all epochs; None counts cells where both are
            finite.
        lags: classes of the variogram, of one cell each; half the shorter side of the mask's
            bounding box by default, 100 at most.
        model: covariance model; None takes the best of four.
        workers: threads of a transform; -1 takes all cores.

    Raises:
        UndefinedScoreError: the losses do not differ anywhere, or by the same amount everywhere.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> first, second = rng.gamma(1.0, 1.0, (2, 40, 40))
        >>> found = hering_genton(first + 0.3, second)
        >>> found.p_value() < 1e-3, round(found.sd / found.naive_sd, 1)
        (True, 1.0)
    """
    one, two = (np.asarray(a, dtype=np.float64) for a in (first_loss, second_loss))
    if one.shape != two.shape:
        raise ValueError(f"first {one.shape}, second {two.shape}; expected the same shape")
    difference, inside = as_masked(one - two, valid)
    if difference.ndim == 2:
        difference, inside = difference[None], inside[None]
    field, mask, mean = place_field(difference, inside)
    rows, columns = np.nonzero(mask)
    box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    field, mask = field[box], mask[box]
    reach = lags if lags is not None else min(100, max(4, min(mask.shape) // 2))
    classes = lag_classes(reach)
    sums = lag_sums(field, mask, classes, workers=workers)
    fitted = fit_variogram(variogram_of_sums(sums, classes), model)
    if not _supported(field, mask, fitted, reach, workers):
        fitted = replace(
            fitted, nugget=sums.sum_squares / sums.n, partial_sill=0.0, within_reach=True
        )
    variance = variance_of_mean(mask, fitted, workers=workers)
    if not variance > 0.0:
        raise UndefinedScoreError("the covariance model of the loss differential has no sill")
    n = sums.n
    naive = sums.sum_squares / n
    structured = 1.0 - fitted.nugget / n / variance
    patches = n / (math.pi * max(fitted.effective_range, 1.0) ** 2)
    df = min(max(1.0, patches / max(structured, 1e-6) ** 2), float(n - 1))
    note = ""
    if not fitted.within_reach:
        note = (
            f"the dependence reaches beyond {reach} cells: the standard deviation is not determined"
        )
    return PredictiveAbility(
        difference=mean, sd=math.sqrt(variance), naive_sd=math.sqrt(naive / n),
        statistic=mean / math.sqrt(variance), df=df, n=n, effective_n=fitted.sill / variance,
        model=fitted, note=note,
    )  # fmt: skip
