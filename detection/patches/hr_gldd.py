"""The layout of HR-GLDD: trainX.npy, trainY.npy, valX.npy, valY.npy, testX.npy, testY.npy.

Arrays are (patch, y, x, band) and (patch, y, x) or (patch, y, x, 1). Meena et al. (2023), Earth
System Science Data 15, 3283-3298, doi:10.5194/essd-15-3283-2023, publish 1,119, 284 and 355 patches
of 128 x 128 pixels of 3 m, all with landslides, split patch by patch inside each scene: neighbours
lie on both sides, and nothing in the files says where a patch lies. The order of the bands is
stated nowhere with authority: green is the second and near infrared the fourth, blue and red are
told apart by `check_band_order`. The authors' code validates on a part of the training arrays and
leaves valX unread; here the roles are those of the file names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.patches.patch_set import PatchOrigin, PatchSet
from hazard.errors import DataError

FILE_ROLES = {"train": "train", "val": "validation", "test": "test"}
BANDS = ("red", "green", "blue", "nir")
SAMPLE = 200  # patches that the order of the bands is checked on


def read_hr_gldd(
    folder: str | os.PathLike[str],
    *,
    bands: Sequence[str] = BANDS,
    unit: str = "1",
    pixel_m: float | None = 3.0,
    check: bool = True,
) -> dict[str, PatchSet]:
    """Read the arrays of a folder.

    Args:
        folder: with at least trainX.npy and trainY.npy; validation and test where present.
        bands: names of the bands, in the order of the arrays.
        unit: unit of the values; the published ones are reflectance scaled to [0, 1].
        pixel_m: side of a pixel [m].
        check: refuse an order of bands that the values contradict (`check_band_order`).

    Returns:
        Sets by role. A patch is a place of its own (region FILE/NUMBER): the files do not say
        which patches adjoin, and `detection.patches.audit` finds what copies there are.

    Raises:
        DataError: missing or broken files, other shapes, labels that are not 0 and 1, numbers that
            are not finite, or an order of bands that cannot be.
    """
    base = Path(folder)
    found = {}
    for prefix, role in FILE_ROLES.items():
        image_file, label_file = base / f"{prefix}X.npy", base / f"{prefix}Y.npy"
        if not image_file.exists() and not label_file.exists() and prefix != "train":
            continue
        found[role] = _read(image_file, label_file, tuple(bands), unit, pixel_m)
    if check:
        check_band_order(found["train"], source=base / "trainX.npy")
    return found


def check_band_order(patches: PatchSet, *, source: object = "patches") -> dict[str, float]:
    """Whether vegetation looks like vegetation under the names that the bands were given.

    Two things must hold, over up to 200 patches. Most stable ground in landslide country is green:
    its median NDVI is above 0 and near infrared is its brightest band, which fails where near
    infrared or red are misnamed for each other. Bare ground is brighter in red than in blue: so
    is the median landslide, which fails where red and blue are exchanged (NDVI hardly tells those
    apart, since plants absorb both).

    Args:
        patches: with bands red and nir, and blue where there is one.
        source: what to name in the error.

    Returns:
        The medians that were compared: ndvi, and red and blue over landslides.

    Raises:
        DataError: the names cannot be right.
    """
    need = {"red", "nir"} - set(patches.bands)
    if need:
        raise DataError(
            source, found=f"bands {', '.join(patches.bands)}", expected=f"{', '.join(need)} too"
        )
    part = patches.select(np.arange(min(SAMPLE, len(patches))))
    stable = part.image[part.counted & ~part.truth].astype(np.float64)
    slides = part.image[part.counted & part.truth].astype(np.float64)
    place = {band: patches.bands.index(band) for band in patches.bands}
    if not len(stable):
        raise DataError(source, found="no stable pixel", expected="some, to check the bands on")
    red, nir = stable[:, place["red"]], stable[:, place["nir"]]
    total = nir + red
    ndvi = float(np.median(((nir - red) / np.where(total > 0, total, 1))[total > 0]))
    brightest = patches.bands[int(np.median(stable, axis=0).argmax())]
    if ndvi <= 0 or brightest != "nir":
        raise DataError(
            source,
            found=f"a median NDVI of {ndvi:.2f} and {brightest!r} as the brightest band on stable "
            f"ground, with bands {', '.join(patches.bands)}",
            expected="vegetation (NDVI above 0, nir brightest): another order of the bands",
        )
    result = {"ndvi": ndvi}
    if "blue" in place and len(slides):
        result["red"] = float(np.median(slides[:, place["red"]]))
        result["blue"] = float(np.median(slides[:, place["blue"]]))
        if result["red"] < result["blue"]:
            raise DataError(
                source,
                found=f"landslides bluer ({result['blue']:.3g}) than red ({result['red']:.3g}), "
                f"with bands {', '.join(patches.bands)}",
                expected="bare ground brighter in red: exchange red and blue",
            )
    return result


def _load(path: Path, axes: int) -> np.ndarray[Any, Any]:
    if not path.is_file():
        raise DataError(path, found="no such file", expected="an array of HR-GLDD's layout")
    try:
        # Mapped, not read: the check of the shape comes before the memory. No pickles.
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            path, found=f"unreadable content ({' '.join(str(error).split())[:200]})",
            expected="a whole .npy file of numbers",
        ) from error  # fmt: skip
    if not isinstance(values, np.ndarray) or values.ndim not in (axes, 4):
        raise DataError(
            path, found=f"shape {getattr(values, 'shape', None)}", expected="(patch, y, x, band)"
        )
    if values.dtype.kind not in "iufb":
        raise DataError(path, found=f"{values.dtype} values", expected="real numbers")
    return values


def _read(
    image_file: Path, label_file: Path, bands: tuple[str, ...], unit: str, pixel_m: float | None
) -> PatchSet:
    stored, labels = _load(image_file, 4), _load(label_file, 3)
    n, rows, cols, count = stored.shape
    if count != len(bands) or rows != cols:
        raise DataError(
            image_file, found=f"shape {stored.shape}",
            expected=f"squares of {len(bands)} bands ({', '.join(bands)})",
        )  # fmt: skip
    if labels.shape not in ((n, rows, cols), (n, rows, cols, 1)):
        raise DataError(
            label_file, found=f"shape {labels.shape}", expected=f"({n}, {rows}, {cols}[, 1])"
        )
    image = np.array(stored, dtype=np.float32)
    if not np.isfinite(image).all():
        raise DataError(image_file, found="numbers that are not finite", expected="finite ones")
    truth = np.array(labels).reshape(n, rows, cols)
    codes = np.unique(truth)
    if not np.isin(codes, [0, 1]).all():
        raise DataError(
            label_file,
            found=f"labels {codes[:5].tolist()}",
            expected="0 (stable) and 1 (landslide)",
        )
    seen = np.ones(truth.shape, bool)
    name = image_file.stem
    return PatchSet(
        bands=bands,
        unit=unit,
        pixel_m=pixel_m,
        image=image,
        valid=seen,
        truth=truth.astype(bool),
        known=seen.copy(),
        origin=tuple(
            PatchOrigin(scene=f"{name}/{i}", region=f"{name}/{i}", epoch="1", row=0, column=0)
            for i in range(n)
        ),
    )
