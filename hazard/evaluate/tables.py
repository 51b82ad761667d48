"""Tables that the report draws: curves, alarms, totals, classes, association, 2-D counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hazard.evaluate.cases import Array, Cases
from hazard.evaluate.resample import BlockTable, Estimate
from hazard.evaluate.settings import EvaluationSettings
from hazard.evaluate.thresholds import Cut
from stats.calibration.corp import reliability
from stats.case_arrays import BoolArray, FloatArray, IntArray, UndefinedScoreError
from stats.resampling.block_bootstrap import mean_of
from stats.scores.capture import capture_curve, hazard_classes
from stats.scores.contingency import mcc_of_counts
from stats.scores.ranking import rank_curves

LARGEST_CURVE = 200
RELIABILITY_BINS = 10
CLASS_NAMES = ("very low", "low", "moderate", "high", "very high")
NOT_TESTED, TRUE_POSITIVE, TRUE_NEGATIVE, FALSE_POSITIVE, FALSE_NEGATIVE = range(5)
SUSCEPTIBILITY_EDGES = np.linspace(0.0, 1.0, 51)
DENSITY_EDGES_PERCENT = np.geomspace(1e-3, 100.0, 51)

CURVE_COLUMNS = ("scheme", "model", "epoch", "curve", "x", "y", "low", "high", "n", "cut")
CONFUSION_COLUMNS = (
    "scheme", "model", "epoch", "true_positive", "true_negative", "false_positive",
    "false_negative", "threshold", "note",
)  # fmt: skip
TOTAL_COLUMNS = (
    "scheme", "model", "epoch", "observed_km2", "predicted_km2", "predicted_low_km2",
    "predicted_high_km2", "ratio", "ratio_low", "ratio_high", "n",
)  # fmt: skip
CLASS_COLUMNS = (
    "scheme", "model", "epoch", "quantity", "class_number", "class_name", "lower", "upper",
    "cells", "area_km2", "area_share", "landslide_cells", "landslide_cell_share",
    "landslide_area_km2", "landslide_area_share", "ratio",
)  # fmt: skip
ASSOCIATION_COLUMNS = ("threshold_percent", "epoch", "other", "phi", "n")

Record = dict[str, Any]


def _thin(size: int, *along: FloatArray) -> IntArray:
    """At most about `LARGEST_CURVE` points of a curve, evenly spread along both axes."""
    if size <= LARGEST_CURVE:
        return np.arange(size)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*(np.diff(a) for a in along)))])
    wanted = np.linspace(0.0, length[-1], LARGEST_CURVE)
    return np.unique(np.concatenate([[0, size - 1], np.searchsorted(length, wanted)]))


def curve_rows(
    cases: Cases, block: IntArray, table: BlockTable, settings: EvaluationSettings
) -> Iterator[Record]:
    """ROC, precision-recall, reliability, CORP and capture curves of presence, as tidy rows."""
    outcome, probability = cases.present(0.0), cases.probability

    def rows(name: str, x: FloatArray, y: FloatArray, cut: FloatArray) -> Iterator[Record]:
        for i in _thin(x.size, x, y):
            yield {"curve": name, "x": x[i], "y": y[i], "n": cases.n, "cut": cut[i]}

    try:
        curves = rank_curves(probability, outcome)
    except UndefinedScoreError:
        # An epoch with landslides in every cell or in none has no curves to draw.
        return
    yield from rows("roc", curves.false_positive_rate, curves.recall, curves.threshold)
    yield from rows("precision_recall", curves.recall, curves.precision, curves.threshold)
    captured = capture_curve(cases.expected_percent, cases.density, kind="prediction")
    yield from rows("capture", captured.area_share, captured.landslide_share, captured.threshold)
    isotonic = reliability(probability, outcome)
    ends = np.flatnonzero(np.diff(isotonic.frequency) != 0.0)
    corners = np.unique(np.concatenate([[0, isotonic.forecast.size - 1], ends, ends + 1]))
    x, y = isotonic.forecast[corners], isotonic.frequency[corners]
    yield from rows("corp", x, y, x)
    yield from _reliability(probability, outcome, block, table, settings)


def _reliability(
    probability: FloatArray, outcome: BoolArray, block: IntArray, table: BlockTable,
    settings: EvaluationSettings,
) -> Iterator[Record]:  # fmt: skip
    """Ten bins with equal numbers of cells; tied forecasts stay in one bin."""
    edges = np.unique(np.quantile(probability, np.linspace(0.0, 1.0, RELIABILITY_BINS + 1)[1:-1]))
    member = np.searchsorted(edges, probability, side="left")
    for number in np.unique(member):
        inside = member == number
        observed = table.estimate(
            mean_of(outcome.astype(np.float64), block, weights=inside.astype(np.float64)),
            block[inside],
        )
        low, high, _ = observed.interval(settings.level)
        yield {
            "curve": "reliability", "x": float(probability[inside].mean()), "y": observed.value,
            "low": low, "high": high, "n": int(inside.sum()),
            "cut": float(probability[inside].max()),
        }  # fmt: skip


def confusion_codes(cases: Cases, cut: Cut) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(case,) TP, TN, FP, FN of presence as 1 to 4; 0 where there is no threshold."""
    outcome = cases.present(0.0)
    with np.errstate(invalid="ignore"):
        alarm = cases.probability >= cut.threshold
    codes = np.select(
        [alarm & outcome, ~alarm & ~outcome, alarm & ~outcome],
        [TRUE_POSITIVE, TRUE_NEGATIVE, FALSE_POSITIVE], FALSE_NEGATIVE,
    )  # fmt: skip
    return np.where(np.isnan(cut.threshold), NOT_TESTED, codes).astype(np.uint8)


def confusion_row(codes: np.ndarray[Any, np.dtype[np.uint8]], cut: Cut) -> Record:
    """Counts of the codes."""
    count = np.bincount(codes, minlength=5)
    known = cut.threshold[~np.isnan(cut.threshold)]
    return {
        "true_positive": int(count[TRUE_POSITIVE]), "true_negative": int(count[TRUE_NEGATIVE]),
        "false_positive": int(count[FALSE_POSITIVE]), "false_negative": int(count[FALSE_NEGATIVE]),
        "threshold": float(known.mean()) if known.size else np.nan, "note": cut.note,
    }  # fmt: skip


def total_row(
    predicted: Estimate, observed: Estimate, ratio: Estimate, settings: EvaluationSettings
) -> Record:
    """Observed and expected landslide area of an epoch [km2]."""
    low, high, _ = predicted.interval(settings.level)
    ratio_low, ratio_high, _ = ratio.interval(settings.level)
    return {
        "observed_km2": observed.value, "predicted_km2": predicted.value,
        "predicted_low_km2": low, "predicted_high_km2": high,
        "ratio": ratio.value, "ratio_low": ratio_low, "ratio_high": ratio_high, "n": predicted.n,
    }  # fmt: skip


def class_rows(
    cases: Cases, settings: EvaluationSettings, *, cell_area_km2: float
) -> Iterator[Record]:
    """Five classes of susceptibility and of hazard: their area, and the landslides in them."""
    if not (cases.density > 0.0).any():
        return
    area = np.full(cases.n, cell_area_km2)
    slid = cases.density / 100.0 * cell_area_km2
    outcome = cases.present(0.0).astype(np.float64)
    for quantity, score, edges in (
        ("susceptibility", cases.probability, settings.susceptibility_edges),
        ("hazard", cases.expected_percent, settings.hazard_edges_percent),
    ):
        by_area = hazard_classes(score, slid, edges, area=area)
        by_cells = hazard_classes(score, outcome, edges)
        for number, (a, c) in enumerate(zip(by_area, by_cells, strict=True)):
            yield {
                "quantity": quantity, "class_number": number + 1,
                "class_name": CLASS_NAMES[number] if len(by_area) == 5 else f"class {number + 1}",
                "lower": max(a.low, 0.0), "upper": a.high, "cells": round(c.area),
                "area_km2": a.area, "area_share": a.area_share,
                "landslide_cells": round(c.landslide), "landslide_cell_share": c.landslide_share,
                "landslide_area_km2": a.landslide, "landslide_area_share": a.landslide_share,
                "ratio": np.nan if a.ratio is None else a.ratio,
            }  # fmt: skip


def association_rows(
    density: Array, usable: BoolArray, names: Sequence[str], thresholds: Sequence[float]
) -> Iterator[Record]:
    """Phi coefficient of observed presence between epochs, on cells observed in both.

    Args:
        density: (epoch, y, x) observed density [percent].
        usable: (epoch, y, x) observed cells of the study.
        names: names of the epochs.
        thresholds: presence is density of at least each of these [percent].
    """
    with np.errstate(invalid="ignore"):
        for threshold in thresholds:
            present = (density >= threshold) if threshold > 0.0 else (density > 0.0)
            for first, name in enumerate(names):
                for second, other in enumerate(names):
                    both = usable[first] & usable[second]
                    a, b = present[first][both], present[second][both]
                    counts = np.array(
                        [(a & b).sum(), (a & ~b).sum(), (~a & b).sum(), (~a & ~b).sum()]
                    )
                    yield {
                        "threshold_percent": threshold, "epoch": name, "other": other,
                        "phi": float(mcc_of_counts(counts)), "n": int(both.sum()),
                    }  # fmt: skip


def density_susceptibility(cases: Cases) -> tuple[Array, Array]:
    """(density, susceptibility) counts: E[density | presence], and density of positive cells.

    Densities below the lowest edge are counted in the first bin.
    """
    edges = (DENSITY_EDGES_PERCENT, SUSCEPTIBILITY_EDGES)

    def counts(density: FloatArray, probability: FloatArray) -> Array:
        inside = np.clip(density, DENSITY_EDGES_PERCENT[0], DENSITY_EDGES_PERCENT[-1])
        return np.histogram2d(inside, probability, bins=edges)[0].astype(np.int32)

    positive = cases.density > 0.0
    return (
        counts(cases.mean_percent, cases.probability),
        counts(cases.density[positive], cases.probability[positive]),
    )
