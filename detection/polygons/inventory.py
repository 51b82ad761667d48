"""From the pixels of a map to an inventory of landslide polygons in a GeoPackage.

Areas are planimetric, in square metres: in the scene's own coordinate system where that is
projected in metres and distorts areas by less than 1 %, else (degrees, Web Mercator) in a Lambert
azimuthal equal-area projection around the landslides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from jaxtyping import Float
from numpy import ndarray
from pyproj import CRS, Proj, Transformer
from shapely import Polygon

from detection.mapping.model_forward import pixel_side_m
from detection.mapping.stored import PROBABILITY_STEP
from detection.polygons.outlines import (
    Outline,
    pixels_inside,
    small_holes,
    smooth,
    without_holes,
)
from detection.polygons.pixels import PixelSource
from detection.polygons.trace import STRIP_ROWS, Connectivity, Region, trace
from hazard.geo.grid import Block, Grid
from stats.command.inventory_write import write_inventory
from stats.command.vector_crs import polygon_area_m2

MINIMUM_AREA_M2 = 200.0
"""As published with the multi-temporal inventories of Rasuwa."""
LARGEST_DISTORTION = 0.01


@dataclass(frozen=True, kw_only=True)
class PolygonSettings:
    """How polygons are made.

    Attributes:
        connectivity: 4 (edges) or 8 (edges and corners).
        minimum_area_m2: smaller landslides are left out; measured on the outline of pixels.
        sieve_px: landslides and holes of fewer pixels go, as in a sieve; 0 keeps all. A hole with
            an unseen pixel stays: nobody knows what is there.
        smooth: cut the corners of the pixels (at most 0.354 pixels).
        strip_rows: rows looked at together; bounds the memory, changes nothing.

    Raises:
        ValueError: a number out of range.
    """

    connectivity: Connectivity = 4
    minimum_area_m2: float = MINIMUM_AREA_M2
    sieve_px: int = 0
    smooth: bool = False
    strip_rows: int = STRIP_ROWS

    def __post_init__(self) -> None:
        if self.connectivity not in (4, 8) or self.strip_rows < 1 or self.sieve_px < 0:
            raise ValueError(
                f"connectivity {self.connectivity}, strip_rows {self.strip_rows}, sieve_px "
                f"{self.sieve_px}; use 4 or 8, at least 1, and at least 0"
            )
        if not 0 <= self.minimum_area_m2 < np.inf:
            raise ValueError(f"minimum_area_m2 {self.minimum_area_m2}; use a finite area or 0")


@dataclass(frozen=True, kw_only=True)
class MapFacts:
    """What the polygons of a map have in common.

    Attributes:
        scene: name of the scene.
        epoch: name of the epoch.
        sensor: what took the image.
        date: of the image, by which the landslides had failed; None where it is not known.
        date_before: of the image that does not show them yet, or None.
        source: what mapped them, such as the name of the network.
        synthetic: True for rendered scenes.

    Raises:
        ValueError: an earlier image that is not earlier.
    """

    scene: str
    epoch: str = ""
    sensor: str = ""
    date: dt.date | None = None
    date_before: dt.date | None = None
    source: str = "detection"
    synthetic: bool = False

    def __post_init__(self) -> None:
        if self.date and self.date_before and self.date_before >= self.date:
            raise ValueError(f"date_before {self.date_before} is not before {self.date}")


def outline_landslides(
    source: PixelSource,
    facts: MapFacts,
    *,
    settings: PolygonSettings | None = None,
    progress: Callable[[int], None] | None = None,
) -> gpd.GeoDataFrame:
    """The landslides of a map as polygons.

    Args:
        source: the map.
        facts: repeated in every row.
        settings: see there.
        progress: called with the number of rows done.

    Returns:
        One row per landslide, numbered by their first pixels from the top left on:
        landslide_id, area_m2, perimeter_m, n_pixels, probability_mean, probability_min (over the
        mapped pixels; absent where the map has no probability), cut_off (reaches the edge of the
        scene or an unseen pixel, so the area is a lower bound), scene, epoch, sensor, image_date,
        date_start and date_end (the interval between the images, where both dates are known),
        date_kind, source, confidence, synthetic, geometry. The coordinate system is that of the
        scene.

    Raises:
        DataError: a coordinate system in which no area can be measured.
    """
    chosen = settings or PolygonSettings()
    grid = source.grid
    regions = trace(
        source,
        connectivity=chosen.connectivity,
        strip_rows=chosen.strip_rows,
        minimum_px=max(1, chosen.sieve_px, _fewest_pixels(grid, chosen.minimum_area_m2)),
        progress=progress,
    )
    outlines = _sieved(source, regions, chosen)
    area = _measured(_on_ground(outlines, grid), grid)[0]
    large = area >= chosen.minimum_area_m2 * (1 - 1e-9)
    kept = [region for region, keep in zip(regions, large, strict=True) if keep]
    outlines = [outline for outline, keep in zip(outlines, large, strict=True) if keep]
    if chosen.smooth:
        outlines = [smooth(outline) for outline in outlines]
    geometry = _on_ground(outlines, grid)
    area, perimeter = _measured(geometry, grid)
    return _frame(geometry, kept, area, perimeter, facts, grid.crs)


def write_landslides(
    path: Path | str,
    frame: gpd.GeoDataFrame,
    *,
    settings: PolygonSettings,
    metadata: dict[str, Any] | None = None,
) -> Path:
    """Write `outline_landslides`'s frame as a GeoPackage, whole or not at all.

    Settings and further facts go into the metadata of the layer.

    Raises:
        DataError: another suffix than .gpkg.
    """
    return write_inventory(
        path,
        frame,
        minimum_mapping_area_m2=settings.minimum_area_m2 or None,
        metadata={**{f"polygons_{k}": v for k, v in asdict(settings).items()}, **(metadata or {})},
    )


def metric_system(grid: Grid) -> CRS | None:
    """The grid's own system where areas in it are areas; None where another must be found.

    Example:
        >>> from affine import Affine
        >>> grid = Grid(crs="EPSG:3857", transform=Affine(9, 0, 9e6, 0, -9, 3e6), shape=(9, 9))
        >>> metric_system(grid) is None
        True
    """
    if not grid.is_metric:
        return None
    left, bottom, right, top = grid.bounds
    x, y = np.meshgrid(np.linspace(left, right, 3), np.linspace(bottom, top, 3))
    lon, lat = Transformer.from_crs(grid.crs, grid.crs.geodetic_crs, always_xy=True).transform(x, y)
    scale = np.asarray(Proj(grid.crs).get_factors(lon, lat, errcheck=True).areal_scale)
    return grid.crs if np.all(np.abs(scale - 1) < LARGEST_DISTORTION) else None


def _measured(
    geometry: gpd.GeoSeries, grid: Grid
) -> tuple[Float[ndarray, " landslide"], Float[ndarray, " landslide"]]:
    """Areas [m2] and perimeters [m]."""
    own = metric_system(grid)
    if own is None and not grid.crs.is_geographic:
        geometry = geometry.to_crs("EPSG:4326")
    crs = CRS.from_user_input(geometry.crs)
    area, system = polygon_area_m2(geometry, crs, own, "landslides")
    flat = geometry if system == crs else geometry.to_crs(system)
    return area, np.asarray(flat.length, np.float64)


def _fewest_pixels(grid: Grid, minimum_area_m2: float) -> int:
    """Pixels that a landslide of the minimum area has at least; what is smaller is not outlined."""
    rows, columns = grid.shape
    if metric_system(grid) is not None:
        largest = grid.cell_area_m2
    elif grid.crs.is_geographic:
        ends = [Block(row0=r, row1=r + 1, col0=0, col1=columns) for r in (0, rows // 2, rows - 1)]
        largest = max(pixel_side_m(grid.crop(end)) ** 2 for end in ends)
    else:
        return 1
    # A little less: the area itself is measured on the outline, and decides.
    return int(0.97 * minimum_area_m2 / largest)


def _sieved(
    source: PixelSource, regions: Sequence[Region], settings: PolygonSettings
) -> list[Outline]:
    """Outlines with their small holes filled, unless a pixel in the hole was not seen."""
    outlines = [region.outline for region in regions]
    if settings.sieve_px < 2:
        return outlines
    holes = [small_holes(outline, settings.sieve_px) for outline in outlines]
    flat = [hole for group in holes for hole in group]
    unseen = _with_unseen(source, flat, settings.strip_rows)
    keep = iter(unseen)
    return [
        without_holes(outline, [hole for hole in group if not next(keep)]) if group else outline
        for outline, group in zip(outlines, holes, strict=True)
    ]


def _with_unseen(source: PixelSource, holes: Sequence[Polygon], strip_rows: int) -> list[bool]:
    """Whether each hole holds a pixel that was not seen."""
    found = [False] * len(holes)
    if not holes:
        return found
    inside = [pixels_inside(hole) for hole in holes]
    rows = np.concatenate([r for r, _ in inside])
    columns = np.concatenate([c for _, c in inside])
    owner = np.repeat(np.arange(len(holes)), [len(r) for r, _ in inside])
    height = source.grid.shape[0]
    for row0 in range(0, height, strip_rows):
        row1 = min(row0 + strip_rows, height)
        here = (rows >= row0) & (rows < row1)
        if here.any():
            valid = source.rows(row0, row1).valid
            for hole in owner[here][~valid[rows[here] - row0, columns[here]]].tolist():
                found[hole] = True
    return found


def _on_ground(outlines: Sequence[Outline], grid: Grid) -> gpd.GeoSeries:
    """Outlines in the scene's coordinate system."""
    t = grid.transform

    def place(xy: ndarray) -> ndarray:
        return np.stack([t.c + xy[:, 0] * t.a, t.f + xy[:, 1] * t.e], axis=1)

    placed = shapely.transform(np.array(outlines, dtype=object), place)
    return gpd.GeoSeries(placed, crs=grid.crs)


def _frame(
    geometry: gpd.GeoSeries,
    regions: Sequence[Region],
    area: ndarray,
    perimeter: ndarray,
    facts: MapFacts,
    crs: CRS,
) -> gpd.GeoDataFrame:
    n = len(regions)
    columns: dict[str, Any] = {
        "landslide_id": np.arange(1, n + 1, dtype=np.int64),
        "area_m2": area,
        "perimeter_m": perimeter,
        "n_pixels": np.array([region.pixels for region in regions], dtype=np.int64),
    }
    if all(region.steps_sum is not None for region in regions):
        columns["probability_mean"] = np.array(
            [PROBABILITY_STEP * (r.steps_sum or 0) / r.pixels for r in regions], np.float64
        )
        columns["probability_min"] = np.array(
            [PROBABILITY_STEP * (r.steps_min or 0) for r in regions], np.float64
        )
    columns["cut_off"] = np.array([region.cut_off for region in regions], np.bool_)
    # An interval has two ends or is none.
    known = facts.date is not None and facts.date_before is not None
    for name, value in (
        ("scene", facts.scene),
        ("epoch", facts.epoch),
        ("sensor", facts.sensor),
        ("image_date", None if facts.date is None else facts.date.isoformat()),
        ("date_kind", "interval" if known else "unknown"),
        ("source", facts.source),
        ("confidence", None),
    ):
        columns[name] = np.full(n, value, dtype=object)
    for name, day in (("date_start", facts.date_before), ("date_end", facts.date)):
        columns[name] = np.full(n, np.datetime64(day if known else "NaT", "s"))
    columns["synthetic"] = np.full(n, facts.synthetic)
    return gpd.GeoDataFrame(columns, geometry=geometry, crs=crs)
