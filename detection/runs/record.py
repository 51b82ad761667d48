"""Run folders: whose they are, and records that are written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from hazard.errors import DataError, UsageError
from hazard.geo.beside import write_beside
from stats.command.run_lock import LOCK_NAME
from stats.command.whole_folder import write_rows

RECORD, CONFIG, PROVENANCE, LOG = "run.json", "config.yaml", "provenance.json", "log.jsonl"


def run_folder(name: str, out: Path | None, *, layout: str) -> Path:
    """``--out``, or runs/NAME: a free name, or a run of this layout, finished or not.

    Args:
        name: of the study.
        out: what the user asked for.
        layout: of the command's run folders.

    Raises:
        UsageError: a file, a run of another layout, or a folder with files that no run wrote.
        DataError: a record that cannot be read.
    """
    run = Path("runs") / name if out is None else out
    if run.is_file():
        raise UsageError(f"--out: found the file {run}; expected a folder, or a name that is free")
    there = {path.name for path in run.iterdir()} if run.is_dir() else set()
    if there and not {RECORD, LOG, LOCK_NAME} & there:
        raise UsageError(
            f"--out: found {run} with {sorted(there)[0]}, and no record of a run; expected a free "
            "name, or the folder of an earlier run"
        )
    if RECORD in there and (found := read_record(run / RECORD).get("layout")) != layout:
        raise UsageError(
            f"--out: found a run of another kind in {run} (layout {found!r}); expected {layout!r}, "
            "or a free name"
        )
    return run


def read_record(file: Path) -> dict[str, Any]:
    """A JSON record.

    Raises:
        DataError: none there, or none that can be read.
    """
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            file, found=f"no readable record ({type(error).__name__})", expected="a JSON mapping"
        ) from None


def write_json(path: Path, value: Any) -> None:
    """A record, whole; NaN is refused, which JSON does not have."""
    with write_beside(path) as part:
        part.write_text(json.dumps(value, indent=1, allow_nan=False, default=str) + "\n", "utf-8")


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as CSV, whole; no file without rows."""
    if rows:
        with write_beside(path) as part:
            write_rows(part, rows)


def as_given(config: BaseModel) -> dict[str, Any]:
    """The settings that a user gave, without those that stand by default."""
    return config.model_dump(mode="json", exclude_unset=True)


def write_config(path: Path, config: BaseModel) -> None:
    """`as_given` as YAML, whole."""
    with write_beside(path) as part:
        part.write_text(yaml.safe_dump(as_given(config), sort_keys=False), encoding="utf-8")
