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
  inventory/detection_error.json, observation.nc   how the detector errs, where it is known
  carried_sizes.csv   exponent and total area with the error carried on
  reference/          that of the reference inventories, where there are any
  comparison/         detected against reference, likewise
  hazard_detected.yaml, hazard_detected/     configuration and run of hazard.fit
  hazard_carried.yaml, hazard_carried/       the same with the detection error carried on
  hazard_reference.yaml, hazard_reference/   the same on the reference inventories
  hazard_skill.csv    scores of all, on the ground that all saw
  report/html/index.html
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from detection.runs.record import read_record, run_folder
from hazard.errors import DataError

LAYOUT, LAYOUT_VERSION = "detection-map", 1
RENDERED, ELEVATION, FIT, MAPS, OUTLINES, SCENES = (
    "scenes",
    "elevation.tif",
    "fit",
    "maps",
    "outlines",
    "scenes.json",
)
DETECTION_ERROR, SIZES_ERROR = "detection_error.json", "detection_error_sizes.json"
OBSERVATION, CARRIED_SIZES = "observation.nc", "carried_sizes.csv"
INVENTORY, REFERENCE, COMPARISON = "inventory", "reference", "comparison"
HAZARD_SKILL, REPORT = "hazard_skill.csv", "report"

Row = TypeVar("Row")


def run_folder_of(name: str, out: Path | None) -> Path:
    """``--out``, or runs/NAME (`detection.runs.record.run_folder`)."""
    return run_folder(name, out, layout=LAYOUT)


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
        rows = read_record(file)["scenes"]
        return {row["name"]: kind(**{k: row[k] for k in names}) for row in rows}
    except (KeyError, TypeError) as error:
        raise DataError(
            file, found=f"a record that cannot be used ({error})", expected="that of an earlier run"
        ) from None
