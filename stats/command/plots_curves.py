"""ROC, precision-recall, reliability and capture curves: arrays in, PNG pages out.

Every panel has the line of no skill: the base rate for precision-recall, the diagonal for
the others (for reliability it is the line of perfect calibration).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stats.command.plots_page import SeriesStyle, line_handle, pages_of, plot_page, styles_of

FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]
CurveKind = Literal["roc", "precision_recall", "reliability", "capture"]

_LABELS = {
    "roc": ("false positive rate [-]", "true positive rate [-]"),
    "precision_recall": ("recall [-]", "precision [-]"),
    "reliability": ("forecast probability [-]", "observed frequency [-]"),
    "capture": ("share of the area [-]", "share of landslide area [-]"),
}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One curve.

    Attributes:
        name: of the series; the same name looks the same in every panel.
        x: (point,) abscissae.
        y: (point,) ordinates.
        low: (point,) lower edge of a band around it, None for no band.
        high: (point,) upper edge of the band.
        value: a figure that sums the curve up (AUC, average precision), None for none.
        stepped: each ordinate holds back to the abscissa before, as in average precision.
    """

    name: str
    x: FloatArray
    y: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None
    value: float | None = None
    stepped: bool = False


@dataclass(frozen=True, kw_only=True)
class CurvePanel:
    """The curves of one epoch or one scheme.

    Attributes:
        title: of the panel.
        curves: in order; the first one is the subject and drawn on top.
        base_rate: share of positive cases [-]; None where not needed.
        note: a line inside the panel, such as the number of cases.
    """

    title: str
    curves: Sequence[Curve]
    base_rate: float | None = None
    note: str = ""


def draw_curve_pages(
    panels: Sequence[CurvePanel],
    path: Path,
    *,
    kind: CurveKind,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
    columns: int = 3,
    rows: int = 2,
    dpi: int = 130,
) -> list[Path]:
    """Draw the panels on as many pages as they need.

    Args:
        panels: in reading order.
        path: PNG file of the first page.
        kind: which curves these are; decides axes, limits and the line of reference.
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
    names = list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))
    styles = styles_of(names)
    marked = kind == "reliability"
    legend = {name: line_handle(styles[name], marker=marked) for name in names}
    # One scale for all panels, so that they can be compared.
    curves = [c for p in panels for c in p.curves]
    upper = reliability_limit(curves) if marked else 1.0
    top = precision_limit(curves) if kind == "precision_recall" else upper
    written = []
    for file, heading, part in pages_of(panels, path, per_page=columns * rows, title=title):
        with plot_page(
            file, title=heading, panels=len(part), columns=columns, synthetic=synthetic,
            notes=notes, legend=legend, dpi=dpi,
        ) as axes:  # fmt: skip
            for index, (ax, panel) in enumerate(zip(axes, part, strict=True)):
                _draw_panel(ax, panel, kind, styles, (upper, top))
                x_label, y_label = _LABELS[kind]
                if index + columns >= len(part):
                    ax.set_xlabel(x_label, fontsize=8)
                if index % columns == 0:
                    ax.set_ylabel(y_label, fontsize=8)
        written.append(file)
    return written


def _draw_panel(
    ax: Any, panel: CurvePanel, kind: CurveKind, styles: dict[str, SeriesStyle],
    ends: tuple[float, float],
) -> None:  # fmt: skip
    upper, top = ends
    reference = {"color": "#707070", "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 1}
    if kind == "precision_recall":
        if panel.base_rate is not None:
            ax.axhline(panel.base_rate, **reference)
    else:
        ax.plot([0, upper], [0, upper], **reference)
    for order, curve in reversed(list(enumerate(panel.curves))):
        style = styles[curve.name]
        above = 10 - order
        if curve.low is not None and curve.high is not None:
            ax.fill_between(
                curve.x, curve.low, curve.high, color=style.colour, alpha=0.18, linewidth=0,
                zorder=above - 0.5,
            )  # fmt: skip
        draw_style = "steps-pre" if curve.stepped else "default"
        markers = kind == "reliability" and not curve.stepped
        shown_x, shown_y = curve.x, curve.y
        if kind == "precision_recall":
            shown_y = precision_from_first_hit(curve.x, curve.y)
        ax.plot(
            shown_x, shown_y, color=style.colour, linestyle=style.line, linewidth=style.width,
            drawstyle=draw_style, zorder=above, marker=style.marker if markers else None,
            markersize=3.5,
        )  # fmt: skip
    ax.set_xlim(-0.01 * upper, 1.01 * upper)
    ax.set_ylim(-0.01 * top, 1.01 * top)
    ax.set_aspect("auto")
    if kind == "reliability" and panel.base_rate is not None:
        ax.plot([panel.base_rate] * 2, [0, 0.04 * upper], color="black", linewidth=1.5)
    figures = [
        f"{curve.name} {curve.value:.3f}" for curve in panel.curves if curve.value is not None
    ]
    rate = (
        f"base rate {panel.base_rate:.3f}"
        if kind == "precision_recall" and panel.base_rate is not None
        else ""
    )
    lines = [line for line in (*figures, panel.note, rate) if line]
    if lines:
        at_left = kind == "reliability"
        x = 0.02 if at_left else 0.98
        at_bottom = kind in ("roc", "capture")
        ax.text(
            x, 0.03 if at_bottom else 0.98, "\n".join(lines), transform=ax.transAxes, fontsize=6.5,
            ha="left" if at_left else "right", va="bottom" if at_bottom else "top", zorder=20,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5},
        )  # fmt: skip
    ax.set_title(panel.title, fontsize=9)


def precision_from_first_hit(recall: FloatArray, precision: FloatArray) -> FloatArray:
    """(point,) precision whose points at recall 0 have that of the first recall above it.

    Nothing is found at recall 0; curves are closed there by convention, at 1, which would draw a
    line from the top of the panel.

    Example:
        >>> precision_from_first_hit(np.array([0.0, 0.4, 1.0]), np.array([1.0, 0.3, 0.1])).tolist()
        [0.3, 0.3, 0.1]
    """
    found = np.flatnonzero(recall > 0)
    if found.size == 0:
        return precision
    return np.where(recall > 0, precision, precision[found[np.argmin(recall[found])]])


def precision_limit(curves: Sequence[Curve]) -> float:
    """Upper end of the precision axis: what is reached beyond a recall of 5 %, and some room.

    With rare events all curves would lie on the bottom of a square of height 1; at the smallest
    recalls precision is that of a handful of cells and jumps.

    Example:
        >>> curve = Curve(name="a", x=np.array([0.01, 0.5, 1.0]), y=np.array([1.0, 0.03, 0.01]))
        >>> round(precision_limit([curve]), 3)
        0.05
    """
    reached = [0.0]
    for curve in curves:
        values = np.asarray(curve.y, dtype=np.float64)[np.asarray(curve.x) >= 0.05]
        values = values[np.isfinite(values)]
        if values.size:
            reached.append(float(values.max()))
    # Half as much again leaves room for the figures in the corner.
    wanted = 1.5 * max(reached)
    if wanted <= 0.0 or wanted >= 0.8:
        return 1.0
    step = 10.0 ** np.floor(np.log10(wanted))
    return float(round(np.ceil(wanted / step - 1e-9) * step, 12))


def reliability_limit(curves: Sequence[Curve]) -> float:
    """Upper end of both axes: what the curves reach, rounded up to a tenth, at most 1.

    Rare events never reach 1, and a curve in the corner of an empty square shows nothing.

    Example:
        >>> curve = Curve(name="a", x=np.array([0.0, 0.31]), y=np.array([0.0, 0.42]))
        >>> reliability_limit([curve])
        0.5
    """
    reached = [0.1]
    for curve in curves:
        for values in (curve.x, curve.y):
            finite = np.asarray(values, dtype=np.float64)
            finite = finite[np.isfinite(finite)]
            if finite.size:
                reached.append(float(finite.max()))
    return float(min(1.0, np.ceil(max(reached) * 10 - 1e-9) / 10))
