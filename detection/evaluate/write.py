"""An evaluation as a folder: the record, and tables that open anywhere."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from detection.evaluate.objects import Objects
from detection.evaluate.record import LAYOUT, PROTOCOLS, SCORES, Evaluation
from detection.evaluate.units import Score
from hazard.errors import DataError
from stats.command.whole_folder import check_replaceable, listed_files, whole_folder
from stats.command.whole_folder import write_json as write_record
from stats.command.whole_folder import write_rows as write_table

RECORD = "evaluation.json"
Row = dict[str, Any]


def write_evaluation(evaluation: Evaluation, folder: Path | str) -> Path:
    """Write an evaluation, whole or not at all; an earlier one of this layout is replaced.

    Files: ``evaluation.json`` (read by `read_evaluation`), ``scores.csv``, ``sites.csv``,
    ``sizes.csv``, ``curve.csv``, ``units.csv`` and, for an evaluation that was not itself read,
    ``objects.csv`` with one row per landslide and per mapped object.

    Args:
        evaluation: the record.
        folder: final name.

    Returns:
        The folder.

    Raises:
        UsageError: the folder holds what no earlier evaluation wrote.
    """
    out = Path(folder)
    check_replaceable(out, record=RECORD, layout=LAYOUT)
    with whole_folder(out, record=RECORD, layout=LAYOUT) as beside:
        write_table(beside / "scores.csv", score_rows(evaluation))
        write_table(beside / "sites.csv", site_rows(evaluation))
        write_table(beside / "sizes.csv", size_rows(evaluation))
        write_table(beside / "curve.csv", curve_rows(evaluation))
        write_table(beside / "units.csv", unit_rows(evaluation))
        write_table(beside / "objects.csv", object_rows(evaluation))
        write_record(
            beside / RECORD, {**evaluation.to_json(), "files": listed_files(beside, html=False)}
        )
    return out


def read_evaluation(folder: Path | str) -> Evaluation:
    """The record of a folder, without its objects.

    Raises:
        DataError: no such folder, or a record that cannot be used.
    """
    file = Path(folder) / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(file, found="no such file", expected="an evaluation") from None
    except (OSError, ValueError) as error:
        raise DataError(file, found=f"no readable JSON ({error})", expected="a record") from None
    if not isinstance(record, dict):
        raise DataError(file, found=f"a {type(record).__name__}", expected="a mapping")
    return Evaluation.from_json(record, source=str(file))


def score_rows(evaluation: Evaluation) -> list[Row]:
    """One row per choice of patches and score."""
    return [
        {"model": evaluation.model, "data": evaluation.data, "patches": PROTOCOLS[p.name],
         "n_patches": p.patches, "n_pixels": p.pixels, "n_landslide_pixels": p.landslide_pixels,
         "score": name, **_cells(p.scores[name]), "n_units": p.units, "unit": evaluation.unit,
         "level": evaluation.settings.level, "threshold": evaluation.threshold,
         "threshold_origin": evaluation.threshold_origin}
        for p in evaluation.protocols for name in SCORES
    ]  # fmt: skip


def site_rows(evaluation: Evaluation) -> list[Row]:
    """One row per site and score."""
    return [
        {"model": evaluation.model, "site": site.name, "n_patches": site.patches,
         "n_pixels": site.pixels, "n_landslide_pixels": site.landslide_pixels, "score": name,
         **_cells(score), "n_units": site.units, "unit": evaluation.unit}
        for site in evaluation.sites for name, score in site.scores.items()
    ]  # fmt: skip


def size_rows(evaluation: Evaluation) -> list[Row]:
    """One row per choice of patches and size class; the last of each is over all sizes."""
    return [
        {"model": evaluation.model, "patches": PROTOCOLS[p.name], "low": s.low,
         "high": "" if s.high is None else s.high, "unit": s.unit, "landslides": s.landslides,
         "cut": s.cut, "found": s.found, "touched": s.touched, "recall": _cell(s.recall.value),
         "recall_low": _cell(s.recall.low), "recall_high": _cell(s.recall.high),
         "mapped": s.mapped, "confirmed": s.confirmed, "precision": _cell(s.precision.value),
         "precision_low": _cell(s.precision.low), "precision_high": _cell(s.precision.high),
         "overlap": evaluation.settings.object_overlap}
        for p in evaluation.protocols for s in p.sizes
    ]  # fmt: skip


def curve_rows(evaluation: Evaluation) -> list[Row]:
    """Points of the precision-recall curves."""
    return [
        {"patches": PROTOCOLS[p.name], "threshold": t, "recall": r, "precision": q}
        for p in evaluation.protocols if p.curve is not None
        for t, r, q in zip(
            p.curve.threshold.tolist(), p.curve.recall.tolist(), p.curve.precision.tolist(),
            strict=True,
        )
    ]  # fmt: skip


def unit_rows(evaluation: Evaluation) -> list[Row]:
    """Counts of every unit of the bootstrap, all patches."""
    return [
        {"unit": key, **dict(zip(("tp", "fp", "fn", "tn"), map(int, counts), strict=True))}
        for key, counts in zip(evaluation.unit_keys, evaluation.unit_counts.tolist(), strict=True)
    ]


def object_rows(evaluation: Evaluation) -> list[Row]:
    """One row per true and per mapped object."""
    area = None if evaluation.pixel_m is None else evaluation.pixel_m**2
    rows: list[Row] = []
    for kind, objects in (("landslide", evaluation.landslides), ("mapped", evaluation.mapped)):
        rows += [] if objects is None else _objects(kind, objects, area)
    return rows


def _objects(kind: str, objects: Objects, area: float | None) -> list[Row]:
    return [
        {"object": kind, "pixels": int(objects.pixels[i]),
         "area_m2": "" if area is None else float(objects.pixels[i] * area),
         "share": float(objects.share[i]), "cut": bool(objects.cut[i]),
         "row": float(objects.place[i, 0]), "column": float(objects.place[i, 1]),
         "ground": int(objects.ground[i])}
        for i in range(objects.pixels.size)
    ]  # fmt: skip


def _cells(score: Score) -> Row:
    return {
        "value": _cell(score.value), "low": _cell(score.low), "high": _cell(score.high),
        "note": score.note,
    }  # fmt: skip


def _cell(value: float) -> float | str:
    return "" if math.isnan(value) else value
