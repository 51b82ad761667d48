"""Curves by distance, of residuals or of points, beside chance: arrays in, PNG pages out."""

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
StructureKind = Literal["correlogram", "variogram", "L", "g"]

_SUBJECT = SeriesStyle(colour=COLOURS[0], line="-", marker="o", width=1.6)
_WHOLE, _POINT = "#dfe8ef", "#a9c4d8"
_NONE = {"color": "#707070", "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 2}
_LABELS = {
    "correlogram": "Moran's I of the residuals [-]",
    "variogram": "semivariance of the residuals [-]",
    "L": "L(r) - r [m]",
    "g": "pair correlation g(r) [-]",
}


@dataclass(frozen=True, kw_only=True)
class StructurePanel:
    """One curve by distance.

    Attributes:
        title: of the panel.
        kind: "correlogram" or "variogram" of residuals, "L" (less the distance) or "g" of points.
        distance_km: (class,) mean distance of the pairs [km].
        value: (class,) the curve.
        flat: what a field or pattern without dependence would show.
        low: (class,) envelope of each class alone; None for none.
        high: (class,) its upper end.
        low_all: (class,) envelope of the whole curve; None for none.
        high_all: (class,) its upper end.
        range_km: distance to mark; None for none.
        note: lines inside the panel.
    """

    title: str
    kind: StructureKind
    distance_km: FloatArray
    value: FloatArray
    flat: float
    low: FloatArray | None = None
    high: FloatArray | None = None
    low_all: FloatArray | None = None
    high_all: FloatArray | None = None
    range_km: float | None = None
    note: str = ""


def draw_structure_pages(
    panels: Sequence[StructurePanel],
    path: Path,
    *,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
    subject: str = "residuals",
    chance: str = "dealt at random",
    columns: int = 2,
    rows: int = 3,
    dpi: int = 130,
) -> list[Path]:
    """Draw the panels on as many pages as they need.

    Args:
        panels: in reading order; panels of one kind share their scale.
        path: PNG file of the first page.
        title: of the pages.
        synthetic: stamp every page.
        notes: lines under the plots.
        subject: what the curve is of, for the legend.
        chance: what the envelopes are of.
        columns: panels side by side.
        rows: rows of panels on a page.
        dpi: resolution [dots per inch].

    Returns:
        The files written.

    Raises:
        ValueError: no panels.
    """
    legend = {subject: line_handle(_SUBJECT, marker=True)}
    if any(p.low is not None for p in panels):
        legend[f"{chance}, each distance"] = patch_handle(_POINT)
    if any(p.low_all is not None for p in panels):
        legend[f"{chance}, whole curve"] = patch_handle(_WHOLE)
    reach = {kind: _reach([p for p in panels if p.kind == kind]) for kind in _LABELS}
    written = []
    for file, heading, part in pages_of(panels, path, per_page=columns * rows, title=title):
        with plot_page(
            file, title=heading, panels=len(part), columns=columns, synthetic=synthetic,
            notes=notes, legend=legend, panel_width=3.4, dpi=dpi,
        ) as axes:  # fmt: skip
            for index, (ax, panel) in enumerate(zip(axes, part, strict=True)):
                _draw(ax, panel)
                ax.set_ylim(*reach[panel.kind])
                ax.set_ylabel(_LABELS[panel.kind], fontsize=8)
                if index + columns >= len(part):
                    ax.set_xlabel("distance [km]", fontsize=8)
        written.append(file)
    return written


def _draw(ax: Any, panel: StructurePanel) -> None:
    x = panel.distance_km
    for low, high, colour in (
        (panel.low_all, panel.high_all, _WHOLE), (panel.low, panel.high, _POINT),
    ):  # fmt: skip
        if low is not None and high is not None:
            ax.fill_between(x, low, high, color=colour, linewidth=0, zorder=1)
    ax.axhline(panel.flat, **_NONE)
    ax.plot(
        x, panel.value, color=_SUBJECT.colour, linewidth=_SUBJECT.width, marker="o", markersize=3,
        zorder=5,
    )  # fmt: skip
    if panel.range_km is not None:
        ax.axvline(panel.range_km, color=COLOURS[1], linewidth=1.0, zorder=4)
    ax.set_xlim(0.0, float(np.nanmax(x)) * 1.03)
    ax.set_title(panel.title, fontsize=9)
    if panel.note:
        at_top = panel.kind != "variogram"
        ax.text(
            0.98, 0.97 if at_top else 0.04, panel.note, transform=ax.transAxes, fontsize=6.5,
            ha="right", va="top" if at_top else "bottom", zorder=20,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5},
        )  # fmt: skip


def _reach(panels: Sequence[StructurePanel]) -> tuple[float, float]:
    curves = [
        np.ravel(v) for p in panels for v in (p.value, p.low_all, p.high_all, p.low, p.high)
        if v is not None
    ]  # fmt: skip
    values = np.concatenate([*curves, [p.flat for p in panels], np.zeros(0)])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    room = 0.06 * max(high - low, 1e-6)
    return low - room, high + room
