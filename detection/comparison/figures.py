"""Figures of a comparison: trend per year, matched areas, residuals, sizes, maps of density."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely

from detection.comparison.series import EpochComparison, SeriesComparison
from stats.case_arrays import FloatArray
from stats.command.map_panels import MapPanel, draw_map_pages
from stats.command.plots_page import (
    COLOURS,
    GRID_GREY,
    line_handle,
    pages_of,
    patch_handle,
    plot_page,
    styles_of,
)
from stats.command.sizes_plot_cuts import log_axes
from stats.density.kernel import kernel_density
from stats.density.window import Window, counts_on
from stats.sizes.empirical import adaptive_density
from stats.sizes.matching import KINDS

SIDES = ("detected", "reference")
KIND_NAMES = {"1:1": "one to one", "1:n": "merged", "n:1": "split", "n:m": "several to several"}
AREA_LABEL = "landslide area [m²]"
MAXIMUM_CELLS = 400


def draw_figures(found: SeriesComparison, folder: Path) -> list[Path]:
    """Draw every figure that the data allow into a folder.

    Args:
        found: the comparison.
        folder: where to.

    Returns:
        Files in reading order.
    """
    files = [draw_trend(found, folder / "trend.png")]
    files += draw_scatter(found, folder / "areas.png")
    if any(_matched_groups(entry).any() for entry in found.epochs):
        files.append(draw_residuals(found, folder / "residuals.png"))
    files += draw_sizes(found, folder / "sizes.png")
    return files + draw_density(found, folder / "density.png")


def draw_trend(found: SeriesComparison, path: Path) -> Path:
    """Number and area of landslides per year of each epoch, with intervals."""
    styles = styles_of(SIDES)
    level = 100 * found.settings.level
    with plot_page(
        path, title="Landslides per year, detected and reference", panels=2, columns=2,
        panel_width=3.6, panel_height=2.7, west=0.85, south=0.8, synthetic=found.synthetic,
        legend={name: line_handle(styles[name], marker=True) for name in SIDES},
        notes=[
            f"Bars: {level:g} % of numbers (exact Poisson) and of areas (bootstrap of landslides). "
            "Per year of the epoch's length; only ground inside the common footprint."
        ],
    ) as axes:  # fmt: skip
        for name, rows, shift in (
            ("detected", found.detected, -0.06), ("reference", found.reference, 0.06),
        ):  # fmt: skip
            at = np.arange(len(rows), dtype=np.float64) + shift
            for ax, value, low, high in (
                (axes[0], [r.n / r.years for r in rows],
                 [r.per_km2_low * r.study_km2 / r.years for r in rows],
                 [r.per_km2_high * r.study_km2 / r.years for r in rows]),
                (axes[1], [r.total_m2 / 1e6 / r.years for r in rows],
                 [r.area_percent_low / 100 * r.study_km2 / r.years for r in rows],
                 [r.area_percent_high / 100 * r.study_km2 / r.years for r in rows]),
            ):  # fmt: skip
                _with_bars(ax, at, np.array(value), np.array(low), np.array(high), styles[name])
        for ax, label in zip(
            axes, ("landslides [1/year]", "landslide area [km²/year]"), strict=True
        ):
            ax.set_xticks(
                range(len(found.detected)), [r.epoch for r in found.detected], fontsize=7,
                rotation=35, ha="right",
            )  # fmt: skip
            ax.set_ylabel(label, fontsize=8)
            ax.set_ylim(bottom=0.0)
            ax.grid(visible=False, axis="x")
    return path


def _with_bars(
    ax: Any, at: FloatArray, value: FloatArray, low: FloatArray, high: FloatArray, style: Any
) -> None:
    bounded = np.isfinite(high)
    below, above = np.maximum(value - low, 0.0), np.maximum(high - value, 0.0)
    ax.errorbar(
        at[bounded], value[bounded], yerr=np.stack([below[bounded], above[bounded]]), fmt="none",
        ecolor=style.colour, elinewidth=1.0, capsize=2,
    )  # fmt: skip
    ax.plot(
        at, value, marker=style.marker, color=style.colour, linestyle=style.line, linewidth=1.0,
        markersize=4.5,
    )  # fmt: skip


def _matched_groups(entry: EpochComparison) -> np.ndarray[Any, np.dtype[np.bool_]]:
    matched = entry.comparison.matched
    assert matched is not None
    return np.asarray(matched.matching.kind < KINDS.index("missed"))


def draw_scatter(found: SeriesComparison, path: Path) -> list[Path]:
    """Detected over reference area of matched groups, one panel per epoch."""
    written = []
    for file, title, entries in pages_of(
        found.epochs, path, per_page=6, title="Area of matched landslides"
    ):
        colours = dict(zip(KIND_NAMES, (COLOURS[2], COLOURS[1], COLOURS[3], COLOURS[4]),
                           strict=True))  # fmt: skip
        with plot_page(
            file, title=title, panels=len(entries), columns=3, west=0.8, south=0.65,
            synthetic=found.synthetic,
            legend={KIND_NAMES[k]: patch_handle(colour) for k, colour in colours.items()},
            notes=["Points: groups of outlines that share ground; a split or merged landslide is "
                   "one point, its fragments summed. Line: equal areas."],
        ) as axes:  # fmt: skip
            for ax, entry in zip(axes, entries, strict=True):
                _scatter(ax, entry, colours)
        written.append(file)
    return written


def _scatter(ax: Any, entry: EpochComparison, colours: dict[str, str]) -> None:
    matched = entry.comparison.matched
    assert matched is not None
    log_axes(ax)
    kind = matched.matching.kind
    for name, colour in colours.items():
        chosen = kind == KINDS.index(name)
        ax.plot(
            matched.group_reference_m2[chosen], matched.group_predicted_m2[chosen], "o",
            color=colour, markersize=3.5, alpha=0.75, markeredgewidth=0,
        )  # fmt: skip
    groups = _matched_groups(entry)
    if groups.any():
        both = np.r_[matched.group_reference_m2[groups], matched.group_predicted_m2[groups]]
        ends = [0.7 * both.min(), 1.4 * both.max()]
        ax.plot(ends, ends, color="#505050", linewidth=0.8, linestyle=(0, (4, 3)))
        ax.set_xlim(*ends)
        ax.set_ylim(*ends)
    else:
        ax.text(0.5, 0.5, "no landslide matches", transform=ax.transAxes, ha="center", fontsize=8)
    f = entry.fragmentation
    ax.set_title(
        f"{entry.pair.name}: missed {f.groups['missed']}, false {f.groups['false']}", fontsize=8.5
    )
    ax.set_xlabel("reference area [m²]", fontsize=8)
    ax.set_ylabel("detected area [m²]", fontsize=8)


def draw_residuals(found: SeriesComparison, path: Path) -> Path:
    """Box plots of detected less reference area, in m2 and as a ratio, per epoch."""
    names, differences, ratios = [], [], []
    for entry in found.epochs:
        matched, groups = entry.comparison.matched, _matched_groups(entry)
        assert matched is not None
        if not groups.any():
            continue
        ours, theirs = matched.group_predicted_m2[groups], matched.group_reference_m2[groups]
        names.append(f"{entry.pair.name}\n(n {groups.sum()})")
        differences.append(ours - theirs)
        ratios.append(ours / theirs)
    with plot_page(
        path, title="Residuals of matched areas", panels=2, columns=2, panel_width=3.6,
        panel_height=2.8, west=0.95, south=0.75, synthetic=found.synthetic,
        notes=["Detected less reference area of matched groups. Boxes: quartiles; whiskers: 5 and "
               "95 %; points beyond them are drawn in the right panel alone, so that the boxes of "
               "the left one can be read."],
    ) as axes:  # fmt: skip
        for ax, values, label, outer in (
            (axes[0], differences, "detected - reference [m²]", False),
            (axes[1], ratios, "detected / reference [-]", True),
        ):
            ax.boxplot(
                values, whis=(5, 95), showfliers=outer, widths=0.55,
                medianprops={"color": COLOURS[1]}, flierprops={"markersize": 2},
            )  # fmt: skip
            ax.axhline(1.0 if outer else 0.0, color="#505050", linewidth=0.8, linestyle=":")
            ax.set_xticks(range(1, len(names) + 1), names, fontsize=7)
            ax.set_ylabel(label, fontsize=8)
            ax.grid(visible=False, axis="x")
        axes[1].set_yscale("log")
    return path


def draw_sizes(found: SeriesComparison, path: Path) -> list[Path]:
    """Frequency densities of both inventories above the common cut, one panel per epoch."""
    styles = styles_of(SIDES)
    written = []
    for file, title, entries in pages_of(
        found.epochs, path, per_page=6, title="Size distributions above the common cut"
    ):
        with plot_page(
            file, title=title, panels=len(entries), columns=3, west=0.85, south=0.65,
            synthetic=found.synthetic,
            legend={name: line_handle(styles[name], marker=True) for name in SIDES},
            notes=["Bins of about equally many landslides, exact 95 % intervals of their counts. "
                   "Difference of the exponent alpha with its bootstrap interval, where it is "
                   "identified."],
        ) as axes:  # fmt: skip
            for ax, entry in zip(axes, entries, strict=True):
                _sizes(ax, entry, styles)
        written.append(file)
    return written


def _sizes(ax: Any, entry: EpochComparison, styles: dict[str, Any]) -> None:
    log_axes(ax)
    found = entry.comparison
    for name, areas, pixel in zip(
        SIDES, (found.predicted.areas_m2, found.reference.areas_m2), found.pixels_m2, strict=True
    ):
        above = areas[areas >= found.cut_m2]
        if not above.size:
            continue
        lower = found.cut_m2 if pixel is None else found.cut_m2 - 0.5 * pixel
        data = adaptive_density(above, lower_m2=lower, pixel_m2=pixel)
        n, style = above.size, styles[name]
        ax.errorbar(
            data.centre_m2, n * data.density_per_m2,
            yerr=n * np.array([data.density_per_m2 - data.low, data.high - data.density_per_m2]),
            fmt=style.marker, color=style.colour, markersize=3.5, linewidth=0.8,
        )  # fmt: skip
    alpha = next((d for d in found.differences if d.quantity == "alpha"), None)
    text = "alpha not identified"
    if alpha is not None and alpha.identified:
        text = f"Δalpha {alpha.value:+.2f} ({alpha.low:+.2f} to {alpha.high:+.2f})"
    ax.set_title(f"{entry.pair.name}: {text}", fontsize=8)
    ax.set_xlabel(AREA_LABEL, fontsize=8)
    ax.set_ylabel("frequency density [1/m²]", fontsize=8)
    ax.grid(color=GRID_GREY, linewidth=0.5)


def _window(found: SeriesComparison) -> Window:
    """Cells of a quarter of the bandwidth over all landslides and footprints."""
    bounds = []
    for entry in found.epochs:
        pair = entry.pair
        if pair.footprint is not None:
            bounds.append(shapely.bounds(pair.footprint))
        bounds += [t.frame.total_bounds for t in (pair.detected, pair.reference) if len(t)]
    table = np.array(bounds, dtype=np.float64)
    west, south = table[:, :2].min(axis=0)
    east, north = table[:, 2:].max(axis=0)
    cell = max(0.25 * found.settings.bandwidth_m, max(east - west, north - south) / MAXIMUM_CELLS)
    shape = (int(np.ceil((north - south) / cell)) or 1, int(np.ceil((east - west) / cell)) or 1)
    return Window(
        inside=np.ones(shape, dtype=bool), west_m=float(west), north_m=float(north),
        cell_m=float(cell),
    )  # fmt: skip


def _seen(entry: EpochComparison, whole: Window) -> Window:
    ground = entry.pair.footprint
    if ground is None:
        return whole
    x, y = whole.centres()
    inside = shapely.contains_xy(ground, *np.meshgrid(x, y))
    return Window(inside=inside, west_m=whole.west_m, north_m=whole.north_m, cell_m=whole.cell_m)


def draw_density(found: SeriesComparison, path: Path) -> list[Path]:
    """Maps of kernel density per epoch: detected, reference, and their difference."""
    if not any(len(t) for e in found.epochs for t in (e.pair.detected, e.pair.reference)):
        return []
    whole = _window(found)
    rows, columns = whole.inside.shape
    extent = (
        whole.west_m, whole.north_m - rows * whole.cell_m,
        whole.west_m + columns * whole.cell_m, whole.north_m,
    )  # fmt: skip
    bandwidth = max(found.settings.bandwidth_m, whole.cell_m)
    maps = []
    for entry in found.epochs:
        window = _seen(entry, whole)
        both = []
        for table in (entry.pair.detected, entry.pair.reference):
            points = shapely.point_on_surface(np.asarray(table.frame.geometry.to_numpy(), object))
            counts, _ = counts_on(window, shapely.get_x(points), shapely.get_y(points))
            both.append(kernel_density(counts, window, bandwidth_m=bandwidth).per_km2)
        maps.append((entry.pair.name, both[0], both[1]))
    every = np.concatenate([m[np.isfinite(m)] for _, a, b in maps for m in (a, b)])
    top = float(np.percentile(every, 99.8)) or 1.0
    gaps = np.concatenate([(a - b)[np.isfinite(a)] for _, a, b in maps])
    most = float(np.percentile(np.abs(gaps), 99.8)) or top
    panels = []
    for name, ours, theirs in maps:
        for title, values in ((f"{name} detected", ours), (f"{name} reference", theirs)):
            panels.append(
                MapPanel(values=values, extent_m=extent, title=title, unit="landslides/km²",
                         limits=(0.0, top))
            )  # fmt: skip
        panels.append(
            MapPanel(values=ours - theirs, extent_m=extent, title=f"{name} difference",
                     unit="landslides/km²", kind="diverging", limits=(-most, most))
        )  # fmt: skip
    return draw_map_pages(
        panels,
        path,
        title="Kernel density of landslides",
        synthetic=found.synthetic,
        notes=[
            f"Gaussian kernel of {bandwidth:g} m, edges corrected; grey: outside the footprint."
        ],
    )
