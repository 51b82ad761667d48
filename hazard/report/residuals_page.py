"""Residual maps, Moran's I, and the residual section of the forecast that the report is about."""

from __future__ import annotations

import numpy as np

from hazard.archive.names import RESIDUALS_FOLDER
from hazard.report.folder_pages import FolderPage, folder_page
from hazard.report.maps_page import MapSet, draw_epoch_maps
from hazard.report.page import Page, absent, sentence, shown
from hazard.report.scores_tables import main_scheme
from hazard.report.source import Source
from stats.command import residuals_run
from stats.command.pages import escape, heading, table

RESIDUAL = MapSet(
    quantity="residual", title="Observed - predicted area density", unit="% of the cell",
    kind="diverging",
)  # fmt: skip
KINDS = {
    "presence": "presence, observed - probability",
    "presence_standardised": "presence, divided by its standard deviation",
    "density_percent": "density [%], observed - expected",
}


def residuals_page(source: Source) -> Page:
    """Residuals of the model of the report under the main scheme."""
    title = "Residuals"
    scheme, model = main_scheme(source), source.subject
    maps = source.evaluation.maps(scheme) if scheme is not None else None
    moran = source.evaluation.rows("moran")
    section = folder_page(
        source, RESIDUALS_FOLDER, page=residuals_run.PAGE, record=residuals_run.RECORD,
        layout=(residuals_run.LAYOUT, residuals_run.LAYOUT_VERSION),
    )  # fmt: skip
    if scheme is None or model is None or (maps is None and moran is None and section is None):
        return Page(
            name="residuals", title=title, summary="Not in this run.",
            parts=[absent("Residuals", "the evaluation left none")],
        )  # fmt: skip
    parts = [
        *_section_parts(source, section),
        heading("Maps of observed minus expected density", 2),
        sentence(
            "Observed minus expected area density of held-out forecasts: orange where more "
            "landslide area came than was expected, purple where less."
        ),
        sentence(f"Data were held out by {source.scheme_title(scheme)}."),
    ]
    if maps is not None and model in list(maps["models"]):
        residual = maps["residual_percent"][list(maps["models"]).index(model)]
        values = {
            index: residual[index].astype(np.float64)
            for index in range(residual.shape[0])
            if np.isfinite(residual[index]).any()
        }
        files = draw_epoch_maps(
            source, values, source.figures / f"residual_{scheme}.png",
            title=f"Observed - predicted, {source.scheme_label(scheme)}", wanted=RESIDUAL,
        )  # fmt: skip
        parts += shown(
            files,
            "Observed minus expected area density [percent of the cell], "
            f"{source.model_label(model)}. One scale for all epochs, symmetric about zero, cut at "
            "the 2 and 98 percent values (pointed ends of the bar). Grey was not tested.",
            source,
        )
    else:
        parts.append(absent("Maps", f"{source.model_label(model)} was not tested"))
    parts += [heading("Do neighbours share their residuals?", 2), *_moran(source, scheme)]
    return Page(
        name="residuals", title=title, parts=parts,
        summary=(
            "What the forecast leaves unexplained, in plain words; calibration, dependence between "
            "neighbours and on predictors; where more or less came than was expected."
        ),
    )  # fmt: skip


def _section_parts(source: Source, section: FolderPage | None) -> list[str]:
    if section is None:
        return [
            absent(
                "The residual section", "fit.residuals is null, or the forecasts do not give one "
                "(log.jsonl has the reason)",
            )
        ]  # fmt: skip
    settings = section.record["settings"]
    against = section.record.get("best")
    return [
        sentence(
            f"The forecast of {escape(source.model_label(str(settings['model'])))}, "
            f"{escape(source.scheme_label(str(settings['scheme'])))}"
            + (f"; of the references the best by log score is "
               f"{escape(source.model_label(str(against)))}" if against else "")
            + ". Tables of everything lie in `residuals/` of the run folder."
        ),
        section.text,
    ]  # fmt: skip


def _moran(source: Source, scheme: str) -> list[str]:
    rows = source.evaluation.rows("moran", scheme=scheme)
    if rows is None or rows.empty:
        return [absent("Moran's I", "the evaluation has none under this scheme")]
    made = [
        [r["epoch"], source.model_label(str(r["model"])),
         KINDS.get(str(r["residual"]), str(r["residual"])),
         "-" if np.isnan(r["moran"]) else f"{r['moran']:.3f}",
         "-" if np.isnan(r["z"]) else f"{r['z']:.1f}", int(r["n"])]
        for _, r in rows.iterrows()
    ]  # fmt: skip
    return [
        sentence(
            "Moran's I between neighbours that share an edge, against random labelling of the "
            "tested cells; 0 is no pattern, and z above about 2 is a pattern that chance does not "
            "make. A pattern means that something that varies in space is missing from the model, "
            "or that mapping differed from place to place."
        ),
        table(["epoch", "model", "residual", "Moran's I", "z", "n"], made),
    ]
