"""The run folder of a study of transfer: what lies where, and the record that names it.

RUN/
  run.json          layout, name, title, files; written last
  config.yaml       the configuration as given
  provenance.json   command, seed, versions, device, times
  log.jsonl         messages
  trainings.json    every training: patches, times, history, threshold, proof of freezing
  models/TRAINING/  every model (`detection.training.model_file`)
  counts/TRAINING.csv   pixel counts per patch on every region and epoch
  matrix.csv, transfer.csv, designs.csv   scores with intervals
  panels.npz        patches with truth and probabilities, for the report
  report/html/index.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from detection.runs.record import run_folder, write_json
from hazard.errors import DataError

LAYOUT, LAYOUT_VERSION = "detection-chain", 1
TRAININGS, MODELS, COUNTS, PANELS = "trainings.json", "models", "counts", "panels.npz"
MATRIX, TRANSFER, DESIGNS = "matrix.csv", "transfer.csv", "designs.csv"
SPLIT = "split.csv"
REPORT_INDEX = "report/html/index.html"
PACKAGES = (
    "landslide-hazard", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy",
    "rasterio", "shapely", "pydantic", "matplotlib", "sphinx", "myst-parser",
)  # fmt: skip


def run_folder_of(name: str, out: Path | None) -> Path:
    """``--out``, or runs/NAME (`detection.runs.record.run_folder`)."""
    return run_folder(name, out, layout=LAYOUT)


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """What is kept of a training beside its model and its counts.

    Attributes:
        name: of the training.
        key: `training_key`; on resume, equal keys are not trained again.
        planned: the plan's entry as plain values.
        seconds: of training and scoring.
        patches: numbers of patches: train (distinct), drawn (per epoch), validation.
        steps: steps of the optimiser.
        threshold: `ThresholdChoice` as plain values.
        history: epochs with losses.
        freezing: `FreezeRecord` as plain values, or None.
        parameters: trainable numbers of the network.
    """

    name: str
    key: str
    planned: Mapping[str, Any]
    seconds: float
    patches: Mapping[str, int]
    steps: int
    threshold: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    freezing: Mapping[str, Any] | None
    parameters: int


def read_trainings(run: Path) -> dict[str, TrainingRecord]:
    """Records of finished trainings by name; none where the file is not there.

    Raises:
        DataError: a file that cannot be read.
    """
    path = run / TRAININGS
    if not path.exists():
        return {}
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["trainings"]
        names = {item.name for item in fields(TrainingRecord)}
        found = [TrainingRecord(**{k: row[k] for k in names}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            path, found=f"no readable record ({error})", expected="that of an earlier run"
        ) from None
    return {record.name: record for record in found}


def write_trainings(run: Path, records: Mapping[str, TrainingRecord]) -> None:
    """Write the records of finished trainings, beside and then under their name."""
    write_json(run / TRAININGS, {"trainings": [asdict(record) for record in records.values()]})
