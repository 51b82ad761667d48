"""The report of a run: tables, figures and what they rest on, as Sphinx pages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from detection.config.schema import DetectionConfig
from detection.evaluate.figures import draw_figures
from detection.evaluate.panels import draw_examples
from detection.evaluate.record import Evaluation
from detection.evaluate.sections import (
    CAPTIONS,
    difference_parts,
    figure_parts,
    score_parts,
    site_parts,
    size_parts,
)
from detection.fit.data import StudyData
from detection.fit.folder import FIGURES, REPORT
from detection.fit.models import FittedModel
from detection.fit.scores import Scored
from detection.report.figures import draw_losses, draw_split
from detection.report.model_card import model_card_parts
from detection.report.page import Page, beside, bullets, paragraph, shown, write_pages
from detection.report.papers import FIT, Paper, Shown, paper_parts
from detection.report.provenance import provenance_parts
from detection.runs.record import CONFIG, PROVENANCE
from detection.training.grid import TrialResult
from stats.command.frame import Session
from stats.command.pages import heading, note, table

ROLE_NAMES = ("unused", "train", "validation", "test")


def write_report(
    config: DetectionConfig,
    run: Path,
    data: StudyData,
    models: Sequence[FittedModel],
    scored: Scored,
    trials: Sequence[TrialResult],
    session: Session,
) -> Path:
    """Figures, pages and HTML; an earlier report is replaced when this one is whole.

    Args:
        config: the study.
        run: run folder, with ``provenance.json`` and ``config.yaml``.
        data: its patches.
        models: what was trained.
        scored: their scores, in the same order.
        trials: of a grid, if there was one.
        session: progress.

    Returns:
        Path of ``report/html/index.html``.
    """
    target = run / REPORT
    folder = beside(target)
    drawing = folder / FIGURES
    try:
        with session.reporter.task("report", 4) as advance:
            drawn = draw_figures(scored.evaluations, drawing, dpi=config.report.dpi)
            advance()
            examples = _examples(config, data, models, scored, drawing)
            advance()
            pages = [
                _sites_page(config, scored, drawn),
                examples,
                _models_page(config, data, models, trials, drawing),
                _data_page(config, data, drawing),
                *_card_pages(data, models),
            ]
            names = [page.name for page in pages]
            papers: dict[Paper, Sequence[Shown]] = {p: FIT[p] for p in config.report.papers}
            if papers:
                pages.append(_papers_page(papers, ["index", *names]))
            pages.append(_provenance_page(run))
            advance()
            front = _front(config, data, scored, drawn)
            index = write_pages(
                target, pages, front, source=folder, title=config.title, name=config.name,
                synthetic=data.synthetic,
            )  # fmt: skip
            shutil.rmtree(run / FIGURES, ignore_errors=True)
            shutil.copytree(target / FIGURES, run / FIGURES)
            advance()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return index


def by_f1(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The evaluation of the largest F1; undefined ones come last."""
    return max(evaluations, key=lambda e: (e.score("f1").value > 0, e.score("f1").value))


def _front(
    config: DetectionConfig, data: StudyData, scored: Scored, drawn: dict[str, list[Path]]
) -> list[str]:
    parts = []
    if not config.patches.keep_empty:
        parts.append(
            note(
                "Patches without landslide were left out of training and test, as some papers do: "
                "false alarms on stable ground are not counted here.", kind="warning",
            )
        )  # fmt: skip
    if config.split.by == "random_patches":
        parts.append(
            note(
                "The split deals out single patches, as some papers do: test patches have "
                "training patches as neighbours, and these scores say nothing on new ground.",
                kind="warning",
            )
        )  # fmt: skip
    parts += score_parts(scored.evaluations)
    for name in ("scores", "radar", "curves"):
        parts += figure_parts(drawn.get(name, ()), CAPTIONS[name], synthetic=data.synthetic)
    if len(scored.evaluations) > 1:
        parts += difference_parts(scored.evaluations)
    return parts


def _sites_page(config: DetectionConfig, scored: Scored, drawn: dict[str, list[Path]]) -> Page:
    synthetic = scored.evaluations[0].synthetic
    parts = []
    if config.split.unseen_regions:
        parts.append(
            paragraph(
                f"Never seen in training, tested whole: {', '.join(config.split.unseen_regions)}. "
                "Of the other regions, blocks of ground were tested that no training patch touches."
            )
        )
    parts += site_parts(scored.evaluations, scores=("f1", "iou", "mcc"))
    parts += figure_parts(drawn.get("sites", ()), CAPTIONS["sites"], synthetic=synthetic)
    parts += size_parts(scored.evaluations)
    parts += figure_parts(drawn.get("sizes", ()), CAPTIONS["sizes"], synthetic=synthetic)
    return Page(
        name="sites", title="Models, sites and sizes", parts=parts,
        summary="Scores of every model at every site, and landslides found by size.",
    )  # fmt: skip


def _examples(
    config: DetectionConfig,
    data: StudyData,
    models: Sequence[FittedModel],
    scored: Scored,
    drawing: Path,
) -> Page:
    """Panels of the best network, and of the best model of pixels."""
    parts: list[str] = []
    for kind in ("network", "pixels"):
        mine = [e for e, m in zip(scored.evaluations, models, strict=True) if m.kind == kind]
        if not mine or config.report.panels == 0:
            continue
        best = by_f1(mine)
        probability = scored.probabilities[list(scored.evaluations).index(best)]
        files = draw_examples(
            probability, data.study.test, best.threshold, drawing / f"examples_{best.model}.png",
            title=f"{best.model}: test patches", number=config.report.panels,
            dpi=config.report.dpi,
        )  # fmt: skip
        parts.append(heading(best.model, 2))
        parts += figure_parts(files, CAPTIONS["examples"], synthetic=data.synthetic)
    return Page(
        name="examples", title="Image, truth, prediction and error",
        parts=parts or [paragraph("None were asked for.")],
        summary="Test patches from the best to the worst, and false alarms.",
    )  # fmt: skip


def _models_page(
    config: DetectionConfig,
    data: StudyData,
    models: Sequence[FittedModel],
    trials: Sequence[TrialResult],
    drawing: Path,
) -> Page:
    rows = []
    for model in models:
        facts = model.facts
        rows.append(
            [
                model.label, facts["network"], facts["recipe"],
                f"{facts['parameters']:,}" if "parameters" in facts else "n/a",
                str(facts.get("epochs", "n/a")), str(facts.get("batch_size", "n/a")),
                str(facts.get("learning_rate", "n/a")), f"{model.threshold.threshold:.3f}",
                "n/a" if model.threshold.f1 is None else f"{model.threshold.f1:.3f}",
                f"{facts['seconds']:.0f}",
            ]
        )  # fmt: skip
    parts = [
        table(
            ["model", "network", "recipe", "parameters", "epochs", "batch", "learning rate",
             "threshold", "F1 on validation", "training [s]"], rows,
        ),
        *_remarks(models),
    ]  # fmt: skip
    histories = {model.label: [vars(e) for e in model.history] for model in models if model.history}
    if histories:
        files = draw_losses(
            histories, drawing / "losses.png", title="Losses by epoch", synthetic=data.synthetic,
            notes=["Losses of two recipes are different quantities and do not compare."],
            dpi=config.report.dpi,
        )  # fmt: skip
        parts += [shown(file, "Losses by epoch.", synthetic=data.synthetic) for file in files]
    return Page(
        name="models", title="Models and training", parts=[*parts, *_grid_parts(trials)],
        summary="Settings, sizes, times and losses; the search over settings.",
    )  # fmt: skip


def _remarks(models: Sequence[FittedModel]) -> list[str]:
    found = []
    for model in models:
        if model.facts.get("unpublished"):
            found.append(
                f"{model.label} follows {model.facts['source']}. Not published, and ours: "
                f"{', '.join(model.facts['unpublished'])}."
            )
        prior = model.facts.get("prior")
        if prior is not None and (prior["draws"] != prior["patches"]):
            found.append(
                f"{model.label} drew patches with landslide more often: {prior['positive_draws']} "
                f"of {prior['draws']} draws, {100 * prior['drawn_share']:.2f} % landslide pixels "
                f"instead of {100 * prior['pixel_share']:.2f} %."
            )
    return [bullets(found)] if found else []


def _grid_parts(trials: Sequence[TrialResult]) -> list[str]:
    if not trials:
        return []
    rows = []
    for result in sorted(trials, key=lambda r: -1.0 if r.f1 is None else r.f1, reverse=True):
        row = result.row()
        cells = [row[key] for key in ("filters", "batch_size", "learning_rate")]
        scores = [row[key] for key in ("f1", "iou", "precision", "recall")]
        rows.append(
            [
                *("recipe's" if cell is None else f"{cell:g}" for cell in cells),
                *("n/a" if score is None else f"{score:.3f}" for score in scores),
                f"{result.seconds:.0f}", result.problem,
            ]
        )  # fmt: skip
    return [
        heading("Search over settings", 2),
        paragraph(
            "Every combination was judged on validation patches; test patches were not touched."
        ),
        table(
            ["filters", "batch", "learning rate", "F1", "IoU", "precision", "recall",
             "training [s]", "remark"], rows,
        ),
    ]  # fmt: skip


def _data_page(config: DetectionConfig, data: StudyData, drawing: Path) -> Page:
    patches, split = data.study.patches, data.study.split
    rows = [
        [name, c["patches"], c["positive_patches"], f"{c['pixels']:,}",
         f"{100 * c['landslide_share']:.3f} %"]
        for name, c in data.counts.items()
    ]  # fmt: skip
    source = "embedded scenes, rendered" if config.data is None else str(config.data)
    size = "unknown size" if patches.pixel_m is None else f"{patches.pixel_m:g} m"
    parts = [
        paragraph(
            f"Source: {source}. Bands {', '.join(patches.bands)} in unit {patches.unit}, pixels "
            f"of {size}, patches of {patches.image.shape[1]} px."
        ),
        paragraph(
            f"Split: {split.name}, by {split.unit}; {split.counts()['unused']} patches at "
            "boundaries between parts were left out."
        ),
        table(["part", "patches", "with landslide", "pixels", "landslide"], rows),
        heading("Audit for leaks", 2),
        bullets(data.audit) if data.audit else paragraph("Nothing was found."),
    ]
    if data.study.grids:
        places: dict[str, list[tuple[int, int, str]]] = {}
        for origin, role in zip(patches.origin, split.role, strict=True):
            places.setdefault(origin.scene, []).append(
                (origin.row, origin.column, ROLE_NAMES[role])
            )
        file = draw_split(
            places, drawing / "split.png", size_px=patches.image.shape[1],
            pixel_m=patches.pixel_m, title="Where the parts lie", synthetic=data.synthetic,
            dpi=config.report.dpi,
        )  # fmt: skip
        parts.append(shown(file, "Parts of the split, scene by scene.", synthetic=data.synthetic))
    return Page(
        name="data", title="Data, split and audit", parts=parts,
        summary="What was read, how it was divided, and what the parts share.",
    )  # fmt: skip


def _card_pages(data: StudyData, models: Sequence[FittedModel]) -> list[Page]:
    return [
        Page(
            name=f"card_{model.label}", title=f"Model card: {model.label}",
            parts=model_card_parts(model.folder, synthetic=data.synthetic),
            summary="What the stored model reads, how it was trained, what it is for.",
        )
        for model in models
        if model.folder is not None
    ]  # fmt: skip


def _papers_page(papers: Mapping[Paper, Sequence[Shown]], names: Sequence[str]) -> Page:
    return Page(
        name="papers", title="The paper's tables", parts=paper_parts(papers, names),
        summary="Which tables and figures of the study are here, and which cannot be.",
    )  # fmt: skip


def _provenance_page(run: Path) -> Page:
    record = json.loads((run / PROVENANCE).read_text(encoding="utf-8"))
    text = (run / CONFIG).read_text(encoding="utf-8")
    return Page(
        name="provenance", title="Provenance", parts=provenance_parts(record, text),
        summary="Command, seed, versions, inputs and configuration.",
    )  # fmt: skip
