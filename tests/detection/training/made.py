"""Patches made of arrays: bright discs on darker ground are landslides, with noise."""

import numpy as np

from detection.patches.patch_set import PatchOrigin, PatchSet

SMALL = {
    "widths": [8],
    "blocks": [1],
    "kernel_sizes": [3],
    "decoder_width": 8,
    "detail_width": 4,
}


def made_patches(
    number=8,
    size=32,
    *,
    seed=0,
    scene="made",
    share=0.75,
    contrast=0.3,
    noise=0.03,
    pre=False,
    elevation=False,
):
    """Patches side by side in one scene; `share` of them hold a disc."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    truth = np.zeros((number, size, size), bool)
    for i in range(round(share * number)):
        row, column = rng.integers(size // 4, 3 * size // 4, 2)
        truth[i] = (y - row) ** 2 + (x - column) ** 2 < rng.integers(9, size) * 2
    base = rng.uniform(0.1, 0.4, (number, 1, 1, 3))
    image = base + rng.normal(0, noise, (number, size, size, 3))
    earlier = base + rng.normal(0, noise, (number, size, size, 3))
    image += contrast * truth[..., None] * np.array([1.0, 0.8, -0.3])
    valid = np.ones(truth.shape, bool)
    valid[:, 0, : size // 4] = False
    image[~valid] = np.nan
    known = np.ones(truth.shape, bool)
    known[:, -1] = False
    return PatchSet(
        bands=("green", "red", "nir"),
        unit="1",
        pixel_m=5.0,
        image=image.astype(np.float32),
        valid=valid,
        truth=truth,
        known=known,
        origin=tuple(
            PatchOrigin(scene=scene, region=scene, epoch="one", row=0, column=i * size)
            for i in range(number)
        ),
        pre=earlier.astype(np.float32) if pre else None,
        pre_valid=np.ones(truth.shape, bool) if pre else None,
        elevation_m=(
            100 + 0.5 * x * np.ones((number, 1, 1)) + rng.normal(0, 2, truth.shape)
        ).astype(np.float32)
        if elevation
        else None,
        synthetic=True,
    )
