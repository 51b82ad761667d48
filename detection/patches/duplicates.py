"""Find patches that show the same ground, also turned, mirrored or in another light.

Exact copies by hash: of the pixels, and of the smallest of the hashes of all eight turns.

Near copies by three looks, so that few patches are compared in detail.

1. A signature of `COARSE` x `COARSE` means per band, each band with mean 0 and length 1 (a gain and
   an offset of the band cancel). The eight values of every orbit of the square (cells that turns
   and flips carry into each other) are sorted. Sorting never moves two vectors apart, so sorted
   signatures correlate at least as well as the signatures do at their best turn: none that passes
   the second look is missed by the first, which is one product of matrices.
2. Pairs that may pass are compared at the eight turns of their signatures.
3. What is left is compared at `FINE` x `FINE` means less the coarse ones, again at eight turns.
   Unrelated ground may share a gradient or a valley, hardly its details; a blurred, sharpened,
   noisy or compressed copy keeps the details at that scale.

Turns by other angles, shears and shifts are not found, nor are patches without structure, which
are counted (`Signatures.flat`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from detection.patches.adjoining import adjoining_patches
from detection.patches.patch_set import PatchSet

COARSE, FINE = 8, 32
COARSE_CORRELATION, FINE_CORRELATION = 0.95, 0.6
LEAST_SEEN = 0.2  # share of a patch that must have been seen for a comparison
ROWS = 1024  # signatures that are compared with all others at a time
PAIRS = 4096  # pairs that are compared in detail at a time


def _turns(image: np.ndarray) -> Iterator[np.ndarray]:
    """The eight turns and flips of a square (y, x, ...)."""
    for flipped in (image, image[:, ::-1]):
        for quarter in range(4):
            yield np.rot90(flipped, quarter)


def content_hashes(patches: PatchSet) -> list[str]:
    """SHA-256 of what every patch shows: pixels that were seen, and where.

    Example:
        >>> from detection.patches.patch_set import PatchOrigin
        >>> seen = np.ones((2, 4, 4), bool)
        >>> origin = (PatchOrigin(scene="a", region="a", epoch="1", row=0, column=0),) * 2
        >>> one = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
        >>> patches = PatchSet(bands=("red",), unit="1", pixel_m=None, valid=seen, truth=seen,
        ...     known=seen, image=np.stack([one, np.rot90(one)]), origin=origin)
        >>> len(set(content_hashes(patches))), len(set(turned_hashes(patches)))
        (2, 1)
    """
    return [_hash(image, valid) for image, valid in _shown(patches)]


def turned_hashes(patches: PatchSet) -> list[str]:
    """The smallest of the hashes of a patch's eight turns: equal for turned and mirrored copies."""
    return [
        min(_hash(i, v) for i, v in zip(_turns(image), _turns(valid), strict=True))
        for image, valid in _shown(patches)
    ]


def _shown(patches: PatchSet) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for image, valid in zip(patches.image, patches.valid, strict=True):
        yield np.where(valid[..., None], image, 0).astype(np.float32), valid


def _hash(image: np.ndarray, valid: np.ndarray) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(image).tobytes())
    digest.update(np.ascontiguousarray(valid).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Signatures:
    """What is compared of every patch.

    Attributes:
        sorted: sorted orbits of `coarse` (patch, number).
        coarse: means (patch, y, x, band), every patch of length 1.
        fine: details (patch, y, x, band), every patch of length 1.
        flat: patches with too little structure, or too little seen, to be compared.
    """

    sorted: Float[ndarray, "patch number"]
    coarse: Float[ndarray, "patch y x band"]
    fine: Float[ndarray, "patch y x band"]
    flat: Bool[ndarray, " patch"]


def _means(size: int, cells: int) -> Float[ndarray, "cell pixel"]:
    """Weights that average `size` pixels to `cells` cells of equal width, mirror-symmetric."""
    edges = np.linspace(0, size, cells + 1)
    low = np.maximum(edges[:-1, None], np.arange(size)[None])
    high = np.minimum(edges[1:, None], np.arange(1, size + 1)[None])
    weight = np.clip(high - low, 0, None)
    return weight / weight.sum(axis=1, keepdims=True)


def _orbits(side: int) -> list[Int[ndarray, " cell"]]:
    """Cells of a square that turns and flips carry into each other."""
    number = np.arange(side * side).reshape(side, side)
    smallest = np.min(list(_turns(number)), axis=0)
    return [np.flatnonzero(smallest.ravel() == first) for first in np.unique(smallest)]


def _unit(
    values: Float[ndarray, "band y x"], least: Float[ndarray, " band"]
) -> tuple[Float[ndarray, "band y x"], Bool[ndarray, " band"]]:
    """Bands of mean 0 and length 1; zeros, and False, where one is flatter than `least`."""
    centred = values - values.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt((centred**2).sum(axis=(1, 2)))
    ok = length > least
    return np.where(ok[:, None, None], centred / np.where(ok, length, 1)[:, None, None], 0), ok


def signatures(patches: PatchSet) -> Signatures:
    """Signatures of all patches, one patch at a time in float64."""
    n, size, _, bands = patches.image.shape
    fine_side = min(FINE, size)
    coarse_side = min(COARSE, fine_side)
    to_coarse, to_fine = _means(size, coarse_side), _means(size, fine_side)
    steps = to_coarse.T / to_coarse.sum(axis=0)[:, None]  # coarse cells back over the pixels
    orbits = _orbits(coarse_side)
    ordered = np.zeros((n, coarse_side**2 * bands), dtype=np.float32)
    coarse = np.zeros((n, coarse_side, coarse_side, bands), dtype=np.float32)
    fine = np.zeros((n, fine_side, fine_side, bands), dtype=np.float32)
    flat = np.ones(n, dtype=bool)
    for place, (image, valid) in enumerate(_shown(patches)):
        if valid.mean() < LEAST_SEEN:
            continue
        pixels = np.moveaxis(image, -1, 0).astype(np.float64)
        pixels[:, ~valid] = pixels[:, valid].mean(axis=1, keepdims=True)
        tiny = 1e-5 * np.abs(pixels).max(axis=(1, 2)) + 1e-12
        blocks = to_coarse @ pixels @ to_coarse.T
        details = to_fine @ (pixels - steps @ blocks @ steps.T) @ to_fine.T
        low, low_ok = _unit(blocks, tiny * coarse_side)
        high, high_ok = _unit(details, tiny * fine_side)
        ok = low_ok & high_ok
        if not ok.any():
            continue
        flat[place] = False
        scale = (ok / np.sqrt(ok.sum()))[:, None, None]
        coarse[place] = np.moveaxis(low * scale, 0, -1)
        fine[place] = np.moveaxis(high * scale, 0, -1)
        cells = coarse[place].reshape(-1, bands)
        ordered[place] = np.concatenate([np.sort(cells[o], axis=0).ravel() for o in orbits])
    return Signatures(ordered, coarse, fine, flat)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two patches that show the same.

    Attributes:
        first: number of one patch.
        second: number of the other, larger.
        correlation: of their details, averaged over the bands, at the best turn.
    """

    first: int
    second: int
    correlation: float


def near_duplicates(
    patches: PatchSet,
    *,
    role: Int[ndarray, " patch"] | None = None,
    least: float = FINE_CORRELATION,
    marks: Signatures | None = None,
) -> tuple[Pair, ...]:
    """Pairs of patches that show the same ground, also turned, mirrored or in another light.

    Args:
        patches: the set.
        role: only pairs of different roles are looked for, role 0 left out; all pairs where None.
        least: correlation of details from which a pair counts.
        marks: signatures of the set, where they are there already.

    Returns:
        Pairs in order of their numbers.
    """
    marks = signatures(patches) if marks is None else marks
    numbers = np.flatnonzero(~marks.flat if role is None else ~marks.flat & (role > 0))
    found: list[Pair] = []
    for start in range(0, len(numbers), ROWS):
        rows, others = numbers[start : start + ROWS], numbers[start:]
        close = marks.sorted[rows] @ marks.sorted[others].T >= COARSE_CORRELATION
        close &= others[None] > rows[:, None]
        if role is not None:
            close &= role[rows][:, None] != role[others][None]
        i, j = np.nonzero(close)
        for part in range(0, len(i), PAIRS):
            one, other = rows[i[part : part + PAIRS]], others[j[part : part + PAIRS]]
            alike = _best_turns(marks.coarse, one, other) >= COARSE_CORRELATION
            one, other = one[alike], other[alike]
            correlation = _best_turns(marks.fine, one, other)
            found += [
                Pair(first=int(a), second=int(b), correlation=float(c))
                for a, b, c in zip(one, other, correlation, strict=True)
                if c >= least
            ]
    return tuple(sorted(found, key=lambda pair: (pair.first, pair.second)))


def _best_turns(
    images: Float[ndarray, "patch y x band"],
    one: Int[ndarray, " pair"],
    other: Int[ndarray, " pair"],
) -> Float[ndarray, " pair"]:
    """Correlation of pairs of images at the best of the eight turns of the second."""
    first, second = images[one], np.moveaxis(images[other], 0, -1)
    found = [np.einsum("pyxb,yxbp->p", first, turn) for turn in _turns(second)]
    return np.max(found, axis=0)


def linked_groups(
    patches: PatchSet, *, least: float = FINE_CORRELATION, adjoining: bool = False
) -> Int[ndarray, " patch"]:
    """Number of the group of every patch: exact and near copies of each other share one.

    For patches that nobody can place on the ground; `splits.split_by_group` keeps groups together.

    Args:
        patches: the set.
        least: correlation of details from which two patches are copies.
        adjoining: link patches whose edges continue each other, too
            (`detection.patches.adjoining`): groups are then connected pieces of ground.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [(pair.first, pair.second) for pair in near_duplicates(patches, least=least)]
    if adjoining:
        pairs += [(pair.first, pair.second) for pair in adjoining_patches(patches)]
    first_of: dict[str, int] = {}
    for place, text in enumerate(turned_hashes(patches)):
        pairs.append((first_of.setdefault(text, place), place))
    one, other = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    n = len(patches)
    links = coo_array((np.ones(len(one)), (one, other)), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)
