"""Parts of a report page about an evaluation, as MyST text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from detection.evaluate.record import ALL, POSITIVES, Evaluation
from detection.evaluate.tables import (
    MOST_SITES,
    Table,
    difference_table,
    false_object_table,
    score_table,
    site_table,
    size_table,
)
from stats.command.pages import figure, heading, table

CAPTIONS: Mapping[str, str] = {
    "scores": "Pooled scores of all patches with their intervals.",
    "curves": "Precision against recall; the dashed line is chance.",
    "radar": "Scores as spokes, from 0 in the middle to 1 at the rim.",
    "sites": "Sites as spokes, one chart per score.",
    "sizes": "Share of the landslides that are found, by size.",
    "examples": "Examples chosen by rule, from the best to the worst, and false alarms.",
}


def evaluation_parts(
    evaluations: Sequence[Evaluation],
    figures: Mapping[str, Sequence[Path]] | None = None,
    *,
    folder: str = "figures",
    level: int = 2,
) -> list[str]:
    """All parts about the models of one table, in reading order.

    Args:
        evaluations: models on the same patches; the first one is the subject.
        figures: files by name, from `draw_figures` and `draw_examples` (``examples``).
        folder: of the figures, from the page.
        level: of the headings.
    """
    drawn = figures or {}
    synthetic = evaluations[0].synthetic

    def shown(name: str) -> list[str]:
        return figure_parts(drawn.get(name, ()), CAPTIONS[name], folder=folder, synthetic=synthetic)

    parts = [
        *score_parts(evaluations, level=level), *shown("scores"), *shown("radar"),
        *shown("curves"),
    ]  # fmt: skip
    if len(evaluations) > 1:
        parts += difference_parts(evaluations, level=level)
    if len(evaluations[0].sites) > 1:
        parts += [*site_parts(evaluations, level=level), *shown("sites")]
    parts += [*size_parts(evaluations, level=level), *shown("sizes")]
    if drawn.get("examples"):
        parts += [heading("Examples", level), *shown("examples")]
    return parts


def score_parts(evaluations: Sequence[Evaluation], *, level: int = 2) -> list[str]:
    """Scores of all patches; beside them, labelled, those of patches with landslides only."""
    first = evaluations[0]
    every = first.protocol(ALL)
    parts = [
        heading("Scores", level),
        f"{first.data}: {every.patches:,} patches, {every.pixels:,} pixels that count, "
        f"{100 * every.base_rate:.2f} % of them landslide. Counts are pooled over all pixels, each "
        f"once, and divided last. {_interval_text(first)} {_threshold_text(evaluations)}\n",
        heading("All patches", level + 1),
        *_with_notes(score_table(evaluations, ALL)),
    ]
    if every.landslide_pixels and len(first.distinct) == 1:
        parts.append(
            "Every patch holds a landslide: there is no stable ground far from landslides on which "
            "false alarms could be counted.\n"
        )
    if any(p.name == POSITIVES for p in first.distinct):
        few = first.protocol(POSITIVES)
        parts += [
            heading("Patches with landslides only", level + 1),
            f"As the papers score: without the {every.patches - few.patches:,} patches that hold "
            "no landslide, false alarms on stable ground are never counted. These figures are for "
            "comparison with published ones, not for use.\n",
            *_with_notes(score_table(evaluations, POSITIVES)),
        ]
    best = [
        f"{e.model} {p.ceiling.f1:.3f} at {p.ceiling.threshold:.3f}"
        for e in evaluations for p in [e.protocol(ALL)] if p.ceiling is not None
    ]  # fmt: skip
    if best:
        parts.append(
            "With the best threshold of these very pixels F1 would be: "
            f"{', '.join(best)}. That is an upper end, not a held-out score.\n"
        )
    return parts


def difference_parts(evaluations: Sequence[Evaluation], *, level: int = 2) -> list[str]:
    """Paired differences of the first model and each other one."""
    return [
        heading("Differences", level),
        "Both models of a row are scored on the same draws, so what makes both fail cancels.\n",
        *_with_notes(difference_table(evaluations)),
    ]


def site_parts(
    evaluations: Sequence[Evaluation], *, scores: Sequence[str] = ("f1", "iou"), level: int = 2
) -> list[str]:
    """Models by sites, a table per score."""
    parts = [heading("Models by sites", level)]
    number = len(evaluations[0].sites)
    if number > MOST_SITES:
        return [*parts, f"The scores of {number:,} sites are in the files of each evaluation.\n"]
    for score in scores:
        parts += _with_notes(site_table(evaluations, score))
    return parts


def size_parts(evaluations: Sequence[Evaluation], *, level: int = 2) -> list[str]:
    """Landslides found by size, and mapped objects that are real."""
    first = evaluations[0]
    overlap = f"{100 * first.settings.object_overlap:g} %"
    return [
        heading("Landslides as objects", level),
        f"A landslide is found where at least {overlap} of its pixels that count are mapped; one "
        "that goes on behind the edge of the ground or under a cloud is cut, and larger than its "
        "class says.\n",
        *_with_notes(size_table(evaluations)),
        f"A mapped object is real where at least {overlap} of it is landslide.\n",
        *_with_notes(false_object_table(evaluations)),
    ]


def figure_parts(
    files: Sequence[Path], caption: str, *, folder: str = "figures", synthetic: bool = False
) -> list[str]:
    """Figures of one set, numbered where there are several."""
    parts = []
    for number, file in enumerate(files, start=1):
        page = f" (page {number} of {len(files)})" if len(files) > 1 else ""
        stamp = "SYNTHETIC. " if synthetic else ""
        made = figure(f"{folder}/{file.name}", f"{stamp}{caption}{page}")
        parts.append(made.replace(":width: 100%", f":width: {_shown_width(file)}px", 1))
    return parts


def _shown_width(file: Path) -> int:
    """Width on the page [CSS pixel] at which a figure has the size that it would have in print."""
    from PIL import Image

    with Image.open(file) as image:
        dots_per_inch = float(image.info.get("dpi", (100.0, 100.0))[0])
        return round(image.width * 96 / dots_per_inch)


def _with_notes(made: Table) -> list[str]:
    found = [table(made.header, made.rows)]
    return [*found, *(f"{note}\n" for note in made.notes)]


def _interval_text(evaluation: Evaluation) -> str:
    number = evaluation.protocol(ALL).units
    if number < 2:
        return f"There is one {evaluation.unit}, so there are no intervals."
    text = (
        f"Intervals ({100 * evaluation.settings.level:g} %) come from {evaluation.settings.draws:,}"
        f" draws of {number} units ({evaluation.unit})."
    )
    if number < 20:
        text += " With so few units they are rough."
    return text


def _threshold_text(evaluations: Sequence[Evaluation]) -> str:
    origins = list(dict.fromkeys(e.threshold_origin for e in evaluations))
    return f"Thresholds: {'; '.join(origins)}."
