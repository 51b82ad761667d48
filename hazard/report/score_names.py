"""Names of scores as people read them, with unit and direction."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ScoreColumn:
    """One column of a table of scores.

    Attributes:
        score: name in the scoreboard.
        title: as shown, with unit.
        threshold_percent: presence is density of at least this [percent]; None for scores of
            density itself.
        correction: ``none`` or ``epoch mean``.
        subset: ``all`` or ``positive``.
        better: ``high``, ``low`` or empty.
    """

    score: str
    title: str
    threshold_percent: float | None = None
    correction: str = "none"
    subset: str = "all"
    better: str = ""


RANKING = (
    ScoreColumn(score="auc", title="AUC", threshold_percent=0.0, better="high"),
    ScoreColumn(
        score="average_precision", title="average precision", threshold_percent=0.0, better="high"
    ),
    ScoreColumn(score="f1", title="F1", threshold_percent=0.0, better="high"),
    ScoreColumn(score="iou", title="IoU", threshold_percent=0.0, better="high"),
    ScoreColumn(score="mcc", title="MCC", threshold_percent=0.0, better="high"),
)
PROBABILITY = (
    ScoreColumn(score="brier", title="Brier", threshold_percent=0.0, better="low"),
    ScoreColumn(
        score="brier", title="Brier, rate corrected", threshold_percent=0.0,
        correction="epoch mean", better="low",
    ),
    ScoreColumn(score="log_score", title="log score [nat]", threshold_percent=0.0, better="low"),
    ScoreColumn(
        score="log_score", title="log score, rate corrected [nat]", threshold_percent=0.0,
        correction="epoch mean", better="low",
    ),
    ScoreColumn(score="observed_rate", title="observed rate", threshold_percent=0.0),
    ScoreColumn(score="mean_probability", title="mean probability", threshold_percent=0.0),
)  # fmt: skip
PARTS = tuple(
    ScoreColumn(
        score=f"{score}_{part}", title=f"{title}: {part}", threshold_percent=0.0,
        correction=correction,
    )
    for score, title in (("brier", "Brier"), ("log_score", "log score [nat]"))
    for correction in ("none", "epoch mean")
    for part in ("miscalibration", "discrimination", "uncertainty")
    if correction == "none" or part == "miscalibration"
)  # fmt: skip
DENSITY = (
    ScoreColumn(score="crps", title="CRPS [%]", better="low"),
    ScoreColumn(
        score="crps", title="CRPS, rate corrected [%]", correction="epoch mean", better="low"
    ),
    ScoreColumn(score="hurdle_log_score", title="log score of density [nat]", better="low"),
    ScoreColumn(score="quantile_score_0.9", title="quantile score 0.9 [%]", better="low"),
    ScoreColumn(score="quantile_score_0.95", title="quantile score 0.95 [%]", better="low"),
)
LAW = (
    ScoreColumn(score="pit_ks_distance", title="PIT: distance from uniform", better="low"),
    ScoreColumn(score="pit_mean", title="PIT: mean (0.5)"),
    ScoreColumn(
        score="interval_coverage_0.9",
        title="positive cells: coverage of the 90 % interval (0.9)",
        subset="positive",
    ),
    ScoreColumn(
        score="interval_width_percent_0.9", title="positive cells: its width [%]", subset="positive"
    ),
    ScoreColumn(score="interval_coverage_0.9", title="all cells: coverage of the closed interval"),
    ScoreColumn(score="interval_nominal_coverage_0.9", title="all cells: what the law gives it"),
    ScoreColumn(score="interval_overcoverage_0.9", title="all cells: over-coverage (0)"),
)
PAPERS = (
    ScoreColumn(score="mae", title="MAE, all cells [%]", better="low"),
    ScoreColumn(score="mae", title="MAE, positive cells [%]", subset="positive", better="low"),
    ScoreColumn(score="rmse", title="RMSE, all cells [%]", better="low"),
    ScoreColumn(score="pearson_r", title="R, all cells", better="high"),
    ScoreColumn(score="pearson_r", title="R, positive cells", subset="positive", better="high"),
)
TOTALS = (
    ScoreColumn(score="total_observed_km2", title="observed area [km2]"),
    ScoreColumn(score="total_predicted_km2", title="predicted area [km2]"),
    ScoreColumn(score="total_ratio", title="predicted / observed"),
)
GROUPS = {
    "Ranking and classes of presence": RANKING,
    "Probability of presence": PROBABILITY,
    "Law of the density": DENSITY,
    "Calibration of the law of density": LAW,
    "As in the papers, for comparison": PAPERS,
    "Total area": TOTALS,
}
NO_BREAK = "\u00a0"
HEADLINE = (RANKING[0], RANKING[1], PROBABILITY[3], DENSITY[0])
"""What the verdict and the figures are about: AUC, average precision, log score, CRPS."""


def interval_text(value: float, low: float, high: float) -> str:
    """A value with its interval, held together by no-break spaces.

    Example:
        >>> interval_text(0.8641, 0.85, 0.878).replace(NO_BREAK, " ")
        '0.864 [0.850, 0.878]'
        >>> interval_text(0.5, float("nan"), float("nan"))
        '0.500'
        >>> interval_text(float("nan"), 0, 1), interval_text(float("inf"), 0.2, float("inf"))
        ('-', 'infinite')
    """
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "infinite"
    places = decimal_places(value)
    text = f"{value:.{places}f}"
    if math.isnan(low) or math.isnan(high):
        return text
    ends = [f"{end:.{places}f}" if math.isfinite(end) else "infinite" for end in (low, high)]
    return f"{text}{NO_BREAK}[{ends[0]},{NO_BREAK}{ends[1]}]"


def decimal_places(value: float) -> int:
    """Places that show three or four significant digits of a score.

    Example:
        >>> [decimal_places(v) for v in (0.0123, 0.5, 3.2, 45.0, 2500.0)]
        [4, 3, 2, 1, 0]
    """
    size = abs(value)
    if size >= 1000:
        return 0
    if size >= 10:
        return 1
    if size >= 1:
        return 2
    return 3 if size >= 0.1 else 4
