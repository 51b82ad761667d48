"""What held-out blocks tell of a detector: each reference landslide and each false alarm once.

Calibration must come from ground that neither trained the network nor chose its threshold: on
training ground recall is that of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hazard.errors import DataError
from stats.case_arrays import BoolArray, FloatArray, IntArray
from stats.resampling.folds_spatial import block_of_cells

if TYPE_CHECKING:
    from stats.command.object_matching import ObjectMatching

SLOPE_EDGES_DEG = (0.0, 10.0, 20.0, 30.0, 40.0, 90.0)


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


def calibrate(
    matched: ObjectMatching,
    *,
    slope_at: Callable[[FloatArray, FloatArray], FloatArray] | None,
    ground: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike],
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
    groups = matched.matching
    if not matched.reference_m2.size:
        raise DataError("calibration", found="no reference landslide", expected="some")
    x, y, km2, slope = (np.asarray(values, dtype=np.float64).ravel() for values in ground)
    ref_xy = matched.reference[["x_m", "y_m"]].to_numpy(np.float64)
    false = groups.false
    false_xy = matched.predicted[["x_m", "y_m"]].to_numpy(np.float64)[false]
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

    group = groups.reference_group
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(matched.group_predicted_m2[group] / matched.group_reference_m2[group])
    outlines = groups.n_predicted[group]
    even = evenness(matched.predicted_m2, groups.predicted_group, groups.kind.size, minimum_m2)
    return Calibration(
        reference_m2=matched.reference_m2,
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
