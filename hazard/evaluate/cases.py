r"""The cases of one scheme, model and epoch: cells that were observed and forecast.

Presence at a threshold t is density of at least t percent of the cell (any at all for t = 0). The
hurdle law forecasts it with

.. math:: P(D \ge t) = p \; P(D \ge t \mid D > 0),

the second factor from the lognormal law of density cut off at 100 percent. Nothing else is fitted
for the higher thresholds. Where the inventory has a detection error and the model forecasts true
landslides, p is the probability of a recorded one: what was recorded is all there is to score with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hazard.errors import DataError
from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.laws.hurdle import Hurdle
from stats.laws.lognormal import TruncatedLognormal

if TYPE_CHECKING:
    from hazard.archive.predictions import Predictions

Array = np.ndarray[Any, np.dtype[Any]]
FULL_CELL_PERCENT = 100.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Cases:
    """Observed and forecast cells of one epoch, one model and one scheme.

    Attributes:
        cell: (case,) place in the flattened (y, x) lattice.
        fold: (case,) number of the fold that tests the cell.
        density: (case,) observed area density [percent of the cell].
        probability: (case,) forecast probability of any density.
        mu: (case,) location of ln density given presence.
        sigma: (case,) spread of ln density given presence.
        mean_percent: (case,) E[density | density > 0] [percent].
        median_percent: (case,) median density given presence [percent].
    """

    cell: IntArray
    fold: IntArray
    density: FloatArray
    probability: FloatArray
    mu: FloatArray
    sigma: FloatArray
    mean_percent: FloatArray
    median_percent: FloatArray

    @property
    def n(self) -> int:
        """Number of cases."""
        return int(self.cell.size)

    @cached_property
    def _exceedance(self) -> dict[float, FloatArray]:
        return {}

    @cached_property
    def law(self) -> Hurdle:
        """(case,) predictive laws of density."""
        positive = TruncatedLognormal(self.mu, self.sigma, FULL_CELL_PERCENT)
        return Hurdle(self.probability, positive)

    @property
    def expected_percent(self) -> FloatArray:
        """(case,) expected density, probability times mean given presence [percent]."""
        return self.probability * self.mean_percent

    def present(self, threshold_percent: float) -> BoolArray:
        """(case,) whether the observed density reaches the threshold; any density for 0.

        Example:
            >>> import numpy as np
            >>> one = np.ones(3)
            >>> cases = Cases(cell=np.arange(3), fold=np.zeros(3, int),
            ...     density=np.array([0.0, 0.3, 0.5]), probability=0.5 * one, mu=0 * one,
            ...     sigma=one, mean_percent=one, median_percent=one)
            >>> cases.present(0.0).tolist(), cases.present(0.5).tolist()
            ([False, True, True], [False, False, True])
        """
        return self.density >= threshold_percent if threshold_percent > 0 else self.density > 0.0

    def exceedance(self, threshold_percent: float) -> FloatArray:
        """(case,) forecast probability that density reaches the threshold.

        Args:
            threshold_percent: t [percent]; at 0 the probability of presence itself.
        """
        if threshold_percent == 0.0:
            return self.probability
        if threshold_percent not in self._exceedance:
            value = np.clip(self.law.sf(threshold_percent), 0.0, 1.0)
            self._exceedance[threshold_percent] = value
        return self._exceedance[threshold_percent]

    def take(self, where: BoolArray) -> Cases:
        """The cases where `where` is True."""
        return Cases(**{name: getattr(self, name)[where] for name in self.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFields:
    """(epoch, y, x) arrays of one model under one scheme, read once.

    Attributes are those of `Cases`, NaN (fold: -1) where nothing is tested.
    """

    name: str
    observed: Array
    fold: Array
    density: Array
    probability: Array
    mu: Array
    sigma: Array
    mean_percent: Array
    median_percent: Array

    def cases(self, epoch: int) -> Cases | None:
        """The tested cells of an epoch; None where there are none.

        Raises:
            DataError: a cell has a probability but no law.
        """
        where = (
            self.observed[epoch] & (self.fold[epoch] >= 0) & np.isfinite(self.probability[epoch])
        )
        if not where.any():
            return None
        fields = {
            name: np.asarray(getattr(self, name)[epoch][where], dtype=np.float64)
            for name in ("density", "probability", "mu", "sigma", "mean_percent", "median_percent")
        }
        bad = sum(int(np.count_nonzero(~np.isfinite(values))) for values in fields.values())
        if bad:
            raise DataError(
                f"predictions of {self.name}, epoch {epoch}",
                found=f"{bad} values of the law missing where there is a probability",
                expected="all of them",
            )
        return Cases(
            cell=np.flatnonzero(where).astype(np.int64),
            fold=self.fold[epoch][where].astype(np.int64),
            **fields,
        )


def read_model(predictions: Predictions, scheme: str, model: str) -> ModelFields:
    """Forecasts of one model under one scheme, of what is recorded where it misses landslides."""

    def field(name: str) -> Array:
        return predictions.field(name, scheme, model)

    return ModelFields(
        name=f"{model} under {scheme}",
        observed=predictions.observed & predictions.mask,
        fold=predictions.fold(scheme),
        density=predictions.area_density,
        probability=predictions.recorded_probability(scheme, model),
        mu=field("mu"),
        sigma=field("sigma"),
        mean_percent=field("mean_percent"),
        median_percent=field("median_percent"),
    )
