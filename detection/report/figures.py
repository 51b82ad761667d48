"""Figures of detection reports: score matrices, intervals, error maps, losses, maps of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from stats.command.plots_page import line_handle, pages_of, patch_handle, plot_page, styles_of

HIT, ALARM, MISS, UNSEEN = "#009E73", "#D55E00", "#CC79A7", "#bfbfbf"
ERRORS = {"found": HIT, "false alarm": ALARM, "missed": MISS, "not seen or not mapped": UNSEEN}
ROLES = {"train": "#0072B2", "validation": "#E69F00", "test": "#009E73", "unused": "#d9d9d9"}


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixPanel:
    """A table of scores as colours.

    Attributes:
        title: of the panel.
        rows: names.
        columns: names.
        values: (row, column) scores; NaN is grey.
        framed: (row, column) cells to frame, such as regions that were trained on.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Float[ndarray, "row column"]
    framed: Bool[ndarray, "row column"]


def draw_matrices(
    panels: Sequence[MatrixPanel],
    path: Path,
    *,
    title: str,
    label: str,
    synthetic: bool,
    notes: Sequence[str] = (),
    dpi: int = 110,
) -> Path:
    """Score matrices side by side on one scale from 0 to 1, with the values written in.

    Raises:
        ValueError: no panels, or values of another size than the names.
    """
    if not panels:
        raise ValueError("nothing to draw")
    for panel in panels:
        if panel.values.shape != (len(panel.rows), len(panel.columns)):
            raise ValueError(
                f"{panel.title}: values of shape {panel.values.shape} for {len(panel.rows)} x "
                f"{len(panel.columns)} names"
            )
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    longest = max(len(name) for p in panels for name in p.rows)
    under = max(len(name) for p in panels for name in p.columns)
    most_columns = max(len(p.columns) for p in panels)
    most_rows = max(len(p.rows) for p in panels)
    colours = colormaps["viridis"].with_extremes(bad="#d0d0d0")
    with plot_page(
        path, title=title, panels=len(panels), columns=2 if len(panels) > 1 else 1,
        synthetic=synthetic, notes=notes, dpi=dpi, panel_width=max(2.4, 0.68 * most_columns),
        panel_height=max(1.2, 0.46 * most_rows), west=0.35 + 0.075 * longest,
        south=0.35 + 0.055 * under, north=0.32, east=0.2, smooth=True,
    ) as axes:  # fmt: skip
        for ax, panel in zip(axes, panels, strict=True):
            ax.grid(visible=False)
            ax.imshow(
                np.ma.masked_invalid(panel.values), cmap=colours, vmin=0.0, vmax=1.0, aspect="auto"
            )
            for (row, column), value in np.ndenumerate(panel.values):
                if np.isfinite(value):
                    ax.text(
                        column, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                        color="black" if value > 0.55 else "white",
                    )  # fmt: skip
                if panel.framed[row, column]:
                    ax.add_patch(
                        Rectangle((column - 0.47, row - 0.46), 0.94, 0.92, fill=False,
                                  edgecolor="#D55E00", linewidth=1.8)
                    )  # fmt: skip
            ax.set_title(f"{panel.title} ({label})", fontsize=9, loc="left")
            ax.set_xticks(range(len(panel.columns)), panel.columns, rotation=30, ha="right",
                          fontsize=7.5)  # fmt: skip
            ax.set_yticks(range(len(panel.rows)), panel.rows, fontsize=7.5)
            ax.tick_params(length=0)
    return path


@dataclass(frozen=True, kw_only=True)
class IntervalPanel:
    """Numbers with intervals, one line each.

    Attributes:
        title: of the panel.
        label: of the axis, with unit.
        names: of the lines, top first.
        series: per series, (line, 3) value, lower and upper end; NaN where there is none.
        reference: a vertical line, such as 0 of a difference; None for none.
        log: a logarithmic axis, for positive numbers of several sizes.
    """

    title: str
    label: str
    names: Sequence[str]
    series: Mapping[str, Float[ndarray, "line 3"]]
    reference: float | None = 0.0
    log: bool = False


def draw_intervals(
    panels: Sequence[IntervalPanel],
    path: Path,
    *,
    title: str,
    synthetic: bool,
    notes: Sequence[str] = (),
    columns: int = 2,
    dpi: int = 110,
) -> Path:
    """Values as markers with their intervals as bars.

    Raises:
        ValueError: no panels.
    """
    if not panels:
        raise ValueError("nothing to draw")
    from matplotlib.lines import Line2D

    names = list(dict.fromkeys(name for panel in panels for name in panel.series))
    styles = styles_of(names)
    legend = {
        name: Line2D([], [], color=s.colour, marker=s.marker, linestyle="-", markersize=5)
        for name, s in styles.items()
    }
    longest = max(len(name) for panel in panels for name in panel.names)
    most = max(len(panel.names) * max(len(panel.series), 1) for panel in panels)
    with plot_page(
        path, title=title, panels=len(panels), columns=columns, synthetic=synthetic, notes=notes,
        legend=legend if len(names) > 1 else None, dpi=dpi, panel_width=3.0,
        panel_height=max(1.2, 0.24 * most), west=0.3 + 0.07 * longest, south=0.55, north=0.35,
    ) as axes:  # fmt: skip
        for ax, panel in zip(axes, panels, strict=True):
            at = np.arange(len(panel.names), dtype=np.float64)
            if panel.reference is not None:
                ax.axvline(panel.reference, color="#707070", linewidth=0.9, linestyle=(0, (4, 3)))
            for index, (name, values) in enumerate(panel.series.items()):
                style = styles[name]
                shift = at + 0.6 * ((index + 0.5) / len(panel.series) - 0.5)
                known = np.isfinite(values).all(axis=1)
                ax.hlines(
                    shift[known], values[known, 1], values[known, 2], color=style.colour,
                    linewidth=1.6,
                )  # fmt: skip
                ax.plot(values[:, 0], shift, style.marker, color=style.colour, markersize=5)
            ax.set_yticks(at, list(panel.names), fontsize=8)
            ax.set_ylim(len(panel.names) - 0.5, -0.5)
            if panel.log:
                ax.set_xscale("log")
                ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
                ax.xaxis.set_minor_formatter("")
            ax.set_xlabel(panel.label, fontsize=8)
            ax.set_title(panel.title, fontsize=9, loc="left")
            ax.grid(visible=False, axis="y")
    return path


def error_colours(
    mapped: Bool[ndarray, "y x"], truth: Bool[ndarray, "y x"], counted: Bool[ndarray, "y x"]
) -> Float[ndarray, "y x 3"]:
    """Colours of hits, false alarms, misses, and of what does not count; stable ground is white.

    Example:
        >>> yes = np.ones((1, 1), bool)
        >>> (error_colours(yes, ~yes, yes) * 255).round().astype(int).tolist()
        [[[213, 94, 0]]]
    """
    picture = np.ones((*truth.shape, 3))
    for where, colour in (
        (mapped & truth, HIT), (mapped & ~truth, ALARM), (~mapped & truth, MISS), (~counted, UNSEEN)
    ):  # fmt: skip
        picture[where] = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return picture


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureRow:
    """Pictures of one place side by side.

    Attributes:
        name: of the place, left of the pictures.
        pictures: (y, x, 3) or (y, x) from 0 to 1, with a title each.
    """

    name: str
    pictures: Sequence[tuple[str, ndarray]]


def draw_pictures(
    rows: Sequence[PictureRow],
    path: Path,
    *,
    title: str,
    synthetic: bool,
    notes: Sequence[str] = (),
    per_page: int = 6,
    dpi: int = 110,
) -> list[Path]:
    """Rows of pictures with the legend of errors, on as many pages as they need.

    Raises:
        ValueError: no rows.
    """
    legend = {name: patch_handle(colour) for name, colour in ERRORS.items()}
    written = []
    for file, heading, part in pages_of(rows, path, per_page=per_page, title=title):
        columns = max(len(row.pictures) for row in part)
        with plot_page(
            file, title=heading, panels=columns * len(part), columns=columns, synthetic=synthetic,
            legend=legend, dpi=dpi, notes=notes, panel_width=1.55, panel_height=1.55, west=0.08,
            south=0.08, north=0.34, east=0.08, outer_west=0.35, smooth=True,
        ) as axes:  # fmt: skip
            for number, row in enumerate(part):
                own = axes[columns * number : columns * (number + 1)]
                for ax in own:
                    ax.set_xticks([])
                    ax.set_yticks([])
                    ax.grid(visible=False)
                for ax, (name, picture) in zip(own, row.pictures, strict=False):
                    ax.imshow(picture, interpolation="nearest", vmin=0, vmax=1, cmap="gray_r")
                    ax.set_title(name, fontsize=6.8)
                own[0].set_ylabel(row.name, fontsize=7.5)
        written.append(file)
    return written


def draw_losses(
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    path: Path,
    *,
    title: str,
    synthetic: bool,
    notes: Sequence[str] = (),
    dpi: int = 110,
) -> list[Path]:
    """Training and, where there are any, validation losses by epoch, a panel per training.

    Raises:
        ValueError: no histories.
    """
    from matplotlib.ticker import MaxNLocator

    styles = styles_of(["training", "validation"])
    watched = any(e.get("validation") is not None for h in histories.values() for e in h)
    shown = [name for name in styles if watched or name == "training"]
    legend = {name: line_handle(styles[name]) for name in shown}
    top = max(float(np.mean(entry["loss"])) for history in histories.values() for entry in history)
    written = []
    for file, heading, part in pages_of(list(histories), path, per_page=12, title=title):
        with plot_page(
            file, title=heading, panels=len(part), columns=4, synthetic=synthetic, legend=legend,
            dpi=dpi, notes=notes, panel_width=1.9, panel_height=1.4, west=0.5, south=0.45,
            north=0.3,
        ) as axes:  # fmt: skip
            for ax, name in zip(axes, part, strict=True):
                history = histories[name]
                epochs = np.arange(1, len(history) + 1)
                for kind, key in (("training", "loss"), ("validation", "validation")):
                    known = [entry.get(key) is not None for entry in history]
                    if any(known):
                        values = [
                            np.mean(e[key]) if k else np.nan
                            for e, k in zip(history, known, strict=True)
                        ]
                        style = styles[kind]
                        ax.plot(epochs, values, color=style.colour, linestyle=style.line)
                ax.set_ylim(0.0, 1.05 * top)
                ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
                ax.set_title(name, fontsize=7)
                ax.set_xlabel("epoch", fontsize=7)
                ax.set_ylabel("loss [-]", fontsize=7)
        written.append(file)
    return written


def draw_split(
    regions: Mapping[str, Sequence[tuple[int, int, str]]],
    path: Path,
    *,
    size_px: int,
    pixel_m: float | None,
    title: str,
    synthetic: bool,
    notes: Sequence[str] = (),
    dpi: int = 110,
) -> Path:
    """Where training, validation and test patches lie, region by region.

    Args:
        regions: (row, column, role) of every patch of a region.
        path: PNG file.
        size_px: side of a patch [px].
        pixel_m: side of a pixel [m]; None draws pixels.
        title: of the page.
        synthetic: stamp the page.
        notes: lines under the plot.
        dpi: resolution [dots per inch].
    """
    from matplotlib.patches import Rectangle

    scale, unit = (1.0, "px") if pixel_m is None else (pixel_m / 1000.0, "km")
    with plot_page(
        path, title=title, panels=len(regions), columns=4, synthetic=synthetic, notes=notes,
        legend={name: patch_handle(colour) for name, colour in ROLES.items()}, dpi=dpi,
        panel_width=2.0, panel_height=2.0, west=0.5, south=0.45, north=0.3,
    ) as axes:  # fmt: skip
        for index, (ax, (name, patches)) in enumerate(zip(axes, regions.items(), strict=True)):
            # Unused ones first: what is used lies on top of what overlaps it.
            for row, column, role in sorted(patches, key=lambda p: p[2] != "unused"):
                ax.add_patch(
                    Rectangle(
                        (column * scale, row * scale), size_px * scale, size_px * scale,
                        facecolor=ROLES[role], edgecolor="white", linewidth=0.4,
                    )
                )  # fmt: skip
            high = (max(p[0] for p in patches) + size_px) * scale
            wide = (max(p[1] for p in patches) + size_px) * scale
            ax.set_xlim(0, wide)
            ax.set_ylim(high, 0)
            ax.set_aspect("equal")
            ax.grid(visible=False)
            ax.set_title(name, fontsize=8)
            ax.set_xlabel(f"from west [{unit}]", fontsize=7)
            if index % 4 == 0:
                ax.set_ylabel(f"from north [{unit}]", fontsize=7)
    return path
