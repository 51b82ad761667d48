"""Largest differences between the terrain code and published tools, where these are importable.

    python benchmarks/terrain_agreement.py

xdem, topotoolbox and pysheds cannot or shall not share this project's environment (pandas < 3; GPL;
a function that NumPy removed): make another one, install them and this project's `numba`, `pyproj`
and `rasterio` there, and put the project on PYTHONPATH. A tool that is absent is left out by name.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from terrain import SIDE_M, mountains

from hazard.geo.directions import flow_directions
from hazard.geo.fill import OUTLET, fill_depressions
from hazard.geo.flow import route_flow
from hazard.geo.terrain import derivatives

CELL = (SIDE_M, SIDE_M)


def with_xdem(z: np.ndarray) -> None:
    import rasterio
    import xdem

    part = z[:800, :800].astype(np.float64)
    dem = xdem.DEM.from_array(
        part, transform=rasterio.Affine(SIDE_M, 0, 5e5, 0, -SIDE_M, 4e6), crs=32645, nodata=-9999
    )
    layers = xdem.terrain.get_terrain_attribute(
        dem,
        ["slope", "aspect", "profile_curvature", "tangential_curvature"],
        surface_fit="ZevenbergThorne",
        curv_method="directional",
    )
    slope, aspect, profile, plan = (
        np.ma.filled(np.ma.asarray(layer.data).astype(np.float64), np.nan) for layer in layers
    )
    ours = derivatives(part, np.ones(part.shape, bool), CELL, edges="invalid")
    both = ours.valid & np.isfinite(slope) & np.isfinite(profile) & np.isfinite(plan)
    turn = np.arctan2(ours.eastness, ours.northness) - np.radians(aspect)
    report("pixels", both.sum())
    report("slope [degree]", np.abs(ours.slope_deg - slope)[both].max())
    report("aspect [degree]", np.degrees(np.abs(np.angle(np.exp(1j * turn)))[both].max()))
    report("profile curvature [1/m]", np.abs(ours.profile_curvature - profile / 100)[both].max())
    report("plan curvature [1/m]", np.abs(ours.plan_curvature + plan / 100)[both].max())
    report("mean size of the plan curvature [1/m]", np.abs(ours.plan_curvature[both]).mean())


def with_topotoolbox(z: np.ndarray) -> None:
    import topotoolbox

    dem = topotoolbox.GridObject()
    dem.z, dem.cellsize = z.copy(), SIDE_M
    flow = route_flow(z, np.ones(z.shape, bool), CELL)
    report("filled surface [m]", np.abs(np.asarray(dem.fillsinks().z) - flow.filled_m).max())
    theirs = np.asarray(topotoolbox.FlowObject(dem).flow_accumulation().z)
    report("largest D8 area, theirs [pixel]", theirs.max())
    report("largest D8 area, ours [pixel]", flow.d8_area_m2().max() / SIDE_M**2)


def with_pysheds(z: np.ndarray) -> None:
    if not hasattr(np, "in1d"):
        setattr(np, "in1d", np.isin)  # noqa: B010
    from affine import Affine
    from pysheds.grid import Grid
    from pysheds.view import Raster, ViewFinder

    flood = fill_depressions(z, np.ones(z.shape, bool))
    view = ViewFinder(
        affine=Affine(SIDE_M, 0, 0, 0, -SIDE_M, 0), shape=z.shape, nodata=np.float64(-9999)
    )
    dem = Raster(flood.filled_m.astype(np.float64), view)
    theirs = np.asarray(Grid.from_raster(dem).flowdir(dem, routing="dinf"))
    directions = flow_directions(flood, CELL)
    # Pixels with an angle in both: theirs has none on flats, and none at the edge.
    both = np.isfinite(theirs) & (theirs >= 0) & (directions.facet < OUTLET)
    both[[0, -1]] = both[:, [0, -1]] = False
    turn = np.angle(np.exp(1j * (theirs - directions.angle_rad(CELL))))[both]
    report("pixels", both.sum())
    report("D-infinity angle [rad]", np.abs(turn).max())


def report(what: str, value: Any) -> None:
    print(f"  {what}: {float(value):.9g}")


TOOLS: dict[str, Callable[[np.ndarray], None]] = {
    "xdem": with_xdem,
    "topotoolbox": with_topotoolbox,
    "pysheds": with_pysheds,
}


def main() -> int:
    z = mountains(2000, 2000)
    for name, compare in TOOLS.items():
        if importlib.util.find_spec(name) is None:
            print(f"{name}: not importable here, left out")
            continue
        print(f"{name} {importlib.metadata.version(name)}: largest differences")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compare(z)
    return 0


if __name__ == "__main__":
    sys.exit(main())
