"""The run folder: names, layout, and what may be written into (docs/detection_run_folder.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hazard.errors import DataError, UsageError
from hazard.geo.beside import write_beside

LAYOUT = "detection-run"
LAYOUT_VERSION = 1
RECORD = "run.json"
CONFIG = "config.yaml"
PROVENANCE = "provenance.json"
LOG = "log.jsonl"
MANIFEST, AUDIT = "manifest.json", "audit.json"
MODELS, CHECKPOINTS = "model", "checkpoints"
PREDICTIONS, EVALUATIONS, EVALUATED = "predictions", "evaluation", "evaluated"
HISTORY, GRID, GRID_TRIALS = "history.csv", "grid.csv", "grid"
SCOREBOARD_CSV, SCOREBOARD_PARQUET = "scoreboard.csv", "scoreboard.parquet"
FIGURES, REPORT = "figures", "report"
FINISHED = "fit.json"
LOCK = "run.lock"


def run_folder_of(name: str, out: Path | None) -> Path:
    """``--out``, or runs/NAME.

    Raises:
        UsageError: a file, or a folder with files that no run of this layout wrote.
    """
    run = Path("runs") / name if out is None else out
    if run.is_file():
        raise UsageError(f"--out: found the file {run}; expected a folder, or a name that is free")
    there = {path.name for path in run.iterdir()} if run.is_dir() else set()
    ours = {RECORD, LOG, LOCK} & there
    if there and not ours:
        raise UsageError(
            f"--out: found {run} with {sorted(there)[0]}, and no record of a run; expected a free "
            "name, or the folder of an earlier run"
        )
    if RECORD in there and read_record(run).get("layout") != LAYOUT:
        raise UsageError(f"--out: found a run of another kind in {run}; expected a free name")
    return run


def read_record(run: Path) -> dict[str, Any]:
    """run.json of a run folder.

    Raises:
        DataError: none there, or none that can be read.
    """
    file = run / RECORD
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            file, found=f"no readable record ({type(error).__name__})",
            expected=f"layout {LAYOUT!r}, version {LAYOUT_VERSION}",
        ) from None  # fmt: skip


def require_run(run: Path) -> dict[str, Any]:
    """The record of a finished run of this layout version.

    Raises:
        DataError: another layout or version.
    """
    record = read_record(run)
    found = record.get("layout"), record.get("layout_version")
    if found != (LAYOUT, LAYOUT_VERSION):
        raise DataError(
            run / RECORD, found=f"layout {found[0]!r}, version {found[1]}",
            expected=f"layout {LAYOUT!r}, version {LAYOUT_VERSION}",
        )  # fmt: skip
    return record


def write_json(path: Path, value: Any) -> None:
    """A record, whole; NaN is refused, which JSON does not have."""
    with write_beside(path) as part:
        part.write_text(json.dumps(value, indent=1, allow_nan=False, default=str) + "\n", "utf-8")


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as CSV or Parquet, by the ending; columns in the order of their first appearance."""
    import pandas as pd

    columns = list(dict.fromkeys(key for row in rows for key in row))
    frame = pd.DataFrame([{key: row.get(key) for key in columns} for row in rows], columns=columns)
    with write_beside(path) as part:
        if path.suffix == ".parquet":
            frame.to_parquet(part, index=False)
        else:
            frame.to_csv(part, index=False)
