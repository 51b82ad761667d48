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
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hazard.errors import DataError, UsageError
from hazard.geo.beside import write_beside
from stats.command.run_lock import LOCK_NAME
from stats.command.whole_folder import write_rows

LAYOUT, LAYOUT_VERSION = "detection-chain", 1
RUN_RECORD, PROVENANCE, CONFIG, LOG = "run.json", "provenance.json", "config.yaml", "log.jsonl"
TRAININGS, MODELS, COUNTS, PANELS = "trainings.json", "models", "counts", "panels.npz"
MATRIX, TRANSFER, DESIGNS = "matrix.csv", "transfer.csv", "designs.csv"
SPLIT = "split.csv"
REPORT_INDEX = "report/html/index.html"
PACKAGES = (
    "landslide-hazard", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy",
    "rasterio", "shapely", "pydantic", "matplotlib", "sphinx", "myst-parser",
)  # fmt: skip


def run_folder_of(name: str, out: Path | None) -> Path:
    """``--out``, or runs/NAME.

    Raises:
        UsageError: a file, a run of another kind, or a folder with files that no chain wrote.
    """
    run = Path("runs") / name if out is None else out
    if run.is_file():
        raise UsageError(f"--out: found the file {run}; expected a folder, or a name that is free")
    there = {path.name for path in run.iterdir()} if run.is_dir() else set()
    if not there:
        return run
    if RUN_RECORD in there:
        try:
            layout = json.loads((run / RUN_RECORD).read_text(encoding="utf-8")).get("layout")
        except (OSError, ValueError, AttributeError):
            layout = None
        if layout == LAYOUT:
            return run
        raise UsageError(f"--out: found a run of another kind in {run}; expected a free name")
    if not there & {LOG, TRAININGS, LOCK_NAME}:
        raise UsageError(
            f"--out: found {run} with {sorted(there)[0]}, and no record of a chain; expected a "
            "free name, or the folder of an earlier chain"
        )
    return run


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


def write_json(path: Path, value: Any) -> None:
    """A record, beside and then under its name; NaN is refused, which JSON does not have."""
    text = json.dumps(value, indent=1, allow_nan=False, default=str)
    with write_beside(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as CSV, beside and then under its name; no file without rows."""
    if rows:
        with write_beside(path) as part:
            write_rows(part, rows)


def machine() -> tuple[dict[str, Any], dict[str, str]]:
    """Device and flags; versions of the packages that results depend on."""
    import jax

    devices = jax.devices()
    versions = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    found = {
        "device": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        "system": platform.platform(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }
    return found, versions
