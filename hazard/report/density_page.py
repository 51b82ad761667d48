"""Observed against predicted density, totals, and density against susceptibility per epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from hazard.report.chosen import curve_models, epochs_in
from hazard.report.detection_error import scored_lines
from hazard.report.page import Page, absent, sentence, shown
from hazard.report.scores_tables import main_scheme
from hazard.report.source import Source
from stats.command.pages import heading
from stats.command.plots_bars import draw_totals
from stats.command.plots_histograms import HistogramPanel, draw_histogram_pages

Array = np.ndarray[Any, np.dtype[Any]]
DENSITY_EDGES = np.geomspace(1e-3, 100.0, 41)
FEWEST_IN_COLUMN = 20


def density_page(source: Source) -> Page:
    """Everything about amounts."""
    title = "Density"
    scheme, model = main_scheme(source), source.subject
    if scheme is None or model is None:
        return Page(
            name="density", title=title, summary="Not in this run.",
            parts=[absent("Density", "no scheme of held-out data was scored")],
        )  # fmt: skip
    parts = [
        *scored_lines(source),
        heading("Observed against expected density", 2),
        *_scatter(source, scheme, model),
        heading("Total landslide area", 2),
        *_totals(source, scheme),
        heading("Density against susceptibility: the legacy of the earthquake", 2),
        sentence(
            "Upper figure: what the model says, mean density given presence against probability, "
            "all tested cells. Lower figure: observed density of the cells with landslides against "
            "the probability that was forecast. Where the legacy of the earthquake decays, the "
            "cloud moves to lower density and lower susceptibility from epoch to epoch."
        ),
        *_legacy(source, scheme, model),
    ]
    return Page(
        name="density", title=title, parts=parts,
        summary="Observed against expected density, total areas, density against susceptibility.",
    )  # fmt: skip


def _scatter(source: Source, scheme: str, model: str) -> list[str]:
    predictions = source.predictions
    if predictions is None or not predictions.has(scheme, model):
        return [absent("The figure", "there are no held-out predictions")]
    expected = predictions.recorded_percent(scheme, model)
    usable = predictions.observed & predictions.mask & np.isfinite(expected)
    panels = []
    for index, name in enumerate(source.epoch_names):
        seen = usable[index]
        if not seen.any():
            continue
        density, forecast = predictions.area_density[index][seen], expected[index][seen]
        positive = density > 0
        low, high = DENSITY_EDGES[0], DENSITY_EDGES[-1]
        counts = np.histogram2d(
            np.clip(forecast[positive], low, high), np.clip(density[positive], low, high),
            bins=(DENSITY_EDGES, DENSITY_EDGES),
        )[0]  # fmt: skip
        line_x, line_y = column_means(forecast, density)
        # A logarithmic axis has no place for 0: the lower edge stands for it and below.
        line_y = np.maximum(line_y, low)
        panels.append(
            HistogramPanel(
                title=name, counts=counts, x_edges=DENSITY_EDGES, y_edges=DENSITY_EDGES,
                line_x=line_x, line_y=line_y,
                note=f"n = {seen.sum()}, of which {positive.sum()} with increase",
            )
        )  # fmt: skip
    files = draw_histogram_pages(
        panels, source.figures / f"density_{scheme}.png",
        title=f"Observed against expected density, {source.scheme_label(scheme)}",
        x_label="expected density [% of the cell per epoch]",
        y_label="observed density [% of the cell]", diagonal=True,
        line_label="mean observed density of all cells in the bin, zeros included",
        synthetic=source.synthetic, dpi=source.dpi,
    )  # fmt: skip
    return shown(
        files,
        f"Cells with an increase, {source.model_label(model)}, by expected and observed density "
        "(colours: number of cells; values below 0.001 % stand in the first bin). The line is the "
        "mean of all cells, zeros included: on the diagonal the expected density is right on "
        "average; a mean of 0.001 % or less lies on the lower edge. Single cells scatter by a "
        "factor of ten and more.",
        source,
    )


def column_means(forecast: Array, density: Array) -> tuple[Array, Array]:
    """Mean forecast and mean observation by bins of the forecast that hold enough cells.

    Example:
        >>> x, y = column_means(np.full(30, 0.5), np.full(30, 0.25))
        >>> x.tolist(), y.tolist()
        ([0.5], [0.25])
    """
    edges = np.geomspace(DENSITY_EDGES[0], DENSITY_EDGES[-1], 16)
    member = np.digitize(np.clip(forecast, edges[0], edges[-1] * 0.999), edges) - 1
    count = np.bincount(member, minlength=15)
    enough = count >= FEWEST_IN_COLUMN
    divisor = np.maximum(count, 1)
    x = np.bincount(member, weights=forecast, minlength=15) / divisor
    y = np.bincount(member, weights=density, minlength=15) / divisor
    return x[enough], y[enough]


def _totals(source: Source, scheme: str) -> list[str]:
    rows = source.evaluation.rows("totals", scheme=scheme)
    if rows is None or rows.empty:
        return [absent("Total areas", "the evaluation left none")]
    models = curve_models(source, [str(m) for m in dict.fromkeys(rows["model"])])
    epochs = epochs_in(source, rows)

    def column(model: str, name: str) -> Array:
        at = rows[rows["model"] == model].set_index("epoch")[name]
        return np.array([float(at.get(epoch, np.nan)) for epoch in epochs])

    titles = {model: source.model_label(model) for model in models}
    file = draw_totals(
        source.figures / f"totals_{scheme}.png",
        title=f"Total landslide area, {source.scheme_label(scheme)}",
        groups=epochs,
        observed=column(models[0], "observed_km2"),
        predicted={titles[m]: column(m, "predicted_km2") for m in models},
        low={titles[m]: column(m, "predicted_low_km2") for m in models},
        high={titles[m]: column(m, "predicted_high_km2") for m in models},
        unit="landslide area [km$^2$ per epoch]",
        synthetic=source.synthetic,
        dpi=source.dpi,
    )
    return shown(
        [file],
        "Landslide area of the tested cells, observed (bars) and expected (markers) with "
        "spatial-block intervals.",
        source,
    )


def _legacy(source: Source, scheme: str, model: str) -> list[str]:
    stored = source.evaluation.density_susceptibility()
    if stored is None:
        return [absent("The figures", "the evaluation left no counts")]
    schemes, models = list(stored["schemes"]), list(stored["models"])
    if scheme not in schemes or model not in models:
        return [absent("The figures", "this model was not tested under this scheme")]
    at = schemes.index(scheme), models.index(model)
    parts: list[str] = []
    for name, title, label in (
        ("expected_counts", "Density given presence against susceptibility",
         "density given presence [% of the cell]"),
        ("observed_counts", "Observed density against susceptibility",
         "observed density [% of the cell]"),
    ):  # fmt: skip
        panels = [
            HistogramPanel(
                title=str(epoch), counts=counts.T, x_edges=stored["susceptibility_edges"],
                y_edges=stored["density_edges_percent"], note=f"n = {int(counts.sum())}",
            )
            for epoch, counts in zip(stored["epochs"], stored[name][at], strict=True)
            if counts.sum() > 0
        ]  # fmt: skip
        if not panels:
            parts.append(absent(title, "no cell was tested"))
            continue
        files = draw_histogram_pages(
            panels, source.figures / f"legacy_{name}_{scheme}.png",
            title=f"{title}, {source.scheme_label(scheme)}", x_label="susceptibility [-]",
            y_label=label, x_scale="linear", synthetic=source.synthetic, dpi=source.dpi,
        )  # fmt: skip
        parts += shown(files, f"{title}, {source.model_label(model)}, epoch by epoch.", source)
    return parts
