"""Shaking from bands of macroseismic intensity: MMI raster, then PGA, marked as derived.

A band says only that the intensity lies between two contours. The raster holds the midpoint; the
half width is kept as a quantisation error and enters the sigma of the derived PGA together with
the conversion's own. One set of bands describes one event, so a spread over events cannot come
from it: `pga_sd` is absent, by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hazard.errors import DataError
from hazard.geo import gmice
from hazard.geo.class_polygons import ValuePolygons, read_value_polygons
from hazard.geo.grid import FloatArray, Grid
from hazard.geo.shaking import ONE_EVENT, Shaking
from hazard.geo.strong_motion import Station, StationCheck, check_stations, read_stations

Edge = Literal["lower", "midpoint", "upper"]
INTENSITY_UNITS = ("", "intensity", "mmi", "MMI")
GEOGRAPHIC = "EPSG:4326"


@dataclass(frozen=True, kw_only=True, eq=False)
class IntensityBands:
    """Bands between contours of equal intensity.

    Attributes:
        polygons: the bands as in the file.
        width_mmi: width of a band.
        value_is: which edge of a band the file's value names.
    """

    polygons: ValuePolygons
    width_mmi: float
    value_is: Edge

    @property
    def to_midpoint(self) -> float:
        """What is added to a file value to get the midpoint of its band [MMI]."""
        return {"lower": 0.5, "midpoint": 0.0, "upper": -0.5}[self.value_is] * self.width_mmi

    def mmi_at(self, x: FloatArray, y: FloatArray, crs: Any) -> FloatArray:
        """(n,) band midpoint at points, NaN outside all bands."""
        return self.polygons.at(x, y, crs) + self.to_midpoint

    def mmi_on_grid(self, grid: Grid) -> FloatArray:
        """(y, x) band midpoint at cell centres, NaN outside all bands."""
        return self.polygons.on_grid(grid) + self.to_midpoint


def read_intensity_bands(
    path: Path | str,
    *,
    field: str = "value",
    units_field: str = "units",
    width_mmi: float = 0.5,
    value_is: Edge = "lower",
    layer: str | None = None,
) -> IntensityBands:
    """Read bands of macroseismic intensity.

    Args:
        path: vector file of polygons.
        field: column of the band's intensity.
        units_field: column of the unit; where present it must say intensity.
        width_mmi: distance between contours; the values must be multiples of it apart.
        value_is: edge of the band that the value names. ``lower`` fits polygons that were made
            from contour lines, which reach from their line to the next higher one.
        layer: layer name, needed where a file has several.

    Raises:
        DataError: see `read_value_polygons`; another unit, intensities outside 1 to 12, or values
            that are not spaced by the width.
    """
    if value_is not in ("lower", "midpoint", "upper") or not width_mmi > 0:
        raise ValueError(f"value_is {value_is!r} or width {width_mmi}: not possible")
    polygons = read_value_polygons(path, field=field, units_field=units_field, layer=layer)
    if polygons.units not in INTENSITY_UNITS:
        raise DataError(path, found=f"unit {polygons.units!r}", expected="intensity (MMI)")
    values = polygons.values
    if values.min() < 1 or values.max() > 12:
        raise DataError(
            path, found=f"{field!r} from {values.min():g} to {values.max():g}",
            expected="modified Mercalli intensities, 1 to 12",
        )  # fmt: skip
    steps = (values - values[0]) / width_mmi
    if np.abs(steps - np.round(steps)).max() > 1e-6:
        raise DataError(
            path, found=f"band values {np.unique(values).tolist()}",
            expected=f"values {width_mmi:g} MMI apart",
        )  # fmt: skip
    return IntensityBands(polygons=polygons, width_mmi=width_mmi, value_is=value_is)


def check_bands(
    bands: IntensityBands, stations: tuple[Station, ...], *, include_flagged: bool = False
) -> StationCheck:
    """Derived PGA against instruments, at the stations' own places (on or off the study grid)."""
    lon = np.array([s.lon_deg for s in stations])
    lat = np.array([s.lat_deg for s in stations])
    derived = gmice.pga_from_mmi(bands.mmi_at(lon, lat, GEOGRAPHIC))
    return check_stations(stations, derived, include_flagged=include_flagged)


def shaking_from_bands(
    bands: IntensityBands, grid: Grid, *, stations: Path | str | None = None
) -> Shaking:
    """MMI, derived PGA and its sigma on `grid`.

    Args:
        bands: intensity bands of one event.
        grid: target cells; each takes the band its centre lies in.
        stations: ShakeMap station list on which the conversion is checked; the check, with and
            without flagged records, is stored with the layers.

    Returns:
        Layers ``mmi``, ``pga`` [m/s2] and ``pga_ln_sigma``; ``pga_sd`` is absent by name.

    Raises:
        DataError: no band on the grid, or a station list that cannot be used.
    """
    mmi = bands.mmi_on_grid(grid)
    valid = np.isfinite(mmi)
    path = bands.polygons.path
    if not valid.any():
        raise DataError(path, found="no intensity band on the grid", expected="overlap with it")
    checks: tuple[StationCheck, ...] = ()
    if stations is not None:
        records = read_stations(stations)
        checks = tuple(
            check_bands(bands, records, include_flagged=flagged) for flagged in (False, True)
        )
    half = bands.width_mmi / 2
    notes = [
        f"midpoints of bands of {bands.width_mmi:g} MMI (value in the file: {bands.value_is} "
        f"edge); quantisation +-{half:g} MMI",
        f"PGA by {gmice.NAME}; pga_ln_sigma holds its sigma and the quantisation",
    ]
    top = float(bands.polygons.values[-1] + bands.to_midpoint)
    notes.append(f"the highest band is open above; its midpoint {top:g} is a lower estimate")
    if bands.polygons.n_repaired:
        notes.append(f"{bands.polygons.n_repaired} invalid polygons were repaired")
    if not valid.all():
        notes.append(f"{int((~valid).sum())} cells lie in no band")
    notes.extend(check.sentence() for check in checks)
    derived = f"macroseismic intensity ({Path(path).name}) by {gmice.NAME}"
    return Shaking(
        layers={
            "mmi": mmi,
            "pga": gmice.pga_from_mmi(mmi),
            "pga_ln_sigma": gmice.pga_ln_sigma(mmi, band_width_mmi=bands.width_mmi),
        },
        valid=dict.fromkeys(("mmi", "pga", "pga_ln_sigma"), valid),
        grid=grid,
        derived_from={"pga": derived, "pga_ln_sigma": derived},
        notes=tuple(notes),
        absent={"pga_sd": ONE_EVENT},
        n_events=valid.astype(np.int16),
        events=(Path(path).name,),
        checks=checks,
    )
