"""The layout of Landslide4Sense: .h5 files of 14 bands, 128 x 128 pixels of about 10 m.

::

    TrainData/img/image_1.h5    # data set "img" (y, x, band)
    TrainData/mask/mask_1.h5    # data set "mask" (y, x), 0 and 1

and ValidData and TestData alike; or images/train and annotations/train, validation, test, as a
later release has it. Bands 1-12 are B1 to B12 of Sentinel-2 (B8A left out), 13 slope, 14 elevation;
all of them were scaled before they were published, by a rule that was not: unit "scaled" says so.
Raw reflectance cannot be fed to a network that was trained on them, and the 14th band is no
elevation in metres. Ghorbanzadeh et al. (2022), IEEE JSTARS 15, 9927-9942,
doi:10.1109/JSTARS.2022.3220845.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from detection.patches.patch_set import PatchOrigin, PatchSet
from hazard.errors import DataError

BANDS = (
    "aerosol", "blue", "green", "red", "red_edge", "red_edge2", "red_edge3", "nir",
    "water_vapour", "cirrus", "swir1", "swir2", "slope", "elevation",
)  # fmt: skip
"""Names of the 14 bands, in the order of the files."""
ROLE_FOLDERS = {"TrainData": "train", "ValidData": "validation", "TestData": "test"}
UNIT = "scaled"
PIXEL_M = 10.0


def read_landslide4sense(
    folder: str | os.PathLike[str],
    *,
    bands: tuple[str, ...] = BANDS,
    unit: str = UNIT,
    pixel_m: float | None = PIXEL_M,
    progress: Callable[[int], None] | None = None,
) -> dict[str, PatchSet]:
    """Read a folder.

    Args:
        folder: with TrainData, and ValidData and TestData where present; roles without masks (as
            they were first published) are left out.
        bands: names of the bands in the order of the files.
        unit: unit of the values.
        pixel_m: side of a pixel [m].
        progress: called with 1 after every patch.

    Returns:
        Sets by role; a patch is a place of its own, since the files do not say where they lie.

    Raises:
        DataError: no TrainData, images without mask, broken files, other shapes, labels that are
            not 0 and 1, or numbers that are not finite.
    """
    base = Path(folder)
    found = {}
    later = (base / "images").is_dir()
    for name, role in ROLE_FOLDERS.items():
        images, masks = base / name / "img", base / name / "mask"
        if later:
            images, masks = base / "images" / role, base / "annotations" / role
        if role != "train" and not (images.is_dir() and masks.is_dir()):
            continue
        found[role] = _read(images, masks, role, bands, unit, pixel_m, progress)
    return found


def _numbered(folder: Path, prefix: str) -> dict[int, Path]:
    if not folder.is_dir():
        raise DataError(folder, found="no such folder", expected="the layout of Landslide4Sense")
    found = {}
    for file in folder.glob(f"{prefix}_*.h5"):
        if match := re.fullmatch(rf"{prefix}_(\d+)", file.stem):
            found[int(match[1])] = file
    if not found:
        raise DataError(folder, found=f"no {prefix}_NUMBER.h5", expected="some")
    return found


def _load(path: Path, key: str, shape: tuple[int, ...] | None, axes: int) -> np.ndarray[Any, Any]:
    try:
        with h5py.File(path, "r") as file:
            if key not in file:
                raise DataError(
                    path, found=f"data sets {', '.join(file)}", expected=f"one named {key!r}"
                )
            values = np.asarray(file[key][()])
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise DataError(
            path, found=f"unreadable content ({' '.join(str(error).split())[:200]})",
            expected="a whole HDF5 file",
        ) from error  # fmt: skip
    if values.ndim != axes or (shape is not None and values.shape != shape):
        raise DataError(path, found=f"shape {values.shape}", expected=f"{shape or 'an image'}")
    if values.dtype.kind not in "iufb" or not np.isfinite(values).all():
        raise DataError(path, found=f"{values.dtype} values", expected="finite real numbers")
    return values


def _read(
    images: Path,
    masks: Path,
    role: str,
    bands: tuple[str, ...],
    unit: str,
    pixel_m: float | None,
    progress: Callable[[int], None] | None,
) -> PatchSet:
    image_files, mask_files = _numbered(images, "image"), _numbered(masks, "mask")
    if alone := sorted(set(image_files) ^ set(mask_files)):
        raise DataError(
            images, found=f"{len(alone)} files without partner, such as number {alone[0]}",
            expected="a mask of the number of every image",
        )  # fmt: skip
    numbers = sorted(image_files)
    first = _load(image_files[numbers[0]], "img", None, 3)
    shape = (first.shape[0], first.shape[0], len(bands))
    image = np.empty((len(numbers), *shape), np.float32)
    truth = np.empty(image.shape[:3], bool)
    for place, number in enumerate(numbers):
        image[place] = _load(image_files[number], "img", shape, 3)
        mask = _load(mask_files[number], "mask", shape[:2], 2)
        if not np.isin(mask, [0, 1]).all():
            raise DataError(
                mask_files[number], found=f"labels {np.unique(mask)[:5].tolist()}",
                expected="0 (stable) and 1 (landslide)",
            )  # fmt: skip
        truth[place] = mask == 1
        if progress is not None:
            progress(1)
    seen = np.ones(truth.shape, bool)
    return PatchSet(
        bands=bands,
        unit=unit,
        pixel_m=pixel_m,
        image=image,
        valid=seen,
        truth=truth,
        known=seen.copy(),
        origin=tuple(
            PatchOrigin(scene=f"{role}/{n}", region=f"{role}/{n}", epoch="1", row=0, column=0)
            for n in numbers
        ),
    )
