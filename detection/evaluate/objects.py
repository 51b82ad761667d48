"""Landslides as objects: how many of each size are found, and how many mapped ones are real.

An object is a connected component (eight neighbours) on the ground, across patches. A true one is
found where at least a given share of its pixels that count is mapped; a mapped one is confirmed
where at least that share of it is landslide. An object that goes on behind the edge of the ground
or under a cloud is larger than it looks; such ones are counted apart as *cut*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import ndimage

from detection.evaluate.ground import Ground
from detection.evaluate.units import Score, Units, score_of
from stats.resampling.block_bootstrap import Statistic

EIGHT = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, eq=False, kw_only=True)
class Objects:
    """Components of a mask, and how much of each the other mask holds.

    Attributes:
        pixels: (object,) size, where nothing counts too [px].
        share: (object,) share of its pixels that count in the other mask [-].
        cut: (object,) it touches the edge of the ground or pixels that do not count.
        unit: (object,) unit in which most of it lies.
        place: (object, 2) row and column of its centre in the scene [px].
        ground: (object,) number of the piece of ground.
    """

    pixels: Int[ndarray, " object"]
    share: Float[ndarray, " object"]
    cut: Bool[ndarray, " object"]
    unit: Int[ndarray, " object"]
    place: Float[ndarray, "object 2"]
    ground: Int[ndarray, " object"]


@dataclass(frozen=True, kw_only=True)
class SizeClass:
    """Objects of one size class.

    Attributes:
        low: lower end of the class [`unit`].
        high: upper end, exclusive; None for the last.
        unit: ``m2`` or ``px``.
        landslides: true objects.
        cut: those of them that are cut.
        found: those of which the asked share is mapped.
        touched: those of which any pixel is mapped.
        recall: found / landslides.
        mapped: mapped objects.
        confirmed: those of which the asked share is landslide.
        precision: confirmed / mapped.
    """

    low: float
    high: float | None
    unit: str
    landslides: int
    cut: int
    found: int
    touched: int
    recall: Score
    mapped: int
    confirmed: int
    precision: Score

    @property
    def label(self) -> str:
        """The class in words.

        Example:
            >>> size_label(500.0, 2000.0, "m2"), size_label(2000.0, None, "px")
            ('500 to 2,000 m2', 'from 2,000 px')
        """
        return size_label(self.low, self.high, self.unit)


def size_label(low: float, high: float | None, unit: str) -> str:
    """A size class in words."""
    if high is None:
        return f"from {low:,.0f} {unit}"
    return f"below {high:,.0f} {unit}" if low == 0 else f"{low:,.0f} to {high:,.0f} {unit}"


def find_objects(
    grounds: Sequence[Ground], units: Units, threshold: float, *, mapped: bool
) -> Objects:
    """True objects, or mapped ones.

    Args:
        grounds: pieces of ground.
        units: units of their pixels.
        threshold: of the probability.
        mapped: objects of the map, judged by truth, instead of those of truth, judged by the map.
    """
    columns: list[tuple[ndarray, ...]] = []
    for number, (ground, unit) in enumerate(zip(grounds, units.of_pixels, strict=True)):
        prediction = ground.counted & (ground.probability >= threshold)
        own, other = (prediction, ground.truth) if mapped else (ground.truth, prediction)
        label, count = ndimage.label(own, structure=EIGHT)
        if count == 0:
            continue
        index = label[own]
        pixels = np.bincount(index, minlength=count + 1)[1:]
        counted = np.bincount(label[own & ground.counted], minlength=count + 1)[1:]
        shared = np.bincount(label[own & ground.counted & other], minlength=count + 1)[1:]
        hidden = np.pad(ground.counted, 1, constant_values=False)
        edge = ~ndimage.binary_erosion(hidden, structure=EIGHT)[1:-1, 1:-1]
        cut = np.bincount(label[own & edge], minlength=count + 1)[1:] > 0
        rows, cols = np.nonzero(own)
        centre = np.stack(
            [
                np.bincount(index, along, count + 1)[1:] / pixels + first
                for along, first in ((rows, ground.row), (cols, ground.column))
            ],
            axis=1,
        )
        seen = counted > 0
        columns.append(
            (
                pixels[seen], (shared[seen] / counted[seen]), cut[seen],
                _main_unit(label, own & ground.counted, unit, count)[seen], centre[seen],
                np.full(int(seen.sum()), number),
            )
        )  # fmt: skip
    if not columns:
        none = np.zeros(0, dtype=np.int64)
        return Objects(
            pixels=none, share=np.zeros(0), cut=np.zeros(0, bool), unit=none,
            place=np.zeros((0, 2)), ground=none,
        )  # fmt: skip
    joined = [np.concatenate(parts) for parts in zip(*columns, strict=True)]
    pixels, share, cut, at, place, ground_of = joined
    return Objects(pixels=pixels, share=share, cut=cut, unit=at, place=place, ground=ground_of)


def _main_unit(label: ndarray, own: ndarray, unit: ndarray, count: int) -> ndarray:
    """Unit that holds most pixels of every object that count; 0 for objects without any."""
    pairs, number = np.unique(np.stack([label[own], unit[own]], axis=1), axis=0, return_counts=True)
    order = np.lexsort((-number, pairs[:, 0]))
    first, where = np.unique(pairs[order, 0], return_index=True)
    found = np.zeros(count, dtype=np.int64)
    found[first - 1] = pairs[order, 1][where]
    return found


def size_classes(
    landslides: Objects,
    mapped: Objects,
    units: Units,
    *,
    edges: Sequence[float],
    pixel_m: float | None,
    overlap: float,
) -> tuple[SizeClass, ...]:
    """Recall and precision of objects by size, the last row over all sizes.

    Args:
        landslides: true objects.
        mapped: mapped objects.
        units: what is drawn.
        edges: lower ends of the classes [m2; pixels where `pixel_m` is None].
        pixel_m: side of a pixel [m].
        overlap: share that makes an object found or confirmed.
    """
    area = 1.0 if pixel_m is None else pixel_m**2
    unit = "px" if pixel_m is None else "m2"
    ends: list[tuple[float, float | None]] = list(zip(edges, [*edges[1:], None], strict=True))
    found = []
    for low, high in [*ends, (0.0, None)]:
        parts = [_of_size(o, low / area, np.inf if high is None else high / area)
                 for o in (landslides, mapped)]  # fmt: skip
        scores = []
        for objects, chosen, nothing in zip(
            (landslides, mapped), parts, ("no landslide of this size", "nothing of this size"),
            strict=True,
        ):  # fmt: skip
            sums = np.stack(
                [
                    units.sums(objects.unit[chosen]),
                    units.sums(objects.unit[chosen], objects.share[chosen] >= overlap),
                ],
                axis=1,
            )
            scores.append(score_of(_share_of(sums), units, undefined=nothing))
        true, map_ = parts
        found.append(
            SizeClass(
                low=low, high=high, unit=unit, landslides=int(true.sum()),
                cut=int(landslides.cut[true].sum()),
                found=int((landslides.share[true] >= overlap).sum()),
                touched=int((landslides.share[true] > 0).sum()), recall=scores[0],
                mapped=int(map_.sum()), confirmed=int((mapped.share[map_] >= overlap).sum()),
                precision=scores[1],
            )
        )  # fmt: skip
    return tuple(found)


def _of_size(objects: Objects, low_px: float, high_px: float) -> ndarray:
    # Areas are whole pixels; a hair settles edges that rounding moved.
    return (objects.pixels >= low_px - 1e-9) & (objects.pixels < high_px - 1e-9)


def _share_of(sums: ndarray) -> Statistic:
    def statistic(multiplicity: ndarray) -> ndarray:
        total = multiplicity @ sums
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total[:, 0] > 0, total[:, 1] / total[:, 0], np.nan)

    return statistic
