"""Find patches that adjoin each other by their edges, where nobody says where they lie.

Published sets come cut and unplaced, yet their patches were cut side by side. The last column of
one and the first column of its neighbour are one pixel apart on the ground and look alike: both
their values and their steps from pixel to pixel correlate, the latter hardly ever by chance. By
chance the correlation r of the steps of two edges of n pixels, whose autocorrelations at lag k are
a_k and b_k, has the variance (Bartlett 1946, Supplement to the Journal of the Royal Statistical
Society 8, 27-41)

    Var(r) = (1 + 2 sum_k a_k b_k) / n,

so smooth edges, which resemble each other more easily, must agree better. A pair counts where r is
at least `LEAST_STEPS` and `DEVIATIONS` standard deviations. Over the twelve Hokkaido patches (256
px) steps of the nine true neighbours correlate by 0.64 or more, those of the 255 others by 0.23 at
most; of 66 neighbours among their quarters (128 px) 65 are found, and of 576 among tiles of 128 px
of the Nepal images 473, none in either that is not one. Patches below `SMALLEST_PX` are too small
to be told apart: place them by their numbers, or compare what they were cut from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from detection.patches.patch_set import PatchSet

LEAST_VALUES, LEAST_STEPS = 0.7, 0.4
DEVIATIONS = 4.0
LEAST_SEEN = 0.8  # share of an edge that must have been seen
SMALLEST_PX = 96
ROWS = 1024

Side = Literal["right", "below"]


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Two patches whose edges continue each other.

    Attributes:
        first: number of the patch to the left or above.
        second: number of the patch to the right of it or below.
        side: where the second lies.
        correlation: of the steps along the common edge.
    """

    first: int
    second: int
    side: Side
    correlation: float


def _unit(edges: Float[ndarray, "patch pixel band"], seen: Bool[ndarray, "patch pixel"]) -> ndarray:
    """Every band of mean 0 and length 1 over the pixels seen, 0 elsewhere; bands side by side."""
    weight = seen[..., None].astype(np.float64)
    mean = (edges * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
    centred = (edges - mean[:, None]) * weight
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    size = np.abs(edges * weight).max(axis=1, keepdims=True)
    ok = length > 1e-5 * (size + 1e-12)
    scaled = np.where(ok, centred / np.where(ok, length, 1), 0)
    return (scaled / np.sqrt(edges.shape[-1])).reshape(len(edges), -1).astype(np.float32)


def adjoining_patches(
    patches: PatchSet, *, among: Int[ndarray, " patch"] | None = None
) -> tuple[Neighbours, ...]:
    """Pairs of patches that adjoin by the look of their edges; no turned or mirrored ones.

    Args:
        patches: the set.
        among: numbers of the patches to compare; all where None.

    Returns:
        Pairs, in order of their numbers; none for patches below `SMALLEST_PX`.
    """
    size = patches.image.shape[1]
    numbers = np.arange(len(patches)) if among is None else np.asarray(among)
    if size < SMALLEST_PX or len(numbers) < 2:
        return ()
    image, valid = patches.image, patches.valid
    sides: tuple[tuple[Side, ndarray, ndarray, ndarray, ndarray], ...] = (
        ("right", image[:, :, -1], valid[:, :, -1], image[:, :, 0], valid[:, :, 0]),
        ("below", image[:, -1], valid[:, -1], image[:, 0], valid[:, 0]),
    )
    found: list[Neighbours] = []
    for side, ends, ends_seen, starts, starts_seen in sides:
        ends_of, starts_of = (
            _edge(values[numbers].astype(np.float64), seen[numbers])
            for values, seen in ((ends, ends_seen), (starts, starts_seen))
        )
        for row in range(0, len(numbers), ROWS):
            part = slice(row, row + ROWS)
            alike = ends_of[0][part] @ starts_of[0].T >= LEAST_VALUES
            alike[np.arange(len(alike)), np.arange(row, row + len(alike))] = False
            i, j = np.nonzero(alike)
            steps = np.einsum("pn,pn->p", ends_of[1][part][i], starts_of[1][j])
            shared = np.einsum("pk,pk->p", ends_of[2][part][i], starts_of[2][j])
            chance = np.sqrt(np.maximum(1 + 2 * shared, 1) / (size - 1))
            least = np.maximum(LEAST_STEPS, DEVIATIONS * chance)
            found += [
                Neighbours(
                    first=int(numbers[row + a]), second=int(numbers[b]), side=side,
                    correlation=float(c),
                )
                for a, b, c, bound in zip(i, j, steps, least, strict=True) if c >= bound
            ]  # fmt: skip
    return tuple(sorted(found, key=lambda pair: (pair.first, pair.second)))


def _edge(
    values: Float[ndarray, "patch pixel band"], seen: Bool[ndarray, "patch pixel"]
) -> tuple[ndarray, ndarray, ndarray]:
    """Values, steps and autocorrelation of steps of edges, all 0 where an edge was hardly seen."""
    usable = seen & (seen.mean(axis=1) >= LEAST_SEEN)[:, None]
    both = usable[:, 1:] & usable[:, :-1]
    steps = _unit(np.diff(values, axis=1), both)
    lines = steps.reshape(len(values), -1, values.shape[-1]).astype(np.float64)
    n = lines.shape[1]
    power = (np.abs(np.fft.rfft(lines, 2 * n, axis=1)) ** 2).sum(axis=2)
    autocorrelation = np.fft.irfft(power, axis=1)[:, 1 : n // 4]
    return _unit(values, usable), steps, autocorrelation
