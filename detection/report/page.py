"""A page as a record, the parts that every page has, and the build of a set of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stats.command.pages import (
    CONF,
    build_html,
    contents,
    escape,
    figure,
    heading,
    note,
    write_page,
)

FIGURES, STATIC, STYLE = "figures", "static", "detection.css"
CSS_PIXELS_PER_INCH = 96
BANNER = (
    "Nothing on this page was observed. The scenes are rendered to look like satellite images of "
    "landslides; no score here says how well a network maps real ground."
)
_CSS = """\
.bd-page-width { max-width: 110rem !important; }
.bd-main .bd-content .bd-article-container { max-width: 80rem !important; }
.bd-article table { font-size: 0.85rem; }
.bd-article figure img { border: 1px solid #d9d9d9; }
"""


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page.

    Attributes:
        name: of the file, without ending.
        title: heading.
        summary: one sentence for the front page.
        parts: what stands under the heading, as MyST text.
    """

    name: str
    title: str
    summary: str
    parts: Sequence[str]


def paragraph(text: str) -> str:
    r"""A paragraph of plain text: whatever looks like markup is shown as it is.

    Example:
        >>> paragraph("a_b")
        'a\\_b\n'
    """
    return f"{escape(text)}\n"


def bullets(texts: Sequence[str]) -> str:
    r"""A list of plain texts.

    Example:
        >>> bullets(["one", "two"])
        '- one\n- two\n'
    """
    return "".join(f"- {escape(text)}\n" for text in texts)


def absent(what: str, why: str) -> str:
    """What would stand here, and why it does not."""
    return note(f"{what}: {why}.", title="Not in this run")


def shown(file: Path, caption: str, *, synthetic: bool) -> str:
    """A figure at the size that it would have in print, with its caption."""
    from PIL import Image

    with Image.open(file) as image:
        dots_per_inch = float(image.info.get("dpi", (100.0, 100.0))[0])
        width = round(image.width * CSS_PIXELS_PER_INCH / dots_per_inch)
    stamp = "SYNTHETIC. " if synthetic else ""
    text = figure(f"{FIGURES}/{file.name}", f"{stamp}{caption}")
    return text.replace(":width: 100%", f":width: {width}px", 1)


def write_pages(
    target: Path,
    pages: Sequence[Page],
    front: Sequence[str],
    *,
    source: Path,
    title: str,
    name: str,
    synthetic: bool,
) -> Path:
    """Write the pages into `source`, build them, and give the whole the name `target`.

    Args:
        target: folder of the report; an earlier one is replaced when this one is whole.
        pages: in order.
        front: parts of the front page, without title and list of pages.
        source: folder in which the report is made; figures lie in its ``figures`` already.
        title: of the run.
        name: short name of the run, for the bar at the top.
        synthetic: put the banner on every page.

    Returns:
        Path of ``html/index.html``.

    Raises:
        UserError: Sphinx refuses the pages.
    """
    banner = [note(BANNER, kind="danger", title="SYNTHETIC")] if synthetic else []
    for page in pages:
        write_page(source / f"{page.name}.md", [heading(page.title), *banner, *page.parts])
    listed = "".join(f"- [{escape(p.title)}]({p.name}.md): {escape(p.summary)}\n" for p in pages)
    hidden = contents([p.name for p in pages]).replace("depth: 1", "depth: 1\n:hidden:", 1)
    write_page(
        source / "index.md",
        [heading(title), *banner, *front, heading("Pages", 2), listed, hidden],
    )
    stamp = "SYNTHETIC: " if synthetic else ""
    (source / STATIC).mkdir(exist_ok=True)
    (source / STATIC / STYLE).write_text(_CSS, encoding="utf-8")
    settings = (
        f'html_static_path = ["{STATIC}"]\nhtml_css_files = ["{STYLE}"]\n'
        # Every page stands in the bar at the top: the one at the left would be empty.
        'html_sidebars = {"**": []}\n'
        f'html_theme_options["logo"] = {{"text": {name!r}}}\n'
        f'html_theme_options["header_links_before_dropdown"] = {max(len(pages), 1)}\n'
    )
    (source / "conf.py").write_text(
        CONF.format(project=f"{stamp}{title}") + settings, encoding="utf-8"
    )
    build_html(source, source / "html", project=title)
    for script_map in (source / "html" / "_static").rglob("*.map"):
        script_map.unlink()
    if target.exists():
        shutil.rmtree(target)
    source.rename(target)
    return target / "html" / "index.html"


def beside(target: Path) -> Path:
    """A hidden folder next to the final one, to make a report in; emptied where it exists."""
    folder = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / FIGURES).mkdir(parents=True)
    return folder


def interval_text(row: Mapping[str, str | float], name: str, *, signed: bool = False) -> str:
    """A value with its interval, as a cell.

    Example:
        >>> interval_text({"f1": "0.5", "f1_low": "0.41", "f1_high": "0.6"}, "f1")
        '0.500 (0.410 to 0.600)'
        >>> interval_text({"gain": ""}, "gain")
        'not defined'
    """
    value, low, high = (row.get(f"{name}{end}", "") for end in ("", "_low", "_high"))
    if value in ("", None):
        return "not defined"
    sign = "+" if signed else ""
    text = f"{float(value):{sign}.3f}"
    if low in ("", None) or high in ("", None):
        return f"{text} (no interval)"
    return f"{text} ({float(low):{sign}.3f} to {float(high):{sign}.3f})"


def interval_cell(row: Mapping[str, str | float], name: str, *, signed: bool = False) -> str:
    """`interval_text` that a narrow column does not break."""
    return interval_text(row, name, signed=signed).replace(" ", "\u00a0")
