"""F1 or MCC of every training on every region, with intervals that are paired by construction.

Ground is resampled: all patches of a block in all epochs together, drawn once per region and used
for every training, so that differences on one region are paired. Draws of different regions are
independent, so a mean over regions is a statement about these regions with other ground like it,
not about other regions. What a second training with another seed would give is not in the
intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from detection.chain.counts import SceneCounts
from stats.case_arrays import UndefinedScoreError
from stats.resampling.block_bootstrap import draw_blocks
from stats.resampling.interval import Interval, interval_of_draws
from stats.scores.contingency import f1_of_counts, mcc_of_counts

Ground = Literal["unseen", "all"]
Scope = Literal["event", "other"]
Measure = Literal["f1", "mcc"]
_OF_COUNTS: Mapping[Measure, Callable[[ndarray], ndarray]] = {
    "f1": f1_of_counts,
    "mcc": mcc_of_counts,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimate:
    """A number with its bootstrap draws.

    Attributes:
        value: from all blocks; NaN where it is not defined.
        draws: (draw,) of each draw.
        n: number of blocks; of several regions, the smallest.
        unit: what was resampled.
    """

    value: float
    draws: Float[ndarray, " draw"]
    n: int
    unit: str

    def __sub__(self, other: Estimate) -> Estimate:
        return combine(lambda pair: pair[0] - pair[1], (self, other))

    def interval(self, level: float = 0.95) -> Interval | None:
        """Expanded percentiles of the draws; None where too little is defined.

        Example:
            >>> one = Estimate(value=0.5, draws=np.linspace(0.4, 0.6, 11), n=50, unit="block")
            >>> found = one.interval()
            >>> round(found.low, 2), round(found.high, 2)
            (0.4, 0.6)
        """
        try:
            return interval_of_draws(self.value, self.draws, n=self.n, unit=self.unit, level=level)
        except UndefinedScoreError:
            return None


def combine(
    function: Callable[[Float[ndarray, "estimate draw"]], Float[ndarray, " draw"]],
    estimates: Sequence[Estimate],
) -> Estimate:
    """A function of several numbers, draw by draw.

    Raises:
        ValueError: no estimates.

    Example:
        >>> one = Estimate(value=0.5, draws=np.array([0.4, 0.6]), n=9, unit="block")
        >>> combine(lambda rows: rows.max(axis=0), [one, one]).value
        0.5
    """
    if not estimates:
        raise ValueError("nothing to combine")
    values = function(np.array([[e.value] for e in estimates]))
    return Estimate(
        value=float(values[0]),
        draws=function(np.stack([e.draws for e in estimates])),
        n=min(e.n for e in estimates),
        unit=estimates[0].unit,
    )


def mean_of_estimates(estimates: Sequence[Estimate]) -> Estimate:
    """Mean, such as over regions; undefined where one of them is."""
    return combine(lambda rows: rows.mean(axis=0), estimates)


class ScoreTable:
    """Counts of all trainings, with draws of ground per region.

    Args:
        scenes: counts of every training on every region and epoch.
        event_epochs: name of the event epoch of each region.
        draws: number of bootstrap draws.
        seed: of the draws.
        ground: ``unseen`` scores ground that no training saw in any epoch; ``all`` scores every
            patch, as the published study does for the epochs that were not trained on.
        unit: what a block is, in words.
        measure: the score: F1, or Matthews correlation.

    Raises:
        ValueError: a training, region and epoch twice, or no ground of a region to score.
    """

    def __init__(
        self,
        scenes: Iterable[SceneCounts],
        event_epochs: Mapping[str, str],
        *,
        draws: int = 400,
        seed: int = 0,
        ground: Ground = "unseen",
        unit: str = "block",
        measure: Measure = "f1",
    ) -> None:
        self.ground, self.unit, self.measure = ground, unit, measure
        self.event_epochs = dict(event_epochs)
        self._scenes: dict[tuple[str, str, str], SceneCounts] = {}
        for scene in scenes:
            key = (scene.training, scene.region, scene.epoch)
            if key in self._scenes:
                raise ValueError(f"counts of {' '.join(key)} twice")
            self._scenes[key] = scene
        self._labels: dict[str, Int[ndarray, " block"]] = {}
        self._times: dict[str, Float[ndarray, "draw block"]] = {}
        for number, region in enumerate(self.event_epochs):
            blocks = [s.block[self._used(s)] for s in self._scenes.values() if s.region == region]
            labels = np.unique(np.concatenate(blocks)) if blocks else np.empty(0, np.int64)
            if labels.size == 0:
                raise ValueError(f"region {region!r}: no patch on {ground} ground to score")
            self._labels[region] = labels
            # Of the number of the region alone: adding a training changes no draw.
            rng = np.random.default_rng((seed, number))
            self._times[region] = draw_blocks(
                np.arange(labels.size), draws=draws, rng=rng, unit=unit
            ).multiplicity

    def _used(self, scene: SceneCounts) -> ndarray:
        return scene.unseen if self.ground == "unseen" else np.ones_like(scene.unseen)

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions that are scored."""
        return tuple(self.event_epochs)

    def epochs(self, region: str, scope: Scope | None = None) -> tuple[str, ...]:
        """Epochs of a region: all, the event's, or the others."""
        found = dict.fromkeys(k[2] for k in self._scenes if k[1] == region)
        event = self.event_epochs[region]
        if scope is None:
            return tuple(found)
        return tuple(e for e in found if (e == event) == (scope == "event"))

    def n_blocks(self, region: str) -> int:
        """Number of blocks that are drawn."""
        return int(self._labels[region].size)

    def counts(self, training: str, region: str, epochs: Sequence[str]) -> ndarray:
        """(block, 4) pooled counts of some epochs.

        Raises:
            KeyError: a scene that was not scored.
        """
        labels = self._labels[region]
        sums = np.zeros((labels.size, 4))
        for epoch in epochs:
            scene = self._scenes[(training, region, epoch)]
            used = self._used(scene)
            np.add.at(sums, np.searchsorted(labels, scene.block[used]), scene.counts[used])
        return sums

    def score(self, training: str, region: str, epochs: Sequence[str]) -> Estimate:
        """The measure of the pixels of some epochs, pooled."""
        return self._estimate(region, self.counts(training, region, epochs))

    def no_skill(self, region: str, epochs: Sequence[str]) -> Estimate:
        """Score of calling everything a landslide: what is free of charge.

        F1: 2 p / (1 + p) with the share p of landslide; MCC: 0, for there is nothing to correlate.
        """
        training = next(k[0] for k in self._scenes if k[1] == region)
        tp, fp, fn, tn = self.counts(training, region, epochs).T
        nothing = np.zeros_like(tp)
        found = self._estimate(region, np.stack([tp + fn, fp + tn, nothing, nothing], axis=1))
        if self.measure == "mcc":
            return replace(found, value=0.0, draws=np.zeros_like(found.draws))
        return found

    def _estimate(self, region: str, counts: ndarray) -> Estimate:
        times, function = self._times[region], _OF_COUNTS[self.measure]
        return Estimate(
            value=float(function(counts.sum(axis=0))),
            draws=function(times @ counts),
            n=self.n_blocks(region),
            unit=self.unit,
        )
