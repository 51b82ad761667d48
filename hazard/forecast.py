r"""What any model says about a cell in an epoch, in one record, so that all are scored alike.

A forecast is a hurdle: with probability $1 - p$ nothing, else an area density [percent of the
cell] whose law is a lognormal truncated to (0, 100]. Its mean is the expected density,

$$ E[D] = p \; E[D \mid D > 0], $$

an amount of area per cell and epoch, not a probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stats.laws.hurdle import Hurdle
from stats.laws.lognormal import TruncatedLognormal

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

FULL_CELL_PERCENT = 100.0
_ARRAYS = ("probability", "mu", "sigma", "mean_percent", "median_percent")


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """Susceptibility and area density of every cell in every epoch.

    Attributes:
        probability: (epoch, cell) probability p that there is any landslide area.
        mu: (epoch, cell) mean of ln density [ln percent] given presence, before truncation.
        sigma: (epoch, cell) its standard deviation, above 0.
        mean_percent: (epoch, cell) expected density given presence [percent of the cell].
        median_percent: (epoch, cell) median density given presence [percent of the cell].

    Raises:
        ValueError: arrays of different shapes or not (epoch, cell), a value that is not finite, a
            probability outside 0 to 1, a sigma not above 0, a density outside (0, 100].

    Example:
        >>> forecast = Forecast.from_lognormal(np.full((1, 2), 0.2), 0.0, 1.0)
        >>> forecast.expected_percent.round(4)
        array([[0.3297, 0.3297]])
    """

    probability: FloatArray
    mu: FloatArray
    sigma: FloatArray
    mean_percent: FloatArray
    median_percent: FloatArray

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        shape = self.probability.shape
        for name in _ARRAYS:
            values: FloatArray = getattr(self, name)
            if values.shape != shape or values.ndim != 2:
                raise ValueError(
                    f"{name}: found shape {values.shape}; expected (epoch, cell) like the "
                    f"probability, {shape}"
                )
            bad = int(np.count_nonzero(~np.isfinite(values)))
            if bad:
                raise ValueError(f"{name}: found {bad} values that are not finite; expected none")
        if not shape[0] or not shape[1]:
            raise ValueError(f"probability: found shape {shape}; expected at least one cell")
        _within("probability", self.probability, 0.0, 1.0, open_below=False)
        _within("sigma", self.sigma, 0.0, np.inf, open_below=True)
        _within("mean_percent", self.mean_percent, 0.0, FULL_CELL_PERCENT, open_below=True)
        _within("median_percent", self.median_percent, 0.0, FULL_CELL_PERCENT, open_below=True)

    @classmethod
    def from_lognormal(cls, probability: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> Forecast:
        """A forecast whose mean and median belong to the truncated lognormal itself.

        Args:
            probability: (epoch, cell) probability of presence.
            mu: mean of ln percent, (epoch, cell) or broadcast to it.
            sigma: standard deviation of ln percent, (epoch, cell) or broadcast to it.
        """
        p = np.asarray(probability, dtype=np.float64)
        location, spread = (np.array(np.broadcast_to(v, p.shape), np.float64) for v in (mu, sigma))
        law = TruncatedLognormal(location, spread, FULL_CELL_PERCENT)
        return cls(
            probability=p, mu=location, sigma=spread, mean_percent=law.mean(),
            median_percent=law.median(),
        )  # fmt: skip

    @property
    def expected_percent(self) -> FloatArray:
        """(epoch, cell) expected density, probability times mean given presence [percent]."""
        return self.probability * self.mean_percent

    @property
    def shape(self) -> tuple[int, int]:
        """Epochs and cells."""
        return (int(self.probability.shape[0]), int(self.probability.shape[1]))

    def law(self, where: np.ndarray[Any, np.dtype[np.bool_]]) -> Hurdle:
        """The predictive laws of some cell-epochs, for the scores of `stats`.

        Args:
            where: (epoch, cell) True for the cases, which come out in row order.

        Example:
            >>> forecast = Forecast.from_lognormal(np.array([[0.1, 0.2]]), 0.0, 1.0)
            >>> forecast.law(np.array([[False, True]])).probability
            array([0.2])
        """
        positive = TruncatedLognormal(self.mu[where], self.sigma[where], FULL_CELL_PERCENT)
        return Hurdle(self.probability[where], positive)


def _within(name: str, values: FloatArray, low: float, high: float, *, open_below: bool) -> None:
    least, most = float(values.min()), float(values.max())
    if least < low or most > high or (open_below and least <= low):
        raise ValueError(
            f"{name}: found {least:g} to {most:g}; expected values "
            f"{'above' if open_below else 'from'} {low:g} up to {high:g}"
        )
