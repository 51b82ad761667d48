"""A page of the report as a record, and the parts that every page has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hazard.report.source import FIGURES, Source
from stats.command.pages import figure, heading, note

CSS_PIXELS_PER_INCH = 96
BANNER = (
    "Nothing on this page was observed. All data come from the embedded world, which is built to "
    "look like a study area; its numbers must not be quoted for any real place."
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page.

    Attributes:
        name: of the file, without ending.
        title: heading.
        parts: what stands under it, as MyST text.
        summary: one sentence for the front page.
    """

    name: str
    title: str
    parts: Sequence[str]
    summary: str


def page_parts(page: Page, source: Source) -> list[str]:
    """Heading, banner where data are synthetic, and the parts of a page."""
    banner = [note(BANNER, kind="danger", title="SYNTHETIC")] if source.synthetic else []
    return [heading(page.title), *banner, *page.parts]


def shown(files: Sequence[Path], caption: str, source: Source) -> list[str]:
    """Figures of a set with one caption, repeated with a number where there are several."""
    stamp = "SYNTHETIC. " if source.synthetic else ""
    parts = []
    for number, file in enumerate(files, start=1):
        page = f" (page {number} of {len(files)})" if len(files) > 1 else ""
        made = figure(f"{FIGURES}/{file.name}", f"{stamp}{caption}{page}")
        parts.append(made.replace(":width: 100%", f":width: {shown_width(file)}px", 1))
    return parts


def shown_width(file: Path) -> int:
    """Width on the page [CSS pixel] at which a figure has the size that it would have in print."""
    from PIL import Image

    with Image.open(file) as image:
        dots_per_inch = float(image.info.get("dpi", (100.0, 100.0))[0])
        return round(image.width * CSS_PIXELS_PER_INCH / dots_per_inch)


def absent(what: str, why: str) -> str:
    """What would stand here, and why it does not."""
    return note(f"{what}: {why}.", kind="note", title="Not in this run")


def sentence(text: str) -> str:
    r"""A paragraph.

    Example:
        >>> sentence("Text.")
        'Text.\n'
    """
    return f"{text}\n"
