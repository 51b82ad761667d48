"""Five classes of susceptibility and hazard: their area, and the landslides they hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hazard.report.chosen import epochs_in
from hazard.report.page import absent, sentence
from hazard.report.scores_tables import main_scheme
from hazard.report.source import Source
from stats.command.pages import heading, table

if TYPE_CHECKING:
    import pandas as pd

UNITS = {"susceptibility": "probability [-]", "hazard": "expected density [% per epoch]"}


def class_parts(source: Source) -> list[str]:
    """Tables of the classes of the model of the report, held out, epoch by epoch."""
    scheme, model = main_scheme(source), source.subject
    rows = source.evaluation.rows("classes")
    if rows is None or scheme is None or model is None:
        return [absent("Classes", "the evaluation left none")]
    rows = rows[(rows["scheme"] == scheme) & (rows["model"] == model)]
    if rows.empty:
        return [absent("Classes", f"{source.model_label(model)} has none under this scheme")]
    parts = [
        sentence(
            f"Held-out forecasts, {source.scheme_title(scheme)}. The ratio is the share of "
            "landslide area over the share of area: 1 is what chance gives."
        )
    ]
    for quantity in ("hazard", "susceptibility"):
        at = rows[rows["quantity"] == quantity]
        for epoch in epochs_in(source, at):
            parts += [
                heading(f"Classes of {quantity}: {epoch}", 3),
                _table(at[at["epoch"] == epoch], quantity),
            ]
    return parts


def _table(rows: pd.DataFrame, quantity: str) -> str:
    header = [
        "class", UNITS[quantity], "cells", "share of area [%]", "share of landslide cells [%]",
        "share of landslide area [%]", "ratio",
    ]  # fmt: skip
    made = []
    for _, r in rows.sort_values("class_number").iterrows():
        upper = float(r["upper"])
        limits = f"{r['lower']:g} to {upper:g}" if math.isfinite(upper) else f"above {r['lower']:g}"
        made.append(
            [str(r["class_name"]), limits, int(r["cells"]),
             *(_percent(float(r[name])) for name in
               ("area_share", "landslide_cell_share", "landslide_area_share")),
             "-" if math.isnan(float(r["ratio"])) else round(float(r["ratio"]), 2)]
        )  # fmt: skip
    return table(header, made)


def _percent(share: float) -> float | str:
    return "-" if math.isnan(share) else round(100 * share, 1)
