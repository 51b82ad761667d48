"""The report of a chain: figures, pages and HTML from its run folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from detection.report.chain_pages import (
    data_page,
    maps_page,
    model_page,
    provenance_page,
    trainings_page,
)
from detection.report.chain_scores import designs_page, matrix_page, transfer_page
from detection.report.chain_source import ChainSource, open_chain
from detection.report.chain_words import front_parts
from detection.report.page import Page, beside, write_pages
from detection.report.papers import CHAIN, paper_parts

REPORT = "report"
PAGES: Sequence[Callable[[ChainSource], Page]] = (
    matrix_page,
    transfer_page,
    designs_page,
    maps_page,
    trainings_page,
    data_page,
    model_page,
    provenance_page,
)
STEPS = len(PAGES) + 1
"""Pieces of work that `write_chain_report` tells its progress of."""


def write_chain_report(run: Path, progress: Callable[[int], None] | None = None) -> Path:
    """Draw the figures and build the pages of a finished chain; nothing is computed anew.

    The report is made beside and replaces an earlier one only when its HTML is complete.

    Args:
        run: run folder of ``python -m detection.chain``.
        progress: called with 1 for each of `STEPS` pieces of work.

    Returns:
        Path of ``report/html/index.html``.

    Raises:
        DataError: no finished chain there.
        UserError: Sphinx refuses the pages.
    """
    target = run / REPORT
    folder = beside(target)
    try:
        source = open_chain(run, folder)
        pages = []
        for make in PAGES:
            pages.append(make(source))
            if progress is not None:
                progress(1)
        names = [page.name for page in pages]
        papers = Page(
            name="papers", title="The papers' tables", parts=paper_parts(CHAIN, names),
            summary="Which tables and figures of the studies are here, and which cannot be.",
        )  # fmt: skip
        pages.insert(-1, papers)
        index = write_pages(
            target, pages, front_parts(source), source=folder, title=str(source.record["title"]),
            name=str(source.record["name"]), synthetic=source.synthetic,
        )  # fmt: skip
        if progress is not None:
            progress(1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return index
