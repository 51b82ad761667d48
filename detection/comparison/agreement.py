r"""How a detected inventory agrees with a reference: objects split and merged, numbers and areas.

Outlines that share ground form groups (`stats.sizes.matching`). A reference landslide is *split*
(fragmentation) where its group holds several detected ones for one of its own, and *merged*
(amalgamation) where one detected outline covers several reference ones. Both change the number and
the size distribution without changing the area much, which is why they are counted by themselves.

Intervals of ratios resample groups, missed and false ones included: the two inventories map the
same ground, so that what agrees in both is drawn in both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stats.case_arrays import FloatArray
from stats.command.object_matching import ObjectMatching
from stats.resampling.block_bootstrap import draw_blocks, statistic_of_sums
from stats.resampling.interval import Interval
from stats.sizes.matching import KINDS

DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class Fragmentation:
    """Groups by what mapping did to them.

    Attributes:
        groups: number of groups by kind: "1:1", "1:n" (merged), "n:1" (split), "n:m", "missed",
            "false".
        split: reference landslides that several detected outlines make up.
        merged: reference landslides that share a detected outline with another.
        found: reference landslides that were found at all.
        fragments: detected outlines per split reference landslide; NaN where none is split.
        members: reference landslides per merging outline; NaN where none merges.
        split_share: split / found; NaN where nothing was found.
        merged_share: merged / found.
        split_area_share: share of the found reference area in split groups.
        merged_area_share: share of it in merging groups.
    """

    groups: dict[str, int]
    split: int
    merged: int
    found: int
    fragments: float
    members: float
    split_share: float
    merged_share: float
    split_area_share: float
    merged_area_share: float


def fragmentation(matched: ObjectMatching) -> Fragmentation:
    """Count what was split and merged.

    Args:
        matched: two inventories, matched.
    """
    groups = matched.matching
    kind, n_predicted, n_reference = groups.kind, groups.n_predicted, groups.n_reference
    both = (n_predicted > 0) & (n_reference > 0)
    # In a group of n to m both happened: it counts as split where outlines outnumber landslides.
    splits = both & (n_predicted > n_reference)
    merges = both & (n_reference > 1)
    area = matched.group_reference_m2
    found, found_area = int(n_reference[both].sum()), float(area[both].sum())

    def share(part: float, whole: float) -> float:
        return part / whole if whole > 0 else float("nan")

    return Fragmentation(
        groups={name: int((kind == code).sum()) for code, name in enumerate(KINDS)},
        split=int(n_reference[splits].sum()),
        merged=int(n_reference[merges].sum()),
        found=found,
        fragments=share(float(n_predicted[splits].sum()), float(n_reference[splits].sum())),
        members=share(float(n_reference[merges].sum()), float(n_predicted[merges].sum())),
        split_share=share(float(n_reference[splits].sum()), found),
        merged_share=share(float(n_reference[merges].sum()), found),
        split_area_share=share(float(area[splits].sum()), found_area),
        merged_area_share=share(float(area[merges].sum()), found_area),
    )


RATIOS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "number_ratio": lambda s: s[:, 0] / s[:, 1],
    "area_ratio": lambda s: s[:, 2] / s[:, 3],
    "recall": lambda s: 1.0 - s[:, 5] / s[:, 1],
    "precision": lambda s: 1.0 - s[:, 6] / s[:, 0],
    "iou": lambda s: s[:, 4] / (s[:, 2] + s[:, 3] - s[:, 4]),
}


def agreement(
    matched: ObjectMatching,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Ratios of number and area, recall, precision and IoU of objects, with intervals.

    number_ratio and area_ratio are detected over reference; recall is the share of reference
    landslides found, precision that of detected ones that match; iou is shared over united area.

    Args:
        matched: two inventories, matched; neither may be empty.
        rng: of the bootstrap of groups.
        draws: number of draws.
        level: nominal coverage.

    Raises:
        ValueError: an inventory without landslides.
    """
    groups = matched.matching
    n_predicted, n_reference = groups.n_predicted, groups.n_reference
    if not (n_predicted.sum() and n_reference.sum()):
        raise ValueError(
            f"found {int(n_predicted.sum())} detected and {int(n_reference.sum())} reference "
            "landslides; expected some of both"
        )
    missed = np.where(n_predicted == 0, n_reference, 0)
    false = np.where(n_reference == 0, n_predicted, 0)
    terms = np.stack(
        [n_predicted, n_reference, matched.group_predicted_m2, matched.group_reference_m2,
         matched.group_shared_m2, missed, false], axis=1,
    ).astype(np.float64)  # fmt: skip
    drawn = draw_blocks(
        np.arange(len(terms)), draws=draws, rng=rng, unit="group of matched landslides"
    )

    def guarded(function: Callable[[FloatArray], FloatArray]) -> Callable[[FloatArray], FloatArray]:
        def value(sums: FloatArray) -> FloatArray:
            with np.errstate(divide="ignore", invalid="ignore"):
                return function(sums)

        return value

    return {
        name: drawn.interval(statistic_of_sums(terms, drawn.block, guarded(function)), level=level)
        for name, function in RATIOS.items()
    }
