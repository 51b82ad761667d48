"""The page of the hazard runs: where they lie, and what detection and its error cost them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.config.map import MapConfig
from detection.map.skill import DIFFERENCES, SIDES
from detection.report.figures import IntervalPanel, draw_intervals
from detection.report.page import FIGURES, Page, absent, bullets, interval_text, paragraph, shown
from stats.command.pages import heading, table

SCORE_NAMES = {
    "auc": "AUC",
    "brier": "Brier score",
    "log_score": "log score [nat]",
    "log_score_corrected": "log score, rate of each epoch corrected [nat]",
    "area_ratio": "expected over mapped area",
}
LARGER_IS_BETTER = {"auc"}
SIDE_NAMES = {
    "detected": "detected",
    "carried": "carried",
    "reference": "reference",
    "difference": "detected less reference",
    "carried_difference": "carried less reference",
    "gain": "gain: carried less detected",
}
_IN_WORDS = {
    "difference": "hazard fitted on detected inventories differs in rate-corrected log score by {} "
    "nat from hazard fitted on the reference ones; above 0 is worse",
    "gain": "carrying the detection error on changes it by {} nat; below 0 is better",
}


def skill_in_words(skill: Sequence[Mapping[str, Any]]) -> list[str]:
    """The differences that matter most, one line each."""
    lines = []
    for row in skill:
        text = _IN_WORDS.get(str(row["side"]))
        if text and row["score"] == "log_score_corrected" and row["value"] is not None:
            value = f"{row['value']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})"
            lines.append(
                f"{row['model']}: {text.format(value)}. n {row['n']:,} cell-epochs, "
                f"{row['n_units']} blocks ({row['unit']})."
            )
    return lines


def hazard_page(
    config: MapConfig, run: Path, skill: Sequence[Mapping[str, Any]], source: Path
) -> Page:
    """The page; its figure goes below `source`."""
    title, summary = "Hazard", "hazard maps from the inventories, and what detection costs them"
    if config.hazard is None:
        return Page(
            name="hazard", title=title, summary=summary,
            parts=[absent("Hazard", "no hazard configuration was named (--hazard)")],
        )  # fmt: skip
    made = [side for side in SIDES if (run / f"hazard_{side}").exists()]
    parts = [
        paragraph("Reports of the hazard runs lie beside this one, in the run folder:"),
        bullets([f"hazard_{side}/report/html/index.html" for side in made]),
    ]
    if not skill:
        parts.append(absent("The cost of detection", "no hazard was fitted on a reference"))
        return Page(name="hazard", title=title, summary=summary, parts=parts)
    rows = [
        [row["model"], SCORE_NAMES[str(row["score"])], SIDE_NAMES[str(row["side"])],
         interval_text({k: "" if v is None else v for k, v in _flat(row).items()}, "value",
                       signed=row["side"] in DIFFERENCES), row["n"]]
        for row in skill
    ]  # fmt: skip
    carried = any(row["side"] == "carried" for row in skill)
    picture = _skill_figure(config, skill, source / FIGURES / "skill.png")
    parts += [
        heading("What detection costs", 2),
        paragraph(
            "The forecasts were fitted epoch by epoch, on detected and on reference inventories"
            + (
                ", and on the detected ones with the detection error in the likelihood of the "
                "networks (carried; other models cannot take it and forecast what is detected)"
                if carried
                else ""
            )
            + ". All are held against the reference, on the cells that all forecast and that the "
            "reference saw"
            + (", without the blocks that calibrated the detection error" if carried else "")
            + ". Differences are case by case; intervals resample "
            f"{skill[0]['n_units']} blocks ({skill[0]['unit']}) of this one study and say nothing "
            "of other studies. The gain is what carrying the error on changes: above 0 is better "
            "for AUC, below 0 for the other scores."
        ),
        shown(picture, "Scores of all, with intervals.", synthetic=config.is_synthetic),
        table(["model", "score", "inventories", "value (interval)", "n"], rows),
    ]
    return Page(name="hazard", title=title, summary=summary, parts=parts)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": row["value"], "value_low": row["low"], "value_high": row["high"]}


def _skill_figure(config: MapConfig, skill: Sequence[Mapping[str, Any]], path: Path) -> Path:
    panels = []
    for score, label in SCORE_NAMES.items():
        chosen = [row for row in skill if row["score"] == score]
        names = list(dict.fromkeys(str(row["model"]) for row in chosen))
        series = {
            side: np.array(
                [
                    [np.nan if row[key] is None or not np.isfinite(row[key]) else row[key]
                     for key in ("value", "low", "high")]
                    for name in names
                    for row in chosen
                    if row["model"] == name and row["side"] == side
                ]
            )
            for side in SIDES
            if any(row["side"] == side for row in chosen)
        }  # fmt: skip
        better = "larger is better" if score in LARGER_IS_BETTER else "smaller is better"
        if score == "area_ratio":
            better = "1 is right"
        panels.append(
            IntervalPanel(
                title=better, label=label, names=names, series=series,
                reference=1.0 if score == "area_ratio" else None,
            )
        )  # fmt: skip
    return draw_intervals(
        panels, path, title="Forecasts by the inventories that they were fitted on",
        synthetic=config.is_synthetic,
        notes=["All are scored against the reference inventory. A value that is not drawn is "
               "infinite or not defined."],
    )  # fmt: skip
