r"""Boundary F1: how much of two outlines runs within a tolerance of each other.

The outline of a map are its pixels with a pixel beside them (four neighbours) that is not mapped.
With P the share of the mapped outline within the tolerance of the true one, and R the share of the
true outline within the tolerance of the mapped one, :math:`F = 2PR / (P + R)`; pixels of outlines
are pooled like all others. Nothing is known beyond pixels that were not seen or mapped, so pixels
of an outline within the tolerance of those are not judged, though they may match others.

G. Csurka, D. Larlus, F. Perronnin & F. Meylan (2013), What is a good evaluation measure for
semantic segmentation?, BMVC, 32.1-32.11, doi:10.5244/C.27.32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

from detection.evaluate.ground import Ground
from detection.evaluate.pixels import NO_TRUTH
from detection.evaluate.units import Score, Units, score_of
from stats.resampling.block_bootstrap import Statistic

_SLACK = 1e-9


def outline(mask: Bool[ndarray, "y x"], known: Bool[ndarray, "y x"]) -> Bool[ndarray, "y x"]:
    """Pixels of a mask beside a known pixel outside it.

    Example:
        >>> mask = np.zeros((5, 5), bool); mask[1:4, 1:4] = True
        >>> outline(mask, np.ones((5, 5), bool)).sum()
        np.int64(8)
    """
    outside = known & ~mask
    return mask & known & ndimage.binary_dilation(outside)


def outline_counts(
    grounds: Sequence[Ground], units: Units, threshold: float, tolerance_px: float
) -> Float[ndarray, "unit 4"]:
    """Pixels of mapped outlines, those that match, pixels of true outlines, those that match.

    Args:
        grounds: pieces of ground.
        units: units of their pixels.
        threshold: of the probability.
        tolerance_px: largest distance between centres of pixels that match [px].
    """
    total = np.zeros((len(units.keys), 4))
    for ground, unit in zip(grounds, units.of_pixels, strict=True):
        mapped = outline(ground.counted & (ground.probability >= threshold), ground.counted)
        true = outline(ground.counted & ground.truth, ground.counted)
        judged = _distance(np.pad(~ground.counted, 1, constant_values=True))[1:-1, 1:-1]
        inner = judged > tolerance_px + _SLACK
        columns = []
        for own, other in ((mapped, true), (true, mapped)):
            kept = own & inner
            near = kept & (_distance(other) <= tolerance_px + _SLACK)
            columns += [units.sums(unit[kept]), units.sums(unit[near])]
        total += np.stack(columns, axis=1)
    return total


def outline_scores(counts: Float[ndarray, "unit 4"], units: Units) -> dict[str, Score]:
    """Boundary precision, recall and F1, with intervals."""
    reasons = {
        "boundary_precision": "no outline is mapped",
        "boundary_recall": NO_TRUTH,
        "boundary_f1": "no outline is mapped or no landslide is there",
    }

    def values(name: str, sums: ndarray) -> ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            precision, recall = sums[:, 1] / sums[:, 0], sums[:, 3] / sums[:, 2]
            both = np.where(
                precision + recall > 0, 2 * precision * recall / (precision + recall), 0.0
            )
        # Comparisons with NaN are False: an undefined part must not count as 0.
        both = np.where(np.isnan(precision) | np.isnan(recall), np.nan, both)
        return {"boundary_precision": precision, "boundary_recall": recall}.get(name, both)

    def statistic(name: str) -> Statistic:
        return lambda multiplicity: values(name, multiplicity @ counts)

    return {
        name: score_of(statistic(name), units, undefined=reason) for name, reason in reasons.items()
    }


def _distance(mask: Bool[ndarray, "y x"]) -> Float[ndarray, "y x"]:
    """Distance to the nearest pixel of the mask [px]; infinite where there is none."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~mask), dtype=np.float64)
