"""Read a run folder by its written layout (docs/run_folder.md), and by nothing else.

This is all that `stats` knows of a hazard run: names of files and plain JSON, no class of the
program that wrote them. A folder of another layout version is refused, not guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stats.command.errors import DataError

RUN_LAYOUT = "hazard-run"
RUN_LAYOUT_VERSION = 2
RUN_RECORD = "run.json"
REQUIRED_FILES = ("cube", "config", "provenance", "summary", "log", "figures")


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """A run as it lies on disk.

    Attributes:
        path: the folder.
        name: short name of the study.
        title: title of the study.
        synthetic: True where nothing in it was observed.
        seed: seed of everything random.
        written: time of the last write (ISO, UTC).
        cube: path of the cube.
        figures: paths of the pages of maps.
        summary: ``summary.json``.
        provenance: ``provenance.json``.
    """

    path: Path
    name: str
    title: str
    synthetic: bool
    seed: int
    written: str
    cube: Path
    figures: tuple[Path, ...]
    summary: Mapping[str, Any]
    provenance: Mapping[str, Any]


def read_run_folder(path: Path | str) -> RunFolder:
    """Read the records of a run folder; large files are not opened.

    Raises:
        DataError: no run folder, another layout or version, or a file it names is missing.
    """
    folder = Path(path)
    record = _json(folder / RUN_RECORD, folder)
    if record.get("layout") != RUN_LAYOUT:
        raise DataError(
            folder / RUN_RECORD,
            found=f"layout {record.get('layout')!r}",
            expected=f"{RUN_LAYOUT!r}",
        )
    if record.get("layout_version") != RUN_LAYOUT_VERSION:
        raise DataError(
            folder / RUN_RECORD,
            found=f"layout version {record.get('layout_version')!r}",
            expected=f"{RUN_LAYOUT_VERSION} (docs/run_folder.md)",
        )
    missing = [
        key for key in ("name", "title", "synthetic", "seed", "written") if key not in record
    ]
    files = record.get("files", {})
    missing += [f"files.{key}" for key in REQUIRED_FILES if key not in files]
    if missing:
        raise DataError(folder / RUN_RECORD, found=f"no {', '.join(missing)}", expected="all keys")
    figures = tuple(folder / name for name in files["figures"])
    for file in (folder / files["cube"], *figures):
        if not file.exists():
            raise DataError(folder, found=f"no {file.relative_to(folder)}", expected="a whole run")
    return RunFolder(
        path=folder,
        name=str(record["name"]),
        title=str(record["title"]),
        synthetic=bool(record["synthetic"]),
        seed=int(record["seed"]),
        written=str(record["written"]),
        cube=folder / files["cube"],
        figures=figures,
        summary=_json(folder / files["summary"], folder),
        provenance=_json(folder / files["provenance"], folder),
    )


def _json(file: Path, folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise DataError(folder, found="no such folder", expected="a run folder")
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            folder, found=f"no {file.name}", expected="a finished run (docs/run_folder.md)"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(file, found=f"no readable JSON ({error})", expected="a record") from None
    if not isinstance(record, dict):
        raise DataError(file, found=f"a {type(record).__name__}", expected="a mapping")
    return record


def describe_run(run: RunFolder) -> list[str]:
    """A run in a few lines of text."""
    lines = [f"{run.name}: {run.title}"]
    if run.synthetic:
        lines.append("SYNTHETIC: nothing in this run was observed")
    epochs = run.summary.get("epochs", [])
    layers = run.summary.get("layers", [])
    lines += [
        f"written {run.written}, seed {run.seed}",
        f"cube: {run.cube} ({len(epochs)} epochs, {len(layers)} layers)",
        *(f"  {e['epoch']}: {e['observed']} cells observed, {e['positive']} positive, "
          f"{e['area_km2']:.1f} km2" for e in epochs),
    ]  # fmt: skip
    absent = run.summary.get("absent", {})
    lines += [f"absent: {name} ({reason})" for name, reason in absent.items()]
    lines += [f"maps: {page}" for page in run.figures]
    inputs = run.provenance.get("inputs", [])
    lines.append(f"inputs: {len(inputs)} files")
    lines += [f"  {i['role']}: {i['path']} (sha256 {i['sha256'][:12]})" for i in inputs]
    return lines
