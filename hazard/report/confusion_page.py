"""Maps of hits, misses, false alarms and correct rejections, with their counts."""

from __future__ import annotations

import numpy as np

from hazard.report.maps_page import MapSet, draw_epoch_maps
from hazard.report.page import Page, absent, sentence, shown
from hazard.report.scores_tables import main_scheme
from hazard.report.source import Source
from stats.command.pages import heading, table

LABELS = {1: "TP: hit", 2: "TN: correct\nrejection", 3: "FP: false\nalarm", 4: "FN: miss"}
# Hits and misses catch the eye; correct rejections, which are most cells, stay pale.
COLOURS = {1: "#0072B2", 2: "#f2f0e6", 3: "#E69F00", 4: "#a50026"}
CONFUSION = MapSet(quantity="confusion", title="Confusion", unit="1", kind="classes")
COUNTS = ("true_positive", "true_negative", "false_positive", "false_negative")


def confusion_page(source: Source) -> Page:
    """Confusion of the model of the report under the main scheme, and counts of all models."""
    title = "Confusion maps"
    scheme, model = main_scheme(source), source.subject
    maps = source.evaluation.maps(scheme) if scheme is not None else None
    counts = source.evaluation.rows("confusion")
    if scheme is None or model is None or (maps is None and counts is None):
        return Page(
            name="confusion", title=title, summary="Not in this run.",
            parts=[absent("Confusion maps", "the evaluation left none")],
        )  # fmt: skip
    parts = [
        sentence(
            "Presence is any increase of landslide area; the alarm threshold maximises F1 and was "
            "chosen without the cells that are judged. Where no such threshold exists, as in the "
            "first test epoch of a scheme, the cells are grey and the table says why."
        ),
        heading(source.scheme_title(scheme), 2),
    ]
    if maps is not None and model in list(maps["models"]):
        codes = maps["confusion"][list(maps["models"]).index(model)]
        parts += _maps(source, scheme, codes.astype(np.float64))
    else:
        parts.append(absent("Maps", f"{source.model_label(model)} was not tested"))
    if counts is not None:
        rows = counts[counts["scheme"] == scheme]
        parts += [
            heading("Counts", 2),
            table(
                ["epoch", "model", "TP", "TN", "FP", "FN", "threshold", "where it comes from"],
                [
                    [r["epoch"], source.model_label(str(r["model"])),
                     *(int(r[name]) for name in COUNTS),
                     "-" if np.isnan(r["threshold"]) else f"{r['threshold']:.3f}",
                     str(r.get("note") or "-")]
                    for _, r in rows.iterrows()
                ],
            ),
        ]  # fmt: skip
    return Page(
        name="confusion", title=title, parts=parts,
        summary="Where the alarms were right and wrong, with counts.",
    )  # fmt: skip


def _maps(source: Source, scheme: str, codes: np.ndarray) -> list[str]:
    values, subtitles = {}, {}
    for index in range(codes.shape[0]):
        tested = codes[index] > 0
        if not tested.any():
            continue
        values[index] = np.where(tested, codes[index], np.nan)
        number = [int((codes[index] == code).sum()) for code in LABELS]
        subtitles[index] = "TP {} TN {} FP {} FN {}".format(*number)
    if not values:
        return [absent("Maps", "no epoch has a threshold that was chosen without its cells")]
    files = draw_epoch_maps(
        source, values, source.figures / f"confusion_{scheme}.png",
        title=f"Confusion, {source.scheme_label(scheme)}", wanted=CONFUSION, labels=LABELS,
        subtitles=subtitles, colours=COLOURS,
    )  # fmt: skip
    return shown(
        files,
        "Hits (TP), correct rejections (TN), false alarms (FP) and misses (FN) of "
        f"{source.model_label(source.subject or '')}; counts above each map. Grey was not tested.",
        source,
    )
