"""A folder of results that is written whole or not at all, and replaces nothing but its like.

A folder of ours holds a record (a JSON file) that names its layout and lists its files. It is made
beside its name and renamed when everything in it is there; an earlier run of the same layout is
replaced then, and a folder that holds anything else is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stats.command.errors import UsageError


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
