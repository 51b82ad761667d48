"""Predictors as plain arrays: support, unit and transform, and reading them by rows of cells.

A predictor lies on pixels nested in cells, on cells, on coarser trigger cells, or is one value per
epoch. Whatever it is read from (memory, Zarr, xarray), what comes out is NumPy. NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from hazard.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
Transform = Literal["identity", "log1p", "log_floor", "sqrt"]
Support = Literal["pixel", "cell", "trigger", "epoch"]

# Percent of the cell: 10 m2 of a cell of 1 km2, below what any of the inventories maps.
LOG_FLOOR = 1e-3

TRANSFORMS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "log1p": np.log1p,
    "log_floor": lambda x: np.log(x + LOG_FLOOR),
    "sqrt": np.sqrt,
}
# Predictors whose upper tail would otherwise carry the whole variance.
USUAL_TRANSFORMS: dict[str, Transform] = {
    "stream_distance_m": "log1p",
    "rain_max_mm_day": "log1p",
    "rain_width_mm_day": "log1p",
}


class Sliceable(Protocol):
    """An array in memory or in a store: shape, and reading by slices of rows."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    def __getitem__(self, key: Any, /) -> Any: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictor:
    """One layer as it lies in the cube, before scaling.

    Attributes:
        name: name in the cube.
        unit: CF unit.
        values: (y, x), or (epoch, y, x) where `per_epoch`, or (epoch,) for support ``epoch``;
            a NumPy array or anything that is read by slices (a Zarr array).
        support: ``pixel`` (factor x factor per cell), ``cell``, ``trigger`` (one value for
            factor x factor cells), or ``epoch`` (one value for the whole study).
        factor: pixels along one side of a cell, or cells along one side of a trigger cell.
        per_epoch: True where the layer changes with the epoch.
        transform: applied before scaling.
        is_class: True for class numbers.
        least_spread: standard deviation over the training part, after the transform, at or below
            which the predictor counts as constant. Without it, lengths of 182 and 183 days in
            training would scale a held-out epoch of 52 days to minus hundreds.
        known: (epoch, y, x) True where the value says something; None: everywhere. Elsewhere it
            takes no part in the moments and becomes exactly 0 after scaling, the mean.
    """

    name: str
    unit: str
    values: Sliceable
    support: Support = "cell"
    factor: int = 1
    per_epoch: bool = False
    transform: Transform = "identity"
    is_class: bool = False
    least_spread: float = 0.0
    known: np.ndarray[Any, np.dtype[np.bool_]] | None = None

    def __post_init__(self) -> None:
        if self.known is not None and self.known.shape != tuple(self.values.shape):
            raise ValueError(f"{self.name}: known {self.known.shape}, values {self.values.shape}")


def transform_values(
    values: Array, transform: Transform, name: str
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """t(x) in float64.

    Raises:
        DataError: a negative value where the transform takes none.
    """
    x = np.asarray(values, dtype=np.float64)
    if transform != "identity" and (x < 0).any():
        raise DataError(
            name, found=f"the value {np.nanmin(x):g}", expected=f"none below 0 for {transform!r}"
        )
    return TRANSFORMS[transform](x)


def read_rows(predictor: Predictor, rows: slice, shape: tuple[int, int]) -> Array:
    """Rows of cells of one predictor, at the support it is used on.

    Returns:
        ([epoch,] rows f, columns f) for pixels, ([epoch,] rows, columns) for cells; a trigger
        cell is repeated over the cells it holds, an epoch's value over all cells.

    Raises:
        DataError: the layer does not lie on the grid.
    """
    n_rows, n_cols = shape
    f = predictor.factor
    found = predictor.values.shape
    leading = 1 if predictor.per_epoch else 0
    if predictor.support == "epoch":
        if len(found) != 1:
            raise DataError(predictor.name, found=f"shape {found}", expected="one value per epoch")
        column = np.asarray(predictor.values[:])
        size = (column.size, rows.stop - rows.start, n_cols)
        return np.broadcast_to(column[:, None, None], size)
    if predictor.support == "pixel":
        expected = (n_rows * f, n_cols * f)
    elif predictor.support == "trigger":
        expected = (-(-n_rows // f), -(-n_cols // f))
    else:
        expected = shape
    if len(found) != leading + 2 or tuple(found[-2:]) != expected:
        raise DataError(
            predictor.name,
            found=f"shape {tuple(found)}",
            expected=f"{expected} on the grid of {shape} cells"
            + (", after the epochs" if leading else ""),
        )
    if predictor.support == "pixel":
        return np.asarray(predictor.values[..., rows.start * f : rows.stop * f, :])
    if predictor.support == "cell":
        return np.asarray(predictor.values[..., rows, :])
    first, last = rows.start // f, -(-rows.stop // f)
    coarse = np.asarray(predictor.values[..., first:last, :])
    fine = coarse.repeat(f, axis=-2).repeat(f, axis=-1)
    start = rows.start - first * f
    return fine[..., start : start + rows.stop - rows.start, :n_cols]


def check_finite(values: Array, name: str, where: str) -> None:
    """Refuse NaN and infinity: holes are filled, flagged and counted when the cube is built.

    Raises:
        DataError: a value is not finite.
    """
    wrong = int((~np.isfinite(values)).sum())
    if wrong:
        raise DataError(
            name, found=f"{wrong} values that are not finite in {where}", expected="none"
        )
