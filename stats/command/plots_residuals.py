"""Worm, Q-Q, transform and coverage plots of a forecast: arrays in, PNG pages out.

Every panel has the line of a right forecast and the envelope within which a right forecast would
lie; what is outside is to be explained. Envelopes for independent cells are named so in the notes
of the caller: neighbouring cells depend on each other and make true envelopes wider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stats.command.plots_page import (
    COLOURS,
    SeriesStyle,
    line_handle,
    pages_of,
    patch_handle,
    plot_page,
)

FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]
NormalPlot = Literal["worm", "qq"]

_SUBJECT = SeriesStyle(colour=COLOURS[0], line="-", marker="o", width=1.8)
_WHOLE, _POINT, _IMPLIED = "#dfe8ef", "#a9c4d8", COLOURS[1]
_RIGHT = {"color": "#707070", "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 1}


@dataclass(frozen=True, kw_only=True)
class NormalPanel:
    """Quantiles of the normal scores of a forecast, from `stats.calibration.worm`.

    Attributes:
        title: of the panel.
        normal: (point,) standard normal quantiles.
        residual: (point,) quantiles of the forecast's scores.
        low: (point,) envelope of each point alone.
        high: (point,) its upper end.
        low_all: (point,) envelope of the whole curve.
        high_all: (point,) its upper end.
        note: lines inside the panel, such as the number of cases and the p-value.
    """

    title: str
    normal: FloatArray
    residual: FloatArray
    low: FloatArray
    high: FloatArray
    low_all: FloatArray
    high_all: FloatArray
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class TransformPanel:
    """Histogram of randomised transforms.

    Attributes:
        title: of the panel.
        edges: (bin + 1,) edges from 0 to 1.
        share: (bin,) share of the cases in each bin.
        low: (bin,) envelope of a right forecast; None for none.
        high: (bin,) its upper end.
        note: lines inside the panel.
    """

    title: str
    edges: FloatArray
    share: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class CoveragePanel:
    """Coverage of one interval by stratum.

    Attributes:
        title: of the panel.
        strata: (stratum,) names, in order.
        level: nominal coverage.
        covered: (stratum,) share of cases within the closed interval.
        implied: (stratum,) what the forecast gives the closed interval.
        low: (stratum,) lower end of an interval around `covered`; None for none.
        high: (stratum,) its upper end.
        note: lines inside the panel.
    """

    title: str
    strata: Sequence[str]
    level: float
    covered: FloatArray
    implied: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    note: str = ""


def draw_normal_pages(
    panels: Sequence[NormalPanel],
    path: Path,
    *,
    kind: NormalPlot,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
    columns: int = 3,
    rows: int = 2,
    dpi: int = 130,
) -> list[Path]:
    """Draw worm plots, or Q-Q plots, on as many pages as they need.

    Args:
        panels: in reading order.
        path: PNG file of the first page.
        kind: "worm" takes the normal quantile off both axes of "qq".
        title: of the pages.
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
    legend = {
        "forecast": line_handle(_SUBJECT),
        "envelope, each point": patch_handle(_POINT),
        "envelope, whole curve": patch_handle(_WHOLE),
    }
    # One scale for all panels, so that they can be compared.
    reach = _reach([_heights(p, kind) for p in panels])
    written = []
    for file, heading, part in pages_of(panels, path, per_page=columns * rows, title=title):
        with plot_page(
            file, title=heading, panels=len(part), columns=columns, synthetic=synthetic,
            notes=notes, legend=legend, dpi=dpi,
        ) as axes:  # fmt: skip
            for index, (ax, panel) in enumerate(zip(axes, part, strict=True)):
                height = _heights(panel, kind)
                for low, high, colour in ((3, 4, _WHOLE), (1, 2, _POINT)):
                    ax.fill_between(panel.normal, height[low], height[high], color=colour, lw=0)
                _right_line(ax, panel.normal, kind)
                ax.plot(panel.normal, height[0], color=_SUBJECT.colour, lw=_SUBJECT.width, zorder=5)
                ax.set_ylim(*reach)
                y_label = "residual less normal quantile" if kind == "worm" else "residual quantile"
                _finish(ax, panel.title, panel.note)
                _label(ax, index, len(part), columns, "normal quantile", y_label)
        written.append(file)
    return written


def _heights(panel: NormalPanel, kind: NormalPlot) -> tuple[FloatArray, ...]:
    """Curve, pointwise and whole envelope, on the ordinate of the kind of plot."""
    curves = (panel.residual, panel.low, panel.high, panel.low_all, panel.high_all)
    return tuple(c - panel.normal if kind == "worm" else c for c in curves)


def _reach(heights: Sequence[tuple[FloatArray, ...]]) -> tuple[float, float]:
    curves = [np.ravel(curve) for panel in heights for curve in panel]
    values = np.concatenate([*curves, np.zeros(0)])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (-1.0, 1.0)
    room = 0.05 * max(high - low, 1e-6)
    return low - room, high + room


def _right_line(ax: Any, normal: FloatArray, kind: NormalPlot) -> None:
    if kind == "worm":
        ax.axhline(0.0, **_RIGHT)
    else:
        ax.plot(normal, normal, **_RIGHT)


def _label(ax: Any, index: int, count: int, columns: int, x_label: str, y_label: str) -> None:
    if index + columns >= count:
        ax.set_xlabel(x_label, fontsize=8)
    if index % columns == 0:
        ax.set_ylabel(y_label, fontsize=8)


def _finish(ax: Any, title: str, note: str) -> None:
    ax.set_title(title, fontsize=9)
    if note:
        ax.text(
            0.02, 0.98, note, transform=ax.transAxes, fontsize=6.5, ha="left", va="top", zorder=20,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5},
        )  # fmt: skip


def draw_transform_pages(
    panels: Sequence[TransformPanel],
    path: Path,
    *,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
    columns: int = 3,
    rows: int = 2,
    dpi: int = 130,
) -> list[Path]:
    """Draw histograms of the transform; arguments as in `draw_normal_pages`.

    Bars are densities: 1 everywhere for a right forecast, whatever the bins.

    Raises:
        ValueError: no panels.
    """
    legend = {"cases": patch_handle(COLOURS[5]), "envelope": patch_handle(_POINT)}
    tops = [np.max(p.share / np.diff(p.edges)) for p in panels]
    tops += [np.max(p.high / np.diff(p.edges)) for p in panels if p.high is not None]
    top = 1.1 * max([1.0, *map(float, tops)])
    written = []
    for file, heading, part in pages_of(panels, path, per_page=columns * rows, title=title):
        with plot_page(
            file, title=heading, panels=len(part), columns=columns, synthetic=synthetic,
            notes=notes, legend=legend, dpi=dpi,
        ) as axes:  # fmt: skip
            for index, (ax, panel) in enumerate(zip(axes, part, strict=True)):
                width = np.diff(panel.edges)
                ax.bar(
                    panel.edges[:-1], panel.share / width, width=width, align="edge",
                    color=COLOURS[5], edgecolor="white", linewidth=0.4, zorder=2,
                )  # fmt: skip
                if panel.low is not None and panel.high is not None:
                    ax.stairs(
                        panel.high / width, panel.edges, baseline=panel.low / width, fill=True,
                        color=_POINT, alpha=0.7, zorder=3,
                    )  # fmt: skip
                ax.axhline(1.0, **{**_RIGHT, "zorder": 4})
                ax.set_xlim(0.0, 1.0)
                ax.set_ylim(0.0, top)
                _finish(ax, panel.title, panel.note)
                _label(ax, index, len(part), columns, "transform [-]", "density [-]")
        written.append(file)
    return written


def draw_coverage_pages(
    panels: Sequence[CoveragePanel],
    path: Path,
    *,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
    columns: int = 3,
    rows: int = 2,
    dpi: int = 130,
) -> list[Path]:
    """Draw coverage by stratum beside what closed intervals imply; arguments as above.

    Raises:
        ValueError: no panels.
    """
    legend = {
        "covered": line_handle(_SUBJECT, marker=True),
        "implied by the closed interval": line_handle(
            SeriesStyle(colour=_IMPLIED, line="--", marker="_", width=1.2), marker=True
        ),
    }
    # One scale for all panels, from a little below the lowest coverage.
    lowest = min([1.0, *(float(np.nanmin([*p.covered, *p.implied, p.level])) for p in panels)])
    bottom = max(0.0, lowest - 0.1)
    written = []
    for file, heading, part in pages_of(panels, path, per_page=columns * rows, title=title):
        with plot_page(
            file, title=heading, panels=len(part), columns=columns, synthetic=synthetic,
            notes=notes, legend=legend, dpi=dpi, south=0.8,
        ) as axes:  # fmt: skip
            for index, (ax, panel) in enumerate(zip(axes, part, strict=True)):
                place = np.arange(len(panel.strata))
                ax.axhline(panel.level, **_RIGHT)
                ax.plot(
                    place, panel.implied, color=_IMPLIED, linestyle="--", marker="_", markersize=7,
                    linewidth=1.0, zorder=3,
                )  # fmt: skip
                if panel.low is not None and panel.high is not None:
                    ax.vlines(place, panel.low, panel.high, color=_SUBJECT.colour, lw=1.0, zorder=4)
                ax.plot(
                    place, panel.covered, color=_SUBJECT.colour, marker="o", markersize=3.5,
                    linewidth=_SUBJECT.width, zorder=5,
                )  # fmt: skip
                ax.set_xticks(place, panel.strata, rotation=45, ha="right", fontsize=6.5)
                ax.set_ylim(bottom, 1.0 + 0.02 * (1.0 - bottom))
                _finish(ax, panel.title, panel.note)
                _label(ax, index, len(part), columns, "", "coverage [-]")
        written.append(file)
    return written
