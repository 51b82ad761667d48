"""Figures of the whole way: scenes with what became of the ground, areas per epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from jaxtyping import Bool, Float
from numpy import ndarray

from detection.inventory.records import BEFORE, STATUSES, VISIBLE, EpochParts, MultiTemporal
from detection.map.scenes import EpochScenes
from detection.scenes.catalogue import SceneEntry
from stats.command.map_panels import MapPanel, draw_map_pages
from stats.command.plots_page import pages_of, patch_handle, plot_page

STATUS_COLOURS: Mapping[str, str] = {
    "new": "#D55E00", "expanded": "#E69F00", "reactivated": "#CC79A7", "persistent": "#0072B2",
    "recovered": "#009E73", "unobserved": "#7f7f7f",
}  # fmt: skip
TRUE_COLOUR = ("red", "green", "blue")
PREVIEW_PX = 700
LOW_PERCENT, HIGH_PERCENT = 2.0, 98.0
SIDE_INCHES = 3.4


def draw_scenes(
    epochs: Sequence[EpochScenes], found: MultiTemporal, path: Path, *, synthetic: bool
) -> list[Path]:
    """Each scene with the parts of the inventory drawn on it, epoch by epoch."""
    items = [
        (entry, parts)
        for epoch, parts in zip(epochs, found.epochs, strict=True)
        for entry in epoch.entries
    ]
    items.sort(key=lambda item: (_place(item[0]), item[1].epoch.start))
    written = []
    for file, title, chosen in pages_of(
        items, path, per_page=6, title="What became of the ground, scene by scene"
    ):
        with plot_page(
            file, title=title, panels=len(chosen), columns=3, panel_width=SIDE_INCHES,
            panel_height=SIDE_INCHES, west=0.65, south=0.5, north=0.35, synthetic=synthetic,
            legend={name: patch_handle(colour) for name, colour in STATUS_COLOURS.items()},
            notes=["Image in true colour where it has red, green and blue, each band stretched "
                   "between its 2 and 98 % values; ground that was not seen is white. Outlines: "
                   "parts of the epoch's landslides. Coordinates in km."],
            smooth=True,
        ) as axes:  # fmt: skip
            for ax, (entry, parts) in zip(axes, chosen, strict=True):
                _scene(ax, entry, parts)
        written.append(file)
    return written


def _place(entry: SceneEntry) -> tuple[float, float]:
    with rasterio.open(entry.image[0]) as source:
        return (-source.bounds.top, source.bounds.left)


def _scene(ax: Any, entry: SceneEntry, parts: EpochParts) -> None:
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path as Outline

    colours, bounds = preview(entry)
    left, bottom, right, top = bounds
    km = 1e-3
    ax.imshow(
        colours, extent=(left * km, right * km, bottom * km, top * km), interpolation="nearest"
    )
    box = shapely.box(*bounds)
    for code, status in enumerate(STATUSES):
        chosen = parts.geometry[parts.status == code]
        inside = list(chosen[shapely.intersects(chosen, box)]) if len(chosen) else []
        rings = [
            np.asarray(ring.coords) * km
            for geometry in inside
            for polygon in shapely.get_parts(geometry)
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        if rings:
            ax.add_collection(
                PathCollection(
                    [Outline(ring) for ring in rings], facecolor="none",
                    edgecolor=STATUS_COLOURS[status], linewidth=0.9,
                )
            )  # fmt: skip
    ax.set_xlim(left * km, right * km)
    ax.set_ylim(bottom * km, top * km)
    ax.grid(visible=False)
    ax.set_xlabel("easting [km]", fontsize=7)
    ax.set_ylabel("northing [km]", fontsize=7)
    ax.ticklabel_format(useOffset=False)
    ax.set_title(f"{entry.name}, {entry.date}", fontsize=8.5, loc="left")


def preview(
    entry: SceneEntry,
) -> tuple[Float[ndarray, "y x 3"], tuple[float, float, float, float]]:
    """A small picture of a scene and its bounds [m]; white where there is no image.

    Only as many pixels are read as are shown.
    """
    shown = [entry.bands.index(band) for band in TRUE_COLOUR if band in entry.bands]
    if len(shown) < 3:
        shown = [min(i, len(entry.bands) - 1) for i in (2, 1, 0)]
    layers = []
    for number in shown:
        file, band = (
            (entry.image[0], number + 1) if len(entry.image) == 1 else (entry.image[number], 1)
        )
        with rasterio.open(file) as source:
            step = max(1.0, max(source.shape) / PREVIEW_PX)
            size = tuple(max(1, round(n / step)) for n in source.shape)
            values = source.read(band, out_shape=size, masked=True).astype(np.float64)
            bounds = tuple(source.bounds)
        if entry.nodata is not None:
            values = np.ma.masked_equal(values, entry.nodata)
        layers.append(_stretched(np.ma.masked_where(hidden(entry, size), values)))
    return np.stack(layers, axis=-1), bounds


def hidden(entry: SceneEntry, size: tuple[int, ...]) -> Bool[ndarray, "y x"]:
    """Where the masks of a scene say that the ground does not show, in so many pixels.

    Cloud is brighter than anything on the ground: stretched with it, all else would be black.
    """
    found = np.zeros(size, dtype=bool)
    for path, means_hidden in ((entry.cloud, True), (entry.valid, False)):
        if path is not None:
            with rasterio.open(path) as source:
                marks = source.read(1, out_shape=size) != 0
            found |= marks if means_hidden else ~marks
    return found


def _stretched(values: Any) -> Float[ndarray, "y x"]:
    seen = values.compressed()
    if seen.size == 0:
        return np.ones(values.shape)
    low, high = np.percentile(seen, [LOW_PERCENT, HIGH_PERCENT])
    scaled = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
    return np.asarray(scaled.filled(1.0))


def draw_probabilities(
    files: Sequence[tuple[str, Path]], path: Path, *, synthetic: bool
) -> list[Path]:
    """Maps of probability, grey where nothing was seen."""
    panels = []
    for title, file in files:
        with rasterio.open(file) as source:
            step = max(1.0, max(source.shape) / PREVIEW_PX)
            size = tuple(max(1, round(n / step)) for n in source.shape)
            steps = source.read(1, out_shape=size, masked=True)
            values = np.where(
                np.ma.getmaskarray(steps), np.nan,
                np.ma.getdata(steps) * source.scales[0] + source.offsets[0],
            )  # fmt: skip
            bounds = tuple(source.bounds)
        panels.append(
            MapPanel(values=values, extent_m=bounds, title=title, unit="1", limits=(0.0, 1.0))
        )
    return draw_map_pages(
        panels, path, title="Probability of landslide", synthetic=synthetic,
        notes=["Grey: not seen (no data, cloud, or no earlier image)."],
    )  # fmt: skip


def draw_areas(found: MultiTemporal, path: Path, *, synthetic: bool, title: str) -> Path:
    """Visible area and what became of the area of before, stacked by status, per epoch."""
    names = [parts.epoch.name for parts in found.epochs]
    at = np.arange(len(names))
    with plot_page(
        path, title=title, panels=2, columns=2, panel_width=3.6, panel_height=2.7, west=0.8,
        south=0.85, synthetic=synthetic,
        legend={name: patch_handle(colour) for name, colour in STATUS_COLOURS.items()},
        notes=["Left: what is visible on the images of an epoch. Right: what had been visible "
               "before, by what became of it."],
    ) as axes:  # fmt: skip
        for ax, statuses, label in (
            (axes[0], VISIBLE, "visible area [km²]"),
            (axes[1], BEFORE, "area visible before [km²]"),
        ):
            bottom = np.zeros(len(names))
            for status in statuses:
                height = np.array([p.account[f"{status}_m2"] / 1e6 for p in found.epochs])
                ax.bar(at, height, 0.62, bottom=bottom, color=STATUS_COLOURS[status])
                bottom += height
            ax.set_xticks(at, names, fontsize=7, rotation=30, ha="right")
            ax.set_ylabel(label, fontsize=8)
            ax.grid(visible=False, axis="x")
    return path
