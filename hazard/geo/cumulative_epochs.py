"""Epoch series from cumulative inventories: what is visible now less what was visible before.

Each inventory shows everything visible on its images, old failures included. The published rule
takes the difference of the areas per cell: an increase is kept as new landslide area, a decrease
is set to zero and here counted as recovery. It loses new failures in a cell where at least as much
recovered at the same time. The geometric rule subtracts the footprints themselves, which keeps the
two apart, but reads every shift between two mappings as new ground on one side and recovery on the
other. Neither sees a failure on ground that was already bare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import geopandas as gpd
import numpy as np
from pyproj import CRS

from hazard.errors import DataError
from hazard.geo.cell_area import Geometries, as_geometries, cell_landslide_area, union_clusters
from hazard.geo.epoch_series import BoolArray, EpochSeries, observed_cells
from hazard.geo.epochs import Epoch, check_epochs
from hazard.geo.footprint_change import footprint_difference
from hazard.geo.grid import FloatArray, Grid
from hazard.geo.inventory import Inventory

DifferenceMethod = Literal["cell_area", "geometry"]
FirstEpochRule = Literal["all_new", "not_observed"]

# Differences of cell areas below this share of the cell are rounding: a footprint that grows is
# split over its cells anew, with relative errors up to 1e-6.
ROUNDING_SHARE = 1e-6
_NEVER = -2
_BASELINE = -1


def grid_polygons(inventory: Any, grid: Grid, source: object) -> Geometries:
    """Polygons of an inventory, after a check that they are in the grid's coordinate system.

    Raises:
        DataError: another coordinate system, or something else than polygons.
    """
    if isinstance(inventory, Inventory):
        crs: Any = inventory.grid.crs
        polygons = inventory.geometries
    else:
        crs = (
            inventory.crs if isinstance(inventory, (gpd.GeoSeries, gpd.GeoDataFrame)) else grid.crs
        )
        polygons = as_geometries(inventory, source)
    if crs is None or not CRS.from_user_input(crs).equals(grid.crs, ignore_axis_order=True):
        name = "none" if crs is None else CRS.from_user_input(crs).name
        raise DataError(
            source, found=f"coordinate system {name!r}", expected=f"the grid's, {grid.crs.name!r}"
        )
    return polygons


class _Change:
    """New and recovered area per cell between two states, by one of the two rules."""

    def __init__(self, method: DifferenceMethod, grid: Grid, minimum_part_m2: float) -> None:
        self.method, self.grid, self.minimum_part_m2 = method, grid, minimum_part_m2
        self.states: dict[int, tuple[Geometries, FloatArray]] = {}
        self.account: dict[str, float] = {
            "n_clusters_merged": 0, "n_union_fallback": 0, "n_difference_fallback": 0,
            "n_slivers": 0, "sliver_area_m2": 0.0,
        }  # fmt: skip

    def add(self, state: int, polygons: Geometries) -> FloatArray:
        union = union_clusters(polygons)
        self.account["n_clusters_merged"] += union.n_merged
        self.account["n_union_fallback"] += union.n_fallback
        area = cell_landslide_area(union.geometries, self.grid, union=False)
        keep = union.geometries if self.method == "geometry" else np.empty(0, dtype=object)
        self.states[state] = (keep, area)
        return area

    def forget(self, in_use: set[int]) -> None:
        self.states = {key: value for key, value in self.states.items() if key in in_use}

    def between(self, before: int, after: int) -> tuple[FloatArray, FloatArray]:
        """(new, recovered) area per cell [m2]."""
        old_polygons, old = self.states[before]
        new_polygons, new = self.states[after]
        if self.method == "cell_area":
            change = new - old
            change[np.abs(change) < ROUNDING_SHARE * self.grid.cell_area_m2] = 0.0
            return np.maximum(change, 0.0), np.maximum(-change, 0.0)
        areas = []
        for polygons, taken in ((new_polygons, old_polygons), (old_polygons, new_polygons)):
            left = footprint_difference(polygons, taken, minimum_part_m2=self.minimum_part_m2)
            self.account["n_difference_fallback"] += left.n_fallback
            self.account["n_slivers"] += left.n_slivers
            self.account["sliver_area_m2"] += left.sliver_area_m2
            areas.append(cell_landslide_area(left.geometries, self.grid, union=False))
        return areas[0], areas[1]


def series_from_cumulative(
    inventories: Sequence[Any],
    epochs: Sequence[Epoch],
    grid: Grid,
    *,
    baseline: Any = None,
    baseline_observed: Any = None,
    observed: Any = None,
    min_observed_share: float = 0.99,
    method: DifferenceMethod = "cell_area",
    first_epoch: FirstEpochRule = "all_new",
    minimum_part_m2: float = 0.0,
) -> EpochSeries:
    """New and recovered landslide area per epoch from inventories of everything visible.

    A cell not observed in an epoch has no density there, and the next epoch that sees it is
    compared with the last one that did; `window_days` then spans the gap.

    Args:
        inventories: per epoch, an `Inventory`, polygons, or None for an epoch never mapped.
        epochs: epochs in order of time.
        grid: grid in metres.
        baseline: inventory from before the first epoch (landslides already there), or None.
        baseline_observed: (y, x) mask or polygons of what the baseline saw; None: everything.
        observed: what each epoch saw: None (everything), (epoch, y, x) bool, or per epoch None,
            a (y, x) mask, or polygons.
        min_observed_share: share of a cell that footprints must cover for it to count as seen.
        method: "cell_area", the difference of areas per cell (as published), or "geometry", the
            area of the difference of footprints.
        first_epoch: what a cell counts when it is seen for the first time and no baseline
            covers it: "all_new", everything visible; or "not_observed", nothing yet.
        minimum_part_m2: for "geometry", cut-off parts smaller than this are mapping noise [m2].

    Raises:
        DataError: numbers of inventories and epochs differ, coordinate systems differ, masks do
            not fit, or epochs overlap.
    """
    epochs = check_epochs(epochs)
    grid.require_metres("landslide areas")
    if method not in ("cell_area", "geometry") or first_epoch not in ("all_new", "not_observed"):
        raise DataError(
            "cumulative epochs",
            found=f"method {method!r}, first_epoch {first_epoch!r}",
            expected="method 'cell_area' or 'geometry', first_epoch 'all_new' or 'not_observed'",
        )
    if len(inventories) != len(epochs):
        raise DataError(
            "inventories", found=f"{len(inventories)}", expected=f"one per epoch ({len(epochs)})"
        )
    seen = observed_cells(observed, grid, len(epochs), min_observed_share=min_observed_share)
    seen[[index for index, item in enumerate(inventories) if item is None]] = False
    change = _Change(method, grid, minimum_part_m2)
    last = np.full(grid.shape, _NEVER)
    last_end = np.full(grid.shape, epochs[0].start.toordinal(), dtype=np.float64)
    if baseline is not None:
        entry = None if baseline_observed is None else [baseline_observed]
        share = min_observed_share
        last[observed_cells(entry, grid, 1, min_observed_share=share)[0]] = _BASELINE
        change.add(_BASELINE, grid_polygons(baseline, grid, "baseline"))

    shape = (len(epochs), *grid.shape)
    new, recovered = np.full(shape, np.nan), np.full(shape, np.nan)
    window = np.empty(shape)
    window[:] = np.array([float(epoch.length_days) for epoch in epochs])[:, None, None]
    known = seen.copy()
    account: dict[str, float] = {
        "n_first_sight": 0, "area_mapped_unobserved_m2": 0.0, "n_bridged": 0,
    }  # fmt: skip
    for t, (epoch, item) in enumerate(zip(epochs, inventories, strict=True)):
        if item is None:
            continue
        visible = change.add(t, grid_polygons(item, grid, f"inventory of epoch {epoch.name!r}"))
        account["area_mapped_unobserved_m2"] += float(visible[~seen[t]].sum())
        for before in np.unique(last[seen[t]]).tolist():
            cells: BoolArray = seen[t] & (last == before)
            if before == _NEVER:
                account["n_first_sight"] += int(cells.sum())
                known[t][cells] = first_epoch == "all_new"
                gained, lost = visible, np.zeros_like(visible)
            else:
                gained, lost = change.between(before, t)
                account["n_bridged"] += int(cells.sum()) if before < t - 1 else 0
            new[t][cells], recovered[t][cells] = gained[cells], lost[cells]
        gap = seen[t] & ((last >= 0) | (t > 0))
        window[t][gap] = epoch.end.toordinal() - last_end[gap]
        last[seen[t]], last_end[seen[t]] = t, epoch.end.toordinal()
        change.forget({int(k) for k in np.unique(last)})
    new[~known], recovered[~known] = np.nan, np.nan

    scale = 100.0 / grid.cell_area_m2
    notes = [
        f"new area is the increase by rule {method!r} between inventories of visible landslides",
    ]
    if account["n_first_sight"]:
        what = "all visible area counts as new" if first_epoch == "all_new" else "not observed"
        notes.append(f"cells seen for the first time without a baseline: {what}")
    return EpochSeries(
        epochs=epochs,
        grid=grid,
        area_density_percent=new * scale,
        observed=known,
        recovered_percent=recovered * scale,
        window_days=window,
        kind="cumulative",
        account=account | change.account,
        notes=tuple(notes),
    )
