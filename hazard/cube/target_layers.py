"""Landslides of a study as layers: area density per epoch, and what was observed.

Three kinds of source end in one `EpochSeries`: a ready raster of densities, cumulative inventories
(differenced), or one inventory of dated polygons. Outlines are kept aside, where there are any, so
that the summary can compare the terrain inside landslides with that outside.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hazard.config.schema import HazardConfig
from hazard.config.sources import ColumnsConfig, CumulativeTarget, DatedTarget, DensityRasterTarget
from hazard.config.study import StudyConfig
from hazard.cube.layout import CubeEpoch
from hazard.cube.zip_paths import split_member
from hazard.geo.epoch_series import EpochSeries
from hazard.geo.epochs import Epoch, with_monsoons
from hazard.geo.grid import Grid
from hazard.geo.inventory import Inventory, read_inventory
from hazard.geo.provenance import LayerSource

Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetLayers:
    """What the landslides of a study come to on its grid.

    Attributes:
        series: densities per epoch, NaN where not observed.
        outlines: polygons in the grid's coordinate system, all epochs together; None for a raster.
        sources: provenance of area_density.
        account: counts and areas of what was repaired, dropped, outside or not assigned.
    """

    series: EpochSeries
    outlines: Any
    sources: tuple[LayerSource, ...]
    account: Mapping[str, Any] = field(default_factory=dict)


def geo_epochs(study: StudyConfig) -> tuple[Epoch, ...]:
    """The epochs of a configuration with half-open ends and the monsoons counted.

    The configuration's ``end`` is the last day of an epoch; `hazard.geo` ends on the day after.
    """
    epochs = [
        Epoch(
            name=epoch.name,
            start=epoch.start,
            end=epoch.end + dt.timedelta(days=1),
            image_start=epoch.image_start,
            image_end=epoch.image_end,
            season=epoch.season,
            monsoons=epoch.monsoons,
        )
        for epoch in study.epochs
    ]
    return with_monsoons(study.event.date, epochs)


def cube_epochs(study: StudyConfig) -> tuple[CubeEpoch, ...]:
    """The epochs as a cube records them, ends inclusive."""
    return tuple(
        CubeEpoch(
            name=epoch.name,
            start=epoch.start,
            end=epoch.last_day,
            season=epoch.season or "other",
            length_days=epoch.length_days,
            image_start=epoch.image_start,
            image_end=epoch.image_end,
            dates=study.epoch_dates,
            monsoons=int(epoch.monsoons or 0),
        )
        for epoch in geo_epochs(study)
    )


def read_target(
    config: HazardConfig, grid: Grid, *, progress: Progress | None = None
) -> TargetLayers:
    """Read the target of a complete configuration onto its grid.

    Args:
        config: configuration with study and target.
        grid: cell grid of the study.
        progress: called with 1 after each file.

    Raises:
        DataError: a file cannot be used, or does not fit the epochs or the grid.
    """
    study, target = config.study, config.target
    if study is None or target is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    epochs = geo_epochs(study)
    if target.kind == "density_raster":
        result = _from_raster(target, epochs, grid)
        if progress is not None:
            progress(1)
        return result
    if target.kind == "cumulative":
        return _from_cumulative(target, epochs, grid, progress)
    result = _from_dated(target, epochs, grid)
    if progress is not None:
        progress(1)
    return result


def _from_raster(target: DensityRasterTarget, epochs: Sequence[Epoch], grid: Grid) -> TargetLayers:
    from hazard.geo.provenance import file_sha256
    from hazard.geo.raster import read_info
    from hazard.geo.raster_epochs import series_from_raster

    info = read_info(target.file)
    whole = info.grid.same_as(grid)
    series = series_from_raster(target.file, epochs, None if whole else grid, bands=target.bands)
    # A cropped grid lies on the file's own lattice: its cells are copied, not averaged.
    notes = series.notes if whole else ("density as in the file, cropped to the extent",)
    if target.bands is not None:
        notes += (f"bands {', '.join(map(str, target.bands))} of {info.count}",)
    source = LayerSource(
        file=str(target.file),
        sha256=file_sha256(target.file),
        crs=crs_name(info.grid.crs),
        resampling="none",
        unit="percent",
        source="raster of landslide area density",
        notes=notes,
    )
    return TargetLayers(
        series=replace(series, notes=notes),
        outlines=None,
        sources=(source,),
        account=dict(series.account),
    )


def _from_cumulative(
    target: CumulativeTarget,
    epochs: Sequence[Epoch],
    grid: Grid,
    progress: Progress | None,
) -> TargetLayers:
    from hazard.geo.cumulative_epochs import series_from_cumulative

    options = {"columns": column_map(target.columns), "minimum_area_m2": target.minimum_area_m2}
    # A survey that found nothing is a result, not a broken file; an epoch without one is None.
    inventories: list[Inventory | None] = []
    for path in target.files:
        inventories.append(
            None if path is None else read_layer(path, grid, allow_empty=True, **options)
        )
        if progress is not None:
            progress(1)
    baseline = None if target.baseline is None else read_layer(target.baseline, grid, **options)
    observed = None
    if target.observed is not None:
        observed = [
            None if path is None else read_layer(path, grid).geometries for path in target.observed
        ]
    series = series_from_cumulative(
        inventories, epochs, grid, baseline=baseline, observed=observed, method=target.difference
    )
    notes = list(series.notes)
    if baseline is None:
        notes.append("no inventory from before the event: the first epoch counts all it shows")
    named = [
        (path, inventory)
        for path, inventory in zip(target.files, inventories, strict=True)
        if path is not None and inventory is not None
    ]
    outlines = np.concatenate([inventory.geometries for _, inventory in named])
    return TargetLayers(
        series=series,
        outlines=outlines,
        sources=tuple(_inventory_source(p, i, notes) for p, i in named),
        account=_joined(dict(series.account), [i for _, i in named]),
    )


def _from_dated(target: DatedTarget, epochs: Sequence[Epoch], grid: Grid) -> TargetLayers:
    from hazard.geo.dated_epochs import series_from_dated

    inventory = read_layer(
        target.file,
        grid,
        columns=column_map(target.columns),
        minimum_area_m2=target.minimum_area_m2,
    )
    series = series_from_dated(inventory, epochs, grid)
    return TargetLayers(
        series=series,
        outlines=inventory.geometries,
        sources=(_inventory_source(target.file, inventory, list(series.notes)),),
        account=_joined(dict(series.account), [inventory]),
    )


def _inventory_source(path: Path, inventory: Inventory, notes: Sequence[str]) -> LayerSource:
    file, member = split_member(path)
    return LayerSource(
        file=str(path),
        sha256=hash_of(file, member),
        crs=inventory.reprojected_from or crs_name(inventory.grid.crs),
        resampling="exact area per cell",
        unit="percent",
        source="landslide inventory of polygons",
        notes=(*notes, *inventory.table.notes),
    )


def _joined(account: dict[str, Any], inventories: Sequence[Inventory]) -> dict[str, Any]:
    """Counts of the series and, summed over the files, of the readers."""
    for name in ("n_landslides", "n_repaired", "n_dropped_empty", "n_outside", "n_undated"):
        values = [inventory.summary().get(name) for inventory in inventories]
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        if numbers:
            account.setdefault(name, sum(numbers))
    areas = [
        inventory.area_outside_m2 + inventory.area_partly_outside_m2 for inventory in inventories
    ]
    account["area_outside_grid_m2"] = float(sum(areas))
    return account


def read_layer(path: Path, grid: Grid, **options: Any) -> Inventory:
    """Read an inventory; ``FILE.zip/MEMBER.shp`` names a file inside a zip."""
    file, member = split_member(path)
    return read_inventory(file, grid, member=member, **options)


def hash_of(file: Path, member: str | None = None) -> str:
    """SHA-256 of a file or of a zip's member, which may be named without its folder."""
    from hazard.errors import DataError
    from hazard.geo.provenance import file_sha256

    if member is None:
        return file_sha256(file)
    try:
        return file_sha256(file, member=member)
    except DataError:
        # The reader accepts a member by name or stem; the whole archive then stands for it.
        return file_sha256(file)


def column_map(columns: ColumnsConfig) -> Any:
    """The reader's record of column names."""
    from stats.command.inventory_record import ColumnMap

    return ColumnMap(**columns.model_dump())


def crs_name(crs: Any) -> str:
    """Authority code where there is one, else the name of the system."""
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.name)
