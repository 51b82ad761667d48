"""The report of a run: tables, figures and what they rest on, as Sphinx pages."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from detection.config.schema import DetectionConfig
from detection.evaluate.record import ALL, POSITIVES, PROTOCOLS, Evaluation
from detection.evaluate.units import Score
from detection.fit.data import StudyData
from detection.fit.figures import chosen_patches, draw_history, draw_panels
from detection.fit.folder import FIGURES, REPORT
from detection.fit.models import FittedModel
from detection.fit.scores import Scored, differences
from detection.training.grid import TrialResult
from stats.command.frame import Session
from stats.command.pages import build_html, contents, escape, figure, heading, note, table
from stats.command.pages import write_page as write_parts
from stats.command.plots_curves import Curve, CurvePanel, draw_curve_pages

COLUMNS = ("f1", "iou", "precision", "recall", "mcc", "average_precision", "boundary_f1")
NAMES = ("F1", "IoU", "precision", "recall", "MCC", "average precision", "boundary F1")
SYNTHETIC = (
    "SYNTHETIC: the scenes are rendered. Nothing on these pages was observed, and no score here "
    "says how well a model maps real ground."
)


def write_report(
    config: DetectionConfig,
    run: Path,
    data: StudyData,
    models: Sequence[FittedModel],
    scored: Scored,
    trials: Sequence[TrialResult],
    session: Session,
) -> Path:
    """Figures, pages and HTML; returns the first page."""
    shutil.rmtree(run / FIGURES, ignore_errors=True)
    shutil.rmtree(run / REPORT, ignore_errors=True)
    pages = {
        "index": [*_head(config, data, scored), *_scores_parts(scored)],
        "sites": _site_parts(config, scored),
        "models": [*_model_parts(models), *_grid_parts(trials)],
        "data": _data_parts(config, data),
    }
    with session.reporter.task("report", 3) as advance:
        pages["index"] += _curves(run, scored, config, data.synthetic)
        if draw_history(
            models, run / FIGURES / "losses.png", synthetic=data.synthetic, dpi=config.report.dpi
        ):
            pages["models"].append(figure("figures/losses.png", "Losses of the networks by epoch."))
        advance()
        pages["examples"] = _examples(config, run, data, models, scored)
        advance()
        order = ["sites", "examples", "models", "data"]
        pages["index"].append(contents(order))
        source = run / REPORT
        for name, parts in pages.items():
            write_parts(source / f"{name}.md", parts)
        shutil.copytree(run / FIGURES, source / "figures")
        page = build_html(source, source / "html", project=config.title)
        advance()
    return page


def _head(config: DetectionConfig, data: StudyData, scored: Scored) -> list[str]:
    parts = [heading(config.title)]
    if data.synthetic:
        parts.append(note(SYNTHETIC, kind="warning"))
    best = max(scored.evaluations, key=lambda e: _number(e.score("f1").value))
    test = data.counts["test"]
    parts.append(
        f"Best F1 on test patches: {escape(best.model)}, {shown(best.score('f1'))}. "
        f"{test['patches']} test patches, {test['positive_patches']} of them with landslide, which "
        f"covers {100 * test['landslide_share']:.2f} % of {test['pixels']:,} pixels. Every pixel "
        "counts once, in patches without landslide too; thresholds were chosen on validation "
        f"patches. Intervals hold {100 * config.evaluation.level:g} % and come from "
        f"{config.evaluation.draws} draws of units of ground: {escape(best.unit)} "
        f"({len(best.unit_keys)} of them).\n"
    )
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
    return parts


def _scores_parts(scored: Scored) -> list[str]:
    parts = [heading("Scores", 2)]
    for protocol in (ALL, POSITIVES):
        rows = [
            [e.model, *(shown(e.score(name, protocol)) for name in COLUMNS)]
            for e in scored.evaluations
            if protocol in {p.name for p in e.protocols}
        ]
        if rows:
            parts += [f"{PROTOCOLS[protocol].capitalize()}:\n", table(["model", *NAMES], rows)]
    pairs = differences(scored.evaluations)
    if pairs:
        parts.append("F1 less that of the best other model, on the same draws of ground:\n")
        rows = [[own, other, shown(score)] for own, other, score in pairs]
        parts.append(table(["model", "best other model", "difference of F1"], rows))
    return parts


def _site_parts(config: DetectionConfig, scored: Scored) -> list[str]:
    parts = [heading("Models and sites")]
    unseen = config.split.unseen_regions
    if unseen:
        parts.append(
            f"Never seen in training, tested whole: {escape(', '.join(unseen))}. Of the other "
            "regions, blocks of ground that no training patch touches were tested.\n"
        )
    for score, name in (("f1", "F1"), ("iou", "IoU"), ("mcc", "MCC")):
        sites = [site.name for site in scored.evaluations[0].sites]
        rows = []
        for evaluation in scored.evaluations:
            there = {site.name: site for site in evaluation.sites}
            cells = [
                shown(there[site].scores[score]) if score in there[site].scores else "n/a"
                for site in sites
            ]
            rows.append([evaluation.model, *cells])
        parts += [heading(name, 2), table(["model", *sites], rows)]
    parts += [heading("Landslides found, by size", 2), _sizes(scored.evaluations)]
    return parts


def _sizes(evaluations: Sequence[Evaluation]) -> str:
    rows = []
    for evaluation in evaluations:
        for size in evaluation.protocol().sizes:
            span = f"{size.low:g} to {size.high:g}" if size.high is not None else f"{size.low:g} on"
            rows.append(
                [evaluation.model, f"{span} {size.unit}", size.landslides, shown(size.recall)]
            )
    return table(["model", "size", "landslides", "share found"], rows)


def _model_parts(models: Sequence[FittedModel]) -> list[str]:
    parts = [heading("Models and training")]
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
    parts.append(
        table(
            ["model", "network", "recipe", "parameters", "epochs", "batch", "learning rate",
             "threshold", "F1 on validation", "seconds"], rows,
        )
    )  # fmt: skip
    for model in models:
        if model.facts.get("unpublished"):
            parts.append(
                f"{escape(model.label)} follows {escape(model.facts['source'])}; not published, "
                f"and ours: {escape(', '.join(model.facts['unpublished']))}.\n"
            )
        prior = model.facts.get("prior")
        if prior is not None and prior["draws"] != prior["patches"]:
            parts.append(
                f"{escape(model.label)} was shown patches with landslide more often: "
                f"{prior['positive_draws']} of {prior['draws']} draws, "
                f"{100 * prior['drawn_share']:.2f} % landslide pixels instead of "
                f"{100 * prior['pixel_share']:.2f} %.\n"
            )
    return parts


def _grid_parts(trials: Sequence[TrialResult]) -> list[str]:
    if not trials:
        return []
    rows = []
    for result in sorted(trials, key=lambda r: -_number(r.f1)):
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
        "Every combination was judged on validation patches alone; the test patches were not "
        "touched.\n",
        table(
            ["filters", "batch", "learning rate", "F1", "IoU", "precision", "recall", "seconds",
             "remark"], rows,
        ),
    ]  # fmt: skip


def _data_parts(config: DetectionConfig, data: StudyData) -> list[str]:
    patches, split = data.study.patches, data.study.split
    rows = [
        [name, c["patches"], c["positive_patches"], f"{c['pixels']:,}",
         f"{100 * c['landslide_share']:.3f} %"]
        for name, c in data.counts.items()
    ]  # fmt: skip
    source = "embedded scenes, rendered" if config.data is None else str(config.data)
    size = "unknown" if patches.pixel_m is None else f"{patches.pixel_m:g} m"
    return [
        heading("Data"),
        f"Source: {escape(source)}. Bands {escape(', '.join(patches.bands))} in unit "
        f"{escape(patches.unit)}, pixels of {size}, patches of {patches.image.shape[1]} px.\n",
        f"Split: {escape(split.name)}, by {escape(split.unit)}; {split.counts()['unused']} patches "
        "at boundaries between parts were left out.\n",
        table(["part", "patches", "with landslide", "pixels", "landslide"], rows),
        *_audit_parts(data),
    ]  # fmt: skip


def _audit_parts(data: StudyData) -> list[str]:
    if data.audit is None:
        return []
    return [heading("Audit for leaks", 2), *(f"- {escape(line)}" for line in data.audit), ""]


def _curves(run: Path, scored: Scored, config: DetectionConfig, synthetic: bool) -> list[str]:
    curves = []
    for evaluation in scored.evaluations:
        curve = evaluation.protocol().curve
        if curve is not None:
            value = evaluation.score("average_precision").value
            curves.append(
                Curve(
                    name=evaluation.model, x=curve.recall, y=curve.precision, stepped=True,
                    value=None if math.isnan(value) else value,
                )
            )  # fmt: skip
    if not curves:
        return []
    protocol = scored.evaluations[0].protocol()
    draw_curve_pages(
        [CurvePanel(title="test patches", curves=curves, base_rate=protocol.base_rate)],
        run / FIGURES / "precision_recall.png", kind="precision_recall",
        title="Precision and recall", synthetic=synthetic, columns=1, rows=1,
        dpi=config.report.dpi,
    )  # fmt: skip
    return [figure("figures/precision_recall.png", "Precision and recall on the test patches.")]


def _examples(
    config: DetectionConfig,
    run: Path,
    data: StudyData,
    models: Sequence[FittedModel],
    scored: Scored,
) -> list[str]:
    """Panels of the best network, and of the best model of pixels on the same patches."""
    parts = [heading("Image, truth, prediction and error")]
    test, number = data.study.test, config.report.panels
    if number == 0:
        return [*parts, "None were asked for.\n"]
    chosen: list[int] = []
    for kind in ("network", "pixels"):
        places = [i for i, model in enumerate(models) if model.kind == kind]
        if not places:
            continue
        best = max(places, key=lambda i: _number(scored.evaluations[i].score("f1").value))
        probability, threshold = scored.probabilities[best], scored.evaluations[best].threshold
        chosen = chosen or chosen_patches(test, probability, threshold, number)
        if not chosen:
            continue
        label = models[best].label
        path = run / FIGURES / f"panels_{label}.png"
        draw_panels(test, probability, threshold, chosen, path, model=label, dpi=config.report.dpi)
        parts.append(
            figure(
                f"figures/{path.name}",
                f"{label}: {len(chosen)} test patches, from the smallest to the largest share of "
                "wrong pixels.",
            )
        )
    return parts if len(parts) > 1 else [*parts, "No test patch has anything to show.\n"]


def shown(score: Score) -> str:
    """A score with its interval, as a cell.

    Example:
        >>> shown(Score(value=0.5, low=0.4, high=0.61)), shown(Score(value=float("nan")))
        ('0.500 (0.400 to 0.610)', 'n/a')
    """
    if math.isnan(score.value):
        return "n/a"
    if math.isnan(score.low):
        return f"{score.value:.3f}"
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def _number(value: float | None) -> float:
    return -1.0 if value is None or math.isnan(value) else value
