"""Shaking, rain and monsoons of a study on the trigger grid.

What the files cannot give is absent and named with the reason (`pga_sd` from one event, rain
without a rain section); nothing stands in for it. Trigger cells without a value under the mask are
filled from the nearest one, flagged and counted, as every predictor is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hazard.config.schema import HazardConfig
from hazard.config.sources import PointRain as PointRainConfig
from hazard.cube.extra_layers import write_flag
from hazard.cube.grids import StudyGrids
from hazard.cube.holes import RULE, fill_array, map_holes
from hazard.cube.layout import FLAG_FILLED
from hazard.cube.target_layers import crs_name, geo_epochs, hash_of
from hazard.cube.writer import (
    LayerWriter,
    PartFacts,
    check_range,
    layer_attributes,
    require_complete,
)
from hazard.errors import DataError
from hazard.geo.grid import Grid
from hazard.geo.provenance import LayerSource

Progress = Callable[[int], None]
AnyArray = np.ndarray[Any, np.dtype[Any]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

SHAKING_LAYERS = ("pga", "pga_sd", "pga_ln_sigma", "mmi")
RAIN_LAYERS = ("rain_max_mm_day", "rain_width_mm_day")


def under_mask(cells: BoolArray, factor: int) -> BoolArray:
    """(y, x) trigger cells that hold at least one cell of the mask.

    Example:
        >>> under_mask(np.array([[True, False, False]]), 2).tolist()
        [[True, False]]
    """
    rows, cols = cells.shape
    padded = np.zeros((-(-rows // factor) * factor, -(-cols // factor) * factor), np.bool_)
    padded[:rows, :cols] = cells
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    return np.asarray(blocks.any(axis=(1, 3)))


class _Store:
    """Fills, checks and writes layers on the trigger grid."""

    def __init__(
        self, writer: LayerWriter, config: HazardConfig, grid: Grid, needed: BoolArray
    ) -> None:
        self.writer, self.grid, self.needed = writer, grid, needed
        self.limit_m = config.terrain.fill_holes_m if config.terrain is not None else 0.0
        self.facts = PartFacts()

    def put(
        self,
        name: str,
        values: AnyArray,
        valid: BoolArray,
        source: LayerSource,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Write one layer, (y, x) or (epoch, y, x), and its flag."""
        stack = values.reshape(-1, *self.grid.shape)
        masks = valid.reshape(-1, *self.grid.shape)
        out = np.where(masks, stack, np.nan).astype(np.float32)
        flags = np.zeros(out.shape, np.uint8)
        n_filled = 0
        for index, mask in enumerate(masks):
            holes = map_holes(
                mask, self.needed, self.grid.cell_size, limit_m=self.limit_m, source=source.file,
                layer=name,
            )  # fmt: skip
            out[index] = fill_array(out[index], holes)
            flags[index].reshape(-1)[holes.hole] |= FLAG_FILLED
            n_filled += len(holes)
        check_range(name, out, source.file)
        require_complete(name, out, self.needed[None], source.file)
        dims = ("epoch", "y", "x")[-values.ndim :]
        self.writer.create(
            "triggers", name, values.shape, "float32", dims=dims,
            attrs=layer_attributes(name, source, **dict(attributes or {})),
        )[...] = out.reshape(values.shape)  # fmt: skip
        write_flag(self.writer, "triggers", name, flags.reshape(values.shape))
        self.facts.filled[name] = n_filled
        self.facts.add_source(name, source)
        if n_filled:
            self.facts.notes.append(f"{name}: {n_filled} trigger cells filled ({RULE})")


def write_triggers(
    writer: LayerWriter,
    config: HazardConfig,
    grids: StudyGrids,
    cells: BoolArray,
    *,
    progress: Progress | None = None,
) -> PartFacts:
    """Write shaking, rain and monsoons.

    Args:
        writer: of this part.
        config: complete configuration.
        grids: lattices.
        cells: (y, x) study mask.
        progress: called with 1 after shaking and after rain.

    Raises:
        DataError: a file that cannot be used, no value near a mapped cell, or one outside the
            declared range.
    """
    factor = config.cube.trigger_factor
    store = _Store(writer, config, grids.triggers, under_mask(cells, factor))
    _write_shaking(store, config)
    if progress is not None:
        progress(1)
    _write_rain(store, config)
    _write_monsoons(store, config)
    if progress is not None:
        progress(1)
    return store.facts


def joint_hash(paths: Sequence[Path]) -> str:
    """One hash of one file, or the hashes of several joined by commas."""
    return ",".join(hash_of(path) for path in paths)


def _write_shaking(store: _Store, config: HazardConfig) -> None:
    shaking = config.shaking
    if shaking is None:
        store.facts.absent.update(
            dict.fromkeys(SHAKING_LAYERS, "the configuration has no shaking section")
        )
        return
    if shaking.kind == "shakemap":
        from hazard.geo.shaking import shaking_from_shakemaps

        files: list[Path] = list(shaking.events)
        result = shaking_from_shakemaps(files, store.grid)
        kind, resampling, crs = "USGS ShakeMap", "bilinear", "EPSG:4326"
    else:
        from hazard.geo.intensity import read_intensity_bands, shaking_from_bands

        files = [shaking.file, *([shaking.stations] if shaking.stations is not None else [])]
        bands = read_intensity_bands(shaking.file, field=shaking.field)
        result = shaking_from_bands(bands, store.grid, stations=shaking.stations)
        kind, resampling = "bands of macroseismic intensity", "band of the cell centre"
        crs = crs_name(bands.polygons.crs)
    for name in SHAKING_LAYERS:
        if name not in result.layers:
            store.facts.absent[name] = result.absent.get(name, "not in the files")
            continue
        derived = result.derived_from.get(name)
        source = LayerSource(
            file=", ".join(str(path) for path in files),
            sha256=joint_hash(files),
            crs=crs,
            resampling=resampling,
            unit="m s-2" if name in ("pga", "pga_sd") else "1",
            source=kind if derived is None else f"derived from {derived}",
            notes=tuple(result.notes),
        )
        extra = {} if derived is None else {"derived_from": derived}
        store.put(name, result.layers[name], result.valid[name], source, extra)
    store.facts.numbers["shaking_events"] = len(result.events)
    store.facts.notes.extend(f"shaking: {check.sentence()}" for check in result.checks)


def _write_rain(store: _Store, config: HazardConfig) -> None:
    rain, study = config.rain, config.study
    if study is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    if rain is None:
        store.facts.absent.update(
            dict.fromkeys(RAIN_LAYERS, "the configuration has no rain section")
        )
        return
    from hazard.geo.rain import rain_on_grid

    daily = _daily_rain(rain)
    method = rain.method if isinstance(rain, PointRainConfig) else "auto"
    result = rain_on_grid(
        daily, geo_epochs(study), store.grid, method=method, minimum_share=rain.minimum_days
    )
    for name in RAIN_LAYERS:
        errors = [
            {key: _plain(value) for key, value in vars(row).items()}
            for row in result.leave_one_out
            if row.statistic == name
        ]
        source = LayerSource(
            file=str(rain.file),
            sha256=hash_of(rain.file),
            crs="EPSG:4326" if rain.kind == "points" else crs_name(daily.grid.crs),
            resampling=result.method[name],
            unit="mm day-1",
            source="daily rain",
            notes=result.notes,
        )
        store.put(
            name, result.layers[name], result.valid, source,
            {"interpolation": result.method[name], "leave_one_out_json": _json(errors)},
        )  # fmt: skip
    chosen = {name: result.method[name] for name in RAIN_LAYERS}
    store.facts.numbers["rain_interpolation"] = chosen
    store.facts.notes.extend(f"rain: {note}" for note in result.notes)


def _plain(value: Any) -> Any:
    """A number or text for JSON; NaN, which JSON lacks, as None."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


def _daily_rain(rain: Any) -> Any:
    from hazard.geo.rain_read import open_rain_geotiffs, open_rain_netcdf, read_rain_points

    if rain.kind == "points":
        return read_rain_points(
            rain.file, time=rain.time, x=rain.longitude, y=rain.latitude, value=rain.value,
            station=rain.station,
        )  # fmt: skip
    if rain.kind == "netcdf":
        return open_rain_netcdf(rain.file, variable=rain.variable)
    if rain.first_day is None and rain.pattern is None:
        raise DataError(
            rain.file,
            found="GeoTIFF rain without dates",
            expected="rain.first_day (one file) or rain.pattern (a folder)",
        )
    return open_rain_geotiffs(rain.file, first_day=rain.first_day, pattern=rain.pattern)


def _write_monsoons(store: _Store, config: HazardConfig) -> None:
    study = config.study
    if study is None:
        raise ValueError("an incomplete configuration; resolve its sources first")
    counts = np.array([epoch.monsoons or 0 for epoch in geo_epochs(study)], dtype=np.float32)
    stated = [epoch.monsoons is not None for epoch in study.epochs]
    source = LayerSource(
        file="",
        sha256="",
        crs="none",
        resampling="none",
        unit="1",
        source="stated by the configuration" if all(stated) else "counted from the epoch dates",
    )
    check_range("monsoons", counts, "study.epochs")
    store.writer.create(
        "triggers", "monsoons", counts.shape, "float32", dims=("epoch",),
        attrs=layer_attributes("monsoons", source),
    )[...] = counts  # fmt: skip
    store.facts.add_source("monsoons", source)
