"""The coordinate system of a vector layer, and areas of its polygons in metres."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
from pyproj import CRS
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import LambertAzimuthalEqualAreaConversion
from pyproj.exceptions import CRSError

from stats.command.errors import DataError


def is_metric(crs: CRS) -> bool:
    """True for a projected coordinate system whose axes are in metres."""
    return bool(
        crs.is_projected and all(axis.unit_conversion_factor == 1.0 for axis in crs.axis_info[:2])
    )


def as_crs(value: Any, source: object) -> CRS:
    """`pyproj.CRS` of any usual description.

    Raises:
        DataError: a description that PROJ does not know.
    """
    try:
        return CRS.from_user_input(value)
    except (CRSError, TypeError, ValueError) as error:
        raise DataError(
            source, found=f"coordinate system {value!r}", expected="one that PROJ knows"
        ) from error


def layer_crs(frame: gpd.GeoDataFrame, override: Any, source: str, notes: list[str]) -> CRS:
    """Coordinate system of a layer: the file's, or the one stated for a file without any.

    Raises:
        DataError: none at all, or a stated one that contradicts the file's.
    """
    if frame.crs is None:
        if override is None:
            raise DataError(
                source,
                found="no coordinate system",
                expected="one in the file (a .prj beside a shapefile), or `crs` to state it",
            )
        notes.append("coordinate system stated by the caller; the file has none")
        return as_crs(override, source)
    own = CRS.from_user_input(frame.crs)
    if override is not None and not as_crs(override, source).equals(own, ignore_axis_order=True):
        raise DataError(
            source,
            found=f"coordinate system {own.name!r} in the file and `crs` {override!r}",
            expected="`crs` only for a file without one",
        )
    return own


def polygon_area_m2(
    geometry: gpd.GeoSeries, crs: CRS, metric_crs: Any, source: str
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], CRS]:
    """Areas in the given metric system, the file's own, or an equal-area one around the data."""
    if metric_crs is not None:
        target = as_crs(metric_crs, source)
        if not is_metric(target):
            raise DataError(
                source,
                found=f"metric_crs {target.name!r}",
                expected="a projected coordinate system in metres",
            )
    elif is_metric(crs):
        target = crs
    else:
        if not len(geometry):
            return np.empty(0, dtype=np.float64), crs
        west, south, east, north = geometry.to_crs("EPSG:4326").total_bounds
        # A degree of slack: data may run over the date line a little, never over a pole.
        if not (-361 <= west <= east <= 361 and -90 <= south <= north <= 90):
            raise DataError(
                source,
                found=f"longitudes {west:g} to {east:g}, latitudes {south:g} to {north:g}",
                expected=f"coordinates that fit {crs.name!r}",
            )
        lat, lon = (south + north) / 2, (west + east) / 2
        target = ProjectedCRS(
            LambertAzimuthalEqualAreaConversion(round(lat, 4), round(lon, 4)),
            name=f"Lambert azimuthal equal-area around {lat:.4f}, {lon:.4f}",
        )
    projected = geometry if target == crs else geometry.to_crs(target)
    # Coordinates beyond the domain come out infinite; they are named below, not warned about.
    with np.errstate(invalid="ignore", over="ignore"):
        area = np.asarray(projected.area, dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(area))
    if wrong.size:
        raise DataError(
            source,
            found=f"a polygon outside the domain of {target.name!r} (row {wrong[0] + 1})",
            expected="coordinates that fit the file's coordinate system",
        )
    return area, target
