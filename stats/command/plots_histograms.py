"""Two-dimensional histograms as panels: counts in, PNG pages out.

Counts span decades, so their colours are logarithmic; an empty bin is white and a bin with one
case is not. Edges may be logarithmic; zeros belong into a first bin of their own, whose edge the
caller gives and whose label says "0".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stats.command.plots_page import pages_of, plot_page

FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]
AxisScale = Literal["linear", "log"]


@dataclass(frozen=True, kw_only=True)
class HistogramPanel:
    """Counts of cases by two quantities.

    Attributes:
        title: of the panel.
        counts: (x bin, y bin) numbers of cases.
        x_edges: (x bin + 1,) edges, ascending.
        y_edges: (y bin + 1,) edges, ascending.
        line_x: (point,) abscissae of a line such as the mean per column; None for none.
        line_y: (point,) its ordinates.
        line_low: (point,) lower edge of a band around it.
        line_high: (point,) upper edge.
        note: lines inside the panel.
    """

    title: str
    counts: FloatArray
    x_edges: FloatArray
    y_edges: FloatArray
    line_x: FloatArray | None = None
    line_y: FloatArray | None = None
    line_low: FloatArray | None = None
    line_high: FloatArray | None = None
    note: str = ""


def draw_histogram_pages(
    panels: Sequence[HistogramPanel],
    path: Path,
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_scale: AxisScale = "log",
    y_scale: AxisScale = "log",
    diagonal: bool = False,
    line_label: str = "",
    synthetic: bool = False,
    notes: Sequence[str] = (),
    columns: int = 3,
    rows: int = 2,
    dpi: int = 130,
) -> list[Path]:
    """Draw the panels with one colour scale, on as many pages as they need.

    Args:
        panels: in reading order.
        path: PNG file of the first page.
        title: of the pages.
        x_label: quantity and unit of the abscissa.
        y_label: quantity and unit of the ordinate.
        x_scale: scale of the abscissa.
        y_scale: scale of the ordinate.
        diagonal: draw the line of equality.
        line_label: what the line of the panels is.
        synthetic: stamp every page.
        notes: lines under the plots.
        columns: panels side by side.
        rows: rows of panels on a page.
        dpi: resolution [dots per inch].

    Returns:
        The files written.

    Raises:
        ValueError: no panels.
    """
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm
    from matplotlib.lines import Line2D

    if not panels:
        raise ValueError("nothing to draw")
    largest = max(float(np.nanmax(panel.counts, initial=1.0)) for panel in panels)
    norm = LogNorm(1.0, max(largest, 10.0))
    colours = colormaps["cividis_r"].with_extremes(bad="white")
    legend = {}
    if line_label:
        legend[line_label] = Line2D(
            [], [], color="#D55E00", linewidth=1.6, marker="o", markersize=3
        )
    if diagonal:
        legend["equal"] = Line2D([], [], color="#505050", linewidth=0.8, linestyle=(0, (4, 3)))
    written = []
    for file, heading, part in pages_of(panels, path, per_page=columns * rows, title=title):
        with plot_page(
            file, title=heading, panels=len(part), columns=columns, synthetic=synthetic,
            notes=notes, legend=legend, east=0.75, smooth=True, dpi=dpi,
        ) as axes:  # fmt: skip
            for index, (ax, panel) in enumerate(zip(axes, part, strict=True)):
                ax.set_xscale(x_scale)
                ax.set_yscale(y_scale)
                shown = np.ma.masked_less_equal(np.asarray(panel.counts, dtype=np.float64), 0)
                image = ax.pcolormesh(
                    panel.x_edges, panel.y_edges, shown.T, norm=norm, cmap=colours,
                    rasterized=True,
                )  # fmt: skip
                _decorate(ax, panel, diagonal=diagonal)
                if index + columns >= len(part):
                    ax.set_xlabel(x_label, fontsize=8)
                if index % columns == 0:
                    ax.set_ylabel(y_label, fontsize=8)
                if index % columns == min(columns, len(part)) - 1 or index == len(part) - 1:
                    _colour_bar(ax, image)
        written.append(file)
    return written


def _decorate(ax: Any, panel: HistogramPanel, *, diagonal: bool) -> None:
    if diagonal:
        low = max(panel.x_edges[0], panel.y_edges[0])
        high = min(panel.x_edges[-1], panel.y_edges[-1])
        ax.plot([low, high], [low, high], color="white", linewidth=1.8)
        ax.plot([low, high], [low, high], color="#505050", linewidth=0.8, linestyle=(0, (4, 3)))
    if panel.line_x is not None and panel.line_y is not None:
        if panel.line_low is not None and panel.line_high is not None:
            ax.fill_between(
                panel.line_x, panel.line_low, panel.line_high, color="#D55E00", alpha=0.2,
                linewidth=0,
            )  # fmt: skip
        ax.plot(
            panel.line_x, panel.line_y, color="#D55E00", linewidth=1.6, marker="o", markersize=3,
            markeredgecolor="white", markeredgewidth=0.4,
        )  # fmt: skip
    ax.set_xlim(panel.x_edges[0], panel.x_edges[-1])
    ax.set_ylim(panel.y_edges[0], panel.y_edges[-1])
    for axis, scale in ((ax.xaxis, ax.get_xscale()), (ax.yaxis, ax.get_yscale())):
        if scale == "log":
            _plain_decades(axis)
    if panel.note:
        ax.text(
            0.03, 0.97, panel.note, transform=ax.transAxes, fontsize=6.5, va="top", zorder=20,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
        )  # fmt: skip
    ax.set_title(panel.title, fontsize=9)


def _plain_decades(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _colour_bar(ax: Any, image: Any) -> None:
    box = ax.get_position()
    width = ax.figure.get_figwidth()
    bar_axes = ax.figure.add_axes(
        (box.x1 + 0.08 / width, box.y0 + 0.05 * box.height, 0.11 / width, 0.9 * box.height)
    )
    bar = ax.figure.colorbar(image, cax=bar_axes)
    _plain_decades(bar.ax.yaxis)
    bar.set_label("cells", fontsize=7)
    bar.ax.tick_params(labelsize=7)
