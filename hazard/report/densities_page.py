"""Number, area and density of the new landslides of every epoch, where the study has outlines."""

from __future__ import annotations

from hazard.archive.names import DENSITIES_FOLDER
from hazard.report.folder_pages import folder_page
from hazard.report.page import Page, absent, sentence
from hazard.report.source import Source
from stats.command import density_files


def densities_page(source: Source) -> Page:
    """The page of the densities of the inventories."""
    title = "Landslides per epoch"
    section = folder_page(
        source, DENSITIES_FOLDER, page=density_files.PAGE, record=density_files.RECORD,
        layout=(density_files.LAYOUT, density_files.LAYOUT_VERSION),
    )  # fmt: skip
    if section is None:
        return Page(
            name="densities", title=title, summary="Not in this run.",
            parts=[
                absent(
                    "Densities of landslides", "the study has no outlines (a ready raster of "
                    "densities has none), or fit.densities is null",
                )
            ],
        )  # fmt: skip
    return Page(
        name="densities", title=title,
        parts=[
            sentence(
                "Landslides that are new in each epoch: by their dates, or, of cumulative "
                "inventories, those that share no ground with any landslide of the inventory "
                "before. The targets of the models hold more: ground by which older landslides "
                "grew. Tables and maps for a GIS lie in `densities/` of the run folder."
            ),
            section.text,
        ],
        summary="How many new landslides, how large, where they crowd, and what changed.",
    )  # fmt: skip
