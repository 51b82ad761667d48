"""Forecast cases of a gridded study: what was forecast, what came, where and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stats.case_arrays import BoolArray, FloatArray, IntArray, as_nonnegative
from stats.laws.hurdle import Hurdle
from stats.spatial.lattice import lattice_of_cases

Labels = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastCases:
    """Everything the residual section is made from; one entry per cell and epoch.

    Attributes:
        law: (case,) hurdle laws of the forecast.
        value: (case,) observed values, 0 or more, in the unit of the law.
        epoch: (case,) names or numbers of epochs, in the order in which they are to be shown.
        x_m: (case,) eastings of cell centres [m].
        y_m: (case,) northings [m].
        cell_m: side of a cell [m].
        fold: (case,) number of the fold that forecast the case; None where there was one.
        references: forecasts of the same cases to be held against, by name.
        predictors: (case,) values by name; floats are ordered, whole numbers are classes.

    Raises:
        ValueError: lengths that differ, a predictor that is not finite, the same cell twice in an
            epoch.
    """

    law: Hurdle
    value: FloatArray
    epoch: Labels
    x_m: FloatArray
    y_m: FloatArray
    cell_m: float
    fold: IntArray | None = None
    references: Mapping[str, Hurdle] = field(default_factory=dict)
    predictors: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        value = as_nonnegative("value", self.value).reshape(-1)
        n = value.size
        lengths = {
            "law": self.law.probability.size, "epoch": np.size(self.epoch),
            "x_m": np.size(self.x_m), "y_m": np.size(self.y_m),
            **({} if self.fold is None else {"fold": np.size(self.fold)}),
            **{f"reference {k}": v.probability.size for k, v in self.references.items()},
            **{f"predictor {k}": np.size(v) for k, v in self.predictors.items()},
        }  # fmt: skip
        wrong = {name: size for name, size in lengths.items() if size != n}
        if wrong or not n:
            raise ValueError(f"found {n} values and {wrong}; expected one of each per case")
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "epoch", np.asarray(self.epoch).reshape(-1))
        for name in ("x_m", "y_m"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64).reshape(-1))
        row, column, shape = lattice_of_cases(self.x_m, self.y_m, cell_m=self.cell_m)
        place = (row * shape[1] + column).astype(np.int64)
        for epoch in self.epochs:
            here = place[self.epoch == epoch]
            if np.unique(here).size < here.size:
                raise ValueError(f"epoch {epoch}: found a cell twice; expected each cell once")

    @property
    def epochs(self) -> tuple[Any, ...]:
        """Epochs in the order of their first case."""
        _, first = np.unique(self.epoch, return_index=True)
        return tuple(self.epoch[i] for i in np.sort(first))

    @property
    def n(self) -> int:
        """Number of cases."""
        return int(self.value.size)

    def lattice(self, terms: FloatArray, epoch: Any) -> tuple[FloatArray, BoolArray]:
        """(y, x) terms of one epoch, 0 where there is no case, and where there is one.

        Args:
            terms: (case,) values; NaN counts as no case.
            epoch: one of `epochs`.
        """
        row, column, shape = lattice_of_cases(self.x_m, self.y_m, cell_m=self.cell_m)
        here = (self.epoch == epoch) & np.isfinite(terms)
        values, inside = np.zeros(shape), np.zeros(shape, dtype=bool)
        values[row[here], column[here]] = terms[here]
        inside[row[here], column[here]] = True
        return values, inside
