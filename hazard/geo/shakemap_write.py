"""Write a ShakeMap as an ordinary `grid.xml` or `grid.xml.gz`, in the units its readers expect."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import IO
from xml.sax.saxutils import quoteattr

import numpy as np

from hazard.errors import DataError
from hazard.geo.beside import write_beside
from hazard.geo.shakemap import ShakeMap
from hazard.variables import PERCENT_G_TO_M_S2

NAMESPACE = "http://earthquake.usgs.gov/eqcenter/shakemap"

# Layer -> (field, unit in the file, factor from our unit to the file's).
FIELDS: Mapping[str, tuple[str, str, float]] = {
    "pga": ("PGA", "pctg", 1.0 / PERCENT_G_TO_M_S2),
    "pgv_cm_s": ("PGV", "cms", 1.0),
    "mmi": ("MMI", "intensity", 1.0),
    "psa03": ("PSA03", "pctg", 1.0 / PERCENT_G_TO_M_S2),
    "psa10": ("PSA10", "pctg", 1.0 / PERCENT_G_TO_M_S2),
    "psa30": ("PSA30", "pctg", 1.0 / PERCENT_G_TO_M_S2),
    "pga_ln_sigma": ("STDPGA", "ln(pctg)", 1.0),
    "urat": ("URAT", "", 1.0),
    "svel_m_s": ("SVEL", "ms", 1.0),
}


def _attributes(**values: object) -> str:
    return " ".join(f"{key}={quoteattr(str(value))}" for key, value in values.items())


def _write(stream: IO[str], shakemap: ShakeMap, names: list[str], digits: int) -> None:
    event, lon, lat = shakemap.event, shakemap.lon, shakemap.lat
    moment = event.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SUTC")
    root = _attributes(
        xmlns=NAMESPACE, event_id=event.event_id, shakemap_id=event.event_id,
        shakemap_version=event.version, map_status=event.status,
    )  # fmt: skip
    head = _attributes(
        event_id=event.event_id, magnitude=repr(event.magnitude), depth=repr(event.depth_km),
        lat=repr(event.lat_deg), lon=repr(event.lon_deg), event_timestamp=moment,
        event_network=event.network, event_description=event.description,
    )  # fmt: skip
    box = _attributes(
        lon_min=repr(float(lon[0])), lat_min=repr(float(lat[-1])),
        lon_max=repr(float(lon[-1])), lat_max=repr(float(lat[0])),
        nominal_lon_spacing=f"{(lon[-1] - lon[0]) / (lon.size - 1):.6f}",
        nominal_lat_spacing=f"{(lat[0] - lat[-1]) / (lat.size - 1):.6f}",
        nlon=lon.size, nlat=lat.size,
    )  # fmt: skip
    stream.write('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n')
    stream.write(f"<shakemap_grid {root}>\n<event {head} />\n<grid_specification {box} />\n")
    for name, value in shakemap.uncertainty.items():
        stream.write(
            f"<event_specific_uncertainty {_attributes(name=name, value=repr(value))} />\n"
        )
    columns = [("LON", "dd"), ("LAT", "dd"), *(FIELDS[name][:2] for name in names)]
    for index, (name, unit) in enumerate(columns, start=1):
        stream.write(f"<grid_field {_attributes(index=index, name=name, units=unit)} />\n")
    stream.write("<grid_data>\n")
    row_format = ["%.6f", "%.6f", *[f"%.{digits}g"] * len(names)]
    for row in range(lat.size):
        fields = [np.asarray(shakemap.layers[name][row]) * FIELDS[name][2] for name in names]
        table = np.column_stack([lon, np.full(lon.size, lat[row]), *fields])
        np.savetxt(stream, table, fmt=row_format)
    stream.write("</grid_data>\n</shakemap_grid>\n")


def write_shakemap(path: Path | str, shakemap: ShakeMap, *, digits: int = 7) -> None:
    """Write `shakemap` to `path`; gzip where the name ends in .gz.

    Accelerations go out in percent of g, PGV in cm/s, standard deviations of logarithms as they
    are. Reading the file back gives the layers to `digits` significant digits and the event to
    the second. The same map gives the same bytes (no time stamp in the gzip header).

    Args:
        path: final name; the file is written beside it and renamed.
        shakemap: layers named as in `FIELDS`, on a regular lattice.
        digits: significant digits of the fields.

    Raises:
        DataError: a layer without a ShakeMap field, or of another shape than the lattice.

    Example:
        >>> sorted(FIELDS)[:3]
        ['mmi', 'pga', 'pga_ln_sigma']
    """
    target = Path(path)
    names = list(shakemap.layers)
    unknown = [name for name in names if name not in FIELDS]
    if unknown or not names:
        raise DataError(
            target,
            found=f"layers {unknown or 'none'}",
            expected="layers among " + ", ".join(FIELDS),
        )
    for name in names:
        if np.shape(shakemap.layers[name]) != shakemap.shape:
            raise DataError(
                target,
                found=f"{name} of shape {np.shape(shakemap.layers[name])}",
                expected=f"the lattice's {shakemap.shape}",
            )
    with write_beside(target) as part, part.open("wb") as raw:
        if target.suffix == ".gz":
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
                io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as stream,
            ):
                _write(stream, shakemap, names, digits)
        else:
            with io.TextIOWrapper(raw, encoding="utf-8", newline="\n") as stream:
                _write(stream, shakemap, names, digits)
