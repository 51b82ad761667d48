"""Every model of a run scored on the test patches, as records, tables and stored maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from detection.config.schema import DetectionConfig
from detection.evaluate.record import SCORES, Evaluation
from detection.evaluate.run import SITE_OF, evaluate_patches
from detection.evaluate.settings import EvaluationSettings
from detection.evaluate.write import write_evaluation
from detection.fit.folder import EVALUATIONS, PREDICTIONS
from detection.fit.models import FittedModel
from detection.patches.patch_set import PatchSet
from hazard.geo.beside import write_beside
from stats.command.frame import Session

MOST_SITES = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class Scored:
    """The models of a run on its test patches.

    Attributes:
        evaluations: one per model, in the order of the models.
        probabilities: (patch, y, x) of each.
        rows: the scoreboard, one row per model and site.
    """

    evaluations: tuple[Evaluation, ...]
    probabilities: tuple[Float[ndarray, "patch y x"], ...]
    rows: list[dict[str, Any]]


def settings_of(config: DetectionConfig, patches: PatchSet) -> EvaluationSettings:
    """Settings of the evaluation; lengths in metres only where the size of a pixel is known."""
    section = config.evaluation
    metric = patches.pixel_m is not None
    # A data set that comes cut has a region per patch: a table of those would say nothing.
    several = len({SITE_OF[section.sites](origin) for origin in patches.origin}) <= MOST_SITES
    return EvaluationSettings(
        block_m=section.block_m if metric else None, draws=section.draws, level=section.level,
        seed=config.seed,
        sites=section.sites if several else "epoch",
        boundary_tolerance_m=section.boundary_tolerance_m if metric else None,
    )  # fmt: skip


def scoreboard(
    config: DetectionConfig, test: PatchSet, models: Sequence[FittedModel], session: Session
) -> Scored:
    """Score every model on the test patches.

    Thresholds come from the validation patches; nothing here chooses anything.
    """
    settings = settings_of(config, test)
    evaluations, probabilities = [], []
    with session.reporter.task("scores", len(models)) as advance:
        for model in models:
            probability = model.predict(test)
            found = evaluate_patches(
                probability, test, model.threshold.threshold, model=model.label,
                data="test patches", threshold_origin=origin_of(model), settings=settings,
            )  # fmt: skip
            score = found.score("f1")
            session.log.info(
                f"{model.label}: F1 {score.value:.3f} ({score.low:.3f} to {score.high:.3f}), "
                f"IoU {found.score('iou').value:.3f} on test patches at threshold "
                f"{model.threshold.threshold:.3f}"
            )
            evaluations.append(found)
            probabilities.append(probability)
            advance()
    rows = board_rows(evaluations, models)
    return Scored(evaluations=tuple(evaluations), probabilities=tuple(probabilities), rows=rows)


def origin_of(model: FittedModel) -> str:
    """Where a threshold comes from, in words."""
    rule = model.threshold.rule
    return "fixed" if rule == "fixed" else f"largest {rule.upper()} on validation patches"


def board_rows(
    evaluations: Sequence[Evaluation], models: Sequence[FittedModel]
) -> list[dict[str, Any]]:
    """One row per model and site; the first of a model is pooled over all sites."""
    rows = []
    for evaluation, model in zip(evaluations, models, strict=True):
        shared = {
            "kind": model.kind, "network": model.facts["network"],
            "recipe": model.facts["recipe"], "parameters": model.facts.get("parameters"),
            "seconds": model.facts["seconds"], "threshold": evaluation.threshold,
            "validation_f1": model.threshold.f1,
        }  # fmt: skip
        for protocol in evaluation.protocols:
            rows.append(
                {
                    "model": model.label, "site": "all", "patches": protocol.name,
                    "n_patches": protocol.patches, "n_pixels": protocol.pixels,
                    "landslide_share": protocol.base_rate, **_cells(protocol.scores), **shared,
                }
            )  # fmt: skip
        for site in evaluation.sites:
            share = site.landslide_pixels / site.pixels if site.pixels else None
            rows.append(
                {
                    "model": model.label, "site": site.name, "patches": "all",
                    "n_patches": site.patches, "n_pixels": site.pixels,
                    "landslide_share": share, **_cells(site.scores), **shared,
                }
            )  # fmt: skip
    return rows


def write_scores(run: Path, test: PatchSet, scored: Scored) -> None:
    """evaluation/MODEL with tables, and predictions/MODEL.npz with the maps of the test patches."""
    places = np.array([(o.row, o.column) for o in test.origin], dtype=np.int32)
    scenes = np.array([o.scene for o in test.origin])
    for evaluation, probability in zip(scored.evaluations, scored.probabilities, strict=True):
        write_evaluation(evaluation, run / EVALUATIONS / evaluation.model)
        with write_beside(run / PREDICTIONS / f"{evaluation.model}.npz") as part:
            np.savez_compressed(
                part, probability=probability.astype(np.float16), truth=test.truth,
                counted=test.counted, place=places, scene=scenes,
            )  # fmt: skip


def _cells(scores: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in SCORES:
        score = scores.get(name)
        if score is None:
            continue
        for suffix, value in (("", score.value), ("_low", score.low), ("_high", score.high)):
            found[f"{name}{suffix}"] = None if math.isnan(value) else float(value)
    return found
