"""The same model under a split that leaks and under honest ones: what the leak alone gains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hazard.report.evaluation import MEAN
from hazard.report.page import absent, sentence, shown
from hazard.report.score_names import DENSITY, PAPERS, PROBABILITY, RANKING, ScoreColumn
from hazard.report.scoreboard import Found, SchemeScores, all_differences, scheme_scores
from hazard.report.source import Source
from stats.command.pages import heading, table
from stats.command.plots_scores import ForestPanel, draw_forest_pages

if TYPE_CHECKING:
    import pandas as pd

LEAKING = "_leaking_minus_honest"
COLUMNS: tuple[ScoreColumn, ...] = (
    RANKING[0], RANKING[1], PROBABILITY[2], DENSITY[0], *PAPERS[:2], *PAPERS[3:],
)  # fmt: skip
"""AUC, average precision, log score, CRPS, and R and MAE as the paper reports them."""
DRAWN = (RANKING[0], RANKING[1], PROBABILITY[2], DENSITY[0], PAPERS[0], PAPERS[3])
YARDSTICKS = ("climatology", "persistence_mean")


@dataclass(frozen=True, kw_only=True)
class LeakGap:
    """What a leak adds to one score of one model.

    Attributes:
        model: name.
        leaking: scheme that leaks.
        honest: scheme that does not.
        epoch: name, or the mean over the epochs that both test.
        column: the score.
        gain: leaking minus honest on the cells that both test, positive where the leak flatters.
        honest_score: score under the honest scheme; None where it has no row for these cells.
    """

    model: str
    leaking: str
    honest: str
    epoch: str
    column: ScoreColumn
    gain: Found
    honest_score: Found | None


def leak_gaps(source: Source, board: pd.DataFrame) -> list[LeakGap]:
    """Every difference between a leaking and an honest scheme, means over epochs first."""
    scores: dict[str, SchemeScores] = {}
    found = []
    for column in COLUMNS:
        for leaking, model, epoch, gain in all_differences(board, column, LEAKING):
            if gain.reference not in scores:
                scores[gain.reference] = scheme_scores(board, gain.reference)
            own = scores[gain.reference].find(column, model=model, epoch=epoch)
            found.append(
                LeakGap(
                    model=model, leaking=leaking, honest=gain.reference, epoch=epoch,
                    column=column, gain=gain, honest_score=own,
                )
            )  # fmt: skip
    epochs = [MEAN, *source.epoch_names]
    models, schemes = list(source.models), list(source.schemes)
    return sorted(
        found,
        key=lambda g: (models.index(g.model), schemes.index(g.honest), epochs.index(g.epoch),
                       COLUMNS.index(g.column)),
    )  # fmt: skip


def leak_comparison(source: Source) -> list[str]:
    """Figure and tables; nothing where no scheme of the run leaks."""
    leaking = [name for name, record in source.schemes.items() if record.leaks]
    if not leaking:
        return []
    parts = [heading("The same model under the leaking split and under honest ones", 2)]
    board = source.evaluation.scoreboard
    gaps = leak_gaps(source, board) if board is not None else []
    if board is None or not gaps:
        why = "no honest scheme tested the same model on the same cells"
        return [*parts, absent("The comparison", why)]
    return [
        *parts,
        sentence(
            "One model, one curriculum, one budget of training; only the split differs. What it "
            "scores under the leaking split and loses under an honest one was memory of the test "
            "cells, not skill."
        ),
        *_budget(source),
        *_figures(source, board, leaking, gaps),
        heading("Leaking minus honest", 3),
        sentence(
            "Paired differences on the cells and epochs that both schemes test. The sign is such "
            "that positive means that the leak flatters the model, whatever the direction of the "
            "score (for MAE, the log score and CRPS: by how much it lowers them)."
        ),
        *_tables(source, gaps),
    ]


def _budget(source: Source) -> list[str]:
    """How long the published networks were trained, where it is less than was published."""
    config = source.config.fit.references if source.config is not None else None
    if config is None or config.susceptibility_epochs >= 500:
        return []
    return [
        sentence(
            "Trained for at most "
            f"{config.susceptibility_epochs} epochs of susceptibility, {config.density_epochs} of "
            f"each stage of density and {config.joint_epochs} of both together; published: up to "
            "500 and 200. A longer training memorises more."
        )
    ]


def _figures(
    source: Source, board: pd.DataFrame, leaking: list[str], gaps: list[LeakGap]
) -> list[str]:
    """One figure per model: the last epoch that the leaking and most honest schemes share."""
    parts: list[str] = []
    for model in dict.fromkeys(g.model for g in gaps):
        own = [g for g in gaps if g.model == model and g.epoch != MEAN]
        honest = list(dict.fromkeys(g.honest for g in own))
        shared = {
            epoch: {g.honest for g in own if g.epoch == epoch}
            for epoch in dict.fromkeys(g.epoch for g in own)
        }
        epoch = max(shared, key=lambda e: (len(shared[e]), source.epoch_names.index(e)))
        rows = [(scheme, model) for scheme in (*leaking, *honest)]
        rows += [
            (scheme, name) for scheme in honest for name in YARDSTICKS if name in source.models
        ]
        parts += _figure(source, board, model, epoch, rows)
    return parts


def _figure(
    source: Source, board: pd.DataFrame, model: str, epoch: str, rows: list[tuple[str, str]]
) -> list[str]:
    by_scheme = {
        scheme: scheme_scores(board, scheme) for scheme in dict.fromkeys(s for s, _ in rows)
    }
    rows = [
        (s, m) for s, m in rows if any(by_scheme[s].find(c, model=m, epoch=epoch) for c in DRAWN)
    ]
    names = []
    for scheme, name in rows:
        found = by_scheme[scheme].find(RANKING[0], model=name, epoch=epoch)
        n = f" (n = {found.n})" if found is not None else ""
        leak = "LEAKING " if source.schemes[scheme].leaks else ""
        names.append(f"{source.model_label(name)}, {leak}{source.scheme_label(scheme)}{n}")
    panels = []
    for column in DRAWN:
        found_all = [by_scheme[s].find(column, model=m, epoch=epoch) for s, m in rows]
        panels.append(
            ForestPanel(
                title=f"{column.title}\n{epoch}",
                names=names,
                values=np.array([f.value if f else math.nan for f in found_all]),
                low=np.array([f.low if f else math.nan for f in found_all]),
                high=np.array([f.high if f else math.nan for f in found_all]),
                better=column.better,
            )
        )
    title = source.model_label(model)
    files = draw_forest_pages(
        panels,
        source.figures / f"leak_{model}.png",
        title=f"Leaking split against honest splits, {title}",
        subjects=[n for n, (s, m) in zip(names, rows, strict=True) if m == model
                  and not source.schemes[s].leaks],
        synthetic=source.synthetic,
        notes=["Bars: spatial-block intervals within this epoch. Blue: the model under honest "
               "splits; grey: under the leaking split, and baselines."],
        dpi=source.dpi,
    )  # fmt: skip
    return shown(
        files,
        f"{title} in {epoch} under the split whose test cells it was trained on, under honest "
        "splits, and what forecasts without a network reach. Schemes that were run in part test "
        "fewer cells (n).",
        source,
    )


def _tables(source: Source, gaps: list[LeakGap]) -> list[str]:
    parts: list[str] = []
    for model, honest in dict.fromkeys((g.model, g.honest) for g in gaps):
        own = [g for g in gaps if (g.model, g.honest) == (model, honest)]
        epochs = list(dict.fromkeys(g.epoch for g in own))
        wanted = MEAN if MEAN in epochs else epochs[-1]
        rows = []
        for gap in (g for g in own if g.epoch == wanted):
            score = gap.honest_score
            rows.append(
                [gap.column.title, score.text if score is not None else "-",
                 gap.gain.text, gap.gain.n, gap.gain.n_blocks,
                 {1: "flattered", 0: "not told apart", -1: "not flattered"}[gap.gain.certain]]
            )  # fmt: skip
        over = f"mean of {len(epochs) - 1} epochs" if wanted == MEAN else wanted
        parts += [
            heading(f"{source.model_label(model)}: against {source.scheme_label(honest)}", 4),
            sentence(f"{source.scheme_title(honest)}; {over}."),
            table(
                ["score", "honest score", "leaking minus honest", "n", "blocks", "verdict"], rows
            ),
        ]
    return parts


def leak_lines(source: Source) -> list[str]:
    """One line per model and honest scheme for the front page: what the leak adds to its AUC."""
    board = source.evaluation.scoreboard
    if board is None or not any(record.leaks for record in source.schemes.values()):
        return []
    first: dict[tuple[str, str], LeakGap] = {}
    for gap in leak_gaps(source, board):
        if gap.column == RANKING[0] and not math.isnan(gap.gain.value):
            first.setdefault((gap.model, gap.honest), gap)
    return [_line(source, gap) for gap in first.values()]


def _line(source: Source, gap: LeakGap) -> str:
    when = "mean over the epochs" if gap.epoch == MEAN else gap.epoch
    honest = gap.honest_score
    score = f"AUC {honest.text} " if honest is not None else ""
    verdict = (
        "what the leak adds is memory, not skill"
        if gap.gain.certain > 0
        else "the leak adds nothing that can be told apart from 0 here"
    )
    return (
        f"{source.model_label(gap.model)}, {when}: {score}under {source.scheme_label(gap.honest)}; "
        f"under the {source.scheme_label(gap.leaking)}, whose test cells are training cells, the "
        f"AUC on the same cells differs by {gap.gain.text}: {verdict}."
    )
