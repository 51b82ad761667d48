"""Cut scenes into square patches, and join sets of patches.

Patches stand on a lattice of `stride_px`, from the first row and column on. Where the lattice does
not end at the edge, a last row or column of patches is moved in to end there, so that every pixel
of a scene lies in at least one patch (`cover_edge=False` drops the remainder, as published codes
do). Patches without landslides are kept: a network that never saw stable ground maps landslides
everywhere, and a score without it cannot tell. `keep_empty=False` drops them, in training and test
alike, as the papers on ADSMS U-Net and HR-GLDD do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Bool

from detection.patches.patch_set import PatchOrigin, PatchSet
from detection.scenes.catalogue import SceneEntry
from detection.scenes.rasterise import read_mapped_ground
from detection.scenes.read import read_scene, scene_grid
from detection.scenes.scene import Scene
from hazard.errors import DataError
from hazard.geo.grid import Block

PIXEL_TOLERANCE = 0.05


def corners(length_px: int, size_px: int, stride_px: int, *, cover_edge: bool = True) -> list[int]:
    """First pixels of the patches along one axis.

    Example:
        >>> corners(20, 8, 5), corners(20, 8, 5, cover_edge=False)
        ([0, 5, 10, 12], [0, 5, 10])
    """
    if min(size_px, stride_px) < 1:
        raise ValueError(f"size {size_px} and stride {stride_px}; use at least 1 pixel")
    last = length_px - size_px
    if last < 0:
        return []
    found = list(range(0, last + 1, stride_px))
    if cover_edge and found[-1] != last:
        found.append(last)
    return found


def cut_patches(
    scene: Scene,
    size_px: int,
    stride_px: int,
    *,
    keep_empty: bool = True,
    minimum_counted: float = 0.0,
    cover_edge: bool = True,
    first: tuple[int, int] = (0, 0),
) -> PatchSet:
    """Patches of a scene, row by row.

    Args:
        scene: with an inventory.
        size_px: side of a patch [px].
        stride_px: step between patches [px]; smaller than the side, they overlap.
        keep_empty: keep patches in which no landslide counts.
        minimum_counted: patches of which a smaller share was seen and mapped are left out, and
            those of which nothing was are, whatever this is.
        cover_edge: move a last row and column in, to end at the edge.
        first: row and column of the scene's first pixel in the whole image, where `scene` is a
            window of it; origins count from there.

    Returns:
        The patches, in float32; what was not seen is 0 in `image` and `pre`.

    Raises:
        DataError: a scene without an inventory, or smaller than a patch.

    Example:
        >>> from affine import Affine
        >>> from hazard.geo.grid import Grid
        >>> grid = Grid(crs="EPSG:32645", transform=Affine(3, 0, 0, 0, -3, 0), shape=(20, 12))
        >>> seen = np.ones(grid.shape, bool)
        >>> scene = Scene(name="a-1", region="a", epoch="1", date=None, bands=("red",), unit="1",
        ...     sensor="made", grid=grid, image=np.zeros((20, 12, 1)), valid=seen, truth=~seen,
        ...     known=seen)
        >>> patches = cut_patches(scene, 8, 8)
        >>> len(patches), [(o.row, o.column) for o in patches.origin[-2:]]
        (6, [(12, 0), (12, 4)])
    """
    if scene.truth is None or scene.known is None:
        raise DataError(f"scene {scene.name!r}", found="no inventory", expected="one to learn from")
    if not 0 <= minimum_counted <= 1:
        raise ValueError(f"minimum_counted {minimum_counted}; use a share from 0 to 1")
    rows, cols = scene.grid.shape
    if min(rows, cols) < size_px:
        _refuse_small(scene.name, scene.grid.shape, size_px)
    counted = scene.counted
    landslide = scene.truth & counted
    kept = [
        (row, col)
        for row in corners(rows, size_px, stride_px, cover_edge=cover_edge)
        for col in corners(cols, size_px, stride_px, cover_edge=cover_edge)
        if _wanted(
            counted[row : row + size_px, col : col + size_px],
            landslide[row : row + size_px, col : col + size_px],
            keep_empty,
            minimum_counted,
        )
    ]

    def stacked(values: np.ndarray[Any, Any], dtype: Any) -> np.ndarray[Any, Any]:
        out = np.empty((len(kept), size_px, size_px, *values.shape[2:]), dtype)
        for place, (row, col) in enumerate(kept):
            out[place] = values[row : row + size_px, col : col + size_px]
        return out

    valid = stacked(scene.valid, bool)
    arrays: dict[str, Any] = {}
    if scene.pre is not None and scene.pre_valid is not None:
        arrays["pre_valid"] = stacked(scene.pre_valid, bool)
        arrays["pre"] = _blanked(stacked(scene.pre, np.float32), arrays["pre_valid"])
    if scene.elevation_m is not None:
        arrays["elevation_m"] = stacked(scene.elevation_m, np.float32)
    return PatchSet(
        bands=scene.bands,
        unit=scene.unit,
        pixel_m=_pixel_m(scene),
        image=_blanked(stacked(scene.image, np.float32), valid),
        valid=valid,
        truth=stacked(scene.truth, bool),
        known=stacked(scene.known, bool),
        origin=tuple(
            PatchOrigin(
                scene=scene.name,
                region=scene.region,
                epoch=scene.epoch,
                row=first[0] + row,
                column=first[1] + col,
            )
            for row, col in kept
        ),
        synthetic=scene.synthetic,
        **arrays,
    )


def cut_entry(
    entry: SceneEntry,
    size_px: int,
    stride_px: int,
    *,
    bands: Sequence[str] | None = None,
    keep_empty: bool = True,
    minimum_counted: float = 0.0,
    cover_edge: bool = True,
    progress: Callable[[int], None] | None = None,
) -> PatchSet:
    """Patches of a scene that is read one row of patches at a time.

    Equal to `cut_patches(read_scene(entry), ...)`, but the memory beside the patches is that of a
    strip of the scene.

    Args:
        entry: of a catalogue.
        size_px: side of a patch [px].
        stride_px: step between patches [px].
        bands: bands to read, in this order.
        keep_empty: as for `cut_patches`.
        minimum_counted: as for `cut_patches`.
        cover_edge: as for `cut_patches`.
        progress: called with 1 after every strip; there are as many as rows of patches.

    Raises:
        DataError: as `read_scene` and `cut_patches`.
    """
    grid = scene_grid(entry)
    rows, cols = grid.shape
    starts = corners(rows, size_px, stride_px, cover_edge=cover_edge)
    if not starts or cols < size_px:
        _refuse_small(entry.name, grid.shape, size_px)
    mapped = read_mapped_ground(entry, grid)
    strips = []
    for row in starts:
        window = Block(row0=row, row1=row + size_px, col0=0, col1=cols)
        strip = read_scene(entry, window=window, bands=bands, mapped=mapped)
        strips.append(
            cut_patches(
                strip, size_px, stride_px, keep_empty=keep_empty, minimum_counted=minimum_counted,
                cover_edge=cover_edge, first=(row, 0),
            )
        )  # fmt: skip
        if progress is not None:
            progress(1)
    return join_sets(strips)


def _refuse_small(name: str, shape: tuple[int, int], size_px: int) -> NoReturn:
    raise DataError(
        f"scene {name!r}",
        found=f"{shape[0]} x {shape[1]} pixels",
        expected=f"at least one patch of {size_px} x {size_px}",
    )


def _wanted(
    counted: Bool[np.ndarray, "y x"],
    landslide: Bool[np.ndarray, "y x"],
    keep_empty: bool,
    minimum: float,
) -> bool:
    share = counted.mean()
    return bool(share > 0 and share >= minimum and (keep_empty or landslide.any()))


def _blanked(values: np.ndarray[Any, Any], valid: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    values[~valid] = 0
    return values


def _pixel_m(scene: Scene) -> float:
    """Side of the scene's pixels; they must be square to the tolerance of a network's scale."""
    scene.grid.require_metres("patches", f"scene {scene.name!r}")
    width, height = scene.grid.cell_size
    if abs(width / height - 1) > PIXEL_TOLERANCE:
        raise DataError(
            f"scene {scene.name!r}",
            found=f"pixels of {width:g} m x {height:g} m",
            expected="square ones (warp the scene first)",
        )
    return float(np.sqrt(width * height))


def without_empty(patches: PatchSet) -> PatchSet:
    """The patches in which a landslide counts."""
    some = (patches.truth & patches.counted).any(axis=(1, 2))
    return patches.select(np.flatnonzero(some))


def join_sets(sets: Iterable[PatchSet]) -> PatchSet:
    """One set of several, in their order.

    Raises:
        DataError: no set, or sets that differ in bands, unit, size of patch, size of pixel (by
            more than 5 %), or in having an earlier image or elevation.
    """
    parts = list(sets)
    if not parts:
        raise DataError("patches", found="no set", expected="at least one to join")
    first = parts[0]
    for part in parts[1:]:
        _require_alike(first, part)

    def joined(values: Sequence[np.ndarray[Any, Any] | None]) -> Any:
        present = [value for value in values if value is not None]
        return np.concatenate(present) if present else None

    sizes = [part.pixel_m for part in parts if part.pixel_m is not None]
    return PatchSet(
        bands=first.bands,
        unit=first.unit,
        pixel_m=float(np.mean(sizes)) if sizes else None,
        image=joined([p.image for p in parts]),
        valid=joined([p.valid for p in parts]),
        truth=joined([p.truth for p in parts]),
        known=joined([p.known for p in parts]),
        origin=tuple(origin for part in parts for origin in part.origin),
        pre=joined([p.pre for p in parts]),
        pre_valid=joined([p.pre_valid for p in parts]),
        elevation_m=joined([p.elevation_m for p in parts]),
        synthetic=any(part.synthetic for part in parts),
    )


def _require_alike(one: PatchSet, other: PatchSet) -> None:
    def refuse(found: object, expected: object, what: str) -> None:
        raise DataError("patches to join", found=f"{what} {found}", expected=f"{expected}")

    if one.bands != other.bands:
        refuse(other.bands, one.bands, "bands")
    if one.unit != other.unit:
        refuse(repr(other.unit), repr(one.unit), "unit")
    if one.image.shape[1:3] != other.image.shape[1:3]:
        refuse(other.image.shape[1:3], one.image.shape[1:3], "patches of")
    if (one.pixel_m is None) != (other.pixel_m is None) or (
        one.pixel_m is not None
        and other.pixel_m is not None
        and abs(other.pixel_m / one.pixel_m - 1) > PIXEL_TOLERANCE
    ):
        refuse(other.pixel_m, one.pixel_m, "pixels [m] of")
    for name in ("pre", "elevation_m"):
        has, had = (getattr(part, name) is not None for part in (other, one))
        if has != had:
            refuse(has, f"{name}: {had} in all", f"{name}:")
