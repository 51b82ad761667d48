"""Features of whole cells: what models without pictures (trees, regressions) read from a cube.

A fine layer becomes the mean, spread, lowest and highest tenth of the pixels of each cell; a class
layer the share of each class; everything else is taken as it lies. Values keep their natural
units: scaling belongs to the model that needs it. Records of earlier epochs are added per fold
(`with_past`), because only there is it known which targets no training input may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hazard.cube.cube_batches import predictors_of_cube
from hazard.cube.layout import NO_CLASS, Cube
from hazard.cube.past import DEFAULT_WINDOWS, past_records, past_records_by_role
from hazard.cube.patches import cell_pixels
from hazard.cube.predictors import Array, Predictor, Transform, check_finite, read_rows
from hazard.errors import DataError
from stats.resampling.folds import UNUSED

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Float32Array = np.ndarray[Any, np.dtype[np.float32]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Int64Array = np.ndarray[Any, np.dtype[np.int64]]
Int8Array = np.ndarray[Any, np.dtype[np.int8]]

PAST_PREFIX = "past_"
STATISTICS = ("mean", "sd", "p10", "p90")
# More classes than this are a mistake (a continuous layer stored as whole numbers).
_MOST_CLASSES = 64
_PIXELS_AT_ONCE = 4_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class CellFeatures:
    """Features of the mapped cells, in natural units.

    Attributes:
        values: (epoch, cell, feature) float32, finite everywhere; cells in row order.
        names: (feature,) names; ``NAME_mean`` and so on for statistics of pixels.
        units: (feature,) CF units.
        transforms: (feature,) transform that linear models apply before scaling.
        changing: (feature,) True where a feature differs between epochs.
        epoch_only: (feature,) True where it is the same in all cells of an epoch.
        categorical: (feature,) True for class numbers.
        cell_flat: (cell,) flat index ``row * columns + column`` on the grid.
        shape: (rows, columns) of the grid.
        reach_cells: cells around a cell that its features look at.
    """

    values: Float32Array
    names: tuple[str, ...]
    units: tuple[str, ...]
    transforms: tuple[Transform, ...]
    changing: tuple[bool, ...]
    epoch_only: tuple[bool, ...]
    categorical: tuple[bool, ...]
    cell_flat: Int64Array
    shape: tuple[int, int]
    reach_cells: int = 0

    def __post_init__(self) -> None:
        n = len(self.names)
        columns = (self.units, self.transforms, self.changing, self.epoch_only, self.categorical)
        if self.values.ndim != 3 or self.values.shape[-1] != n or {len(c) for c in columns} != {n}:
            raise ValueError(f"values of shape {self.values.shape}, {n} names; use one per feature")
        if self.values.shape[1] != self.cell_flat.size:
            raise ValueError(f"{self.values.shape[1]} cells, {self.cell_flat.size} positions")
        if len(set(self.names)) != n:
            raise ValueError(f"names {self.names}; use distinct ones")

    @property
    def n_epochs(self) -> int:
        """Number of epochs."""
        return int(self.values.shape[0])

    @property
    def n_cells(self) -> int:
        """Number of mapped cells."""
        return int(self.values.shape[1])

    @property
    def has_past(self) -> bool:
        """True where records of earlier epochs are among the features."""
        return any(name.startswith(PAST_PREFIX) for name in self.names)

    def column(self, name: str) -> FloatArray:
        """(epoch, cell) one feature as float64.

        Raises:
            KeyError: no such feature.
        """
        if name not in self.names:
            raise KeyError(f"no feature {name!r}; there are {', '.join(self.names)}")
        return self.values[..., self.names.index(name)].astype(np.float64)

    def select(self, names: Sequence[str]) -> CellFeatures:
        """The same cells with these features alone, in this order."""
        where = [self.names.index(name) for name in names]

        def pick(column: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(column[i] for i in where)

        return replace(
            self, values=np.ascontiguousarray(self.values[..., where]), names=pick(self.names),
            units=pick(self.units), transforms=pick(self.transforms), changing=pick(self.changing),
            epoch_only=pick(self.epoch_only), categorical=pick(self.categorical),
        )  # fmt: skip

    def to_grid(self, values: Array, *, fill: float = np.nan) -> Array:
        """(..., cell) values as (..., y, x), `fill` in unmapped cells."""
        found = np.asarray(values)
        out = np.full((*found.shape[:-1], self.shape[0] * self.shape[1]), fill, dtype=found.dtype)
        out[..., self.cell_flat] = found
        return out.reshape(*found.shape[:-1], *self.shape)

    def from_grid(self, values: Array) -> Array:
        """(..., y, x) values of the mapped cells as (..., cell)."""
        found = np.asarray(values)
        return found.reshape(*found.shape[:-2], -1)[..., self.cell_flat]

    def blocks(self, cells: int) -> Int64Array:
        """(cell,) number of the square block of `cells` x `cells` in which each cell lies."""
        row, col = np.divmod(self.cell_flat, self.shape[1])
        return (row // cells) * (-(-self.shape[1] // cells)) + col // cells


@dataclass(frozen=True, kw_only=True, eq=False)
class CellTargets:
    """Targets on the mapped cells.

    Attributes:
        area_density: (epoch, cell) float64 percent of the cell, 0 where not observed.
        observed: (epoch, cell) True where the cell was looked at.
    """

    area_density: FloatArray
    observed: BoolArray

    def presence(self, above: float = 0.0) -> BoolArray:
        """(epoch, cell) True where a density above this [percent] was observed."""
        return self.observed & (self.area_density > above)


def features_of_cube(
    cube: Cube,
    *,
    statistics: Sequence[str] = STATISTICS,
    progress: Callable[[int], None] | None = None,
) -> CellFeatures:
    """Every predictor of a cube on its cells, without records of earlier epochs.

    Args:
        cube: an open cube.
        statistics: of the pixels of a cell, among mean, sd, p10, p90, min, max.
        progress: called with 1 after each predictor.
    """
    mask = np.asarray(cube.root["mask"].values[0], dtype=bool)
    rows = max(1, _PIXELS_AT_ONCE // (mask.shape[1] * cube.pixels_per_cell**2))
    return cell_features(
        predictors_of_cube(cube), mask, len(cube.epochs), statistics=statistics,
        rows_per_block=rows, progress=progress,
    )  # fmt: skip


def targets_of_cube(cube: Cube) -> CellTargets:
    """Densities of a cube on its mapped cells.

    Raises:
        DataError: an observed cell without a density.
    """
    mask = np.asarray(cube.root["mask"].values[0], dtype=bool)
    observed = np.asarray(cube.root["observed"].values, dtype=bool)[:, mask]
    found = np.asarray(cube.root["area_density"].values, dtype=np.float64)[:, mask]
    density = np.where(observed, found, 0.0)
    check_finite(density, "area_density", "observed cells")
    return CellTargets(area_density=density, observed=observed)


def cell_features(
    predictors: Sequence[Predictor],
    mask: BoolArray,
    n_epochs: int,
    *,
    statistics: Sequence[str] = STATISTICS,
    rows_per_block: int = 16,
    progress: Callable[[int], None] | None = None,
) -> CellFeatures:
    """Features of the mapped cells, read by blocks of rows.

    Args:
        predictors: layers on the grid of `mask` (`hazard.cube.cube_batches.predictors_of_cube`).
        mask: (y, x) study mask.
        n_epochs: number of epochs.
        statistics: of the pixels of a cell, among mean, sd, p10, p90, min, max.
        rows_per_block: rows of cells read at once; memory grows with it, the result does not
            depend on it.
        progress: called with 1 after each predictor.

    Raises:
        DataError: a layer of the wrong shape, or a value that is not finite in a mapped cell.
        ValueError: an unknown statistic, no mapped cell.
    """
    unknown = sorted(set(statistics) - set(_STATISTICS))
    if unknown or not statistics:
        raise ValueError(f"statistics {tuple(statistics)}; use some of {', '.join(_STATISTICS)}")
    if mask.dtype != np.bool_ or mask.ndim != 2 or not mask.any():
        raise ValueError("mask; use bool (y, x) with at least one mapped cell")
    cell_flat = np.flatnonzero(mask).astype(np.int64)
    columns: list[tuple[str, str, Transform, bool, bool, bool]] = []
    parts: list[Float32Array] = []
    for p in predictors:
        changes = p.per_epoch or p.support == "epoch"
        values, suffixes = _of_cells(p, mask, statistics, rows_per_block)
        if changes and values.shape[0] != n_epochs:
            raise DataError(p.name, found=f"{values.shape[0]} epochs", expected=f"{n_epochs}")
        parts.append(np.broadcast_to(values, (n_epochs, *values.shape[1:])))
        shares = p.is_class and p.support == "pixel"
        for suffix in suffixes:
            # A spread, or a layer that goes below 0, has no domain for the layer's transform.
            plain: Transform = "identity" if shares or suffix == "_sd" else p.transform
            columns.append(
                (p.name + suffix, "1" if shares else p.unit, plain, changes, p.support == "epoch",
                 p.is_class and not shares)
            )  # fmt: skip
        if progress is not None:
            progress(1)
    names, units, transforms, changing, epoch_only, categorical = zip(*columns, strict=True)
    return CellFeatures(
        values=np.concatenate(parts, axis=-1), names=names, units=units, transforms=transforms,
        changing=changing, epoch_only=epoch_only, categorical=categorical, cell_flat=cell_flat,
        shape=(int(mask.shape[0]), int(mask.shape[1])),
    )  # fmt: skip


def with_past(
    features: CellFeatures,
    targets: CellTargets,
    role: Int8Array | None = None,
    *,
    windows: Sequence[int] = DEFAULT_WINDOWS,
    horizon: int = 1,
    epoch_days: Sequence[float] | None = None,
    presence_above: float = 0.0,
) -> CellFeatures:
    """Add what earlier epochs showed in and around each cell.

    Args:
        features: features without a past.
        targets: densities of all epochs.
        role: (epoch, cell) roles of one fold, or over the flattened grid (epoch, y x): no training
            input then holds a target of the test or validation part. None where everything
            observed trains, as in a final model.
        windows: neighbourhoods [cells, odd]; () leaves the cell's own record alone.
        horizon: epochs between the record and the forecast.
        epoch_days: (epoch,) lengths; densities then are percent per year.
        presence_above: density [percent] above which there is a landslide.
    """
    if features.has_past:
        raise ValueError("the features hold past records already; add them to those without")
    density = features.to_grid(targets.area_density, fill=0.0)
    seen = features.to_grid(targets.observed, fill=False)
    settings: dict[str, Any] = {
        "windows": windows, "horizon": horizon, "epoch_days": epoch_days,
        "presence_above": presence_above,
    }  # fmt: skip
    if role is None:
        records = past_records(density, seen, **settings)
    else:
        roles = np.asarray(role)
        if roles.shape[1] == features.n_cells:
            roles = features.to_grid(roles, fill=UNUSED)
        else:
            roles = roles.reshape(seen.shape)
        records = past_records_by_role(density, seen, roles, **settings)
    past = np.moveaxis(features.from_grid(records.values), 0, -1).astype(np.float32)
    n = len(records.names)
    return replace(
        features,
        values=np.concatenate([features.values, past], axis=-1),
        names=(*features.names, *records.names),
        units=(*features.units, *records.units),
        # Linear models would hang on the logarithm of a hair above nothing.
        transforms=(*features.transforms, *(_gentle(t) for t in records.transforms)),
        changing=(*features.changing, *(True,) * n),
        epoch_only=(*features.epoch_only, *(False,) * n),
        categorical=(*features.categorical, *(False,) * n),
        reach_cells=max(features.reach_cells, records.reach_cells),
    )


def _gentle(transform: Transform) -> Transform:
    return "log1p" if transform == "log_floor" else transform


def windows_within(windows: Sequence[int], shape: tuple[int, int]) -> tuple[int, ...]:
    """Those neighbourhoods that are no wider than the grid, but always the narrowest.

    Args:
        windows: sides [cells, odd], rising.
        shape: (rows, columns) of the grid.

    Example:
        >>> windows_within((3, 9, 21), (16, 20)), windows_within((5, 9), (4, 4))
        ((3, 9), (5,))
    """
    return tuple(w for w in windows if w <= min(shape)) or tuple(windows[:1])


def _tenth(share: float) -> Callable[[FloatArray], FloatArray]:
    return lambda pixels: np.quantile(pixels, share, axis=-1)


_STATISTICS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "mean": lambda pixels: pixels.mean(axis=-1),
    "sd": lambda pixels: pixels.std(axis=-1),
    "p10": _tenth(0.1),
    "p90": _tenth(0.9),
    "min": lambda pixels: pixels.min(axis=-1),
    "max": lambda pixels: pixels.max(axis=-1),
}


def _of_cells(
    predictor: Predictor, mask: BoolArray, statistics: Sequence[str], rows_per_block: int
) -> tuple[Float32Array, tuple[str, ...]]:
    """(epoch or 1, cell, column) and the suffix of each column."""
    if predictor.support == "pixel" and predictor.per_epoch:
        raise DataError(
            predictor.name, found="pixels that change with the epoch", expected="static pixels"
        )
    codes: tuple[int, ...] = ()
    if predictor.is_class and predictor.support == "pixel":
        codes = _codes(predictor, mask, rows_per_block)
    blocks = []
    for rows in _row_blocks(mask, rows_per_block):
        inside = mask[rows]
        values = read_rows(predictor, rows, (mask.shape[0], mask.shape[1]))
        if predictor.support != "pixel":
            picked = values[..., inside]
            check_finite(picked, predictor.name, "mapped cells")
            blocks.append(np.atleast_2d(picked)[..., None].astype(np.float32))
            continue
        shape = (inside.shape[0], inside.shape[1])
        pixels = cell_pixels(values[None], shape, predictor.factor)[inside.ravel(), :, :, 0]
        flat = pixels.reshape(pixels.shape[0], -1).astype(np.float64)
        check_finite(flat, predictor.name, "mapped cells")
        if codes:
            columns = [(flat == code).mean(axis=-1) for code in codes]
        else:
            columns = [_STATISTICS[name](flat) for name in statistics]
        blocks.append(np.stack(columns, axis=-1)[None].astype(np.float32))
    if predictor.support != "pixel":
        return np.concatenate(blocks, axis=1), ("",)
    suffixes = [f"={code}" for code in codes] or [f"_{name}" for name in statistics]
    return np.concatenate(blocks, axis=1), tuple(suffixes)


def _row_blocks(mask: BoolArray, rows_per_block: int) -> list[slice]:
    if rows_per_block < 1:
        raise ValueError(f"rows_per_block {rows_per_block}; use at least 1")
    starts = range(0, mask.shape[0], rows_per_block)
    blocks = [slice(start, min(start + rows_per_block, mask.shape[0])) for start in starts]
    return [rows for rows in blocks if mask[rows].any()]


def _codes(predictor: Predictor, mask: BoolArray, rows_per_block: int) -> tuple[int, ...]:
    """Class numbers of the mapped cells; a missing class is no class, so shares sum below 1."""
    found: set[int] = set()
    for rows in _row_blocks(mask, rows_per_block):
        values = read_rows(predictor, rows, (mask.shape[0], mask.shape[1]))
        f = predictor.factor
        inside = mask[rows].repeat(f, axis=0).repeat(f, axis=1)
        found |= {int(code) for code in np.unique(values[inside])}
    found.discard(NO_CLASS)
    if not 0 < len(found) <= _MOST_CLASSES:
        raise DataError(
            predictor.name, found=f"{len(found)} classes", expected=f"1 to {_MOST_CLASSES}"
        )
    return tuple(sorted(found))
