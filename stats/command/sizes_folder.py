"""The folder of a run of ``python -m stats.sizes``: its records, and what may be replaced."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stats.command.errors import UsageError
from stats.command.sizes_choice import choice_rows, joint_record
from stats.command.sizes_compare import Comparison, comparison_record, epoch_table, tables_of
from stats.command.sizes_fit import InventoryResult
from stats.command.sizes_settings import SizesSettings
from stats.command.sizes_table import LAYOUT, LAYOUT_VERSION, cut_rows, fit_records, flat_row

if TYPE_CHECKING:
    from stats.sizes.hierarchical_posterior import HierarchicalPosterior

RECORD = "sizes.json"
PAGE = "sizes.md"
FIGURES = "figures"
HTML = "html"


def check_out(out: Path) -> None:
    """Refuse a folder of results that holds anything but an earlier run of this command.

    Raises:
        UsageError: a file, or a folder with files that no earlier run wrote.
    """
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise UsageError(f"--out: found the file {out}; expected a folder, or a name that is free")
    there = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file() or p.is_symlink()}
    if not there:
        return
    record = out / RECORD
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        ours = set(known["files"]) | {RECORD} if known["layout"] == LAYOUT else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    # Of the HTML only the folder is listed.
    foreign = sorted(f for f in there - ours if not (HTML in ours and f.startswith(f"{HTML}/")))
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise UsageError(
            f"--out: found {out} with {foreign[0]}{more}, which no earlier run wrote; expected a "
            "free name, or the folder of an earlier run"
        )


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
    _write_json(folder / "fits.json", records)
    _write_csv(folder / "fits.csv", [flat_row(record) for record in records])
    cuts = [row for result in results for row in cut_rows(result)]
    if cuts:
        _write_csv(folder / "cuts.csv", cuts)
    choices = [
        {"label": result.areas.label, **row} for result in results for row in choice_rows(result)
    ]
    if choices:
        _write_csv(folder / "choice.csv", choices)
    if joint is not None:
        _write_json(folder / "hierarchical.json", joint_record(joint))
    if not comparisons:
        return
    _write_json(folder / "comparison.json", [comparison_record(c) for c in comparisons])
    _write_csv(folder / "epochs.csv", epoch_table(comparisons))
    taken: set[str] = set()
    for found in comparisons:
        name = file_name(found.predicted.label, taken)
        for kind, frame in tables_of(found).items():
            frame.to_csv(folder / f"{name}_{kind}.csv", index=False)


def _write_json(path: Path, value: object) -> None:
    text = json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as CSV; columns in the order of their first appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def write_manifest(
    folder: Path,
    settings: SizesSettings,
    results: Sequence[InventoryResult],
    comparisons: Sequence[Comparison],
) -> None:
    """Write ``sizes.json``: what the folder is, from what it was made, and which files are its."""
    files = sorted(
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if p.is_file() and p.relative_to(folder).parts[0] != HTML
    )
    inputs = [r.areas for r in results] + [c.reference for c in comparisons]
    _write_json(
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
            "files": [*files, *([HTML] if settings.html else [])],
        },
    )
