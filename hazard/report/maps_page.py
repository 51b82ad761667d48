"""Maps per epoch: susceptibility, area density, hazard, and the spread over the members."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hazard.archive.names import FINAL_SCHEME
from hazard.archive.predictions import Predictions
from hazard.report.detection_error import mapped_lines
from hazard.report.page import Page, absent, sentence, shown
from hazard.report.source import Source
from stats.command.map_panels import MapPanel, PanelKind, colour_limits, draw_map_pages
from stats.command.pages import escape, heading

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class MapSet:
    """One quantity in all epochs."""

    quantity: str
    title: str
    unit: str
    kind: PanelKind
    limits: tuple[float, float] | None = None


QUANTITIES = (
    MapSet(quantity="probability", title="Susceptibility", unit="probability",
           kind="sequential"),
    MapSet(quantity="mean_percent", title="Area density where there are landslides",
           unit="% of the cell", kind="log"),
    MapSet(quantity="expected", title="Hazard: expected area density",
           unit="% of the cell per epoch", kind="log"),
)  # fmt: skip
SPREADS = (
    MapSet(quantity="probability_spread", title="Spread of susceptibility over the members",
           unit="standard deviation", kind="sequential"),
    MapSet(quantity="mean_percent_spread", title="Spread of area density over the members",
           unit="standard deviation, % of the cell", kind="sequential"),
    MapSet(quantity="expected_spread", title="Spread of hazard over the members",
           unit="standard deviation, % of the cell", kind="sequential"),
    MapSet(quantity="disagreement", title="Disagreement of the members", unit="share of pairs",
           kind="sequential"),
)  # fmt: skip


def maps_page(source: Source) -> Page:
    """Maps of the model that the report is about."""
    predictions, model = source.predictions, source.subject
    title = "Maps per epoch"
    if predictions is None or model is None:
        return Page(
            name="maps", title=title, summary="Not in this run.",
            parts=[absent("Maps", "there are no predictions")],
        )  # fmt: skip
    name = escape(source.model_label(model))
    parts = [
        sentence(
            f"Model: {name}. Susceptibility is the probability that a cell shows an increase of "
            "landslide area in the epoch; area density is the mean density given that it does; "
            "**hazard is their product, the expected density in percent of the cell per epoch, "
            "and not a probability**. Epochs differ in length (see the data page)."
        ),
        *mapped_lines(source, model),
        sentence(
            f"Coordinates are easting and northing in {escape(source.cube.grid.crs.to_string())}; "
            "north is up. Cells outside the study mask are grey. The same maps as files for a GIS "
            "lie in `maps/` of the run folder."
        ),
    ]
    budget = source.config.fit.report.maximum_maps if source.config is not None else 64
    held_out = next((s for s in _held_out_order(source) if predictions.has(s, model)), None)
    sections: list[tuple[str, str, tuple[MapSet, ...]]] = []
    if FINAL_SCHEME in source.schemes and predictions.has(FINAL_SCHEME, model):
        sections.append((FINAL_SCHEME, "Final model (in-sample)", QUANTITIES))
    if held_out is not None:
        scheme_title = source.scheme_title(held_out)
        sections.append((held_out, f"Held out: {scheme_title}", QUANTITIES))
    spread_scheme = sections[0][0] if sections else None
    if spread_scheme is not None:
        sections.append((spread_scheme, "Spread over the members", SPREADS))
    if not sections:
        parts.append(absent("Maps", f"{name} predicted nothing under any scheme"))
    for scheme, section_title, sets in sections:
        parts += [heading(section_title, 2), sentence(_explained(source, scheme))]
        drawn, budget = _draw_sets(source, predictions, scheme, model, sets, budget)
        parts += drawn
    return Page(
        name="maps",
        title=title,
        parts=parts,
        summary="Susceptibility, area density and hazard of every epoch, and their spread.",
    )


def _held_out_order(source: Source) -> list[str]:
    wanted = source.config.fit.maps.held_out_scheme if source.config is not None else ""
    return sorted(source.held_out_schemes, key=lambda name: name != wanted)


def _explained(source: Source, scheme: str) -> str:
    record = source.schemes[scheme]
    if record.in_sample:
        return (
            "This model was fitted on all observed cells: these maps are for use, and say nothing "
            "about skill."
        )
    return (
        f"Each cell and epoch comes from the fold that tests it (unit: {escape(record.unit)}); "
        "what no fold tests is grey. Steps between neighbouring cells are borders of folds: other "
        "cells trained the model there, and a field of one value is a model that found nothing "
        "better than a constant."
    )


def _draw_sets(
    source: Source,
    predictions: Predictions,
    scheme: str,
    model: str,
    sets: tuple[MapSet, ...],
    budget: int,
) -> tuple[list[str], int]:
    parts: list[str] = []
    for wanted in sets:
        values = (
            predictions.expected_percent(scheme, model)
            if wanted.quantity == "expected"
            else predictions.field(wanted.quantity, scheme, model)
        )
        values = np.where(predictions.mask, values, np.nan)
        epochs = [i for i in range(values.shape[0]) if np.isfinite(values[i]).any()]
        if not epochs:
            why = "there is one member only" if "spread" in wanted.title.lower() else "not stored"
            parts.append(absent(wanted.title, why))
            continue
        if len(epochs) > budget:
            parts.append(
                absent(
                    wanted.title,
                    f"{len(epochs)} maps would exceed fit.report.maximum_maps; see maps/ of the "
                    "run folder",
                )
            )
            continue
        budget -= len(epochs)
        files = draw_epoch_maps(
            source,
            {i: values[i] for i in epochs},
            source.figures / f"map_{scheme}_{wanted.quantity}.png",
            title=f"{wanted.title}, {source.scheme_label(scheme)}",
            wanted=wanted,
        )
        caption = (
            f"{wanted.title} [{wanted.unit}], {source.model_label(model)}, "
            f"{source.scheme_title(scheme)}. One colour scale for all epochs"
            + (", logarithmic; the palest tone is zero" if wanted.kind == "log" else "")
            + "."
            + _coarse(source, scheme, model, wanted)
        )
        parts += shown(files, caption, source)
    return parts, budget


def _coarse(source: Source, scheme: str, model: str, wanted: MapSet) -> str:
    """That the disagreement of few members takes few values; empty for everything else."""
    members = source.models[model].members.get(scheme, 0)
    if wanted.quantity != "disagreement" or not 1 < members < 6:
        return ""
    pairs = members * (members - 1) // 2
    shares = sorted({k * (members - k) / pairs for k in range(members + 1)})
    listed = ", ".join(f"{share:.2g}" for share in shares)
    return f" {members} members can only disagree in these shares of pairs: {listed}."


def upper_limit(values: Array) -> float:
    """Upper end of a scale that starts at 0: the 99.5 percent value, to one significant digit.

    Example:
        >>> upper_limit(np.array([0.02, 0.31])), upper_limit(np.array([0.0, np.nan]))
        (0.4, 1.0)
    """
    finite = values[np.isfinite(values)]
    reached = float(np.percentile(finite, 99.5)) if finite.size else 0.0
    if reached <= 0.0:
        return 1.0
    step = 10.0 ** np.floor(np.log10(reached))
    return float(round(np.ceil(reached / step - 1e-9) * step, 12))


def draw_epoch_maps(
    source: Source,
    values: dict[int, Array],
    path: Path,
    *,
    title: str,
    wanted: MapSet,
    notes: tuple[str, ...] = (),
    subtitles: dict[int, str] | None = None,
    labels: dict[int, str] | None = None,
    colours: dict[int, str] | None = None,
) -> list[Path]:
    """Draw one quantity of several epochs with one colour scale.

    Args:
        source: of grid, epoch names, resolution and stamp.
        values: (y, x) by the number of the epoch.
        path: PNG file of the first page.
        title: of the pages.
        wanted: quantity, unit, kind and limits.
        notes: lines under the last page.
        subtitles: second line of a panel's title, by epoch.
        labels: names of the codes of classes.
        colours: colours of the codes of classes.
    """
    upper = source.config.fit.maps.colour_limits_percent if source.config is not None else None
    limits = wanted.limits
    if limits is None and wanted.kind != "classes":
        stack = np.stack(list(values.values()))
        limits = colour_limits(stack, wanted.kind)
        if wanted.kind == "sequential":
            # From zero to what is reached: rare events never come near a probability of 1.
            limits = (0.0, upper_limit(stack))
        if wanted.kind == "log" and upper is not None:
            limits = (min(limits[0], upper / 1000), upper)
    extra = subtitles or {}
    panels = [
        MapPanel(
            values=array,
            extent_m=source.cube.grid.bounds,
            title=source.epoch_names[index] + (f"\n{extra[index]}" if index in extra else ""),
            unit=wanted.unit,
            kind=wanted.kind,
            limits=limits,
            labels=labels,
            class_colours=colours,
        )
        for index, array in values.items()
    ]
    return draw_map_pages(
        panels, path, title=title, synthetic=source.synthetic, notes=notes, dpi=source.dpi
    )
