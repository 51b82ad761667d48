"""Cut patches that come too large into smaller ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from detection.patches.cut import corners, without_empty
from detection.patches.patch_set import PatchSet
from hazard.errors import DataError


def tile_patches(
    patches: PatchSet,
    size_px: int,
    stride_px: int,
    *,
    keep_empty: bool = True,
    minimum_counted: float = 0.0,
    cover_edge: bool = True,
) -> PatchSet:
    """Squares of `size_px` from every patch, by the rules of `detection.patches.cut`.

    Args:
        patches: larger patches, such as the 512 x 512 images of a published folder.
        size_px: side of the new patches [px].
        stride_px: step between them [px].
        keep_empty: keep those in which no landslide counts.
        minimum_counted: least share that was seen and mapped; where nothing was, a patch goes.
        cover_edge: move a last row and column in, to end at the edge.

    Returns:
        The new patches, origins counted in pixels of where the old ones were cut.

    Raises:
        DataError: patches smaller than that.

    Example:
        >>> from detection.patches.patch_set import PatchOrigin
        >>> seen = np.ones((1, 6, 6), bool)
        >>> large = PatchSet(bands=("red",), unit="1", pixel_m=None, valid=seen, known=seen,
        ...     truth=seen, image=np.arange(36.0).reshape(1, 6, 6, 1),
        ...     origin=(PatchOrigin(scene="a", region="a", epoch="1", row=10, column=0),))
        >>> small = tile_patches(large, 4, 4)
        >>> [(o.row, o.column) for o in small.origin], float(small.image[3, 0, 0, 0])
        ([(10, 0), (10, 2), (12, 0), (12, 2)], 14.0)
    """
    size = patches.image.shape[1]
    starts = corners(size, size_px, stride_px, cover_edge=cover_edge)
    if not starts:
        raise DataError(
            "patches", found=f"{size} x {size} pixels", expected=f"at least {size_px} x {size_px}"
        )
    places = [(row, col) for row in starts for col in starts]

    def tiled(values: np.ndarray[Any, Any] | None) -> Any:
        if values is None:
            return None
        parts = [values[:, row : row + size_px, col : col + size_px] for row, col in places]
        return np.stack(parts, axis=1).reshape(-1, size_px, size_px, *values.shape[3:])

    found = PatchSet(
        bands=patches.bands,
        unit=patches.unit,
        pixel_m=patches.pixel_m,
        image=tiled(patches.image),
        valid=tiled(patches.valid),
        truth=tiled(patches.truth),
        known=tiled(patches.known),
        origin=tuple(
            replace(origin, row=origin.row + row, column=origin.column + col)
            for origin in patches.origin
            for row, col in places
        ),
        pre=tiled(patches.pre),
        pre_valid=tiled(patches.pre_valid),
        elevation_m=tiled(patches.elevation_m),
        synthetic=patches.synthetic,
    )
    share = found.counted.mean(axis=(1, 2))
    counted = found.select(np.flatnonzero((share > 0) & (share >= minimum_counted)))
    return counted if keep_empty else without_empty(counted)
