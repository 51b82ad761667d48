"""Data and masks: the study, its epochs, inputs with hashes, layers, and what is absent."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

from hazard.cube.summary import epoch_rows
from hazard.report.page import Page, absent, sentence, shown
from hazard.report.source import Source
from stats.command.pages import escape, heading, table

SHORT_HASH = 12
UNBROKEN_HYPHEN = "\u2011"


def data_page(source: Source) -> Page:
    """What went in."""
    parts = [
        *_study(source),
        heading("Epochs", 2),
        sentence(_target(source)),
        _epochs(source),
        heading("Inputs", 2),
        *_inputs(source),
        heading("Masks, holes and flags", 2),
        *_masks(source),
        heading("Absent predictors", 2),
        *_absent(source),
        heading("Layers inside the study mask", 2),
        *_layers(source),
        heading("Maps of the layers", 2),
        *_layer_maps(source),
    ]
    mapped = int(source.cube.root["mask"].values[0].sum())
    n_epochs = len(source.cube.epochs)
    return Page(
        name="data",
        title="Data and masks",
        parts=parts,
        summary=f"{mapped} mapped cells, {n_epochs} epochs, inputs, masks and layer maps.",
    )


def _study(source: Source) -> list[str]:
    cube = source.cube
    grid = cube.grid
    left, bottom, right, top = grid.bounds
    import json

    event = json.loads(cube.root.attrs["event"])
    magnitude = event.get("magnitude")
    mapped = int(cube.root["mask"].values[0].sum())
    rows = [
        ("study", cube.title),
        ("event", f"{event.get('name', 'not named')}, {event.get('date', 'no date')}"
                  + (f", Mw {magnitude:g}" if magnitude else "")),
        ("coordinate system", grid.crs.to_string()),
        ("extent, easting", f"{left / 1000:.1f} to {right / 1000:.1f} km"),
        ("extent, northing", f"{bottom / 1000:.1f} to {top / 1000:.1f} km"),
        ("mapping unit", f"square cell of {grid.cell_area_m2**0.5:g} m"),
        ("lattice", f"{grid.shape[0]} rows, {grid.shape[1]} columns"),
        ("study mask", f"{mapped} cells, {mapped * grid.cell_area_m2 / 1e6:.0f} km2"),
        ("pixels per cell side", str(cube.pixels_per_cell)),
        ("dates of epochs", cube.epochs[0].dates),
    ]  # fmt: skip
    if source.dated:
        rows.append(("dates of landslides", source.dated))
    return [heading("Study", 2), table(["what", "value"], rows)]


def _target(source: Source) -> str:
    if source.dated:
        return (
            "The target is the area of the landslides that are dated to the epoch, in percent of "
            f"the cell. The date is the {source.dated}: a landslide may have failed at any time "
            "since the image before, and one that no image showed counts nowhere. Without "
            "footprints of the images, ground that no image of the epoch showed passes for ground "
            "without landslides."
        )
    return (
        "The target is the increase of landslide area between consecutive inventories, in "
        "percent of the cell. An increase is no proof of new failure: mapping noise and "
        "seasonal visibility raise it, and recovery in the same cell lowers it."
    )


def _epochs(source: Source) -> str:
    rows = []
    for epoch, row in zip(source.cube.epochs, epoch_rows(source.cube), strict=True):
        images = (
            f"{epoch.image_start} to {epoch.image_end}"
            if epoch.image_start and epoch.image_end
            else "not known"
        )
        share = round(row.positive / row.observed, 3) if row.observed else "-"
        rows.append(
            [epoch.name, _day(epoch.start), _day(epoch.end), epoch.length_days, epoch.season,
             images, epoch.monsoons, row.observed, row.positive, share, float(row.area_km2)]
        )  # fmt: skip
    header = [
        "epoch", "first day", "last day", "days", "season", "images", "monsoons since the event",
        "cells observed", "cells with increase", "share", "area [km2]",
    ]  # fmt: skip
    return table(header, rows)


def _day(day: dt.date) -> str:
    """A date that stays on one line."""
    return str(day).replace("-", UNBROKEN_HYPHEN)


def files_and_hashes(files: str, sha256: str) -> tuple[str, str]:
    """Names of the files of a layer without their folders, and their hashes cut short.

    Example:
        >>> files_and_hashes("a/bands.gpkg, b/stations.xml", "67918e3e22180461,883338230a91acf5")
        ('bands.gpkg, stations.xml', '67918e3e2218, 883338230a91')
        >>> files_and_hashes("", "")
        ('derived', '-')
    """
    names = [Path(file).name for file in files.split(", ") if file]
    hashes = [value[:SHORT_HASH] for value in sha256.split(",") if value]
    return ", ".join(names) or "derived", ", ".join(hashes) or "-"


def _inputs(source: Source) -> list[str]:
    inputs = source.cube.inputs
    if not inputs:
        return [absent("Inputs", "the cube records none")]
    rows = [
        [i["layer"], *files_and_hashes(i["file"], i["sha256"]), i["crs"] or "-", i["resampling"],
         i["unit"], i["source"]]
        for i in inputs
    ]  # fmt: skip
    noted: dict[str, list[str]] = {}
    for i in inputs:
        if i["notes"]:
            noted.setdefault("; ".join(i["notes"]), []).append(i["layer"])
    notes = [f"- **{escape(', '.join(who))}**: {escape(text)}" for text, who in noted.items()]
    return [
        sentence(
            f"SHA-256 is cut to {SHORT_HASH} characters here and whole on the page of provenance. "
            "The configuration has no field for licences: where a source states one, it stands "
            "in the column of the source; else it is not stated."
        ),
        table(
            ["layer", "file", "SHA-256", "coordinates", "resampling", "unit of the file", "source"],
            rows,
        ),
        *(["\n".join(notes) + "\n"] if notes else []),
    ]


def _masks(source: Source) -> list[str]:
    notes = source.summary.get("notes", [])
    if not notes:
        return [absent("Notes on masks", "the cube's summary holds none")]
    rule = (
        "The study mask is decided once; no predictor shrinks it. Holes in predictors inside the "
        "mask are filled by the rule named below, flagged and counted."
    )
    return [sentence(rule), "\n".join(f"- {escape(str(n))}" for n in notes) + "\n"]


def _absent(source: Source) -> list[str]:
    if not source.cube.absent:
        return [sentence("None: every configured predictor could be derived.")]
    return [
        sentence("These could not be derived, and nothing was put in their place:"),
        table(["predictor", "reason"], list(source.cube.absent.items())),
    ]


def _layers(source: Source) -> list[str]:
    layers = source.summary.get("layers", [])
    if not layers:
        return [absent("The table of layers", "there is no summary.json")]
    names = ("layer", "group", "unit", "minimum", "median", "maximum", "missing", "filled",
             "censored", "source")  # fmt: skip
    classes = {
        str(name)
        for group in (source.cube.pixels, source.cube.cells)
        for name, variable in group.data_vars.items()
        if variable.dtype.kind in "iu"
    }
    # A median of codes of classes means nothing.
    blank = {"minimum": "-", "median": "-", "maximum": "-", "unit": "class"}
    shown_rows = [{**row, **blank} if row["layer"] in classes else row for row in layers]
    return [table(names, [[row[name] for name in names] for row in shown_rows])]


def _layer_maps(source: Source) -> list[str]:
    drawn = sorted(
        (source.folder / "figures").glob("cube*.png"), key=lambda p: (len(p.stem), p.stem)
    )
    if not drawn:
        return [absent("Maps of the layers", "the run folder has no figures/cube.png")]
    source.figures.mkdir(parents=True, exist_ok=True)
    copies = [Path(shutil.copyfile(page, source.figures / page.name)) for page in drawn]
    return shown(
        copies,
        "Layers of the cube inside the study mask; grey is outside the mask or not observed. "
        "Observed landslide density comes first, then terrain, shaking and rain.",
        source,
    )
