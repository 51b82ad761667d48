"""Tables of scores: one set per scheme, with intervals, number of cases and unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hazard.report.evaluation import CEILING, IN_SAMPLE, MEAN, NOT_RUN
from hazard.report.page import Page, sentence
from hazard.report.score_names import GROUPS, PARTS, PROBABILITY, RANKING, ScoreColumn
from hazard.report.scoreboard import SchemeScores, scheme_scores
from hazard.report.source import Source
from stats.command.pages import escape, heading, note, table

if TYPE_CHECKING:
    import pandas as pd

SPECIAL = {
    CEILING: "ceiling (same epoch, other blocks)",
    IN_SAMPLE: "rate of the test cells (in-sample)",
}


READING = {
    "Calibration of the law of density": "The probability integral transform (PIT) of a law that "
    "holds is uniform, once observed zeros are spread evenly over the mass at zero (all such "
    "randomisations at once). Its distance from uniform is a statistic to compare models by, not "
    "a test: cells depend on each other. The central 90 % interval of the density given presence "
    "should hold 90 % of the cells with landslides. On all cells the closed interval from the 5 % "
    "to the 95 % quantile holds more than 90 % even of a law that is right, because zero has a "
    "mass: over-coverage is what it holds beyond what the law itself gives it.",
    "Parts of the proper scores (CORP)": "Score = miscalibration - discrimination + uncertainty. "
    "Intervals come from fewer draws than those of other scores (each takes an isotonic fit) and "
    "are centred on the value.",
}


def shown_model(source: Source, name: str) -> str:
    """Title of a model, also of those that stand beside the models."""
    return SPECIAL.get(name) or source.model_label(name)


def main_scheme(source: Source) -> str | None:
    """The scheme that the pages are about: forward chaining where it was scored."""
    board = source.evaluation.scoreboard
    if board is None:
        return None
    scored = set(board.loc[board["score"] != NOT_RUN, "scheme"])
    wanted = source.held_out_schemes if source.schemes else sorted(scored)
    return next((scheme for scheme in wanted if scheme in scored), None)


def scheme_pages(source: Source) -> list[Page]:
    """One page of tables per scheme but the main one."""
    board = source.evaluation.scoreboard
    if board is None:
        return []
    main = main_scheme(source)
    scored = board.loc[board["score"] != NOT_RUN, "scheme"]
    pages = []
    for scheme in dict.fromkeys(str(s) for s in scored):
        if scheme != main:
            title = source.scheme_title(scheme)
            pages.append(
                Page(
                    name=f"scores_{scheme}",
                    title=f"Scores: {title}",
                    parts=scheme_tables(source, scheme),
                    summary=f"Scores under {title}.",
                )
            )
    return pages


def scheme_tables(source: Source, scheme: str, *, level: int = 2) -> list[str]:
    """All tables of one scheme: the mean over its epochs, then every epoch.

    Args:
        source: the run.
        scheme: name of the scheme.
        level: of the headings.
    """
    board = source.evaluation.scoreboard
    if board is None:
        return []
    scores = scheme_scores(board, scheme)
    parts = _about(source, scheme)
    if MEAN in scores.epochs:
        parts.append(heading("Mean over the test epochs", level))
        parts += _epoch_tables(source, scores, MEAN, level + 1)
    for epoch in scores.in_order(source.epoch_names):
        parts += [heading(epoch, level), *_epoch_tables(source, scores, epoch, level + 1)]
    pooled = [MEAN] if MEAN in scores.epochs else scores.in_order(source.epoch_names)
    parts += _threshold_tables(source, scores, pooled, level)
    parts += _mapping_unit_tables(source, board, scheme, pooled, level)
    return parts


def _about(source: Source, scheme: str) -> list[str]:
    record = source.schemes.get(scheme)
    if record is None:
        return []
    separates = ", ".join(record.separates) or "nothing"
    text = (
        f"Unit held out: {record.unit}. Training and test do not share: {separates}. "
        + " ".join(record.notes)
    )
    parts = [sentence(escape(text))]
    if record.in_sample:
        parts.append(
            note("In-sample: this model saw the cells; no evidence of skill.", kind="warning")
        )
    if record.leaks:
        parts.append(note("This split leaks on purpose; no evidence of skill.", kind="warning"))
    return parts


def _epoch_tables(source: Source, scores: SchemeScores, epoch: str, level: int) -> list[str]:
    parts = [sentence(escape(scores.resampled(epoch)))]
    for title, columns in (*GROUPS.items(), ("Parts of the proper scores (CORP)", PARTS)):
        made = score_table(source, scores, columns, epoch)
        if made:
            parts += [heading(title, level)]
            parts += [sentence(READING[title])] if title in READING else []
            parts += [made]
    return parts


def score_table(
    source: Source, scores: SchemeScores, columns: Sequence[ScoreColumn], epoch: str
) -> str:
    """One row per model; empty where the scoreboard has none of the scores."""
    rows = []
    for model in scores.models:
        found = [scores.find(column, model=model, epoch=epoch) for column in columns]
        if all(f is None for f in found):
            continue
        counts = sorted({f.n for f in found if f is not None and f.n}, reverse=True)
        number = " / ".join(str(c) for c in counts) or "-"
        rows.append([shown_model(source, model), number, *(f.text if f else "-" for f in found)])
    return table(["model", "n", *(_titled(c) for c in columns)], rows) if rows else ""


def _titled(column: ScoreColumn) -> str:
    arrow = {"high": " (higher is better)", "low": " (lower is better)"}.get(column.better, "")
    return f"{column.title}{arrow}"


def _threshold_tables(
    source: Source, scores: SchemeScores, epochs: Sequence[str], level: int
) -> list[str]:
    """AUC and average precision for presence at higher densities."""
    thresholds = sorted({key[1] for key in scores.index if key[1]})
    columns = [
        ScoreColumn(score=name, title=f"{title} at >= {t:g} %", threshold_percent=t)
        for name, title in (("auc", "AUC"), ("average_precision", "average precision"))
        for t in thresholds
    ]
    tables = [(epoch, score_table(source, scores, columns, epoch)) for epoch in epochs]
    tables = [(epoch, made) for epoch, made in tables if made]
    if not thresholds or not tables:
        return []
    parts = [
        heading("Presence at higher densities", level),
        sentence(
            "Many increases are smaller than a pixel of the satellite. Here are the scores again "
            "for presence of at least the density given."
        ),
    ]
    for epoch, made in tables:
        parts += [*([] if epoch == MEAN else [heading(epoch, level + 1)]), made]
    return parts


def _mapping_unit_tables(
    source: Source, board: pd.DataFrame, scheme: str, epochs: Sequence[str], level: int
) -> list[str]:
    """AUC, average precision and Brier score in larger mapping units."""
    rows = board[(board["scheme"] == scheme) & (board["fold"] == "all")]
    sizes = sorted(float(v) for v in rows["mapping_unit_km"].dropna().unique() if v > 0)
    if len(sizes) < 2:
        return []
    by_size = [scheme_scores(board, scheme, unit_km=size) for size in sizes]
    columns = (RANKING[0], RANKING[1], PROBABILITY[0])
    parts = [
        heading("Sensitivity to the mapping unit", level),
        sentence(
            f"The forecasts of {sizes[0]:g} km cells are aggregated, and no model is fitted again "
            "to the larger units: this is what the same forecast is worth where the question is "
            "asked of larger squares, not what a model of larger squares would be worth. Presence "
            "is any increase in a square of the side given; its forecast takes the cells of the "
            "square as independent. Prevalence rises with the size, so average precision and Brier "
            "score of different sizes cannot be compared with each other; models within one size "
            "can."
        ),
    ]
    header = [f"{column.title}, {size:g} km" for column in columns for size in sizes]
    for epoch in epochs:
        made = []
        for model in by_size[0].models:
            if model in SPECIAL:
                continue
            found = [
                scores.find(column, model=model, epoch=epoch)
                for column in columns
                for scores in by_size
            ]
            if any(f is not None for f in found):
                made.append([shown_model(source, model), *(f.text if f else "-" for f in found)])
        parts += [*([] if epoch == MEAN else [heading(epoch, level + 1)])]
        parts.append(table(["model", *header], made))
    return parts
