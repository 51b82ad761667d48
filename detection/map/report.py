"""The report of the whole way: scenes, inventories, comparison, hazard, limits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from detection.comparison.series import SeriesComparison
from detection.comparison.write import epoch_rows
from detection.config.map import MapConfig
from detection.inventory.records import STATUSES, MultiTemporal
from detection.map.error_page import QUANTITY_NAMES, error_page
from detection.map.error_stage import DetectionError
from detection.map.figures import draw_areas, draw_probabilities, draw_scenes
from detection.map.folder import COMPARISON, REPORT
from detection.map.hazard_page import hazard_page, skill_in_words
from detection.map.mapped import MappedScene, files_of, names_of
from detection.map.scenes import EpochScenes
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


def write_report(
    config: MapConfig,
    run: Path,
    epochs: Sequence[EpochScenes],
    scenes: Mapping[str, MappedScene],
    models: Sequence[DetectionModel],
    detected: MultiTemporal,
    reference: MultiTemporal | None,
    compared: SeriesComparison | None,
    error: DetectionError,
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
            pages = [_scenes_page(config, run, epochs, scenes, models, detected, source)]
            advance(1)
            pages.append(_inventory_page(config, detected, reference, source))
            advance(1)
            pages.append(_comparison_page(config, run, compared, source))
            advance(1)
            pages.append(error_page(error, source, synthetic=config.is_synthetic))
            pages.append(hazard_page(config, run, skill, source))
            pages.append(_limits_page(config, error))
            advance(1)
            index = write_pages(
                target, pages, _front(scenes, detected, compared, error, skill), source=source,
                title=config.title, name=config.name, synthetic=config.is_synthetic,
            )  # fmt: skip
            advance(1)
    finally:
        shutil.rmtree(source, ignore_errors=True)
    return index


def _front(
    scenes: Mapping[str, MappedScene],
    detected: MultiTemporal,
    compared: SeriesComparison | None,
    error: DetectionError,
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
    if error.model is not None and error.sizes is not None:
        found = {(r["quantity"], r["way"]): r for r in error.sizes.rows if r["ground"] == "all"}
        for quantity, name in QUANTITY_NAMES.items():
            plain, carried = (found.get((quantity, way)) for way in ("detected", "carried"))
            if plain is not None and carried is not None:
                lines.append(
                    f"{name.capitalize()}: {plain['value']:,.4g} as detected, "
                    f"{carried['value']:,.4g} ({carried['low']:,.4g} to {carried['high']:,.4g}) "
                    "with the detection error carried on."
                )
    lines += skill_in_words(skill)
    return [heading("In short", 2), bullets(lines)]


def _scenes_page(
    config: MapConfig,
    run: Path,
    epochs: Sequence[EpochScenes],
    scenes: Mapping[str, MappedScene],
    models: Sequence[DetectionModel],
    detected: MultiTemporal,
    source: Path,
) -> Page:
    folder = source / FIGURES
    synthetic = config.is_synthetic
    entries = [entry for epoch in epochs for entry in epoch.entries]
    pictures = draw_scenes(epochs, detected, folder / "scenes.png", synthetic=synthetic)
    files = [(f"{entry.name}, {entry.date}", files_of(run, entry)[0]) for entry in entries]
    maps = draw_probabilities(files, folder / "probability.png", synthetic=synthetic)
    side_px = max(model.receptive_field.side_px for model in models)
    what = "Network" if len(models) == 1 else "Mean of the networks"
    facts = [
        f"{what} {names_of(models)}, threshold {scenes[entries[0].name].threshold:.3f} "
        f"({'given' if config.mapping.threshold is not None else 'chosen on validation patches'}).",
        f"A pixel's probability depends on {side_px} pixels along each axis; tiles overlap "
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


def _limits_page(config: MapConfig, error: DetectionError) -> Page:
    lines = [
        "A landslide that no image shows (cloud, shadow, growth between the dates) is in no "
        "inventory; `unobserved` is not `absent`.",
        "Detected outlines split, merge, miss and invent landslides; what that costs is measured "
        "where there is a reference, and unknown elsewhere. "
        + (
            "The hazard fit takes them as they are, nothing being known of the detection error."
            if error.observation is None
            else "The hazard fit takes them as they are, unless the detection error is carried on; "
            "the page Detection error says what that cannot model."
        ),
        "Areas are those of the image: foreshortened on steep ground, and a lower bound where an "
        "outline meets the edge of what was seen.",
    ]
    if config.tracking.memory == "previous":
        lines.append("The published subtraction takes a landslide that cloud hid for a new one.")
    return Page(
        name="limits", title="Limits", summary="what these inventories cannot tell",
        parts=[bullets(lines)],
    )  # fmt: skip
