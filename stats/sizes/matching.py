"""Which predicted landslides are which reference landslides: groups from overlaps.

Overlap is a relation between single outlines; mapping splits and merges them. So the outlines that
hang together by overlaps form a group, and its kind is the numbers on both sides: one to one, one
predicted over several reference (merged), several predicted in one reference (split), or many to
many. What stands alone was missed, or is false. Geometry stays outside: overlaps come as triplets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from stats.case_arrays import FloatArray, IntArray, as_nonnegative

Kind = Literal["1:1", "1:n", "n:1", "n:m", "missed", "false"]
KINDS: tuple[Kind, ...] = ("1:1", "1:n", "n:1", "n:m", "missed", "false")
LEAST_OVERLAP = 0.1
"""Two outlines are the same ground if they share this part of the smaller one."""


@dataclass(frozen=True, kw_only=True)
class Matching:
    """Groups of predicted and reference landslides.

    Attributes:
        predicted_group: (n,) group of each predicted landslide.
        reference_group: (m,) group of each reference landslide.
        kind: (group,) index into `KINDS`; groups are numbered from 0, those of predicted
            landslides first, in order.
        n_predicted: (group,) predicted landslides in it.
        n_reference: (group,) reference landslides in it.
        pairs: (pair, 2) predicted and reference index of the overlaps that count.
        pair_overlap_m2: (pair,) intersected area of each.
        main_reference: (n,) reference landslide that shares most area with each predicted one; -1
            for false ones.
        main_overlap_m2: (n,) that area; 0 for false ones.
        least_overlap: part of the smaller outline that two must share.
    """

    predicted_group: IntArray
    reference_group: IntArray
    kind: IntArray
    n_predicted: IntArray
    n_reference: IntArray
    pairs: IntArray
    pair_overlap_m2: FloatArray
    main_reference: IntArray
    main_overlap_m2: FloatArray
    least_overlap: float

    def count(self, kind: Kind) -> int:
        """Number of groups of a kind.

        Example:
            >>> matching = match([[0, 0]], [9.0], [10.0, 5.0], [12.0])
            >>> {kind: matching.count(kind) for kind in ("1:1", "missed", "false")}
            {'1:1': 1, 'missed': 0, 'false': 1}
        """
        return int(np.count_nonzero(self.kind == KINDS.index(kind)))

    @property
    def missed(self) -> IntArray:
        """Indices of the reference landslides that no predicted one matches."""
        return np.flatnonzero(self.kind[self.reference_group] == KINDS.index("missed"))

    @property
    def false(self) -> IntArray:
        """Indices of the predicted landslides that match no reference one."""
        return np.flatnonzero(self.kind[self.predicted_group] == KINDS.index("false"))


def match(
    pairs: ArrayLike,
    overlap_m2: ArrayLike,
    predicted_m2: ArrayLike,
    reference_m2: ArrayLike,
    *,
    least_overlap: float = LEAST_OVERLAP,
) -> Matching:
    """Group landslides by their overlaps.

    Args:
        pairs: (pair, 2) index of a predicted and of a reference landslide, each pair once.
        overlap_m2: (pair,) intersected area.
        predicted_m2: (n,) areas of the predicted landslides.
        reference_m2: (m,) areas of the reference landslides.
        least_overlap: pairs that share less than this part of the smaller outline do not count:
            outlines that touch by a sliver would otherwise chain a whole valley into one group.
            0: any shared area counts.

    Raises:
        ValueError: shapes that differ, indices out of range, a pair twice, an overlap larger than
            the smaller of its outlines.

    Example:
        >>> both = match([[0, 0], [0, 1]], [40.0, 60.0], [100.0, 7.0], [50.0, 70.0, 9.0])
        >>> [KINDS[k] for k in both.kind], both.main_reference.tolist()
        (['1:n', 'false', 'missed'], [1, -1])
    """
    predicted = as_nonnegative("predicted_m2", predicted_m2)
    reference = as_nonnegative("reference_m2", reference_m2)
    overlap = as_nonnegative("overlap_m2", overlap_m2)
    index = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    _check(index, overlap, predicted, reference, least_overlap)
    smaller = np.minimum(predicted[index[:, 0]], reference[index[:, 1]])
    counts = (overlap > 0.0) & (overlap >= least_overlap * smaller)
    index, overlap = index[counts], overlap[counts]
    n, m = predicted.size, reference.size
    graph = sparse.coo_array(
        (np.ones(len(index)), (index[:, 0], n + index[:, 1])), shape=(n + m, n + m)
    )
    n_groups, label = sparse.csgraph.connected_components(graph, directed=False)
    # Numbered by first member, so that the order of the inventories is the order of the groups.
    _, first = np.unique(label, return_index=True)
    rank = np.empty(n_groups, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(n_groups)
    group = rank[label]
    in_predicted = np.bincount(group[:n], minlength=n_groups)
    in_reference = np.bincount(group[n:], minlength=n_groups)
    main, main_overlap = _main(index, overlap, n)
    return Matching(
        predicted_group=group[:n],
        reference_group=group[n:],
        kind=_kinds(in_predicted, in_reference),
        n_predicted=in_predicted.astype(np.int64),
        n_reference=in_reference.astype(np.int64),
        pairs=index,
        pair_overlap_m2=overlap,
        main_reference=main,
        main_overlap_m2=main_overlap,
        least_overlap=least_overlap,
    )


def _check(
    index: IntArray,
    overlap: FloatArray,
    predicted: FloatArray,
    reference: FloatArray,
    least_overlap: float,
) -> None:
    if not 0.0 <= least_overlap <= 1.0:
        raise ValueError(f"least_overlap: found {least_overlap}; expected a share, 0 to 1")
    if overlap.shape != (len(index),):
        raise ValueError(f"overlap_m2: found shape {overlap.shape}; expected ({len(index)},)")
    for column, size, name in ((0, predicted.size, "predicted"), (1, reference.size, "reference")):
        wrong = (index[:, column] < 0) | (index[:, column] >= size)
        if wrong.any():
            raise ValueError(
                f"pairs: found {name} landslide {index[wrong, column][0]}; expected 0 to {size - 1}"
            )
    if len(np.unique(index, axis=0)) != len(index):
        raise ValueError("pairs: found a pair twice; expected each once")
    smaller = np.minimum(predicted[index[:, 0]], reference[index[:, 1]])
    # Intersections are computed in floating point and may exceed an outline by a rounding.
    over = overlap > smaller * (1.0 + 1e-6) + 1e-6
    if over.any():
        raise ValueError(
            f"overlap_m2: found {overlap[over][0]:g} m2 shared by outlines of which the smaller "
            f"has {smaller[over][0]:g} m2"
        )


def _kinds(in_predicted: IntArray, in_reference: IntArray) -> IntArray:
    one_p, one_r = in_predicted == 1, in_reference == 1
    return np.select(
        [
            in_reference == 0,
            in_predicted == 0,
            one_p & one_r,
            one_p,
            one_r,
        ],
        [KINDS.index(kind) for kind in ("false", "missed", "1:1", "1:n", "n:1")],
        default=KINDS.index("n:m"),
    ).astype(np.int64)


def _main(index: IntArray, overlap: FloatArray, n: int) -> tuple[IntArray, FloatArray]:
    """For each predicted landslide, the reference one that shares most area with it."""
    main = np.full(n, -1, dtype=np.int64)
    shared = np.zeros(n, dtype=np.float64)
    # Ascending overlap, then descending reference index: the last one written stays.
    order = np.lexsort((-index[:, 1], overlap))
    main[index[order, 0]] = index[order, 1]
    shared[index[order, 0]] = overlap[order]
    return main, shared
