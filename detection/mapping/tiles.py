r"""Where tiles lie, what each contributes, and why no seam can show.

A scene is padded below and to the right to a multiple of the network's stride. Tiles of one size
start at multiples of the stride, and the last row and column are shifted back to the padded edge,
so every pixel is covered. Two neighbours overlap by twice the halo, or more at the edge.

The share $w_k(i)$ that tile k has in pixel i along an axis sums to one over the tiles, and the
share in a pixel (y, x) is the product of both axes; so blended probabilities are weighted means:

* `centre`: the pixel belongs to the tile in whose inside it lies. With a halo of the network's
  receptive field this gives what one pass over the whole padded scene gives.
* `mean`: all tiles that hold the pixel count alike.
* `cosine`: $\sin^2$ ramps over the overlap, so a tile counts the less the nearer its edge is.

Towards an edge of the scene nothing is cut and nothing ramps: the network sees the same edge there
in a tile as in the whole scene.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from detection.models.span import ReceptiveField

Blend = Literal["centre", "cosine", "mean"]
PIXELWISE = ReceptiveField(before_px=0, after_px=0, stride_px=1)
SMALLEST_TILE_PX = 512
HALOS_PER_TILE = 6  # a tile of six halos spends (4/6)^2 = 44 % of its pixels on its inside


@dataclass(frozen=True, eq=False, kw_only=True)
class AxisTiles:
    """Tiles along one axis.

    Attributes:
        length_px: pixels of the scene.
        padded_px: with the padding to a multiple of the stride.
        size_px: side of a tile.
        starts: first pixel of every tile, increasing.
        parts: pixels (from, to) of the scene to which every tile contributes.
        shares: weight of every tile at these pixels, float32; they sum to one over the tiles.
    """

    length_px: int
    padded_px: int
    size_px: int
    starts: tuple[int, ...]
    parts: tuple[tuple[int, int], ...]
    shares: tuple[Float[ndarray, " pixel"], ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, eq=False, kw_only=True)
class Tiling:
    """Tiles of a scene.

    Attributes:
        rows: tiles along y.
        columns: tiles along x.
        blend: how overlaps are joined.
        halo_px: half of the regular overlap.
        receptive_field: of the network.
    """

    rows: AxisTiles
    columns: AxisTiles
    blend: Blend
    halo_px: int
    receptive_field: ReceptiveField

    @property
    def n_tiles(self) -> int:
        """Number of tiles."""
        return len(self.rows) * len(self.columns)

    @property
    def exact(self) -> bool:
        """True where the map equals that of the whole scene in one pass."""
        alone = self.n_tiles == 1
        return alone or (self.blend == "centre" and self.halo_px >= self.receptive_field.halo_px)

    @property
    def inside_share(self) -> float:
        """Pixels of the scene per pixel that passes the network: 1 without overlap."""
        scene = self.rows.length_px * self.columns.length_px
        return scene / (self.n_tiles * self.rows.size_px * self.columns.size_px)

    def first_needed(self, row: int) -> int:
        """First row of tiles that contributes to pixels from the first of `row` on."""
        from_px = self.rows.parts[row][0]
        return next(k for k, (_, to) in enumerate(self.rows.parts) if to > from_px)

    def strip(self, row: int) -> tuple[int, int]:
        """Rows of pixels that are complete once the tiles of `row` are done: (from, to)."""
        last = row + 1 == len(self.rows)
        end = self.rows.length_px if last else self.rows.parts[row + 1][0]
        return self.rows.parts[row][0], end

    def summary(self) -> dict[str, Any]:
        """Every number that decides the result, for fingerprints and tags."""
        return {
            "tile_px": [self.rows.size_px, self.columns.size_px],
            "halo_px": self.halo_px,
            "blend": self.blend,
            "receptive_field_px": self.receptive_field.side_px,
            "stride_px": self.receptive_field.stride_px,
            "n_tiles": self.n_tiles,
            "exact": self.exact,
        }


def plan_tiles(
    shape: tuple[int, int],
    receptive_field: ReceptiveField = PIXELWISE,
    *,
    tile_px: int | None = None,
    halo_px: int | None = None,
    blend: Blend = "centre",
) -> Tiling:
    """Lay tiles over a scene.

    Args:
        shape: rows and columns of the scene.
        receptive_field: of the network (`Network.receptive_field()`).
        tile_px: side of a tile, rounded up to a multiple of the stride; by default six halos and
            at least 512. A scene smaller than that is one tile.
        halo_px: half of the overlap, rounded up to a multiple of the stride; by default that of
            the receptive field. Less is a choice for `mean` and `cosine`, whose maps then only
            approach that of the whole scene.
        blend: how overlaps are joined.

    Raises:
        ValueError: a tile without inside, `centre` with a halo below the receptive field, or a
            number out of range.

    Example:
        >>> field = ReceptiveField(before_px=30, after_px=33, stride_px=16)
        >>> tiling = plan_tiles((1000, 300), field, tile_px=256)
        >>> tiling.rows.starts, tiling.halo_px, tiling.rows.padded_px
        ((0, 160, 320, 480, 640, 752), 48, 1008)
        >>> tiling.rows.parts[0], tiling.rows.parts[-1], tiling.exact
        ((0, 208), (824, 1000), True)
    """
    stride = receptive_field.stride_px
    if min(shape) < 1 or blend not in get_args(Blend) or (halo_px is not None and halo_px < 0):
        raise ValueError(
            f"shape {shape}, blend {blend!r}, halo_px {halo_px}; use at least one pixel, one of "
            f"{', '.join(get_args(Blend))}, and no negative halo"
        )
    needed = receptive_field.halo_px
    halo = needed if halo_px is None else -(-halo_px // stride) * stride
    least = max(SMALLEST_TILE_PX, HALOS_PER_TILE * halo)
    size = -(-(least if tile_px is None else tile_px) // stride) * stride
    padded = tuple(-(-length // stride) * stride for length in shape)
    if size < 1 or (size <= 2 * halo and any(size < length for length in padded)):
        raise ValueError(
            f"tile_px {tile_px} with a halo of {halo}; use more than {2 * halo}, or a smaller halo"
        )
    if blend == "centre" and halo < needed and any(size < length for length in padded):
        raise ValueError(
            f"blend 'centre' with a halo of {halo} px shows seams: the network needs {needed}; "
            "use that, or blend 'cosine'"
        )
    rows, columns = (
        _axis(length, full, min(size, full), halo, blend)
        for length, full in zip(shape, padded, strict=True)
    )
    return Tiling(
        rows=rows, columns=columns, blend=blend, halo_px=halo, receptive_field=receptive_field
    )


def _axis(length: int, padded: int, size: int, halo: int, blend: Blend) -> AxisTiles:
    last = padded - size
    starts = (*range(0, last, max(1, size - 2 * halo)), last)
    if blend == "centre":
        # Half-way through an overlap both tiles have their halo, also where it is wider.
        cuts = [0, *((a + b + size) // 2 for a, b in pairwise(starts)), length]
        parts = list(pairwise(cuts))
        shares = [np.ones(to - start, np.float32) for start, to in parts]
    else:
        parts = [(start, min(start + size, length)) for start in starts]
        shares = _shares(length, starts, parts, size, halo, blend)
    return AxisTiles(
        length_px=length,
        padded_px=padded,
        size_px=size,
        starts=starts,
        parts=tuple(parts),
        shares=tuple(shares),
    )


def _shares(
    length: int,
    starts: Sequence[int],
    parts: Sequence[tuple[int, int]],
    size: int,
    halo: int,
    blend: Blend,
) -> list[ndarray]:
    """Weights over their sum: one at every pixel."""
    raw = []
    for k, (start, (_, to)) in enumerate(zip(starts, parts, strict=True)):
        weight = np.ones(size)
        if blend == "cosine" and halo:
            ramp = np.sin(0.5 * math.pi * (np.arange(2 * halo) + 0.5) / (2 * halo)) ** 2
            reach = min(2 * halo, size)
            if k > 0:
                weight[:reach] *= ramp[:reach]
            if k + 1 < len(starts):
                weight[size - reach :] *= ramp[:reach][::-1]
        raw.append(weight[: to - start])
    total = np.zeros(length)
    for (start, to), weight in zip(parts, raw, strict=True):
        total[start:to] += weight
    return [
        (weight / total[start:to]).astype(np.float32)
        for (start, to), weight in zip(parts, raw, strict=True)
    ]
