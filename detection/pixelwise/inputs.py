"""What a per-pixel model reads: bands, indices, an earlier date, slope."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from detection.patches.patch_set import PatchSet
from detection.scenes.indices import spectral_index
from detection.scenes.topography import slope_deg
from hazard.errors import DataError

# Patches are read in portions of about this many pixels.
PORTION_PIXELS = 2_000_000


@dataclass(frozen=True, kw_only=True)
class PixelInputs:
    """Columns of a per-pixel model besides the bands of the image.

    Attributes:
        indices: spectral indices of the image (and of the earlier one), of
            `detection.scenes.indices.INDICES`.
        pre: the bands of an earlier date, and the difference of the indices.
        slope: slope of the ground [deg].
    """

    indices: tuple[str, ...] = ()
    pre: bool = False
    slope: bool = False

    def names(self, bands: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the columns.

        Example:
            >>> PixelInputs(indices=("ndvi",), pre=True).names(("red", "nir"))
            ('red', 'nir', 'ndvi', 'pre red', 'pre nir', 'change of ndvi')
        """
        found = [*bands, *self.indices]
        if self.pre:
            found += [f"pre {b}" for b in bands] + [f"change of {i}" for i in self.indices]
        return (*found, *(("slope",) if self.slope else ()))


def pixel_values(patches: PatchSet, inputs: PixelInputs) -> Float[ndarray, "patch y x column"]:
    """Columns of every pixel, float32; NaN where a value is not known.

    Args:
        patches: with an earlier date, elevation and a known pixel side where `inputs` ask for them.
        inputs: which columns.

    Raises:
        DataError: patches without what `inputs` ask for.
    """
    image = jnp.asarray(patches.image, dtype=jnp.float32)
    columns = [image]
    now = [spectral_index(name, image, patches.bands) for name in inputs.indices]
    columns += [value[..., None] for value in now]
    if inputs.pre:
        if patches.pre is None or patches.pre_valid is None:
            raise DataError("patches", found="no earlier image", expected="one (pre)")
        seen = jnp.asarray(patches.pre_valid)[..., None]
        pre = jnp.where(seen, jnp.asarray(patches.pre, dtype=jnp.float32), jnp.nan)
        columns.append(pre)
        for name, value in zip(inputs.indices, now, strict=True):
            columns.append((value - spectral_index(name, pre, patches.bands))[..., None])
    if inputs.slope:
        if patches.elevation_m is None or patches.pixel_m is None:
            raise DataError("patches", found="no elevation or no pixel side", expected="both")
        slope = slope_deg(jnp.asarray(patches.elevation_m, dtype=jnp.float32), patches.pixel_m)
        columns.append(slope[..., None])
    return np.asarray(jnp.concatenate(columns, axis=-1))


def portions(patches: PatchSet) -> Iterator[slice]:
    """Slices of the patches that hold about `PORTION_PIXELS` pixels each."""
    side: Any = patches.image.shape[1:3]
    step = max(1, PORTION_PIXELS // max(1, int(side[0] * side[1])))
    for start in range(0, len(patches), step):
        yield slice(start, min(start + step, len(patches)))
