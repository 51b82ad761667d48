"""Shaking on a grid: several events combined, with what is derived and what is absent by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hazard.errors import DataError
from hazard.geo.grid import FloatArray, Grid
from hazard.geo.raster import Raster
from hazard.geo.shakemap import ShakeMap, read_shakemap, shakemap_on_grid
from hazard.geo.strong_motion import StationCheck

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

ONE_EVENT = "needs at least two events; there is one"


@dataclass(frozen=True, kw_only=True, eq=False)
class Shaking:
    """Shaking predictors of a study.

    Attributes:
        layers: name (as in `hazard.variables`) -> (y, x) float64, NaN where invalid.
        valid: name -> (y, x) bool.
        grid: where the cells lie.
        derived_from: name -> what the layer was derived from; only for layers that no instrument
            or ShakeMap gives directly.
        notes: sentences for the provenance.
        absent: name -> why the predictor is not there. Nothing stands in for it.
        n_events: (y, x) number of events that cover a cell.
        events: names of the events.
        checks: comparison of derived layers with instruments.
    """

    layers: Mapping[str, FloatArray]
    valid: Mapping[str, BoolArray]
    grid: Grid
    derived_from: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    n_events: np.ndarray[Any, np.dtype[np.int16]] | None = None
    events: tuple[str, ...] = ()
    checks: tuple[StationCheck, ...] = ()


def combine_events(
    events: Sequence[Raster],
    *,
    names: Sequence[str] = (),
    ddof: Literal[0, 1] = 0,
    coverage: Literal["any", "all"] = "any",
) -> Shaking:
    """Maximum and standard deviation of PGA over several events on one grid.

    Cells that some events do not cover: with ``any`` the maximum and the spread are taken over
    the events that do (at least two for the spread) and the cells are counted in the notes and
    flagged by `n_events`; with ``all`` they are invalid. No value is assumed for an event beyond
    the edge of its map.

    Args:
        events: PGA [m/s2] of each event on the same grid.
        names: names of the events.
        ddof: 0 for the population standard deviation (the events are all there are, as in the
            published model), 1 for the sample one.
        coverage: rule for cells that some events do not cover.

    Returns:
        Layers ``pga`` and, for two or more events, ``pga_sd``; with one event ``pga_sd`` is
        named in `absent`.

    Raises:
        DataError: no event, or grids that differ.

    Example:
        >>> grid = Grid.from_bounds("EPSG:32645", (0, 0, 2000, 1000), cell_m=1000)
        >>> seen = np.ones((1, 2), bool)
        >>> weak, strong = (
        ...     Raster(values=np.full((1, 2), v, np.float32), valid=seen, grid=grid)
        ...     for v in (1.0, 3.0))
        >>> both = combine_events([weak, strong])
        >>> both.layers["pga"].tolist(), both.layers["pga_sd"].tolist()
        ([[3.0, 3.0]], [[1.0, 1.0]])
    """
    if not events:
        raise DataError("shaking", found="no event", expected="at least one")
    labels = tuple(names) or tuple(f"event {index}" for index in range(len(events)))
    if len(labels) != len(events):
        raise ValueError(f"{len(labels)} names for {len(events)} events")
    if ddof not in (0, 1) or coverage not in ("any", "all"):
        raise ValueError(f"ddof {ddof} or coverage {coverage!r}; use 0 or 1, 'any' or 'all'")
    grid = events[0].grid
    for label, event in zip(labels, events, strict=True):
        if not event.grid.same_as(grid):
            raise DataError(label, found=f"grid {event.grid.shape}", expected=f"{grid.shape}")
    values = np.stack([event.values for event in events]).astype(np.float64)
    covered = np.stack([event.valid for event in events])
    if (covered & ~np.isfinite(values)).any():
        raise DataError("shaking", found="valid cells without a value", expected="finite PGA")
    count = covered.sum(axis=0)
    partly = (count > 0) & (count < len(events))
    enough = count == len(events) if coverage == "all" else count > 0
    filled = np.where(covered, values, 0.0)
    layers = {"pga": np.where(enough, np.where(covered, values, -np.inf).max(axis=0), np.nan)}
    valid = {"pga": enough}
    notes = [f"maximum over {len(events)} event(s): " + ", ".join(labels)]
    absent: dict[str, str] = {}
    if len(events) == 1:
        absent["pga_sd"] = ONE_EVENT
    else:
        several = enough & (count >= 2)
        mean = filled.sum(axis=0) / np.maximum(count, 1)
        squares = np.where(covered, (values - mean) ** 2, 0.0).sum(axis=0)
        spread = np.sqrt(squares / np.maximum(count - ddof, 1))
        layers["pga_sd"] = np.where(several, spread, np.nan)
        valid["pga_sd"] = several
        kind = "population" if ddof == 0 else "sample"
        notes.append(f"pga_sd is the {kind} standard deviation over the events (ddof {ddof})")
    if partly.any():
        rule = "use the events that cover them" if coverage == "any" else "are invalid"
        notes.append(f"{int(partly.sum())} cells are not covered by all events and {rule}")
    return Shaking(
        layers=layers, valid=valid, grid=grid, notes=tuple(notes), absent=absent,
        n_events=count.astype(np.int16), events=labels,
    )  # fmt: skip


def _label(shakemap: ShakeMap) -> str:
    event = shakemap.event
    return f"M{event.magnitude:g} {event.time:%Y-%m-%d} {event.description}".strip()


def shaking_from_shakemaps(
    paths: Sequence[Path | str],
    grid: Grid,
    *,
    ddof: Literal[0, 1] = 0,
    coverage: Literal["any", "all"] = "any",
) -> Shaking:
    """Read ShakeMaps, bring them onto `grid` and combine them.

    Besides ``pga`` and ``pga_sd``, the intensity (maximum over events) and, for one event, the
    uncertainty of its estimate (``pga_ln_sigma``, from STDPGA) are given where the files have
    them. With several events ``pga_ln_sigma`` is that of the event with the largest PGA.

    Raises:
        DataError: a file that cannot be used, or no cell covered.
    """
    maps = [read_shakemap(path) for path in paths]
    for shakemap in maps:
        if "pga" not in shakemap.layers:
            raise DataError(
                shakemap.path, found=f"fields {sorted(shakemap.layers)}", expected="PGA among them"
            )
    on_grid = [shakemap_on_grid(shakemap, grid, "pga") for shakemap in maps]
    base = combine_events(
        on_grid, names=[_label(shakemap) for shakemap in maps], ddof=ddof, coverage=coverage
    )
    if not base.valid["pga"].any():
        raise DataError(
            maps[0].path,
            found=f"longitudes {maps[0].lon[0]:.3f} to {maps[0].lon[-1]:.3f}, latitudes "
            f"{maps[0].lat[-1]:.3f} to {maps[0].lat[0]:.3f}",
            expected="overlap with the study grid",
        )
    layers, valid, absent = dict(base.layers), dict(base.valid), dict(base.absent)
    notes = list(base.notes)
    strongest = np.stack([np.where(r.valid, r.values, -np.inf) for r in on_grid]).argmax(axis=0)
    for name in ("mmi", "pga_ln_sigma"):
        without = [m.path for m in maps if name not in m.layers]
        if without:
            absent[name] = f"not in {', '.join(Path(path).name for path in without)}"
            continue
        parts = [shakemap_on_grid(shakemap, grid, name) for shakemap in maps]
        values = np.stack([part.values for part in parts]).astype(np.float64)
        if name == "mmi":
            high = np.where(np.isfinite(values), values, -np.inf).max(axis=0)
            merged = np.where(np.isfinite(high), high, np.nan)
        else:
            merged = np.take_along_axis(values, strongest[None], axis=0)[0]
        valid[name] = base.valid["pga"] & np.isfinite(merged)
        layers[name] = np.where(valid[name], merged, np.nan)
    if "pga_ln_sigma" in layers and len(maps) > 1:
        notes.append("pga_ln_sigma is that of the event with the largest PGA in the cell")
    return Shaking(
        layers=layers, valid=valid, grid=grid, notes=tuple(notes), absent=absent,
        n_events=base.n_events, events=base.events,
    )  # fmt: skip
