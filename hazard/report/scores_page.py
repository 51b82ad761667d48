"""Scores of the main scheme: verdict, figure, differences, gap, ceiling, tables, not run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hazard.report.detection_error import of_truth, scored_lines
from hazard.report.evaluation import CEILING, MEAN, NOT_RUN
from hazard.report.page import Page, absent, sentence, shown
from hazard.report.score_names import (
    DENSITY,
    HEADLINE,
    PROBABILITY,
    RANKING,
)
from hazard.report.scoreboard import (
    CLOSED,
    OPTIMISM,
    RAIN_GAIN,
    SchemeScores,
    all_differences,
    scheme_scores,
)
from hazard.report.scores_tables import SPECIAL, main_scheme, scheme_tables, shown_model
from hazard.report.source import Source
from hazard.report.verdict import duels_of, verdict_parts
from stats.command.pages import escape, heading, table
from stats.command.plots_scores import ForestPanel, draw_forest_pages

if TYPE_CHECKING:
    import pandas as pd

COMPARED = (*RANKING[:3], RANKING[4], *PROBABILITY[:4], *DENSITY)


def scores_page(source: Source) -> Page:
    """Scores under forward chaining, or the first scheme that was scored."""
    board, scheme = source.evaluation.scoreboard, main_scheme(source)
    title = "Scores"
    if board is None:
        return Page(
            name="scores", title=title, summary="Not in this run.",
            parts=[absent("Scores", "there is no scoreboard")],
        )  # fmt: skip
    parts = [heading("In short", 2), *verdict_parts(source), *scored_lines(source)]
    if scheme is not None:
        parts += [
            heading(f"Scores with intervals: {source.scheme_title(scheme)}", 2),
            *_forest(source, scheme_scores(board, scheme), scheme),
            heading("Against the best baseline", 2),
            *_differences(source, scheme),
            heading("Between the baseline and the ceiling", 2),
            *_ceiling(source, scheme_scores(board, scheme)),
        ]
    parts += [
        heading("Models", 2),
        *_models(source),
        heading("Random folds against spatial blocks", 2),
        *_optimism(source, board),
        heading("Without the observed rain", 2),
        *_rain(source, board),
        heading("Not run", 2),
        *_not_run(source, board),
    ]
    if scheme is not None:
        parts += [
            heading(f"Tables: {source.scheme_title(scheme)}", 2),
            *scheme_tables(source, scheme, level=3),
        ]
    n_epochs = len(scheme_scores(board, scheme).in_order(source.epoch_names)) if scheme else 0
    name = source.scheme_title(scheme) if scheme else "no held-out scheme"
    return Page(
        name="scores",
        title=title,
        parts=parts,
        summary=f"Models against baselines: {name}, {n_epochs} test epochs; other schemes behind.",
    )


def _forest(source: Source, scores: SchemeScores, scheme: str) -> list[str]:
    variants = {m.name for m in source.models.values() if m.variant_of}
    models = [m for m in scores.models if m not in SPECIAL and m not in variants]
    panels = []
    for epoch in scores.in_order(source.epoch_names):
        for column in HEADLINE:
            found = [scores.find(column, model=m, epoch=epoch) for m in models]
            top = scores.find(column, model=CEILING, epoch=epoch)
            panels.append(
                ForestPanel(
                    title=f"{column.title}\n{epoch}",
                    names=[source.model_label(m) for m in models],
                    values=np.array([f.value if f else np.nan for f in found]),
                    low=np.array([f.low if f else np.nan for f in found]),
                    high=np.array([f.high if f else np.nan for f in found]),
                    better=column.better,
                    reference=top.value if top is not None else None,
                    reference_label="ceiling" if top is not None else "",
                )
            )
    if not panels:
        return [absent("The figure of scores", "no epoch has scores")]
    subject = source.subject
    files = draw_forest_pages(
        panels,
        source.figures / f"scores_{scheme}.png",
        title=f"Scores, {source.scheme_label(scheme)}",
        subjects=[source.model_label(subject)] if subject else [],
        synthetic=source.synthetic,
        notes=[
            "Bars: spatial-block intervals within this epoch. Dashed: the ceiling "
            f"({source.model_label(source.evaluation.ceiling_model)} trained on other blocks of "
            "the same epoch).",
            "A triangle at the edge: the value lies beyond the axis; it stands at the right.",
        ],
        columns=4,
        dpi=source.dpi,
    )
    return shown(
        files,
        "Headline scores per epoch with their intervals; in blue the model of this report.",
        source,
    )


def _differences(source: Source, scheme: str) -> list[str]:
    duels = duels_of(source, scheme, COMPARED)
    if not duels:
        return [absent("Paired differences", "the scoreboard has none for this model")]
    rows = [
        [d.epoch, d.score, d.opponent, d.gain.text, d.gain.n, d.gain.n_blocks, d.outcome]
        for d in duels
    ]
    notes = list(dict.fromkeys(d.gain.note for d in duels if d.gain.note))
    parts = [
        sentence(
            "Differences on the same draws, positive where the model of this report is better, "
            "whatever the direction of the score. The opponent is the baseline that is best by "
            "that score in that very epoch, which favours the opponent. *Better* and *worse* are "
            "said only where the interval excludes 0."
        ),
        table(["epoch", "score", "best baseline", "gain", "n", "blocks", "verdict"], rows),
    ]
    return [*parts, *(sentence(escape(note)) for note in notes[:3])]


def _ceiling(source: Source, scores: SchemeScores) -> list[str]:
    subject = source.subject
    if subject is None or CEILING not in scores.models:
        return [absent("The ceiling", "no model was trained on other blocks of the same epoch")]
    made = []
    for epoch in scores.in_order(source.epoch_names):
        for column in HEADLINE:
            own = scores.find(column, model=subject, epoch=epoch)
            top = scores.find(column, model=CEILING, epoch=epoch)
            closed = scores.find(column, model=subject, epoch=epoch, suffix=CLOSED)
            if own is None or top is None:
                continue
            share = closed.text if closed is not None and not math.isnan(closed.value) else (
                closed.note if closed is not None and closed.note else "-"
            )  # fmt: skip
            made.append([epoch, column.title, own.text, top.text, share, own.n])
    header = ["epoch", "score", "this model", "ceiling", "share of the room closed", "n"]
    name = source.model_label(source.evaluation.ceiling_model)
    text = (
        f"The ceiling is the same {name}, trained on other blocks of the same epoch: what a "
        "forecaster could know who had seen the epoch elsewhere. A forecast near it is excellent; "
        f"one above it is suspect. The room is the distance from {name} to it."
    )
    return [sentence(text), table(header, made)]


def _optimism(source: Source, board: pd.DataFrame) -> list[str]:
    made = []
    for column in HEADLINE:
        rows = all_differences(board, column, OPTIMISM)
        has_mean = any(epoch == MEAN for _, _, epoch, _ in rows)
        made += [
            [shown_model(source, model), column.title, epoch, found.text, found.n, found.n_blocks]
            for _, model, epoch, found in rows
            if epoch == MEAN or not has_mean
        ]
    if not made:
        return [absent("The gap", "random folds, spatial blocks, or both were not scored")]
    return [
        sentence(
            "How much better random folds make a model look than spatial blocks, on the cells that "
            "both test; positive is optimism, not skill."
        ),
        table(["model", "score", "epoch", "random minus blocked", "n", "blocks"], made),
    ]


def _rain(source: Source, board: pd.DataFrame) -> list[str]:
    made = [
        [source.scheme_title(scheme), shown_model(source, model), column.title, epoch, found.text,
         found.n]
        for column in HEADLINE
        for scheme, model, epoch, found in all_differences(board, column, RAIN_GAIN)
        if scheme in source.held_out_schemes
    ]  # fmt: skip
    if not made:
        return [absent("Forecasts with climatological rain", "none were made or scored")]
    return [
        sentence(
            "All other scores know the rain of the epoch. Here it is replaced by the climatology "
            "of its season; a negative gain is what is lost."
        ),
        table(["scheme", "model", "score", "epoch", "gain", "n"], made),
    ]


def _models(source: Source) -> list[str]:
    if not source.models:
        return [absent("The list of models", "there are no predictions")]
    rows = [
        [source.model_label(name), m.title, m.kind, m.past_records, m.rain, m.probability]
        for name, m in source.models.items()
    ]
    header = ["name here", "what it is", "kind", "reads the past", "rain", "probability"]
    if of_truth(source):
        header.append("forecasts")
        for row, m in zip(rows, source.models.values(), strict=True):
            row.append("true landslides" if m.true_presence else "the record")
    return [table(header, rows)]


def _not_run(source: Source, board: pd.DataFrame) -> list[str]:
    rows = board[board["score"] == NOT_RUN]
    if rows.empty:
        return [sentence("Everything that was configured was run.")]
    made = [
        [source.scheme_title(str(r["scheme"])),
         shown_model(source, str(r["model"])) if r["model"] else "all",
         str(r["fold"] or "all"), str(r["note"])]
        for _, r in rows.iterrows()
    ]  # fmt: skip
    return [table(["scheme", "model", "fold", "reason"], made)]
