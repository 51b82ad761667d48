r"""The whole residual section of a paper from one call.

1. proper scores per epoch: Brier of presence, log, CRPS, threshold-weighted CRPS, quantile and
   interval scores of the hurdle law;
2. differences of the CRPS and the log score to named references, with intervals by blocks as long
   as the dependence asks for, and the Hering-Genton test;
3. CORP reliability of presence per epoch, with an envelope under calibration;
4. randomised PIT and the worm of quantile residuals, with an envelope of the whole curve;
5. Moran's I, correlogram and range of the presence score residuals per epoch, false discoveries
   held over epochs, and the block size that follows;
6. bias, spread and dependence of the residuals on the forecast (also within each fold), the epoch
   and every predictor, false discoveries held over all these questions;
7. coverage and width of central intervals by epoch and by decile of the expected value;
8. predicted and observed totals and counts per epoch, with intervals of the forecast's own law.

Tests of points 3, 4 and 8 take cases as independent given the forecast; where point 5 finds
dependence they reject too easily, and the section says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stats.aggregate import LabelledSums, sum_by
from stats.calibration.coverage import CoverageRow, coverage_rows, coverage_sums, strata_of
from stats.calibration.reliability_envelope import ReliabilityEnvelope, reliability_envelope
from stats.calibration.worm import QuantileCurve, quantile_curve
from stats.case_arrays import FloatArray, UndefinedScoreError
from stats.resampling.paired import PairedDifference, compare_forecasts
from stats.residuals.cases import ForecastCases, Labels
from stats.scores.law_terms import law_terms
from stats.spatial.block_size import BlockSize, cross_validation_block
from stats.spatial.discovery import adjusted_p_values
from stats.spatial.lags import lag_classes
from stats.spatial.moran import normal_tail
from stats.spatial.predictive_ability import PredictiveAbility, hering_genton
from stats.spatial.residual_tests import ResidualTest, residual_tests
from stats.spatial.residuals import hurdle_residuals
from stats.spatial.structure import Structure, spatial_structure

COMPARED = ("crps", "log")
LEAST_TOTALS = 799


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochStructure:
    """Spatial structure of the presence score residuals of one epoch.

    Attributes:
        epoch: which.
        structure: Moran's I, correlogram, variogram.
        p_value: one-sided, of Moran's I under the normal law.
        q_value: the same, adjusted over the epochs.
        range_m: distance beyond which neighbours no longer resemble each other [m].
    """

    epoch: Any
    structure: Structure
    p_value: float
    q_value: float
    range_m: float


@dataclass(frozen=True, kw_only=True)
class TotalRow:
    """Observed total and count of an epoch beside what the forecast says of them.

    Attributes:
        epoch: which.
        what: "total" (sum of values) or "count" (of cases above 0).
        observed: what came.
        expected: mean of the forecast.
        low: lower end of the forecast's interval, cases independent.
        high: upper end.
        p_value: two-sided tail of the observed among simulated ones.
    """

    epoch: Any
    what: str
    observed: float
    expected: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidualSection:
    """Everything the call found.

    Attributes:
        scores: terms summed by epoch (and fold, where there are any).
        undefined: scores that these laws do not have, with the reason.
        differences: by score, one row per reference.
        ability: by score and reference, the test on the field of differences.
        reliability: by epoch.
        worm: of all cases.
        structures: one per epoch whose residuals vary.
        block: block size for cross-validation; None where no epoch has a structure.
        tests: of the score residuals.
        coverage: by epoch and decile of the expected value.
        totals: per epoch.
        notes: what the reader must know.
    """

    scores: LabelledSums
    undefined: Mapping[str, str]
    differences: Mapping[str, tuple[PairedDifference, ...]]
    ability: Mapping[tuple[str, str], PredictiveAbility]
    reliability: Mapping[Any, ReliabilityEnvelope]
    worm: QuantileCurve
    structures: tuple[EpochStructure, ...]
    block: BlockSize | None
    tests: tuple[ResidualTest, ...]
    coverage: tuple[CoverageRow, ...]
    totals: tuple[TotalRow, ...]
    notes: tuple[str, ...]


def residual_section(
    cases: ForecastCases,
    *,
    rng: np.random.Generator,
    thresholds: Sequence[float] = (),
    draws: int = 199,
    level: float = 0.95,
    lags: int = 20,
) -> ResidualSection:
    """Score a forecast and look for everything that it leaves unexplained.

    Args:
        cases: forecast, observation, place, epoch, fold, references, predictors.
        rng: source of randomness.
        thresholds: of the threshold-weighted CRPS, in the unit of the value.
        draws: simulated outcomes behind envelopes and totals.
        level: coverage of intervals and envelopes.
        lags: classes of one cell each of the correlograms.

    Raises:
        UndefinedScoreError: a value that the forecast called impossible.

    Example:
        >>> from stats.laws.hurdle import hurdle_lognormal
        >>> rng = np.random.default_rng(0)
        >>> y, x = (axis.ravel() * 1e3 for axis in np.mgrid[:30, :30])
        >>> law = hurdle_lognormal(np.full(900, 0.3), np.zeros(900), np.ones(900))
        >>> cases = ForecastCases(
        ...     law=law, value=law.sample(rng), epoch=np.zeros(900, int), x_m=x, y_m=y, cell_m=1e3
        ... )
        >>> found = residual_section(cases, rng=rng, draws=39)
        >>> found.worm.p_value > 0.05, len(found.totals)
        (True, 2)
    """
    terms = law_terms(cases.law, cases.value, thresholds=thresholds)
    labels: dict[str, Any] = {"epoch": cases.epoch}
    if cases.fold is not None:
        labels["fold"] = np.asarray(cases.fold)
    residuals = hurdle_residuals(cases.law, cases.value)
    structures, notes = _structures(cases, residuals.presence.value, lags)
    block = None
    if structures:
        mask = np.any([cases.lattice(cases.value, e)[1] for e in cases.epochs], axis=0)
        block = cross_validation_block(
            {str(s.epoch): s.range_m for s in structures}, mask, cell_m=cases.cell_m
        )
    differences, ability, more = _against_references(cases, terms.terms, level, rng)
    dependent = [str(s.epoch) for s in structures if s.q_value <= 1.0 - level]
    if dependent:
        notes.append(
            f"neighbouring residuals depend on each other ({', '.join(dependent)}): envelopes and "
            "intervals of reliability, worm and totals, which take cells as independent, are too "
            "narrow"
        )
    expected = cases.law.mean()
    asked = {name: v for name, v in _asked(cases, expected).items() if np.unique(v).size > 1}
    return ResidualSection(
        scores=sum_by(terms.terms, labels), undefined=terms.undefined, differences=differences,
        ability=ability, reliability=_reliability(cases, rng, draws, level),
        worm=quantile_curve(cases.law, cases.value, rng=rng, draws=draws, level=level),
        structures=structures, block=block, tests=residual_tests(residuals, asked),
        coverage=tuple(
            coverage_rows(
                coverage_sums(
                    cases.law, cases.value,
                    {"epoch": cases.epoch, "decile": strata_of(expected)},
                )
            )
        ),
        totals=_totals(cases, rng, draws, level), notes=(*notes, *more),
    )  # fmt: skip


def _asked(cases: ForecastCases, expected: FloatArray) -> dict[str, Labels]:
    """What residuals may depend on: the forecast, within each fold too, predictors, the epoch."""
    asked: dict[str, Labels] = {"forecast": expected, **cases.predictors}
    if cases.fold is not None:
        # A fold that saw its outcomes is right in another way than the others.
        for fold in np.unique(cases.fold):
            inside = np.where(cases.fold == fold, expected, float(np.median(expected)))
            asked[f"forecast, fold {fold}"] = inside
    asked["epoch"] = np.unique(cases.epoch, return_inverse=True)[1].reshape(-1)
    return asked


def _structures(
    cases: ForecastCases, residual: FloatArray, lags: int
) -> tuple[tuple[EpochStructure, ...], list[str]]:
    classes = lag_classes(lags)
    found: list[tuple[Any, Structure, float]] = []
    notes: list[str] = []
    for epoch in cases.epochs:
        values, inside = cases.lattice(residual, epoch)
        try:
            one = spatial_structure(values, inside, classes=classes)[0]
        except UndefinedScoreError as reason:
            notes.append(f"{epoch}: no spatial structure ({reason})")
            continue
        found.append((epoch, one, normal_tail(one.moran.z)))
    if not found:
        return (), notes
    q = adjusted_p_values([p for _, _, p in found])
    return tuple(
        EpochStructure(
            epoch=epoch, structure=one, p_value=p, q_value=float(adjusted),
            range_m=one.correlogram.range() * cases.cell_m,
        )
        for (epoch, one, p), adjusted in zip(found, q, strict=True)
    ), notes  # fmt: skip


def _against_references(
    cases: ForecastCases, terms: Mapping[str, FloatArray], level: float, rng: np.random.Generator
) -> tuple[
    dict[str, tuple[PairedDifference, ...]], dict[tuple[str, str], PredictiveAbility], list[str]
]:
    differences: dict[str, tuple[PairedDifference, ...]] = {}
    ability: dict[tuple[str, str], PredictiveAbility] = {}
    notes: list[str] = []
    others = {name: law_terms(law, cases.value).terms for name, law in cases.references.items()}
    for score in COMPARED:
        rows: list[PairedDifference] = []
        for name, theirs in others.items():
            if score not in terms or score not in theirs:
                notes.append(f"{score} against {name}: one of the two does not have the score")
                continue
            if not (np.isfinite(terms[score]).all() and np.isfinite(theirs[score]).all()):
                notes.append(f"{score} against {name}: one of the two is infinite somewhere")
                continue
            try:
                rows += compare_forecasts(
                    {"forecast": terms[score], name: theirs[score]}, name, cases.x_m, cases.y_m,
                    cell_m=cases.cell_m, rng=rng, level=level,
                )  # fmt: skip
                ability[score, name] = hering_genton(*_fields(cases, terms[score], theirs[score]))
            except UndefinedScoreError as reason:
                notes.append(f"{score} against {name}: {reason}")
        if rows:
            differences[score] = tuple(rows)
    return differences, ability, notes


def _fields(
    cases: ForecastCases, mine: FloatArray, theirs: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(epoch, y, x) terms of both, and where there are cases."""
    planes = [(cases.lattice(mine, e), cases.lattice(theirs, e)[0]) for e in cases.epochs]
    return (
        np.stack([a[0] for a, _ in planes]), np.stack([b for _, b in planes]),
        np.stack([a[1] for a, _ in planes]),
    )  # fmt: skip


def _reliability(
    cases: ForecastCases, rng: np.random.Generator, draws: int, level: float
) -> dict[Any, ReliabilityEnvelope]:
    outcome = cases.value > 0.0
    return {
        epoch: reliability_envelope(
            cases.law.probability[cases.epoch == epoch], outcome[cases.epoch == epoch], rng=rng,
            draws=draws, level=level,
        )
        for epoch in cases.epochs
    }  # fmt: skip


def _totals(
    cases: ForecastCases, rng: np.random.Generator, draws: int, level: float
) -> tuple[TotalRow, ...]:
    # Sums are cheap: as many as tell a p-value below 0.05 / 10 apart.
    draws = max(draws, LEAST_TOTALS)
    drawn = [cases.law.sample(rng) for _ in range(draws)]
    tail = 0.5 * (1.0 - level)
    mean = {"total": cases.law.mean(), "count": cases.law.probability}
    rows = []
    for epoch in cases.epochs:
        here = cases.epoch == epoch
        for what in ("total", "count"):
            sums = np.array([_amount(d[here], what) for d in drawn])
            seen = _amount(cases.value[here], what)
            low, high = np.quantile(sums, [tail, 1.0 - tail])
            least = min(np.count_nonzero(sums >= seen), np.count_nonzero(sums <= seen))
            rows.append(
                TotalRow(
                    epoch=epoch, what=what, observed=seen,
                    expected=float(mean[what][here].sum()), low=float(low), high=float(high),
                    p_value=min(1.0, 2.0 * (least + 1.0) / (draws + 1.0)),
                )
            )  # fmt: skip
    return tuple(rows)


def _amount(values: FloatArray, what: str) -> float:
    return float(values.sum()) if what == "total" else float(np.count_nonzero(values > 0.0))
