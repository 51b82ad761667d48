"""Totals beside each other as bars, and association as an annotated matrix: arrays in, PNG out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stats.command.plots_page import number_text, patch_handle, plot_page, styles_of

FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]
OBSERVED_COLOUR = "#4d4d4d"


def draw_totals(
    path: Path,
    *,
    title: str,
    groups: Sequence[str],
    observed: FloatArray,
    predicted: Mapping[str, FloatArray],
    low: Mapping[str, FloatArray] | None = None,
    high: Mapping[str, FloatArray] | None = None,
    unit: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
    dpi: int = 130,
) -> Path:
    """Observed totals as bars, and what each model predicted as markers with intervals.

    Args:
        path: PNG file.
        title: of the page.
        groups: (group,) names, such as epochs.
        observed: (group,) totals, NaN where there is none.
        predicted: (group,) totals by model; the first model is the subject.
        low: lower ends of their intervals, by model.
        high: upper ends.
        unit: of the totals, for the axis.
        synthetic: stamp the page.
        notes: lines under the plot.
        dpi: resolution [dots per inch].

    Raises:
        ValueError: no groups.
    """
    if not groups:
        raise ValueError("nothing to draw")
    from matplotlib.lines import Line2D

    styles = styles_of(list(predicted))
    legend: dict[str, Any] = {"observed": patch_handle("#bdbdbd")}
    for name, style in styles.items():
        legend[name] = Line2D(
            [], [], color=style.colour, marker=style.marker, linestyle="none", markersize=5
        )
    at = np.arange(len(groups), dtype=np.float64)
    with plot_page(
        path, title=title, panels=1, columns=1, synthetic=synthetic, notes=notes, legend=legend,
        panel_width=max(6.0, 1.15 * len(groups)), panel_height=3.2, south=0.75, north=0.1, dpi=dpi,
    ) as (ax,):  # fmt: skip
        ax.bar(at, np.nan_to_num(observed), width=0.8, color="#bdbdbd", edgecolor="none")
        for place, total in zip(at, observed, strict=True):
            # A bar beside an absurd forecast may be too low to be seen.
            text = f"observed {number_text(float(total))}" if np.isfinite(total) else "not observed"
            ax.annotate(
                text, (place, 0.99), xycoords=("data", "axes fraction"), fontsize=7, ha="center",
                va="top", color=OBSERVED_COLOUR,
            )  # fmt: skip
        for index, (name, values) in enumerate(predicted.items()):
            style = styles[name]
            shift = at + 0.7 * ((index + 0.5) / len(predicted) - 0.5)
            values = np.asarray(values, dtype=np.float64)
            if low and high and name in low and name in high:
                below = np.maximum(values - low[name], 0.0)
                above = np.maximum(high[name] - values, 0.0)
                known = np.isfinite(below) & np.isfinite(above)
                ax.errorbar(
                    shift[known], values[known], yerr=np.stack([below[known], above[known]]),
                    fmt="none", ecolor=style.colour, elinewidth=1.2, capsize=2,
                )  # fmt: skip
            ax.plot(shift, values, style.marker, color=style.colour, markersize=5)
        ax.set_xticks(at, list(groups), rotation=20 if len(groups) > 4 else 0, fontsize=8)
        ax.set_ylabel(unit, fontsize=8)
        # Room for the line of observed totals at the top.
        ax.set_ylim(0, 1.1 * ax.get_ylim()[1])
        ax.grid(visible=False, axis="x")
    return path


def draw_matrix(
    path: Path,
    *,
    title: str,
    names: Sequence[str],
    values: FloatArray,
    label: str,
    limits: tuple[float, float] = (-1.0, 1.0),
    synthetic: bool = False,
    notes: Sequence[str] = (),
    dpi: int = 130,
) -> Path:
    """A square matrix as colours with its values written in.

    Args:
        path: PNG file.
        title: of the page.
        names: (row,) names of rows and columns.
        values: (row, column) values; NaN is left grey.
        label: what the values are, with unit, for the colour bar.
        limits: ends of the colour scale.
        synthetic: stamp the page.
        notes: lines under the plot.
        dpi: resolution [dots per inch].

    Raises:
        ValueError: values that are not square, or of another size than the names.
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.shape != (len(names), len(names)) or not names:
        raise ValueError(f"found shape {matrix.shape} for {len(names)} names; expected a square")
    from matplotlib import colormaps

    side = max(3.0, 0.62 * len(names))
    # Names stand left of the matrix, and slanted under it: both grow with the longest.
    longest = max(len(name) for name in names)
    west, south = max(1.5, 0.3 + 0.085 * longest), max(1.0, 0.4 + 0.055 * longest)
    colours = colormaps["PuOr_r"].with_extremes(bad="#b8b8b8")
    with plot_page(
        path, title=title, panels=1, columns=1, synthetic=synthetic, notes=notes,
        panel_width=side, panel_height=side, west=west, south=south, east=1.0, north=0.1,
        smooth=True, dpi=dpi,
    ) as (ax,):  # fmt: skip
        ax.grid(visible=False)
        image = ax.imshow(
            np.ma.masked_invalid(matrix), cmap=colours, vmin=limits[0], vmax=limits[1]
        )
        middle, half = sum(limits) / 2, (limits[1] - limits[0]) / 2
        for (row, column), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                dark = abs(value - middle) > 0.65 * half
                ax.text(
                    column, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                    color="white" if dark else "black",
                )  # fmt: skip
        at = range(len(names))
        ax.set_xticks(at, list(names), rotation=35, ha="right", fontsize=8)
        ax.set_yticks(at, list(names), fontsize=8)
        ax.tick_params(length=0)
        box = ax.get_position()
        width = ax.figure.get_figwidth()
        bar_axes = ax.figure.add_axes((box.x1 + 0.1 / width, box.y0, 0.14 / width, box.height))
        bar = ax.figure.colorbar(image, cax=bar_axes)
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
    return path
