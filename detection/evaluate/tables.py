"""Tables of evaluations: models by scores, models by sites, objects by size, differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from detection.evaluate.comparison import paired_difference
from detection.evaluate.record import ALL, SCORES, Evaluation
from detection.evaluate.units import Score

MAIN_SCORES = ("f1", "iou", "precision", "recall", "mcc", "average_precision", "boundary_f1")


MOST_SITES = 24
"""More columns than this fit on no page; files that came cut may be a site each."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of text.

    Attributes:
        header: names of the columns.
        rows: cells, as many in each row.
        notes: what a reader must know, one sentence each.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def score_text(score: Score | None, *, digits: int = 3) -> str:
    """A score with its interval, for a cell.

    Example:
        >>> score_text(Score(value=0.81234, low=0.7, high=0.9))
        '0.812 (0.700 to 0.900)'
        >>> score_text(Score(value=0.5)), score_text(Score(value=float("nan"), note="no landslide"))
        ('0.500', 'n/a')
    """
    if score is None or math.isnan(score.value):
        return "n/a"
    if math.isnan(score.low):
        return f"{score.value:.{digits}f}"
    return f"{score.value:.{digits}f} ({score.low:.{digits}f} to {score.high:.{digits}f})"


def require_comparable(evaluations: Sequence[Evaluation]) -> None:
    """Refuse evaluations that do not belong into one table.

    Raises:
        ValueError: none, a model twice, or different patches.
    """
    if not evaluations:
        raise ValueError("no evaluations")
    names = [e.model for e in evaluations]
    if len(set(names)) < len(names):
        raise ValueError(f"models {', '.join(names)}; use every name once")
    first = evaluations[0]
    for other in evaluations[1:]:
        one, two = first.protocol(), other.protocol()
        if (one.pixels, one.landslide_pixels) != (two.pixels, two.landslide_pixels):
            raise ValueError(
                f"{first.model!r} was scored on {one.pixels} pixels ({one.landslide_pixels} of "
                f"landslide), {other.model!r} on {two.pixels} ({two.landslide_pixels})"
            )


def score_table(evaluations: Sequence[Evaluation], protocol: str = ALL) -> Table:
    """Models by scores, for one choice of patches.

    Raises:
        ValueError: evaluations that do not belong into one table.
    """
    require_comparable(evaluations)
    rows = []
    for evaluation in evaluations:
        scores = evaluation.protocol(protocol).scores
        rows.append(
            (evaluation.model, *(score_text(scores[name]) for name in MAIN_SCORES),
             f"{evaluation.threshold:.3f}")
        )  # fmt: skip
    return Table(
        header=("model", *(SCORES[name] for name in MAIN_SCORES), "threshold"), rows=tuple(rows),
        notes=missing_notes(evaluations, protocol),
    )  # fmt: skip


def missing_notes(evaluations: Sequence[Evaluation], protocol: str) -> tuple[str, ...]:
    """Why scores or intervals are missing, each reason once."""
    found: dict[str, None] = {}
    for evaluation in evaluations:
        for name, score in evaluation.protocol(protocol).scores.items():
            if score.note:
                found[f"{SCORES[name]} of {evaluation.model}: {score.note}."] = None
    return tuple(found)


def site_table(evaluations: Sequence[Evaluation], score: str = "f1") -> Table:
    """Models by sites, as HR-GLDD prints it, with intervals and the pooled score beside.

    Args:
        evaluations: models on the same patches.
        score: of the counts, or average precision.

    Raises:
        ValueError: evaluations that do not belong into one table, or other sites.
    """
    require_comparable(evaluations)
    sites = [site.name for site in evaluations[0].sites]
    if any([s.name for s in e.sites] != sites for e in evaluations):
        raise ValueError("evaluations with different sites")
    first = evaluations[0]
    share: tuple[str, ...] = (
        "share of landslide",
        *(_share(s.landslide_pixels, s.pixels) for s in first.sites),
        _share(first.protocol().landslide_pixels, first.protocol().pixels),
    )
    patches = ("patches", *(str(s.patches) for s in first.sites), str(first.protocol().patches))
    rows = [
        (e.model, *(score_text(s.scores.get(score)) for s in e.sites), score_text(e.score(score)))
        for e in evaluations
    ]
    return Table(header=(SCORES[score], *sites, "all"), rows=(*rows, patches, share))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "n/a"


def size_table(evaluations: Sequence[Evaluation], protocol: str = ALL) -> Table:
    """Recall of landslides by size, models side by side.

    Raises:
        ValueError: evaluations that do not belong into one table.
    """
    require_comparable(evaluations)
    sizes = [e.protocol(protocol).sizes for e in evaluations]
    rows = []
    for classes in zip(*sizes, strict=True):
        last = classes[0] is sizes[0][-1]
        rows.append(
            ("all sizes" if last else classes[0].label, str(classes[0].landslides),
             str(classes[0].cut), *(score_text(c.recall, digits=2) for c in classes))
        )  # fmt: skip
    return Table(
        header=("size", "landslides", "cut", *(e.model for e in evaluations)), rows=tuple(rows)
    )


def false_object_table(evaluations: Sequence[Evaluation], protocol: str = ALL) -> Table:
    """Mapped objects by size, and the share of them that is real."""
    require_comparable(evaluations)
    sizes = [e.protocol(protocol).sizes for e in evaluations]
    rows = []
    for classes in zip(*sizes, strict=True):
        last = classes[0] is sizes[0][-1]
        cells = [f"{c.confirmed} of {c.mapped}: {score_text(c.precision, digits=2)}"
                 if c.mapped else "none" for c in classes]  # fmt: skip
        rows.append(("all sizes" if last else classes[0].label, *cells))
    return Table(header=("size", *(e.model for e in evaluations)), rows=tuple(rows))


def difference_table(evaluations: Sequence[Evaluation], score: str = "f1") -> Table:
    """Score of the first model less that of each other one, on the same draws."""
    require_comparable(evaluations)
    first = evaluations[0]
    rows = []
    for other in evaluations[1:]:
        found = paired_difference(first, other, score)
        sure = "-"
        if not math.isnan(found.low):
            sure = "yes" if found.low > 0 or found.high < 0 else "no"
        rows.append((f"{first.model} less {other.model}", score_text(found), sure))
    return Table(
        header=("models", f"difference in {SCORES[score]}", "clear of zero"), rows=tuple(rows)
    )
