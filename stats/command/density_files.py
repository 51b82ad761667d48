"""The files of a run of ``python -m stats.density``: tables, GeoTIFFs, figures, page and record."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stats.case_arrays import FloatArray
from stats.command.density_page import page_parts
from stats.command.frame import Session
from stats.command.map_panels import MapPanel, PanelKind, draw_map_pages
from stats.command.pages import write_page
from stats.command.plots_structure import StructureKind, StructurePanel, draw_structure_pages
from stats.command.whole_folder import (
    FIGURES,
    build_page,
    listed_files,
    write_json,
    write_rows,
)
from stats.density.window import M2_PER_KM2, Window
from stats.spatial.envelope import Envelope

if TYPE_CHECKING:
    from stats.command.density_run import Change, DensityRun, EpochDensity

LAYOUT, LAYOUT_VERSION = "stats-density", 2
RECORD, PAGE = "density.json", "density.md"


def change_map(change: Change, window: Window) -> FloatArray:
    """(y, x) log2 of the rate ratio where a change was discovered, 0 elsewhere inside."""
    ratio = np.where(change.found.discovered, change.cells.ratio, 1.0)
    # A rate that began or ended has no finite ratio: shown at the end of the scale.
    with np.errstate(divide="ignore"):
        logs = np.clip(np.nan_to_num(np.log2(ratio), posinf=5.0, neginf=-5.0), -5.0, 5.0)
    wide = np.repeat(np.repeat(logs, change.side, axis=0), change.side, axis=1)
    rows, columns = window.inside.shape
    return np.where(window.inside, wide[:rows, :columns], np.nan)


def spot_map(epoch: EpochDensity, window: Window) -> FloatArray:
    """(y, x) 1 for hot, -1 for cold, 0 for neither, NaN outside."""
    kind = np.zeros(window.inside.shape)
    if epoch.spots is not None:
        kind = epoch.spots.hot.astype(np.float64) - epoch.spots.cold
    return np.where(window.inside, kind, np.nan)


def write_files(run: DensityRun, folder: Path, talk: Session) -> None:
    """Write everything into a folder that is not yet under its name.

    Args:
        run: what was found.
        folder: empty.
        talk: progress.
    """
    (folder / FIGURES).mkdir()
    write_rows(folder / "densities.csv", [_shown(run, e) for e in run.epochs])
    write_rows(folder / "changes.csv", [change_row(c) for c in run.changes])
    write_rows(folder / "pairs.csv", [row for e in run.epochs for row in pair_rows(e)])
    write_rows(folder / "differences.csv", [asdict(d) for d in run.differences])
    with talk.reporter.task("maps and page", 4) as advance:
        names = [e.points.name for e in run.epochs]
        _tif(folder / "density.tif", run, [e.density.per_km2 for e in run.epochs], names, "km-2")
        _tif(folder / "area_density.tif", run, [area_percent(e) for e in run.epochs], names, "%")
        _tif(
            folder / "hot_spots.tif", run, [spot_map(e, run.window) for e in run.epochs], names, "1"
        )
        if run.changes:
            _tif(
                folder / "change.tif", run, [change_map(c, run.window) for c in run.changes],
                [f"{c.first} to {c.second}" for c in run.changes], "log2 of the ratio",
            )  # fmt: skip
        advance(1)
        figures = _draw(run, folder / FIGURES)
        advance(1)
        parts = page_parts(run, {name: f"{FIGURES}/{path.name}" for name, path in figures.items()})
        write_page(folder / PAGE, parts)
        advance(1)
        if run.settings.html:
            build_page(folder, parts, project="Landslide densities")
        advance(1)
    _manifest(run, folder)


def _shown(run: DensityRun, epoch: EpochDensity) -> dict[str, Any]:
    row = asdict(epoch.row)
    if not math.isfinite(epoch.points.years):
        row |= dict.fromkeys(("years", "per_km2_year", "area_percent_year"), "")
    return row | {
        "outside": epoch.outside, "bandwidth_m": epoch.density.bandwidth_m,
        "bandwidth_from": epoch.bandwidth_from,
        "hot_cells": int(epoch.spots.hot.sum()) if epoch.spots else "",
        "cold_cells": int(epoch.spots.cold.sum()) if epoch.spots else "",
        "source": str(epoch.points.areas.source), "synthetic": run.synthetic,
    }  # fmt: skip


def change_row(change: Change) -> dict[str, Any]:
    """One line of changes.csv."""
    whole = change.whole
    return {
        "first": change.first, "second": change.second,
        "per": "year" if change.per_year else "epoch",
        "ratio": float(whole.ratio), "low": float(whole.low), "high": float(whole.high),
        "p_value": float(whole.p_value), "blocks_tested": change.found.n_tests,
        "blocks_up": int((change.found.discovered & (change.cells.ratio > 1)).sum()),
        "blocks_down": int((change.found.discovered & (change.cells.ratio < 1)).sum()),
    }  # fmt: skip


def pair_rows(epoch: EpochDensity) -> list[dict[str, Any]]:
    """Lines of pairs.csv: K, L, g and their envelopes at every distance."""
    pairs = epoch.pairs
    if pairs is None:
        return []
    found, spread, g = pairs.found, pairs.spread, pairs.correlation
    return [
        {
            "epoch": epoch.points.name, "n": pairs.n, "of": pairs.thinned_from,
            "kernel_m": pairs.kernel_m, "distance_m": float(found.distance_m[i]),
            "k_m2": float(found.k_m2[i]), "l_minus_r_m": float(spread.observed[i]),
            "l_low_m": float(spread.band_low[i]), "l_high_m": float(spread.band_high[i]),
            "g": float(g.observed[i]), "g_low": float(g.band_low[i]),
            "g_high": float(g.band_high[i]), "l_p_value": spread.p_value, "g_p_value": g.p_value,
        }
        for i in range(found.distance_m.size)
    ]  # fmt: skip


def _pair_panels(run: DensityRun) -> list[StructurePanel]:
    panels = []
    for epoch in run.epochs:
        pairs = epoch.pairs
        if pairs is None:
            continue
        curves: tuple[tuple[StructureKind, Envelope, float], ...] = (
            ("L", pairs.spread, 0.0), ("g", pairs.correlation, 1.0),
        )  # fmt: skip
        panels += [
            StructurePanel(
                title=f"{epoch.points.name}: {'L function' if kind == 'L' else 'pair correlation'}",
                kind=kind, distance_km=pairs.found.distance_m / 1000.0, value=e.observed,
                flat=flat, low=e.low, high=e.high, high_all=e.band_high,
                # Neither g nor K can be below 0, whatever a band of equal width would say.
                low_all=np.maximum(e.band_low, 0.0 if kind == "g" else -pairs.found.distance_m),
                note=f"n = {pairs.n:,}, p of the whole curve {e.p_value:.2g}",
            )
            for kind, e, flat in curves
        ]  # fmt: skip
    return panels


def _tif(
    path: Path, run: DensityRun, maps: Sequence[FloatArray], names: Sequence[str], unit: str
) -> None:
    import rasterio
    from affine import Affine

    window = run.window
    transform = Affine(window.cell_m, 0.0, window.west_m, 0.0, -window.cell_m, window.north_m)
    with rasterio.open(
        path, "w", driver="GTiff", height=window.inside.shape[0], width=window.inside.shape[1],
        count=len(maps), dtype="float32", crs=run.crs, transform=transform, nodata=float("nan"),
        compress="deflate",
    ) as target:  # fmt: skip
        for band, (values, name) in enumerate(zip(maps, names, strict=True), start=1):
            target.write(values.astype(np.float32), band)
            target.set_band_description(band, name)
            target.set_band_unit(band, unit)
        target.update_tags(SYNTHETIC=str(run.synthetic))


def _draw(run: DensityRun, folder: Path) -> dict[str, Path]:
    rows, columns = run.window.inside.shape
    west, north, cell = run.window.west_m, run.window.north_m, run.window.cell_m
    extent = (west, north - rows * cell, west + columns * cell, north)
    drawn: dict[str, Path] = {}

    def page(name: str, panels: list[MapPanel], title: str) -> None:
        for number, path in enumerate(
            draw_map_pages(
                panels,
                folder / f"{name}.png",
                title=title,
                synthetic=run.synthetic,
                dpi=run.settings.dpi,
            )
        ):
            drawn[name if number == 0 else f"{name} {number + 1}"] = path

    for name, title, unit, maps in (
        ("density", "Kernel density of landslides", "landslides/km2",
         [e.density.per_km2 for e in run.epochs]),
        ("area", "Area density, smoothed by the same kernels", "% of the ground",
         [area_percent(e) for e in run.epochs]),
    ):  # fmt: skip
        kind, limits = _scale(maps, run.window)
        page(
            name,
            [
                MapPanel(values=m, extent_m=extent, title=e.points.name, unit=unit, kind=kind,
                         limits=limits)
                for e, m in zip(run.epochs, maps, strict=True)
            ],
            title,
        )  # fmt: skip
    page(
        "hot_spots",
        [
            MapPanel(
                values=spot_map(e, run.window), extent_m=extent, title=e.points.name, unit="1",
                kind="classes", labels={-1: "cold", 0: "neither", 1: "hot"},
                class_colours={-1: "#0072B2", 0: "#f2f2f2", 1: "#D55E00"},
            )
            for e in run.epochs
        ],
        "Hot and cold spots, false discovery rate 5 %",
    )  # fmt: skip
    if run.changes:
        page(
            "change",
            [
                MapPanel(
                    values=change_map(c, run.window), extent_m=extent,
                    title=f"{c.first} to {c.second}", unit="log2 of the rate ratio",
                    kind="diverging", limits=(-5.0, 5.0),
                )
                for c in run.changes
            ],
            "Change of rate where it is discovered, false discovery rate 5 %",
        )  # fmt: skip
    panels = _pair_panels(run)
    if panels:
        pages = draw_structure_pages(
            panels, folder / "pairs.png", title="Are landslides closer than their intensity says?",
            synthetic=run.synthetic, subject="landslides", chance="Poisson of that intensity",
            dpi=run.settings.dpi,
        )  # fmt: skip
        for number, path in enumerate(pages):
            drawn["pairs" if number == 0 else f"pairs {number + 1}"] = path
    return drawn


def area_percent(epoch: EpochDensity) -> FloatArray:
    """(y, x) smoothed area density [percent of the ground]."""
    return np.asarray(100.0 * epoch.area.per_km2 / M2_PER_KM2)


def _scale(maps: Sequence[FloatArray], window: Window) -> tuple[PanelKind, tuple[float, float]]:
    """One scale for all epochs; logarithmic where one would leave the others black."""
    inside = [m[window.inside] for m in maps]
    top = float(np.percentile(np.concatenate(inside), 99.8)) or 1.0
    if min(float(m.max()) for m in inside) < top / 10.0:
        return "log", (top / 1000.0, top)
    return "sequential", (0.0, top)


def _manifest(run: DensityRun, folder: Path) -> None:
    record = {
        "layout": LAYOUT, "layout_version": LAYOUT_VERSION,
        "written": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "synthetic": run.synthetic, "crs": run.crs, "window": run.window_from,
        "study_km2": run.window.area_km2,
        "settings": {
            k: str(v) if isinstance(v, Path) else v for k, v in asdict(run.settings).items()
        },
        "inputs": [
            {"source": str(e.points.areas.source), "sha256": e.points.areas.sha256,
             "n": int(e.points.area_m2.size)}
            for e in run.epochs
        ],
        "files": listed_files(folder, html=run.settings.html),
    }  # fmt: skip
    write_json(folder / RECORD, record)
