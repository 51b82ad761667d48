"""Differences between models on the same patches: paired, because the draws are the same."""

from __future__ import annotations

import numpy as np

from detection.evaluate.pixels import COUNT_SCORES
from detection.evaluate.record import Evaluation
from detection.evaluate.units import Score
from stats.case_arrays import UndefinedScoreError
from stats.resampling.block_bootstrap import draw_blocks


def paired_difference(first: Evaluation, second: Evaluation, score: str = "f1") -> Score:
    """Score of the first model less that of the second, with the interval of the difference.

    Neighbouring models fail at the same places, so the difference is surer than two intervals
    side by side would make one think.

    Args:
        first: evaluation of a model.
        second: of another model on the same patches, with the same settings.
        score: one of precision, recall, f1, iou, mcc.

    Raises:
        ValueError: other patches or other settings.

    Example:
        >>> from detection.evaluate.run import evaluate_patches
        >>> from detection.patches.patch_set import PatchOrigin, PatchSet
        >>> truth = np.zeros((2, 8, 8), bool); truth[:, 2:5, 2:5] = True
        >>> origin = tuple(
        ...     PatchOrigin(scene=name, region="a", epoch="1", row=0, column=0) for name in "ab")
        >>> patches = PatchSet(bands=("red",), unit="1", pixel_m=5.0, truth=truth, origin=origin,
        ...     image=np.zeros((2, 8, 8, 1), np.float32), valid=truth | True, known=truth | True)
        >>> good, half = np.where(truth, 0.9, 0.1), np.full(truth.shape, 0.7)
        >>> one, other = (evaluate_patches(p, patches, 0.5) for p in (good, half))
        >>> round(paired_difference(one, other).value, 3)
        0.753
    """
    if score not in COUNT_SCORES:
        raise ValueError(f"score {score!r}; use one of {', '.join(COUNT_SCORES)}")
    if first.unit_keys != second.unit_keys or not np.array_equal(
        first.unit_counts[:, [0, 2]].sum(axis=1), second.unit_counts[:, [0, 2]].sum(axis=1)
    ):
        raise ValueError(
            f"{first.model!r} and {second.model!r} were scored on other patches, or other blocks"
        )
    function = COUNT_SCORES[score][0]
    tables = first.unit_counts, second.unit_counts

    def statistic(multiplicity: np.ndarray) -> np.ndarray:
        one, other = (function(multiplicity @ table) for table in tables)
        return np.asarray(one - other)

    n = len(first.unit_keys)
    value = float(statistic(np.ones((1, n)))[0])
    if np.isnan(value):
        return Score(value=value, note="one of the two scores is undefined")
    if n < 2:
        return Score(value=value, note=f"no interval: one {first.unit}")
    settings = first.settings
    drawn = draw_blocks(
        np.arange(n), draws=settings.draws, rng=np.random.default_rng(settings.seed),
        unit=first.unit,
    )  # fmt: skip
    try:
        found = drawn.interval(statistic, level=settings.level)
    except UndefinedScoreError as error:
        return Score(value=value, note=f"no interval: {error}")
    return Score(value=value, low=found.low, high=found.high)
