"""Scores with their intervals as a forest plot: arrays in, PNG pages out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stats.command.plots_page import number_text, pages_of, plot_page

FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]
SUBJECT, OTHER, REFERENCE = "#0072B2", "#4d4d4d", "#E69F00"


@dataclass(frozen=True, kw_only=True)
class ForestPanel:
    """One score of several models.

    Attributes:
        title: score and epoch.
        names: (row,) models, top to bottom; the same in all panels of a page.
        values: (row,) scores, NaN where there is none.
        low: (row,) lower ends of the intervals, NaN where there is none.
        high: (row,) upper ends.
        better: ``high`` or ``low``, whichever is good; empty where neither is.
        reference: a value to compare with, drawn as a line (the ceiling, or 0 for differences).
        reference_label: what the reference is.
        limits: ends of the axis; where None, around the bulk of the models.
    """

    title: str
    names: Sequence[str]
    values: FloatArray
    low: FloatArray
    high: FloatArray
    better: str = ""
    reference: float | None = None
    reference_label: str = ""
    limits: tuple[float, float] | None = None


def draw_forest_pages(
    panels: Sequence[ForestPanel],
    path: Path,
    *,
    title: str,
    subjects: Sequence[str] = (),
    synthetic: bool = False,
    notes: Sequence[str] = (),
    columns: int = 3,
    rows: int = 2,
    dpi: int = 130,
) -> list[Path]:
    """Draw scores and intervals, one row per model, on as many pages as they need.

    Args:
        panels: in reading order; all with the same names.
        path: PNG file of the first page.
        title: of the pages.
        subjects: names drawn in the colour of what the report is about.
        synthetic: stamp every page.
        notes: lines under the plots.
        columns: panels side by side.
        rows: rows of panels on a page.
        dpi: resolution [dots per inch].

    Returns:
        The files written.

    Raises:
        ValueError: no panels, or panels with different names.
    """
    if panels and any(list(p.names) != list(panels[0].names) for p in panels):
        raise ValueError("found panels with different names; expected the same in all")
    written = []
    for file, heading, part in pages_of(panels, path, per_page=columns * rows, title=title):
        n_names = len(part[0].names)
        longest = max(len(name) for name in part[0].names)
        with plot_page(
            file, title=heading, panels=len(part), columns=columns, synthetic=synthetic,
            notes=notes, panel_height=max(1.2, 0.24 * n_names), west=0.15,
            outer_west=0.15 + 0.065 * longest, south=0.42, north=0.5, east=0.55,
            panel_width=1.9, dpi=dpi,
        ) as axes:  # fmt: skip
            for index, (ax, panel) in enumerate(zip(axes, part, strict=True)):
                _draw_panel(ax, panel, set(subjects), named=index % columns == 0)
        written.append(file)
    return written


def _draw_panel(ax: Any, panel: ForestPanel, subjects: set[str], *, named: bool) -> None:
    values, low, high = (
        np.asarray(v, dtype=np.float64) for v in (panel.values, panel.low, panel.high)
    )
    at = np.arange(len(panel.names), dtype=np.float64)
    for row, name in enumerate(panel.names):
        colour = SUBJECT if name in subjects else OTHER
        if np.isfinite(low[row]) and np.isfinite(high[row]):
            ax.plot([low[row], high[row]], [row, row], color=colour, linewidth=1.6)
        if not np.isnan(values[row]):
            ax.plot(
                values[row], row, "s" if name in subjects else "o", color=colour, markersize=4.5
            )
            ax.annotate(
                number_text(values[row]), (1.02, row), xycoords=("axes fraction", "data"),
                fontsize=6.5, va="center", color=colour, annotation_clip=False,
            )  # fmt: skip
        else:
            ax.annotate(
                "not scored", (0.5, row), xycoords=("axes fraction", "data"), fontsize=6.5,
                ha="center", va="center", color="#707070", style="italic",
            )  # fmt: skip
    if panel.reference is not None and np.isfinite(panel.reference):
        ax.axvline(panel.reference, color=REFERENCE, linewidth=1.2, linestyle=(0, (4, 2)), zorder=0)
        if panel.reference_label:
            ax.set_xlabel(f"dashed: {panel.reference_label}", fontsize=6.5, labelpad=2)
    limits = panel.limits or _limits(values, low, high, panel.reference)
    if limits is not None:
        ax.set_xlim(*limits)
        for row in (int(r) for r in np.flatnonzero(~np.isnan(values))):
            beyond = int(values[row] > limits[1]) - int(values[row] < limits[0])
            if beyond:
                # What lies beyond the axis is shown at its edge; the figure stands at the right.
                at_edge = limits[1] if beyond > 0 else limits[0]
                ax.plot(
                    at_edge, row, ">" if beyond > 0 else "<", color=OTHER, markersize=5,
                    clip_on=False,
                )  # fmt: skip
    ax.set_yticks(at, list(panel.names) if named else [""] * len(panel.names), fontsize=7)
    ax.set_ylim(len(panel.names) - 0.4, -0.6)
    ax.locator_params(axis="x", nbins=4)
    ax.grid(visible=False, axis="y")
    arrow = {"high": "\nhigher is better", "low": "\nlower is better"}.get(panel.better, "")
    ax.set_title(f"{panel.title}{arrow}", fontsize=7.5)


def _limits(
    values: FloatArray, low: FloatArray, high: FloatArray, reference: float | None
) -> tuple[float, float] | None:
    """Where the bulk of the models lies: one absurd model must not flatten the others.

    Models beyond three times the spread of the middle half are drawn at the edge by clipping; their
    figure stands at the right in any case.
    """
    found = values[np.isfinite(values)]
    if found.size == 0:
        return None
    lower, middle, upper = np.percentile(found, [25, 50, 75])
    reach = 3.0 * max(upper - lower, 0.02 * abs(middle), 1e-9)
    inside = (values >= middle - reach) & (values <= middle + reach)
    shown = [values[inside], low[inside], high[inside]]
    if reference is not None and abs(reference - middle) <= 2 * reach:
        shown.append(np.array([reference]))
    flat = np.concatenate(shown)
    flat = flat[np.isfinite(flat)]
    left, right = float(flat.min()), float(flat.max())
    margin = 0.06 * (right - left) or max(abs(left) * 0.05, 1e-6)
    return left - margin, right + margin
