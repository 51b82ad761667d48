"""Write the report of a run folder: figures, MyST pages, HTML."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hazard.archive.names import REPORT_FOLDER, REPORT_INDEX
from hazard.report.association_page import association_page
from hazard.report.confusion_page import confusion_page
from hazard.report.curves_page import curves_page
from hazard.report.data_page import data_page
from hazard.report.densities_page import densities_page
from hazard.report.density_page import density_page
from hazard.report.leaks_page import leaks_page
from hazard.report.maps_page import maps_page
from hazard.report.page import Page, page_parts, sentence
from hazard.report.provenance_page import provenance_page
from hazard.report.residuals_page import residuals_page
from hazard.report.scores_page import scores_page
from hazard.report.scores_tables import scheme_pages
from hazard.report.source import FIGURES, Source, open_source
from hazard.report.standards_page import standards_page
from hazard.report.verdict import verdict_parts
from stats.command.pages import (
    CONF,
    build_html,
    contents,
    escape,
    heading,
    note,
    write_page,
)

if TYPE_CHECKING:
    from hazard.config.schema import HazardConfig

Progress = Callable[[int], None]
PAGES: Sequence[Callable[[Source], Page]] = (
    data_page,
    maps_page,
    scores_page,
    curves_page,
    confusion_page,
    residuals_page,
    density_page,
    densities_page,
    association_page,
    leaks_page,
    standards_page,
    provenance_page,
)
STATIC = "static"
WIDE = """\
.bd-page-width { max-width: 110rem !important; }
.bd-main .bd-content .bd-article-container { max-width: 82rem !important; }
.bd-article table { font-size: 0.85rem; }
.bd-article figure img { border: 1px solid #d9d9d9; }
"""
STEPS = len(PAGES) + 2
"""Pieces of work that `write_report` tells its progress of."""


def write_report(
    run_folder: Path, config: HazardConfig | None = None, progress: Progress | None = None
) -> Path:
    """Draw the figures and build the pages of a run; nothing is computed anew.

    The report is made beside and replaces an earlier one only when its HTML is complete. What the
    run folder lacks is named on the page where it belongs and on the front page.

    Args:
        run_folder: a run folder with a cube.
        config: its configuration; absent: pages say "not stated" where it would answer.
        progress: called with 1 for each of `STEPS` pieces of work.

    Returns:
        Path of ``report/html/index.html``.

    Raises:
        DataError: no cube, or a part of the run that is there and cannot be read.
        UserError: Sphinx refuses the pages.
    """
    beside = run_folder / f".{REPORT_FOLDER}.{os.getpid()}.part"
    target = run_folder / REPORT_FOLDER
    tell = progress if progress is not None else _ignore
    try:
        source = open_source(run_folder, config, report=beside)
        source.figures.mkdir(parents=True, exist_ok=True)
        pages: list[Page] = []
        for make in PAGES:
            pages.append(make(source))
            tell(1)
        details = scheme_pages(source)
        for page in (*pages, *details):
            parts = page_parts(page, source)
            if page.name == "scores" and details:
                listed = contents([detail.name for detail in details])
                parts += [heading("Tables of the other schemes", 2), listed]
            write_page(beside / f"{page.name}.md", parts)
        write_page(beside / "index.md", front_page(source, pages))
        tell(1)
        title = source.cube.title
        stamp = "SYNTHETIC: " if source.synthetic and "SYNTHETIC" not in title else ""
        project = f"{stamp}{title}"
        _write_style(beside, project, name=source.cube.name)
        build_html(beside, beside / "html", project=project)
        _slim(beside)
        tell(1)
        if target.exists():
            shutil.rmtree(target)
        beside.rename(target)
    finally:
        if beside.exists():
            shutil.rmtree(beside)
    return run_folder / REPORT_INDEX


def _write_style(folder: Path, project: str, *, name: str) -> None:
    """``conf.py`` with a wide page: tables of scores have many columns."""
    style = f'html_static_path = ["{STATIC}"]\nhtml_css_files = ["wide.css"]\n'
    # The bar on the left would be empty: every page stands in the head.
    style += 'html_sidebars = {"**": []}\n'
    # A long title would run over the names of the pages.
    style += f'html_theme_options["logo"] = {{"text": {name!r}}}\n'
    (folder / STATIC).mkdir()
    (folder / STATIC / "wide.css").write_text(WIDE, encoding="utf-8")
    (folder / "conf.py").write_text(CONF.format(project=project) + style, encoding="utf-8")


def _slim(report: Path) -> None:
    """Leave out maps of scripts, and store each figure once: pages and sources share it."""
    for script_map in (report / "html" / "_static").rglob("*.map"):
        script_map.unlink()
    for image in (report / "html" / "_images").glob("*.png"):
        figure = report / FIGURES / image.name
        if figure.is_file() and figure.stat().st_size == image.stat().st_size:
            image.unlink()
            try:
                os.link(figure, image)
            except OSError:
                # A file system without hard links holds it twice.
                shutil.copyfile(figure, image)


def front_page(source: Source, pages: Sequence[Page]) -> list[str]:
    """Title, what the run says in plain words, the list of pages, and what is missing."""
    front = Page(
        name="index",
        title=source.cube.title,
        summary="",
        parts=[
            sentence(
                "What this run shows, in plain words; the pages below hold the evidence. "
                + source.trigger_text
            ),
            heading("In short", 2),
            *verdict_parts(source),
            heading("Pages", 2),
            "\n".join(f"- [{escape(p.title)}]({p.name}.md): {escape(p.summary)}" for p in pages)
            + "\n",
            contents([page.name for page in pages]).replace("depth: 1", "depth: 1\n:hidden:", 1),
            *_missing(source),
        ],
    )
    return page_parts(front, source)


def _missing(source: Source) -> list[str]:
    if not source.missing:
        return []
    listed = "; ".join(f"{name} ({effect})" for name, effect in source.missing.items())
    return [note(f"Not in this run: {listed}.", kind="warning", title="Missing parts")]


def publish(run_folder: Path, docs_folder: Path, *, name: str | None = None) -> Path:
    """Copy the pages and figures of a report into the project's documentation.

    Args:
        run_folder: a run folder with a report.
        docs_folder: the folder of the documentation's ``conf.py``.
        name: of the folder under ``reports``; absent: the name of the run folder.

    Returns:
        The folder of the published pages.

    Raises:
        DataError: no report to publish.
    """
    from hazard.errors import DataError

    report = run_folder / REPORT_FOLDER
    if not (report / "index.md").is_file():
        raise DataError(run_folder, found="no report/index.md", expected="a run with its report")
    reports = docs_folder / "reports"
    target = reports / (name or run_folder.resolve().name)
    beside = reports / f".{target.name}.{os.getpid()}.part"
    try:
        shutil.copytree(report, beside, ignore=shutil.ignore_patterns("html", "conf.py", STATIC))
        if target.exists():
            shutil.rmtree(target)
        beside.rename(target)
    finally:
        if beside.exists():
            shutil.rmtree(beside)
    write_page(reports / "index.md", reports_index(reports))
    return target


def reports_index(reports: Path) -> list[str]:
    """The page that lists the published reports."""
    names = sorted(p.parent.name for p in reports.glob("*/index.md"))
    intro = (
        "Reports that were copied here by `python -m hazard.fit CONFIG --publish`. Each is the "
        "report of one run as it was; its page of provenance says what made it."
    )
    if not names:
        return [heading("Reports"), sentence(intro), sentence("None is published yet.")]
    return [
        heading("Reports"),
        sentence(intro),
        "\n".join(f"- [{escape(n)}]({n}/index.md)" for n in names) + "\n",
        contents([f"{n}/index" for n in names]),
    ]


def _ignore(pieces: int = 1) -> None:
    del pieces
