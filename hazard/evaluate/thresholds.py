"""Thresholds of probability that were chosen without the cells they are applied to.

First choice: held-out forecasts of the other folds of the same scheme (of earlier epochs alone,
where the scheme keeps the future away). Second: the threshold that the fit stored with the fold,
chosen on its validation or training part. Where there is neither, nothing is classified, and the
row of the scoreboard says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hazard.evaluate.cases import Cases
from stats.case_arrays import BoolArray, FloatArray, IntArray, UndefinedScoreError
from stats.resampling.folds import FUTURE
from stats.scores.contingency import Criterion, choose_threshold

OTHER_FOLDS = "threshold from held-out forecasts of the other folds"
EARLIER_EPOCHS = "threshold from held-out forecasts of earlier epochs"
STORED = "threshold stored with the fold (its validation or training part)"
NONE = "no threshold: no other fold was forecast before, and none is stored with the fold"


@dataclass(frozen=True, eq=False)
class Cut:
    """Thresholds of the cases of one epoch.

    Attributes:
        threshold: (case,) alarm where the probability is at or above it; NaN where there is none.
        note: where it comes from.
    """

    threshold: FloatArray
    note: str


class Thresholds:
    """Chooses thresholds for one model under one scheme.

    Args:
        by_epoch: tested cells of every epoch of the scheme.
        forward: True where later epochs must not be looked at.
        stored: from criterion and level [percent] to (fold,) thresholds stored by the fit, NaN
            where none was chosen.
    """

    def __init__(
        self,
        by_epoch: Mapping[int, Cases],
        *,
        forward: bool,
        stored: Callable[[Criterion, float], FloatArray | None] = lambda criterion, level: None,
    ) -> None:
        self.by_epoch, self.forward, self.stored = by_epoch, forward, stored
        self._pooled: dict[tuple[float, int | None], _Pooled] = {}
        self._chosen: dict[tuple[float, Criterion, int, int | None], tuple[float, str]] = {}

    def cut(self, epoch: int, *, level_percent: float, criterion: Criterion) -> Cut:
        """Thresholds of P(density >= level) for one epoch.

        Args:
            epoch: number of the epoch to be cut.
            level_percent: presence is density of at least this.
            criterion: what the threshold maximises.
        """
        folds = self.by_epoch[epoch].fold
        threshold = np.full(folds.shape, np.nan)
        notes = set()
        for fold in np.unique(folds):
            value, note = self._of_fold(int(fold), epoch, level_percent, criterion)
            threshold[folds == fold] = value
            notes.add(note)
        return Cut(threshold, "; ".join(sorted(notes)))

    def _of_fold(
        self, fold: int, epoch: int, level: float, criterion: Criterion
    ) -> tuple[float, str]:
        before = epoch if self.forward else None
        key = (level, criterion, fold, before)
        if key not in self._chosen:
            self._chosen[key] = self._choose(fold, before, level, criterion)
        return self._chosen[key]

    def _choose(
        self, fold: int, before: int | None, level: float, criterion: Criterion
    ) -> tuple[float, str]:
        pooled = self._pool(level, before)
        other = pooled.fold != fold
        if other.any():
            try:
                value = choose_threshold(
                    pooled.score[other], pooled.outcome[other], maximise=criterion
                )
            except UndefinedScoreError:
                # No event among the other folds: the stored threshold is next in line.
                pass
            else:
                return value, EARLIER_EPOCHS if self.forward else OTHER_FOLDS
        stored = self.stored(criterion, level)
        if stored is not None and fold < len(stored) and np.isfinite(stored[fold]):
            return float(stored[fold]), STORED
        return float("nan"), NONE

    def _pool(self, level: float, before: int | None) -> _Pooled:
        """Forecasts of all folds, highest first: masks of a sorted array stay sorted."""
        if (level, before) not in self._pooled:
            used = [c for e, c in self.by_epoch.items() if before is None or e < before]
            empty = np.zeros(0)
            score = np.concatenate([empty, *(c.exceedance(level) for c in used)])
            outcome = np.concatenate([empty, *(c.present(level) for c in used)]) > 0.0
            fold = np.concatenate([empty, *(c.fold for c in used)]).astype(np.int64)
            order = np.argsort(-score, kind="stable")
            self._pooled[level, before] = _Pooled(score[order], outcome[order], fold[order])
        return self._pooled[level, before]


@dataclass(frozen=True, eq=False)
class _Pooled:
    """Sorted forecasts of several epochs, each (case,)."""

    score: FloatArray
    outcome: BoolArray
    fold: IntArray


def keeps_future_away(separates: tuple[str, ...]) -> bool:
    """True for a scheme whose training lies before its test.

    Example:
        >>> keeps_future_away(("epoch", "future")), keeps_future_away(("place",))
        (True, False)
    """
    return FUTURE in separates
