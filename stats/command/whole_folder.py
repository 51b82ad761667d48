"""A folder of results that is written whole or not at all, and replaces nothing but its like.

A folder of ours holds a record (a JSON file) that names its layout and lists its files. It is made
beside its name and renamed when everything in it is there; an earlier run of the same layout is
replaced then, and a folder that holds anything else is left alone.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stats.command.errors import UsageError
from stats.command.pages import build_html, write_page

FIGURES = "figures"
HTML = "html"


def check_replaceable(out: Path, *, record: str, layout: str, built: str | None = None) -> None:
    """Refuse a folder that holds anything but an earlier run of this layout.

    Args:
        out: folder of the results.
        record: file in it that names its layout and lists its files.
        layout: name of the layout.
        built: subfolder of which only the name is listed, such as that of the HTML.

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
    try:
        known = json.loads((out / record).read_text(encoding="utf-8"))
        ours = set(known["files"]) | {record} if known["layout"] == layout else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    foreign = sorted(
        f for f in there - ours
        if built is None or built not in ours or not f.startswith(f"{built}/")
    )  # fmt: skip
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise UsageError(
            f"--out: found {out} with {foreign[0]}{more}, which no earlier run wrote; expected a "
            "free name, or the folder of an earlier run"
        )


@contextmanager
def whole_folder(
    out: Path, *, record: str, layout: str, built: str | None = None
) -> Iterator[Path]:
    """A folder beside `out` to write into; it takes the name of `out` when the block ends well.

    Args:
        out: final name.
        record: as in `check_replaceable`.
        layout: likewise.
        built: likewise.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.parent / f".{out.name}.{os.getpid()}.part"
    old = out.parent / f".{out.name}.{os.getpid()}.old"
    try:
        beside.mkdir()
        yield beside
        check_replaceable(out, record=record, layout=layout, built=built)
        if out.exists():
            out.rename(old)
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if old.exists():
            if out.exists():
                shutil.rmtree(old)
            else:
                old.rename(out)


def write_json(path: Path, value: object) -> None:
    """A record; NaN is refused, which JSON does not have."""
    text = json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as CSV, columns in the order of their first appearance; no file without rows."""
    if not rows:
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def listed_files(folder: Path, *, html: bool) -> list[str]:
    """Files of a folder for its record; of the HTML only the folder is named."""
    files = sorted(
        str(p.relative_to(folder)) for p in folder.rglob("*")
        if p.is_file() and p.relative_to(folder).parts[0] != HTML
    )  # fmt: skip
    return [*files, *([HTML] if html else [])]


def build_page(folder: Path, parts: Sequence[str], *, project: str) -> None:
    """The page as HTML, built from a copy: the folder itself stays free of Sphinx's files."""
    source = folder / ".page"
    try:
        shutil.copytree(folder / FIGURES, source / FIGURES)
        write_page(source / "index.md", parts)
        build_html(source, folder / HTML, project=project)
    finally:
        shutil.rmtree(source, ignore_errors=True)
