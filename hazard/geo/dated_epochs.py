"""Epoch series from dated polygons, whose dates are often known to an interval only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from hazard.errors import DataError
from hazard.geo.cell_area import CountRule, IntArray, cell_landslide_area, cell_landslide_count
from hazard.geo.cumulative_epochs import grid_polygons
from hazard.geo.epoch_series import EpochSeries, observed_cells
from hazard.geo.epochs import Epoch, check_epochs, epoch_of
from hazard.geo.grid import Grid
from hazard.geo.inventory import Inventory

StraddleRule = Literal["observation", "largest_overlap", "drop"]

UNASSIGNED = -1


def _overlap_days(first: dt.date, last: dt.date, epoch: Epoch) -> int:
    return max(0, (min(last, epoch.last_day) - max(first, epoch.start)).days + 1)


def assign_epochs(
    date_start: Any,
    date_end: Any,
    epochs: Sequence[Epoch],
    *,
    rule: StraddleRule = "observation",
) -> tuple[IntArray, dict[str, float]]:
    """Epoch of each landslide from its closed interval of possible days.

    An interval inside one epoch needs no rule. One that reaches over a bound of an epoch does:
    "observation" takes the epoch of its last day, when it was certainly there to be seen;
    "largest_overlap" the epoch that holds most of its days (ties: the earlier); "drop" none.

    Args:
        date_start: (n,) first possible days; NaT unknown.
        date_end: (n,) last possible days; NaT unknown.
        epochs: epochs in order of time.
        rule: what to do with intervals that reach over a bound.

    Returns:
        (n,) index of the epoch, -1 where there is none, and counts: n_assigned, n_straddling,
        n_undated, n_before, n_after, n_in_gap, n_dropped_straddling.

    Example:
        >>> year = [Epoch(name=str(y), start=dt.date(y, 6, 1), end=dt.date(y + 1, 6, 1))
        ...         for y in (2005, 2006)]
        >>> index, counts = assign_epochs(["2006-01-01"], ["2006-12-31"], year)
        >>> index.tolist(), counts["n_straddling"]
        ([1], 1)
    """
    if rule not in ("observation", "largest_overlap", "drop"):
        raise DataError(
            "dated epochs",
            found=f"rule {rule!r}",
            expected="'observation', 'largest_overlap' or 'drop'",
        )
    starts = np.asarray(date_start, dtype="datetime64[D]")
    ends = np.asarray(date_end, dtype="datetime64[D]")
    counts: dict[str, float] = dict.fromkeys(
        ("n_assigned", "n_straddling", "n_undated", "n_before", "n_after", "n_in_gap",
         "n_dropped_straddling"), 0,
    )  # fmt: skip
    # Few distinct intervals, many landslides: each interval is settled once.
    pairs = np.stack([starts.astype(np.int64), ends.astype(np.int64)], axis=-1).reshape(-1, 2)
    distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
    sizes = np.bincount(inverse, minlength=len(distinct))
    chosen = np.full(len(distinct), UNASSIGNED, dtype=np.int64)
    unknown = np.datetime64("NaT", "D").astype(np.int64)
    for k, (first_day, last_day) in enumerate(distinct.tolist()):
        size = int(sizes[k])
        if unknown in (first_day, last_day):
            counts["n_undated"] += size
            continue
        first, last = (dt.date(1970, 1, 1) + dt.timedelta(days=d) for d in (first_day, last_day))
        days = [_overlap_days(first, last, epoch) for epoch in epochs]
        straddles = sum(days) > 0 and max(days) < (last - first).days + 1
        counts["n_straddling"] += size if straddles else 0
        if not straddles or rule == "observation":
            index = epoch_of(last, epochs)
        elif rule == "largest_overlap":
            index = int(np.argmax(days))
        else:
            counts["n_dropped_straddling"] += size
            continue
        if index is not None:
            chosen[k] = index
            counts["n_assigned"] += size
        elif last < epochs[0].start:
            counts["n_before"] += size
        elif last >= epochs[-1].end:
            counts["n_after"] += size
        else:
            counts["n_in_gap"] += size
    return chosen[inverse], counts


def series_from_dated(
    inventory: Inventory,
    epochs: Sequence[Epoch],
    grid: Grid,
    *,
    rule: StraddleRule = "observation",
    observed: Any = None,
    min_observed_share: float = 0.99,
    count_by: CountRule = "representative_point",
) -> EpochSeries:
    """Landslide area and number per epoch from polygons with dates.

    Polygons of one epoch that overlap are dissolved; ground that failed in an earlier epoch
    counts again. Where the date is that of the image, as in most inventories, a landslide belongs
    to the epoch in which it was first seen: one of October 2005 first seen in 2006 counts in 2006.

    Args:
        inventory: inventory with date_start and date_end, on the grid's coordinate system.
        epochs: epochs in order of time.
        grid: grid in metres.
        rule: see `assign_epochs`.
        observed: as for `series_from_cumulative`.
        min_observed_share: likewise.
        count_by: see `cell_landslide_count`.

    Raises:
        DataError: no landslide falls into any epoch, coordinate systems differ, or epochs overlap.
    """
    epochs = check_epochs(epochs)
    grid.require_metres("landslide areas")
    frame = inventory.table.frame
    polygons = grid_polygons(inventory, grid, inventory.table.path)
    index, counts = assign_epochs(
        frame["date_start"].to_numpy(), frame["date_end"].to_numpy(), epochs, rule=rule
    )
    if len(index) and not counts["n_assigned"]:
        found = ", ".join(f"{name[2:]} {int(n)}" for name, n in counts.items() if n)
        raise DataError(
            inventory.table.path,
            found=f"no landslide within the epochs ({found})",
            expected=f"dates from {epochs[0].start} to {epochs[-1].last_day}; are they mapped?",
        )
    seen = observed_cells(observed, grid, len(epochs), min_observed_share=min_observed_share)
    area = np.empty((len(epochs), *grid.shape))
    number = np.empty(area.shape, dtype=np.int64)
    for t in range(len(epochs)):
        members = polygons[index == t]
        area[t] = cell_landslide_area(members, grid)
        number[t] = cell_landslide_count(members, grid, by=count_by)
    counts["area_mapped_unobserved_m2"] = float(area[~seen].sum())
    counts["n_mapped_unobserved"] = int(number[~seen].sum())
    kinds = frame["date_kind"][index != UNASSIGNED]
    censored = int((~kinds.isin(["day", "unknown"])).sum())
    counts["n_interval_censored"] = censored
    notes = [f"intervals that reach over the bound of an epoch: rule {rule!r}"]
    if censored:
        notes.append(
            f"interval-censored: {censored} of {len(kinds)} landslides are dated to an interval "
            f"({', '.join(f'{kind} {n}' for kind, n in kinds.value_counts().items())})"
        )
    if observed is None:
        notes.append("no footprint of the survey given: every cell counts as observed")
    return EpochSeries(
        epochs=epochs,
        grid=grid,
        area_density_percent=np.where(seen, area * (100.0 / grid.cell_area_m2), np.nan),
        observed=seen,
        counts=np.where(seen, number, 0),
        kind="dated",
        interval_censored=censored > 0,
        account=counts,
        notes=tuple(notes),
    )
