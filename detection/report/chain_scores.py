"""Pages of a chain that hold its scores: the matrix, transfer, and the designs beside it."""

from __future__ import annotations

import numpy as np

from detection.report.chain_source import GROUNDS, SCOPES, ChainSource, Row
from detection.report.figures import (
    IntervalPanel,
    MatrixPanel,
    draw_intervals,
    draw_matrices,
)
from detection.report.page import Page, absent, bullets, interval_cell, paragraph, shown
from stats.command.pages import heading, table

MEAN = "mean of regions"
QUANTITIES = {
    "zero_shot": (
        "On arrival", "chain on arrival", "everything landslide",
        "What the network maps in a region that it has not seen, against calling every pixel a "
        "landslide, F1 = 2 p / (1 + p).",
    ),
    "forward": (
        "Forward transfer", "chain", "from scratch",
        "After training on the region: what the regions before it add to training on it alone.",
    ),
    "backward": (
        "Backward transfer", "after the last stage", "just after its own stage",
        "What the regions behind it add to a region, or take: below 0 is forgetting.",
    ),
    "forgetting": (
        "Forgetting", "after the last stage", "after its best stage",
        "The best earlier score less the last one: above 0, something was lost.",
    ),
    "few": (
        "Few data", "from the chain", "from scratch",
        "The same small share of the region's patches: fine-tuned from the weights that the chain "
        "has on arrival, and from fresh ones.",
    ),
}  # fmt: skip
DESIGN_NAMES = {
    "conventional": "the region alone",
    "combined": "all regions at once",
    "left_out": "all but this region",
    "chain": "the chain, after its last stage",
}


def short(name: str) -> str:
    """A region's name for axes.

    Example:
        >>> short("nepal_like")
        'nepal like'
    """
    return name.replace("_", " ")


def matrix_page(source: ChainSource) -> Page:
    """Every stage on every region, as figure and tables."""
    parts = [
        paragraph(
            "F1 of the landslide pixels, pooled over all pixels that were seen and mapped, patches "
            "without landslide included. Every stage is scored on every region, those ahead of it "
            "(what it can do on arrival) and those behind it (what it has kept). Intervals hold "
            f"{source.level} and come from {source.record['draws']} draws of blocks of ground "
            f"({source.record['unit']}); what another training with another seed would give is "
            "not in them. Each model is cut at its own threshold, chosen on validation patches of "
            "the region that it was trained on last."
        )
    ]
    parts += _matrix_figure(source)
    for scope, ground in (("other", "unseen"), ("event", "unseen"), ("other", "all")):
        rows = _matrix_rows(source, scope, ground)
        if not rows:
            continue
        parts.append(heading(f"On {SCOPES[scope]}, {GROUNDS[ground]}", 2))
        parts.append(table(["training", *(short(r) for r in source.order)], rows))
    if not any(row["scope"] == "other" for row in source.matrix):
        parts.append(absent("Scores on other epochs", "every region has one epoch alone"))
    return Page(
        name="matrix", title="Every stage on every region", parts=parts,
        summary="The matrix of the chain: F1 of every stage on every region and epoch.",
    )  # fmt: skip


def _matrix_figure(source: ChainSource) -> list[str]:
    panels = []
    for variant in source.variants:
        stages = source.stages(variant)
        values = np.full((len(stages), len(source.order)), np.nan)
        framed = np.zeros(values.shape, dtype=bool)
        for number, name in enumerate(stages):
            for region, row in source.cells(name, scope=source.scope):
                place = source.order.index(region)
                values[number, place] = _number(row["score"])
                framed[number, place] = row["seen"] == "1"
        names = [f"{k + 1}: {short(region)}" for k, region in enumerate(source.order)]
        panels.append(
            MatrixPanel(
                title=variant, rows=names, columns=[short(r) for r in source.order], values=values,
                framed=framed,
            )
        )  # fmt: skip
    path = draw_matrices(
        panels, source.figures / "matrix.png", title="F1 after each stage of the chain",
        label="F1", synthetic=source.synthetic,
        notes=[f"Rows: after training on this region; columns: scored on {SCOPES[source.scope]} "
               "of that region. Framed: regions that the weights have been trained on."],
    )  # fmt: skip
    caption = (
        "F1 of every stage (row) on every region (column). Right of the frames: regions still "
        "ahead of the network."
    )
    return [shown(path, caption, synthetic=source.synthetic)]


def _matrix_rows(source: ChainSource, scope: str, ground: str) -> list[list[object]]:
    rows: list[list[object]] = []
    for training in source.trainings:
        name = str(training["name"])
        cells = dict(source.cells(name, scope=scope, ground=ground))
        if cells:
            rows.append([name, *(interval_cell(cells.get(r, {}), "score") for r in source.order)])
    return rows


def transfer_page(source: ChainSource) -> Page:
    """Transfer as numbers, region by region, with intervals."""
    parts = [
        paragraph(
            "Scores are F1 on "
            f"{SCOPES[source.scope]}, on {GROUNDS['unseen']}. Differences are paired: both scores "
            "of a region come from the same draws of ground. A difference is called better or "
            f"worse where its {source.level} interval leaves 0 out. The mean is over these "
            "regions; it says nothing of others."
        )
    ]
    panels = []
    for quantity, (title, _, _, _) in QUANTITIES.items():
        rows = source.transfers(quantity)
        if not rows:
            continue
        regions = list(dict.fromkeys(row["region"] for row in rows))
        series = {}
        for variant in dict.fromkeys(row["variant"] for row in rows):
            own = {row["region"]: row for row in rows if row["variant"] == variant}
            series[variant] = np.array([_ends(own.get(r, {}), "difference") for r in regions])
        panels.append(
            IntervalPanel(
                title=title, label="difference of F1 [-]", names=[short(r) for r in regions],
                series=series,
            )
        )  # fmt: skip
    if panels:
        path = draw_intervals(
            panels, source.figures / "transfer.png", title="Transfer, region by region",
            synthetic=source.synthetic, columns=2,
            notes=[f"Bars: {source.level} intervals by blocks of ground. Dashed: no difference. "
                   "Forgetting is a loss: right of the line is worse."],
        )  # fmt: skip
        parts.append(shown(path, "Differences of F1 with intervals.", synthetic=source.synthetic))
    for quantity, (title, first, second, meaning) in QUANTITIES.items():
        rows = source.transfers(quantity)
        parts += [heading(title, 2), paragraph(meaning)]
        if not rows:
            parts.append(absent(title, "it was not asked for"))
            continue
        if quantity == "few":
            parts.append(paragraph(_steps(source)))
        parts.append(
            table(
                ["fine-tuning", "region", first, second, "difference", "verdict", "blocks"],
                [
                    [row["variant"], short(row["region"]), interval_cell(row, "first"),
                     interval_cell(row, "second"), interval_cell(row, "difference", signed=True),
                     row["verdict"], row["n_blocks"]]
                    for row in rows
                ],
            )
        )  # fmt: skip
    return Page(
        name="transfer", title="Transfer and forgetting", parts=parts,
        summary="What earlier regions add, what later ones take, and what few data are worth.",
    )  # fmt: skip


def _steps(source: ChainSource) -> str:
    """Steps of both sides of the comparison on few data."""

    def of(kind: str) -> tuple[str, str]:
        own = [t for t in source.trainings if t["planned"]["kind"] == kind]
        sizes = sorted({t["patches"]["train"] for t in own})
        steps = "/".join(str(n) for n in sorted({t["steps"] for t in own}))
        return steps, f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"

    (tuned, patches), (fresh, _) = of("few_transfer"), of("few_scratch")
    return (
        f"{patches} patches per region, repeated. Fine-tuning took {tuned} steps, training from "
        f"scratch {fresh}; the weights that the chain arrives with had the steps of its earlier "
        "stages before."
    )


def designs_page(source: ChainSource) -> Page:
    """Conventional, combined, leave-one-out and the chain side by side."""
    title = "Alone, together, or all but one"
    parts = [
        paragraph(
            "Ways to train one network for a region, scored on the same ground. "
            "Gains are paired differences to training on the region alone."
        ),
        bullets(
            [
                "the region alone: conventional training, from scratch;",
                "all regions at once: combined training;",
                "all but this region: leave one inventory out, the score on ground of which no "
                "landslide was ever seen in training;",
                "the chain, after its last stage.",
            ]
        ),
    ]
    scopes = [s for s in (source.scope, "event") if any(r["scope"] == s for r in source.designs)]
    for scope in dict.fromkeys(scopes):
        rows = source.design_rows(scope)
        correlations = {(r["design"], r["region"]): r for r in source.design_rows(scope, "mcc")}
        if not rows:
            continue
        parts.append(heading(f"On {SCOPES[scope]}", 2))
        if scope == source.scope:
            parts.append(_designs_figure(source, rows))
        parts.append(
            table(
                ["trained on", "region", "F1", "gain over the region alone", "MCC", "blocks"],
                [
                    [DESIGN_NAMES[row["design"]], short(row["region"]), interval_cell(row, "score"),
                     "reference" if row["design"] == "conventional"
                     else interval_cell(row, "gain", signed=True),
                     interval_cell(correlations.get((row["design"], row["region"]), {}), "score"),
                     row["n_blocks"]]
                    for row in rows
                ],
            )
        )  # fmt: skip
    if not source.designs:
        parts.append(absent("The comparison", "no other design was asked for"))
    return Page(
        name="designs", title=title, parts=parts,
        summary="Conventional, combined and leave-one-inventory-out training beside the chain.",
    )  # fmt: skip


def _designs_figure(source: ChainSource, rows: list[Row]) -> str:
    regions = [*source.order, MEAN]
    series = {}
    for design, name in DESIGN_NAMES.items():
        own = {row["region"]: row for row in rows if row["design"] == design}
        if own:
            series[name] = np.array([_ends(own.get(r, {}), "score") for r in regions])
    panel = IntervalPanel(
        title="F1 by region", label="F1 [-]", names=[short(r) for r in regions],
        series=series, reference=None,
    )  # fmt: skip
    path = draw_intervals(
        [panel], source.figures / "designs.png", title="Ways to train for a region",
        synthetic=source.synthetic, columns=1,
        notes=[f"Bars: {source.level} intervals by blocks of ground."],
    )  # fmt: skip
    return shown(path, "F1 of the ways to train, region by region.", synthetic=source.synthetic)


def _ends(row: Row, name: str) -> tuple[float, float, float]:
    low, high = _number(row.get(f"{name}_low")), _number(row.get(f"{name}_high"))
    return _number(row.get(name)), low, high


def _number(text: str | None) -> float:
    return float("nan") if text in ("", None) else float(text)
