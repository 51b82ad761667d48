"""Epochs drawn by hand."""

import datetime as dt

import shapely
from pyproj import CRS

from detection.inventory.epoch_map import EpochMap
from detection.inventory.ground import as_geometries

UTM = CRS("EPSG:32645")


def epoch(year, *shapes, footprint=None, **more):
    """One calendar year; a shape is (west, south, east, north) or a geometry."""
    polygons = [s if isinstance(s, shapely.Geometry) else shapely.box(*s) for s in shapes]
    seen = shapely.box(*footprint) if isinstance(footprint, tuple) else footprint
    return EpochMap(
        name=str(year),
        start=dt.date(year, 1, 1),
        end=dt.date(year, 12, 31),
        geometries=as_geometries(polygons),
        crs=UTM,
        footprint=seen,
        **more,
    )


def areas(parts):
    """Areas of the statuses that occur, rounded [m2]."""
    names = ("new", "expanded", "reactivated", "persistent", "recovered", "unobserved")
    return {s: round(parts.area_m2(s), 3) for s in names if parts.area_m2(s) > 1e-9}
