"""Inventories of several epochs on one metric lattice, and the ground that was looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stats.case_arrays import FloatArray
from stats.command.density_settings import DensitySettings
from stats.command.errors import DataError, UsageError
from stats.command.sizes_input import Areas, expand_sources, labels_of, read_areas
from stats.density.window import Window

if TYPE_CHECKING:
    from pyproj import CRS

MOST_CELLS = 25_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochPoints:
    """The landslides of one epoch.

    Attributes:
        name: of the epoch.
        areas: inventory as it was read.
        x_m: (landslide,) eastings of a point inside each outline [m].
        y_m: northings [m].
        area_m2: (landslide,) areas [m2].
        years: length of the epoch; NaN where unknown.
    """

    name: str
    areas: Areas
    x_m: FloatArray
    y_m: FloatArray
    area_m2: FloatArray
    years: float


def read_epochs(settings: DensitySettings, advance: Any) -> tuple[tuple[EpochPoints, ...], CRS]:
    """Every inventory, and the coordinate system of the maps.

    A landslide stands at a point inside its outline: the centre of a curved one may lie outside.

    Raises:
        UsageError: names or lengths that do not pair with the inventories.
        DataError: a file that cannot be read, a table without outlines, a coordinate system that
            is not in metres.
    """
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    sources = expand_sources(settings.inventories)
    labels = labels_of(sources)
    names = settings.epochs or tuple(labels)
    for option, given in (("--epochs", settings.epochs), ("--years", settings.years)):
        if given and len(given) not in ({1, len(sources)} if option == "--years" else
                                        {len(sources)}):  # fmt: skip
            raise UsageError(f"{option}: found {len(given)} for {len(sources)} inventories")
    if len(set(names)) < len(names):
        raise UsageError(f"--epochs: found {', '.join(names)}; expected names that differ")
    years = settings.years or (math.nan,)
    years = years * len(sources) if len(years) == 1 else years
    crs = None
    if settings.crs is not None:
        try:
            crs = CRS.from_user_input(settings.crs)
        except CRSError:
            raise UsageError(
                f"--crs: found {settings.crs!r}; expected such as EPSG:32645"
            ) from None
    epochs: list[EpochPoints] = []
    for source, label, name, length in zip(sources, labels, names, years, strict=True):
        areas = read_areas(source, label)
        if areas.table is None:
            raise DataError(source, found="a table of areas", expected="outlines, to be placed")
        if crs is None:
            crs = areas.table.crs
        if not crs.is_projected or abs(crs.axis_info[0].unit_conversion_factor - 1.0) > 1e-9:
            raise DataError(
                source, found=f"{crs.name}, not in metres",
                expected="--crs with a metric coordinate system for the maps",
            )  # fmt: skip
        points = areas.table.frame.geometry.to_crs(crs).representative_point()
        epochs.append(
            EpochPoints(
                name=name,
                areas=areas,
                x_m=points.x.to_numpy(np.float64),
                y_m=points.y.to_numpy(np.float64),
                area_m2=areas.areas_m2,
                years=float(length),
            )
        )
        advance(1)
    assert crs is not None  # there is at least one inventory
    return tuple(epochs), crs


def window_of(
    settings: DensitySettings, epochs: Sequence[EpochPoints], crs: CRS
) -> tuple[Window, str]:
    """The lattice of the study and how it was found.

    A cell is inside where its centre lies on the ground that was looked at.

    Raises:
        DataError: a window without polygons, or one that needs more cells than are allowed.
    """
    cell = settings.cell_m
    if settings.window is None:
        x = np.concatenate([e.x_m for e in epochs])
        y = np.concatenate([e.y_m for e in epochs])
        west, south = (math.floor(float(v.min()) / cell) * cell for v in (x, y))
        shape = (int((y.max() - south) // cell) + 1, int((x.max() - west) // cell) + 1)
        _check_size(shape, str(settings.inventories[0]))
        inside = np.ones(shape, dtype=bool)
        how = (
            "the rectangle around all landslides: a guess that makes densities too high where the "
            "ground looked at was larger; the option window names it"
        )
        north = south + shape[0] * cell
        return Window(inside=inside, west_m=west, north_m=north, cell_m=cell), how
    import rasterio.features
    from affine import Affine

    from stats.command.vector_file import read_vector

    frame = read_vector(settings.window).frame
    outlines = frame.geometry[~(frame.geometry.isna() | frame.geometry.is_empty)]
    outlines = outlines[outlines.geom_type.isin(["Polygon", "MultiPolygon"])]
    if outlines.empty:
        raise DataError(settings.window, found="no polygons", expected="the ground looked at")
    if outlines.crs is None:
        raise DataError(settings.window, found="no coordinate system", expected="one")
    outlines = outlines.to_crs(crs)
    left, bottom, right, top = outlines.total_bounds
    west, south = math.floor(left / cell) * cell, math.floor(bottom / cell) * cell
    shape = (math.ceil((top - south) / cell), math.ceil((right - west) / cell))
    _check_size(shape, str(settings.window))
    north = south + shape[0] * cell
    transform = Affine(cell, 0.0, west, 0.0, -cell, north)
    inside = rasterio.features.rasterize(
        outlines.to_numpy(), out_shape=shape, transform=transform, dtype="uint8"
    ).astype(bool)
    if not inside.any():
        raise DataError(
            settings.window, found=f"ground smaller than a cell of {cell:g} m",
            expected="a smaller --cell",
        )  # fmt: skip
    return (
        Window(inside=inside, west_m=west, north_m=north, cell_m=cell),
        f"{settings.window.name}, cells by their centres",
    )


def _check_size(shape: tuple[int, int], source: str) -> None:
    if shape[0] * shape[1] > MOST_CELLS:
        raise DataError(
            source, found=f"{shape[0]} x {shape[1]} cells", expected=f"at most {MOST_CELLS:,}: a "
            "larger --cell",
        )  # fmt: skip
