"""A comparison as a folder: one record, tables of epochs and matches, figures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from detection.comparison.figures import draw_figures
from detection.comparison.series import EpochComparison, SeriesComparison
from stats.command.sizes_compare import comparison_record, tables_of
from stats.command.sizes_table import finite
from stats.command.whole_folder import (
    FIGURES,
    check_replaceable,
    listed_files,
    whole_folder,
    write_json,
    write_rows,
)

LAYOUT, LAYOUT_VERSION = "inventory-comparison", 1
RECORD = "comparison.json"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values for JSON: what is not finite is null."""
    return {k: finite(v) if isinstance(v, float) else v for k, v in values.items()}


def epoch_rows(found: SeriesComparison) -> list[dict[str, Any]]:
    """One row per epoch: both density tables, their difference, ratios, splits and merges."""
    rows = []
    for entry, ours, theirs, gap in zip(
        found.epochs, found.detected, found.reference, found.differences, strict=True
    ):
        row: dict[str, Any] = {
            "epoch": ours.epoch, "years": ours.years, "study_km2": ours.study_km2,
        }  # fmt: skip
        for side, table in (("detected", ours), ("reference", theirs)):
            values = asdict(table)
            row |= {f"{side}_{k}": v for k, v in values.items()
                    if k not in ("epoch", "years", "study_km2")}  # fmt: skip
        row |= {f"difference_{k}": v for k, v in asdict(gap).items() if k != "epoch"}
        for name, interval in entry.agreement.items():
            row |= {name: interval.value, f"{name}_low": interval.low,
                    f"{name}_high": interval.high}  # fmt: skip
        f = asdict(entry.fragmentation)
        row |= {f"groups_{k}": v for k, v in f.pop("groups").items()} | f
        row |= {"detected_outside": entry.n_outside[0], "reference_outside": entry.n_outside[1]}
        rows.append(row)
    return rows


def comparison_json(found: SeriesComparison) -> dict[str, Any]:
    """The record of a comparison."""

    def entry_json(entry: EpochComparison) -> dict[str, Any]:
        f = asdict(entry.fragmentation)
        return {
            "epoch": entry.pair.name, "start": entry.pair.start.isoformat(),
            "end": entry.pair.end.isoformat(), "study_km2": entry.pair.study_km2,
            **comparison_record(entry.comparison),
            "common_cut_m2": finite(entry.comparison.cut_m2),
            "agreement": {k: _plain(asdict(v)) for k, v in entry.agreement.items()},
            "fragmentation": _plain(f),
            "n_outside": {"detected": entry.n_outside[0], "reference": entry.n_outside[1]},
        }  # fmt: skip

    return {
        "layout": LAYOUT,
        "layout_version": LAYOUT_VERSION,
        "synthetic": found.synthetic,
        "settings": asdict(found.settings),
        "pooled": {
            "differences": [_plain(asdict(d)) for d in found.pooled],
            "failure": found.pooled_failure,
        },
        "epochs": [entry_json(entry) for entry in found.epochs],
    }


def write_comparison(folder: str | Path, found: SeriesComparison) -> Path:
    """Write a comparison with its figures, whole or not at all.

    The folder holds ``comparison.json``, ``epochs.csv``, ``matches.csv``, ``missed.csv``,
    ``false.csv`` (with a column ``epoch``) and ``figures/*.png``.

    Args:
        folder: where to; an earlier comparison there is replaced.
        found: the comparison.

    Raises:
        UsageError: the folder holds something else.
    """
    out = Path(folder)
    check_replaceable(out, record=RECORD, layout=LAYOUT)
    with whole_folder(out, record=RECORD, layout=LAYOUT) as beside:
        write_rows(beside / "epochs.csv", epoch_rows(found))
        for name in ("matches", "missed", "false"):
            rows = [
                {"epoch": entry.pair.name, **{str(k): v for k, v in row.items()}}
                for entry in found.epochs
                for row in tables_of(entry.comparison)[name].to_dict("records")
            ]
            write_rows(beside / f"{name}.csv", rows)
        draw_figures(found, beside / FIGURES)
        files = listed_files(beside, html=False)
        write_json(beside / RECORD, comparison_json(found) | {"files": files})
    return out
