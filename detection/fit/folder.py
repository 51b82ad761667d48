"""The run folder: names, layout, and what may be written into (docs/detection_run_folder.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from detection.runs.record import RECORD, read_record, run_folder
from hazard.errors import DataError
from hazard.geo.beside import write_beside

LAYOUT = "detection-run"
LAYOUT_VERSION = 1
MANIFEST, AUDIT = "manifest.json", "audit.json"
MODELS, CHECKPOINTS = "model", "checkpoints"
PREDICTIONS, EVALUATIONS, EVALUATED = "predictions", "evaluation", "evaluated"
HISTORY, GRID, GRID_TRIALS = "history.csv", "grid.csv", "grid"
SCOREBOARD_CSV, SCOREBOARD_PARQUET = "scoreboard.csv", "scoreboard.parquet"
FIGURES, REPORT = "figures", "report"
FINISHED = "fit.json"


def run_folder_of(name: str, out: Path | None) -> Path:
    """``--out``, or runs/NAME (`detection.runs.record.run_folder`)."""
    return run_folder(name, out, layout=LAYOUT)


def require_run(run: Path) -> dict[str, Any]:
    """The record of a finished run of this layout version.

    Raises:
        DataError: another layout or version.
    """
    record = read_record(run / RECORD)
    found = record.get("layout"), record.get("layout_version")
    if found != (LAYOUT, LAYOUT_VERSION):
        raise DataError(
            run / RECORD, found=f"layout {found[0]!r}, version {found[1]}",
            expected=f"layout {LAYOUT!r}, version {LAYOUT_VERSION}",
        )  # fmt: skip
    return record


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
