"""Radar and spider charts: one spoke per score or per site, one closed line per model.

Every spoke runs from 0 in the middle to 1 at the rim, on every chart, so that areas are not blown
up by a scale that starts elsewhere. A spoke without a value is left open: its neighbours are not
joined over it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from stats.command.plots_page import (
    GRID_GREY,
    SeriesStyle,
    line_handle,
    pages_of,
    plot_page,
    styles_of,
)

LEAST_SPOKES = 3
RINGS = (0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class RadarPanel:
    """One chart.

    Attributes:
        title: of the chart.
        spokes: (spoke,) names, from the top clockwise.
        values: (spoke,) values by series; below 0 they are drawn at the middle.
    """

    title: str
    spokes: Sequence[str]
    values: Mapping[str, Float[ndarray, " spoke"]]


def draw_radar_pages(
    panels: Sequence[RadarPanel],
    path: Path,
    *,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
    columns: int = 2,
    rows: int = 2,
    dpi: int = 130,
) -> list[Path]:
    """Draw the charts on as many pages as they need.

    Args:
        panels: in reading order.
        path: PNG file of the first page.
        title: of the pages.
        synthetic: stamp every page.
        notes: lines under the charts.
        columns: charts side by side.
        rows: rows of charts on a page.
        dpi: resolution [dots per inch].

    Returns:
        The files written.

    Raises:
        ValueError: no charts, or one with fewer than three spokes.
    """
    for panel in panels:
        if len(panel.spokes) < LEAST_SPOKES:
            raise ValueError(
                f"{panel.title}: found {len(panel.spokes)} spokes; a radar chart needs at least "
                f"{LEAST_SPOKES}"
            )
    styles = styles_of(list(dict.fromkeys(name for p in panels for name in p.values)))
    legend = {name: line_handle(style, marker=True) for name, style in styles.items()}
    written = []
    for file, heading, part in pages_of(panels, path, per_page=columns * rows, title=title):
        with plot_page(
            file, title=heading, panels=len(part), columns=columns, synthetic=synthetic,
            notes=notes, legend=legend, panel_width=3.0, panel_height=3.0, west=1.2, east=1.2,
            north=0.85, south=0.4, dpi=dpi,
        ) as axes:  # fmt: skip
            for ax, panel in zip(axes, part, strict=True):
                _draw(ax, panel, styles)
        written.append(file)
    return written


def _draw(ax: Any, panel: RadarPanel, styles: Mapping[str, SeriesStyle]) -> None:
    ax.set_axis_off()
    ax.set_xlim(-1.02, 1.02)
    ax.set_ylim(-1.02, 1.02)
    ax.set_aspect("equal")
    count = len(panel.spokes)
    # From the top, clockwise.
    angle = np.pi / 2 - 2 * np.pi * np.arange(count) / count
    x, y = np.cos(angle), np.sin(angle)
    around = np.append(np.arange(count), 0)
    for ring in RINGS:
        ax.plot(ring * x[around], ring * y[around], color=GRID_GREY, linewidth=0.7, zorder=1)
    wrapped = [textwrap.fill(name, 16, break_on_hyphens=False) for name in panel.spokes]
    for index in range(count):
        ax.plot([0, x[index]], [0, y[index]], color=GRID_GREY, linewidth=0.7, zorder=1)
        side = "center" if abs(x[index]) < 0.2 else "left" if x[index] > 0 else "right"
        level = "center" if abs(y[index]) < 0.9 else "bottom" if y[index] > 0 else "top"
        ax.text(
            1.07 * x[index], 1.07 * y[index], wrapped[index], fontsize=7.5, ha=side,
            va=level, clip_on=False,
        )  # fmt: skip
    for order, (name, values) in reversed(list(enumerate(panel.values.items()))):
        style = styles[name]
        radius = np.clip(np.asarray(values, dtype=np.float64), 0.0, 1.0)
        ax.plot(
            (radius * x)[around], (radius * y)[around], color=style.colour, linestyle=style.line,
            linewidth=style.width, marker=style.marker, markersize=3.5, zorder=20 - order,
        )  # fmt: skip
        if order == 0 and np.isfinite(radius).all():
            ax.fill(radius * x, radius * y, color=style.colour, alpha=0.08, zorder=2)
    # Between the first two spokes, where no line of a spoke runs through the numbers.
    between = np.pi / 2 - np.pi / count
    inner = np.cos(np.pi / count)
    for ring in RINGS[1::2]:
        ax.text(
            ring * inner * np.cos(between), ring * inner * np.sin(between), f"{ring:g}",
            fontsize=6.5, color="#505050", ha="center", va="center", zorder=30,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
        )  # fmt: skip
    ax.set_title(panel.title, fontsize=9.5, pad=16 + 11 * (wrapped[0].count("\n") + 1))
