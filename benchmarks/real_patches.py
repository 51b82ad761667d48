"""Models on real landslide patches, cross-validated over ground, pooled over pixels.

Hokkaido: tiles that adjoin on a lattice; blocks of 2 x 2 tiles keep together, intervals resample
tiles. Nepal: images that nobody can place; near-duplicates keep together, intervals resample
images. In every fold one part chooses the threshold and another is scored.

An entry of `MODELS` fits on (training, validation) patches and returns a function from patches to
probabilities (patch, y, x).

python -m benchmarks.real_patches ../shared/data
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.network_fit import network_fit
from benchmarks.scenes import Fit, cross_validate, pixel_fit
from detection.patches.audit import linked_groups
from detection.patches.image_folders import read_image_folders
from detection.patches.patch_set import PatchSet
from detection.patches.split_record import Split
from detection.patches.splits import block_folds, group_folds
from detection.pixelwise.inputs import PixelInputs

RGB = ("red", "green", "blue")
LATTICE_COLUMNS = 36
PIXELS = 60_000

MODELS: Mapping[str, Callable[[int], Fit]] = {
    "logistic regression": lambda seed: pixel_fit(
        "logistic_regression", PixelInputs(), pixels=PIXELS, seed=seed
    ),
    "random forest": lambda seed: pixel_fit(
        "random_forest", PixelInputs(), pixels=PIXELS, seed=seed
    ),
    "default network": network_fit,
}


def hokkaido(folder: Path, n_folds: int, seed: int) -> tuple[PatchSet, Sequence[Split]]:
    """The Hokkaido tiles, folds by blocks of 2 x 2 tiles."""
    patches = read_image_folders(
        folder / "imagery" / "hokkaido_rgb_patches", bands=RGB, lattice_columns=LATTICE_COLUMNS
    )["all"]
    side = patches.image.shape[1]
    return patches, block_folds(patches, n_folds, block_px=2 * side, buffer_px=0, seed=seed)


def nepal(folder: Path, n_folds: int, seed: int) -> tuple[PatchSet, Sequence[Split]]:
    """The Nepal images, folds by image; near-duplicates share a fold."""
    patches = read_image_folders(folder / "imagery" / "nepal_png", bands=RGB)["all"]
    return patches, group_folds(patches, linked_groups(patches), n_folds, seed=seed)


DATA = {"hokkaido_rgb_patches": hokkaido, "nepal_png": nepal}


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds imagery/")
    parser.add_argument("--sets", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    start, rows = time.perf_counter(), []
    print("| data | model | F1 | IoU | precision | recall | patches | pixels | landslide |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in options.sets:
        patches, splits = DATA[name](options.data, options.folds, options.seed)
        folds = [(s.indices("train"), s.indices("validation"), s.indices("test")) for s in splits]
        for model in options.models:
            score = cross_validate(
                patches,
                np.arange(len(patches)),
                folds,
                MODELS[model](options.seed),
                name="patch",
                seed=options.seed,
            )
            print(
                f"| {name} | {model} | {score.f1.value:.3f} ({score.f1.low:.3f}-"
                f"{score.f1.high:.3f}) | {score.iou.value:.3f} ({score.iou.low:.3f}-"
                f"{score.iou.high:.3f}) | {score.precision:.3f} | {score.recall:.3f} "
                f"| {len(patches)} | {score.n_pixels} "
                f"| {100 * score.n_positive / score.n_pixels:.1f} % |",
                flush=True,
            )
            rows.append(
                {
                    "data": name,
                    "model": model,
                    "f1": [score.f1.value, score.f1.low, score.f1.high],
                    "iou": [score.iou.value, score.iou.low, score.iou.high],
                    "patches": len(patches),
                    "pixels": score.n_pixels,
                    "landslide_pixels": score.n_positive,
                    "folds": options.folds,
                }
            )
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1))
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
