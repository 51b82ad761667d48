"""Figures of evaluations: forest plot, curves, radar and spider charts, recall by size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.evaluate.radar import LEAST_SPOKES, RadarPanel, draw_radar_pages
from detection.evaluate.record import ALL, PROTOCOLS, SCORES, Evaluation
from detection.evaluate.tables import MAIN_SCORES, MOST_SITES, require_comparable
from detection.evaluate.units import Score
from stats.command.plots_curves import Curve, CurvePanel, draw_curve_pages
from stats.command.plots_page import SeriesStyle, plot_page, styles_of
from stats.command.plots_scores import ForestPanel, draw_forest_pages

SITE_SCORES = ("f1", "iou", "precision", "recall")


def draw_figures(
    evaluations: Sequence[Evaluation], folder: Path, *, stem: str = "", dpi: int = 130
) -> dict[str, list[Path]]:
    """All figures that these evaluations can make.

    Args:
        evaluations: models on the same patches; the first one is the subject.
        folder: of the PNG files.
        stem: before the names of the files, where a folder holds several sets.
        dpi: resolution [dots per inch].

    Returns:
        Files by name: ``scores``, ``curves``, ``radar``, ``sites`` (with 3 to 24 sites) and
        ``sizes`` (with a landslide).

    Raises:
        ValueError: evaluations that do not belong together.
    """
    require_comparable(evaluations)
    path = {name: folder / f"{stem}{name}.png" for name in FIGURES}
    found = {
        "scores": draw_scores(evaluations, path["scores"], dpi=dpi),
        "curves": draw_curves(evaluations, path["curves"], dpi=dpi),
        "radar": draw_radar(evaluations, path["radar"], dpi=dpi),
        "sites": draw_sites(evaluations, path["sites"], dpi=dpi),
        "sizes": draw_sizes(evaluations, path["sizes"], dpi=dpi),
    }
    return {name: files for name, files in found.items() if files}


FIGURES = ("scores", "curves", "radar", "sites", "sizes")


def draw_scores(evaluations: Sequence[Evaluation], path: Path, *, dpi: int = 130) -> list[Path]:
    """Scores of all patches with their intervals, one panel per score."""
    names = [e.model for e in evaluations]
    panels = []
    for key in MAIN_SCORES[:6]:
        scores = [e.score(key) for e in evaluations]
        panels.append(
            ForestPanel(
                title=SCORES[key], names=names, values=np.array([s.value for s in scores]),
                low=np.array([s.low for s in scores]), high=np.array([s.high for s in scores]),
                better="high", limits=(min(-0.02, 1.1 * _lowest(scores)), 1.02),
            )
        )  # fmt: skip
    first = evaluations[0]
    return draw_forest_pages(
        panels, path, title="Pooled scores, all patches", subjects=names[:1],
        synthetic=first.synthetic, notes=[_interval_note(first)], dpi=dpi,
    )  # fmt: skip


def draw_curves(evaluations: Sequence[Evaluation], path: Path, *, dpi: int = 130) -> list[Path]:
    """Precision-recall curves, one panel per choice of patches; none where no landslide is."""
    panels = []
    few = len(evaluations) <= 2
    for protocol in evaluations[0].distinct:
        curves = []
        for evaluation in evaluations:
            own = evaluation.protocol(protocol.name)
            if own.curve is not None:
                curves.append(
                    Curve(
                        name=evaluation.model, x=own.curve.recall, y=own.curve.precision,
                        # Many figures would hide the curves; they stand in the table as well.
                        value=own.scores["average_precision"].value if few else None,
                        stepped=True,
                    )
                )  # fmt: skip
        if curves:
            panels.append(
                CurvePanel(title=PROTOCOLS[protocol.name], curves=curves,
                           base_rate=protocol.base_rate)
            )  # fmt: skip
    if not panels:
        return []
    return draw_curve_pages(
        panels, path, kind="precision_recall", title="Precision and recall",
        synthetic=evaluations[0].synthetic, columns=2, dpi=dpi,
        notes=[
            "The dashed line is the share of landslide."
            + (" Figures are average precision." if few else "")
        ],
    )  # fmt: skip


def draw_radar(evaluations: Sequence[Evaluation], path: Path, *, dpi: int = 130) -> list[Path]:
    """Scores as spokes, one chart per choice of patches."""
    panels = [
        RadarPanel(
            title=PROTOCOLS[protocol.name], spokes=[SCORES[name] for name in MAIN_SCORES],
            values={
                e.model: np.array([e.score(name, protocol.name).value for name in MAIN_SCORES])
                for e in evaluations
            },
        )
        for protocol in evaluations[0].distinct
    ]  # fmt: skip
    return draw_radar_pages(
        panels, path, title="Scores", synthetic=evaluations[0].synthetic, dpi=dpi
    )


def draw_sites(evaluations: Sequence[Evaluation], path: Path, *, dpi: int = 130) -> list[Path]:
    """Sites as spokes, one chart per score; none with fewer than 3 sites or more than 24."""
    sites = [site.name for site in evaluations[0].sites]
    if not LEAST_SPOKES <= len(sites) <= MOST_SITES:
        return []
    missing = float("nan")
    panels = [
        RadarPanel(
            title=SCORES[name], spokes=sites,
            values={
                e.model: np.array(
                    [s.scores[name].value if name in s.scores else missing for s in e.sites]
                )
                for e in evaluations
            },
        )
        for name in SITE_SCORES
    ]  # fmt: skip
    return draw_radar_pages(
        panels, path, title="Scores by site, all patches", synthetic=evaluations[0].synthetic,
        dpi=dpi,
    )  # fmt: skip


def draw_sizes(evaluations: Sequence[Evaluation], path: Path, *, dpi: int = 130) -> list[Path]:
    """Share of the landslides that are found, by size, with intervals."""
    first = evaluations[0]
    classes = first.protocol().sizes[:-1]
    kept = [i for i, c in enumerate(classes) if c.landslides]
    if not kept:
        return []
    styles = styles_of([e.model for e in evaluations])
    legend = {e.model: _marker(styles[e.model]) for e in evaluations}
    at = np.arange(len(kept), dtype=np.float64)
    overlap = first.settings.object_overlap
    notes = [
        f"Found: at least {100 * overlap:g} % of the pixels of a landslide that count are mapped.",
        _interval_note(first),
    ]
    with plot_page(
        path, title="Landslides found, by size", panels=1, columns=1, synthetic=first.synthetic,
        notes=notes, legend=legend, panel_width=max(4.5, 1.25 * len(kept)), panel_height=2.8,
        south=0.65, north=0.2, dpi=dpi,
    ) as (ax,):  # fmt: skip
        for index, evaluation in enumerate(evaluations):
            style = styles[evaluation.model]
            scores = [evaluation.protocol().sizes[i].recall for i in kept]
            value, low, high = (
                np.array([getattr(s, end) for s in scores]) for end in ("value", "low", "high")
            )
            shift = at + 0.5 * ((index + 0.5) / len(evaluations) - 0.5)
            known = np.isfinite(low) & np.isfinite(high)
            ax.vlines(
                shift[known], low[known], high[known], color=style.colour, linewidth=1.4, zorder=3
            )
            ax.plot(
                shift, value, style.marker, color=style.colour, markersize=6, zorder=4,
            )  # fmt: skip
        labels = [f"{classes[i].label}\n{classes[i].landslides} landslides" for i in kept]
        ax.set_xticks(at, labels, fontsize=7.5)
        ax.set_xlim(-0.5, len(kept) - 0.5)
        ax.set_ylim(-0.02, 1.02)
        ax.set_ylabel("share found [-]", fontsize=8)
        ax.grid(visible=False, axis="x")
    return [path]


def _lowest(scores: Sequence[Score]) -> float:
    """The lowest end; only a correlation can be below 0."""
    return float(np.nanmin([0.0, *(s.value for s in scores), *(s.low for s in scores)]))


def _marker(style: SeriesStyle) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], color=style.colour, linestyle="-", linewidth=1.4, marker=style.marker, markersize=6
    )


def _interval_note(evaluation: Evaluation) -> str:
    number = evaluation.protocol(ALL).units
    if number < 2:
        return f"No intervals: one {evaluation.unit}."
    return (
        f"Lines are {100 * evaluation.settings.level:g} % intervals from draws of {number} units "
        f"({evaluation.unit})."
    )
