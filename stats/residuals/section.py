r"""The whole residual section of a paper from one call.

1. proper scores per epoch: Brier of presence, log, CRPS, threshold-weighted CRPS, quantile and
   interval scores of the hurdle law;
2. differences of the CRPS and the log score to named references, with intervals by blocks as long
   as the dependence asks for, and the Hering-Genton test;
3. CORP reliability of presence per epoch, with an envelope under calibration;
4. randomised PIT and the worm of quantile residuals, of all cases and per epoch, with envelopes
   of the whole histogram and curve;
5. Moran's I, correlogram, variogram and range of the presence score residuals per epoch, false
   discoveries held over epochs, permutation envelopes, and the block size that follows; whether
   errors of one epoch come back in the next;
6. bias, spread and dependence of the residuals on the forecast (also within each fold), the epoch
   and every predictor, false discoveries held over all these questions; where point 5 finds
   dependence they are put once more with blocks in place of cases;
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
from stats.calibration.pit_histogram import PitHistogram, pit_histogram
from stats.calibration.reliability_envelope import ReliabilityEnvelope, reliability_envelope
from stats.calibration.worm import QuantileCurve, quantile_curve
from stats.case_arrays import FloatArray, UndefinedScoreError
from stats.resampling.folds_spatial import block_of_cells
from stats.resampling.paired import PairedDifference, compare_forecasts
from stats.residuals.cases import ForecastCases, Labels
from stats.residuals.persistence import Persistence, persistence
from stats.residuals.structure import EpochStructure, block_of, epoch_structures
from stats.residuals.totals import TotalRow, total_rows
from stats.scores.law_terms import law_terms
from stats.spatial.block_size import BlockSize
from stats.spatial.predictive_ability import PredictiveAbility, hering_genton
from stats.spatial.residual_tests import ResidualTest, residual_tests
from stats.spatial.residuals import HurdleResiduals, hurdle_residuals

COMPARED = ("crps", "log")
# Fewer blocks do not tell how much the sum over blocks scatters.
FEWEST_BLOCKS = 20
SIDES_IN_CELLS, ENOUGH_BLOCKS = (10, 5), 30


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidualSection:
    """Everything the call found.

    Attributes:
        scores: terms summed by epoch (and fold, where there are any).
        undefined: scores that these laws do not have, with the reason.
        terms: (case,) terms of the forecast by score, for maps.
        differences: by score, one row per reference.
        ability: by score and reference, the test on the field of differences.
        best: the reference with the lowest mean of the last score compared; None without any.
        best_terms: (case,) terms of that reference by score.
        reliability: by epoch.
        worm: of all cases.
        worms: by epoch.
        pits: histograms of the transform, by epoch.
        structures: one per epoch whose residuals vary.
        block: block size for cross-validation; None where no epoch has a structure.
        persistence: residuals of neighbouring epochs against each other.
        tests: of the score residuals, cases independent given the forecast.
        block_tests: the same questions, with the scatter of whole blocks; empty where neighbours
            are not seen to depend on each other, or where blocks are too few.
        test_block_m: side of these blocks, and of those of `persistence` [m]; 0 without any.
        coverage: by epoch and decile of the expected value.
        totals: per epoch.
        notes: what the reader must know.
    """

    scores: LabelledSums
    undefined: Mapping[str, str]
    terms: Mapping[str, FloatArray]
    differences: Mapping[str, tuple[PairedDifference, ...]]
    ability: Mapping[tuple[str, str], PredictiveAbility]
    best: str | None
    best_terms: Mapping[str, FloatArray]
    reliability: Mapping[Any, ReliabilityEnvelope]
    worm: QuantileCurve
    worms: Mapping[Any, QuantileCurve]
    pits: Mapping[Any, PitHistogram]
    structures: tuple[EpochStructure, ...]
    block: BlockSize | None
    persistence: tuple[Persistence, ...]
    tests: tuple[ResidualTest, ...]
    block_tests: tuple[ResidualTest, ...]
    test_block_m: float
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
    permutations: int = 99,
) -> ResidualSection:
    """Score a forecast and look for everything that it leaves unexplained.

    Args:
        cases: forecast, observation, place, epoch, fold, references, predictors.
        rng: source of randomness.
        thresholds: of the threshold-weighted CRPS, in the unit of the value.
        draws: simulated outcomes behind envelopes and totals.
        level: coverage of intervals and envelopes.
        lags: classes of one cell each of the correlograms.
        permutations: dealings behind the envelopes of correlograms and variograms; 0 for none.

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
    structures, notes = epoch_structures(
        cases, residuals.presence.value, lags=lags, permutations=permutations, rng=rng
    )
    block = block_of(cases, structures)
    others = {name: law_terms(law, cases.value).terms for name, law in cases.references.items()}
    differences, ability, more = _against_references(cases, terms.terms, others, level, rng)
    best = _best(others, differences)
    dependent = [str(s.epoch) for s in structures if s.q_value <= 1.0 - level]
    if dependent:
        notes.append(
            f"neighbouring residuals depend on each other ({', '.join(dependent)}): envelopes and "
            "intervals of reliability, worm and totals, which take cells as independent, are too "
            "narrow"
        )
    expected = cases.law.mean()
    asked = questions_of(cases, expected)
    block_tests: tuple[ResidualTest, ...] = ()
    side = 0.0 if block is None else _test_block(cases, block)
    if dependent:
        block_tests, said = _block_tests(cases, residuals, asked, side)
        notes += said
    by_epoch = {e: np.flatnonzero(cases.epoch == e) for e in cases.epochs}
    drawn: dict[str, Any] = {"rng": rng, "draws": draws, "level": level}
    parts = {e: (cases.law.take(at), cases.value[at]) for e, at in by_epoch.items()}
    return ResidualSection(
        scores=sum_by(terms.terms, labels), undefined=terms.undefined, terms=terms.terms,
        differences=differences, ability=ability, best=best,
        best_terms={} if best is None else others[best],
        reliability={
            e: reliability_envelope(law.probability, value > 0.0, **drawn)
            for e, (law, value) in parts.items()
        },
        worm=quantile_curve(cases.law, cases.value, **drawn),
        worms={e: quantile_curve(law, value, **drawn) for e, (law, value) in parts.items()},
        pits={e: pit_histogram(law, value, **drawn) for e, (law, value) in parts.items()},
        structures=structures, block=block,
        persistence=() if not side else persistence(
            cases, residuals.presence.value, block_m=side
        ),
        tests=residual_tests(residuals, asked),
        block_tests=block_tests, test_block_m=side,
        coverage=tuple(
            coverage_rows(
                coverage_sums(
                    cases.law, cases.value,
                    {"epoch": cases.epoch, "decile": strata_of(expected)},
                )
            )
        ),
        totals=total_rows(cases, **drawn), notes=(*notes, *more),
    )  # fmt: skip


def _best(
    others: Mapping[str, Mapping[str, FloatArray]],
    differences: Mapping[str, tuple[PairedDifference, ...]],
) -> str | None:
    """The reference that is hardest to beat by the last score compared: chosen with hindsight."""
    for score in reversed(COMPARED):
        means = {row.second: row.second_mean for row in differences.get(score, ())}
        if means:
            return min(means, key=lambda name: means[name])
    return None


def _test_block(cases: ForecastCases, block: BlockSize) -> float:
    """Side of the blocks of tests [m]: the range of the residuals, and ten cells where they fit.

    Blocks of single cells would hold that no neighbours share anything, which is never certain;
    those of five cells keep the level of a test less well than those of ten (docs/residuals.md).
    """
    side = block.side_m
    for cells in SIDES_IN_CELLS:
        side = max(block.side_m, cells * cases.cell_m)
        if np.unique(block_of_cells(cases.x_m, cases.y_m, block_m=side)).size >= ENOUGH_BLOCKS:
            break
    return side


def _block_tests(
    cases: ForecastCases, residuals: HurdleResiduals, asked: Mapping[str, Labels], side_m: float
) -> tuple[tuple[ResidualTest, ...], list[str]]:
    """The questions with the scatter of blocks: neighbours that share errors do not count twice."""
    number = block_of_cells(cases.x_m, cases.y_m, block_m=side_m)
    n_blocks = np.unique(number).size
    if n_blocks < FEWEST_BLOCKS:
        return (), [
            f"questions to residuals take cells as independent: {n_blocks} blocks of "
            f"{side_m / 1000.0:g} km are too few to do better"
        ]
    finer = block_of_cells(cases.x_m, cases.y_m, block_m=0.5 * side_m)
    try:
        found = residual_tests(
            residuals, asked, covariance="blocks", block=number, finer_block=finer
        )
    except UndefinedScoreError as reason:
        return (), [f"questions to residuals take cells as independent ({reason})"]
    return found, []


def questions_of(cases: ForecastCases, expected: FloatArray) -> dict[str, Labels]:
    """What residuals may depend on: the forecast, within each fold too, predictors, the epoch.

    Args:
        cases: with predictors and folds.
        expected: (case,) expected values of the forecast.
    """
    asked: dict[str, Labels] = {"forecast": expected, **cases.predictors}
    if cases.fold is not None:
        # A fold that saw its outcomes is right in another way than the others.
        for fold in np.unique(cases.fold):
            inside = np.where(cases.fold == fold, expected, float(np.median(expected)))
            asked[f"forecast, fold {fold}"] = inside
    asked["epoch"] = np.unique(cases.epoch, return_inverse=True)[1].reshape(-1)
    # What does not vary is no question.
    return {name: v for name, v in asked.items() if np.unique(v).size > 1}


def _against_references(
    cases: ForecastCases,
    terms: Mapping[str, FloatArray],
    others: Mapping[str, Mapping[str, FloatArray]],
    level: float,
    rng: np.random.Generator,
) -> tuple[
    dict[str, tuple[PairedDifference, ...]], dict[tuple[str, str], PredictiveAbility], list[str]
]:
    differences: dict[str, tuple[PairedDifference, ...]] = {}
    ability: dict[tuple[str, str], PredictiveAbility] = {}
    notes: list[str] = []
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
