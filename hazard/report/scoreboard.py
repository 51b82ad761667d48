"""Look up scores in the tidy scoreboard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hazard.archive.names import FEWEST_POSITIVES
from hazard.report.evaluation import CEILING, IN_SAMPLE, MEAN, NOT_RUN
from hazard.report.score_names import ScoreColumn, interval_text

if TYPE_CHECKING:
    import pandas as pd

GAIN, OVER_BEST, RAIN_GAIN = "_gain", "_gain_over_best", "_rain_gain"
CLOSED, OPTIMISM = "_gap_closed", "_random_minus_blocked"
OBSERVED_RATE = ScoreColumn(score="observed_rate", title="observed rate", threshold_percent=0.0)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One row of the scoreboard.

    Attributes:
        value: the score.
        low: lower end of its interval, NaN where there is none.
        high: upper end.
        level: level of the interval, NaN where there is none.
        n: cases.
        n_blocks: resampled blocks that hold cases; 0 without an interval.
        unit: what was resampled.
        reference: what a difference is measured against.
        note: what a reader must know.
    """

    value: float
    low: float
    high: float
    level: float
    n: int
    n_blocks: int
    unit: str
    reference: str
    note: str

    @property
    def text(self) -> str:
        """Value and interval."""
        return interval_text(self.value, self.low, self.high)

    @property
    def certain(self) -> int:
        """1 where the whole interval is above 0, -1 where below, else 0."""
        if math.isnan(self.low) or math.isnan(self.high):
            return 0
        return int(self.low > 0) - int(self.high < 0)


Key = tuple[str, float | None, str, str, str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class SchemeScores:
    """Scores of one scheme over all folds, in one size of mapping unit, found by name.

    Attributes:
        index: rows by score, threshold, correction, subset, model and epoch.
        models: models with scores, in the order of the scoreboard; ceiling and in-sample rate last.
        epochs: names of epochs with scores, ``mean`` among them where there is one.
    """

    index: Mapping[Key, Found]
    models: Sequence[str]
    epochs: frozenset[str]

    def find(
        self, column: ScoreColumn, *, model: str, epoch: str, suffix: str = ""
    ) -> Found | None:
        """One score, or one of its differences; None where the scoreboard has no such row."""
        score = f"{column.score}{suffix}"
        return self.index.get(
            (score, column.threshold_percent, column.correction, column.subset, model, epoch)
        )

    def in_order(self, order: Sequence[str]) -> list[str]:
        """Epochs with scores, in the order of the study, without their mean."""
        return [name for name in order if name in self.epochs]

    def resampled(self, epoch: str) -> str:
        """Level, number and kind of what was resampled in an epoch, in words."""
        found = [f for key, f in self.index.items() if key[-1] == epoch and f.n_blocks > 0]
        if not found:
            return "No intervals were made."
        number = sorted({f.n_blocks for f in found})
        blocks = str(number[0]) if len(number) == 1 else f"{number[0]} to {number[-1]}"
        units = ", ".join(dict.fromkeys(f.unit for f in found if f.unit))
        text = (
            f"In brackets: {100 * found[0].level:g} % intervals from resampling {blocks} blocks "
            f"({units}); they say nothing about other epochs."
        )
        if self.is_few(epoch):
            text += (
                f" Only {self.positives(epoch)} cells have landslides, fewer than "
                f"{FEWEST_POSITIVES}: nothing can be concluded from these scores."
            )
        return text

    def positives(self, epoch: str) -> int | None:
        """Tested cells with landslides in an epoch; None where the scoreboard does not say."""
        for model in self.models:
            rate = self.find(OBSERVED_RATE, model=model, epoch=epoch)
            if rate is not None and not math.isnan(rate.value):
                return round(rate.value * rate.n)
        return None

    def is_few(self, epoch: str) -> bool:
        """True where an epoch holds too few cells with landslides to conclude anything."""
        positives = self.positives(epoch) if epoch != MEAN else None
        return positives is not None and positives < FEWEST_POSITIVES


def scheme_scores(
    board: pd.DataFrame, scheme: str, *, unit_km: float | None = None
) -> SchemeScores:
    """Scores of a scheme.

    Args:
        board: the scoreboard.
        scheme: name.
        unit_km: side of the mapping unit; absent: the smallest.
    """
    rows = board[(board["scheme"] == scheme) & (board["fold"] == "all")]
    rows = rows[rows["score"] != NOT_RUN]
    wanted = rows["mapping_unit_km"].min() if unit_km is None else unit_km
    rows = rows[rows["mapping_unit_km"].isna() | (rows["mapping_unit_km"] == wanted)]
    index: dict[Key, Found] = {}
    models: dict[str, None] = {}
    row: Any
    for row in rows.itertuples(index=False):
        threshold = None if math.isnan(row.threshold_percent) else float(row.threshold_percent)
        key = (row.score, threshold, row.correction, row.subset, row.model, row.epoch)
        index.setdefault(key, _found(row))
        models[row.model] = None
    special = [name for name in (CEILING, IN_SAMPLE) if name in models]
    return SchemeScores(
        index=index,
        models=[name for name in models if name and name not in special] + special,
        epochs=frozenset(str(name) for name in rows["epoch"]),
    )


def all_differences(
    board: pd.DataFrame, column: ScoreColumn, suffix: str
) -> list[tuple[str, str, str, Found]]:
    """Scheme, model, epoch and row of one kind of difference, wherever it stands."""
    rows = board[
        (board["score"] == f"{column.score}{suffix}")
        & (board["correction"] == column.correction)
        & (board["subset"] == column.subset)
        & (board["fold"] == "all")
    ]
    threshold = rows["threshold_percent"]
    rows = rows[
        threshold.isna()
        if column.threshold_percent is None
        else threshold == column.threshold_percent
    ]
    found: list[Any] = list(rows.itertuples(index=False))
    return [(row.scheme, row.model, row.epoch, _found(row)) for row in found]


def _found(row: Any) -> Found:
    return Found(
        value=float(row.value), low=float(row.low), high=float(row.high), level=float(row.level),
        n=int(row.n), n_blocks=int(row.n_blocks), unit=str(row.unit or ""),
        reference=str(row.reference or ""), note=str(row.note or ""),
    )  # fmt: skip
