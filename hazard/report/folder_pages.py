"""Pages that a command of `stats` wrote into the run folder, taken over into the report."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hazard.errors import DataError
from hazard.report.page import shown_width
from hazard.report.source import FIGURES, Source

_FIGURE = re.compile(r"^:::\{figure\} figures/([\w.]+)\n(:alt:[^\n]*\n):width: 100%$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class FolderPage:
    """A page of another command.

    Attributes:
        text: MyST text without its title and its stamp, which the report's own page has.
        record: the record of the folder.
    """

    text: str
    record: Mapping[str, Any]


def folder_page(
    source: Source, folder: str, *, page: str, record: str, layout: tuple[str, int]
) -> FolderPage | None:
    """Take over a page and its figures; None where the run has no such folder.

    Args:
        source: of the report.
        folder: name of the folder in the run.
        page: name of its page.
        record: name of its record.
        layout: name and version that the record must carry.

    Raises:
        DataError: a folder of another layout or version, or without its page or a figure.
    """
    there = source.folder / folder
    if not (there / record).is_file():
        return None
    try:
        known = json.loads((there / record).read_text(encoding="utf-8"))
        found = known["layout"], known["layout_version"]
        text = (there / page).read_text(encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(there, found=f"no readable page ({error!r})", expected=page) from None
    if found != layout:
        raise DataError(
            there / record, found=f"layout {found[0]!r}, version {found[1]!r}",
            expected=f"{layout[0]!r}, version {layout[1]}",
        )  # fmt: skip
    return FolderPage(text=_with_figures(_body(text), there, source, folder), record=known)


def _body(text: str) -> str:
    r"""The page without its title and its stamp.

    Example:
        >>> _body("# T\n\n:::{warning}\nSYNTHETIC: no.\n:::\n\nText.\n")
        'Text.\n'
    """
    rest = re.sub(r"\A\s*# [^\n]*\n", "", text)
    return re.sub(r"\A\s*:::\{warning\}\nSYNTHETIC[^\n]*\n:::\n", "", rest).lstrip("\n")


def _with_figures(text: str, there: Path, source: Source, folder: str) -> str:
    """The text with its figures copied to the report, under names of their own."""

    def take(match: re.Match[str]) -> str:
        name = match.group(1)
        own = source.figures / f"{folder}_{name}"
        try:
            shutil.copyfile(there / FIGURES / name, own)
        except OSError:
            raise DataError(
                there, found=f"no figure {name}", expected="those of its page"
            ) from None
        alt = match.group(2)
        return f":::{{figure}} {FIGURES}/{own.name}\n{alt}:width: {shown_width(own)}px"

    return _FIGURE.sub(take, text)
