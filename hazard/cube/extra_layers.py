"""Further predictors of a study: lithology, land cover, a censored slope, on cells or pixels.

A censored layer has nodata that means "not above the threshold": such a cell has a value (the
threshold) and a flag, and is never missing. Classes are taken by the nearest pixel and stored as
int16 codes. What is missing inside the mask after that is filled from the nearest value.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hazard.config.schema import HazardConfig
from hazard.config.sources import ExtraLayer
from hazard.cube.filled_flags import mark_filled
from hazard.cube.grids import StudyGrids
from hazard.cube.holes import RULE, HoleMap, map_holes, patch_stored
from hazard.cube.layout import (
    FILLED_EXTRA,
    FLAG_CENSORED,
    FLAG_FILLED,
    FLAG_MEANINGS,
    NO_CLASS,
)
from hazard.cube.target_layers import crs_name, hash_of
from hazard.cube.terrain_layers import strips, to_pixels
from hazard.cube.writer import LayerWriter, PartFacts, layer_attributes
from hazard.cube.zip_paths import split_member
from hazard.errors import DataError
from hazard.geo.class_polygons import ValuePolygons, read_value_polygons
from hazard.geo.grid import Block, Grid
from hazard.geo.provenance import LayerSource
from hazard.geo.raster import read_info, read_on_grid
from hazard.variables import VARIABLES

Progress = Callable[[int], None]
AnyArray = np.ndarray[Any, np.dtype[Any]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

VECTOR_SUFFIXES = (".gpkg", ".shp", ".geojson", ".json", ".parquet", ".fgb")


def write_extra_layers(
    writer: LayerWriter,
    config: HazardConfig,
    grids: StudyGrids,
    cells: BoolArray,
    *,
    progress: Progress | None = None,
) -> PartFacts:
    """Write every layer of ``layers`` on its support.

    Args:
        writer: of this part.
        config: complete configuration.
        grids: lattices.
        cells: (y, x) study mask.
        progress: called with 1 per layer.

    Raises:
        DataError: a file that cannot be used, no value near a mapped cell, or a value below the
            threshold of a censored layer.
    """
    facts = PartFacts()
    limit_m = config.terrain.fill_holes_m if config.terrain is not None else 0.0
    pixel_holes: list[HoleMap] = []
    for layer in config.layers:
        if layer.name in VARIABLES or layer.name == "filled" or layer.name.endswith("_flag"):
            raise DataError(
                f"layers.{layer.name}",
                found="a name that the cube gives to another layer",
                expected="a name of its own",
            )
        if layer.support == "cell":
            _write_cell_layer(writer, layer, grids, cells, limit_m, facts)
        else:
            pixel_holes.append(_write_pixel_layer(writer, layer, grids, cells, limit_m, facts))
        if progress is not None:
            progress(1)
    mark_filled(writer.root, FILLED_EXTRA, pixel_holes)
    return facts


def _is_vector(path: Path) -> bool:
    return path.suffix.lower() in VECTOR_SUFFIXES


class _Reader:
    """Values of one layer on blocks of a grid, and where they are valid."""

    def __init__(self, layer: ExtraLayer, grid: Grid) -> None:
        self.layer, self.grid = layer, grid
        self.polygons: ValuePolygons | None = None
        if _is_vector(layer.file):
            if layer.field is None:
                raise DataError(
                    layer.file, found="polygons", expected=f"layers.{layer.name}.field, the column"
                )
            self.polygons = read_value_polygons(layer.file, field=layer.field)
            self.crs = crs_name(self.polygons.crs)
        else:
            self.crs = crs_name(read_info(layer.file).grid.crs)

    def read(self, block: Block) -> tuple[AnyArray, BoolArray]:
        """(values, valid) under a block."""
        if self.polygons is not None:
            values = self.polygons.on_grid(self.grid.crop(block))
            return values, np.isfinite(values)
        raster = read_on_grid(
            self.layer.file, self.grid, resampling=self.layer.resampling, block=block,
            categorical=self.layer.values == "classes",
        )  # fmt: skip
        return raster.values, raster.valid


def _source(layer: ExtraLayer, crs: str) -> LayerSource:
    file, member = split_member(layer.file)
    notes = []
    if layer.censored_below is not None:
        notes.append(
            f"nodata means not above {layer.censored_below:g} {layer.unit}: stored as that value "
            "and flagged as censored, never missing"
        )
    return LayerSource(
        file=str(layer.file),
        sha256=hash_of(file, member),
        crs=crs,
        resampling="nearest" if layer.values == "classes" else layer.resampling,
        unit=layer.unit,
        source=layer.long_name,
        notes=tuple(notes),
    )


def _coded(layer: ExtraLayer, values: AnyArray, valid: BoolArray) -> AnyArray:
    """Stored values: float32 with NaN, or int16 codes with `NO_CLASS`."""
    if layer.values != "classes":
        return np.where(valid, values, np.nan).astype(np.float32)
    codes = values[valid].astype(np.float64)
    if codes.size and (codes.min() <= NO_CLASS or codes.max() > 32767 or (codes % 1).any()):
        raise DataError(
            layer.file,
            found=f"class codes from {codes.min():g} to {codes.max():g}",
            expected="whole numbers from -32767 to 32767",
        )
    out = np.full(values.shape, NO_CLASS, np.int16)
    out[valid] = codes
    return out


def _censor(layer: ExtraLayer, values: AnyArray, valid: BoolArray) -> BoolArray:
    """Which positions are censored; refuses values that contradict the threshold."""
    if layer.censored_below is None:
        return np.zeros(valid.shape, np.bool_)
    if (values[valid] < layer.censored_below).any():
        raise DataError(
            layer.file,
            found=f"the value {values[valid].min():g}",
            expected=f"none below layers.{layer.name}.censored_below {layer.censored_below:g}",
        )
    return ~valid


def _attributes(layer: ExtraLayer, source: LayerSource) -> dict[str, Any]:
    extra: dict[str, Any] = {"values": layer.values}
    if layer.censored_below is not None:
        extra["censored_below"] = layer.censored_below
    return layer_attributes(layer.name, source, long_name=layer.long_name, **extra)


def _options(layer: ExtraLayer) -> dict[str, Any]:
    if layer.values == "classes":
        return {"dtype": "int16", "fill": NO_CLASS}
    return {"dtype": "float32"}


def _write_cell_layer(
    writer: LayerWriter,
    layer: ExtraLayer,
    grids: StudyGrids,
    cells: BoolArray,
    limit_m: float,
    facts: PartFacts,
) -> None:
    grid = grids.cells
    reader = _Reader(layer, grid)
    values, valid = reader.read(Block(row0=0, row1=grid.shape[0], col0=0, col1=grid.shape[1]))
    censored = _censor(layer, values, valid)
    if layer.censored_below is not None:
        values, valid = np.where(valid, values, layer.censored_below), valid | censored
    holes = map_holes(
        valid, cells, grid.cell_size, limit_m=limit_m, source=layer.file, layer=layer.name
    )
    stored = _coded(layer, values, valid)
    stored.reshape(-1)[holes.hole] = stored.reshape(-1)[holes.source]
    flags = np.zeros(grid.shape, np.uint8)
    flags[censored] |= FLAG_CENSORED
    flags.reshape(-1)[holes.hole] |= FLAG_FILLED
    source = _source(layer, reader.crs)
    writer.create(
        "cells", layer.name, grid.shape, dims=("y", "x"), attrs=_attributes(layer, source),
        **_options(layer),
    )[:, :] = stored  # fmt: skip
    write_flag(writer, "cells", layer.name, flags)
    facts.filled[layer.name] = len(holes)
    if layer.censored_below is not None:
        facts.censored[layer.name] = int(np.count_nonzero(censored & cells))
        facts.notes.append(
            f"{layer.name}: {facts.censored[layer.name]} mapped cells are censored (not above "
            f"{layer.censored_below:g} {layer.unit}), none of them missing"
        )
    facts.add_source(layer.name, source)


def write_flag(writer: LayerWriter, group: str, name: str, flags: AnyArray) -> None:
    """Write ``NAME_flag`` beside a layer."""
    dims = ("epoch", "y", "x")[-flags.ndim :]
    array = writer.create(
        group, f"{name}_flag", flags.shape, "uint8", dims=dims,
        attrs={
            "long_name": f"state of {name}",
            "flag_masks": list(FLAG_MEANINGS),
            "flag_meanings": " ".join(FLAG_MEANINGS.values()),
        },
    )  # fmt: skip
    array[...] = flags


def _write_pixel_layer(
    writer: LayerWriter,
    layer: ExtraLayer,
    grids: StudyGrids,
    cells: BoolArray,
    limit_m: float,
    facts: PartFacts,
) -> HoleMap:
    if layer.censored_below is not None:
        raise DataError(
            f"layers.{layer.name}",
            found="censored_below with support pixel",
            expected="support cell, where the flag of a censored layer is stored",
        )
    grid, chunk = grids.pixels, grids.pixel_chunk
    reader = _Reader(layer, grid)
    source = _source(layer, reader.crs)
    array = writer.create(
        "pixels", layer.name, grid.shape, dims=("y", "x"), chunks=(chunk, chunk),
        attrs=_attributes(layer, source), **_options(layer),
    )  # fmt: skip
    valid = np.zeros(grid.shape, np.bool_)
    for band in strips(grid, chunk):
        values, valid[band.slices] = reader.read(band)
        array[band.slices] = _coded(layer, values, valid[band.slices])
    holes = map_holes(
        valid, to_pixels(cells, grids.pixels_per_cell), grid.cell_size, limit_m=limit_m,
        source=layer.file, layer=layer.name,
    )  # fmt: skip
    patch_stored(array, holes, rows_per_strip=chunk)
    facts.filled[layer.name] = len(holes)
    if len(holes):
        facts.notes.append(f"{layer.name}: {len(holes)} pixels of the mask filled ({RULE})")
    facts.add_source(layer.name, source)
    return holes
