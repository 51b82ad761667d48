"""Small sets of patches with everything in them, for tests."""

import numpy as np

from detection.patches.patch_set import PatchOrigin, PatchSet

BANDS = ("blue", "green", "red", "nir")


def made_patches(n=6, size=12, *, seed=0, pre=True, elevation=True, regions=("a", "b")):
    rng = np.random.default_rng(seed)
    shape = (n, size, size)
    ground = rng.normal(0, 1, shape).cumsum(1).cumsum(2).astype(np.float32) + 500
    return PatchSet(
        bands=BANDS,
        unit="1",
        pixel_m=10.0,
        image=rng.uniform(0.02, 0.5, (*shape, 4)).astype(np.float32),
        valid=rng.random(shape) > 0.1,
        truth=rng.random(shape) > 0.7,
        known=rng.random(shape) > 0.05,
        origin=tuple(
            PatchOrigin(
                scene=f"{regions[i % len(regions)]}-1",
                region=regions[i % len(regions)],
                epoch="1",
                row=0,
                column=i * size,
            )
            for i in range(n)
        ),
        pre=rng.uniform(0.02, 0.5, (*shape, 4)).astype(np.float32) if pre else None,
        pre_valid=rng.random(shape) > 0.2 if pre else None,
        elevation_m=ground if elevation else None,
    )
