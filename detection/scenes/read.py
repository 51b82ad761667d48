"""Read scenes from files: declared bands in any order, by window, everything on one grid.

What a file says of itself is held against what the catalogue says of it. Missing data is decided
here: a pixel was seen where every band that is read has a value (nodata is what the catalogue or
the file names so, and 0 is a value otherwise), where the mask of what was seen says so, and where
no cloud is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from detection.scenes.catalogue import ImageEntry, SceneEntry
from detection.scenes.rasterise import (
    MappedGround,
    rasterise,
    read_footprint,
    read_mapped_ground,
)
from detection.scenes.scene import Scene
from hazard.errors import DataError
from hazard.geo.grid import Block, Grid
from hazard.geo.raster import RasterInfo, read_bands_on_grid, read_info, read_on_grid

HIGHEST_REFLECTANCE = 1.5  # of the median pixel: snow and cloud stay below
COUNTS = {"dn", "count", "counts", "digital number", "digital numbers"}
RATIOS = {"1", "reflectance", "unitless", "dimensionless"}


def scene_grid(entry: SceneEntry) -> Grid:
    """The grid that a scene is read on: its own, or the one it is warped to.

    Raises:
        DataError: files of different grids, or a grid that is not in metres, without a target.
    """
    infos = [read_info(path) for path in entry.image]
    own = infos[0].grid
    if entry.grid is not None:
        return Grid.covering(own, entry.grid.crs, cell_m=entry.grid.pixel_m)
    if not own.is_metric:
        raise DataError(
            entry.image[0], found=f"coordinate system {own.crs.name!r}",
            expected=f"a projected one in metres, or `grid: {{crs, pixel_m}}` in scene "
            f"{entry.name!r} to warp to",
        )  # fmt: skip
    for path, info in zip(entry.image[1:], infos[1:], strict=True):
        if not info.grid.same_as(own):
            raise DataError(
                path, found=f"{info.shape} pixels at {tuple(info.transform)[:6]}",
                expected=f"the grid of {entry.image[0]}, or `grid` in scene {entry.name!r}",
            )  # fmt: skip
    return own


def read_scene(
    entry: SceneEntry,
    *,
    window: Block | None = None,
    bands: Sequence[str] | None = None,
    mapped: MappedGround | None = None,
) -> Scene:
    """Read a scene, or a window of it.

    Images and elevation come onto the grid by bilinear interpolation where they lie on another
    one (pixels with invalid neighbours stay valid, invalid ones get no weight), masks by the
    nearest pixel; what lies on the same lattice is copied.

    Args:
        entry: from `detection.scenes.catalogue.read_catalogue`.
        window: rows and columns of `scene_grid(entry)`; all of it where None.
        bands: bands to read, in this order; those of the file, in its order, where None.
        mapped: polygons, where they were read before (`read_mapped_ground`).

    Raises:
        DataError: a file that is missing, broken, on no grid in metres, or that contradicts the
            catalogue in its number of bands, their names, or unit.
    """
    whole = scene_grid(entry)
    rows, cols = whole.shape
    block = window or Block(row0=0, row1=rows, col0=0, col1=cols)
    if not (0 <= block.row0 < block.row1 <= rows and 0 <= block.col0 < block.col1 <= cols):
        raise DataError(f"scene {entry.name!r}", found=f"shape {whole.shape}", expected=f"{block}")
    wanted = tuple(bands) if bands is not None else entry.bands
    if missing := [band for band in wanted if band not in entry.bands]:
        raise DataError(
            f"scene {entry.name!r}", found=f"bands {', '.join(entry.bands)}",
            expected=f"{', '.join(missing)} to be among them",
        )  # fmt: skip
    image, valid = _read_image(entry, entry, whole, block, wanted)
    pre = pre_valid = None
    if entry.pre is not None:
        pre, pre_valid = _read_image(entry.pre, entry, whole, block, wanted)
    grid = whole.crop(block)
    truth, known = _read_truth(entry, whole, block, mapped)
    elevation = None
    if entry.elevation is not None:
        elevation = read_on_grid(entry.elevation, whole, block=block).values
    return Scene(
        name=entry.name, region=entry.region, epoch=entry.epoch, date=entry.date, bands=wanted,
        unit=entry.unit, sensor=entry.sensor, grid=grid, image=image, valid=valid, truth=truth,
        known=known, pre=pre, pre_valid=pre_valid, elevation_m=elevation,
        synthetic=entry.synthetic,
    )  # fmt: skip


def _read_truth(
    entry: SceneEntry, whole: Grid, block: Block, mapped: MappedGround | None
) -> tuple[Bool[ndarray, "y x"] | None, Bool[ndarray, "y x"] | None]:
    """Landslides and the ground that was looked at; None and None without an inventory."""
    grid = whole.crop(block)
    if entry.truth is not None:
        raster = read_on_grid(entry.truth, whole, block=block, resampling="nearest")
        known = raster.valid
        footprint = read_footprint(entry, whole)
        if footprint is not None:
            known = known & rasterise(footprint, grid)
        return raster.valid & (raster.values != 0), known
    ground = mapped if mapped is not None else read_mapped_ground(entry, whole)
    if ground is None:
        return None, None
    return ground.truth(grid), ground.known(grid)


def _read_image(
    source: ImageEntry, entry: SceneEntry, whole: Grid, block: Block, wanted: tuple[str, ...]
) -> tuple[Float[ndarray, "y x band"], Bool[ndarray, "y x"]]:
    """Values in the entry's unit, 0 where not seen, and where every band was seen."""
    places = _band_places(source, entry)
    image = np.zeros((*block.shape, len(wanted)), dtype=np.float32)
    valid = np.ones(block.shape, dtype=bool)
    by_file: dict[str, list[tuple[int, int]]] = {}
    for layer, band in enumerate(wanted):
        path, number = places[entry.bands.index(band)]
        by_file.setdefault(path, []).append((layer, number))
    for path, layers in by_file.items():
        numbers = [number for _, number in layers]
        rasters = read_bands_on_grid(path, whole, numbers, block=block, nodata=source.nodata)
        for (layer, _), raster in zip(layers, rasters, strict=True):
            values = raster.values
            if source.scale != 1 or source.offset != 0:
                values = (values.astype(np.float64) * source.scale + source.offset).astype(
                    np.float32
                )
            seen = raster.valid & np.isfinite(values)
            image[..., layer] = values if seen.all() else np.where(seen, values, 0)
            valid &= seen
    for mask, sees in ((source.valid, True), (source.cloud, False)):
        if mask is not None:
            raster = read_on_grid(mask, whole, block=block, resampling="nearest")
            # What the mask does not know was not seen.
            valid &= raster.valid & ((raster.values != 0) == sees)
    everywhere = bool(valid.all())
    seen_values = image.reshape(-1, len(wanted)) if everywhere else image[valid]
    _check_values(source, entry, seen_values)
    if not everywhere:
        image[~valid] = 0
    return image, valid


def _band_places(source: ImageEntry, entry: SceneEntry) -> list[tuple[str, int]]:
    """File and number of every declared band, held against what the files say of themselves."""
    infos = [read_info(path) for path in source.image]
    count = sum(info.count for info in infos)
    if count != len(entry.bands):
        raise DataError(
            ", ".join(str(path) for path in source.image), found=f"{count} bands",
            expected=f"{len(entry.bands)} ({', '.join(entry.bands)}), as scene {entry.name!r} "
            "declares",
        )  # fmt: skip
    named = [name.strip().lower() for info in infos for name in info.band_names]
    declared = [band.lower() for band in entry.bands]
    if set(named) & set(declared) and any(
        n and n != d and (n in declared or d in named) for n, d in zip(named, declared, strict=True)
    ):
        raise DataError(
            source.image[0], found=f"bands named {', '.join(named)}",
            expected=f"{', '.join(entry.bands)}, in this order, as scene {entry.name!r} declares",
        )  # fmt: skip
    for info in infos:
        _check_unit(info, source, entry)
    return [(info.path, number + 1) for info in infos for number in range(info.count)]


def _check_unit(info: RasterInfo, source: ImageEntry, entry: SceneEntry) -> None:
    """Refuse a file whose own unit or scale contradicts the catalogue."""
    own = any(scale != 1 for scale in info.scales) or any(add != 0 for add in info.offsets)
    changed = source.scale != 1 or source.offset != 0
    if own and changed:
        raise DataError(
            info.path, found=f"a scale of its own ({info.scales[0]:g}, offset {info.offsets[0]:g})",
            expected=f"none, or no scale in scene {entry.name!r}: it would be applied twice",
        )  # fmt: skip
    for unit in {unit.strip().lower() for unit in info.units} - {""}:
        if not changed and _family(unit) != _family(entry.unit):
            raise DataError(
                info.path, found=f"unit {unit!r}",
                expected=f"{entry.unit!r}, as scene {entry.name!r} declares, or a scale to it",
            )  # fmt: skip


def _family(unit: str) -> str:
    text = unit.strip().lower()
    return "dn" if text in COUNTS else "1" if text in RATIOS else text


def _check_values(
    source: ImageEntry, entry: SceneEntry, seen: Float[ndarray, "pixel band"]
) -> None:
    """Refuse counts that are declared to be reflectance."""
    if _family(entry.unit) != "1" or not len(seen):
        return
    # A sample decides as well, and costs nothing beside reading.
    middle = float(np.median(seen[:: -(-len(seen) // 50_000)]))
    if middle > HIGHEST_REFLECTANCE:
        raise DataError(
            source.image[0], found=f"a median value of {middle:g} in unit {entry.unit!r}",
            expected=f"reflectance, mostly below 1: give scene {entry.name!r} the sensor's scale "
            "(often 0.0001), or unit dn",
        )  # fmt: skip
