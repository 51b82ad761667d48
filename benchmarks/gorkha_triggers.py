"""Errors of the Gorkha trigger layers: instruments against derived PGA, rain left out in turn.

    python benchmarks/gorkha_triggers.py ../shared/data/gorkha

prints the tables of docs/triggers.md. Nothing here is timed.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from hazard.geo.class_polygons import classes_on_grid, read_value_polygons
from hazard.geo.epochs import Epoch
from hazard.geo.intensity import check_bands, read_intensity_bands
from hazard.geo.rain import rain_on_grid
from hazard.geo.rain_read import read_rain_points
from hazard.geo.raster import read_info
from hazard.geo.strong_motion import read_stations

# The nominal half-years of configs/gorkha.yaml; the end is the first day after the epoch.
EPOCHS = (
    ("coseismic 2015", "2015-04-25", "2015-06-16"),
    ("post-monsoon 2015", "2015-06-16", "2015-12-16"),
    ("pre-monsoon 2016", "2015-12-16", "2016-06-16"),
    ("post-monsoon 2016", "2016-06-16", "2016-12-16"),
    ("pre-monsoon 2017", "2016-12-16", "2017-06-16"),
    ("post-monsoon 2017", "2017-06-16", "2017-12-16"),
)


def main(folder: Path) -> None:
    """Print the station check and the leave-one-out table."""
    stations = read_stations(folder / "strong_motion_stations.xml")
    for value_is in ("lower", "midpoint", "upper"):
        bands = read_intensity_bands(folder / "mmi_contours.gpkg", value_is=value_is)
        for flagged in (False, True):
            check = check_bands(bands, stations, include_flagged=flagged)
            print(f"file value is the {value_is} edge: {check.sentence()}")
    lower = read_intensity_bands(folder / "mmi_contours.gpkg")
    lon = np.array([s.lon_deg for s in stations])
    lat = np.array([s.lat_deg for s in stations])
    excess = np.array([s.mmi for s in stations]) - lower.polygons.at(lon, lat, "EPSG:4326")
    unflagged = np.array([s.instrumental and not s.flagged for s in stations])
    seen = excess[unflagged & np.isfinite(excess)]
    print(
        f"listed intensity minus file value at {seen.size} unflagged instruments: "
        f"median {np.median(seen):.2f}, mean {seen.mean():.2f}"
    )

    grid = read_info(folder / "landslide_area_density_1km.tif").grid
    classes = read_value_polygons(folder / "ReclassifiedPGA.shp", field="gridcode")
    mmi, number = lower.mmi_on_grid(grid), classes_on_grid(classes, grid).values
    medians = [float(np.median(mmi[number == value])) for value in (1, 2, 3, 4)]
    print(f"PGA classes 1 to 4: area shares {classes.area_share.round(3)}, median MMI {medians}")
    epochs = [
        Epoch(name=name, start=dt.date.fromisoformat(start), end=dt.date.fromisoformat(end))
        for name, start, end in EPOCHS
    ]
    daily = read_rain_points(folder / "chirps_daily_points.parquet", station="station")
    result = rain_on_grid(daily, epochs, grid)
    print(*result.notes, sep="\n")
    median, most = result.nearest_site_m
    print(f"cell to nearest point: median {median / 1000:.1f} km, most {most / 1000:.1f} km")
    spline = rain_on_grid(daily, epochs, grid, method="thin_plate")
    print("thin plate:", *(note for note in spline.notes if "beyond" in note), sep="\n  ")
    pooled: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for row in result.leave_one_out:
        pooled[row.statistic, row.method].append(
            (row.rmse_mm_day**2, row.bias_mm_day, row.rmse_inside_mm_day**2)
        )
        if row.method == result.method[row.statistic]:
            print(
                f"{row.statistic} | {row.epoch} | {row.method} | RMSE {row.rmse_mm_day:.1f} | "
                f"bias {row.bias_mm_day:+.1f} | n {row.n} | inside {row.rmse_inside_mm_day:.1f} "
                f"(n {row.n_inside})"
            )
    for (statistic, method), rows in pooled.items():
        square, bias, inside = np.mean(rows, axis=0)
        print(
            f"pooled | {statistic} | {method} | RMSE {square**0.5:.1f} | bias {bias:+.1f} | "
            f"inside {inside**0.5:.1f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
