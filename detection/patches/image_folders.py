"""Patches that come cut: folders of images and masks whose files have the same stem.

::

    hokkaido_rgb_patches/
      images/370.tif     # or .png, .jpg: anything GDAL reads
      masks/370.png

or the same below `train`, `validation` (`val`) and `test`. Images need no georeference. A patch is
a place of its own: its region is FOLDER/STEM, so that nothing is taken for neighbours that nobody
can place. Where the file numbers count tiles of a lattice row by row, `lattice_columns` places
them, and neighbours are neighbours again: with it, the twelve Hokkaido patches turn out to adjoin
(see docs/detection_data.md).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from affine import Affine
from jaxtyping import Bool, Float
from numpy import ndarray

from detection.patches.patch_set import PatchOrigin, PatchSet
from hazard.errors import DataError
from hazard.geo.grid import Block
from hazard.geo.sources import open_source, read_window

ROLE_FOLDERS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation",
    "validation": "validation", "test": "test",
}  # fmt: skip
ALL = "all"
SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
Progress = Callable[[int], None] | None


def read_image_folders(
    folder: str | os.PathLike[str],
    *,
    bands: Sequence[str],
    unit: str = "dn",
    pixel_m: float | None = None,
    images: str = "images",
    masks: str = "masks",
    mask_above: float | None = None,
    nodata: float | None = None,
    lattice_columns: int | None = None,
    progress: Progress = None,
) -> dict[str, PatchSet]:
    """Read a folder of images and masks.

    Args:
        folder: holds `images` and `masks`, or folders named train, validation (val) and test that
            do.
        bands: names of the bands, in the order of the files.
        unit: unit of the values.
        pixel_m: side of a pixel [m], where it is known.
        images: name of the folder of images.
        masks: name of the folder of masks.
        mask_above: a pixel is landslide where the first band of the mask is above this number.
            Where None, 0.5 if no mask of the folder goes beyond 1, else 127, which cuts the soft
            edges of 8-bit masks in half.
        nodata: value of pixels that were not seen, in all bands together; a black pixel is a value
            unless this says 0.
        lattice_columns: tiles per row of a lattice that the numbers in the file names count, row
            by row; the patches then share one region and lie where they belong.
        progress: called with 1 after every image.

    Returns:
        Sets by role; one set named ``all`` where the folder knows no roles.

    Raises:
        DataError: no such folder, images without mask or the reverse, another number of bands,
            images of different size or that are not square, broken files, masks with values that
            the rule cannot read, or stems that are no numbers where a lattice is asked for.
    """
    base = Path(folder)
    if not base.is_dir():
        raise DataError(base, found="no such folder", expected=f"{images} and {masks} in it")
    parts = {
        ROLE_FOLDERS[part.name.lower()]: part
        for part in sorted(base.iterdir())
        if part.is_dir() and part.name.lower() in ROLE_FOLDERS
    } or {ALL: base}
    pairs = {role: _pairs(part / images, part / masks) for role, part in parts.items()}
    threshold = _threshold(pairs, mask_above)
    found = {}
    for role, files in pairs.items():
        name = base.name if role == ALL else f"{base.name}/{role}"
        origins = _origins(files, name, lattice_columns)
        found[role] = _read(
            files, origins, tuple(bands), unit, pixel_m, threshold, nodata, progress
        )
    return found


def _pairs(images: Path, masks: Path) -> list[tuple[Path, Path]]:
    """Image and mask of every stem, in natural order."""
    stems = []
    for part in (images, masks):
        if not part.is_dir():
            raise DataError(part, found="no such folder", expected="a folder of images")
        files = [f for f in sorted(part.iterdir()) if f.suffix.lower() in SUFFIXES]
        by_stem = {file.stem: file for file in files}
        if len(by_stem) < len(files):
            twice = next(f for f in files if by_stem[f.stem] != f)
            raise DataError(twice, found=f"another file {by_stem[twice.stem].name}", expected="one")
        stems.append(by_stem)
    here, there = stems
    if alone := sorted(set(here) ^ set(there)):
        raise DataError(
            images.parent, found=f"{len(alone)} files without partner, such as {alone[0]!r}",
            expected=f"a mask in {masks.name} of the name of every image in {images.name}",
        )  # fmt: skip
    if not here:
        raise DataError(images, found="no images", expected=f"files {', '.join(SUFFIXES)}")
    return [(here[stem], there[stem]) for stem in sorted(here, key=_natural)]


def _natural(stem: str) -> tuple[tuple[int, str], ...]:
    """Sorts 9 before 10.

    Example:
        >>> sorted(["10", "9", "a2"], key=_natural)
        ['9', '10', 'a2']
    """
    return tuple(
        (int(part), "") if part.isdigit() else (-1 if not part else 10**12, part)
        for part in re.split(r"(\d+)", stem)
        if part
    )


def _threshold(pairs: dict[str, list[tuple[Path, Path]]], given: float | None) -> float:
    """One number for all masks: a mask without landslides cannot say which code it uses."""
    if given is not None:
        return given
    highest = 0.0
    for files in pairs.values():
        for _, mask in files:
            values, _ = _read_bands(mask, 1, None)
            if values.min() < 0 or values.max() > 255:
                raise DataError(
                    mask, found=f"values from {values.min():g} to {values.max():g}",
                    expected="0 and 1, or 0 to 255; else say `mask_above`",
                )  # fmt: skip
            highest = max(highest, float(values.max()))
    return 0.5 if highest <= 1 else 127.0


def _read_bands(
    path: Path, count: int | None, nodata: float | None
) -> tuple[Float[ndarray, "y x band"], Bool[ndarray, "y x"]]:
    """The first `count` bands (all where None) and where all of them hold a value.

    A pixel whose bands all equal `nodata` was not seen; a single band may take that value.
    """
    _require_whole(path)
    with open_source(path) as source:
        info = source.info
        rows, cols = info.shape
        window = Block(row0=0, row1=rows, col0=0, col1=cols)
        layers = [
            read_window(
                source, window, band + 1, nodata=None if nodata is None else float("nan"),
                categorical=False,
            )
            for band in range(info.count if count is None else min(count, info.count))
        ]  # fmt: skip
    values = np.stack([layer for layer, _ in layers], axis=-1)
    valid = np.all([seen for _, seen in layers], axis=0)
    if info.crs is None and info.transform == Affine(1, 0, 0, 0, -1, rows):
        # Rasters are read from the north down, and a plain image has its rows counted upwards:
        # its first row is the one on top.
        values, valid = values[::-1], valid[::-1]
    if nodata is not None:
        valid &= ~(values == nodata).all(axis=-1)
    return np.where(valid[..., None], values, 0), valid


def _require_whole(path: Path) -> None:
    """Refuse a cut PNG or JPEG, which GDAL fills up with what it has, without a word."""
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        return
    end = b"IEND" if path.suffix.lower() == ".png" else b"\xff\xd9"
    with path.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(-min(64, stream.tell()), os.SEEK_END)
        tail = stream.read()
    if end not in tail:
        raise DataError(path, found="a cut file", expected="an image with its end")


def _origins(
    files: Sequence[tuple[Path, Path]], name: str, columns: int | None
) -> list[tuple[str, str, int, int]]:
    """Scene, region, row and column on the lattice of tiles, of every file."""
    if columns is None:
        return [(f"{name}/{image.stem}", f"{name}/{image.stem}", 0, 0) for image, _ in files]
    found = []
    for image, _ in files:
        if not image.stem.isdigit():
            raise DataError(
                image, found="a name that is no number", expected="tiles numbered row by row"
            )
        row, column = divmod(int(image.stem), columns)
        found.append((name, name, row, column))
    return found


def _read(
    files: Sequence[tuple[Path, Path]],
    origins: Sequence[tuple[str, str, int, int]],
    bands: tuple[str, ...],
    unit: str,
    pixel_m: float | None,
    threshold: float,
    nodata: float | None,
    progress: Progress,
) -> PatchSet:
    image: Float[ndarray, "patch y x band"] = np.empty(0, np.float32)
    valid: Bool[ndarray, "patch y x"] = np.empty(0, bool)
    truth = valid
    for place, (image_file, mask_file) in enumerate(files):
        values, seen = _read_bands(image_file, None, nodata)
        if values.shape[-1] != len(bands):
            raise DataError(
                image_file, found=f"{values.shape[-1]} bands",
                expected=f"{len(bands)} ({', '.join(bands)})",
            )  # fmt: skip
        if place == 0:
            rows, cols = values.shape[:2]
            if rows != cols:
                raise DataError(
                    image_file, found=f"{rows} x {cols} pixels", expected="a square image"
                )
            image = np.empty((len(files), *values.shape), np.float32)
            valid = np.empty(image.shape[:3], bool)
            truth = np.empty(image.shape[:3], bool)
        mask = _read_bands(mask_file, 1, None)[0][..., 0]
        for file, shape in ((image_file, values.shape[:2]), (mask_file, mask.shape)):
            if shape != image.shape[1:3]:
                raise DataError(
                    file, found=f"{shape[0]} x {shape[1]} pixels",
                    expected=f"{image.shape[1]} x {image.shape[2]}, as {files[0][0].name}",
                )  # fmt: skip
        image[place], valid[place], truth[place] = values, seen, mask > threshold
        if progress is not None:
            progress(1)
    size = image.shape[1]
    return PatchSet(
        bands=bands,
        unit=unit,
        pixel_m=pixel_m,
        image=image,
        valid=valid,
        truth=truth,
        known=np.ones(valid.shape, bool),
        origin=tuple(
            PatchOrigin(scene=scene, region=region, epoch="1", row=row * size, column=col * size)
            for scene, region, row, col in origins
        ),
    )
