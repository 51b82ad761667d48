"""The report of the whole way: scenes, inventories, comparison, hazard, limits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.comparison.series import SeriesComparison
from detection.comparison.write import epoch_rows
from detection.config.map import MapConfig
from detection.inventory.records import STATUSES, MultiTemporal
from detection.map.figures import draw_areas, draw_probabilities, draw_scenes
from detection.map.folder import COMPARISON, REPORT
from detection.map.mapped import MappedScene, files_of
from detection.map.scenes import EpochScenes
from detection.report.figures import IntervalPanel, draw_intervals
from detection.report.page import (
    FIGURES,
    Page,
    absent,
    beside,
    bullets,
    interval_text,
    paragraph,
    shown,
    write_pages,
)
from detection.training.model import DetectionModel
from stats.command.frame import Session
from stats.command.pages import heading, table

SCORE_NAMES = {
    "auc": "AUC",
    "brier": "Brier score",
    "log_score": "log score [nat]",
    "log_score_corrected": "log score, rate of each epoch corrected [nat]",
    "area_ratio": "expected over mapped area",
}
LARGER_IS_BETTER = {"auc"}


def write_report(
    config: MapConfig,
    run: Path,
    epochs: Sequence[EpochScenes],
    scenes: Mapping[str, MappedScene],
    model: DetectionModel,
    detected: MultiTemporal,
    reference: MultiTemporal | None,
    compared: SeriesComparison | None,
    skill: Sequence[Mapping[str, Any]],
    session: Session,
) -> Path:
    """Draw the figures, write the pages, build them.

    Returns:
        Path of ``index.html``.

    Raises:
        UserError: Sphinx refuses the pages.
    """
    target = run / REPORT
    source = beside(target)
    try:
        with session.reporter.task("report", 5) as advance:
            pages = [_scenes_page(config, run, epochs, scenes, model, detected, source)]
            advance(1)
            pages.append(_inventory_page(config, detected, reference, source))
            advance(1)
            pages.append(_comparison_page(config, run, compared, source))
            advance(1)
            pages.append(_hazard_page(config, run, skill, source))
            pages.append(_limits_page(config))
            advance(1)
            index = write_pages(
                target, pages, _front(config, scenes, detected, compared, skill), source=source,
                title=config.title, name=config.name, synthetic=config.is_synthetic,
            )  # fmt: skip
            advance(1)
    finally:
        shutil.rmtree(source, ignore_errors=True)
    return index


def _front(
    config: MapConfig,
    scenes: Mapping[str, MappedScene],
    detected: MultiTemporal,
    compared: SeriesComparison | None,
    skill: Sequence[Mapping[str, Any]],
) -> list[str]:
    total = sum(scene.landslides for scene in scenes.values())
    seen = sum(scene.seen_km2 for scene in scenes.values())
    lines = [
        f"{len(scenes)} scenes of {len(detected.epochs)} epochs were mapped: {total:,} outlines on "
        f"{seen:,.1f} km2 of ground (each date counted).",
        f"Followed through the epochs they are {detected.n_landslides:,} landslides.",
    ]
    if compared is not None:
        for row in epoch_rows(compared):
            if "recall" in row:
                lines.append(
                    f"{row['epoch']}: {interval_text(row, 'recall')} of the reference landslides "
                    f"found, {interval_text(row, 'precision')} of the detected ones right, "
                    f"detected over reference area {interval_text(row, 'area_ratio')}."
                )
    gaps = [r for r in skill if r["side"] == "difference" and r["score"] == "log_score_corrected"]
    for gap in gaps:
        if gap["value"] is not None:
            lines.append(
                f"{gap['model']}: hazard fitted on detected inventories differs in rate-corrected "
                f"log score by {gap['value']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f}) nat "
                f"from hazard fitted on the reference ones; above 0 is worse. n {gap['n']:,} "
                f"cell-epochs, {gap['n_units']} blocks ({gap['unit']})."
            )
    return [heading("In short", 2), bullets(lines)]


def _scenes_page(
    config: MapConfig,
    run: Path,
    epochs: Sequence[EpochScenes],
    scenes: Mapping[str, MappedScene],
    model: DetectionModel,
    detected: MultiTemporal,
    source: Path,
) -> Page:
    folder = source / FIGURES
    synthetic = config.is_synthetic
    entries = [entry for epoch in epochs for entry in epoch.entries]
    pictures = draw_scenes(epochs, detected, folder / "scenes.png", synthetic=synthetic)
    files = [(f"{entry.name}, {entry.date}", files_of(run, entry)[0]) for entry in entries]
    maps = draw_probabilities(files, folder / "probability.png", synthetic=synthetic)
    field = model.receptive_field
    facts = [
        f"Network {model.network_name}, threshold {scenes[entries[0].name].threshold:.3f} "
        f"({'given' if config.mapping.threshold is not None else 'chosen on validation patches'}).",
        f"A pixel's probability depends on {field.side_px} pixels along each axis; tiles overlap "
        "by as much, so that no seam shows where they meet.",
        f"Landslides smaller than {config.polygons.minimum_area_m2:g} m2 are left out.",
    ]
    rows = [
        [s.name, s.epoch, s.landslides, s.area_m2 / 1e6, s.seen_km2, f"{s.seconds:.0f}"]
        for s in (scenes[entry.name] for entry in entries)
    ]
    return Page(
        name="scenes", title="Scenes and maps",
        summary="what was mapped, the probabilities, and the outlines on the images",
        parts=[
            bullets(facts),
            table(["scene", "epoch", "landslides", "their area [km2]", "ground seen [km2]",
                   "time [s]"], rows),
            *(shown(p, "Outlines by what became of the ground.", synthetic=synthetic)
              for p in pictures),
            *(shown(p, "Probability of landslide [1].", synthetic=synthetic) for p in maps),
        ],
    )  # fmt: skip


def _inventory_page(
    config: MapConfig, detected: MultiTemporal, reference: MultiTemporal | None, source: Path
) -> Page:
    parts: list[str] = [
        paragraph(
            "Every epoch is held against all that was ever seen before it"
            if config.tracking.memory == "everything"
            else "Every epoch is held against the previous one alone, as published"
        ),
        paragraph(
            "new: bare ground where no landslide was known; expanded: new ground of a known one; "
            "reactivated: bare again after it had recovered; persistent: still bare; recovered: no "
            "longer bare; unobserved: under cloud or outside the images, so nothing is known."
        ),
    ]
    for name, found in (("detected", detected), ("reference", reference)):
        if found is None:
            parts += [heading("Reference", 2), absent("A reference inventory", "none was named")]
            continue
        rows = [
            [p.epoch.name, str(p.epoch.start), str(p.epoch.end),
             *(round(p.account[f"{s}_m2"] / 1e6, 4) for s in STATUSES)]
            for p in found.epochs
        ]  # fmt: skip
        picture = draw_areas(
            found, source / FIGURES / f"areas_{name}.png", synthetic=config.is_synthetic,
            title=f"Area per epoch, {name}",
        )  # fmt: skip
        parts += [
            heading(name.capitalize(), 2),
            table(["epoch", "from", "to", *(f"{s} [km2]" for s in STATUSES)], rows),
            shown(
                picture, f"Area per epoch by status, {name} inventory.",
                synthetic=config.is_synthetic,
            ),
        ]  # fmt: skip
    return Page(
        name="inventory", title="Multi-temporal inventory",
        summary="new, expanded, persistent, recovered and unobserved area of every epoch",
        parts=parts,
    )  # fmt: skip


def _comparison_page(
    config: MapConfig, run: Path, compared: SeriesComparison | None, source: Path
) -> Page:
    title, summary = "Against the reference", "objects, areas, size distributions and densities"
    if compared is None:
        return Page(
            name="comparison", title=title, summary=summary,
            parts=[absent("The comparison", "the scenes name no reference inventory")],
        )  # fmt: skip
    rows = epoch_rows(compared)
    ratios = ("recall", "precision", "iou", "number_ratio", "area_ratio")
    parts = [
        paragraph(
            "Objects that share ground are one group; split landslides are drawn as several, "
            "merged ones as one. Intervals resample groups of matched landslides."
        ),
        table(
            ["epoch", "detected", "reference", *ratios, "missed", "false"],
            [[row["epoch"], row["detected_n"], row["reference_n"],
              *(interval_text(row, name) for name in ratios),
              row["groups_missed"], row["groups_false"]] for row in rows],
        ),
    ]  # fmt: skip
    for difference in compared.pooled:
        if difference.identified:
            parts.append(
                paragraph(
                    f"All epochs together, detected less reference {difference.quantity}: "
                    f"{difference.value:+.3g} ({difference.low:+.3g} to {difference.high:+.3g})."
                )
            )
    if compared.pooled_failure:
        parts.append(absent("The difference of size laws", compared.pooled_failure))
    for file in sorted((run / COMPARISON / FIGURES).glob("*.png")):
        copy = source / FIGURES / f"comparison_{file.name}"
        os.link(file, copy)
        parts.append(shown(copy, f"{file.stem.replace('_', ' ')}.", synthetic=config.is_synthetic))
    return Page(name="comparison", title=title, summary=summary, parts=parts)


def _hazard_page(
    config: MapConfig, run: Path, skill: Sequence[Mapping[str, Any]], source: Path
) -> Page:
    title, summary = "Hazard", "hazard maps from the inventories, and what detection costs them"
    if config.hazard is None:
        return Page(
            name="hazard", title=title, summary=summary,
            parts=[absent("Hazard", "no hazard configuration was named (--hazard)")],
        )  # fmt: skip
    made = [side for side in ("detected", "reference") if (run / f"hazard_{side}").exists()]
    parts = [
        paragraph("Reports of the hazard runs lie beside this one, in the run folder:"),
        bullets([f"hazard_{side}/report/html/index.html" for side in made]),
    ]
    if not skill:
        parts.append(absent("The cost of detection", "no hazard was fitted on a reference"))
        return Page(name="hazard", title=title, summary=summary, parts=parts)
    rows = [
        [row["model"], SCORE_NAMES[str(row["score"])], row["side"],
         interval_text({k: "" if v is None else v for k, v in _flat(row).items()}, "value",
                       signed=row["side"] == "difference"), row["n"]]
        for row in skill
    ]  # fmt: skip
    picture = _skill_figure(config, skill, source / FIGURES / "skill.png")
    parts += [
        heading("What detection costs", 2),
        paragraph(
            "Both forecasts were fitted epoch by epoch, one on detected and one on reference "
            "inventories, and both are held against the reference, on the cells that both forecast "
            "and that the reference saw. The difference is detected less reference, case by case; "
            f"intervals resample {skill[0]['n_units']} blocks ({skill[0]['unit']}) of this one "
            "study and say nothing of other studies."
        ),
        shown(picture, "Scores of both, with intervals.", synthetic=config.is_synthetic),
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
            for side in ("detected", "reference")
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
        panels, path, title="Forecasts fitted on detected and on reference inventories",
        synthetic=config.is_synthetic,
        notes=["Both are scored against the reference inventory. A value that is not drawn is "
               "infinite or not defined."],
    )  # fmt: skip


def _limits_page(config: MapConfig) -> Page:
    lines = [
        "A landslide that no image shows (cloud, shadow, growth between the dates) is in no "
        "inventory; `unobserved` is not `absent`.",
        "Detected outlines split, merge, miss and invent landslides. The hazard fit takes them as "
        "they are; what that costs is measured where there is a reference, and unknown elsewhere.",
        "Areas are those of the image: foreshortened on steep ground, and a lower bound where an "
        "outline meets the edge of what was seen.",
    ]
    if config.tracking.memory == "previous":
        lines.append("The published subtraction takes a landslide that cloud hid for a new one.")
    return Page(
        name="limits", title="Limits", summary="what these inventories cannot tell",
        parts=[bullets(lines)],
    )  # fmt: skip
