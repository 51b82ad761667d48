"""The work behind ``python -m detection.evaluate``: stored models on a run's own or other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detection.config.schema import DetectionConfig, load_config
from detection.evaluate.figures import draw_figures
from detection.evaluate.panels import draw_examples
from detection.evaluate.record import Evaluation
from detection.evaluate.run import evaluate_patches
from detection.evaluate.sections import evaluation_parts
from detection.evaluate.write import score_rows, site_rows, size_rows
from detection.fit.folder import EVALUATED, FIGURES, MODELS, require_run
from detection.fit.scores import settings_of
from detection.patches.patch_set import PatchSet
from detection.runs.record import CONFIG
from detection.training.model import DetectionModel, predict_patches
from detection.training.model_file import load_model
from detection.training.study import count_scenes, other_patches, study_patches
from hazard.errors import DataError, UsageError
from stats.command.frame import Session
from stats.command.pages import heading, note
from stats.command.whole_folder import (
    build_page,
    check_replaceable,
    listed_files,
    whole_folder,
    write_json,
    write_rows,
)

LAYOUT, LAYOUT_VERSION, RECORD = "detection-rescored", 1, "rescored.json"
HTML = "html"
BATCH = 16


@dataclass(frozen=True, eq=False, kw_only=True)
class Rescored:
    """What a run's models reach on some patches.

    Attributes:
        out: folder of the results.
        evaluations: one per stored model.
    """

    out: Path
    evaluations: tuple[Evaluation, ...]


def rescore(
    run: Path,
    session: Session,
    *,
    data: Path | None = None,
    part: str = "test",
    out: Path | None = None,
    overrides: Sequence[str] = (),
) -> Rescored:
    """Score the stored networks of a run.

    Args:
        run: folder of a finished run.
        session: log and progress.
        data: other data; None with `overrides` empty scores the run's own test patches.
        part: of data that come in parts.
        out: folder of the results.
        overrides: ``--set`` texts on the configuration of the run, such as another seed of the
            embedded scenes; every patch of what they describe is scored.

    Raises:
        DataError: no finished run, no stored model, or data that a model cannot read.
        UsageError: a folder that holds something else.
    """
    record = require_run(run)
    labels = list(record["models"])
    if not labels:
        raise DataError(run, found="no stored model", expected="a run that trained networks")
    given = list(overrides) + ([f"data={data}"] if data is not None else [])
    config = load_config(run / CONFIG, overrides=given)
    own = not given
    target = out or run / EVALUATED / ("own" if own else _name_of(data, overrides))
    check_replaceable(target, record=RECORD, layout=LAYOUT, built=HTML)
    patches = _patches(config, session, own=own, part=part)
    words = "test patches of the run" if own else "all patches of other data"
    settings = settings_of(config, patches)
    models = {label: load_model(run / MODELS / label) for label in labels}
    found = []
    with session.reporter.task("models", len(models)) as advance:
        for label, model in models.items():
            probability = predict_patches(model, patches, batch_size=BATCH)
            found.append(
                (
                    evaluate_patches(
                        probability, patches, model.threshold.threshold, model=label, data=words,
                        threshold_origin="stored with the model", settings=settings,
                    ),
                    probability,
                )
            )  # fmt: skip
            score = found[-1][0].score("f1")
            session.log.info(
                f"{label}: F1 {score.value:.3f} ({score.low:.3f} to {score.high:.3f}), IoU "
                f"{found[-1][0].score('iou').value:.3f} on {words}"
            )
            advance()
    evaluations = tuple(evaluation for evaluation, _ in found)
    with whole_folder(target, record=RECORD, layout=LAYOUT, built=HTML) as beside:
        drawn = draw_figures(evaluations, beside / FIGURES, dpi=config.report.dpi)
        best = max(range(len(found)), key=lambda i: evaluations[i].score("iou").value)
        if config.report.panels:
            drawn["examples"] = draw_examples(
                found[best][1], patches, evaluations[best].threshold,
                beside / FIGURES / "examples.png", title=f"{evaluations[best].model}: patches",
                number=config.report.panels, dpi=config.report.dpi,
            )  # fmt: skip
        for name, rows in (("scores", score_rows), ("sites", site_rows), ("sizes", size_rows)):
            write_rows(beside / f"{name}.csv", [r for e in evaluations for r in rows(e)])
        parts = [heading(f"{record['title']}: {words}")]
        if patches.synthetic:
            parts.append(note("SYNTHETIC: nothing on this page was observed.", kind="danger"))
        parts += evaluation_parts(evaluations, drawn)
        build_page(beside, parts, project=str(record["title"]))
        write_json(
            beside / RECORD,
            {
                "layout": LAYOUT, "layout_version": LAYOUT_VERSION, "run": str(run.resolve()),
                "data": None if config.data is None else str(config.data), "own": own,
                "overrides": list(overrides), "synthetic": patches.synthetic,
                "models": _facts(models), "patches": len(patches),
                "evaluations": [evaluation.to_json() for evaluation in evaluations],
                "files": listed_files(beside, html=True),
            },
        )  # fmt: skip
    session.log.info(f"page: {target / HTML / 'index.html'}")
    return Rescored(out=target, evaluations=evaluations)


def _patches(config: DetectionConfig, session: Session, *, own: bool, part: str) -> PatchSet:
    with session.reporter.task("scenes", count_scenes(config)) as advance:
        if own:
            return study_patches(config, progress=advance).test
        return other_patches(config, part=part, progress=advance)


def _name_of(data: Path | None, overrides: Sequence[str]) -> str:
    if data is not None:
        return data.stem
    raise_for = [text for text in overrides if "=" not in text]
    if raise_for:
        raise UsageError(f"--set {raise_for[0]}: expected key.path=value")
    cleaned = ["".join(c if c.isalnum() else "_" for c in text) for text in overrides]
    return "__".join(cleaned)[:80]


def _facts(models: dict[str, DetectionModel]) -> dict[str, dict[str, object]]:
    return {
        label: {"network": model.network_name, "threshold": model.threshold.to_json()}
        for label, model in models.items()
    }
