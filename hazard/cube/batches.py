"""Device-ready arrays of one fold: everything a training loop gathers from, stored once.

Pixels are kept per mapped cell, not per patch: a patch of either lattice is a table of n x n row
numbers, so the second lattice costs an index table and no pixels, and the terrain is stored once
for all epochs. Every array has one more row than there are cells; that last row is padding, all
zeros with weight 0, so that gathering needs no branch. The loop moves the arrays to the device
once and gathers there (`hazard.cube.gather`). xarray stops before this module: NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from hazard.cube.past import DEFAULT_WINDOWS, past_records_by_role
from hazard.cube.patches import PADDING, PatchIndex, cell_pixels
from hazard.cube.predictors import Predictor, check_finite, read_rows
from hazard.cube.standardise import (
    Standardisation,
    apply_scaling,
    fit_standardisation,
    one_hot,
)
from hazard.errors import DataError
from stats.resampling.folds import TRAIN, UNUSED

Array = np.ndarray[Any, np.dtype[Any]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
Float32Array = np.ndarray[Any, np.dtype[np.float32]]
Int32Array = np.ndarray[Any, np.dtype[np.int32]]
Int8Array = np.ndarray[Any, np.dtype[np.int8]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batches:
    """Standardised predictors, targets, weights and index tables of one fold.

    ``cell`` stands for the mapped cells in row order plus one row of padding (the last).

    Attributes:
        pixels: (cell, f, f, band) static fine predictors.
        static: (cell, band) predictors of a cell that do not change.
        changing: (epoch, cell, band) predictors that change, past records included.
        area_density: (epoch, cell) target [percent of the cell]; 0 where not observed.
        presence: (epoch, cell) 1 where the density exceeds `presence_above`, else 0.
        weight: (epoch, cell) 1 where observed, else 0.
        observation: (epoch, cell) probability that a landslide is recorded, 1 where not observed;
            None where the detection error is not known (every landslide is recorded).
        false_alarms: (epoch, cell) expected false alarms, 0 where not observed; None likewise.
        role: (epoch, cell) role in the fold (`stats.resampling.folds`), 0 in the padding.
        cell_flat: (mapped cell,) flat index ``row * columns + column`` on the grid.
        patch_cells: (patch, n, n) row numbers into ``cell``; padding has the last one.
        patch_lattice: (patch,) 0 for the first lattice, 1 for the shifted one.
        patch_corner: (patch, 2) row and column of the first cell, negative over the edge.
        epoch_days: (epoch,) lengths [days].
        shape: (rows, columns) of the grid of cells.
        pixel_names: names of the bands of `pixels`; a class column is called ``name=code``.
        static_names: names of the bands of `static`.
        changing_names: names of the bands of `changing`.
        epoch_names: (epoch,) names.
        standardisation: how each band was scaled, in which unit it was, and on which cells.
        past_windows: windows of the past records; None where there are none.
        past_per_year: True where densities of the past records are percent per year.
        presence_above: threshold of `presence` [percent].
        notes: plain text by key (study, design, fold, synthetic, absent predictors, ...).
    """

    pixels: Float32Array
    static: Float32Array
    changing: Float32Array
    area_density: Float32Array
    presence: Float32Array
    weight: Float32Array
    role: Int8Array
    cell_flat: Int32Array
    patch_cells: Int32Array
    patch_lattice: Int8Array
    patch_corner: Int32Array
    epoch_days: Float32Array
    shape: tuple[int, int]
    pixel_names: tuple[str, ...]
    static_names: tuple[str, ...]
    changing_names: tuple[str, ...]
    epoch_names: tuple[str, ...]
    standardisation: Standardisation
    observation: Float32Array | None = None
    false_alarms: Float32Array | None = None
    past_windows: tuple[int, ...] | None = None
    past_per_year: bool = False
    presence_above: float = 0.0
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def n_cells(self) -> int:
        """Mapped cells, and the row number of the padding."""
        return int(self.cell_flat.size)

    @property
    def detection_error(self) -> tuple[Float32Array, Float32Array] | None:
        """(epoch, cell) probability of being recorded and false alarms; None: not known."""
        if self.observation is None or self.false_alarms is None:
            return None
        return self.observation, self.false_alarms

    @property
    def cells_per_side(self) -> int:
        """Cells along one side of a patch, n."""
        return int(self.patch_cells.shape[-1])

    @property
    def pixels_per_cell(self) -> int:
        """Pixels along one side of a cell, f."""
        return int(self.pixels.shape[1])

    @property
    def row_of_cell(self) -> Int32Array:
        """(y, x) row number of every cell of the grid; unmapped cells have that of the padding."""
        rows = np.full(self.shape[0] * self.shape[1], self.n_cells, dtype=np.int32)
        rows[self.cell_flat] = np.arange(self.n_cells, dtype=np.int32)
        return rows.reshape(self.shape)

    def arrays(self) -> dict[str, Array]:
        """The arrays by name, for a device or a file; names, units and notes left out."""
        found = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: value for name, value in found if isinstance(value, np.ndarray)}

    def to_grid(self, values: Array, *, fill: float = np.nan) -> Array:
        """(..., cell) values, with or without the row of padding, as (..., y, x)."""
        found = np.asarray(values)[..., : self.n_cells]
        out = np.full((*found.shape[:-1], self.shape[0] * self.shape[1]), fill, dtype=found.dtype)
        out[..., self.cell_flat] = found
        return out.reshape(*found.shape[:-1], *self.shape)

    def from_grid(self, values: Array) -> Array:
        """(..., y, x) values of the mapped cells as (..., cell), the padding 0."""
        found = np.asarray(values)
        flat = found.reshape(*found.shape[:-2], -1)[..., self.cell_flat]
        return with_padding(flat, axis=-1)


def build_batches(
    predictors: Sequence[Predictor],
    area_density: Array,
    observed: BoolArray,
    mask: BoolArray,
    role: Int8Array,
    index: PatchIndex,
    *,
    epoch_days: Sequence[float],
    observation: tuple[Array, Array] | None = None,
    epoch_names: Sequence[str] | None = None,
    past_windows: Sequence[int] | None = DEFAULT_WINDOWS,
    past_per_year: bool = False,
    presence_above: float = 0.0,
    standardisation: Standardisation | None = None,
    rows_per_block: int = 16,
    notes: dict[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Batches:
    """Standardise and lay out one fold.

    Args:
        predictors: layers of the cube; past records are added here, so that no held-out target
            reaches a training input (`hazard.cube.past.past_records_by_role`).
        area_density: (epoch, y, x) percent of the cell.
        observed: (epoch, y, x) True where the cell was looked at.
        mask: (y, x) study mask.
        role: (epoch, y, x) roles of one fold.
        index: patches on `mask`.
        epoch_days: (epoch,) lengths [days].
        observation: (epoch, y, x) probability that a landslide is recorded, and expected false
            alarms; None where every landslide is recorded and nothing else.
        epoch_names: (epoch,) names.
        past_windows: windows of the past records; None leaves them out.
        past_per_year: past densities per year instead of per epoch.
        presence_above: density [percent] above which there is a landslide.
        standardisation: an earlier one (a stored model's); None fits it on the training role.
        rows_per_block: rows of cells read at once.
        notes: plain text kept with the arrays.
        progress: called with 1 exactly twice per predictor given, after it is fitted (or not, with
            a `standardisation`) and after it is read; past records take no time worth showing.

    Raises:
        DataError: a predictor with a value that is not finite in a mapped cell, of the wrong
            shape, or unknown to a given standardisation; a density outside 0 to 100 percent.
        ValueError: arrays that do not lie on one grid.
    """
    _check_shapes(area_density, observed, mask, role, index, epoch_days)
    seen = observed & mask
    density = np.where(seen, area_density, 0.0)
    check_finite(density, "area_density", "observed cells")
    if density.min() < 0 or density.max() > 100 + 1e-3:
        raise DataError(
            "area_density", found=f"{density.min():g} to {density.max():g}", expected="0 to 100 %"
        )
    roles = np.where(seen, role, UNUSED).astype(np.int8)
    every = list(predictors)
    if past_windows is not None:
        past = past_records_by_role(
            density, seen, roles, windows=past_windows, presence_above=presence_above,
            epoch_days=epoch_days if past_per_year else None,
        )  # fmt: skip
        every.extend(past.predictors())
    fitted, read = (_first_calls(progress, len(predictors)) for _ in range(2))
    scaled = standardisation or fit_standardisation(
        every, roles == TRAIN, rows_per_block=rows_per_block, progress=fitted
    )
    if standardisation is not None:
        for _ in predictors:
            fitted(1)
    known = {s.name for s in scaled.scalings} | {c.name for c in scaled.classes}
    unknown = [p.name for p in every if p.name not in known and p.name not in scaled.constant]
    absent = sorted(known - {p.name for p in every})
    if unknown or absent:
        raise DataError(
            "standardisation",
            found=f"predictors {', '.join(unknown) or 'none'} unknown to it, "
            f"{', '.join(absent) or 'none'} not given",
            expected="the predictors it was fitted on",
        )
    cell_flat = np.flatnonzero(mask).astype(np.int32)
    names, columns = _columns(every, scaled, mask, role.shape[0], rows_per_block, read)

    def per_cell(values: Array, dtype: Any) -> Array:
        return with_padding(values.reshape(values.shape[0], -1)[:, cell_flat].astype(dtype), axis=1)

    recorded: dict[str, Float32Array] = {}
    if observation is not None:
        for name, layer, harmless in zip(
            ("observation", "false_alarms"), observation, (1.0, 0.0), strict=True
        ):
            values = np.where(seen, layer, harmless)
            check_finite(values, name, "observed cells")
            recorded[name] = per_cell(values, np.float32)
    rows = np.full(mask.size + 1, cell_flat.size, dtype=np.int32)
    rows[cell_flat] = np.arange(cell_flat.size, dtype=np.int32)
    return Batches(
        **columns,
        area_density=per_cell(density, np.float32),
        presence=per_cell(density > presence_above, np.float32),
        weight=per_cell(seen, np.float32),
        **recorded,
        role=per_cell(roles, np.int8),
        cell_flat=cell_flat,
        patch_cells=rows[np.where(index.cell == PADDING, mask.size, index.cell)],
        patch_lattice=index.lattice.copy(),
        patch_corner=np.stack([index.row0, index.col0], axis=1).astype(np.int32),
        epoch_days=np.asarray(epoch_days, dtype=np.float32),
        shape=(int(mask.shape[0]), int(mask.shape[1])),
        pixel_names=names["pixels"],
        static_names=names["static"],
        changing_names=names["changing"],
        epoch_names=tuple(epoch_names or (f"epoch {e}" for e in range(role.shape[0]))),
        standardisation=scaled,
        past_windows=None if past_windows is None else tuple(past_windows),
        past_per_year=past_per_year,
        presence_above=presence_above,
        notes=dict(notes or {}),
    )  # fmt: skip


def with_padding(values: Array, *, axis: int) -> Array:
    """One more entry along `axis`, all zeros.

    Example:
        >>> with_padding(np.array([3, 4]), axis=0)
        array([3, 4, 0])
    """
    width = [(0, 0)] * values.ndim
    width[axis] = (0, 1)
    return np.ascontiguousarray(np.pad(values, width))


def add_notes(batches: Batches, notes: dict[str, str]) -> Batches:
    """The same arrays with more notes."""
    return replace(batches, notes={**batches.notes, **notes})


def _first_calls(progress: Callable[[int], None] | None, n: int) -> Callable[[int], None]:
    """`progress` for the first `n` calls, nothing after: the predictors given come first."""
    left = iter(range(n))

    def tell(count: int) -> None:
        if progress is not None and next(left, None) is not None:
            progress(count)

    return tell


def _place(predictor: Predictor) -> str:
    if predictor.support == "pixel":
        if predictor.per_epoch:
            raise DataError(
                predictor.name, found="pixels that change with the epoch", expected="static pixels"
            )
        return "pixels"
    changes = predictor.per_epoch or predictor.support == "epoch"
    return "changing" if changes else "static"


def _columns(
    predictors: Sequence[Predictor],
    scaled: Standardisation,
    mask: BoolArray,
    n_epochs: int,
    rows_per_block: int,
    progress: Callable[[int], None],
) -> tuple[dict[str, tuple[str, ...]], dict[str, Float32Array]]:
    """Names and standardised arrays of the three places, padded."""
    classes = {c.name: c for c in scaled.classes}
    used = [p for p in predictors if p.name not in scaled.constant]
    factors = {p.factor for p in used if p.support == "pixel"}
    if len(factors) > 1:
        raise DataError("pixels", found=f"factors {sorted(factors)}", expected="one lattice")
    f = factors.pop() if factors else 1
    names: dict[str, list[str]] = {"pixels": [], "static": [], "changing": []}
    start: dict[str, int] = {}
    for p in used:
        columns = names[_place(p)]
        start[p.name] = len(columns)
        codes = classes[p.name].codes if p.is_class else None
        columns.extend([p.name] if codes is None else [f"{p.name}={code}" for code in codes])
    n_rows = int(mask.sum()) + 1
    out: dict[str, Float32Array] = {
        "pixels": np.zeros((n_rows, f, f, len(names["pixels"])), dtype=np.float32),
        "static": np.zeros((n_rows, len(names["static"])), dtype=np.float32),
        "changing": np.zeros((n_epochs, n_rows, len(names["changing"])), dtype=np.float32),
    }
    first_row = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
    for p in predictors:
        progress(1)
        if p.name in scaled.constant:
            continue
        place = _place(p)
        for top in range(0, mask.shape[0], rows_per_block):
            rows = slice(top, min(top + rows_per_block, mask.shape[0]))
            inside = mask[rows]
            if not inside.any():
                continue
            values = _of_mapped_cells(p, rows, inside, mask.shape, f)
            if place == "changing" and values.shape[0] != n_epochs:
                raise DataError(p.name, found=f"{values.shape[0]} epochs", expected=f"{n_epochs}")
            check_finite(values, p.name, "mapped cells")
            if p.is_class:
                block = one_hot(values, classes[p.name])
            else:
                block = apply_scaling(values, scaled.scaling(p.name))[..., None]
                if p.known is not None:
                    block = np.where(p.known[..., rows, :][..., inside][..., None], block, 0)
            to = slice(int(first_row[rows.start]), int(first_row[rows.stop]))
            at = slice(start[p.name], start[p.name] + block.shape[-1])
            if place == "pixels":
                out[place][to, :, :, at] = block
            else:
                out[place][..., to, at] = block
    return {place: tuple(columns) for place, columns in names.items()}, out


def _of_mapped_cells(
    predictor: Predictor, rows: slice, inside: BoolArray, shape: tuple[int, ...], f: int
) -> Array:
    """Values of the mapped cells in some rows: (cell, f, f), (cell,) or (epoch, cell)."""
    values = read_rows(predictor, rows, (shape[0], shape[1]))
    if predictor.support == "pixel":
        tiles = cell_pixels(values[None], (inside.shape[0], inside.shape[1]), f)
        return tiles[inside.ravel(), :, :, 0]
    return values[..., inside]


def _check_shapes(
    area_density: Array,
    observed: Array,
    mask: Array,
    role: Array,
    index: PatchIndex,
    epoch_days: Sequence[float],
) -> None:
    wrong = [
        f"{name} {np.shape(array)}"
        for name, array in (("area_density", area_density), ("observed", observed), ("role", role))
        if np.ndim(array) != 3 or np.shape(array)[1:] != mask.shape
    ]
    if np.shape(area_density) != np.shape(observed) or np.shape(role) != np.shape(observed):
        wrong.append("different numbers of epochs")
    if len(epoch_days) != np.shape(observed)[0]:
        wrong.append(f"{len(epoch_days)} epoch_days")
    if index.shape != mask.shape:
        wrong.append(f"patches on a grid of {index.shape}")
    elif not np.array_equal(np.unique(index.cell[index.present]), np.flatnonzero(mask)):
        wrong.append("patches on another mask")
    if wrong:
        raise ValueError(f"{'; '.join(wrong)}; use one grid {mask.shape} and the same epochs")
