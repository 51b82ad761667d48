"""ROC, precision-recall, reliability and capture curves per scheme and epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hazard.report.chosen import CONSTANT, curve_models, epochs_in, left_out
from hazard.report.page import Page, absent, sentence, shown
from hazard.report.score_names import RANKING
from hazard.report.scoreboard import OBSERVED_RATE, scheme_scores
from hazard.report.scores_tables import main_scheme
from hazard.report.source import Source
from stats.command.pages import heading
from stats.command.plots_curves import Curve, CurveKind, CurvePanel, draw_curve_pages

if TYPE_CHECKING:
    import pandas as pd

TEXTS: dict[CurveKind, tuple[str, str]] = {
    "roc": (
        "ROC curves",
        "ROC curves of presence; figures are the AUC. The dashed diagonal is no skill.",
    ),
    "precision_recall": (
        "Precision-recall curves",
        "Precision against recall of presence; figures are the average precision. The dashed line "
        "is the observed rate, which is no skill.",
    ),
    "reliability": (
        "Reliability",
        "Observed frequency against forecast probability in ten bins of equal size, with "
        "spatial-block intervals of the first model; a tick on the axis marks the base rate; the "
        "dashed diagonal is right. Where the curve runs below it, the forecast is too high.",
    ),
    "capture": (
        "Share of landslide area captured",
        "Landslide area held by the most hazardous part of the area. The dashed diagonal is a "
        "random choice of cells.",
    ),
}
MAIN_KINDS: tuple[CurveKind, ...] = ("roc", "precision_recall", "reliability", "capture")
OTHER_KINDS: tuple[CurveKind, ...] = ("roc", "reliability")
RELIABILITY_MODELS = 4


def curves_page(source: Source) -> Page:
    """All kinds of curves of the main scheme; ROC and reliability of the others."""
    title = "Curves"
    curves = source.evaluation.rows("curves")
    if curves is None or curves.empty:
        return Page(
            name="curves", title=title, summary="Not in this run.",
            parts=[absent("Curves", "the evaluation left none")],
        )  # fmt: skip
    main = main_scheme(source)
    found = [str(s) for s in dict.fromkeys(curves["scheme"])]
    schemes = sorted(found, key=lambda name: name != main)
    parts = [
        sentence(
            "All curves are of held-out forecasts of any increase of landslide area in a cell, "
            "epoch by epoch. Line styles differ as well as colours."
        )
    ]
    for scheme in schemes:
        record = source.schemes.get(scheme)
        if record is not None and record.in_sample:
            continue
        title_of_scheme = source.scheme_title(scheme)
        parts.append(heading(title_of_scheme[:1].upper() + title_of_scheme[1:], 2))
        for kind in MAIN_KINDS if scheme == main else OTHER_KINDS:
            parts += _kind_parts(source, curves[curves["scheme"] == scheme], scheme, kind)
    return Page(
        name="curves", title=title, parts=parts,
        summary="ROC, precision-recall, reliability and capture curves per epoch.",
    )  # fmt: skip


def _kind_parts(source: Source, curves: pd.DataFrame, scheme: str, kind: CurveKind) -> list[str]:
    rows = curves[curves["curve"] == kind]
    # A constant forecast ranks nothing: its curve is the line of no skill.
    found = [
        str(m)
        for m in dict.fromkeys(rows["model"])
        if m not in (("zero",) if kind == "reliability" else CONSTANT)
    ]
    if not found:
        return [absent(TEXTS[kind][0], "no model has such a curve under this scheme")]
    at_most = RELIABILITY_MODELS if kind == "reliability" else 7
    models = curve_models(source, found, at_most=at_most)
    board = source.evaluation.scoreboard
    scores = scheme_scores(board, scheme) if board is not None else None
    column = {"roc": RANKING[0], "precision_recall": RANKING[1]}.get(kind)
    panels = []
    for epoch in epochs_in(source, rows):
        at = rows[rows["epoch"] == epoch]
        drawn = []
        for model in models:
            points = at[at["model"] == model]
            if points.empty:
                continue
            score = (
                scores.find(column, model=model, epoch=epoch)
                if scores is not None and column is not None
                else None
            )
            band = kind == "reliability" and model == models[0]
            drawn.append(
                Curve(
                    name=source.model_label(model),
                    x=points["x"].to_numpy(np.float64),
                    y=points["y"].to_numpy(np.float64),
                    low=points["low"].to_numpy(np.float64) if band else None,
                    high=points["high"].to_numpy(np.float64) if band else None,
                    value=score.value if score is not None else None,
                    stepped=kind == "precision_recall",
                )
            )
        rate = (
            scores.find(OBSERVED_RATE, model=models[0], epoch=epoch) if scores is not None else None
        )
        n = rate.n if rate is not None else int(at["n"].max())
        panels.append(
            CurvePanel(
                title=epoch,
                curves=drawn,
                base_rate=rate.value if rate is not None else None,
                note=f"n = {n} cells"
                + (f", {round(rate.value * n)} with landslides" if rate else "")
                + (f"\nbase rate {rate.value:.3f}" if kind == "reliability" and rate else ""),
            )
        )
    title, caption = TEXTS[kind]
    hidden = left_out(models, found, source)
    files = draw_curve_pages(
        panels,
        source.figures / f"{kind}_{scheme}.png",
        kind=kind,
        title=f"{title}, {source.scheme_label(scheme)}",
        synthetic=source.synthetic,
        notes=[hidden] if hidden else [],
        dpi=source.dpi,
    )
    return shown(files, f"{caption} Scheme: {source.scheme_title(scheme)}.", source)
