"""The page of the detection error: functions of size and slope, what carrying it on changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.map.carried_sizes import GROUNDS
from detection.map.error_stage import DetectionError
from detection.map.folder import CARRIED_SIZES, DETECTION_ERROR, INVENTORY, OBSERVATION
from detection.observation.calibration import Calibration
from detection.observation.false_by_slope import false_by_slope, slope_rows
from detection.observation.figures import draw_observation
from detection.observation.model import ObservationModel
from detection.report.figures import IntervalPanel, draw_intervals
from detection.report.page import FIGURES, Page, absent, bullets, paragraph, shown
from stats.command.pages import heading, table
from stats.sizes.empirical import share_interval

WAYS = {
    "detected": "as detected",
    "carried": "detection error carried on",
    "reference": "reference",
}
QUANTITY_NAMES = {"alpha": "exponent of the tail [-]", "total_m2": "total area [km2]"}
SCALES = {"alpha": 1.0, "total_m2": 1e6}
CLASSES = 5
SHARE_LEVEL = 0.95
LIMITS = (
    "Splits, merges and outlines change sizes; a recall curve only thins. They are carried into "
    "exponent and total by simulation, not by the curve.",
    "Recall is that of size and slope. Shadow, haze, vegetation and the age of a scar count in as "
    "far as they vary among the calibrating blocks, and no further.",
    "The blocks are of these images, this sensor and these dates: on another event the detector "
    "errs differently.",
    "What the reference lacks counts as a false alarm; a landslide that was missed once and found "
    "later is a false alarm of the later epoch.",
    "Below the smallest landslide that counts nothing is known.",
)


def error_page(error: DetectionError, source: Path, *, synthetic: bool) -> Page:
    """The page; its figures go below `source`."""
    title, summary = "Detection error", "recall, false alarms, splits and merges, and what they do"
    model = error.model
    if model is None:
        why = " ".join(error.words) or "nothing is known of it"
        return Page(
            name="error", title=title, summary=summary,
            parts=[absent("The detection error", why.removesuffix("."))],
        )  # fmt: skip
    parts = [
        bullets(error.words),
        *_functions(error, model, source, synthetic=synthetic),
        *_sizes(error, source, synthetic=synthetic),
        heading("Into hazard", 2),
        paragraph(
            f"The probability that a landslide of a cell is recorded in an epoch, and the false "
            f"alarms to expect there, lie in {INVENTORY}/{OBSERVATION}; the page Hazard says what "
            "taking them into account changes."
            if error.observation is not None
            else "No hazard is fitted, so no observation of cells was written."
        ),
        heading("What this cannot model", 2),
        bullets(LIMITS),
    ]
    return Page(name="error", title=title, summary=summary, parts=parts)


def _functions(
    error: DetectionError, model: ObservationModel, source: Path, *, synthetic: bool
) -> list[str]:
    parts = [
        paragraph(
            f"Estimated from {model.n_reference} reference landslides, {model.n_found} of them "
            f"found, and {model.n_false} false alarms in {model.n_blocks} blocks; parameters and "
            f"their draws lie in {INVENTORY}/{DETECTION_ERROR}."
        ),
    ]
    if error.calibration is not None:
        picture = draw_observation(
            model, error.calibration, source / FIGURES / "detection_error.png"
        )
        caption = (
            "Recall, splits and merges, outlines, and false alarms: functions with bands, and "
            "counts of the calibrating blocks."
        )
        parts.append(shown(picture, caption, synthetic=synthetic))
    if error.checks is not None and error.checks.reference_m2.size:
        parts += [
            heading("On the ground that did not calibrate", 2),
            paragraph(
                "Recall that the estimate expects of the landslides there, beside the share that "
                f"was found (exact {100 * SHARE_LEVEL:g} % interval, as if landslides were found "
                "independently)."
            ),
            table(
                ["area [m2]", "landslides", "found", "expected recall", "recall (interval)"],
                check_rows(model, error.checks),
            ),
            *_false_alarms(model, error.checks),
        ]
    return parts


def _false_alarms(model: ObservationModel, checks: Calibration) -> list[str]:
    """False alarms of other ground by slope, beside those that the estimate expects."""
    if not checks.with_terrain:
        return []
    return [
        paragraph(
            "False alarms there, by slope, beside those that the estimate expects "
            f"({100 * SHARE_LEVEL:g} % intervals, as wide as blocks differ)."
        ),
        table(
            ["slope", "ground [km2]", "false alarms", "expected [1/km2]", "rate [1/km2]"],
            slope_rows(false_by_slope(checks, model, level=SHARE_LEVEL)),
        ),
    ]


def check_rows(model: ObservationModel, checks: Calibration) -> list[list[Any]]:
    """Expected and observed recall of other ground, in classes of equally many landslides."""
    order = np.argsort(checks.reference_m2)
    slope = checks.slope_deg if checks.with_terrain else np.full(order.size, 30.0)
    expected = model.recall(checks.reference_m2, slope)
    rows: list[list[Any]] = []
    for part in np.array_split(order, min(CLASSES, order.size)):
        found, n = int(checks.found[part].sum()), part.size
        low, high = share_interval(found, n, level=SHARE_LEVEL)
        areas = checks.reference_m2[part]
        rows.append(
            [f"{areas[0]:,.0f} to {areas[-1]:,.0f}", n, found, f"{expected[part].mean():.3f}",
             f"{found / n:.3f} ({float(low):.3f} to {float(high):.3f})"]
        )  # fmt: skip
    return rows


def _sizes(error: DetectionError, source: Path, *, synthetic: bool) -> list[str]:
    sizes, model = error.sizes, error.sizes_model or error.model
    assert model is not None
    parts = [heading("Exponent and total area", 2)]
    if sizes is None or not sizes.rows:
        why = "; ".join(sizes.notes) if sizes is not None else "nothing was carried on"
        return [*parts, absent("Exponent and total", why)]
    level = f"{100 * float(sizes.rows[0]['level']):g} %"
    parts.append(
        paragraph(
            f"New landslides of {model.minimum_m2:g} m2 or more, all epochs together; {level} "
            "intervals. The exponent is that of a power law above that area, an approximation "
            f"where sizes roll over. The same as a table: {CARRIED_SIZES}."
        )
    )
    for ground, name in GROUNDS.items():
        rows = [row for row in sizes.rows if row["ground"] == ground]
        if not rows:
            continue
        file = source / FIGURES / f"carried_sizes_{ground}.png"
        parts += [
            heading(name, 3),
            table(
                ["quantity", "inventory", "value", "interval", "landslides"],
                [[QUANTITY_NAMES[str(row["quantity"])], WAYS[str(row["way"])],
                  _number(row, "value"), _interval(row), row["n"]] for row in rows],
            ),
            shown(
                _sizes_figure(rows, file, synthetic=synthetic),
                f"Exponent and total area with {level} intervals.", synthetic=synthetic,
            ),
        ]  # fmt: skip
    return [*parts, *([bullets(sizes.notes)] if sizes.notes else [])]


def _interval(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return "known"
    return f"{_number(row, 'low')} to {_number(row, 'high')}"


def _number(row: Mapping[str, Any], which: str) -> str:
    return f"{row[which] / SCALES[str(row['quantity'])]:,.3f}"


def _sizes_figure(rows: Sequence[Mapping[str, Any]], path: Path, *, synthetic: bool) -> Path:
    panels = []
    for quantity, label in QUANTITY_NAMES.items():
        chosen = [row for row in rows if row["quantity"] == quantity]
        truth = [row["value"] for row in chosen if row["way"] == "reference"]
        lines = [
            [
                row["value"],
                *((row["value"],) * 2 if row["low"] is None else (row["low"], row["high"])),
            ]
            for row in chosen
        ]
        panels.append(
            IntervalPanel(
                title="line: the reference" if truth else "", label=label,
                names=[WAYS[str(row["way"])] for row in chosen],
                series={"value": np.array(lines, dtype=np.float64) / SCALES[quantity]},
                reference=truth[0] / SCALES[quantity] if truth else None,
                log=quantity == "total_m2",
            )
        )  # fmt: skip
    return draw_intervals(
        panels, path, title="With and without the detection error", synthetic=synthetic
    )
