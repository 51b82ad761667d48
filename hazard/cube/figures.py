"""The page of small maps of a cube: every layer once, landslides and rain once per epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hazard.cube.layout import NO_CLASS, Cube
from hazard.variables import VARIABLES
from stats.command.map_panels import MAXIMUM_PIXELS, MapPanel, PanelKind, draw_map_pages

Progress = Callable[[int], None]
AnyArray = np.ndarray[Any, np.dtype[Any]]

DIVERGING = ("profile_curvature", "plan_curvature", "northness", "eastness")
SHORT_TITLES = {
    "elevation_m": "elevation",
    "slope_deg": "slope",
    "northness": "northness (1 faces north)",
    "eastness": "eastness (1 faces east)",
    "profile_curvature": "profile curvature (+ convex)",
    "plan_curvature": "plan curvature (+ hollow)",
    "twi": "topographic wetness index",
    "stream_distance_m": "distance to stream",
    "pga": "peak ground acceleration",
    "pga_sd": "sd of PGA over events",
    "pga_ln_sigma": "sd of ln PGA",
    "mmi": "macroseismic intensity",
    "rain_max_mm_day": "maximum daily rain",
    "rain_width_mm_day": "width of daily rain",
}
SHOWN_UNITS = {"m s-2": "m/s$^2$", "mm day-1": "mm/day", "degree": "degrees", "m-1": "1/m"}
COLOUR_MAPS = {
    "elevation_m": "cividis", "rain_max_mm_day": "Blues", "rain_width_mm_day": "Blues",
    "pga": "inferno_r", "mmi": "inferno_r",
}  # fmt: skip


def draw_cube(cube: Cube, folder: Path, *, progress: Progress | None = None) -> list[Path]:
    """Draw ``cube.png`` (and ``cube_2.png``, ...) of a cube.

    Args:
        cube: opened cube.
        folder: where the pages go.
        progress: called with 1 per page.

    Returns:
        The files written.
    """
    panels = cube_panels(cube)
    notes = [f"Absent: {name} ({reason})." for name, reason in cube.absent.items()]
    notes.append("Grey: outside the study mask, or not observed in the epoch.")
    written = draw_map_pages(
        panels, folder / "cube.png", title=cube.title, synthetic=cube.synthetic, notes=notes
    )
    # Pages of an earlier, longer cube would pass for pages of this one.
    for old in folder.glob("cube_*.png"):
        if old not in written:
            old.unlink()
    if progress is not None:
        progress(len(written))
    return written


def cube_panels(cube: Cube) -> list[MapPanel]:
    """One panel per static layer and per epoch of the others, in reading order."""
    mask = np.asarray(cube.root["mask"].isel(epoch=0).values, dtype=np.bool_)
    panels = _epoch_panels(cube, "area_density", cube.root, "landslides", "log", mask)
    for name, title in (("observation_probability", "chance of record"),
                        ("false_alarms", "false alarms")):  # fmt: skip
        if name in cube.root:
            panels += _epoch_panels(cube, name, cube.root, title, "sequential", mask)
    panels += _static_panels(cube, cube.pixels, mask, factor=cube.pixels_per_cell)
    panels += _static_panels(cube, cube.cells, mask, factor=1)
    panels += _trigger_panels(cube, mask)
    return panels


def _kind(name: str, variable: Any) -> PanelKind:
    if variable.attrs.get("values") == "classes":
        return "classes"
    return "diverging" if name in DIVERGING else "sequential"


def _title(name: str, variable: Any) -> str:
    title = SHORT_TITLES.get(name, name.replace("_", " "))
    if "derived_from" in variable.attrs:
        title += ", derived"
    if "censored_below" in variable.attrs:
        title += f" (censored below {variable.attrs['censored_below']:g})"
    return title


def _unit(variable: Any) -> str:
    unit = str(variable.attrs.get("units", "1"))
    return SHOWN_UNITS.get(unit, unit)


def _thinned(variable: Any, mask: AnyArray, factor: int) -> AnyArray:
    """Every n-th position as float, NaN outside the mask."""
    step = max(1, -(-max(variable.shape[-2:]) // MAXIMUM_PIXELS))
    values = np.asarray(variable[..., ::step, ::step].values, dtype=np.float64)
    rows = np.arange(0, variable.shape[-2], step) // factor
    cols = np.arange(0, variable.shape[-1], step) // factor
    inside = mask[np.ix_(rows, cols)]
    if np.dtype(variable.dtype).kind in "iu":
        values = np.where(values == NO_CLASS, np.nan, values)
    return np.where(inside, values, np.nan)


def _static_panels(cube: Cube, dataset: Any, mask: AnyArray, *, factor: int) -> list[MapPanel]:
    names = [str(n) for n in dataset.data_vars if n != "filled" and not str(n).endswith("_flag")]
    declared = {name: order for order, name in enumerate(VARIABLES)}
    panels = []
    for name in sorted(names, key=lambda n: (declared.get(n, len(declared)), n)):
        variable = dataset[name]
        panels.append(
            MapPanel(
                values=_thinned(variable, mask, factor),
                extent_m=cube.grid.bounds,
                title=_title(name, variable),
                unit=_unit(variable),
                kind=_kind(name, variable),
                colour_map=COLOUR_MAPS.get(name),
            )
        )
    return panels


def _epoch_panels(
    cube: Cube, name: str, dataset: Any, title: str, kind: PanelKind, mask: AnyArray
) -> list[MapPanel]:
    """All epochs of a layer with one colour scale, so that they can be compared."""
    from stats.command.map_panels import colour_limits

    variable = dataset[name]
    stack = np.where(mask, np.asarray(variable.values, dtype=np.float64), np.nan)
    limits = colour_limits(stack, kind)
    extent = cube.grid.bounds if dataset is cube.root else cube.trigger_grid.bounds
    return [
        MapPanel(
            values=stack[index],
            extent_m=extent,
            title=f"{title}, {epoch.name}",
            unit="% of the cell" if name == "area_density" else _unit(variable),
            kind=kind,
            limits=limits,
            colour_map=COLOUR_MAPS.get(name),
        )
        for index, epoch in enumerate(cube.epochs)
    ]


def _trigger_panels(cube: Cube, mask: AnyArray) -> list[MapPanel]:
    from hazard.cube.trigger_layers import under_mask

    # The coarse cells may reach over the edge of the study; their extent says so.
    factor = -(-cube.grid.shape[0] // cube.trigger_grid.shape[0])
    needed = under_mask(mask, factor)
    panels = []
    for name in ("pga", "pga_sd", "pga_ln_sigma", "mmi"):
        if name in cube.triggers:
            variable = cube.triggers[name]
            values = np.where(needed, np.asarray(variable.values, np.float64), np.nan)
            # The strongest shaking is small in area and what the map is for: nothing is cut off.
            whole = (float(np.nanmin(values)), float(np.nanmax(values)))
            panels.append(
                MapPanel(
                    values=values,
                    limits=whole if whole[0] < whole[1] else None,
                    extent_m=cube.trigger_grid.bounds,
                    title=_title(name, variable),
                    unit=_unit(variable),
                    colour_map=COLOUR_MAPS.get(name),
                )
            )
    for name in ("rain_max_mm_day", "rain_width_mm_day"):
        if name in cube.triggers:
            panels += _epoch_panels(
                cube, name, cube.triggers, SHORT_TITLES[name], "sequential", needed
            )
    return panels
