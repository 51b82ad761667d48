"""All scores of one scheme, model and epoch, each with its resamples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hazard.archive.names import FEWEST_POSITIVES
from hazard.evaluate.cases import Cases
from hazard.evaluate.corp_scores import corp_estimates
from hazard.evaluate.resample import BlockTable, Estimate, undefined
from hazard.evaluate.settings import EvaluationSettings
from hazard.evaluate.thresholds import Cut
from stats.calibration.corp import Rule
from stats.calibration.rates import correct_mean
from stats.case_arrays import BoolArray, FloatArray, IntArray, UndefinedScoreError
from stats.laws.hurdle import Hurdle
from stats.resampling.block_bootstrap import mean_of, ratio_of, statistic_of_sums
from stats.scores.brier import brier_terms
from stats.scores.contingency import count_terms, f1_of_counts, iou_of_counts, mcc_of_counts
from stats.scores.crps import crps_terms
from stats.scores.logarithmic import hurdle_log_parts, log_terms
from stats.scores.point import (
    absolute_error_terms,
    moment_terms,
    pearson_of_sums,
    squared_error_terms,
)
from stats.scores.quantile import hurdle_quantile_terms
from stats.scores.ranking_by_block import areas_by_block

FEW = f"fewer than {FEWEST_POSITIVES}"
NO_CORRECTION, EPOCH_MEAN = "none", "epoch mean"
ALL, POSITIVE = "all", "positive"

Terms = Callable[[FloatArray, BoolArray], FloatArray]
LOSSES: tuple[tuple[str, Rule, Terms], ...] = (
    ("brier", "brier", brier_terms),
    ("log_score", "log", log_terms),
)
LARGER_IS_BETTER = frozenset({"auc", "average_precision", "f1", "iou", "mcc", "pearson_r"})
SMALLER_IS_BETTER = frozenset(
    {"brier", "log_score", "crps", "hurdle_log_score", "mae", "rmse"}
)  # fmt: skip


@dataclass(frozen=True, order=True)
class ScoreKey:
    """Which score of a case.

    Attributes:
        score: its name.
        threshold_percent: presence is density of at least this [percent], 0 any; -1 for scores of
            density itself.
        correction: ``none``, or ``epoch mean`` where the mean forecast was first moved to the
            observed rate of the epoch.
        subset: ``all`` cells or ``positive`` ones.
        mapping_unit_km: side of the mapping unit [km].
    """

    score: str
    threshold_percent: float = -1.0
    correction: str = NO_CORRECTION
    subset: str = ALL
    mapping_unit_km: float = 0.0


Scores = dict[ScoreKey, Estimate]


def orientation(score: str) -> int:
    """1 where larger is better, -1 where smaller is, 0 where neither.

    Example:
        >>> orientation("auc"), orientation("quantile_score_0.9"), orientation("total_ratio")
        (1, -1, 0)
    """
    if score in LARGER_IS_BETTER:
        return 1
    return -1 if score in SMALLER_IS_BETTER or score.startswith("quantile_score") else 0


def corrected_probability(probability: FloatArray, outcome: BoolArray) -> FloatArray:
    """(case,) probabilities with one constant added to every log-odds so that the mean is right.

    Raises:
        UndefinedScoreError: no constant does it, as for a forecast of 0 everywhere.

    Example:
        >>> corrected_probability(np.array([0.1, 0.3]), np.array([False, True])).mean().round(6)
        np.float64(0.5)
    """
    rate = float(outcome.mean())
    if abs(float(probability.mean()) - rate) < 1e-12:
        return probability
    try:
        return correct_mean(probability, rate).probability
    except UndefinedScoreError:
        raise UndefinedScoreError(
            "no shift of the log-odds reaches the observed rate; probabilities of 0 and 1 stay"
        ) from None


def presence_scores(
    probability: FloatArray,
    outcome: BoolArray,
    block: IntArray,
    table: BlockTable,
    *,
    threshold_percent: float,
    mapping_unit_km: float,
    corp_draws: int | None = None,
) -> Scores:
    """Scores of a probability of presence.

    Args:
        probability: (case,) forecast.
        outcome: (case,) whether it came true.
        block: (case,) block of each case.
        table: resamples.
        threshold_percent: what presence is; for the keys.
        mapping_unit_km: for the keys.
        corp_draws: resamples of the parts of the proper scores; None leaves the parts out.
    """

    def key(score: str, correction: str = NO_CORRECTION) -> ScoreKey:
        return ScoreKey(
            score, threshold_percent, correction=correction, mapping_unit_km=mapping_unit_km
        )

    n = int(outcome.size)
    auc, precision = areas_by_block(probability, outcome, block, table.multiplicity)
    found: Scores = {
        key("auc"): _defined(
            table.of_values(auc, block), "needs cells with and without landslides"
        ),
        key("average_precision"): _defined(
            table.of_values(precision, block), "needs cells with landslides"
        ),
        key("observed_rate"): table.estimate(mean_of(outcome.astype(np.float64), block), block),
        key("mean_probability"): table.estimate(mean_of(probability, block), block),
    }
    forecasts: dict[str, FloatArray | UndefinedScoreError] = {NO_CORRECTION: probability}
    try:
        forecasts[EPOCH_MEAN] = corrected_probability(probability, outcome)
    except UndefinedScoreError as error:
        forecasts[EPOCH_MEAN] = error
    means: dict[Rule, dict[str, Estimate]] = {}
    for name, rule, terms in LOSSES:
        for correction, forecast in forecasts.items():
            if isinstance(forecast, UndefinedScoreError):
                found[key(name, correction)] = undefined(forecast, n)
                continue
            score = table.estimate(mean_of(terms(forecast, outcome), block), block)
            found[key(name, correction)] = score
            means.setdefault(rule, {})[correction] = score
    if corp_draws is not None:
        names = {rule: name for name, rule, _ in LOSSES}
        parts = corp_estimates(means, probability, outcome, block, table, draws=corp_draws)
        for (rule, correction, part), estimate in parts.items():
            found[key(f"{names[rule]}_{part}", correction)] = estimate
    return found


def alarm_scores(
    probability: FloatArray,
    outcome: BoolArray,
    block: IntArray,
    table: BlockTable,
    *,
    f1_cut: Cut,
    mcc_cut: Cut,
    threshold_percent: float,
    mapping_unit_km: float,
) -> Scores:
    """F1, IoU and MCC of alarms at thresholds that others chose."""
    found: Scores = {}
    for name, cut, of_counts in (
        ("f1", f1_cut, f1_of_counts),
        ("iou", f1_cut, iou_of_counts),
        ("mcc", mcc_cut, mcc_of_counts),
    ):
        key = ScoreKey(name, threshold_percent, mapping_unit_km=mapping_unit_km)
        if np.isnan(cut.threshold).any():
            found[key] = undefined(cut.note, int(outcome.size))
            continue
        counts = count_terms(probability >= cut.threshold, outcome)
        estimate = table.estimate(statistic_of_sums(counts, block, of_counts), block)
        estimate = _defined(estimate, "a margin of the table of alarms is empty")
        found[key] = _noted(estimate, cut.note)
    return found


def density_scores(
    cases: Cases, block: IntArray, table: BlockTable, settings: EvaluationSettings,
    *, cell_area_km2: float, cell_km: float,
) -> Scores:  # fmt: skip
    """Scores of the law of density, errors of the expected density, and total area."""

    def key(score: str, correction: str = NO_CORRECTION, subset: str = ALL) -> ScoreKey:
        return ScoreKey(score, correction=correction, subset=subset, mapping_unit_km=cell_km)

    def mean(terms: FloatArray) -> Estimate:
        return table.estimate(mean_of(terms, block), block)

    density, expected = cases.density, cases.expected_percent
    occurrence, size = hurdle_log_parts(cases.law, density)
    found: Scores = {
        key("crps"): mean(crps_terms(cases.law, density)),
        key("hurdle_log_score"): mean(occurrence + size),
        key("mae_median"): mean(absolute_error_terms(cases.law.median(), density)),
    }
    found |= error_scores(expected, density, block, table, mapping_unit_km=cell_km)
    for level in settings.quantile_levels:
        found[key(f"quantile_score_{level:g}")] = mean(
            hurdle_quantile_terms(cases.law, density, level=level)
        )
    try:
        moved = Hurdle(corrected_probability(cases.probability, density > 0.0), cases.law.positive)
        found[key("crps", EPOCH_MEAN)] = mean(crps_terms(moved, density))
        found[key("hurdle_log_score", EPOCH_MEAN)] = mean(
            log_terms(moved.probability, density > 0.0) + size
        )
    except UndefinedScoreError as error:
        for name in ("crps", "hurdle_log_score"):
            found[key(name, EPOCH_MEAN)] = undefined(error, cases.n)
    found |= _positive_scores(cases, block, table, key, cell_km)
    area = cell_area_km2 / 100.0
    found[key("total_predicted_km2")] = _total(expected * area, block, table)
    found[key("total_observed_km2")] = _total(density * area, block, table)
    found[key("total_ratio")] = _defined(
        table.estimate(ratio_of(expected, density, block), block), "nothing was observed"
    )
    return found


def _positive_scores(
    cases: Cases, block: IntArray, table: BlockTable, key: Callable[..., ScoreKey], cell_km: float
) -> Scores:
    """Errors of E[density | density > 0] on the cells with landslides, as the papers give them."""
    positive = cases.density > 0.0
    if not positive.any():
        names = ("mae", "rmse", "pearson_r")
        return {key(n, subset=POSITIVE): undefined("no cells with landslides") for n in names}
    found = error_scores(
        cases.mean_percent[positive], cases.density[positive], block[positive], table,
        mapping_unit_km=cell_km, subset=POSITIVE,
    )  # fmt: skip
    return {k: _noted(value, "mean given presence") for k, value in found.items()}


def error_scores(
    forecast: FloatArray, truth: FloatArray, block: IntArray, table: BlockTable,
    *, mapping_unit_km: float, subset: str = ALL,
) -> Scores:  # fmt: skip
    """MAE, RMSE and Pearson R of point forecasts of density [percent]."""
    found = {
        "mae": table.estimate(mean_of(absolute_error_terms(forecast, truth), block), block),
        "rmse": _rmse(forecast, truth, block, table),
        "pearson_r": _pearson(forecast, truth, block, table),
    }
    return {
        ScoreKey(name, subset=subset, mapping_unit_km=mapping_unit_km): value
        for name, value in found.items()
    }


def _rmse(forecast: FloatArray, truth: FloatArray, block: IntArray, table: BlockTable) -> Estimate:
    squared = mean_of(squared_error_terms(forecast, truth), block)
    return table.of_values(np.sqrt(squared(table.multiplicity)), block)


def _pearson(
    forecast: FloatArray, truth: FloatArray, block: IntArray, table: BlockTable
) -> Estimate:
    if np.ptp(forecast) == 0.0 or np.ptp(truth) == 0.0:
        return undefined("R needs a forecast and a truth that vary", int(truth.size))
    centre = (float(forecast.mean()), float(truth.mean()))
    terms = moment_terms(forecast, truth, centre=centre)
    return table.estimate(statistic_of_sums(terms, block, pearson_of_sums), block)


def _total(terms: FloatArray, block: IntArray, table: BlockTable) -> Estimate:
    return table.estimate(statistic_of_sums(terms, block, lambda sums: sums[:, 0]), block)


def _defined(estimate: Estimate, reason: str) -> Estimate:
    return undefined(reason, estimate.n) if np.isnan(estimate.value) else estimate


def with_few_noted(scores: Scores, cases: Cases) -> Scores:
    """The same scores; those of an outcome that few cells have say so in their note."""
    positives = {
        level: int(cases.present(max(level, 0.0)).sum())
        for level in {key.threshold_percent for key in scores}
    }
    return {
        key: _noted(estimate, f"{FEW}: {positives[key.threshold_percent]} cells with landslides")
        if positives[key.threshold_percent] < FEWEST_POSITIVES
        else estimate
        for key, estimate in scores.items()
    }


def _noted(estimate: Estimate, note: str) -> Estimate:
    parts = [part for part in (estimate.note, note) if part]
    return Estimate(
        value=estimate.value, draws=estimate.draws, n=estimate.n, n_blocks=estimate.n_blocks,
        note="; ".join(dict.fromkeys(parts)),
    )  # fmt: skip
