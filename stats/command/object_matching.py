"""Match the outlines of a predicted inventory with those of a reference one.

Candidate pairs come from a spatial index, their shared areas from one vectorised intersection; the
grouping itself is `stats.sizes.matching`. Areas of a group are areas of unions, so that outlines
that overlap within one inventory count once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely

from stats.case_arrays import FloatArray
from stats.command.errors import DataError
from stats.command.inventory_record import InventoryTable
from stats.command.polygon_repair import repair_polygons
from stats.command.vector_crs import is_metric
from stats.sizes.matching import KINDS, LEAST_OVERLAP, Matching, match

Geometries = np.ndarray[Any, np.dtype[np.object_]]
Progress = Callable[[int], None]
CHUNK = 5_000


@dataclass(frozen=True, kw_only=True)
class ObjectMatching:
    """Groups of landslides of two inventories, with areas on the ground.

    Attributes:
        matching: groups, kinds, pairs.
        predicted_m2: (n,) areas of the predicted outlines.
        reference_m2: (m,) areas of the reference outlines, in the same coordinate system.
        group_predicted_m2: (group,) area of the union of the predicted outlines of a group.
        group_reference_m2: (group,) area of the union of its reference outlines.
        group_shared_m2: (group,) area of the intersection of both unions.
        predicted: the table of the predicted inventory.
        reference: the table of the reference inventory, in the coordinate system of the former.
    """

    matching: Matching
    predicted_m2: FloatArray
    reference_m2: FloatArray
    group_predicted_m2: FloatArray
    group_reference_m2: FloatArray
    group_shared_m2: FloatArray
    predicted: pd.DataFrame
    reference: pd.DataFrame


def overlaps(
    predicted: Geometries, reference: Geometries, *, progress: Progress | None = None
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], FloatArray]:
    """Pairs of outlines that share ground, and the area that they share.

    Args:
        predicted: (n,) valid polygons.
        reference: (m,) valid polygons in the same coordinate system.
        progress: called with the number of candidate pairs done.

    Returns:
        (pair, 2) indices and (pair,) areas above 0.

    Example:
        >>> a = np.array([shapely.box(0, 0, 2, 2), shapely.box(9, 9, 10, 10)])
        >>> overlaps(a, np.array([shapely.box(1, 1, 3, 3), shapely.box(2, 0, 3, 1)]))
        (array([[0, 0]]), array([1.]))
    """
    tree = shapely.STRtree(reference)
    left, right = tree.query(predicted, predicate="intersects")
    area = np.empty(left.size, dtype=np.float64)
    for start in range(0, left.size, CHUNK):
        part = slice(start, start + CHUNK)
        area[part] = shapely.area(
            shapely.intersection(predicted[left[part]], reference[right[part]])
        )
        if progress is not None:
            progress(int(area[part].size))
    shared = area > 0.0
    pairs = np.stack([left[shared], right[shared]], axis=1).astype(np.int64)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], area[shared][order]


def match_inventories(
    predicted: InventoryTable,
    reference: InventoryTable,
    *,
    least_overlap: float = LEAST_OVERLAP,
    progress: Progress | None = None,
) -> ObjectMatching:
    """Match two inventories of polygons.

    The reference is brought into the coordinate system of the predicted one; areas are measured
    there, so that outlines and their intersections are in one measure.

    Raises:
        DataError: the coordinate system of the predicted inventory is not in metres, or the two
            inventories lie apart (different places, or a wrong coordinate system).
    """
    if not is_metric(predicted.crs):
        raise DataError(
            predicted.path,
            found=f"coordinate system {predicted.crs.name!r}",
            expected="a projected one in metres, so that shared areas can be measured",
        )
    frame = reference.frame
    if reference.crs != predicted.crs:
        frame = frame.to_crs(predicted.crs)
    ours = np.asarray(predicted.frame.geometry.to_numpy(), dtype=object)
    theirs = np.asarray(frame.geometry.to_numpy(), dtype=object)
    # A valid outline may cross itself once its coordinates are projected anew.
    fixed = repair_polygons(theirs)
    theirs = fixed.geometries
    theirs[~fixed.kept] = shapely.Polygon()
    _check_extents(ours, theirs, predicted, reference)
    return match_outlines(
        ours,
        theirs,
        predicted.frame.drop(columns="geometry"),
        frame.drop(columns="geometry"),
        least_overlap=least_overlap,
        progress=progress,
    )


def match_outlines(
    ours: Geometries,
    theirs: Geometries,
    predicted: pd.DataFrame,
    reference: pd.DataFrame,
    *,
    least_overlap: float = LEAST_OVERLAP,
    progress: Progress | None = None,
) -> ObjectMatching:
    """Match valid outlines in one metric coordinate system; tables are kept beside."""
    pairs, shared = overlaps(ours, theirs, progress=progress)
    areas = shapely.area(ours), shapely.area(theirs)
    groups = match(pairs, shared, *areas, least_overlap=least_overlap)
    group_areas = _group_areas(groups, ours, theirs, *areas)
    return ObjectMatching(
        matching=groups,
        predicted_m2=areas[0],
        reference_m2=areas[1],
        group_predicted_m2=group_areas[0],
        group_reference_m2=group_areas[1],
        group_shared_m2=group_areas[2],
        predicted=_with_places(predicted, ours),
        reference=_with_places(reference, theirs),
    )


def _with_places(table: pd.DataFrame, geometries: Geometries) -> pd.DataFrame:
    """The table with a point inside each outline."""
    points = shapely.get_coordinates(
        shapely.point_on_surface(geometries[~shapely.is_empty(geometries)])
    )
    places = np.full((len(geometries), 2), np.nan)
    places[~shapely.is_empty(geometries)] = points
    return table.assign(x_m=places[:, 0], y_m=places[:, 1])


def _check_extents(
    ours: Geometries, theirs: Geometries, predicted: InventoryTable, reference: InventoryTable
) -> None:
    if not (len(ours) and len(theirs)):
        return
    a, b = shapely.total_bounds(ours), shapely.total_bounds(theirs)
    if a[0] > b[2] or b[0] > a[2] or a[1] > b[3] or b[1] > a[3]:
        raise DataError(
            f"{predicted.path} and {reference.path}",
            found=f"extents that lie apart ({_extent(a)} and {_extent(b)} in {predicted.crs.name})",
            expected="two inventories of the same ground",
        )


def _extent(bounds: FloatArray) -> str:
    return f"x {bounds[0]:.0f} to {bounds[2]:.0f}, y {bounds[1]:.0f} to {bounds[3]:.0f}"


def _group_areas(
    groups: Matching, ours: Geometries, theirs: Geometries, our_m2: FloatArray, their_m2: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Areas of the unions of each group, and of what they share."""
    n = groups.kind.size
    predicted: FloatArray = np.bincount(groups.predicted_group, our_m2, n).astype(np.float64)
    reference: FloatArray = np.bincount(groups.reference_group, their_m2, n).astype(np.float64)
    shared = np.zeros(n)
    pair_group = groups.predicted_group[groups.pairs[:, 0]]
    np.add.at(shared, pair_group, groups.pair_overlap_m2)
    # Sums are right where a side has one outline; elsewhere outlines may overlap each other.
    several = np.flatnonzero((groups.n_predicted > 1) | (groups.n_reference > 1))
    ours_of = _members(groups.predicted_group, several)
    theirs_of = _members(groups.reference_group, several)
    for group, mine, other in zip(several, ours_of, theirs_of, strict=True):
        left, right = shapely.union_all(ours[mine]), shapely.union_all(theirs[other])
        predicted[group], reference[group] = shapely.area(left), shapely.area(right)
        if mine.size and other.size:
            shared[group] = shapely.area(shapely.intersection(left, right))
    return predicted, reference, shared


def _members(
    group: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]
) -> list[np.ndarray[Any, Any]]:
    order = np.argsort(group, kind="stable")
    start = np.searchsorted(group[order], wanted, side="left")
    stop = np.searchsorted(group[order], wanted, side="right")
    return [order[a:b] for a, b in zip(start, stop, strict=True)]


def pair_table(result: ObjectMatching) -> pd.DataFrame:
    """One row per pair of outlines that counts.

    Columns: group, kind, predicted_id, reference_id, predicted_m2, reference_m2, shared_m2,
    residual_m2 (predicted less reference), ln_ratio, iou (shared over united area), main (the
    reference that shares most with this predicted landslide).
    """
    groups = result.matching
    left, right = groups.pairs.T
    a, b, shared = result.predicted_m2[left], result.reference_m2[right], groups.pair_overlap_m2
    group = groups.predicted_group[left]
    return pd.DataFrame(
        {
            "group": group,
            "kind": np.asarray(KINDS)[groups.kind[group]],
            "predicted_id": result.predicted["landslide_id"].to_numpy()[left],
            "reference_id": result.reference["landslide_id"].to_numpy()[right],
            "predicted_m2": a,
            "reference_m2": b,
            "shared_m2": shared,
            "residual_m2": a - b,
            "ln_ratio": np.log(a / b),
            "iou": shared / (a + b - shared),
            "main": groups.main_reference[left] == right,
        }
    )


def unmatched_table(result: ObjectMatching, kind: str) -> pd.DataFrame:
    """The missed reference landslides, or the false predicted ones, largest first.

    Columns: landslide_id, area_m2, x_m and y_m (a point inside the outline).
    """
    if kind == "missed":
        table, area, index = result.reference, result.reference_m2, result.matching.missed
    elif kind == "false":
        table, area, index = result.predicted, result.predicted_m2, result.matching.false
    else:
        raise ValueError(f"kind: found {kind!r}; expected 'missed' or 'false'")
    out = pd.DataFrame(
        {
            "landslide_id": table["landslide_id"].to_numpy()[index],
            "area_m2": area[index],
            "x_m": table["x_m"].to_numpy()[index],
            "y_m": table["y_m"].to_numpy()[index],
        }
    )
    return out.sort_values("area_m2", ascending=False, kind="stable", ignore_index=True)
