"""Forecast cases of a gridded study: what was forecast, what came, where and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stats.case_arrays import BoolArray, FloatArray, IntArray, as_nonnegative
from stats.laws.hurdle import Hurdle, hurdle_lognormal
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


def cases_on_lattice(
    prediction: Sequence[ArrayLike],
    observed: ArrayLike,
    mask: ArrayLike | None = None,
    fold: ArrayLike | None = None,
    *,
    cell_m: float,
    epochs: Sequence[Any] | None = None,
    upper: float = 100.0,
    references: Mapping[str, Sequence[ArrayLike]] | None = None,
    predictors: Mapping[str, ArrayLike] | None = None,
) -> ForecastCases:
    """Cases of gridded arrays: prediction, observation, mask, fold.

    Args:
        prediction: three (epoch, y, x) arrays: probability of any value, and mean and spread of the
            logarithm of the value where there is one. A single epoch may be (y, x).
        observed: (epoch, y, x) observed values, 0 or more; row 0 lies in the north.
        mask: (epoch, y, x) or (y, x) True for cells that count; None counts where prediction and
            observation are finite.
        fold: (epoch, y, x) or (y, x) fold that forecast each cell; None where there was one.
        cell_m: side of a cell [m].
        epochs: names, in the order of the arrays; numbers from 0 if None.
        upper: largest value that can be; 100 for a percentage, inf for none.
        references: predictions of the same cells to hold it against, by name.
        predictors: (epoch, y, x) or (y, x) values by name.

    Raises:
        ValueError: shapes that do not fit, or a cell that counts without a finite value.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> p, mu = rng.uniform(0.1, 0.5, (2, 20, 30)), np.zeros((2, 20, 30))
        >>> seen = np.where(rng.random(p.shape) < p, rng.lognormal(mu, 1.0), 0.0)
        >>> cases = cases_on_lattice((p, mu, 1.0), seen, cell_m=1e3, epochs=["wet", "dry"])
        >>> cases.n, cases.epochs
        (1200, (np.str_('wet'), np.str_('dry')))
    """
    value = np.asarray(observed, dtype=np.float64)
    value = value[None] if value.ndim == 2 else value
    if value.ndim != 3:
        raise ValueError(f"observed: found {np.shape(observed)}; expected (epoch, y, x) or (y, x)")

    def whole(name: str, given: ArrayLike) -> Labels:
        try:
            return np.broadcast_to(np.asarray(given), value.shape)
        except ValueError:
            raise ValueError(f"{name}: found {np.shape(given)}; expected {value.shape}") from None

    def fields(name: str, given: Sequence[ArrayLike]) -> list[Labels]:
        if len(given) != 3:
            raise ValueError(
                f"{name}: found {len(given)} arrays; expected probability, mean and spread of the "
                "logarithm"
            )
        return [whole(name, part).astype(np.float64) for part in given]

    mine = fields("prediction", prediction)
    finite = np.isfinite(value) & np.all([np.isfinite(part) for part in mine], axis=0)
    where = finite if mask is None else whole("mask", mask).astype(bool)
    if not where.any() or not finite[where].all():
        raise ValueError(
            f"found {int(where.sum())} cells that count, {int((where & ~finite).sum())} of them "
            "without a finite prediction or observation; expected some, and all finite"
        )
    names = np.arange(len(value)) if epochs is None else np.asarray(epochs)
    if names.shape != (len(value),):
        raise ValueError(f"epochs: found {names.shape[0]} names; expected {len(value)}")

    def law(name: str, given: Sequence[ArrayLike]) -> Hurdle:
        probability, mu, sigma = (part[where] for part in fields(name, given))
        return hurdle_lognormal(probability, mu, sigma, upper=upper)

    epoch, row, column = np.nonzero(where)
    return ForecastCases(
        law=law("prediction", prediction), value=value[where], epoch=names[epoch],
        x_m=np.asarray((column + 0.5) * cell_m, dtype=np.float64),
        y_m=np.asarray((value.shape[1] - row - 0.5) * cell_m, dtype=np.float64), cell_m=cell_m,
        fold=None if fold is None else whole("fold", fold)[where],
        references={name: law(name, given) for name, given in (references or {}).items()},
        predictors={name: whole(name, v)[where] for name, v in (predictors or {}).items()},
    )  # fmt: skip
