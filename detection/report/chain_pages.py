"""Pages of a chain beside its scores: maps, trainings, data, the last model, provenance."""

from __future__ import annotations

import numpy as np

from detection.chain.folder import MODELS, PANELS
from detection.report.chain_source import ChainSource
from detection.report.figures import (
    PictureRow,
    draw_losses,
    draw_pictures,
    draw_split,
    error_colours,
)
from detection.report.model_card import model_card_parts
from detection.report.page import Page, absent, bullets, paragraph, shown
from detection.report.provenance import provenance_parts
from stats.command.pages import heading, table

STANDARDISATION = {
    "first": (
        "Bands are standardised by the mean and scale of the training pixels of the first region, "
        "in every training of the study. A region of another brightness stays so to the network, "
        "and frozen parts go on seeing values on the scale that they were trained on."
    ),
    "own": (
        "Every training standardises the bands by the mean and scale of its own training pixels. "
        "Each region is centred; parts that are frozen see values scaled otherwise than those that "
        "they were trained on, and a model carries the scale of its last region to all others."
    ),
}  # fmt: skip


def maps_page(source: ChainSource) -> Page:
    """Image, truth and the errors of every stage, on patches of test ground."""
    title = "Image, truth and errors"
    parts = [
        paragraph(
            "Patches of ground that no training saw, of every region's last epoch: the one with "
            "the median share of landslide, and the one with the largest. From left to right: the "
            "image in natural colours, the truth, and what each stage of the chain makes of it. "
            "A stage left of a region's own had not seen the region yet."
        )
    ]
    found = source.panels
    if not found:
        return Page(
            name="maps", title=title, summary="Not in this run.",
            parts=[*parts, absent("Maps", f"there is no {PANELS}")],
        )  # fmt: skip
    rows = []
    for k in range(len(found["region"])):
        region = source.order[int(found["region"][k])]
        epoch = source.record["regions"][region]["epochs"][int(found["epoch"][k])]
        truth, counted = found["truth"][k], found["counted"][k]
        grey = np.where(counted, truth.astype(float), 0.25)
        pictures = [("image", found["rgb"][k]), ("truth", grey)]
        for stage, threshold in enumerate(found["threshold"]):
            mapped = found["probability"][k, stage] >= threshold
            learned = source.order[stage].replace("_like", "").replace("_", " ")
            mark = " (own)" if source.order[stage] == region else ""
            pictures.append(
                (f"{stage + 1}: {learned}{mark}", error_colours(mapped, truth, counted))
            )
        rows.append(PictureRow(name=f"{region.replace('_', ' ')}\n{epoch}", pictures=pictures))
    side = _side(source)
    files = draw_pictures(
        rows, source.figures / "maps.png", title="Errors after each stage of the chain",
        synthetic=source.synthetic,
        notes=[f"Patches of {side}, north up. Numbered: after the stage of this region; own: the "
               "stage that learned this region."],
    )  # fmt: skip
    parts += [
        shown(f, "Image, truth and errors of every stage.", synthetic=source.synthetic)
        for f in files
    ]
    return Page(
        name="maps", title=title, parts=parts,
        summary="Patches of unseen ground with what every stage of the chain maps there.",
    )  # fmt: skip


def _side(source: ChainSource) -> str:
    size, pixel_m = int(source.record["patch_px"]), source.record["pixel_m"]
    return f"{size} px" if pixel_m is None else f"{size * float(pixel_m):,.0f} m"


def trainings_page(source: ChainSource) -> Page:
    """Every training: start, patches, steps, losses; and what freezing left untouched."""
    rows: list[list[object]] = []
    for training in source.trainings:
        planned, patches = training["planned"], training["patches"]
        share = float(planned["share"])
        rows.append(
            [
                training["name"], planned["parent"] or "fresh weights", patches["train"],
                f"{share:.0%}", training["steps"], f"{planned['learning_rate']:g}",
                ", ".join(planned["frozen"]) or "nothing",
                f"{training['threshold']['threshold']:.3f}", _optional(training["threshold"]["f1"]),
                f"{training['seconds']:.0f}",
            ]
        )  # fmt: skip
    drawn = max(t["patches"]["drawn"] for t in source.trainings)
    parts = [
        paragraph(
            "Every training on one region draws equally many patches per pass: regions with fewer "
            "training patches repeat some, and a small share of them is repeated as often as "
            f"needed (up to {drawn} draws per pass in this study). So all trainings of a kind take "
            "equally many steps. Thresholds are those of the largest F1 on validation patches."
        ),
        table(
            ["training", "starts from", "patches", "of them", "steps", "learning rate", "frozen",
             "threshold", "F1 on validation", "seconds"], rows,
        ),
        heading("Freezing", 2),
        *_freezing(source),
        heading("Losses", 2),
    ]  # fmt: skip
    files = draw_losses(
        {t["name"]: t["history"] for t in source.trainings}, source.figures / "losses.png",
        title="Training losses by epoch", synthetic=source.synthetic,
        notes=["One scale for all panels. A fine-tuned network begins low where what it has "
               "learned before still holds."],
    )  # fmt: skip
    parts += [shown(f, "Losses by epoch.", synthetic=source.synthetic) for f in files]
    return Page(
        name="trainings", title="Trainings", parts=parts,
        summary="Where every training started, what it saw, its losses, and what stayed frozen.",
    )  # fmt: skip


def _freezing(source: ChainSource) -> list[str]:
    rows = [
        [
            training["name"], ", ".join(f["frozen"]).replace("network/", ""), f["frozen_arrays"],
            f["frozen_statistics"], len(f["frozen_changed"]),
            f"{f['trainable_parameters']:,} of {f['total_parameters']:,}", f["moved_arrays"],
        ]
        for training in source.trainings
        if (f := training["freezing"]) is not None
    ]  # fmt: skip
    if not rows:
        return [absent("Freezing", "no variant freezes anything")]
    return [
        paragraph(
            "Compared bit by bit before and after: arrays of frozen parts, running statistics of "
            "batch norms included, and those that were free to move. A request that leaves nothing "
            "to train is refused before any training."
        ),
        table(
            ["training", "frozen", "frozen arrays", "of them statistics", "changed",
             "trainable numbers", "arrays that moved"], rows,
        ),
    ]  # fmt: skip


def data_page(source: ChainSource) -> Page:
    """Regions, epochs, patches, the split on a map, standardisation."""
    regions = source.record["regions"]
    pixel_m = source.record["pixel_m"]
    rows: list[list[object]] = []
    for name in source.order:
        region = regions[name]
        for epoch in region["epochs"]:
            event = epoch == region["event_epoch"]
            sizes = region["patches"]
            rows.append(
                [
                    name.replace("_", " "), epoch, "event" if event else "other",
                    *(str(sizes[role]) if event else "" for role in ("train", "validation")),
                    str(sizes["test"]) if event else "all ground",
                    f"{100 * region['landslide_share'][epoch]:.2f}",
                ]
            )  # fmt: skip
    side = _side(source)
    places: dict[str, list[tuple[int, int, str]]] = {name: [] for name in source.order}
    for row in source.split:
        if row["epoch"] == regions[row["region"]]["event_epoch"]:
            places[row["region"]].append((int(row["row"]), int(row["column"]), row["role"]))
    parts = [
        paragraph(
            f"Bands {', '.join(source.record['bands'])}; patches of {side}. Blocks of ground are "
            "dealt to training, validation and test once per region, for all epochs together: "
            "ground that is tested in one epoch was never trained on in another. Trainings see the "
            "event epoch alone."
        ),
        table(
            ["region", "epoch", "kind", "training patches", "validation patches", "test patches",
             "landslide on scored ground [%]"], rows,
        ),
        heading("Split", 2),
    ]  # fmt: skip
    drawn = {name.replace("_", " "): found for name, found in places.items() if found}
    if drawn:
        path = draw_split(
            drawn, source.figures / "split.png", size_px=int(source.record["patch_px"]),
            pixel_m=None if pixel_m is None else float(pixel_m),
            title="Training, validation and test ground", synthetic=source.synthetic,
            notes=["Patches of the event epoch; they may overlap within a part, never across "
                   "parts. White: left out (too much cloud). Grey: on a border between parts."],
        )  # fmt: skip
        parts.append(shown(path, "Where the parts lie.", synthetic=source.synthetic))
    parts += _audit(source)
    parts += [
        heading("Standardisation", 2),
        paragraph(STANDARDISATION[source.record["standardisation"]]),
    ]
    return Page(
        name="data", title="Data and split", parts=parts,
        summary="Regions and epochs, where training and test ground lie, standardisation.",
    )  # fmt: skip


def _audit(source: ChainSource) -> list[str]:
    found = source.record["audit"]
    head = [
        heading("Audit for leaks", 2),
        paragraph(
            "Looked for, between every two parts: pixels of ground that both cover, in the same "
            "and in other epochs; neighbours; exact and near copies, also turned and mirrored."
        ),
    ]
    return [*head, bullets([str(line) for line in found] or ["Nothing is shared."])]


def model_page(source: ChainSource) -> Page:
    """The card of the network after the last stage."""
    name = source.stages(source.variants[0])[-1]
    return Page(
        name="model", title="Model card",
        summary="The network after the last stage: what it reads, what it may be used for.",
        parts=model_card_parts(source.run / MODELS / name, synthetic=source.synthetic),
    )  # fmt: skip


def provenance_page(source: ChainSource) -> Page:
    """What it takes to make the run again."""
    times = {f"training {t['name']}": float(t["seconds"]) for t in source.trainings}
    return Page(
        name="provenance", title="Provenance",
        summary="Configuration, seed, versions, device, times.",
        parts=provenance_parts(source.provenance, source.config_text, times=times),
    )  # fmt: skip


def _optional(value: float | None) -> str:
    return "not chosen" if value is None else f"{value:.3f}"
