"""Residual maps, observed minus predicted, and how far neighbours share them (Moran's I)."""

from __future__ import annotations

import numpy as np

from hazard.report.maps_page import MapSet, draw_epoch_maps
from hazard.report.page import Page, absent, sentence, shown
from hazard.report.scores_tables import main_scheme
from hazard.report.source import Source
from stats.command.pages import heading, table

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
    if scheme is None or model is None or (maps is None and moran is None):
        return Page(
            name="residuals", title=title, summary="Not in this run.",
            parts=[absent("Residuals", "the evaluation left none")],
        )  # fmt: skip
    parts = [
        sentence(
            "Observed minus expected area density of held-out forecasts: orange where more "
            "landslide area came than was expected, purple where less."
        ),
        heading(source.scheme_title(scheme), 2),
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
        summary="Where more or less came than was expected, and Moran's I.",
    )  # fmt: skip


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
