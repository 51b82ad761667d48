"""The run folder of the whole way: what lies where, and the records that name it.

RUN/
  run.json            layout, name, title, files; written last
  config.yaml         the configuration as given
  provenance.json     command, seed, versions, times
  log.jsonl           messages
  scenes/             rendered scenes as ordinary files (scenes.yaml), where no data were named
  elevation.tif       elevation of all their sites together
  fit/                the training (docs/detection_run_folder.md), where no model was named
  maps/SCENE_probability.tif, maps/SCENE_mask.tif    see docs/detection_mapping.md
  outlines/SCENE.gpkg     landslides of one scene
  scenes.json         every mapped scene
  inventory/          the multi-temporal inventory (docs/detection_inventories.md)
  reference/          that of the reference inventories, where there are any
  comparison/         detected against reference, likewise
  hazard_detected.yaml, hazard_detected/     configuration and run of hazard.fit
  hazard_reference.yaml, hazard_reference/   the same on the reference inventories
  hazard_skill.csv    scores of both, on the ground that both saw
  report/html/index.html
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from hazard.errors import DataError, UsageError
from hazard.geo.beside import write_beside

LAYOUT, LAYOUT_VERSION = "detection-map", 1
RECORD, PROVENANCE, CONFIG, LOG = "run.json", "provenance.json", "config.yaml", "log.jsonl"
RENDERED, ELEVATION, FIT, MAPS, OUTLINES, SCENES = (
    "scenes",
    "elevation.tif",
    "fit",
    "maps",
    "outlines",
    "scenes.json",
)
INVENTORY, REFERENCE, COMPARISON = "inventory", "reference", "comparison"
HAZARD_SKILL, REPORT = "hazard_skill.csv", "report"

Row = TypeVar("Row")


def run_folder_of(name: str, out: Path | None) -> Path:
    """``--out``, or runs/NAME.

    Raises:
        UsageError: a file, or a folder with files that no run of this layout wrote.
    """
    run = Path("runs") / name if out is None else out
    if run.is_file():
        raise UsageError(f"--out: found the file {run}; expected a folder, or a name that is free")
    there = {path.name for path in run.iterdir()} if run.is_dir() else set()
    if there and not {RECORD, LOG} & there:
        raise UsageError(
            f"--out: found {run} with {sorted(there)[0]}, and no record of a run; expected a free "
            "name, or the folder of an earlier run"
        )
    if RECORD in there:
        found = _read(run / RECORD).get("layout")
        if found != LAYOUT:
            raise UsageError(
                f"--out: found a run of layout {found!r} in {run}; expected {LAYOUT!r}, or a free "
                "name"
            )
    return run


def read_scenes(run: Path, kind: type[Row]) -> dict[str, Row]:
    """Records of mapped scenes by name; none where the file is not there.

    Raises:
        DataError: a file that cannot be used.
    """
    file = run / SCENES
    if not file.exists():
        return {}
    names = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    try:
        rows = _read(file)["scenes"]
        return {row["name"]: kind(**{k: row[k] for k in names}) for row in rows}
    except (KeyError, TypeError) as error:
        raise DataError(
            file, found=f"a record that cannot be used ({error})", expected="that of an earlier run"
        ) from None


def write_json(path: Path, value: Any) -> None:
    """A record, whole; NaN is refused, which JSON does not have."""
    with write_beside(path) as part:
        part.write_text(json.dumps(value, indent=1, allow_nan=False, default=str) + "\n", "utf-8")


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            file, found=f"no readable record ({type(error).__name__})", expected="JSON"
        ) from None
