"""What held-out blocks tell of a detector: each reference landslide and each false alarm once.

Calibration must come from ground that neither trained the network nor chose its threshold: on
training ground recall is that of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hazard.errors import DataError
from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.resampling.folds_spatial import block_of_cells

if TYPE_CHECKING:
    from stats.command.object_matching import ObjectMatching

SLOPE_EDGES_DEG = (0.0, 10.0, 20.0, 30.0, 40.0, 90.0)
SlopeAt = Callable[[FloatArray, FloatArray], FloatArray]
GroundPoints = tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibration:
    """Matched landslides of held-out blocks.

    Attributes:
        reference_m2: (n,) areas of the reference landslides.
        slope_deg: (n,) slope at each; zeros where no terrain is known.
        block: (n,) held-out block of each.
        outlines: (n,) detected outlines in the group of each; 0: missed.
        members: (n,) reference landslides in its group; 1 where it was missed.
        ln_ratio: (n,) ln of detected over reference area of its group; NaN where missed.
        evenness: (n,) how a split landslide is shared out, see `evenness`; NaN where it is not.
        false_m2: (k,) areas of the false alarms.
        false_slope_deg: (k,) slope at each.
        false_block: (k,) block of each.
        ground_km2: (block, class) ground that was looked at, by slope class.
        block_names: (block,) label of each row of `ground_km2`.
        minimum_m2: smallest landslide that either inventory holds [m2].
        with_terrain: False where no slope is known.

    Raises:
        DataError: arrays of different lengths, or blocks without ground.
    """

    reference_m2: FloatArray
    slope_deg: FloatArray
    block: IntArray
    outlines: IntArray
    members: IntArray
    ln_ratio: FloatArray
    evenness: FloatArray
    false_m2: FloatArray
    false_slope_deg: FloatArray
    false_block: IntArray
    ground_km2: FloatArray
    block_names: IntArray
    minimum_m2: float
    with_terrain: bool = True

    def __post_init__(self) -> None:
        sizes = {f.name: np.shape(getattr(self, f.name)) for f in fields(self)}
        n, k = self.reference_m2.size, self.false_m2.size
        wrong = [
            name
            for name, size in (
                *((x, (n,)) for x in ("slope_deg", "block", "outlines", "members", "ln_ratio",
                                      "evenness")),
                *((x, (k,)) for x in ("false_slope_deg", "false_block")),
                ("ground_km2", (len(self.block_names), len(SLOPE_EDGES_DEG) - 1)),
            )
            if sizes[name] != size
        ]  # fmt: skip
        if wrong:
            raise DataError(
                "calibration", found=f"{wrong[0]} of shape {sizes[wrong[0]]}",
                expected=f"{n} reference landslides, {k} false alarms, ground by block and class",
            )  # fmt: skip
        unknown = set(np.r_[self.block, self.false_block].tolist()) - set(self.block_names.tolist())
        if unknown:
            raise DataError(
                "calibration", found=f"block {min(unknown)} without ground",
                expected="the ground of every block, [km2] by slope class",
            )  # fmt: skip

    @property
    def found(self) -> BoolArray:
        """(n,) reference landslides that were found."""
        return self.outlines > 0

    def rows_of(self, block: IntArray) -> IntArray:
        """Rows of `ground_km2` of blocks that are given by their labels."""
        order = np.argsort(self.block_names)
        return np.asarray(order[np.searchsorted(self.block_names, block, sorter=order)])

    @property
    def false_counts(self) -> FloatArray:
        """(block, class) false alarms by slope class."""
        counts = np.zeros(self.ground_km2.shape)
        rows = self.rows_of(self.false_block)
        np.add.at(counts, (rows, slope_class(self.false_slope_deg)), 1.0)
        return counts


def calibrate(
    matched: ObjectMatching,
    *,
    slope_at: SlopeAt | None,
    ground: GroundPoints,
    block_m: float,
    minimum_m2: float,
    origin: tuple[float, float] = (0.0, 0.0),
) -> Calibration:
    """Calibration from two matched inventories of held-out ground.

    Args:
        matched: detected and reference landslides of the held-out blocks, in metres.
        slope_at: slope [deg] at (x_m, y_m); None: no terrain.
        ground: (x_m, y_m, km2, slope_deg) of cells or pixels that both inventories looked at.
        block_m: side of the blocks that are resampled [m].
        minimum_m2: minimum mapping area of both [m2].
        origin: a corner of the lattice of blocks.

    Raises:
        DataError: no reference landslide, or landslides on ground that nobody looked at.
    """
    if not matched.reference_m2.size:
        raise DataError("calibration", found="no reference landslide", expected="some")
    return _calibrated(
        matched, None, slope_at=slope_at, ground=ground, block_m=block_m, minimum_m2=minimum_m2,
        origin=origin,
    )  # fmt: skip


def calibrate_epochs(
    matched: Sequence[ObjectMatching],
    *,
    slope_at: SlopeAt | None,
    grounds: Sequence[GroundPoints],
    inside: Sequence[Callable[[FloatArray, FloatArray], BoolArray]],
    block_m: float,
    minimum_m2: float,
    origin: tuple[float, float] = (0.0, 0.0),
) -> tuple[Calibration, ...]:
    """Calibrations of several epochs of the same ground; a block has one label in all of them.

    Args:
        matched: of each epoch.
        slope_at: as in `calibrate`.
        grounds: of each epoch; the same points each time, with 0 km2 where an epoch did not look.
        inside: of each epoch, whether a landslide at (x_m, y_m) counts: it lies on such ground.
            What lies elsewhere still tells whether its partners were found.
        block_m: as in `calibrate`.
        minimum_m2: likewise.
        origin: likewise.
    """
    return tuple(
        _calibrated(
            one, counts, slope_at=slope_at, ground=ground, block_m=block_m,
            minimum_m2=minimum_m2, origin=origin,
        )
        for one, ground, counts in zip(matched, grounds, inside, strict=True)
    )  # fmt: skip


def pooled(parts: Sequence[Calibration]) -> Calibration:
    """All epochs of `calibrate_epochs` together.

    Raises:
        DataError: no reference landslide in any epoch.
    """
    if not any(part.reference_m2.size for part in parts):
        raise DataError("calibration", found="no reference landslide", expected="some")
    first = parts[0]
    if any(not np.array_equal(part.block_names, first.block_names) for part in parts):
        raise ValueError("found other blocks in some epochs; expected the same ground in all")
    joined: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Calibration)
        if field.name not in ("ground_km2", "block_names", "minimum_m2", "with_terrain")
    }
    return replace(first, **joined, ground_km2=np.sum([part.ground_km2 for part in parts], axis=0))


def _calibrated(
    matched: ObjectMatching,
    inside: Callable[[FloatArray, FloatArray], BoolArray] | None,
    *,
    slope_at: SlopeAt | None,
    ground: GroundPoints,
    block_m: float,
    minimum_m2: float,
    origin: tuple[float, float],
) -> Calibration:
    groups = matched.matching
    x, y, km2, slope = (np.asarray(values, dtype=np.float64).ravel() for values in ground)
    ref_xy = matched.reference[["x_m", "y_m"]].to_numpy(np.float64)
    false_xy = matched.predicted[["x_m", "y_m"]].to_numpy(np.float64)
    counted, false = np.arange(len(ref_xy)), groups.false
    if inside is not None:
        counted = np.flatnonzero(inside(*ref_xy.T))
        false = false[inside(*false_xy[false].T)]
    ref_xy, false_xy = ref_xy[counted], false_xy[false]
    every = np.concatenate([np.stack([x, y], axis=1), ref_xy, false_xy])
    labels = block_of_cells(every[:, 0], every[:, 1], block_m=block_m, origin=origin)
    of_ground, of_ref, of_false = np.split(labels, [x.size, x.size + len(ref_xy)])
    names = np.unique(of_ground)
    table = np.zeros((names.size, len(SLOPE_EDGES_DEG) - 1))
    np.add.at(table, (np.searchsorted(names, of_ground), slope_class(slope)), km2)

    def sloped(points: FloatArray) -> FloatArray:
        if slope_at is None:
            return np.zeros(len(points))
        return np.asarray(slope_at(points[:, 0], points[:, 1]), dtype=np.float64)

    group = groups.reference_group[counted]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(matched.group_predicted_m2[group] / matched.group_reference_m2[group])
    outlines = groups.n_predicted[group]
    even = evenness(matched.predicted_m2, groups.predicted_group, groups.kind.size, minimum_m2)
    return Calibration(
        reference_m2=matched.reference_m2[counted],
        slope_deg=sloped(ref_xy),
        block=of_ref,
        outlines=outlines,
        members=np.where(outlines > 0, groups.n_reference[group], 1),
        ln_ratio=np.where(outlines > 0, ratio, np.nan),
        evenness=np.where(groups.n_reference == 1, even, np.nan)[group],
        false_m2=matched.predicted_m2[false],
        false_slope_deg=sloped(false_xy),
        false_block=of_false,
        ground_km2=table,
        block_names=names,
        minimum_m2=minimum_m2,
        with_terrain=slope_at is not None,
    )


def of_blocks(calibration: Calibration, blocks: ArrayLike) -> Calibration:
    """The part of a calibration that lies in some blocks.

    Args:
        calibration: of all blocks.
        blocks: (k,) labels, of `block_names`.
    """
    c, chosen = calibration, np.asarray(blocks)
    kept, false = np.isin(c.block, chosen), np.isin(c.false_block, chosen)
    row = np.isin(c.block_names, chosen)
    changes: dict[str, Any] = {
        name: getattr(c, name)[kept]
        for name in (
            "reference_m2",
            "slope_deg",
            "block",
            "outlines",
            "members",
            "ln_ratio",
            "evenness",
        )
    } | {name: getattr(c, name)[false] for name in ("false_m2", "false_slope_deg", "false_block")}
    return replace(c, **changes, ground_km2=c.ground_km2[row], block_names=c.block_names[row])


def evenness(
    outline_m2: FloatArray, group: IntArray, n_groups: int, minimum_m2: float
) -> FloatArray:
    """(group,) sum of squared shares of the area above the minimum of each outline.

    Outlines below the minimum were never recorded, so that shares of the whole would look more even
    than what breaks apart is; shares of the excess do not. 1/k for k equal outlines, 1 where one
    holds all of the excess; NaN for groups of one outline.

    Args:
        outline_m2: (n,) detected areas.
        group: (n,) group of each.
        n_groups: number of groups.
        minimum_m2: smallest outline recorded [m2].

    Example:
        >>> evenness(np.array([300.0, 300.0, 900.0]), np.array([0, 0, 1]), 2, 200.0)
        array([0.5, nan])
    """
    excess = np.maximum(outline_m2 - minimum_m2, 0.0)
    total = np.bincount(group, excess, n_groups)
    squares = np.bincount(group, excess**2, n_groups)
    several = (np.bincount(group, minlength=n_groups) > 1) & (total > 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(several, squares / total**2, np.nan)


def slope_class(slope_deg: Any) -> IntArray:
    """Index of the class of `SLOPE_EDGES_DEG`.

    Example:
        >>> slope_class([0.0, 10.0, 55.0]).tolist()
        [0, 1, 4]
    """
    return np.asarray(
        np.clip(np.searchsorted(SLOPE_EDGES_DEG, slope_deg, side="right") - 1, 0,
                len(SLOPE_EDGES_DEG) - 2), dtype=np.int64,
    )  # fmt: skip
