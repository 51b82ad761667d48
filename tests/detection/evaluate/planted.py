"""Sets of patches with planted truth, cut from scenes by hand."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from detection.patches.patch_set import PatchOrigin, PatchSet

SIZE = 32


def scene(seed, shape=(96, 128), share=0.05):
    """Truth and probability of a scene: blobs, and a forecast that errs smoothly."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    truth = field > np.quantile(field, 1 - share)
    error = ndimage.gaussian_filter(rng.normal(size=shape), 2)
    probability = 1 / (1 + np.exp(-(field / field.std() + error / error.std() - 1.6)))
    return truth, probability


def cut(scenes, *, stride=SIZE, valid=None, pixel_m=5.0, bands=("red", "green", "blue")):
    """Patches of {(scene, region, epoch): (truth, probability)}, and their probabilities."""
    parts = {"truth": [], "valid": [], "probability": [], "origin": []}
    for (name, region, epoch), (truth, probability) in scenes.items():
        seen = np.ones(truth.shape, bool) if valid is None else valid
        for row in range(0, truth.shape[0] - SIZE + 1, stride):
            for column in range(0, truth.shape[1] - SIZE + 1, stride):
                window = np.s_[row : row + SIZE, column : column + SIZE]
                parts["truth"].append(truth[window])
                parts["valid"].append(seen[window])
                parts["probability"].append(probability[window])
                parts["origin"].append(
                    PatchOrigin(scene=name, region=region, epoch=epoch, row=row, column=column)
                )
    truth, valid = np.stack(parts["truth"]), np.stack(parts["valid"])
    rng = np.random.default_rng(0)
    image = rng.random((*truth.shape, len(bands)), dtype=np.float32) * 0.1
    image += np.where(truth, 0.35, 0.1).astype(np.float32)[..., None]
    patches = PatchSet(
        bands=bands, unit="1", pixel_m=pixel_m, image=image, valid=valid, truth=truth,
        known=np.ones_like(truth), origin=tuple(parts["origin"]), synthetic=True,
    )  # fmt: skip
    return patches, np.stack(parts["probability"])


def two_regions(seed=0, **options):
    """Two regions, the first with two epochs."""
    return cut(
        {
            ("hill 1", "hill", "1"): scene(seed),
            ("hill 2", "hill", "2"): scene(seed + 1),
            ("dale 1", "dale", "1"): scene(seed + 2, share=0.02),
        },
        **options,
    )
