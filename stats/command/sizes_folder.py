"""The folder of a run of ``python -m stats.sizes``: its records, and what may be replaced."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from stats.command.sizes_choice import choice_rows, joint_record
from stats.command.sizes_compare import Comparison, comparison_record, epoch_table, tables_of
from stats.command.sizes_fit import InventoryResult
from stats.command.sizes_settings import SizesSettings
from stats.command.sizes_table import LAYOUT, LAYOUT_VERSION, cut_rows, fit_records, flat_row

if TYPE_CHECKING:
    from stats.sizes.hierarchical_posterior import HierarchicalPosterior
from stats.command.whole_folder import (
    HTML,
    check_replaceable,
    listed_files,
    write_json,
    write_rows,
)

RECORD = "sizes.json"
PAGE = "sizes.md"


def check_out(out: Path) -> None:
    """Refuse a folder of results that holds anything but an earlier run of this command.

    Raises:
        UsageError: a file, or a folder with files that no earlier run wrote.
    """
    check_replaceable(out, record=RECORD, layout=LAYOUT, built=HTML)


def file_name(label: str, taken: set[str]) -> str:
    """A label as part of a file name: letters, digits, dot, hyphen; others become _."""
    base = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "_" for c in label)
    base = base.strip("._") or "inventory"
    name, number = base, 1
    while name.lower() in taken or name == "overview":
        number += 1
        name = f"{base}_{number}"
    taken.add(name.lower())
    return name


def write_records(
    folder: Path,
    results: Sequence[InventoryResult],
    comparisons: Sequence[Comparison],
    joint: HierarchicalPosterior | None = None,
) -> None:
    """Write every table of a run; the layout is described in docs/sizes.md."""
    records = fit_records(results)
    write_json(folder / "fits.json", records)
    write_rows(folder / "fits.csv", [flat_row(record) for record in records])
    cuts = [row for result in results for row in cut_rows(result)]
    if cuts:
        write_rows(folder / "cuts.csv", cuts)
    choices = [
        {"label": result.areas.label, **row} for result in results for row in choice_rows(result)
    ]
    if choices:
        write_rows(folder / "choice.csv", choices)
    if joint is not None:
        write_json(folder / "hierarchical.json", joint_record(joint))
    if not comparisons:
        return
    write_json(folder / "comparison.json", [comparison_record(c) for c in comparisons])
    write_rows(folder / "epochs.csv", epoch_table(comparisons))
    taken: set[str] = set()
    for found in comparisons:
        name = file_name(found.predicted.label, taken)
        for kind, frame in tables_of(found).items():
            frame.to_csv(folder / f"{name}_{kind}.csv", index=False)


def write_manifest(
    folder: Path,
    settings: SizesSettings,
    results: Sequence[InventoryResult],
    comparisons: Sequence[Comparison],
) -> None:
    """Write ``sizes.json``: what the folder is, from what it was made, and which files are its."""
    inputs = [r.areas for r in results] + [c.reference for c in comparisons]
    write_json(
        folder / RECORD,
        {
            "layout": LAYOUT,
            "layout_version": LAYOUT_VERSION,
            "written": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "synthetic": any(a.synthetic for a in inputs),
            "settings": {k: str(v) if k == "out" else v for k, v in asdict(settings).items()},
            "inputs": [
                {
                    "source": str(a.source),
                    "label": a.label,
                    "sha256": a.sha256,
                    "n": a.areas_m2.size,
                }
                for a in inputs
            ],
            "files": listed_files(folder, html=settings.html),
        },
    )
